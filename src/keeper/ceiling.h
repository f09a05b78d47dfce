/*
 * What the keeper does for nobody, whatever policy the engine claims to follow.
 *
 * A privileged keeper could show a run any file of the host and let it write anywhere, so it does
 * neither but where programs live and where root says so in a file of its own (isolate/widening.h).
 * The keeper of an ordinary user has that user's rights and no more: whoever deceived it would gain
 * nothing that he could not do as that user without it.  So it shows what the policy names, as far
 * as a sandbox survives that (isolate/places.h).
 */
#ifndef KEEPER_CEILING_H
#define KEEPER_CEILING_H

#include "base/attributes.h"
#include "isolate/widening.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stdbool.h>

struct ceiling {
    bool privileged;          /* the keeper is root */
    struct widening widening; /* nothing, for an ordinary user's */
};

void ceiling_open(struct ceiling *ceiling, bool privileged);

/* Every byte of the plan is checked here before anything is done with it: strings end, enums are
 * known, mounts come from where they may and go nowhere that we build ourselves, system calls are
 * added and protections waived only if an operator may. */
int ceiling_check(const struct ceiling *ceiling, const struct plan *plan,
                  struct cella_error *err) MUST_CHECK;
/* A copy, good until the next one, that says which of the mounts may be root's own. */
const struct plan *ceiling_mark(const struct ceiling *ceiling, const struct plan *plan);

#endif
