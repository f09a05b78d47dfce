/*
 * What a sandbox sees of the host's files: the part that every program needs, and the rule for what
 * a runtime may add to it.
 */
#ifndef POLICY_MOUNTS_H
#define POLICY_MOUNTS_H

#include "base/attributes.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stddef.h>

/* What is wrong with a path of the host that a runtime wants to be bound at its own place, or NULL:
 * it must be absolute, plain, short enough, and lie where programs do (isolate/places.h). */
const char *mounts_problem(const char *path);

/* Fills the plan's mounts: the base, then those of a runtime, each once.  CELLA_ERROR_HOST when a
 * link of the host leads outside of /usr, a mount is not allowed, or there are too many. */
int mounts_fill(struct plan *plan, const struct plan_mount *more, size_t more_count,
                struct cella_error *err) MUST_CHECK;

/* Adds one, whatever is at its place already: the operator's word is the last. */
int mounts_put(struct plan *plan, enum plan_mount_kind kind, uint32_t flags, const char *source,
               const char *target, struct cella_error *err) MUST_CHECK;

/* Adds what programs look for where they have the host's network. */
int mounts_fill_network(struct plan *plan, struct cella_error *err) MUST_CHECK;

#endif
