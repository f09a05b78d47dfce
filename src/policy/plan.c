/*
 * From a request to a plan: see policy.h.
 *
 * A plan is the policy's in everything but the limits, which a request may lower or raise up to
 * their caps, the network, which it may ask for where the policy gives it, and the end at an output
 * limit, which it may ask for.
 */
#include "policy/plan.h"

#include "base/error.h"
#include "policy/calls.h"
#include "policy/mounts.h"
#include "policy/plan_limits.h"
#include "policy/policy.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digest covers every byte: there must be none that the compiler left undefined. */
_Static_assert(sizeof(struct plan) == 14 * sizeof(uint32_t) + sizeof(uint64_t) +
                                          sizeof(struct limits) + PLAN_POLICY_SIZE +
                                          PLAN_HOSTNAME_MAX +
                                          2 * PLAN_CALLS_MAX * sizeof(uint32_t) +
                                          PLAN_MOUNTS_MAX * sizeof(struct plan_mount),
               "padding in struct plan");
_Static_assert(sizeof(struct plan_mount) == 2 * sizeof(uint32_t) + 2 * PLAN_PATH_MAX,
               "padding in struct plan_mount");

static void choose_network(const struct policy *policy, const struct spec *spec,
                           enum policy_stage stage, struct plan *plan)
{
    /* What a compiler reads is the request's, and needs no network. */
    bool host = spec->network == SPEC_NETWORK_HOST && stage == POLICY_STAGE_RUN;
    plan->network = host ? PLAN_NETWORK_HOST : PLAN_NETWORK_NONE;
    plan->loopback = !host && policy->loopback;
}

static bool stops_on_output(const struct policy *policy, const struct spec *spec)
{
    return policy->on_output_limit == SPEC_OUTPUT_STOP || spec->on_output_limit == SPEC_OUTPUT_STOP;
}

/* Everything in a request that a policy may refuse, but its limits. */
static int check_request(const struct policy *policy, const struct spec *spec,
                         const struct runtime *runtime, struct cella_error *err)
{
    if (policy_check_language(policy, runtime, err) < 0 ||
        policy_check_command(policy, spec, err) < 0 ||
        policy_check_network(policy, spec, err) < 0 || policy_check_output(policy, spec, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < spec->env_count; i++) {
        if (policy_check_variable(policy, spec->env[i].name, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The policy's mounts come last and win.  What a compiler reads, nobody needs to write to. */
static int add_mounts(const struct policy *policy, enum policy_stage stage, struct plan *plan,
                      struct cella_error *err)
{
    for (size_t i = 0; i < policy->mount_count; i++) {
        const struct policy_mount *mount = &policy->mounts[i];
        const bool writable = mount->access == POLICY_ACCESS_WRITABLE && stage == POLICY_STAGE_RUN;
        const bool hides = mount->access == POLICY_ACCESS_NONE;
        if (mounts_put(plan, hides ? PLAN_MOUNT_HIDE : PLAN_MOUNT_BIND,
                       hides      ? 0
                       : writable ? PLAN_MOUNT_ALONE | PLAN_MOUNT_WRITABLE
                                  : PLAN_MOUNT_ALONE,
                       mount->path, mount->at, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int fill_mounts(const struct policy *policy, const struct runtime *runtime,
                       enum policy_stage stage, struct plan *plan, struct cella_error *err)
{
    if (mounts_fill(plan, runtime == NULL ? NULL : runtime->mounts,
                    runtime == NULL ? 0 : runtime->mount_count, err) < 0) {
        return -1;
    }
    if (plan->network == PLAN_NETWORK_HOST && mounts_fill_network(plan, err) < 0) {
        return -1;
    }
    return add_mounts(policy, stage, plan, err);
}

bool policy_files_are_apart(const struct policy *policy)
{
    bool covered = false;
    for (size_t i = 0; i < policy->mount_count; i++) {
        covered = covered || strcmp(policy->mounts[i].at, PLAN_WORKSPACE) == 0;
    }
    return covered || policy->files_apart;
}

/* What every plan of the policy has. */
static void fill_choices(const struct policy *policy, struct plan *plan)
{
    plan->version = PLAN_VERSION;
    plan->syscalls = policy->syscalls;
    plan->control_groups = policy->control_groups;
    plan->waived = policy->waived;
    plan->one_processor = policy->one_processor;
    plan->files_apart = policy_files_are_apart(policy);
    policy_calls_fill(policy, plan);
    (void)snprintf(plan->hostname, sizeof(plan->hostname), "cella"); /* fits */
    for (size_t i = 0; i < PLAN_POLICY_SIZE; i++) {
        const char digits[3] = {policy->digest[2 * i], policy->digest[2 * i + 1], '\0'};
        plan->policy[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
}

int policy_plan(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan *ret_plan, struct cella_error *err)
{
    struct plan plan;
    memset(&plan, 0, sizeof(plan)); /* unused bytes are zero: the digest covers them */
    struct plan_limit limits[LIMIT_COUNT];
    if (check_request(policy, spec, runtime, err) < 0 ||
        plan_limits(policy, spec, runtime, stage, limits, err) < 0) {
        return -1;
    }
    fill_choices(policy, &plan);
    choose_network(policy, spec, stage, &plan);
    /* A compiler's flood of words is cut, never its end. */
    plan.stop_on_output = stage == POLICY_STAGE_RUN && stops_on_output(policy, spec);
    if (stage == POLICY_STAGE_RUN) {
        plan.terminal_rows = spec->terminal_rows;
        plan.terminal_columns = spec->terminal_columns;
    }
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        plan.limits.value[i] = limits[i].value;
    }
    if (fill_mounts(policy, runtime, stage, &plan, err) < 0) {
        return -1;
    }
    memcpy(ret_plan, &plan, sizeof(plan));
    return 0;
}

void plan_digest(const struct plan *plan, char ret_digest[POLICY_DIGEST_SIZE])
{
    (void)SHA256Data((const uint8_t *)plan, sizeof(*plan), ret_digest); /* returns its argument */
}
