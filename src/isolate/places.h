/*
 * Places of the host that sandboxes may show, and places in a sandbox that something may be shown
 * at: one list for the policy, which refuses a file early and says where in it, and for the keeper,
 * which believes nobody.
 *
 * These are texts.  That a path is real, no part of it a link, is seen when it is opened.
 */
#ifndef ISOLATE_PLACES_H
#define ISOLATE_PLACES_H

#include <stdbool.h>

/* "/a/b": absolute, no empty, "." or ".." name, no slash at the end; "/" alone is not. */
bool places_is_plain(const char *path);

/* Whether a plain path is the directory itself or lies below it. */
bool places_lies_in(const char *path, const char *directory);

/* The top directories of programs beside /usr: links into it on today's distributions, directories
 * on older ones, or not there at all. */
#define PLACES_TOP_COUNT 6
extern const char *const places_top[PLACES_TOP_COUNT];

/* Whether it lies in what every sandbox has: /usr and those. */
bool places_is_base(const char *path);

/* Whether it is where programs and their files live: the base, /opt, GHC's list of its libraries,
 * or something below /etc that does not tell of the host's accounts and keys and that the sandbox
 * does not make for itself. */
bool places_is_for_programs(const char *path);

/* Why no run may see this part of the host, whatever policy and ceiling say, or write to it; NULL
 * when one may. */
const char *places_source_problem(const char *path, bool writable);

/* Why nothing may be put at this place of a sandbox, or hidden there; NULL when something may.
 * `writable`: a directory that runs write to. */
const char *places_target_problem(const char *path, bool writable);

#endif
