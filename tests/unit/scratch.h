/*
 * For tests that need files: a directory of their own, where the sources lie, and policies from
 * either.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include "policy/policy.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SCRATCH_PATH_SIZE 512

static char scratch[SCRATCH_PATH_SIZE]; /* the test's own directory, while it has one */

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

static inline void scratch_forget(const char *dir, const char *name)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(dir, name, path);
    (void)unlink(path); /* it may not be there */
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

/* Makes the directory the only place where anything is found: no share/ lies beside the keeper, and
 * no configuration in HOME.  Returns 0, as cmocka wants it. */
static inline int scratch_set_up(void **state)
{
    (void)state;
    char keeper[SCRATCH_PATH_SIZE];
    scratch_make(scratch);
    scratch_write(scratch, "cella-keeper", "", 0755);
    scratch_path(scratch, "cella-keeper", keeper);
    return setenv("CELLA_KEEPER", keeper, 1) | setenv("HOME", scratch, 1) |
           unsetenv("XDG_CONFIG_HOME") | unsetenv("XDG_CACHE_HOME");
}

static inline int scratch_tear_down(void **state)
{
    (void)state;
    scratch_remove(scratch);
    return 0;
}

/* A file or directory of the sources. */
static inline void scratch_source(const char *name, char ret_path[SCRATCH_PATH_SIZE])
{
    scratch_path(CELLA_SOURCE_DIR, name, ret_path);
}

static inline void has_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, text);
    }
}

static inline struct policy *policy_in(const char *dir, const char *name)
{
    struct policy *policy = NULL;
    struct cella_error err;
    if (policy_load(dir, name, &policy, &err) < 0) {
        fail_msg("%s: %s", name, err.text);
    }
    return policy;
}

/* One of those that come with the sources. */
static inline struct policy *shipped_policy(const char *name)
{
    char dir[SCRATCH_PATH_SIZE];
    scratch_source("policies", dir);
    return policy_in(dir, name);
}

/* The policy "p" whose file has this text. */
static inline struct policy *policy_of(const char *text)
{
    scratch_write(scratch, "p.yaml", text, 0644);
    return policy_in(scratch, "p");
}

#endif
