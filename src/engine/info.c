/* What a front asks of a run for its records: see <cella/wire.h>. */
#include "base/attributes.h"
#include "engine/engine.h"
#include "result/status.h"

#include <cella/wire.h>
#include <string.h>

/* Since the run was asked for; 0 for what has not happened. */
static uint64_t since(const struct cella_run *run, uint64_t moment_us)
{
    return moment_us > run->queued_us ? moment_us - run->queued_us : 0;
}

static void tell_stage(const struct cella_run *run, const struct stage *stage,
                       struct cella_stage_times *ret_times)
{
    *ret_times = (struct cella_stage_times){
        .waited_us = since(run, stage->waited_us),
        .begun_us = since(run, stage->begun_us),
        .started_us = since(run, stage->started_us),
        .ended_us = since(run, stage->ended_us),
    };
}

static uint64_t cpu_max_us(const struct stage *stage)
{
    return stage->plan != NULL ? stage->plan->limits.value[LIMIT_CPU] : 0;
}

void cella_run_info(const struct cella_run *run, struct cella_run_info *info)
{
    const struct result *result = run->result.data;
    struct cella_run_info all = {
        .size = info->size,
        .language = result->language_name,
        .policy = result->policy_name,
        .policy_digest = result->policy_digest,
        .plan_digest = result->plan_digest,
        .queued_at_ms = run->queued_unix_ms,
        .cpu_max_us = cpu_max_us(&run->compile) + cpu_max_us(&run->run),
    };
    tell_stage(run, &run->compile, &all.compile);
    tell_stage(run, &run->run, &all.run);
    memcpy(info, &all, info->size < sizeof(all) ? info->size : sizeof(all));
}

const char *cella_result_limit_hit(const struct cella_result *result, size_t index)
{
    for (unsigned hit = 0; hit < STATUS_HIT_COUNT; hit++) {
        if ((result->data->run.limits_hit & status_hit_bit(hit)) != 0 &&
            status_hit_word(hit) != NULL && index-- == 0) {
            return status_hit_word(hit);
        }
    }
    return NULL;
}

const char *cella_result_refused_call(const struct cella_result *result, size_t index,
                                      unsigned *ret_count)
{
    if (index >= result->data->refused_call_count) {
        return NULL;
    }
    *ret_count = result->data->refused_calls[index].count;
    return result->data->refused_calls[index].name;
}
