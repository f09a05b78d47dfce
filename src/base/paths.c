/* Where things lie on the host: see paths.h. */
#include "base/paths.h"

#include "base/error.h"
#include "base/fd.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEPER_NAME "cella-keeper"

static const char *const kind_names[] = {
    [PATHS_RUNTIMES] = "runtimes",
    [PATHS_POLICIES] = "policies",
};

static bool format_path(char ret_path[PATHS_SIZE], const char *format, ...) PRINTF_LIKE(2, 3);

/* False, with an empty path, when it does not fit. */
static bool format_path(char ret_path[PATHS_SIZE], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(ret_path, PATHS_SIZE, format, args);
    va_end(args);
    if (size < 0 || size >= PATHS_SIZE) {
        ret_path[0] = '\0';
        return false;
    }
    return true;
}

static bool is_program(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static bool is_directory(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

/* ---- the keeper ---- */

/* The keeper in the directory of `file`, if there is one. */
static bool keeper_beside(const char *file, char ret_path[PATHS_SIZE])
{
    const char *slash = strrchr(file, '/');
    return slash != NULL && format_path(ret_path, "%.*s/" KEEPER_NAME, (int)(slash - file), file) &&
           is_program(ret_path);
}

static bool keeper_beside_program(char ret_path[PATHS_SIZE])
{
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size < 0) {
        return false;
    }
    program[size] = '\0';
    return keeper_beside(program, ret_path);
}

static bool keeper_beside_library(char ret_path[PATHS_SIZE])
{
    static const char inside = 0; /* lies in the library, or in the program when linked into it */
    char library[PATH_MAX];
    Dl_info info;
    return dladdr(&inside, &info) != 0 && info.dli_fname != NULL &&
           realpath(info.dli_fname, library) != NULL && keeper_beside(library, ret_path);
}

static int named_keeper(const char *path, const char *what, char ret_path[PATHS_SIZE],
                        struct cella_error *err)
{
    char found[PATHS_SIZE];
    if (!format_path(found, "%s", path)) {
        return error_set(err, CELLA_ERROR_HOST, ENAMETOOLONG, "%s is too long", what);
    }
    if (found[0] != '/' || !is_program(found)) {
        (void)error_set(err, CELLA_ERROR_HOST, 0, "%s: %s is not a program", what, found);
        return error_set_hint(err, "it must be the absolute path of " KEEPER_NAME);
    }
    memcpy(ret_path, found, sizeof(found));
    return 0;
}

int paths_keeper(const char *option, char ret_path[PATHS_SIZE], struct cella_error *err)
{
    if (option != NULL) {
        return named_keeper(option, "the keeper's path", ret_path, err);
    }
    const char *variable = secure_getenv("CELLA_KEEPER");
    if (variable != NULL && variable[0] != '\0') {
        return named_keeper(variable, "CELLA_KEEPER", ret_path, err);
    }
    char found[PATHS_SIZE];
    if (!keeper_beside_program(found) && !keeper_beside_library(found) &&
        !(format_path(found, "%s/" KEEPER_NAME, CELLA_LIBEXEC_DIR) && is_program(found))) {
        (void)error_set(err, CELLA_ERROR_HOST, 0,
                        KEEPER_NAME " was not found beside the program nor in %s",
                        CELLA_LIBEXEC_DIR);
        return error_set_hint(err, "install Cella, or name it with CELLA_KEEPER");
    }
    memcpy(ret_path, found, sizeof(found));
    return 0;
}

/* ---- directories ---- */

/* $VARIABLE, or HOME with something added.  Relative ones do not count, as the XDG specification
 * has it. */
static bool user_directory(const char *variable, const char *below_home, char ret_path[PATHS_SIZE])
{
    const char *named = secure_getenv(variable);
    if (named != NULL && named[0] == '/') {
        return format_path(ret_path, "%s", named);
    }
    const char *home = secure_getenv("HOME");
    return home != NULL && home[0] == '/' && format_path(ret_path, "%s%s", home, below_home);
}

static bool user_config(enum paths_kind kind, char ret_path[PATHS_SIZE])
{
    char base[PATHS_SIZE];
    struct stat found;
    return user_directory("XDG_CONFIG_HOME", "/.config", base) &&
           format_path(ret_path, "%s/cella/%s", base, kind_names[kind]) &&
           stat(ret_path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid();
}

/* share/ beside the keeper in a build tree, else the installed one. */
static bool data_directory(enum paths_kind kind, char ret_path[PATHS_SIZE])
{
    char keeper[PATHS_SIZE];
    struct cella_error ignored; /* without a keeper there is no build tree to prefer */
    if (paths_keeper(NULL, keeper, &ignored) == 0) {
        const char *slash = strrchr(keeper, '/');
        if (format_path(ret_path, "%.*s/share/%s", (int)(slash - keeper), keeper,
                        kind_names[kind]) &&
            is_directory(ret_path)) {
            return true;
        }
    }
    return format_path(ret_path, "%s/%s", CELLA_DATA_DIR, kind_names[kind]);
}

int paths_search(enum paths_kind kind, const char *extra_dir, struct paths_dirs *ret_dirs,
                 struct cella_error *err)
{
    ret_dirs->count = 0;
    if (extra_dir != NULL && !format_path(ret_dirs->items[ret_dirs->count++], "%s", extra_dir)) {
        return error_set(err, CELLA_ERROR_HOST, ENAMETOOLONG, "the directory of %s is too long",
                         kind_names[kind]);
    }
    (void)format_path(ret_dirs->items[ret_dirs->count++], "/etc/cella/%s.d", kind_names[kind]);
    if (user_config(kind, ret_dirs->items[ret_dirs->count])) {
        ret_dirs->count++;
    }
    if (!data_directory(kind, ret_dirs->items[ret_dirs->count++])) {
        return error_set(err, CELLA_ERROR_HOST, ENAMETOOLONG, "the data directory is too long");
    }
    return 0;
}

int paths_open_own(int parent, const char *name, bool create)
{
    if (create) {
        (void)mkdirat(parent, name, 0700); /* if this fails, so does what follows */
    }
    AUTO_CLOSE int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) < 0 || found.st_uid != geteuid() ||
        (found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return -1;
    }
    return take_fd(&fd);
}

int paths_open_cache(bool create)
{
    char above[PATHS_SIZE];
    if (!user_directory("XDG_CACHE_HOME", "/.cache", above)) {
        return -1;
    }
    if (create) {
        (void)mkdir(above, 0700); /* likewise */
    }
    AUTO_CLOSE int parent = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return parent < 0 ? -1 : paths_open_own(parent, "cella", create);
}
