/*
 * Patterns for relative paths, as for collecting files:
 *   *      any characters of one name, also none   [a-z] [!a-z]  one character of these, not these
 *   ?      one character of a name                   \x            the character x
 *   **     as a whole name: any directories, also none
 * A name that begins with a dot is matched only by a pattern whose name begins with one, as in the
 * shell: caches that programs leave behind are seldom meant.
 *
 * The work is at most the product of both lengths for each `**`: no pattern makes it explode.
 * Allocates nothing, needs no locale; shared by glibc and musl code.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with a pattern, or NULL: it must be valid UTF-8 without control characters, a
 * relative path without empty, "." or ".." names, its brackets closed. */
const char *glob_problem(const char *pattern, size_t size);

/* Whether a relative path matches a pattern that glob_problem() found good. */
bool glob_match(const char *pattern, const char *path);

#endif
