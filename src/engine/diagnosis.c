/* From the end of a stage to the result's diagnosis: what engine.h says of run_diagnose(). */
#include "engine/engine.h"
#include "supervise/supervise.h"

#include <stdio.h>

/* The rules of the runtime's file.  When they are wrong the result goes without a diagnosis, and
 * says so: what the program did is no less true. */
static const struct errors *find_errors(struct cella_run *run)
{
    struct result *result = run->result.data;
    const struct errors *errors = NULL;
    struct cella_error err;
    if (run->runtime != NULL && runtime_errors(run->runtimes, run->runtime, &errors, &err) < 0) {
        (void)snprintf(result->diagnosis_problem, sizeof(result->diagnosis_problem), "%.*s",
                       (int)sizeof(result->diagnosis_problem) - 1, err.text);
        return NULL;
    }
    return errors;
}

/* The program was told of the limit, kept to it by itself, and ended for it. */
static void take_limit(struct result_stage *outcome, enum errors_limit limit,
                       const struct limits *limits)
{
    bool by_itself = outcome->status == STATUS_EXIT || outcome->status == STATUS_SIGNAL;
    if (limit == ERRORS_LIMIT_STACK) {
        outcome->limits_hit |= status_hit_bit(STATUS_HIT_STACK);
    } else if (limit == ERRORS_LIMIT_MEMORY && by_itself) {
        supervise_told(outcome, limits, LIMIT_MEMORY);
    }
}

void run_diagnose(struct cella_run *run, enum errors_stage which)
{
    struct result *result = run->result.data;
    const struct stage *stage = which == ERRORS_IN_RUN ? &run->run : &run->compile;
    struct result_stage *outcome = stage->outcome;
    enum errors_limit limit;
    if (outcome->status == STATUS_OK) {
        return;
    }
    const struct diagnose_case it = {
        .errors = find_errors(run),
        .sources = &run->sources,
        .stage = outcome,
        .which = which,
        .memory_max_bytes = stage->plan->limits.value[LIMIT_MEMORY],
        .refused_calls = result->refused_calls,
        .refused_call_count = result->refused_call_count,
    };
    result->diagnosis = diagnose(&it, &limit);
    take_limit(outcome, limit, &stage->plan->limits);
}
