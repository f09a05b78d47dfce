/* See queue.h. */
#include "front/serve/tenants/queue.h"

#include "base/attributes.h"
#include "base/clock.h"
#include "front/serve/contracts/execute_sessions.h"
#include "front/serve/fail.h"
#include "front/serve/host/loop.h"
#include "front/serve/http/exchange.h"
#include "front/serve/records/metrics.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"
#include "front/serve/tenants/tenants.h"

/* ---- the clock ---- */

static void set_clock(struct server *server)
{
    const struct queue_place *first = TAILQ_FIRST(&server->queue.line);
    const uint64_t now = clock_monotonic_ms();
    const uint64_t until = first != NULL ? first->until_ms : 0;
    loop_set_timer(server->queue.clock, until > now ? (unsigned)(until - now) : until != 0 ? 1 : 0);
}

static void on_clock(void *context)
{
    struct server *server = context;
    const uint64_t now = clock_monotonic_ms();
    struct queue_place *place;
    while ((place = TAILQ_FIRST(&server->queue.line)) != NULL && place->until_ms != 0 &&
           place->until_ms <= now) {
        metrics_count_refusal(&server->metrics, REFUSAL_LATE);
        job_is_late(place->job, (now - place->since_ms) / 1000);
    }
    set_clock(server);
}

int queue_open(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.timeout = on_clock};
    TAILQ_INIT(&server->queue.line);
    server->queue.clock = loop_add_timer(server->loop, &events, server);
    return server->queue.clock != NULL ? 0 : serve_fail(err, CELLA_ERROR_HOST, "memory is short");
}

void queue_close(struct server *server)
{
    if (server->queue.clock != NULL) {
        loop_close(server->queue.clock);
        server->queue.clock = NULL;
    }
}

/* ---- who is taken ---- */

/* Behind all who wait; of whom some have less on their way than others, and do not. */
unsigned queue_seconds(const struct server *server)
{
    return pace_seconds(&server->pace, server->queue.count + 1, clock_monotonic_ms());
}

static int refuse(struct exchange *exchange, struct cella_error *err)
{
    exchange->retry_seconds = pace_seconds(&exchange->server->pace, 1, clock_monotonic_ms());
    metrics_count_refusal(&exchange->server->metrics, REFUSAL_QUEUE);
    return serve_hint(err, "try again when some have ended");
}

int queue_check(struct exchange *exchange, uint64_t bytes, struct cella_error *err)
{
    const struct server *server = exchange->server;
    const struct tenant *tenant = exchange->tenant;
    const size_t jobs_max = exchange_most(exchange, SERVER_JOBS_MAX, SERVER_JOBS_LOCAL);
    const size_t bytes_max =
        exchange_most(exchange, SERVER_QUEUE_BYTES_MAX, SERVER_QUEUE_BYTES_LOCAL);
    const size_t left = server->queue.bytes < bytes_max ? bytes_max - server->queue.bytes : 0;
    if (server->job_count >= jobs_max) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "the server has %u runs, and takes no more now",
                         server->job_count);
        return refuse(exchange, err);
    }
    if (tenant != NULL && !tenant_has_share(tenant->jobs, 1, server->job_count, jobs_max)) {
        (void)serve_fail(err, CELLA_ERROR_BUSY,
                         "%s has %u runs, and the server takes no more of one key now",
                         tenant->key.name, tenant->jobs);
        return refuse(exchange, err);
    }
    if (server->queue.count > 0 && (bytes > left || (tenant != NULL && tenant->waiting_bytes > 0 &&
                                                     tenant->waiting_bytes + bytes > left))) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "too many large requests wait for room");
        return refuse(exchange, err);
    }
    return 0;
}

/* ---- the line ---- */

void queue_enter(struct server *server, struct queue_place *place, uint64_t wait_ms)
{
    struct queue *queue = &server->queue;
    place->waits = true;
    place->since_ms = clock_monotonic_ms();
    place->until_ms = wait_ms == UINT64_MAX ? 0 : place->since_ms + wait_ms;
    struct queue_place *before = TAILQ_LAST(&queue->line, queue_line);
    /* As a number no time at all is the longest. */
    while (before != NULL && before->until_ms - 1 > place->until_ms - 1) {
        before = TAILQ_PREV(before, queue_line, link);
    }
    if (before != NULL) {
        TAILQ_INSERT_AFTER(&queue->line, before, place, link);
    } else {
        TAILQ_INSERT_HEAD(&queue->line, place, link);
        set_clock(server);
    }
    queue->count++;
    queue->bytes += place->bytes;
    if (place->tenant != NULL) {
        place->tenant->waiting_bytes += place->bytes;
    }
    execute_sessions_wake(server); /* idle ones give way */
}

void queue_leave(struct server *server, struct queue_place *place)
{
    struct queue *queue = &server->queue;
    if (!place->waits) {
        return;
    }
    place->waits = false;
    const bool was_first = place == TAILQ_FIRST(&queue->line);
    TAILQ_REMOVE(&queue->line, place, link);
    if (was_first) {
        set_clock(server);
    }
    queue->count--;
    queue->bytes -= place->bytes;
    if (place->tenant != NULL) {
        place->tenant->waiting_bytes -= place->bytes;
    }
}
