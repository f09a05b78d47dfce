/*
 * Where things lie on the host: runtimes and policies, the keeper, what is remembered.
 *
 * Runtimes and policies are looked for, in this order, in
 *   a directory the caller names,
 *   /etc/cella/runtimes.d, /etc/cella/policies.d: the operator's,
 *   $XDG_CONFIG_HOME/cella or ~/.config/cella: the user's, if it is owned by who we run as (under
 *     sudo HOME may be somebody else's, whose files must not decide what root runs),
 *   share/ beside the keeper, which is the build tree, else the installed data directory.
 *
 * The keeper is the one an option or $CELLA_KEEPER names, else the one beside the program, else
 * beside the shared library, else the installed one.  The environment counts for nothing in a
 * program with more privilege than its caller.
 */
#ifndef BASE_PATHS_H
#define BASE_PATHS_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>

#define PATHS_SIZE     1024 /* of any path here, with its NUL */
#define PATHS_DIRS_MAX 4

enum paths_kind { PATHS_RUNTIMES, PATHS_POLICIES };

struct paths_dirs {
    char items[PATHS_DIRS_MAX][PATHS_SIZE]; /* in the order of search; not all need exist */
    size_t count;
};

/* `extra_dir` comes first when not NULL.  CELLA_ERROR_HOST when a path is too long. */
int paths_search(enum paths_kind kind, const char *extra_dir, struct paths_dirs *ret_dirs,
                 struct cella_error *err) MUST_CHECK;

/* `option` may be NULL.  CELLA_ERROR_HOST when it, or the environment, names no program, or there
 * is none anywhere. */
int paths_keeper(const char *option, char ret_path[PATHS_SIZE], struct cella_error *err) MUST_CHECK;

/* Opens cella/ in $XDG_CACHE_HOME or ~/.cache, where programs keep what they can find out again.
 * Returns -1 when the user has no such place, it is not there and not to be made, or it is not ours
 * alone: under sudo HOME may be somebody else's. */
int paths_open_cache(bool create) MUST_CHECK;
/* Opens a directory that is ours alone and in `parent`, with the same returns. */
int paths_open_own(int parent, const char *name, bool create) MUST_CHECK;

#endif
