/* See runs.h. */
#include "front/serve/runs/runs.h"

#include "front/serve/api/api.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/http/query.h"
#include "front/serve/records/history.h"
#include "front/serve/runs/idempotency.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- beginning one ---- */

/* Before the body is read.  Nothing else than JSON: what a page of another site can send without
 * being asked for leave is never that. */
int runs_check_post(struct exchange *exchange)
{
    struct cella_error error;
    const char *type = http_header(&exchange->head, "Content-Type");
    size_t size = type != NULL ? strcspn(type, " \t;") : 0;
    if (size != strlen("application/json") || strncasecmp(type, "application/json", size) != 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's body is not said to be JSON");
        (void)serve_hint(&error, "send it with Content-Type: application/json");
        answer_problem(exchange, 415, &error);
        return -1;
    }
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return -1;
    }
    if (job_check(exchange, exchange->head.content_length, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return -1;
    }
    return 0;
}

static enum job_way way_of(const struct http_head *head)
{
    if (http_header_has(head, "Prefer", "respond-async")) { /* RFC 7240 */
        return JOB_STAYS;
    }
    return http_header_has(head, "Accept", "text/event-stream") ? JOB_STREAMS : JOB_ANSWERS;
}

void runs_post(struct exchange *exchange)
{
    struct cella_error error;
    const char *id = NULL;
    const enum job_way way = way_of(&exchange->head);
    if (exchange->body_size == 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request has no body");
        (void)serve_hint(&error, "send a program as {\"language\": \"python\", \"code\": \"...\"}");
        answer_problem(exchange, 0, &error);
        return;
    }
    if (idempotency_key(&exchange->head, &exchange->idempotency_key, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    if (exchange->idempotency_key != NULL && idempotency_answer(exchange, way)) {
        return;
    }
    if (job_start(exchange, exchange->body, exchange->body_size, way, NULL, &id, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (way == JOB_STAYS) {
        answer_accepted(exchange, RUNS "/", id);
    }
}

/* ---- those that there were ---- */

/* What stands behind the '?': every parameter that the route has there. */
struct given {
    struct query_field fields[API_PARAMETERS_MAX];
    size_t count;
};

static int read_query(const struct exchange *exchange, struct given *ret_given,
                      struct cella_error *err)
{
    const struct api_route *route = exchange->route;
    ret_given->count = 0;
    for (size_t i = 0; route->parameters[i] != NULL; i++) {
        if (route->parameters[i]->place == API_QUERY) {
            ret_given->fields[ret_given->count++] =
                (struct query_field){.name = route->parameters[i]->name};
        }
    }
    return query_read(exchange->head.query, ret_given->fields, ret_given->count, err);
}

/* NULL: it is not. */
static const char *value_of(const struct given *given, const char *name)
{
    for (size_t i = 0; i < given->count; i++) {
        if (strcmp(given->fields[i].name, name) == 0 && given->fields[i].value[0] != '\0') {
            return given->fields[i].value;
        }
    }
    return NULL;
}

/* Times are compared as texts: so they must be written as the history writes them, or be a
 * beginning of that. */
static int read_time(const struct given *given, const char *name, const char **ret_time,
                     struct cella_error *err)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    const char *time = value_of(given, name);
    for (size_t i = 0; time != NULL && time[i] != '\0'; i++) {
        const char wanted = form[i < sizeof(form) - 1 ? i : sizeof(form) - 1];
        const char letter = time[i];
        const int fits = wanted == '0' ? letter >= '0' && letter <= '9' : letter == wanted;
        const int is_end = letter == 'Z' && i >= strlen("0000-00-00T00:00");
        if (!fits && !is_end) {
            (void)serve_fail(err, CELLA_ERROR_CALLER, "%s '%s' is no time in UTC", name, time);
            return serve_hint(err, "give it as 2026-01-31, or as 2026-01-31T12:00:00Z");
        }
    }
    *ret_time = time;
    return 0;
}

static int read_count(const struct given *given, unsigned *ret_count, struct cella_error *err)
{
    const char *text = value_of(given, "limit");
    char *end = NULL;
    if (text == NULL) {
        *ret_count = HISTORY_LIST_DEFAULT;
        return 0;
    }
    const unsigned long count = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || count > HISTORY_LIST_MAX) {
        return serve_fail(err, CELLA_ERROR_CALLER, "limit '%s' is no number from 1 to %u", text,
                          HISTORY_LIST_MAX);
    }
    *ret_count = (unsigned)count;
    return 0;
}

/* Which runs are asked for.  The texts lie in `given`. */
static int read_filters(const struct exchange *exchange, struct given *ret_given,
                        struct history_query *ret_query, struct cella_error *err)
{
    struct history_query query = {.tenant = exchange_sees(exchange)};
    if (read_query(exchange, ret_given, err) < 0 ||
        read_time(ret_given, "since", &query.since, err) < 0 ||
        read_time(ret_given, "until", &query.until, err) < 0) {
        return -1;
    }
    query.status = value_of(ret_given, "status");
    query.language = value_of(ret_given, "language");
    query.policy = value_of(ret_given, "policy");
    query.tag = value_of(ret_given, "tag");
    query.text = value_of(ret_given, "q");
    query.after = value_of(ret_given, "after");
    *ret_query = query;
    return 0;
}

void runs_list(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    char *json = NULL;
    size_t size = 0;
    if (read_filters(exchange, &given, &query, &error) < 0 ||
        read_count(&given, &query.count, &error) < 0 ||
        history_list(exchange->server->history, &query, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, size);
}

/* An export on its way. */
struct export_out {
    struct server *server;
    struct tenant *tenant; /* NULL: nobody's with a key */
    struct history_export *lines;
};

/* Each holds a piece, whose lines may be long: those of many clients are bounded like all answers
 * that wait. */
static int check_answers(const struct export_out *out, struct cella_error *err)
{
    if (out->tenant != NULL && out->tenant->is_revoked) {
        return serve_fail(err, CELLA_ERROR_POLICY, "the key of %s is revoked",
                          out->tenant->key.name);
    }
    return !tenant_answers_wait(out->server, out->tenant)
               ? 0
               : serve_fail(err, CELLA_ERROR_BUSY, "too many large answers wait for their readers");
}

static int next_lines(void *context, char **ret_text, size_t *ret_size)
{
    const struct export_out *out = context;
    struct cella_error error;
    const int more = check_answers(out, &error) < 0
                         ? -1
                         : history_export_next(out->lines, ret_text, ret_size, &error);
    if (more < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "an export ends early: %s", error.text);
    }
    return more;
}

static void close_export(void *context)
{
    struct export_out *out = context;
    out->server->export_count--;
    if (out->tenant != NULL) {
        out->tenant->exports--;
    }
    history_export_close(out->lines);
    free(out);
}

void runs_export(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    struct server *server = exchange->server;
    struct tenant *tenant = exchange->tenant;
    struct export_out *out = calloc(1, sizeof(*out));
    if (out == NULL || !tenant_has_share(tenant != NULL ? tenant->exports : 0, 1,
                                         server->export_count, SERVER_EXPORTS_MAX)) {
        free(out);
        (void)serve_fail(&error, CELLA_ERROR_BUSY, "the server has %u exports, and begins no more",
                         server->export_count);
        answer_problem(exchange, 0, &error);
        return;
    }
    *out = (struct export_out){.server = server, .tenant = tenant};
    if (read_filters(exchange, &given, &query, &error) < 0 || check_answers(out, &error) < 0 ||
        history_export_open(server->history, &query, &out->lines, &error) < 0) {
        free(out);
        answer_problem(exchange, 0, &error);
        return;
    }
    server->export_count++;
    if (tenant != NULL) {
        tenant->exports++;
    }
    report_exported(exchange);
    const struct pieces pieces = {.next = next_lines, .done = close_export, .context = out};
    answer_pieces(exchange, "application/x-ndjson", &pieces);
}

void runs_count(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    char *json = NULL;
    size_t size = 0;
    if (read_filters(exchange, &given, &query, &error) < 0 ||
        history_count(exchange->server->history, &query, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, size);
}

/* ---- one of them ---- */

static void answer_none(struct exchange *exchange, const char *what, const char *id)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "no run '%.64s' is %s", id, what);
    answer_problem(exchange, 404, &error);
}

static void answer_gone(struct exchange *exchange, const char *id, enum history_found found)
{
    struct cella_error error;
    if (found == HISTORY_TOO_LARGE) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the result of %.64s was too large to be kept",
                         id);
        (void)serve_hint(&error, "begin runs whose result is to be fetched later with "
                                 "`Prefer: respond-async`");
    } else {
        (void)serve_fail(&error, CELLA_ERROR_CALLER,
                         "the result of %.64s was not kept: its policy wants no output in the "
                         "history",
                         id);
    }
    answer_problem(exchange, 410, &error);
}

void runs_get(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(RUNS "/");
    struct cella_error error;
    enum history_found found;
    char *json = NULL;
    size_t size = 0;
    if (history_find(exchange->server->history, id, exchange_sees(exchange), &found, &json, &size,
                     &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    switch (found) {
    case HISTORY_NONE:
        answer_none(exchange, "known", id);
        break;
    case HISTORY_PENDING:
        answer_under_way(exchange, id);
        break;
    case HISTORY_TOO_LARGE:
    case HISTORY_NOT_KEPT:
        answer_gone(exchange, id, found);
        break;
    case HISTORY_RESULT:
        answer_json(exchange, 200, json, size);
        break;
    }
}

void runs_delete(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(RUNS "/");
    if (job_cancel(exchange->server, id, exchange_sees(exchange)) < 0) {
        answer_none(exchange, "on its way", id);
        return;
    }
    report_cancelled(exchange, id);
    answer_under_way(exchange, id);
}
