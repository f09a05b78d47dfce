/* See batch.h.  Divisions: beginning; the end; events.  batch_run.c runs the tests. */
#include "front/serve/runs/batch_inside.h"

#include "base/clock.h"
#include "base/cpus.h"
#include "front/serve/api/events.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"
#include "front/serve/records/history.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"
#include "front/serve/tenants/tenants.h"

#include <cella/host.h>
#include <cella/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- beginning ---- */

static int next_piece(void *context, char **ret_text, size_t *ret_size);
static void leave(void *context);

static bool has_engine(const struct server *server)
{
    struct cella_error unused;
    return server->state != SERVER_STARTING && cella_engine_check(server->engine, &unused) == 0;
}

/* With a lost engine a server that ends has no other: then tests fail, and are told as that. */
static bool may_use_engine(const struct server *server)
{
    return server->engine != NULL && (server->state == SERVER_DRAINING || has_engine(server));
}

static bool may_begin(const struct batch *batch)
{
    return batch->next < batch->test_count && !batch->is_stopped &&
           batch->taken < batch->slot_count && (batch->program.is_ready || batch->taken == 0) &&
           may_use_engine(batch->server);
}

static void finish(struct batch *batch);

/* Begins what may be begun, and ends when there is nothing more. */
void batch_pump(struct batch *batch)
{
    struct cella_error err;
    if (batch->is_pumping || batch->is_over) {
        return; /* whoever does it goes on */
    }
    batch->is_pumping = true;
    while (may_begin(batch)) {
        struct batch_slot *slot = batch_take_slot(batch);
        if (batch_begin_test(slot, &err) < 0) {
            batch_say(batch_outcome_of(slot), batch_verdict_of_error(&err), err.text);
            batch_end_test(slot);
        }
    }
    batch->is_pumping = false;
    if (batch->taken == 0 && (batch->is_stopped || batch->next == batch->test_count)) {
        finish(batch);
    }
}

static void destroy(struct batch *batch)
{
    if (batch->exchange != NULL) {
        exchange_forget(batch->exchange);
    }
    TAILQ_REMOVE(&batch->server->batches, batch, link);
    batch->server->batch_count--;
    batch->server->batch_bytes -= batch->bytes;
    if (batch->tenant != NULL) {
        batch->tenant->batches--;
        batch->tenant->batch_bytes -= batch->bytes;
        batch->tenant->runs -= batch->slot_count;
    }
    for (size_t i = 0; batch->outcomes != NULL && i < batch->test_count; i++) {
        batch_outcome_done(&batch->outcomes[i]);
    }
    batch_forget(&batch->program);
    batch_forget(&batch->checker);
    batch_request_destroy(batch->request);
    free(batch->outcomes);
    free(batch->told_order);
    free(batch->compile);
    free(batch);
}

static int check_load(const struct exchange *exchange, size_t size, struct cella_error *err)
{
    const struct server *server = exchange->server;
    const struct tenant *tenant = exchange->tenant;
    const unsigned count = tenant != NULL ? tenant->batches : 0;
    const size_t bytes = tenant != NULL ? tenant->batch_bytes : 0;
    const char *who = count > 0 ? tenant->key.name : "the server";
    if (!tenant_has_share(count, 1, server->batch_count, SERVER_BATCHES_MAX)) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "%s has %u batches, and takes no more now", who,
                         count > 0 ? count : server->batch_count);
        return serve_hint(err, "try again when some have ended");
    }
    if (!tenant_has_share(bytes, size, server->batch_bytes, SERVER_BATCH_BYTES_MAX)) {
        (void)serve_fail(err, CELLA_ERROR_BUSY,
                         "%s has %zu bytes of batches, and takes no %zu more now", who,
                         count > 0 ? bytes : server->batch_bytes, size);
        return serve_hint(err, "try again when some have ended");
    }
    return 0;
}

/* What counts for it as long as it is there. */
static void add(struct batch *batch)
{
    TAILQ_INSERT_TAIL(&batch->server->batches, batch, link);
    batch->server->batch_count++;
    batch->server->batch_bytes += batch->bytes;
    if (batch->tenant != NULL) {
        batch->tenant->batches++;
        batch->tenant->batch_bytes += batch->bytes;
    }
}

static int fill(struct batch *batch, struct batch_request *request, struct cella_error *err)
{
    struct tenant *tenant = batch->tenant;
    batch->request = request;
    batch->test_count = request->test_count;
    batch->outcomes = calloc(batch->test_count, sizeof(*batch->outcomes));
    batch->told_order = calloc(batch->test_count, sizeof(*batch->told_order));
    if (batch->outcomes == NULL || batch->told_order == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    for (size_t i = 0; i < batch->test_count; i++) {
        batch->outcomes[i].name = request->tests[i].name;
        batch->outcomes[i].checker_code = -1;
        batch_say(&batch->outcomes[i], BATCH_SKIPPED, BATCH_SKIPPED_TEXT);
    }
    const uint64_t processors = cpus_usable();
    batch->slot_count = request->parallel != 0            ? request->parallel
                        : processors > BATCH_PARALLEL_MAX ? BATCH_PARALLEL_MAX
                                                          : (unsigned)processors;
    const uint64_t most = tenant != NULL ? tenant->key.bounds[KEY_CONCURRENCY] : 0;
    if (most > 0 && batch->slot_count > most - tenant->runs) { /* there is at least one left */
        batch->slot_count = (unsigned)(most - tenant->runs);
    }
    if (tenant != NULL) {
        tenant->runs += batch->slot_count;
    }
    for (unsigned i = 0; i < batch->slot_count; i++) {
        batch->slots[i].batch = batch;
    }
    return 0;
}

/* The first test, with which the batch is refused or goes on. */
static int begin_first(struct batch *batch, struct cella_error *err)
{
    struct batch_slot *slot = batch_take_slot(batch);
    if (batch_begin_test(slot, err) == 0) {
        return 0;
    }
    batch_leave_slot(slot);
    return batch_request_fail(batch->request, 0, err);
}

/* It is in the history before its acceptance is told, where its policy lets it be. */
static int accept_later(struct batch *batch, const char *key_name, struct cella_error *err)
{
    const struct history_key key = {key_name, batch->record.request_digest};
    const struct job *first = batch->slots[0].job;
    if ((cella_run_keeps(job_run(first)) & CELLA_KEEP_OUTPUT) == 0) {
        (void)serve_fail(err, CELLA_ERROR_POLICY,
                         "the policy wants no output in the history, so no batch can be fetched "
                         "later");
        return serve_hint(err, "ask without %s",
                          key_name != NULL ? "Idempotency-Key" : "`Prefer: respond-async`");
    }
    return history_accept_batch(batch->server->history, batch->id, batch->record.tenant,
                                key_name != NULL ? &key : NULL, err);
}

int batch_start(struct exchange *exchange, const char *json, size_t size, enum job_way way,
                char ret_id[ID_SIZE], struct cella_error *err)
{
    struct server *server = exchange->server;
    struct batch_request *request;
    if (job_check(exchange, size, err) < 0 || check_load(exchange, size, err) < 0 ||
        batch_request_parse(json, size, &request, err) < 0) {
        return -1;
    }
    struct batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL) {
        batch_request_destroy(request);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *batch = (struct batch){
        .server = server,
        .tenant = exchange->tenant,
        .way = way,
        .bytes = size,
        .is_resumed = true,
        .is_pumping = true,
        .is_accepted = way == JOB_STAYS || exchange->idempotency_key != NULL,
    };
    record_init(&batch->record, exchange_tenant(exchange), &exchange->trace, json, size);
    connection_client(exchange->connection, batch->record.client);
    add(batch);
    if (fill(batch, request, err) < 0 || batch_request_check(request, server->engine, err) < 0 ||
        id_make(clock_realtime_ms(), batch->id, err) < 0 || begin_first(batch, err) < 0) {
        destroy(batch);
        return -1;
    }
    if (batch->is_accepted && accept_later(batch, exchange->idempotency_key, err) < 0) {
        batch_leave_all(batch, BATCH_CANCELLED, "");
        destroy(batch);
        return -1;
    }
    log_line("%s is a batch of %zu test%s", batch->id, batch->test_count,
             serve_plural(batch->test_count));
    if (way != JOB_STAYS) {
        batch->exchange = exchange;
        exchange->source = (struct source){
            .next = next_piece, .leave = leave, .context = batch, .is_resumed = true};
    }
    memcpy(ret_id, batch->id, ID_SIZE);
    batch->is_pumping = false;
    batch_pump(batch); /* an interpreter needs no compiler */
    return 0;
}

/* ---- the end ---- */

/* The verdict is that of the first test that failed; one that was not begun did not fail. */
static void conclude(struct batch *batch)
{
    if (batch->is_uncompiled) {
        return;
    }
    batch->verdict = batch->is_cancelled ? BATCH_CANCELLED : BATCH_ACCEPTED;
    (void)snprintf(batch->message, sizeof(batch->message), "%s",
                   batch->is_cancelled ? "the batch was cancelled" : "every test was accepted");
    for (size_t i = 0; i < batch->test_count; i++) {
        const struct batch_outcome *outcome = &batch->outcomes[i];
        if (outcome->verdict != BATCH_ACCEPTED && outcome->verdict != BATCH_SKIPPED) {
            batch->verdict = outcome->verdict;
            (void)snprintf(batch->message, sizeof(batch->message), "test %s: %.*s", outcome->name,
                           BATCH_MESSAGE_MAX / 2, outcome->message);
            return;
        }
    }
}

static void answer(struct batch *batch)
{
    struct cella_error err;
    char *json;
    size_t size;
    if (batch_result_json(batch, &json, &size, &err) < 0) {
        answer_problem(batch->exchange, 0, &err);
    } else if (job_check_room(batch->exchange, size, &err) < 0) {
        free(json);
        answer_problem(batch->exchange, 0, &err);
    } else {
        answer_json(batch->exchange, 200, json, size);
    }
}

/* Who is to fetch it finds it there. */
static void remember(const struct batch *batch)
{
    struct cella_error err;
    char *json = NULL;
    size_t size;
    if (batch_result_json(batch, &json, &size, &err) < 0 ||
        history_finish_batch(batch->server->history, batch->id, json, size, &err) < 0) {
        log_line("%s is not remembered: %s", batch->id, err.text);
    }
    free(json);
}

static void finish(struct batch *batch)
{
    struct server *server = batch->server;
    batch->is_over = true;
    conclude(batch);
    log_line("%s %s", batch->id, batch_verdict_word(batch->verdict));
    if (batch->is_accepted) {
        remember(batch);
    }
    if (batch->way == JOB_STREAMS) {
        exchange_resume(batch->exchange);
        return;
    }
    if (batch->way == JOB_ANSWERS) {
        answer(batch);
    }
    destroy(batch);
    server_settle(server);
}

static void leave(void *context)
{
    struct batch *batch = context;
    struct server *server = batch->server;
    if (batch->is_accepted && !batch->is_over) { /* who comes again with its key finds it */
        exchange_forget(batch->exchange);
        batch->exchange = NULL;
        batch->way = JOB_STAYS;
        return;
    }
    if (!batch->is_over) {
        log_line("%s is cancelled: its client has gone", batch->id);
    }
    batch_leave_all(batch, BATCH_CANCELLED, "");
    destroy(batch);
    server_settle(server);
}

static void cancel(struct batch *batch)
{
    batch->is_cancelled = true;
    batch_leave_all(batch, BATCH_CANCELLED, "the batch was cancelled");
    for (size_t i = 0; i < batch->test_count; i++) {
        if (!batch->outcomes[i].has_ended) {
            batch_say(&batch->outcomes[i], BATCH_CANCELLED, "the batch was cancelled");
        }
    }
    batch_pump(batch);
}

bool batch_is_going(const struct server *server, const char *id)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        if (strcmp(batch->id, id) == 0) {
            return true;
        }
    }
    return false;
}

int batch_cancel(struct server *server, const char *id, const char *tenant)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        if (!batch->is_over && strcmp(batch->id, id) == 0 &&
            (tenant == NULL || strcmp(batch->record.tenant, tenant) == 0)) {
            cancel(batch);
            return 0;
        }
    }
    return -1;
}

/* One that still goes on. */
static struct batch *find_going(struct server *server, const char *tenant)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        if (!batch->is_over && (tenant == NULL || strcmp(batch->record.tenant, tenant) == 0)) {
            return batch;
        }
    }
    return NULL;
}

void batch_cancel_all(struct server *server, const char *tenant)
{
    struct batch *batch;
    while ((batch = find_going(server, tenant)) != NULL) {
        cancel(batch);
    }
}

/* What a program wrote is gone with its run; a checker that is begun has it. */
static void forget_judged(struct batch *batch)
{
    for (unsigned i = 0; i < batch->slot_count; i++) {
        struct batch_slot *slot = &batch->slots[i];
        if (slot->judged != batch->program.first) {
            cella_run_free(slot->judged);
        }
        slot->judged = NULL;
        if (slot->waits) {
            batch_say(batch_outcome_of(slot), BATCH_INTERNAL, "Cella lost what the program wrote");
            batch_note_end(batch, slot->index);
            batch_leave_slot(slot);
        }
    }
}

void batch_forget_all(struct server *server)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        forget_judged(batch);
        batch_forget(&batch->program);
        batch_forget(&batch->checker);
    }
}

static struct batch *find_unresumed(struct server *server)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        if (!batch->is_resumed) {
            break;
        }
    }
    return batch;
}

void batch_resume_all(struct server *server)
{
    struct batch *batch = NULL;
    TAILQ_FOREACH(batch, &server->batches, link)
    {
        batch->is_resumed = false;
    }
    while ((batch = find_unresumed(server)) != NULL) { /* one that ends may end others */
        batch->is_resumed = true;
        batch_pump(batch);
    }
}

void batch_destroy_all(struct server *server)
{
    while (!TAILQ_EMPTY(&server->batches)) {
        struct batch *batch = TAILQ_FIRST(&server->batches);
        batch_leave_all(batch, BATCH_CANCELLED, "");
        destroy(batch);
    }
}

/* ---- events ---- */

/* "event: NAME\ndata: JSON\n\n"; the JSON, which is malloc'ed, ends in a newline. */
static int make_event(enum batch_event event, char *json, char **ret_text, size_t *ret_size)
{
#define EVENT_NAME(id, name, ...) [BATCH_EVENT_##id] = (name),
    static const char *const names[] = {BATCH_EVENTS(EVENT_NAME)};
#undef EVENT_NAME
    char *text = NULL;
    const int size = asprintf(&text, EVENT_SSE_NAME "%s" EVENT_SSE_DATA "%s\n", names[event], json);
    free(json);
    if (size < 0) {
        return -1;
    }
    *ret_text = text;
    *ret_size = (size_t)size;
    return 0;
}

static int make_next(struct batch *batch, char **ret_text, size_t *ret_size)
{
    struct cella_error unused;
    char *json = NULL;
    size_t size;
    if (!batch->told_start) {
        batch->told_start = true;
        return asprintf(&json, "{\"id\":\"%s\",\"tests\":%zu}\n", batch->id, batch->test_count) < 0
                   ? -1
                   : make_event(BATCH_EVENT_STARTED, json, ret_text, ret_size);
    }
    if (batch->told < batch->ended) {
        return batch_outcome_json(batch, batch->told_order[batch->told++], &json, &size, &unused) <
                       0
                   ? -1
                   : make_event(BATCH_EVENT_TEST, json, ret_text, ret_size);
    }
    if (!batch->is_over) {
        return 0;
    }
    batch->told_end = true;
    return batch_result_json(batch, &json, &size, &unused) < 0
               ? -1
               : make_event(BATCH_EVENT_RESULT, json, ret_text, ret_size);
}

static int next_piece(void *context, char **ret_text, size_t *ret_size)
{
    struct batch *batch = context;
    *ret_text = NULL;
    *ret_size = 0;
    /* Without memory the events end early, which their reader sees. */
    if (batch->told_end || make_next(batch, ret_text, ret_size) < 0) {
        leave(batch);
        return 0;
    }
    return 1;
}
