/*
 * See widening.h.  The text is root's and meant well; the parser is strict all the same, because a
 * line that it understood wrongly would open the host.  Shared by glibc and musl code.
 */
#include "isolate/widening.h"

#include "base/attributes.h"
#include "base/fd.h"
#include "isolate/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX 4 /* one more than any line has */

struct word {
    const char *text;
    size_t size;
};

static void fail(struct widening *widening, const char *format, ...) PRINTF_LIKE(2, 3);

/* Nothing that was read before counts either. */
static void fail(struct widening *widening, const char *format, ...)
{
    va_list args;
    *widening = (struct widening){.exists = true};
    va_start(args, format);
    (void)vsnprintf(widening->problem, sizeof(widening->problem), format, args); /* cut if long */
    va_end(args);
}

static bool is_word(const struct word *word, const char *text)
{
    return word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

static size_t split(const char *line, size_t size, struct word words[WORDS_MAX])
{
    size_t count = 0;
    for (size_t at = 0; at < size && count < WORDS_MAX;) {
        if (line[at] == ' ' || line[at] == '\t') {
            at++;
            continue;
        }
        const size_t start = at;
        while (at < size && line[at] != ' ' && line[at] != '\t') {
            at++;
        }
        words[count++] = (struct word){line + start, at - start};
    }
    return count;
}

static void take_mount(struct widening *widening, unsigned number, const struct word *words)
{
    const bool of_root = is_word(&words[1], "writable_of_root");
    const bool writable = of_root || is_word(&words[1], "writable");
    if (!writable && !is_word(&words[1], "read_only")) {
        fail(widening, "line %u: a mount is 'read_only', 'writable' or 'writable_of_root'", number);
        return;
    }
    if (widening->mount_count == WIDENING_MOUNTS_MAX) {
        fail(widening, "line %u: more than %d mounts", number, WIDENING_MOUNTS_MAX);
        return;
    }
    if (words[2].size >= WIDENING_PATH_MAX) {
        fail(widening, "line %u: the path is too long", number);
        return;
    }
    char *path = widening->mounts[widening->mount_count].path;
    memcpy(path, words[2].text, words[2].size);
    path[words[2].size] = '\0';
    const char *problem = places_source_problem(path, writable);
    if (problem != NULL) {
        fail(widening, "line %u: the path %s", number, problem);
        return;
    }
    widening->mounts[widening->mount_count].of_root = of_root;
    widening->mounts[widening->mount_count++].writable = writable;
}

static void take_line(struct widening *widening, unsigned number, const char *line, size_t size)
{
    struct word words[WORDS_MAX];
    const size_t count = split(line, size, words);
    if (count == 0 || words[0].text[0] == '#') {
        return;
    }
    if (count == 3 && is_word(&words[0], "mount")) {
        take_mount(widening, number, words);
    } else if (count == 2 && is_word(&words[0], "network") && is_word(&words[1], "host")) {
        widening->network_host = true;
    } else {
        fail(widening,
             "line %u: must be 'mount read_only PATH', 'mount writable PATH' or 'network host'",
             number);
    }
}

void widening_parse(const char *text, size_t size, struct widening *ret_widening)
{
    *ret_widening = (struct widening){.exists = true};
    if (size > WIDENING_SIZE_MAX) {
        fail(ret_widening, "it has more than %d bytes", WIDENING_SIZE_MAX);
        return;
    }
    unsigned number = 1;
    for (size_t at = 0; at < size && ret_widening->problem[0] == '\0'; number++) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
        for (size_t i = at; i < at + length; i++) {
            if ((unsigned char)text[i] < ' ' && text[i] != '\t') {
                fail(ret_widening, "line %u: a control character", number);
                return;
            }
        }
        take_line(ret_widening, number, text + at, length);
        at += length + 1;
    }
}

/* Whether only root decides what an open file or directory is. */
static bool is_roots(int fd, mode_t type, struct widening *widening, const char *path)
{
    struct stat found;
    if (fstat(fd, &found) != 0 || (found.st_mode & S_IFMT) != type) {
        fail(widening, "%s is not a %s", path, type == S_IFDIR ? "directory" : "regular file");
        return false;
    }
    if (found.st_uid != 0) {
        fail(widening, "%s is not owned by root", path);
        return false;
    }
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        fail(widening, "%s can be written by others than root", path);
        return false;
    }
    return true;
}

void widening_read(struct widening *ret_widening)
{
    char text[WIDENING_SIZE_MAX + 1]; /* one byte more: a file that is too large is seen */
    *ret_widening = (struct widening){.exists = false};
    AUTO_CLOSE int dir = open(WIDENING_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int fd = dir < 0 ? -1
                                : openat(dir, strrchr(WIDENING_FILE, '/') + 1,
                                         O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        if (errno != ENOENT && (dir >= 0 || errno != ENOTDIR)) {
            fail(ret_widening, "it cannot be opened: %s", strerror(errno));
        }
        return;
    }
    if (!is_roots(dir, S_IFDIR, ret_widening, WIDENING_DIRECTORY) ||
        !is_roots(fd, S_IFREG, ret_widening, "it")) {
        return;
    }
    const ssize_t size = fd_read_full(fd, text, sizeof(text));
    if (size < 0) {
        fail(ret_widening, "it cannot be read: %s", strerror(errno));
        return;
    }
    widening_parse(text, (size_t)size, ret_widening);
}

bool widening_allows_mount(const struct widening *widening, const char *path, bool writable)
{
    for (size_t i = 0; i < widening->mount_count; i++) {
        if (places_lies_in(path, widening->mounts[i].path) &&
            (widening->mounts[i].writable || !writable)) {
            return true;
        }
    }
    return false;
}

bool widening_allows_root(const struct widening *widening, const char *path)
{
    for (size_t i = 0; i < widening->mount_count; i++) {
        if (widening->mounts[i].of_root && places_lies_in(path, widening->mounts[i].path)) {
            return true;
        }
    }
    return false;
}
