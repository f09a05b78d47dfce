/*
 * From a request to a plan: see policy.h.
 *
 * A plan is the policy's in everything but the limits, which a request may lower or raise up to
 * their caps, and the network, which it may ask for where the policy gives it.
 */
#include "policy/plan.h"

#include "base/error.h"
#include "policy/mounts.h"
#include "policy/plan_limits.h"
#include "policy/policy.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

/* The digest covers every byte: there must be none that the compiler left undefined. */
_Static_assert(sizeof(struct plan) == 7 * sizeof(uint32_t) + sizeof(uint32_t) + sizeof(uint64_t) +
                                          sizeof(struct limits) + PLAN_HOSTNAME_MAX +
                                          PLAN_MOUNTS_MAX * sizeof(struct plan_mount),
               "padding in struct plan");
_Static_assert(sizeof(struct plan_mount) == 2 * sizeof(uint32_t) + 2 * PLAN_PATH_MAX,
               "padding in struct plan_mount");

static int choose_network(const struct policy *policy, const struct spec *spec,
                          enum policy_stage stage, struct plan *plan, struct cella_error *err)
{
    if (spec->network == SPEC_NETWORK_ALLOW && spec->network_allow.count > 0) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0,
                        "lists of allowed addresses are not available in this version");
        (void)error_set_field(err, "network.allow");
        return error_set_hint(err, "leave the list empty: the program then has no network");
    }
    if (spec->network == SPEC_NETWORK_HOST && !policy->host_network) {
        (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' does not allow the host's network",
                        policy->name);
        return error_set_field(err, "network");
    }
    /* What a compiler reads is the request's, and needs no network. */
    bool host = spec->network == SPEC_NETWORK_HOST && stage == POLICY_STAGE_RUN;
    plan->network = host ? PLAN_NETWORK_HOST : PLAN_NETWORK_NONE;
    plan->loopback = !host && policy->loopback;
    return 0;
}

static bool stops_on_output(const struct policy *policy, const struct spec *spec)
{
    enum spec_on_output_limit what = spec->on_output_limit == SPEC_OUTPUT_UNSET
                                         ? policy->on_output_limit
                                         : spec->on_output_limit;
    return what == SPEC_OUTPUT_STOP;
}

int policy_plan(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan *ret_plan, struct cella_error *err)
{
    struct plan plan;
    memset(&plan, 0, sizeof(plan)); /* unused bytes are zero: the digest covers them */
    plan.version = PLAN_VERSION;
    plan.syscalls = policy->syscalls;
    plan.control_groups = policy->control_groups;
    plan.waived = policy->waived;
    /* A compiler's flood of words is cut, never its end. */
    plan.stop_on_output = stage == POLICY_STAGE_RUN && stops_on_output(policy, spec);
    (void)snprintf(plan.hostname, sizeof(plan.hostname), "cella"); /* fits */

    struct plan_limit limits[LIMIT_COUNT];
    if (plan_limits(policy, spec, runtime, stage, limits, err) < 0 ||
        choose_network(policy, spec, stage, &plan, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        plan.limits.value[i] = limits[i].value;
    }
    if (mounts_fill(&plan, runtime == NULL ? NULL : runtime->mounts,
                    runtime == NULL ? 0 : runtime->mount_count, err) < 0) {
        return -1;
    }
    memcpy(ret_plan, &plan, sizeof(plan));
    return 0;
}

void plan_digest(const struct plan *plan, char ret_digest[POLICY_DIGEST_SIZE])
{
    (void)SHA256Data((const uint8_t *)plan, sizeof(*plan), ret_digest); /* returns its argument */
}
