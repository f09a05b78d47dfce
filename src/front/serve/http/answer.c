/* See answer.h. */
#include "front/serve/http/answer.h"

#include "base/clock.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/log.h"

#include <cella/wire.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is added is ours and short.  Should there be no room for all of it, it is left out, and
 * send_answer() sees to that. */
static void add(struct answer *answer, const char *format, ...)
{
    va_list args;
    const size_t room = ANSWER_FIELDS_MAX - answer->fields_size;
    va_start(args, format);
    const int size = vsnprintf(answer->fields + answer->fields_size, room, format, args);
    va_end(args);
    if (size >= 0 && (size_t)size < room) {
        answer->fields_size += (size_t)size;
    } else {
        answer->is_overfull = true;
    }
}

static void add_date(struct answer *answer)
{
    char date[40];
    struct tm parts;
    time_t now = time(NULL);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    add(answer, "Date: %s\r\n", date);
}

/* `type` NULL: there is no body. */
static void begin(struct exchange *exchange, int status, const char *type)
{
    const struct http_head *head = &exchange->head;
    char parent[TRACE_PARENT_SIZE];
    char limits[TENANT_FIELDS_MAX];
    const bool is_looked_at =
        status == 200 && strcmp(head->method, "POST") != 0 && strchr(head->path + 1, '/') == NULL;
    exchange->answer = (struct answer){.status = status};
    metrics_count_response(&exchange->server->metrics, status,
                           clock_monotonic_ms() - exchange->began_ms);
    add_date(&exchange->answer);
    if (type != NULL) {
        add(&exchange->answer, "Content-Type: %s\r\n", type);
    }
    add(&exchange->answer, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    trace_parent(&exchange->trace, parent);
    add(&exchange->answer, "X-Request-Id: %s\r\ntraceparent: %s\r\n", exchange->trace.request_id,
        parent);
    tenant_fields(exchange->tenant, limits);
    add(&exchange->answer, "%s", limits);
    add(&exchange->answer, "%s", exchange->contract != NULL ? exchange->contract->fields : "");
    if (!is_looked_at) { /* those who look after the server do it all the time */
        struct log_about about = exchange_about(exchange);
        about.status = status;
        about.duration_ms = clock_monotonic_ms() - exchange->began_ms;
        log_write(LOG_LEVEL_INFO, &about, "%s %s %d %llu ms", head->method, head->path, status,
                  (unsigned long long)about.duration_ms);
    }
}

/* An answer that lacks a part of its head is none: in its place we say that we have failed. */
static void send_answer(struct exchange *exchange)
{
    if (exchange->answer.is_overfull) {
        const struct log_about about = exchange_about(exchange);
        log_write(LOG_LEVEL_ERROR, &about, "the head of an answer to %s %s has more than %u bytes",
                  exchange->head.method, exchange->head.path, ANSWER_FIELDS_MAX);
        exchange_set_body(exchange, NULL, 0);
        exchange->answer = (struct answer){.status = 500};
        add_date(&exchange->answer);
    }
    exchange_send(exchange);
}

static void end(struct exchange *exchange, char *body, size_t size)
{
    exchange->answer.length = size;
    if (strcmp(exchange->head.method, "HEAD") == 0) {
        free(body);
        body = NULL;
        size = 0;
    }
    exchange_set_body(exchange, body, size);
    send_answer(exchange);
}

void answer_json(struct exchange *exchange, int status, char *json, size_t size)
{
    begin(exchange, status, "application/json");
    end(exchange, json, size);
}

void answer_text(struct exchange *exchange, const char *type, char *text, size_t size)
{
    begin(exchange, 200, type);
    end(exchange, text, size);
}

static void end_with_id(struct exchange *exchange, const char *id)
{
    char *json = NULL;
    const int size = asprintf(&json, "{\"id\": \"%s\"}\n", id); /* one of ours: no escapes */
    end(exchange, size > 0 ? json : NULL, size > 0 ? (size_t)size : 0);
}

void answer_under_way(struct exchange *exchange, const char *id)
{
    begin(exchange, 202, "application/json");
    end_with_id(exchange, id);
}

void answer_accepted(struct exchange *exchange, const char *path, const char *id)
{
    begin(exchange, 202, "application/json");
    add(&exchange->answer, "Location: %s%s\r\nPreference-Applied: respond-async\r\n", path, id);
    end_with_id(exchange, id);
}

/* As a contract has it, or as a problem.  Without a body when memory is short: the status says
 * enough. */
static const char *make_problem(const struct exchange *exchange, const struct cella_error *error,
                                int *status, struct buffer *ret_body)
{
    struct cella_error failure;
    char text[sizeof(error->text) + sizeof(error->hint) + sizeof(": ")];
    const char *title = *status == 0 ? NULL : http_reason(*status);
    buffer_init(ret_body, 0);
    if (*status == 0) {
        *status = cella_error_http_status(error->kind);
    }
    if (exchange->contract != NULL) {
        const char *between = error->hint[0] != '\0' ? ": " : "";
        (void)snprintf(text, sizeof(text), "%s%s%s", error->text, between, error->hint); /* fits */
        *status = error->kind == CELLA_ERROR_POLICY ? CONTRACT_FORBIDDEN : *status;
        *status = exchange->contract->refuse(text, *status, ret_body);
        return "application/json";
    }
    (void)cella_problem_json(error, title, *status, &ret_body->data, &ret_body->size, &failure);
    return "application/problem+json";
}

/* `more` are further lines of the head, or "". */
static void send_problem(struct exchange *exchange, int status, const struct cella_error *error,
                         const char *more)
{
    struct buffer body;
    const char *type = make_problem(exchange, error, &status, &body);
    report_denied(exchange, status, error);
    begin(exchange, status, type);
    if (status == 429 || status == 503) {
        add(&exchange->answer, "Retry-After: %u\r\n",
            exchange->retry_seconds > 0 ? exchange->retry_seconds : SERVER_RETRY_SECONDS);
    }
    add(&exchange->answer, "%s", more);
    end(exchange, body.data, body.size);
}

void answer_problem(struct exchange *exchange, int status, const struct cella_error *error)
{
    send_problem(exchange, status, error, "");
}

void answer_unauthorized(struct exchange *exchange, const struct cella_error *error,
                         const char *challenge)
{
    char line[256];
    (void)snprintf(line, sizeof(line), "WWW-Authenticate: %s\r\n", challenge);
    send_problem(exchange, 401, error, line);
}

void answer_not_allowed(struct exchange *exchange, const char *allow)
{
    struct cella_error error;
    char line[64];
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s has no method %.32s", exchange->head.path,
                     exchange->head.method);
    (void)serve_hint(&error, "it has %s", allow);
    (void)snprintf(line, sizeof(line), "Allow: %s\r\n", allow);
    send_problem(exchange, 405, &error, line);
}

void answer_no_websocket(struct exchange *exchange, const struct cella_error *error)
{
    send_problem(exchange, 426, error, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

void answer_websocket(struct exchange *exchange, const char *accept)
{
    begin(exchange, 101, NULL);
    add(&exchange->answer,
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", accept);
    send_answer(exchange);
}

void answer_pieces(struct exchange *exchange, const char *type, const struct source *source)
{
    exchange->source = *source;
    exchange_count_waiting(exchange->server, exchange->tenant, 0, source->held);
    begin(exchange, 200, type);
    exchange->answer.has_pieces = strcmp(exchange->head.method, "HEAD") != 0;
    exchange->answer.is_framed = true;
    send_answer(exchange);
}

/* Without a length: events say by themselves whether all have come. */
void answer_events(struct exchange *exchange)
{
    begin(exchange, 200, "text/event-stream");
    exchange->answer.has_pieces = true;
    send_answer(exchange);
}
