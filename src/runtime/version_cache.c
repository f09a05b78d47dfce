/*
 * Remembered versions: see version_cache.h.
 *
 * One file of lines "size changed_ns version path".  It is replaced as a whole by rename(), so a
 * reader sees an old file or a new one; of two writers at once the last wins, and what the other
 * found is found again.  The directory and the file must be ours alone, and each line is judged by
 * itself, since anything may have happened to them.
 */
#include "runtime/version_cache.h"

#include "base/buffer.h"
#include "base/fd.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX 16384U /* once it would grow over this it begins anew */
#define FILE_NAME     "versions"

bool version_is_good(const char *text)
{
    size_t size = 0;
    while (size < VERSION_SIZE_MAX && text[size] > ' ' && text[size] < 0x7f) {
        size++;
    }
    return size > 0 && size < VERSION_SIZE_MAX && text[size] == '\0';
}

/* The file's text with a NUL after it; empty when there is none, or none to be trusted. */
static size_t read_file(int directory, char ret_text[FILE_SIZE_MAX + 1])
{
    ret_text[0] = '\0';
    AUTO_CLOSE int fd =
        openat(directory, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) < 0 || !S_ISREG(found.st_mode) || found.st_uid != geteuid() ||
        found.st_size > (off_t)FILE_SIZE_MAX) {
        return 0;
    }
    ssize_t size = fd_read_full(fd, ret_text, FILE_SIZE_MAX);
    if (size <= 0 || memchr(ret_text, '\0', (size_t)size) != NULL) {
        ret_text[0] = '\0';
        return 0;
    }
    ret_text[size] = '\0';
    return (size_t)size;
}

/* Digits and a space, moving *text behind them. */
static bool read_number(const char **text, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *at = *text;
    if (*at < '0' || *at > '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number)) {
            return false;
        }
    }
    if (*at != ' ') {
        return false;
    }
    *text = at + 1;
    *ret_number = number;
    return true;
}

struct line {
    uint64_t size;
    uint64_t changed_ns;
    char version[VERSION_SIZE_MAX];
    const char *path; /* up to the line's end */
    size_t path_size;
};

/* False for a line that we did not write. */
static bool read_line(const char *text, size_t text_size, struct line *ret_line)
{
    struct line line = {0};
    const char *at = text;
    if (!read_number(&at, &line.size) || !read_number(&at, &line.changed_ns)) {
        return false;
    }
    size_t version_size = strcspn(at, " \n");
    if (version_size >= VERSION_SIZE_MAX || at[version_size] != ' ') {
        return false;
    }
    memcpy(line.version, at, version_size);
    line.path = at + version_size + 1;
    line.path_size = text_size - (size_t)(line.path - text);
    *ret_line = line;
    return version_is_good(line.version) && line.path_size > 0;
}

static bool is_of_path(const struct line *line, const char *path)
{
    return line->path_size == strlen(path) && memcmp(line->path, path, line->path_size) == 0;
}

bool version_cache_get(const struct version_key *key, char ret_version[VERSION_SIZE_MAX])
{
    char text[FILE_SIZE_MAX + 1];
    AUTO_CLOSE int directory = paths_open_cache(false);
    if (directory < 0) {
        return false;
    }
    (void)read_file(directory, text); /* empty is fine */
    for (const char *at = text; *at != '\0';) {
        size_t size = strcspn(at, "\n");
        struct line line;
        if (read_line(at, size, &line) && is_of_path(&line, key->path) && line.size == key->size &&
            line.changed_ns == key->changed_ns) {
            memcpy(ret_version, line.version, sizeof(line.version));
            return true;
        }
        at += size + (at[size] == '\n');
    }
    return false;
}

/* The good lines of the old text but those of this path, then the new one. */
static int compose(struct buffer *out, const char *old, const struct version_key *key,
                   const char *version)
{
    for (const char *at = old; *at != '\0';) {
        size_t size = strcspn(at, "\n");
        struct line line;
        if (read_line(at, size, &line) && !is_of_path(&line, key->path) &&
            (buffer_add(out, at, size) < 0 || buffer_add(out, "\n", 1) < 0)) {
            return -1;
        }
        at += size + (at[size] == '\n');
    }
    return buffer_add_format(out, "%" PRIu64 " %" PRIu64 " %s %s\n", key->size, key->changed_ns,
                             version, key->path);
}

static void replace_file(int directory, const struct buffer *text)
{
    char temporary[32];
    (void)snprintf(temporary, sizeof(temporary), FILE_NAME ".%ld", (long)getpid()); /* fits */
    (void)unlinkat(directory, temporary, 0); /* of a process of that number that was killed */
    AUTO_CLOSE int fd =
        openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    if (fd_write_full(fd, text->data, text->size) < 0 ||
        renameat(directory, temporary, directory, FILE_NAME) < 0) {
        (void)unlinkat(directory, temporary, 0);
    }
}

void version_cache_put(const struct version_key *key, const char *version)
{
    char old[FILE_SIZE_MAX + 1];
    AUTO_CLOSE int directory = paths_open_cache(true);
    if (directory < 0 || !version_is_good(version) || strpbrk(key->path, "\n") != NULL) {
        return;
    }
    (void)read_file(directory, old); /* empty is fine */
    CLEANUP(buffer_done) struct buffer text;
    buffer_init(&text, FILE_SIZE_MAX);
    if (compose(&text, old, key, version) < 0) {
        buffer_done(&text); /* full: begin anew */
        if (compose(&text, "", key, version) < 0) {
            return;
        }
    }
    replace_file(directory, &text);
}
