/*
 * Every decision that a policy makes about a request, with the file and line that makes it: for
 * `cella policy test`.  What policy_plan() refuses at its first refusal is here told to its end.
 */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "base/attributes.h"
#include "policy/policy.h"

struct policy_decision {
    const char *what;  /* "limits.memory_bytes" */
    const char *asked; /* "2 GiB"; "" when the request does not say */
    bool allowed;
    const char *text;                 /* what is given, or why it is refused */
    const char *key;                  /* of the policy, that decides */
    const struct policy_place *place; /* where that stands; NULL: nowhere, it is the default */
};

/* `runtime` is NULL for a bare command.  False in *ret_allowed when any is refused. */
int policy_decide(const struct policy *policy, const struct spec *spec,
                  const struct runtime *runtime,
                  void (*row)(void *context, const struct policy_decision *decision), void *context,
                  bool *ret_allowed, struct cella_error *err) MUST_CHECK;

#endif
