/* See answer.h. */
#include "front/serve/answer.h"

#include "front/serve/connection.h"
#include "front/serve/fail.h"
#include "front/serve/http.h"
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

/* What is added is ours and short: the head has room for all of it. */
static void add(struct answer *answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(answer->head + answer->head_size, ANSWER_HEAD_MAX - answer->head_size,
                         format, args);
    va_end(args);
    answer->head_size += size > 0 ? (size_t)size : 0;
    if (answer->head_size >= ANSWER_HEAD_MAX) {
        answer->head_size = ANSWER_HEAD_MAX - 1;
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

/* A connection goes on when the client wants it to and all of the request was read. */
static void begin(struct connection *connection, int status, const char *type, bool must_close)
{
    const struct http_head *head = &connection->head;
    struct answer *answer = &connection->answer;
    const char *path = head->path != NULL ? head->path : "-";
    bool is_looked_at = status == 200 && strchr(path + 1, '/') == NULL;
    *answer = (struct answer){.body = NULL};
    metrics_count_response(&connection->server->metrics, status);
    answer->closes = must_close || connection->state != CONNECTION_WORKING || !head->keep_alive ||
                     connection->server->state == SERVER_DRAINING;
    add(answer, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    add_date(answer);
    add(answer,
        "Content-Type: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n", type);
    if (answer->closes) {
        add(answer, "Connection: close\r\n");
    } else if (head->is_1_0) {
        add(answer, "Connection: keep-alive\r\n");
    }
    if (!is_looked_at) { /* those who look after the server do it all the time */
        log_line("%s %s %d %llu ms", head->method != NULL ? head->method : "-", path, status,
                 (unsigned long long)(server_now_ms() - connection->began_ms));
    }
}

static void end(struct connection *connection, char *body, size_t size)
{
    struct answer *answer = &connection->answer;
    add(answer, "Content-Length: %zu\r\n\r\n", size);
    if (connection->head.method != NULL && strcmp(connection->head.method, "HEAD") == 0) {
        free(body);
        body = NULL;
        size = 0;
    }
    connection_set_body(connection, body, size);
    connection_send(connection);
}

void answer_json(struct connection *connection, int status, char *json, size_t size)
{
    begin(connection, status, "application/json", false);
    end(connection, json, size);
}

void answer_text(struct connection *connection, const char *type, char *text, size_t size)
{
    begin(connection, 200, type, false);
    end(connection, text, size);
}

void answer_accepted(struct connection *connection, const char *path, const char *id)
{
    char *json = NULL;
    const int size = asprintf(&json, "{\"id\": \"%s\"}\n", id); /* one of ours: no escapes */
    begin(connection, 202, "application/json", false);
    add(&connection->answer, "Location: %s%s\r\nPreference-Applied: respond-async\r\n", path, id);
    end(connection, size > 0 ? json : NULL, size > 0 ? (size_t)size : 0);
}

/* `more` are further lines of the head, or "". */
static void send_problem(struct connection *connection, int status, const struct cella_error *error,
                         const char *more)
{
    struct cella_error failure;
    char *json = NULL;
    size_t size = 0;
    const char *title = status == 0 ? NULL : http_reason(status);
    if (status == 0) {
        status = cella_error_http_status(error->kind);
    }
    if (cella_problem_json(error, title, status, &json, &size, &failure) < 0) {
        json = NULL; /* memory is short: the status says enough */
        size = 0;
    }
    begin(connection, status, "application/problem+json", false);
    if (status == 429 || status == 503) {
        add(&connection->answer, "Retry-After: %d\r\n", SERVER_RETRY_SECONDS);
    }
    add(&connection->answer, "%s", more);
    end(connection, json, size);
}

void answer_problem(struct connection *connection, int status, const struct cella_error *error)
{
    send_problem(connection, status, error, "");
}

void answer_not_allowed(struct connection *connection, const char *allow)
{
    struct cella_error error;
    char line[64];
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "%s has no method %.32s", connection->head.path,
                     connection->head.method);
    (void)serve_hint(&error, "it has %s", allow);
    (void)snprintf(line, sizeof(line), "Allow: %s\r\n", allow);
    send_problem(connection, 405, &error, line);
}

/* Without a length, so the end of the connection is its end; events say by themselves whether all
 * have come. */
void answer_events(struct connection *connection)
{
    begin(connection, 200, "text/event-stream", true);
    add(&connection->answer, "\r\n");
    connection_send(connection);
}
