/*
 * Files of the caller's (see files.h).
 *
 * Names of collected files come from the guest.  The library has refused absolute names and ".."
 * already; here every one is opened beneath the output directory by openat2(), which follows no
 * symbolic link, so that nothing the guest names, and nothing planted in the output directory by an
 * earlier run, leads anywhere else.
 */
#include "front/cli/files.h"

#include "front/cli/report.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_CAPACITY   65536U
#define OUTPUT_PATH_MAX  1024U /* of one collected file, as long as the library lets one be */
#define OUTPUT_FILES_MAX 1000000U

static void close_descriptor(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* what matters was checked by write() */
    }
}
#define AUTO_CLOSE __attribute__((cleanup(close_descriptor)))

void file_bytes_done(struct file_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct file_bytes){.data = NULL};
}

static int too_large(const char *path, size_t max, struct cella_error *err)
{
    return cli_fail(err, CELLA_ERROR_CALLER, NULL, "%s is larger than %zu MiB", path, max >> 20);
}

/* Makes room for at least one more byte and the final NUL. */
static int grow(struct file_bytes *bytes, size_t *capacity, size_t max, struct cella_error *err)
{
    if (bytes->size + 1 < *capacity) {
        return 0;
    }
    size_t wanted = *capacity == 0 ? FIRST_CAPACITY : *capacity * 2;
    if (wanted > max + 2) {
        wanted = max + 2; /* one byte over the limit shows that there is more */
    }
    char *data = realloc(bytes->data, wanted);
    if (data == NULL) {
        return cli_fail(err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    bytes->data = data;
    *capacity = wanted;
    return 0;
}

static int read_all(int fd, const char *path, size_t max, struct file_bytes *bytes,
                    struct cella_error *err)
{
    size_t capacity = 0;
    for (;;) {
        if (grow(bytes, &capacity, max, err) < 0) {
            return -1;
        }
        assert(bytes->data != NULL);
        ssize_t got = read(fd, bytes->data + bytes->size, capacity - bytes->size - 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cli_fail_errno(err, CELLA_ERROR_CALLER, "cannot read %s", path);
        }
        if (got == 0) {
            bytes->data[bytes->size] = '\0';
            return 0;
        }
        bytes->size += (size_t)got;
        if (bytes->size > max) {
            return too_large(path, max, err);
        }
    }
}

int file_read_all(int fd, const char *name, size_t max, struct file_bytes *ret_bytes,
                  struct cella_error *err)
{
    struct file_bytes bytes = {.data = NULL};
    if (read_all(fd, name, max, &bytes, err) < 0) {
        file_bytes_done(&bytes);
        return -1;
    }
    *ret_bytes = bytes;
    return 0;
}

int file_open(const char *path, struct cella_error *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return cli_fail_errno(err, CELLA_ERROR_CALLER, "cannot open %s", path);
    }
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)close(fd);
        return cli_fail(err, CELLA_ERROR_CALLER, "name the files in it, one by one",
                        "%s is a directory", path);
    }
    return fd;
}

int file_read(const char *path, size_t max, struct file_bytes *ret_bytes, struct cella_error *err)
{
    bool ours = strcmp(path, "-") == 0;
    AUTO_CLOSE int opened = ours ? -1 : file_open(path, err);
    int fd = ours ? STDIN_FILENO : opened;
    struct stat status;
    if (fd < 0) {
        return -1;
    }
    if (ours) {
        path = "standard input";
    }
    if (fstat(fd, &status) < 0) {
        return cli_fail_errno(err, CELLA_ERROR_CALLER, "cannot read %s", path);
    }
    if (S_ISREG(status.st_mode) && (unsigned long long)status.st_size > max) {
        return too_large(path, max, err);
    }
    struct file_bytes bytes = {.executable = (status.st_mode & S_IXUSR) != 0};
    if (read_all(fd, path, max, &bytes, err) < 0) {
        file_bytes_done(&bytes);
        return -1;
    }
    *ret_bytes = bytes;
    return 0;
}

static int open_beneath(int directory, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

/* Opens the directory that `path` lies in, making what is missing on the way, and points
 * *ret_name at the last part. */
static int open_parent(int top, const char *path, const char **ret_name)
{
    char prefix[OUTPUT_PATH_MAX];
    int parent = open_beneath(top, ".", O_RDONLY | O_DIRECTORY, 0);
    const char *name = path;
    for (const char *slash; parent >= 0 && (slash = strchr(name, '/')) != NULL;) {
        size_t length = (size_t)(slash - name);
        if (length >= sizeof(prefix)) {
            (void)close(parent);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(prefix, name, length);
        prefix[length] = '\0';
        int next = -1;
        if (mkdirat(parent, prefix, 0777) == 0 || errno == EEXIST) {
            next = open_beneath(parent, prefix, O_RDONLY | O_DIRECTORY, 0);
        }
        int saved_errno = errno;
        (void)close(parent);
        errno = saved_errno;
        parent = next;
        name = slash + 1;
    }
    *ret_name = name;
    return parent;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

static int write_file(int top, const struct cella_file *file, bool force)
{
    const char *name;
    AUTO_CLOSE int parent = open_parent(top, file->path, &name);
    if (parent < 0) {
        return -1;
    }
    /* A new file in the place of the old one, never the old one written over: it may be a link to
     * a file elsewhere. */
    if (force && unlinkat(parent, name, 0) < 0 && errno != ENOENT) {
        return -1;
    }
    mode_t mode = (file->mode & 0111U) != 0 ? 0777 : 0666;
    AUTO_CLOSE int fd = open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    return fd < 0 ? -1 : write_all(fd, file->content, file->size);
}

/* The directory that `path` lies in, to be freed; NULL when memory is short. */
static char *parent_of(const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') { /* "out/" lies where "out" does */
        size--;
    }
    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    return size == 0 ? strdup(".") : strndup(path, size);
}

int file_check_directory(const char *directory, struct cella_error *err)
{
    struct stat status;
    int found = stat(directory, &status);
    if (found == 0 && !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
    } else if (found == 0 && faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0) {
        return 0;
    } else if (found < 0 && errno == ENOENT && directory[0] != '\0') {
        char *parent = parent_of(directory);
        bool writable = parent != NULL && faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0;
        int saved_errno = errno;
        free(parent);
        if (writable) {
            return 0;
        }
        errno = saved_errno;
    }
    return cli_fail_errno(err, CELLA_ERROR_CALLER, "cannot write collected files to %s", directory);
}

int file_write_collected(const struct cella_result *result, const char *directory, bool force)
{
    struct cella_error err;
    AUTO_CLOSE int top = -1;
    if (mkdir(directory, 0777) == 0 || errno == EEXIST) {
        top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (top < 0) {
        (void)cli_fail_errno(&err, CELLA_ERROR_CALLER, "cannot make or open %s", directory);
        (void)report_error(&err);
        return -1;
    }
    int outcome = 0;
    struct cella_file file;
    for (size_t i = 0; i < OUTPUT_FILES_MAX && cella_result_file(result, i, &file); i++) {
        if (file.content == NULL) {
            report_begin();
            (void)fprintf(stderr, "cella: %s was left behind: %s\n", file.path, file.skipped);
            continue;
        }
        if (write_file(top, &file, force) == 0) {
            continue;
        }
        (void)cli_fail_errno(&err, CELLA_ERROR_CALLER, "cannot write %s/%s", directory, file.path);
        if (err.sys_errno == EEXIST && !force) {
            (void)snprintf(err.hint, sizeof(err.hint), "--force replaces files that exist");
        }
        (void)report_error(&err);
        outcome = -1;
    }
    return outcome;
}
