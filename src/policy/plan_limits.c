/*
 * The limits of a plan: see plan_limits.h.
 *
 * The request decides, up to the cap.  Where it says nothing it is the policy's default, or what
 * the language needs by nature if that is more, cut at the cap: nobody asked for it, so nobody is
 * refused.  Derived values come last, from values that stand.
 */
#include "policy/plan_limits.h"

#include "base/cpus.h"
#include "base/error.h"
#include "policy/adaptive.h"
#include "request/limit_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *plan_limit_source_text(enum plan_limit_source source)
{
    switch (source) {
    case PLAN_LIMIT_REQUEST:
        return "request";
    case PLAN_LIMIT_RUNTIME:
        return "runtime";
    case PLAN_LIMIT_POLICY:
        return "policy";
    case PLAN_LIMIT_ADAPTIVE:
        return "earlier runs";
    case PLAN_LIMIT_DERIVED:
        break;
    }
    return "derived";
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t plan_limit_cap(uint64_t cap)
{
    return cap == LIMIT_DERIVED ? cpus_usable() * LIMIT_ONE_CPU : cap;
}

static uint64_t derive(enum limit limit, const struct plan_limit *limits)
{
    if (limit == LIMIT_STACK) {
        return limits[LIMIT_MEMORY].value;
    }
    uint64_t cpu;
    if (__builtin_mul_overflow(limits[LIMIT_WALL].value, limits[LIMIT_CPUS].value, &cpu)) {
        return UINT64_MAX; /* the cap decides */
    }
    return cpu / LIMIT_ONE_CPU;
}

static int refuse(enum limit limit, enum policy_stage stage, struct cella_error *err)
{
    return error_set_field(err, "%slimits.%s", stage == POLICY_STAGE_COMPILE ? "compile." : "",
                           limit_table[limit].name);
}

static int refuse_above_cap(const struct policy *policy, enum limit limit, enum policy_stage stage,
                            uint64_t asked, uint64_t cap, struct cella_error *err)
{
    char cap_text[UNITS_TEXT_SIZE];
    char asked_text[UNITS_TEXT_SIZE];
    limit_value_format(limit, cap, cap_text);
    limit_value_format(limit, asked, asked_text);
    if (strcmp(cap_text, asked_text) == 0) { /* durations are rounded for reading */
        (void)snprintf(cap_text, sizeof(cap_text), "%" PRIu64 " us", cap);
        (void)snprintf(asked_text, sizeof(asked_text), "%" PRIu64 " us", asked);
    }
    (void)error_set(err, CELLA_ERROR_POLICY, 0,
                    "policy '%s' allows at most %s for %s%s; %s was asked for", policy->name,
                    cap_text, limit_table[limit].name,
                    stage == POLICY_STAGE_COMPILE ? " when compiling" : "", asked_text);
    (void)refuse(limit, stage, err);
    return error_set_hint(err, "ask for less, or run it under a policy that allows more; "
                               "`cella policy show NAME` has the limits of one, GET /v1/policies "
                               "the names of a server's");
}

static int check_asked(const struct policy *policy, enum limit limit, enum policy_stage stage,
                       uint64_t asked, uint64_t cap, struct cella_error *err)
{
    if (asked == 0 && limit != LIMIT_SWAP) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s must be more than 0",
                        limit_table[limit].name);
        return refuse(limit, stage, err);
    }
    if (limit == LIMIT_CPUS && asked < LIMIT_CPUS_MIN) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s must be at least 0.01",
                        limit_table[limit].name);
        return refuse(limit, stage, err);
    }
    if (limit == LIMIT_MEMORY && asked < LIMIT_MEMORY_MIN) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "a sandbox needs at least 2 MiB of %s",
                        limit_table[limit].name);
        (void)refuse(limit, stage, err);
        return error_set_hint(err, "64m is 64 MiB, and a number without a unit is bytes");
    }
    return asked > cap ? refuse_above_cap(policy, limit, stage, asked, cap, err) : 0;
}

/* What each limit is when nothing is asked for; derived ones in a second pass. */
static void fill_default(enum limit limit, uint64_t default_value, uint64_t need,
                         struct plan_limit *limits)
{
    struct plan_limit *row = &limits[limit];
    row->source = default_value == LIMIT_DERIVED ? PLAN_LIMIT_DERIVED : PLAN_LIMIT_POLICY;
    row->value = default_value == LIMIT_DERIVED ? derive(limit, limits) : default_value;
    if (need != LIMIT_UNSET && need > row->value) {
        row->value = need;
        row->source = PLAN_LIMIT_RUNTIME;
    }
    row->value = min_of(row->value, row->cap);
}

int plan_limit_check(const struct policy *policy, const struct spec *spec, enum limit limit,
                     enum policy_stage stage, struct cella_error *err)
{
    const bool compiles = stage == POLICY_STAGE_COMPILE;
    const struct limits *caps = compiles ? &policy->compile_caps : &policy->caps;
    const uint64_t asked = (compiles ? &spec->compile_limits : &spec->limits)->value[limit];
    return asked == LIMIT_UNSET
               ? 0
               : check_asked(policy, limit, stage, asked, plan_limit_cap(caps->value[limit]), err);
}

bool plan_limits_are_adaptive(const struct policy *policy, const struct spec *spec)
{
    return spec->adaptive_timeout == SPEC_ADAPTIVE_ON ||
           (spec->adaptive_timeout == SPEC_ADAPTIVE_UNSET && policy->adaptive_timeout);
}

/* What the request asks for, or else the cap, is the most that it may become. */
static void adapt(const struct policy *policy, const struct spec *spec, struct plan_limit *wall)
{
    if (plan_limits_are_adaptive(policy, spec)) {
        const uint64_t most =
            spec->limits.value[LIMIT_WALL] == LIMIT_UNSET ? wall->cap : wall->value;
        const struct spec_past *past = &spec->past;
        wall->value = min_of(most, adaptive_limit(past->samples > 0 ? past->expected_us : 0));
        wall->source = PLAN_LIMIT_ADAPTIVE;
    }
}

int plan_limits(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan_limit ret_limits[LIMIT_COUNT],
                struct cella_error *err)
{
    bool compiles = stage == POLICY_STAGE_COMPILE;
    const struct limits *caps = compiles ? &policy->compile_caps : &policy->caps;
    const struct limits *defaults = compiles ? &policy->compile_defaults : &policy->defaults;
    const struct limits *asked = compiles ? &spec->compile_limits : &spec->limits;
    struct limits needs;
    limits_init(&needs);
    if (runtime != NULL) {
        needs = compiles ? runtime->compile_limits : runtime->limits;
    }
    struct plan_limit limits[LIMIT_COUNT] = {0};
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        struct plan_limit *row = &limits[limit];
        row->cap = plan_limit_cap(caps->value[limit]);
        row->value = asked->value[limit];
        if (row->value == LIMIT_UNSET) {
            continue;
        }
        row->source = PLAN_LIMIT_REQUEST;
        if (plan_limit_check(policy, spec, limit, stage, err) < 0) {
            return -1;
        }
    }
    for (int derived = 0; derived <= 1; derived++) {
        for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
            uint64_t default_value = defaults->value[limit];
            if (asked->value[limit] == LIMIT_UNSET &&
                (default_value == LIMIT_DERIVED) == (derived == 1)) {
                fill_default(limit, default_value, needs.value[limit], limits);
            }
        }
        if (derived == 0 && !compiles) {
            adapt(policy, spec, &limits[LIMIT_WALL]);
        }
    }
    memcpy(ret_limits, limits, sizeof(limits));
    return 0;
}
