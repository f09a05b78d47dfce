/*
 * The part of job.h that the history has of it: the request and the result, and what the same code
 * took before.
 */
#include "front/serve/fail.h"
#include "front/serve/log.h"
#include "front/serve/records/history.h"
#include "front/serve/records/record.h"
#include "front/serve/runs/job_inside.h"

#include <cella/wire.h>
#include <stdlib.h>
#include <string.h>

/* A longer request is not remembered with its result, unless it was accepted for later. */
#define REMEMBERED_REQUEST_MAX ((size_t)1 << 20)

/* ---- what the same code took ---- */

int job_take_past(struct job *job, struct cella_request *request, struct cella_error *err)
{
    const struct history_code code = {job->record.tenant, job->code_digest};
    double wall_ms[HISTORY_TIMES_OF_CODE];
    size_t count = 0;
    int adaptive = 0;
    if (cella_request_is_adaptive(job->server->engine, request, &adaptive, err) < 0) {
        return -1;
    }
    job->is_adaptive = adaptive != 0;
    if (!job->is_adaptive) {
        return 0;
    }
    cella_request_code_digest(request, job->code_digest);
    return history_find_times(job->server->history, &code, wall_ms, &count, err) < 0
               ? -1
               : cella_request_set_past(request, wall_ms, count, err);
}

void job_remember_time(const struct job *job, const struct cella_result *result)
{
    static const char *const words[] = {"ok", "exit", "signal", "wall_time"};
    const struct history_code code = {job->record.tenant, job->code_digest};
    const double wall_ms = cella_result_wall_ms(result);
    struct cella_error err;
    bool counts = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        counts = counts || strcmp(cella_result_status(result), words[i]) == 0;
    }
    if (job->is_adaptive && counts && wall_ms >= 0 &&
        history_add_time(job->server->history, &code, wall_ms, &err) < 0) {
        log_line("what %s took is not remembered: %s", job->id, err.text);
    }
}

/* ---- requests and results ---- */

/* One that is fetched later, or found by a key, is in the history before anybody is told of it. */
static int remember_now(struct job *job, const char *key_name, const char *json, size_t size,
                        struct cella_error *err)
{
    const unsigned keeps = job->keeps;
    const struct history_key key = {key_name, job->record.request_digest};
    char *record = record_json(&job->record);
    if (record == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    if ((keeps & CELLA_KEEP_OUTPUT) == 0) {
        free(record);
        (void)serve_fail(err, CELLA_ERROR_POLICY,
                         "the policy wants no output in the history, so no result can be fetched "
                         "later");
        return serve_hint(err, "ask without %s",
                          key_name != NULL ? "Idempotency-Key" : "`Prefer: respond-async`");
    }
    const struct history_run run = {
        .id = job->id,
        .tenant = job->record.tenant,
        .record = record,
        .keeps = keeps,
        .request = (keeps & CELLA_KEEP_CODE) != 0 ? json : NULL,
        .request_size = (keeps & CELLA_KEEP_CODE) != 0 ? size : 0,
        .key = key_name != NULL ? &key : NULL,
    };
    const int code = history_accept(job->server->history, &run, err);
    job->request_size = run.request_size;
    free(record);
    return code;
}

int job_remember(struct job *job, const char *key, const char *json, size_t size,
                 struct cella_error *err)
{
    if (job->is_accepted) {
        return remember_now(job, key, json, size, err);
    }
    if (job->server->history == NULL || size > REMEMBERED_REQUEST_MAX ||
        (job->keeps & CELLA_KEEP_CODE) == 0) {
        return 0;
    }
    job->request = malloc(size);
    if (job->request == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    memcpy(job->request, json, size);
    job->request_size = size;
    return 0;
}

int job_put_into_history(const struct job *job, const struct cella_result *result,
                         struct cella_error *err)
{
    char *record = record_json(&job->record);
    if (record == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    const struct history_run run = {
        .id = job->id,
        .tenant = job->record.tenant,
        .record = record,
        .keeps = job->keeps,
        .is_accepted = job->is_accepted,
        .request = job->request,
        .request_size = job->request_size,
    };
    const int code = history_add(job->server->history, &run, result, err);
    free(record);
    return code;
}
