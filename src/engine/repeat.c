/* The public functions of repeat.h, and what a run has to say of earlier ones. */
#include "base/error.h"
#include "engine/engine.h"
#include "policy/adaptive.h"
#include "policy/plan_limits.h"

#include <cella/repeat.h>
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#define US_IN_MS 1000.0

_Static_assert(CELLA_PAST_RUNS_MAX == ADAPTIVE_SAMPLES_MAX, "one bound, told in two places");
_Static_assert(CELLA_DIGEST_SIZE == SHA256_DIGEST_STRING_LENGTH, "what libmd writes");

/* ---- limits of time ---- */

int cella_request_is_adaptive(struct cella_engine *engine, const struct cella_request *request,
                              int *ret_adaptive, struct cella_error *err)
{
    const struct spec *spec = request->spec;
    const struct policy *policy = NULL;
    struct policy *owned = NULL;
    if (engine_policy(engine, spec->policy != NULL ? spec->policy : POLICY_DEFAULT, &policy, &owned,
                      err) < 0) {
        return -1;
    }
    *ret_adaptive = plan_limits_are_adaptive(policy, spec);
    policy_destroy(owned);
    return 0;
}

/* Each with its size before it: so nothing can be taken for another. */
static void add(SHA2_CTX *digest, const void *data, size_t size)
{
    const uint64_t length = size;
    SHA256Update(digest, (const uint8_t *)&length, sizeof(length));
    if (size > 0) {
        SHA256Update(digest, data, size);
    }
}

static void add_text(SHA2_CTX *digest, const char *text)
{
    add(digest, text, text != NULL ? strlen(text) : 0);
}

static void add_words(SHA2_CTX *digest, const struct spec_strings *words)
{
    add(digest, &words->count, sizeof(words->count));
    for (size_t i = 0; i < words->count; i++) {
        add_text(digest, words->items[i]);
    }
}

void cella_request_code_digest(const struct cella_request *request,
                               char ret_digest[CELLA_DIGEST_SIZE])
{
    const struct spec *spec = request->spec;
    SHA2_CTX digest;
    SHA256Init(&digest);
    add_text(&digest, spec->tenant);
    add_text(&digest, spec->language);
    add_words(&digest, &spec->command);
    add(&digest, spec->code.data, spec->code.size);
    add_text(&digest, spec->entry);
    for (size_t i = 0; i < spec->file_count; i++) {
        if (!spec->files[i].run_only) { /* those are data */
            add_text(&digest, spec->files[i].path);
            add(&digest, spec->files[i].content.data, spec->files[i].content.size);
        }
    }
    add_text(&digest, "");
    add_words(&digest, &spec->compile_args);
    (void)SHA256End(&digest, ret_digest); /* its argument */
}

int cella_request_set_past(struct cella_request *request, const double *wall_ms, size_t count,
                           struct cella_error *err)
{
    uint64_t samples_us[ADAPTIVE_SAMPLES_MAX];
    if (count > ADAPTIVE_SAMPLES_MAX) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "more than %u earlier runs",
                         ADAPTIVE_SAMPLES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(wall_ms[i]) || wall_ms[i] < 0 || wall_ms[i] > (double)UINT32_MAX) {
            return error_set(err, CELLA_ERROR_CALLER, 0, "an earlier run took no such time");
        }
        samples_us[i] = (uint64_t)(wall_ms[i] * US_IN_MS) + 1; /* never nothing at all */
    }
    request->spec->past = (struct spec_past){adaptive_expected(samples_us, count), (unsigned)count};
    return 0;
}

double cella_result_wall_ms(const struct cella_result *result)
{
    const uint64_t wall_us = result->data->run.usage.wall_us;
    return wall_us == RESULT_UNKNOWN ? -1 : (double)wall_us / US_IN_MS;
}

/* ---- the run itself ---- */

void repeat_expect(struct cella_run *run, const struct spec_past *past)
{
    run->result.data->timeout = (struct result_timeout){
        .limit_us = run->run.plan->limits.value[LIMIT_WALL],
        .expected_us = past->samples > 0 ? past->expected_us : RESULT_UNKNOWN,
        .samples = past->samples,
        .pace = "",
    };
}

/* Of one that took its time: how much that was beside what was expected. */
void repeat_settle(struct cella_run *run)
{
    struct result *result = run->result.data;
    struct result_timeout *timeout = &result->timeout;
    const enum status status = result->run.status;
    if (timeout->samples > 0 && result->run.usage.wall_us != RESULT_UNKNOWN &&
        status != STATUS_INTERNAL && status != STATUS_CANCELLED) {
        timeout->pace =
            adaptive_pace_word(adaptive_pace(result->run.usage.wall_us, timeout->expected_us));
    }
}

/* ---- runs that were lost ---- */

int cella_run_is_repeatable(const struct cella_run *run)
{
    return run->repeatable;
}

int cella_request_set_attempt(struct cella_request *request, const char *id, unsigned number,
                              struct cella_error *err)
{
    int64_t unix_ms;
    if (id_time(id, &unix_ms) < 0 || number < 2) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "there was no such run before");
    }
    (void)snprintf(request->spec->id, sizeof(request->spec->id), "%s", id); /* as long as any */
    request->spec->attempt = number;
    return 0;
}
