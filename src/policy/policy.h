/*
 * Policies: what the operator allows (policies/NAME.yaml), and the step from a request to a plan.
 *
 * A policy sets for each limit a default and a cap, which protections are waived, whether control
 * groups are demanded, which system calls are allowed, what happens at an output limit.  A request
 * can only ask for less than a policy allows: over a cap it is refused, naming policy and cap.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/attributes.h"
#include "policy/plan.h"
#include "request/spec.h"
#include "runtime/runtime.h"

#define POLICY_DIGEST_SIZE 65 /* hexadecimal SHA-256 and a NUL */

struct policy {
    char *name;
    char *file; /* where it was read from */
    char digest[POLICY_DIGEST_SIZE];
    struct limits defaults;
    struct limits caps;
    struct limits compile_defaults;
    struct limits compile_caps;
    uint64_t waived; /* by protection_bit() */
    enum plan_control_groups control_groups;
    enum plan_syscalls syscalls;
    bool loopback;
    bool host_network;                         /* a request may ask for network "host" */
    enum spec_on_output_limit on_output_limit; /* when the request does not say */
};

/* Looked for as runtimes are, in .../policies.  CELLA_ERROR_POLICY for an unknown one, with the
 * list and the closest name; CELLA_ERROR_HOST for a bad file, with its line and column. */
int policy_load(const char *extra_dir, const char *name, struct policy **ret_policy,
                struct cella_error *err) MUST_CHECK;
void policy_destroy(struct policy *policy);

enum policy_stage { POLICY_STAGE_RUN, POLICY_STAGE_COMPILE };

/* The plan for one stage of a request.  `runtime` is NULL for a bare command.
 * CELLA_ERROR_POLICY when the request asks for more than the policy gives. */
int policy_plan(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan *ret_plan, struct cella_error *err) MUST_CHECK;

/* Hexadecimal SHA-256 of the plan as it stands. */
void plan_digest(const struct plan *plan, char ret_digest[POLICY_DIGEST_SIZE]);

#endif
