/*
 * The compile cache: a compilation that was done before is taken from cache/, not done again.
 *
 * What it was is said by its key: the plan and the pack of its sandbox, which are all that the
 * compiler gets to see of the request, of its tenant and of the policy; and how the compiler and
 * the host's libraries look from outside.  Kept is what ended well, whole, and with nothing cut.
 */
#ifndef ENGINE_COMPILED_H
#define ENGINE_COMPILED_H

#include "base/attributes.h"
#include "cache/cache.h"
#include "engine/recipe.h"

#include <cella/cella.h>
#include <stdbool.h>

struct cella_run;

/* Part of a run. */
struct compiled {
    bool to_cache; /* when it ends well */
    bool to_share; /* likewise, with the runs that compiled_find() is told of this one for */
    bool has_shared;
    unsigned char work[CACHE_KEY_SIZE]; /* digest of what there is to do */
    unsigned char key[CACHE_KEY_SIZE];  /* and of what the host does it with; when cached */
    struct buffer shared;               /* an entry as in the cache */
};
void compiled_done(struct compiled *compiled);

/* Bytes that the options let it have; 0: there is none. */
uint64_t compiled_bytes_max(const struct cella_options *options);

/* Before the compile stage begins and with both packs written.  Returns 1 when what it makes is in
 * the run's pack and what the compiler said in its outcome, so that it need not begin; 0 when it
 * must.  `first` is a run that may have made the same of the same, whatever may be kept of it, or
 * NULL. */
int compiled_find(struct cella_run *run, const struct recipe *recipe, const struct cella_run *first,
                  struct cella_error *err) MUST_CHECK;

/* The compile stage has ended well, and its files are still there. */
void compiled_keep(struct cella_run *run);

#endif
