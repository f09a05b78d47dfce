/*
 * See lease.h.
 *
 * The byte of a uid says whether its last holder has returned it (0) or not (1).  A uid found
 * unlocked with its byte at 1 was held by a run whose keeper was killed: it is taken again only
 * when no process of that uid is left.
 */
#include "isolate/native/lease.h"

#include "base/error.h"
#include "isolate/native/sys.h"
#include "isolate/uids.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCOUNTS_MAX (256 * 1024)

static bool range_is_claimed(const char *path, enum uids_file kind)
{
    static char text[ACCOUNTS_MAX]; /* too large for the stack; one thread, used at once */
    if (sys_read_file(AT_FDCWD, path, text, sizeof(text)) <= 0) {
        return false; /* no such file claims nothing */
    }
    for (const char *line = text; line != NULL && *line != '\0';) {
        if (uids_claimed(line, kind)) {
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

static int open_table(struct cella_error *err)
{
    if (mkdir(LEASE_DIRECTORY, 0700) != 0 && errno != EEXIST) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make %s", LEASE_DIRECTORY);
    }
    int fd = open(LEASE_DIRECTORY "/uids", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot open %s/uids", LEASE_DIRECTORY);
    }
    return fd;
}

static bool lock_byte(int fd, uint32_t index, short type)
{
    /* Owned by the open file, not by the process: init holds it on. */
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)index, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Whether any process has this real, effective, saved or file system uid. */
static bool uid_is_alive(uint32_t uid)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    bool alive = dir == NULL; /* unknown counts as alive */
    while (!alive && dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[300];
        char status[2048];
        unsigned ids[4];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
        if (sys_read_file(AT_FDCWD, path, status, sizeof(status)) <= 0) {
            continue; /* gone meanwhile */
        }
        const char *line = strstr(status, "\nUid:");
        alive = line != NULL &&
                sscanf(line, "\nUid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4 &&
                (ids[0] == uid || ids[1] == uid || ids[2] == uid || ids[3] == uid);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return alive;
}

int lease_take(struct lease *ret_lease, struct cella_error *err)
{
    if (range_is_claimed("/etc/passwd", UIDS_PASSWD) ||
        range_is_claimed("/etc/subuid", UIDS_SUBUID)) {
        error_set(err, CELLA_ERROR_HOST, 0, "uids %u to %u are not free", UIDS_FIRST, UIDS_LAST);
        return error_set_hint(err, "take them out of /etc/passwd and /etc/subuid");
    }
    int fd = open_table(err);
    if (fd < 0) {
        return -1;
    }
    /* Keepers that start at the same time begin at different places. */
    const uint32_t first = (uint32_t)getpid() * 31U;
    for (uint32_t i = 0; i < UIDS_COUNT; i++) {
        const uint32_t index = (first + i) % UIDS_COUNT;
        const char taken = 1;
        char state = 0;
        if (!lock_byte(fd, index, F_WRLCK)) {
            continue;
        }
        const bool dirty = pread(fd, &state, 1, (off_t)index) == 1 && state != 0;
        if (!dirty || !uid_is_alive(UIDS_FIRST + index)) {
            if (pwrite(fd, &taken, 1, (off_t)index) == 1) {
                *ret_lease = (struct lease){fd, UIDS_FIRST + index};
                return 0;
            }
            error_set(err, CELLA_ERROR_HOST, errno, "cannot write %s/uids", LEASE_DIRECTORY);
            (void)close(fd); /* lets go of the lock */
            return -1;
        }
        (void)lock_byte(fd, index, F_UNLCK); /* nothing was changed under it */
    }
    (void)close(fd); /* nothing is held */
    return error_set(err, CELLA_ERROR_BUSY, 0, "all %u uids for runs are taken", UIDS_COUNT);
}

void lease_release(struct lease *lease)
{
    const char returned = 0;
    if (lease->fd >= 0) {
        /* When this fails the uid is looked at more closely before it is taken again. */
        IGNORE(pwrite(lease->fd, &returned, 1, (off_t)(lease->uid - UIDS_FIRST)) != 1);
        (void)close(lease->fd); /* lets go of the lock */
        lease->fd = -1;
    }
}
