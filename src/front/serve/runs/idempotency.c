/* See idempotency.h. */
#include "front/serve/runs/idempotency.h"

#include "base/json.h"
#include "front/serve/api/events.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/records/history.h"
#include "front/serve/records/record.h"
#include "front/serve/runs/batches.h"
#include "front/serve/runs/runs.h"
#include "front/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the key ---- */

static bool is_visible(char letter)
{
    return letter > ' ' && letter <= '~';
}

/* What stands in the quotes of a structured field (RFC 9651, a String); -1 when it is none. */
static int unquote(const char *text, char *ret_key)
{
    size_t size = 0;
    for (text++; *text != '"'; text++) {
        if (*text == '\\') {
            text++;
            if (*text != '"' && *text != '\\') {
                return -1;
            }
        }
        if ((!is_visible(*text) && *text != ' ') || size == IDEMPOTENCY_KEY_MAX) {
            return -1;
        }
        ret_key[size++] = *text;
    }
    ret_key[size] = '\0';
    return size > 0 && text[1] == '\0' ? 0 : -1;
}

/* Without quotes, as many send it. */
static int take_bare(const char *text, char *ret_key)
{
    size_t size = 0;
    for (; text[size] != '\0'; size++) {
        if (!is_visible(text[size]) || strchr("\"\\,;", text[size]) != NULL ||
            size == IDEMPOTENCY_KEY_MAX) {
            return -1;
        }
        ret_key[size] = text[size];
    }
    ret_key[size] = '\0';
    return size > 0 ? 0 : -1;
}

int idempotency_key(const struct http_head *head, char **ret_key, struct cella_error *err)
{
    const char *text = http_header(head, "Idempotency-Key");
    char key[IDEMPOTENCY_KEY_MAX + 1];
    if (text == NULL) {
        *ret_key = NULL;
        return 0;
    }
    if (http_header_count(head, "Idempotency-Key") > 1) {
        return serve_fail(err, CELLA_ERROR_CALLER, "there is more than one Idempotency-Key");
    }
    if ((text[0] == '"' ? unquote(text, key) : take_bare(text, key)) < 0) {
        (void)serve_fail(err, CELLA_ERROR_CALLER,
                         "the Idempotency-Key is not 1 to %u letters of ASCII in quotes",
                         IDEMPOTENCY_KEY_MAX);
        return serve_hint(err,
                          "send a new UUID with each request, and the same one when it is sent "
                          "again");
    }
    *ret_key = strdup(key);
    return *ret_key != NULL ? 0 : serve_fail(err, CELLA_ERROR_HOST, "memory is short");
}

/* ---- what it finds ---- */

static void answer_conflict(struct exchange *exchange, const char *path, const char *id)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER,
                     "the first request with this Idempotency-Key is still on its way");
    (void)serve_hint(&error, "it is %s%s: ask again when it has ended", path, id);
    answer_problem(exchange, 409, &error);
}

static void answer_other(struct exchange *exchange)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER,
                     "this Idempotency-Key was used with another request");
    (void)serve_hint(&error, "send a new key with each request");
    answer_problem(exchange, 422, &error);
}

static void answer_gone(struct exchange *exchange, const char *id)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER,
                     "the request with this Idempotency-Key was run as %s, and its result is no "
                     "longer there",
                     id);
    (void)serve_hint(&error, "send a new key to have it run again");
    answer_problem(exchange, 410, &error);
}

/* The events that tell of what is over; all else stands in the result.  `more` are members of the
 * first one. */
static void answer_as_events(struct exchange *exchange, const char *id, const char *more,
                             char *json, size_t size)
{
    char *text = NULL;
    const bool has_end = size > 0 && json[size - 1] == '\n';
    const int text_size = asprintf(&text,
                                   EVENT_SSE_NAME "started" EVENT_SSE_DATA
                                                  "{\"id\":\"%s\"%s}" EVENT_SSE_END EVENT_SSE_NAME
                                                  "result" EVENT_SSE_DATA "%.*s" EVENT_SSE_END,
                                   id, more, (int)(size - has_end), json);
    free(json);
    answer_text(exchange, "text/event-stream", text_size > 0 ? text : NULL,
                text_size > 0 ? (size_t)text_size : 0);
}

static void answer_run(struct exchange *exchange, const char *id, enum job_way way)
{
    struct cella_error error;
    enum history_found found;
    char *json = NULL;
    size_t size = 0;
    if (way == JOB_STAYS) {
        answer_accepted(exchange, RUNS "/", id);
    } else if (history_find(exchange->server->history, id, exchange_tenant(exchange), &found, &json,
                            &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (found == HISTORY_PENDING && job_is_going(exchange->server, id)) {
        answer_conflict(exchange, RUNS "/", id);
    } else if (found != HISTORY_RESULT) {
        answer_gone(exchange, id);
    } else if (job_check_room(exchange, size, &error) < 0) {
        free(json);
        answer_problem(exchange, 0, &error);
    } else if (way == JOB_STREAMS) {
        answer_as_events(exchange, id, "", json, size);
    } else {
        answer_json(exchange, 200, json, size);
    }
}

/* How many tests a batch's result tells of. */
static size_t count_tests(const char *json, size_t size)
{
    struct cella_error unused;
    AUTO_JSON json_t *result = NULL;
    return json_text_parse_values(json, size, size, size, &result, &unused) == 0
               ? json_array_size(json_object_get(result, "tests"))
               : 0; /* it is ours: memory is short */
}

static void answer_batch(struct exchange *exchange, const char *id, enum job_way way)
{
    struct server *server = exchange->server;
    struct cella_error error;
    char more[40];
    char *json = NULL;
    size_t size = 0;
    bool found;
    if (way == JOB_STAYS) {
        answer_accepted(exchange, BATCHES "/", id);
    } else if (history_find_batch(server->history, id, exchange_tenant(exchange), &found, &json,
                                  &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (json == NULL && batch_is_going(server, id)) {
        answer_conflict(exchange, BATCHES "/", id);
    } else if (json == NULL) {
        answer_gone(exchange, id);
    } else if (job_check_room(exchange, size, &error) < 0) {
        free(json);
        answer_problem(exchange, 0, &error);
    } else if (way == JOB_STREAMS) {
        (void)snprintf(more, sizeof(more), ",\"tests\":%zu", count_tests(json, size));
        answer_as_events(exchange, id, more, json, size);
    } else {
        answer_json(exchange, 200, json, size);
    }
}

/* Returns whether there is nothing to answer any more, or, with *ret_id, the same request. */
static bool look(struct exchange *exchange, char ret_id[HISTORY_ID_SIZE], bool *ret_same)
{
    char digest[RECORD_DIGEST_SIZE];
    struct cella_error error;
    enum history_key_found found = HISTORY_KEY_NONE;
    record_digest(exchange->body, exchange->body_size, digest);
    const struct history_key key = {exchange->idempotency_key, digest};
    *ret_same = false;
    if (digest[0] == '\0') {
        (void)serve_fail(&error, CELLA_ERROR_HOST, "memory is short");
        answer_problem(exchange, 0, &error);
        return true;
    }
    if (history_find_key(exchange->server->history, exchange_tenant(exchange), &key, &found, ret_id,
                         &error) < 0) {
        answer_problem(exchange, 0, &error);
        return true;
    }
    if (found == HISTORY_KEY_OTHER) {
        answer_other(exchange);
    }
    *ret_same = found == HISTORY_KEY_SAME;
    return found != HISTORY_KEY_NONE;
}

bool idempotency_answer(struct exchange *exchange, enum job_way way)
{
    char id[HISTORY_ID_SIZE];
    bool is_same;
    const bool was_used = look(exchange, id, &is_same);
    if (is_same) {
        answer_run(exchange, id, way);
    }
    return was_used;
}

bool idempotency_answer_batch(struct exchange *exchange, enum job_way way)
{
    char id[HISTORY_ID_SIZE];
    bool is_same;
    const bool was_used = look(exchange, id, &is_same);
    if (is_same) {
        answer_batch(exchange, id, way);
    }
    return was_used;
}
