/*
 * System calls as policies name them.  This header is for src/policy alone.
 */
#ifndef POLICY_CALLS_H
#define POLICY_CALLS_H

#include "base/json.h"
#include "isolate/syscall_names.h"
#include "policy/policy.h"

/* CELLA_ERROR_CALLER for an unknown name, with the closest one. */
int policy_call_by_name(const char *name, const struct json_where *where, uint32_t *ret_number,
                        struct cella_error *err) MUST_CHECK;

/* Why no policy may add the call to a base set, or take it away; NULL when one may. */
const char *policy_call_allow_problem(uint32_t number);
const char *policy_call_deny_problem(uint32_t number);

/* Adds it once, in order.  False when there is no room. */
bool policy_calls_add(struct policy_call_list *list, uint32_t number) MUST_CHECK;
bool policy_calls_have(const struct policy_call_list *list, uint32_t number);

/* What a run under the policy may do with the call, where control groups count. */
enum syscall_verdict policy_call_verdict(const struct policy *policy, uint32_t number);

/* The policy's own calls, as far as they change anything, into a plan. */
void policy_calls_fill(const struct policy *policy, struct plan *plan);

#endif
