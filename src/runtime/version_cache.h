/*
 * What versions interpreters had, in the user's cache directory, so that a run need not start one
 * twice.  Only a help: what cannot be read or written is as if it were not there.
 */
#ifndef RUNTIME_VERSION_CACHE_H
#define RUNTIME_VERSION_CACHE_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define VERSION_SIZE_MAX 64 /* of a version, with its NUL */

/* The same for one runtime within a process. */
struct runtime_version_memo {
    const char *path; /* the runtime's own string */
    uint64_t size;
    uint64_t changed_ns;
    char version[VERSION_SIZE_MAX];
};

/* A program as it was when it was asked: a new one of that path has another size or time. */
struct version_key {
    const char *path;
    uint64_t size;
    uint64_t changed_ns;
};

/* Of a program that ends well and says none: it need not be asked again either. */
#define VERSION_NONE "-"

/* Whether a text may stand for a version: printable ASCII without space, not empty. */
bool version_is_good(const char *text);

bool version_cache_get(const struct version_key *key, char ret_version[VERSION_SIZE_MAX]);
void version_cache_put(const struct version_key *key, const char *version);

#endif
