/*
 * The limits of a plan, each with its cap and where its value came from.  What policy_plan() puts
 * into the plan and what `cella explain` prints is made here, once.
 */
#ifndef POLICY_PLAN_LIMITS_H
#define POLICY_PLAN_LIMITS_H

#include "base/attributes.h"
#include "policy/policy.h"

enum plan_limit_source {
    PLAN_LIMIT_REQUEST,  /* asked for */
    PLAN_LIMIT_RUNTIME,  /* the language needs more than the policy's default */
    PLAN_LIMIT_POLICY,   /* the policy's default */
    PLAN_LIMIT_DERIVED,  /* from other limits */
    PLAN_LIMIT_ADAPTIVE, /* from what the same code took before (adaptive.h) */
};
const char *plan_limit_source_text(enum plan_limit_source source);

struct plan_limit {
    uint64_t value; /* at most the cap */
    uint64_t cap;
    enum plan_limit_source source;
};

/* A cap as it counts: a derived one, of processors, is what this host has. */
uint64_t plan_limit_cap(uint64_t cap);

/* Whether the limit of wall-clock time is to be found from earlier runs. */
bool plan_limits_are_adaptive(const struct policy *policy, const struct spec *spec);

/* CELLA_ERROR_POLICY for a request above a cap, CELLA_ERROR_CALLER for one of zero, with the field
 * of the request. */
int plan_limits(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan_limit ret_limits[LIMIT_COUNT],
                struct cella_error *err) MUST_CHECK;

/* The check of one limit alone, of what the request asks for. */
int plan_limit_check(const struct policy *policy, const struct spec *spec, enum limit limit,
                     enum policy_stage stage, struct cella_error *err) MUST_CHECK;

#endif
