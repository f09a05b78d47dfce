/* See job.h. */
#include "front/serve/runs/job.h"

#include "base/clock.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"
#include "front/serve/records/record.h"
#include "front/serve/records/report.h"
#include "front/serve/runs/interactive.h"
#include "front/serve/runs/job_inside.h"

#include <cella/wire.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a longer one no copy is held, so it is not begun again when it is lost. */
#define REPEATED_REQUEST_MAX ((size_t)1 << 20)

static void on_output(void *context, struct cella_run *run, enum cella_stream stream,
                      const void *data, size_t size);
static void on_compiler_output(void *context, struct cella_run *run, enum cella_stream stream,
                               const void *data, size_t size);
static void on_done(void *context, struct cella_run *run);
static void on_begun(void *context, struct cella_run *run);
static void on_compiled(void *context, struct cella_run *run);

static struct log_about about_job(const struct job *job)
{
    return (struct log_about){.request_id = job->record.trace.request_id,
                              .trace_id = job->record.trace.id,
                              .run = job->id,
                              .tenant = job->record.tenant};
}

/* ---- beginning and end ---- */

/* Whether results wait to be taken, and are too many for one more. */
static bool results_wait(const struct exchange *exchange, struct cella_error *err)
{
    const size_t most = exchange_most(exchange, SERVER_ANSWERS_MAX, SERVER_ANSWERS_LOCAL);
    const bool wait = tenant_answers_wait(exchange->server, exchange->tenant, most);
    if (wait) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "too many large results wait for their readers");
    }
    return wait;
}

int job_begin(struct job *job, const struct cella_request *request, const struct cella_run *first,
              struct cella_error *err)
{
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks),
        .context = job,
        .output = job->way == JOB_STREAMS || job->way == JOB_TALKS ? on_output : NULL,
        .done = on_done,
        .compiled = job->owner.compiled != NULL || job->form.compiled != NULL ? on_compiled : NULL,
        .begun = on_begun,
        .compiler_output = job->form.compiled != NULL ? on_compiler_output : NULL,
    };
    const unsigned flags = job->way == JOB_TALKS || job->owner.writes ? CELLA_RUN_STDIN_OPEN : 0;
    const int code =
        first != NULL
            ? cella_run_start_compiled(first, request, flags, &callbacks, &job->run, err)
            : cella_run_start(job->server->engine, request, flags, &callbacks, &job->run, err);
    if (code == 0) {
        job->attempts++;
        job->keeps = cella_run_keeps(job->run);
        (void)snprintf(job->id, sizeof(job->id), "%s", cella_run_id(job->run)); /* fits */
    }
    return code;
}

/* Takes the request, and keeps it where it may be wanted again. */
static int start(struct job *job, struct cella_request *request, size_t size,
                 const struct cella_run *first, struct cella_error *err)
{
    int code = tenant_take_request(job->server, job->tenant, request, err);
    if (code == 0) {
        code = job_take_past(job, request, err) < 0 ? -1 : job_begin(job, request, first, err);
        if (code < 0) {
            tenant_explain(job->tenant, request, err);
        }
    }
    if (code == 0 && size <= REPEATED_REQUEST_MAX && cella_run_is_repeatable(job->run)) {
        job->again = request;
    } else {
        cella_request_destroy(request);
    }
    return code;
}

void job_leave_room(struct job *job, const struct cella_result *result)
{
    queue_leave(job->server, &job->place);
    if (job->has_room) {
        job->has_room = false;
        tenant_end_run(job->server, job->tenant, job->id, result);
    }
}

static void free_job(struct job *job)
{
    job_leave_room(job, NULL);
    cella_run_free(job->run);
    cella_request_destroy(job->again);
    cella_result_destroy(job->lost);
    cella_result_parts_close(job->parts);
    free(job->form.context);
    free(job->request);
    free(job->input);
    free(job);
}

enum job_way job_way_of(const struct http_head *head)
{
    if (http_header_has(head, "Prefer", "respond-async")) { /* RFC 7240 */
        return JOB_STAYS;
    }
    return http_header_has(head, "Accept", "text/event-stream") ? JOB_STREAMS : JOB_ANSWERS;
}

int job_check(struct exchange *exchange, uint64_t bytes, struct cella_error *err)
{
    if (tenant_check_run(exchange, err) < 0 || queue_check(exchange, bytes, err) < 0) {
        return -1;
    }
    return results_wait(exchange, err) ? -1 : 0;
}

static int fail_late(struct exchange *exchange, uint64_t seconds, struct cella_error *err)
{
    exchange->retry_seconds = queue_seconds(exchange->server);
    (void)serve_fail(err, CELLA_ERROR_BUSY, "there was no room for the run in %llu s",
                     (unsigned long long)seconds);
    return serve_hint(err, "try again, or let it wait longer: 'Prefer: wait=SECONDS', or "
                           "'Prefer: respond-async' to fetch its result later");
}

/* Until there is room for it, or it has waited long enough; who can fetch it waits for ever. */
static int wait_for_room(struct exchange *exchange, struct job *job, size_t size,
                         struct cella_error *err)
{
    struct server *server = job->server;
    const uint64_t most = server->settings->queue_ms;
    uint64_t wait_ms = UINT64_MAX;
    if (job->has_begun) {
        metrics_count_wait(&server->metrics, 0);
        return 0;
    }
    if (!job->is_accepted) {
        const uint64_t wanted = http_preferred_wait(&exchange->head);
        wait_ms = wanted < most / 1000 ? wanted * 1000 : most;
    }
    if (wait_ms == 0) {
        metrics_count_refusal(&server->metrics, REFUSAL_LATE);
        return fail_late(exchange, 0, err);
    }
    job->place = (struct queue_place){.job = job, .tenant = job->tenant, .bytes = size};
    queue_enter(server, &job->place, wait_ms);
    return 0;
}

static void count_run(struct job *job)
{
    if (job->tenant != NULL && !job->is_counted) {
        job->tenant->runs++;
        job->is_counted = true;
    }
}

/* It is one of those that there are.  Its batch has counted for all that it has at one time. */
static void add(struct job *job)
{
    TAILQ_INSERT_TAIL(&job->server->jobs, job, link);
    job->server->job_count++;
    if (job->tenant != NULL) {
        job->tenant->jobs++;
    }
    if (job->way != JOB_PART) {
        count_run(job);
    }
}

/* It holds up no other of its tenant's any more. */
static void settle(struct job *job, const struct cella_result *result)
{
    job_leave_room(job, result);
    if (job->is_counted) {
        job->tenant->runs--;
        job->is_counted = false;
    }
}

/* ---- who waits for it ---- */

static int next_piece(void *context, char **ret_text, size_t *ret_size)
{
    return job_next(context, ret_text, ret_size);
}

static void leave(void *context)
{
    job_leave(context);
}

static void wait_for(struct job *job, struct exchange *exchange)
{
    job->exchange = exchange;
    exchange->source =
        (struct source){.next = next_piece, .leave = leave, .context = job, .is_resumed = true};
}

struct job *job_of(const struct exchange *exchange)
{
    return exchange->source.leave == leave ? exchange->source.context : NULL;
}

int job_start(struct exchange *exchange, const char *json, size_t size, enum job_way way,
              const struct job_form *form, const char **ret_id, struct cella_error *err)
{
    static const struct job_form own = {.answer = NULL};
    struct server *server = exchange->server;
    struct job *job = calloc(1, sizeof(*job));
    form = form != NULL ? form : &own;
    if (job == NULL) {
        free(form->context);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *job = (struct job){.server = server,
                        .way = way,
                        .form = *form,
                        .tenant = exchange->tenant,
                        .began_ms = clock_monotonic_ms(),
                        .is_accepted = way == JOB_STAYS || exchange->idempotency_key != NULL};
    json = json != NULL ? json : ""; /* no body */
    if (job_check(exchange, size, err) < 0) {
        free_job(job);
        return -1;
    }
    struct cella_request *request;
    record_init(&job->record, exchange_tenant(exchange), &exchange->trace, json, size);
    if (cella_request_parse(json, size, &request, err) < 0 ||
        start(job, request, size, NULL, err) < 0 || wait_for_room(exchange, job, size, err) < 0 ||
        report_created(server, exchange, &job->record, job->run, err) < 0 ||
        job_remember(job, exchange->idempotency_key, json, size, err) < 0) {
        free_job(job);
        return -1;
    }
    (void)snprintf(exchange->run_id, sizeof(exchange->run_id), "%s", job->id);
    add(job);
    if (way != JOB_STAYS) {
        wait_for(job, exchange);
    }
    *ret_id = job->id;
    if (way == JOB_STREAMS && job->has_begun) {
        answer_events(exchange); /* else when it has */
    }
    return 0;
}

int job_start_part(struct server *server, const struct job_owner *owner,
                   const struct record *record, struct cella_request *request,
                   const struct cella_run *first, struct job **ret_job, struct cella_error *err)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        cella_request_destroy(request);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *job = (struct job){.server = server,
                        .way = JOB_PART,
                        .owner = *owner,
                        .record = *record,
                        .tenant = owner->tenant,
                        .began_ms = clock_monotonic_ms()};
    if (tenant_check_cpu(server, job->tenant, err) < 0) {
        cella_request_destroy(request);
        free_job(job);
        return -1;
    }
    if (start(job, request, 0, first, err) < 0 ||
        report_created(server, NULL, &job->record, job->run, err) < 0) {
        free_job(job);
        return -1;
    }
    add(job);
    if (owner->writes) { /* parts of a batch are counted by it */
        count_run(job);
    }
    *ret_job = job;
    return 0;
}

struct cella_run *job_run(const struct job *job)
{
    return job->run;
}

bool job_has_begun(const struct job *job)
{
    return job->has_begun;
}

struct cella_run *job_take_run(struct job *job)
{
    struct cella_run *run = job->run;
    job->run = NULL;
    job_destroy(job);
    return run;
}

void job_destroy(struct job *job)
{
    if (job == NULL) {
        return;
    }
    struct server *server = job->server;
    if (job->run == NULL && !job->is_done) {
        server->waiting_count--;
    }
    if (job->exchange != NULL) {
        exchange_forget(job->exchange);
    }
    settle(job, NULL);
    exchange_count_waiting(server, job->tenant, job->waiting_bytes, 0);
    TAILQ_REMOVE(&server->jobs, job, link);
    server->job_count--;
    if (job->tenant != NULL) {
        job->tenant->jobs--;
    }
    free_job(job);
}

void job_is_late(struct job *job, uint64_t seconds)
{
    struct exchange *exchange = job->exchange;
    struct server *server = job->server;
    struct cella_error err;
    const enum job_way way = job->way;
    const struct log_about about = about_job(job);
    log_write(LOG_LEVEL_INFO, &about, "%s is not run: it has waited for %llu s", job->id,
              (unsigned long long)seconds);
    report_cancelled(exchange, job->id);
    job_destroy(job);
    (void)fail_late(exchange, seconds, &err);
    if (way == JOB_TALKS) {
        interactive_refuse(exchange, &err);
    } else {
        answer_problem(exchange, 0, &err);
    }
    server_settle(server);
}

static void cancel(struct job *job);

void job_leave(struct job *job)
{
    if (job == NULL || job->is_done) {
        job_destroy(job);
        return;
    }
    if (job->exchange != NULL) {
        exchange_forget(job->exchange);
    }
    job->exchange = NULL;
    job->is_left = true;
    count_run(job);
    job->input_size = 0; /* nobody is there to be read from again */
    if (job->is_accepted) {
        return; /* who comes again with its key finds it */
    }
    queue_leave(job->server, &job->place); /* nobody is there to be told that it waits too long */
    const struct log_about about = about_job(job);
    log_write(LOG_LEVEL_INFO, &about, "%s is cancelled: %s", job->id,
              job->server->state == SERVER_DRAINING ? "the server ends" : "its client has gone");
    cancel(job);
}

/* One that waits to be begun again is over at once. */
static void cancel(struct job *job)
{
    job->is_cancelled = true;
    if (job->run != NULL) {
        cella_run_cancel(job->run);
    } else {
        job_give_up(job);
    }
}

/* NULL: it has ended, or there was none. */
static struct job *find_going(const struct server *server, const char *id)
{
    struct job *job = NULL;
    TAILQ_FOREACH(job, &server->jobs, link)
    {
        if (!job->is_done && strcmp(job->id, id) == 0) {
            break;
        }
    }
    return job;
}

bool job_is_going(const struct server *server, const char *id)
{
    return find_going(server, id) != NULL;
}

int job_cancel(struct server *server, const char *id, const char *tenant)
{
    struct job *job = find_going(server, id);
    if (job == NULL || (tenant != NULL && strcmp(job->record.tenant, tenant) != 0)) {
        return -1;
    }
    cancel(job);
    return 0;
}

void job_cancel_tenant(struct server *server, const char *tenant)
{
    struct job *next;
    for (struct job *job = TAILQ_FIRST(&server->jobs); job != NULL; job = next) {
        next = TAILQ_NEXT(job, link); /* one that waits to be begun again is gone then */
        if (!job->is_done && strcmp(job->record.tenant, tenant) == 0) {
            cancel(job);
        }
    }
}

void job_cancel_all(struct server *server)
{
    job_give_up_all(server);
    for (struct job *job = TAILQ_FIRST(&server->jobs); job != NULL; job = TAILQ_NEXT(job, link)) {
        if (!job->is_done) {
            cancel(job);
        }
    }
}

/* ---- news of the run ---- */

/* Possibly while it is started. */
static void on_begun(void *context, struct cella_run *run)
{
    struct job *job = context;
    (void)snprintf(job->id, sizeof(job->id), "%s", cella_run_id(run)); /* fits */
    tenant_begin_run(job->server, job->tenant, run);
    job->has_begun = job->has_room = true;
    if (job->place.waits) {
        metrics_count_wait(&job->server->metrics, clock_monotonic_ms() - job->place.since_ms);
        queue_leave(job->server, &job->place);
        if (job->way == JOB_STREAMS && !job->is_left) {
            answer_events(job->exchange);
        }
    }
}

static void note_output(struct job *job, struct job_output *output, enum cella_stream stream)
{
    job->pieces++;
    if (output->since[stream] == 0) {
        output->since[stream] = job->pieces;
    }
    if (!job->is_left) {
        exchange_resume(job->exchange);
    }
}

static void on_output(void *context, struct cella_run *run, enum cella_stream stream,
                      const void *data, size_t size)
{
    struct job *job = context;
    (void)run;
    (void)data; /* the run keeps it */
    (void)size;
    note_output(job, &job->program, stream);
}

static void on_compiler_output(void *context, struct cella_run *run, enum cella_stream stream,
                               const void *data, size_t size)
{
    struct job *job = context;
    (void)run;
    (void)data;
    (void)size;
    if (job->step <= JOB_COMPILER) { /* else it is begun again, and was compiled before */
        note_output(job, &job->compiler, stream);
    }
}

int job_check_room(const struct exchange *exchange, size_t size, struct cella_error *err)
{
    return size > TENANT_ANSWER_SMALL && results_wait(exchange, err) ? -1 : 0;
}

/* The whole result, or what went wrong on our side. */
static void answer(struct exchange *exchange, const struct cella_result *result)
{
    const struct cella_error *error = cella_result_error(result);
    struct cella_error failure;
    char *json;
    size_t size;
    if (error->kind != CELLA_ERROR_NONE) {
        struct cella_error told = *error;
        if (cella_engine_check(exchange->server->engine, &failure) < 0) {
            (void)serve_hint(&told, "try again: another keeper is started");
        }
        answer_problem(exchange, 0, &told);
    } else if (cella_result_json(result, &json, &size, &failure) < 0) {
        answer_problem(exchange, 0, &failure);
    } else if (job_check_room(exchange, size, &failure) < 0) {
        free(json);
        answer_problem(exchange, 0, &failure);
    } else {
        answer_json(exchange, 200, json, size);
    }
}

void job_finish(struct job *job, const struct cella_result *result)
{
    struct server *server = job->server;
    struct cella_error err;
    job->is_done = true;
    job->result = result;
    settle(job, result);
    if (cella_result_error(result)->kind == CELLA_ERROR_NONE) {
        server->keepers_left = SERVER_KEEPERS_MAX;
    }
    job_remember_time(job, result);
    metrics_count_run(&server->metrics, result, clock_monotonic_ms() - job->began_ms);
    const struct log_about about = about_job(job);
    log_write(LOG_LEVEL_INFO, &about, "%s %s", job->id, cella_result_status(result));
    report_ended(server, &job->record, job->id, job->run, result);
    const bool answers = job->way == JOB_ANSWERS && !job->is_left;
    const bool is_large = answers && job->form.answer == NULL &&
                          cella_result_bytes(result) >= JOB_LARGE_MIN &&
                          cella_result_error(result)->kind == CELLA_ERROR_NONE;
    if (answers && job->form.answer != NULL) {
        job->form.answer(job->exchange, result, job->form.context);
    } else if (answers && !is_large) {
        answer(job->exchange, result);
    }
    if (job_put_into_history(job, result, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, &about, "%s is not remembered: %s", job->id, err.text);
    }
    if (is_large) {
        job_answer_large(job);
    }
    if (job->way == JOB_STREAMS && !job->is_left && !job->has_begun) {
        answer_events(job->exchange); /* it was told to end while it waited */
    }
    if ((job->way == JOB_STREAMS || job->way == JOB_TALKS) && !job->is_left) {
        job_wait_for_reader(job);
        exchange_resume(job->exchange);
    } else if (job->way == JOB_PART && !job->is_left) {
        job->owner.done(job->owner.context, result); /* whose it is now */
    } else {
        job_destroy(job);
        server_settle(server);
    }
}

static void on_done(void *context, struct cella_run *run)
{
    struct job *job = context;
    const struct cella_result *result = cella_run_result(run);
    if (!job_is_lost(job, result)) {
        job_finish(job, result);
    }
}

static void on_compiled(void *context, struct cella_run *run)
{
    struct job *job = context;
    (void)run;
    if (!job->is_left && job->form.compiled != NULL) {
        exchange_resume(job->exchange);
    } else if (!job->is_left) {
        job->owner.compiled(job->owner.context);
    }
}
