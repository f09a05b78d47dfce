/*
 * What the keeper does for nobody, whatever policy the engine claims to follow.
 */
#ifndef KEEPER_CEILING_H
#define KEEPER_CEILING_H

#include "base/attributes.h"
#include "policy/plan.h"

#include <cella/error.h>

/* Every byte of the plan is checked here before anything is done with it: strings end, enums are
 * known, mounts come from where programs live and go nowhere that we build ourselves, protections
 * are waived only if an operator may. */
int ceiling_check(const struct plan *plan, struct cella_error *err) MUST_CHECK;

#endif
