/*
 * Patterns for relative paths: see glob.h.
 *
 * How it works.  A star first matches nothing; when what follows it fails, it takes one item more
 * and the rest is tried again.  Only the last star ever needs that: whatever an earlier one could
 * gain by taking more, the last one can take as well.  The same holds one level up, where the items
 * are names instead of characters and the star is "**".
 */
#include "base/glob.h"

#include "base/utf8.h"

#include <string.h>

/* A stretch of text: a name of a pattern or of a path. */
struct span {
    const char *data;
    size_t size;
};

/* ---- one name ---- */

/* Takes one character from the front; a byte that is not UTF-8 counts as one. */
static uint32_t take_character(struct span *span)
{
    uint32_t code = 0;
    size_t length = utf8_decode(span->data, span->size, &code);
    if (length == 0) {
        /* Outside Unicode, so that it equals no character but itself. */
        code = UINT32_C(0x80000000) | (unsigned char)span->data[0];
        length = 1;
    }
    span->data += length;
    span->size -= length;
    return code;
}

static uint32_t take_literal(struct span *pattern)
{
    if (pattern->data[0] == '\\' && pattern->size > 1) {
        (void)take_character(pattern);
    }
    return take_character(pattern);
}

/* Matches `code` with the set whose '[' was just taken, and takes the set up to its ']'.
 * *ret_closed is false when it has none. */
static bool take_set(struct span *pattern, uint32_t code, bool *ret_closed)
{
    bool inverted = pattern->size > 0 && (pattern->data[0] == '!' || pattern->data[0] == '^');
    if (inverted) {
        (void)take_character(pattern);
    }
    bool found = false;
    bool first = true; /* a ']' in the first place is a member */
    while (pattern->size > 0 && (first || pattern->data[0] != ']')) {
        first = false;
        uint32_t low = take_literal(pattern);
        uint32_t high = low;
        if (pattern->size > 1 && pattern->data[0] == '-' && pattern->data[1] != ']') {
            (void)take_character(pattern);
            high = take_literal(pattern);
        }
        found = found || (low <= code && code <= high);
    }
    *ret_closed = pattern->size > 0;
    if (*ret_closed) {
        (void)take_character(pattern);
    }
    return found != inverted;
}

/* Takes one item other than '*' from the pattern and one character from the name. */
static bool match_item(struct span *pattern, struct span *name)
{
    char kind = pattern->data[0];
    uint32_t code = take_character(name);
    if (kind == '?') {
        (void)take_character(pattern);
        return true;
    }
    if (kind == '[') {
        bool closed;
        (void)take_character(pattern);
        return take_set(pattern, code, &closed) && closed;
    }
    return take_literal(pattern) == code;
}

static bool match_name(struct span pattern, struct span name)
{
    if (name.size > 0 && name.data[0] == '.' && (pattern.size == 0 || pattern.data[0] != '.')) {
        return false;
    }
    struct span after_star = {NULL, 0}; /* the pattern behind the last star */
    struct span star_name = {NULL, 0};  /* what that star has not taken yet */
    while (name.size > 0 || pattern.size > 0) {
        if (pattern.size > 0 && pattern.data[0] == '*') {
            (void)take_character(&pattern);
            after_star = pattern;
            star_name = name;
        } else if (pattern.size == 0 || name.size == 0 || !match_item(&pattern, &name)) {
            if (after_star.data == NULL || star_name.size == 0) {
                return false;
            }
            (void)take_character(&star_name);
            pattern = after_star;
            name = star_name;
        }
    }
    return true;
}

/* ---- whole paths ---- */

/* Takes the first name and its slash; what is left has data NULL when it was the last. */
static struct span take_name(struct span *path)
{
    const char *slash = memchr(path->data, '/', path->size);
    if (slash == NULL) {
        struct span name = *path;
        *path = (struct span){NULL, 0};
        return name;
    }
    struct span name = {path->data, (size_t)(slash - path->data)};
    *path = (struct span){slash + 1, path->size - name.size - 1};
    return name;
}

static bool is_text(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}

bool glob_match(const char *pattern, const char *path)
{
    struct span pattern_left = {pattern, strlen(pattern)};
    struct span path_left = {path, strlen(path)};
    struct span after_star = {NULL, 0};
    struct span star_path = {NULL, 0};
    bool star_seen = false;
    while (pattern_left.data != NULL || path_left.data != NULL) {
        struct span names = pattern_left;
        struct span name_pattern = names.data != NULL ? take_name(&names) : names;
        if (name_pattern.data != NULL && is_text(name_pattern, "**")) {
            pattern_left = names;
            after_star = names;
            star_path = path_left;
            star_seen = true;
            continue;
        }
        if (name_pattern.data != NULL && path_left.data != NULL &&
            match_name(name_pattern, take_name(&path_left))) {
            pattern_left = names;
            continue;
        }
        /* "**" takes one directory more, unless that is hidden. */
        if (!star_seen || star_path.data == NULL || star_path.data[0] == '.') {
            return false;
        }
        (void)take_name(&star_path);
        pattern_left = after_star;
        path_left = star_path;
    }
    return true;
}

/* ---- good and bad patterns ---- */

static const char *name_problem(struct span name)
{
    if (name.size == 0) {
        return "has an empty name, or begins or ends with a slash";
    }
    if (is_text(name, ".") || is_text(name, "..")) {
        return "has a name that is '.' or '..'";
    }
    while (name.size > 0) {
        if (name.data[0] == '\\' && name.size == 1) {
            return "ends a name with a backslash";
        }
        if (name.data[0] == '[') {
            bool closed;
            (void)take_character(&name);
            (void)take_set(&name, 0, &closed);
            if (!closed) {
                return "has a '[' without its ']' in the same name";
            }
        } else {
            (void)take_literal(&name);
        }
    }
    return NULL;
}

const char *glob_problem(const char *pattern, size_t size)
{
    if (size == 0) {
        return "is empty";
    }
    const char *text_problem = utf8_problem(pattern, size);
    if (text_problem != NULL) {
        return text_problem;
    }
    struct span left = {pattern, size};
    do {
        struct span name = take_name(&left);
        const char *problem = name_problem(name);
        if (problem != NULL) {
            return problem;
        }
    } while (left.data != NULL);
    return NULL;
}
