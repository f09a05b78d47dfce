/* See config.h. */
#include "front/serve/settings/config.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "front/serve/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever can write it decides what this server does. */
static int check_file(int fd, const char *path, struct cella_error *err)
{
    struct stat found;
    if (fstat(fd, &found) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot read %s", path);
    }
    if (!S_ISREG(found.st_mode)) {
        return serve_fail(err, CELLA_ERROR_HOST, "%s is not a regular file", path);
    }
    if (found.st_uid != 0 && found.st_uid != geteuid()) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "%s belongs to another user", path);
        return serve_hint(err, "it must be root's, or of the user that the server runs as");
    }
    if ((found.st_mode & S_IWOTH) != 0) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "%s can be written by everybody", path);
        return serve_hint(err, "chmod o-w %s", path);
    }
    return 0;
}

/* Nothing but comments and empty lines: all defaults then. */
static bool says_nothing(const char *text, size_t size)
{
    static const char blanks[] = {' ', '\t', '\r', '\n'};
    bool comment = false;
    for (size_t i = 0; i < size; i++) {
        comment = text[i] == '#' || (comment && text[i] != '\n');
        if (!comment && memchr(blanks, text[i], sizeof(blanks)) == NULL) {
            return false;
        }
    }
    return true;
}

int config_open(const char *path, bool optional, struct yaml_text **ret_yaml,
                struct cella_error *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && optional && (errno == ENOENT || errno == ENOTDIR)) {
        *ret_yaml = NULL;
        return 0;
    }
    if (fd < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_HOST, "cannot open %s", path);
        return serve_hint(err, "give --config a file that this user can read, or 'none'");
    }
    if (check_file(fd, path, err) < 0) {
        return -1;
    }
    /* One byte more than allowed, so that the reader of YAML sees that it is too large. */
    AUTO_FREE char *text = malloc(YAML_TEXT_SIZE_MAX + 1);
    ssize_t size = text != NULL ? fd_read_full(fd, text, YAML_TEXT_SIZE_MAX + 1) : -1;
    if (size < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot read %s", path);
    }
    if ((size_t)size <= YAML_TEXT_SIZE_MAX && says_nothing(text, (size_t)size)) {
        *ret_yaml = NULL;
        return 0;
    }
    return yaml_text_parse(path, text, (size_t)size, ret_yaml, err);
}
