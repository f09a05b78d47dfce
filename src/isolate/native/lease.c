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

static bool lock_bytes(int fd, uint32_t index, uint32_t count, short type)
{
    /* Owned by the open file, not by the process: init holds it on. */
    struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)index, .l_len = (off_t)count};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Whether any process has one of these as real, effective, saved or file system uid. */
static bool uids_are_alive(uint32_t uid, uint32_t count)
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
                (ids[0] - uid < count || ids[1] - uid < count || ids[2] - uid < count ||
                 ids[3] - uid < count);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return alive;
}

/* All of them held: whether they may be given out, and if so they are. */
static int try_bytes(int fd, uint32_t index, uint32_t count, struct cella_error *err)
{
    char states[LEASE_COUNT_MAX] = {0};
    const ssize_t got = pread(fd, states, count, (off_t)index);
    const bool dirty = got > 0 && memchr(states, 1, (size_t)got) != NULL;
    if (dirty && uids_are_alive(UIDS_FIRST + index, count)) {
        return 0;
    }
    memset(states, 1, count);
    if (pwrite(fd, states, count, (off_t)index) != (ssize_t)count) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write %s/uids", LEASE_DIRECTORY);
    }
    return 1;
}

int lease_take(uint32_t count, struct lease *ret_lease, struct cella_error *err)
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
    const uint32_t places = UIDS_COUNT / count;
    for (uint32_t i = 0; i < places; i++) {
        const uint32_t index = (first + i) % places * count;
        if (!lock_bytes(fd, index, count, F_WRLCK)) {
            continue;
        }
        const int taken = try_bytes(fd, index, count, err);
        if (taken > 0) {
            *ret_lease = (struct lease){fd, UIDS_FIRST + index, count};
            return 0;
        }
        if (taken < 0) {
            (void)close(fd); /* lets go of the lock */
            return -1;
        }
        (void)lock_bytes(fd, index, count, F_UNLCK); /* nothing was changed under it */
    }
    (void)close(fd); /* nothing is held */
    return error_set(err, CELLA_ERROR_BUSY, 0, "all %u uids for runs are taken", UIDS_COUNT);
}

void lease_release(struct lease *lease)
{
    const char returned[LEASE_COUNT_MAX] = {0};
    if (lease->fd >= 0) {
        /* When this fails the uids are looked at more closely before they are taken again. */
        IGNORE(pwrite(lease->fd, returned, lease->count, (off_t)(lease->uid - UIDS_FIRST)) < 0);
        (void)close(lease->fd); /* lets go of the lock */
        lease->fd = -1;
    }
}
