/* For tests that need files: a directory of their own, and where the sources lie. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_PATH_SIZE 512

static inline void scratch_make(char ret_path[SCRATCH_PATH_SIZE])
{
    (void)snprintf(ret_path, SCRATCH_PATH_SIZE, "/tmp/cella-test-XXXXXX");
    char *made = mkdtemp(ret_path);
    assert(made != NULL);
}

static inline int scratch_remove_one(const char *path, const struct stat *found, int flag,
                                     struct FTW *where)
{
    (void)found;
    (void)flag;
    (void)where;
    return remove(path);
}

static inline void scratch_remove(const char *path)
{
    int removed = nftw(path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    assert(removed == 0);
}

static inline void scratch_path(const char *dir, const char *name, char ret_path[SCRATCH_PATH_SIZE])
{
    int size = snprintf(ret_path, SCRATCH_PATH_SIZE, "%s/%s", dir, name);
    assert(size > 0 && size < SCRATCH_PATH_SIZE);
}

static inline void scratch_mkdir(const char *dir, const char *name)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(dir, name, path);
    int made = mkdir(path, 0755);
    assert(made == 0);
}

static inline void scratch_write(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(dir, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    ssize_t written = write(fd, text, strlen(text));
    assert(written == (ssize_t)strlen(text));
    int changed = fchmod(fd, mode);
    assert(changed == 0);
    (void)close(fd);
}

/* A file or directory of the sources, from where this header lies. */
static inline void scratch_source(const char *name, char ret_path[SCRATCH_PATH_SIZE])
{
    const char *here = __FILE__;
    const char *end = strstr(here, "tests/unit/");
    assert(end != NULL);
    int size = snprintf(ret_path, SCRATCH_PATH_SIZE, "%.*s%s", (int)(end - here), here, name);
    assert(size > 0 && size < SCRATCH_PATH_SIZE);
}

#endif
