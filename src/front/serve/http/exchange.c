/* See exchange.h. */
#include "front/serve/http/exchange.h"

#include "base/clock.h"
#include "front/serve/api/routes.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/records/report.h"

#include <assert.h>
#include <stdlib.h>

/* First room for a body. */
#define BODY_FIRST 4096U
/* There is always room for such a one, whoever has sent large ones. */
#define BODY_SMALL ((size_t)64 << 10)

/* Of a trace that begins with it: whether somebody wants it. */
static unsigned flags_of(const struct exchange *exchange)
{
    return exchange->server->otlp != NULL ? TRACE_SAMPLED : 0;
}

/* Half of the places are for connections that have no request yet; of what is left of the others
 * one connection has at most as many as it leaves.  So with many streams on each a few connections
 * keep out no other. */
static bool has_place(const struct connection *connection)
{
    const unsigned all = SERVER_EXCHANGES_MAX - (connection->is_local ? 0 : SERVER_EXCHANGES_LOCAL);
    const unsigned taken = connection->server->exchange_count;
    const unsigned own = connection->exchange_count;
    return own == 0 ? taken < all : taken < all / 2 && own < all / 2 - taken;
}

struct exchange *exchange_create(struct connection *connection)
{
    struct exchange *exchange = has_place(connection) ? calloc(1, sizeof(*exchange)) : NULL;
    if (exchange == NULL) {
        return NULL;
    }
    exchange->in = malloc(HTTP_HEAD_MAX);
    if (exchange->in == NULL) {
        free(exchange);
        return NULL;
    }
    connection->server->exchange_count++;
    connection->exchange_count++;
    exchange->connection = connection;
    exchange->server = connection->server;
    exchange->head = (struct http_head){.method = "-", .path = "-", .query = ""};
    exchange->began_ms = clock_monotonic_ms();
    trace_begin(&exchange->trace, NULL, flags_of(exchange)); /* until its head is there */
    TAILQ_INSERT_TAIL(&connection->exchanges, exchange, link);
    return exchange;
}

void exchange_drop_body(struct exchange *exchange)
{
    exchange->server->body_bytes -= exchange->body_capacity;
    if (exchange->tenant != NULL) {
        exchange->tenant->body_bytes -= exchange->body_capacity;
    }
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_size = 0;
    exchange->body_capacity = 0;
}

void exchange_leave(struct exchange *exchange)
{
    const struct source source = exchange->source;
    if (source.context != NULL) {
        source.leave(source.context);
        exchange_count_waiting(exchange->server, exchange->tenant, source.held, 0);
        exchange_forget(exchange);
    }
}

void exchange_destroy(struct exchange *exchange)
{
    if (exchange == NULL) {
        return;
    }
    report_answered(exchange);
    if (exchange->put_off != NULL) {
        TAILQ_REMOVE(exchange->put_off, exchange, waiting);
    }
    TAILQ_REMOVE(&exchange->connection->exchanges, exchange, link);
    exchange->server->exchange_count--;
    exchange->connection->exchange_count--;
    exchange_leave(exchange);
    exchange_drop_body(exchange);
    exchange_set_body(exchange, NULL, 0);
    free(exchange->idempotency_key);
    free(exchange->in);
    free(exchange);
}

int exchange_check(struct exchange *exchange)
{
    trace_begin(&exchange->trace, &exchange->head, flags_of(exchange));
    exchange->state = exchange->head.has_body ? EXCHANGE_BODY : EXCHANGE_WORKING;
    return routes_check(exchange);
}

static bool may_grow(const struct exchange *exchange, size_t more)
{
    const struct tenant *tenant = exchange->tenant;
    const size_t most = exchange_most(exchange, SERVER_BODIES_MAX, SERVER_BODIES_LOCAL);
    const size_t others = tenant != NULL ? tenant->body_bytes - exchange->body_capacity : 0;
    return exchange->body_capacity + more <= BODY_SMALL ||
           tenant_has_share(others, more, exchange->server->body_bytes, most);
}

char *exchange_grow(struct exchange *exchange, size_t size, struct cella_error *err)
{
    struct server *server = exchange->server;
    size_t wanted = exchange->body_capacity > 0 ? exchange->body_capacity : BODY_FIRST;
    while (wanted < exchange->body_size + size) { /* both are small beside a size_t */
        wanted *= 2;
    }
    const size_t more = wanted - exchange->body_capacity;
    if (more > 0 && !may_grow(exchange, more)) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "too many large requests at one time");
        return NULL;
    }
    char *body = more == 0 ? exchange->body : realloc(exchange->body, wanted);
    if (body == NULL) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "memory is short");
        return NULL;
    }
    exchange->body = body;
    exchange->body_capacity = wanted;
    server->body_bytes += more;
    if (exchange->tenant != NULL) {
        exchange->tenant->body_bytes += more;
    }
    return body + exchange->body_size;
}

char *exchange_reserve(struct exchange *exchange, size_t size)
{
    struct cella_error error;
    char *end = exchange_grow(exchange, size, &error);
    if (end == NULL) {
        answer_problem(exchange, 0, &error);
    }
    return end;
}

int exchange_extend(struct exchange *exchange, size_t size)
{
    exchange->body_size += size;
    if (exchange->body_size <= EXCHANGE_BODY_MAX) {
        return 0;
    }
    routes_refuse_size(exchange);
    return -1;
}

void exchange_handle(struct exchange *exchange)
{
    exchange->state = EXCHANGE_WORKING;
    routes_handle(exchange);
    if (exchange->put_off == NULL) {
        exchange_drop_body(exchange);
    }
}

void exchange_late(struct exchange *exchange)
{
    struct cella_error error;
    const bool has_head = exchange->state == EXCHANGE_BODY;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's %s was not there after %u s",
                     has_head ? "body" : "head",
                     (has_head ? EXCHANGE_BODY_MS : EXCHANGE_HEAD_MS) / 1000);
    answer_problem(exchange, 408, &error);
}

bool exchange_next_piece(struct exchange *exchange)
{
    char *piece = NULL;
    size_t size = 0;
    exchange_set_body(exchange, NULL, 0);
    const struct source *source = &exchange->source;
    const int more = source->context != NULL ? source->next(source->context, &piece, &size) : 0;
    exchange->answer.is_broken = more < 0;
    exchange_set_body(exchange, piece, size);
    return more > 0;
}

void exchange_count_waiting(struct server *server, struct tenant *tenant, size_t before, size_t now)
{
    assert(server->answer_bytes >= before);
    server->answer_bytes = server->answer_bytes - before + now;
    if (tenant != NULL) {
        tenant->answer_bytes = tenant->answer_bytes - before + now;
    }
}

void exchange_set_body(struct exchange *exchange, char *body, size_t size)
{
    struct answer *answer = &exchange->answer;
    exchange_count_waiting(exchange->server, exchange->tenant, answer->body_size, size);
    free(answer->body);
    answer->body = body;
    answer->body_size = size;
    answer->sent = 0;
}

void exchange_send(struct exchange *exchange)
{
    exchange->answer.is_early = exchange->state != EXCHANGE_WORKING;
    exchange->state = EXCHANGE_ANSWERING;
    if (!exchange->connection->is_ending) { /* else it goes with it, and soon */
        exchange->connection->protocol->answer(exchange);
    }
}

void exchange_resume(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_ANSWERING && !exchange->connection->is_ending) {
        exchange->connection->protocol->resume(exchange);
    }
}
