/* See runs.h. */
#include "front/serve/runs.h"

#include "front/serve/answer.h"
#include "front/serve/exchange.h"
#include "front/serve/fail.h"
#include "front/serve/history.h"
#include "front/serve/http.h"
#include "front/serve/job.h"
#include "front/serve/query.h"
#include "front/serve/server.h"

#include <stdio.h>
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
    if (job_start(exchange, exchange->body, exchange->body_size, way, &id, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (way == JOB_STREAMS) {
        answer_events(exchange);
    } else if (way == JOB_STAYS) {
        answer_accepted(exchange, RUNS "/", id);
    }
}

/* ---- those that there were ---- */

enum { STATUS, LANGUAGE, POLICY, TAG, SINCE, UNTIL, WORDS, AFTER, COUNT, FIELD_COUNT };

static const char *given(const struct query_field *field)
{
    return field->value[0] != '\0' ? field->value : NULL;
}

/* Times are compared as texts: so they must be written as the history writes them, or be a
 * beginning of that. */
static int check_time(const struct query_field *field, struct cella_error *err)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    for (size_t i = 0; field->value[i] != '\0'; i++) {
        const char wanted = form[i < sizeof(form) - 1 ? i : sizeof(form) - 1];
        const char letter = field->value[i];
        const int fits = wanted == '0' ? letter >= '0' && letter <= '9' : letter == wanted;
        const int is_end = letter == 'Z' && i >= strlen("0000-00-00T00:00");
        if (!fits && !is_end) {
            (void)serve_fail(err, CELLA_ERROR_CALLER, "%s '%s' is no time in UTC", field->name,
                             field->value);
            return serve_hint(err, "give it as 2026-01-31, or as 2026-01-31T12:00:00Z");
        }
    }
    return 0;
}

static int read_count(const struct query_field *field, unsigned *ret_count, struct cella_error *err)
{
    char *end = NULL;
    const unsigned long count = strtoul(field->value, &end, 10);
    if (field->value[0] == '\0') {
        *ret_count = HISTORY_LIST_DEFAULT;
        return 0;
    }
    if (field->value[0] < '1' || field->value[0] > '9' || *end != '\0' ||
        count > HISTORY_LIST_MAX) {
        return serve_fail(err, CELLA_ERROR_CALLER, "limit '%s' is no number from 1 to %u",
                          field->value, HISTORY_LIST_MAX);
    }
    *ret_count = (unsigned)count;
    return 0;
}

void runs_list(struct exchange *exchange)
{
    struct query_field fields[FIELD_COUNT] = {
        [STATUS] = {"status", ""}, [LANGUAGE] = {"language", ""}, [POLICY] = {"policy", ""},
        [TAG] = {"tag", ""},       [SINCE] = {"since", ""},       [UNTIL] = {"until", ""},
        [WORDS] = {"q", ""},       [AFTER] = {"after", ""},       [COUNT] = {"limit", ""},
    };
    struct cella_error error;
    struct history_query query = {.tenant = exchange_sees(exchange)};
    char *json = NULL;
    size_t size = 0;
    if (query_read(exchange->head.query, fields, FIELD_COUNT, &error) < 0 ||
        check_time(&fields[SINCE], &error) < 0 || check_time(&fields[UNTIL], &error) < 0 ||
        read_count(&fields[COUNT], &query.count, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    query.status = given(&fields[STATUS]);
    query.language = given(&fields[LANGUAGE]);
    query.policy = given(&fields[POLICY]);
    query.tag = given(&fields[TAG]);
    query.since = given(&fields[SINCE]);
    query.until = given(&fields[UNTIL]);
    query.text = given(&fields[WORDS]);
    query.after = given(&fields[AFTER]);
    if (history_list(exchange->server->history, &query, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, size);
}

void runs_count(struct exchange *exchange)
{
    struct query_field fields[] = {{"since", ""}, {"until", ""}};
    struct cella_error error;
    struct history_query query = {.tenant = exchange_sees(exchange)};
    char *json = NULL;
    size_t size = 0;
    if (query_read(exchange->head.query, fields, 2, &error) < 0 ||
        check_time(&fields[0], &error) < 0 || check_time(&fields[1], &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    query.since = given(&fields[0]);
    query.until = given(&fields[1]);
    if (history_count(exchange->server->history, &query, &json, &size, &error) < 0) {
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

/* It is on its way. */
static void answer_id(struct exchange *exchange, const char *id)
{
    char *json = NULL;
    int size = asprintf(&json, "{\"id\": \"%s\"}\n", id); /* one of ours: it needs no escape */
    answer_json(exchange, 202, size > 0 ? json : NULL, size > 0 ? (size_t)size : 0);
}

void runs_get(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(RUNS "/");
    struct cella_error error;
    char *json = NULL;
    size_t size = 0;
    const int found =
        history_find(exchange->server->history, id, exchange_sees(exchange), &json, &size, &error);
    if (found < 0) {
        answer_problem(exchange, 0, &error);
    } else if (found == 0) {
        answer_none(exchange, "known", id);
    } else if (json == NULL) {
        answer_id(exchange, id);
    } else if (size == 0) {
        free(json);
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the result of %.64s was too large to be kept",
                         id);
        (void)serve_hint(&error, "begin runs whose result is to be fetched later with "
                                 "`Prefer: respond-async`");
        answer_problem(exchange, 410, &error);
    } else {
        answer_json(exchange, 200, json, size);
    }
}

void runs_delete(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(RUNS "/");
    if (job_cancel(exchange->server, id, exchange_sees(exchange)) < 0) {
        answer_none(exchange, "on its way", id);
        return;
    }
    answer_id(exchange, id);
}
