/* See runs.h. */
#include "front/serve/runs/runs.h"

#include "base/names.h"
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

#include <assert.h>
#include <cella/host.h>
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
    if (job_check(exchange, exchange->head.content_length, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return -1;
    }
    return 0;
}

void runs_post(struct exchange *exchange)
{
    struct cella_error error;
    const char *id = NULL;
    const enum job_way way = job_way_of(&exchange->head);
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

/* There would be none with another word, and that would look as if there had been none. */
static int check_status(const char *status, struct cella_error *err)
{
    struct names_guess guess;
    char words[sizeof(err->text)] = "";
    size_t size = 0;
    if (status == NULL) {
        return 0;
    }
    names_guess_init(&guess, status);
    for (size_t i = 0; cella_status_name(i) != NULL; i++) {
        const char *word = cella_status_name(i);
        if (strcmp(word, status) == 0) {
            return 0;
        }
        names_guess_offer_shortened(&guess, word);
        size += (size_t)snprintf(words + size, sizeof(words) - size, " %s", word);
        assert(size < sizeof(words)); /* we know them all */
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER, "status '%.64s' is none of:%s", status, words);
    return names_guess_hint(&guess, err);
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
    if (check_status(query.status, err) < 0) {
        return -1;
    }
    query.language = value_of(ret_given, "language");
    query.policy = value_of(ret_given, "policy");
    query.tag = value_of(ret_given, "tag");
    query.text = value_of(ret_given, "q");
    query.after = value_of(ret_given, "after");
    *ret_query = query;
    return 0;
}

/* A search on its way. */
struct search_out {
    struct server *server;
    struct tenant *tenant; /* NULL: nobody's with a key */
    size_t answers_max;    /* that may wait beside it */
    struct history_search *search;
    bool is_export;
};

static struct search_out search_for(const struct exchange *exchange, bool is_export)
{
    return (struct search_out){
        .server = exchange->server,
        .tenant = exchange->tenant,
        .answers_max = exchange_most(exchange, SERVER_ANSWERS_MAX, SERVER_ANSWERS_LOCAL),
        .is_export = is_export};
}

/* Of those that there are, the tenant's own, or the server's. */
static unsigned *count_of(const struct search_out *out, bool own)
{
    if (own && out->tenant == NULL) {
        return NULL;
    }
    return own ? (out->is_export ? &out->tenant->exports : &out->tenant->searches)
               : (out->is_export ? &out->server->export_count : &out->server->search_count);
}

/* Each holds a piece, whose lines may be long: those of many clients are bounded like all answers
 * that wait. */
static int check_answers(const struct search_out *out, struct cella_error *err)
{
    if (out->tenant != NULL && out->tenant->is_revoked) {
        return serve_fail(err, CELLA_ERROR_POLICY, "the key of %s is revoked",
                          out->tenant->key.name);
    }
    return !tenant_answers_wait(out->server, out->tenant, out->answers_max)
               ? 0
               : serve_fail(err, CELLA_ERROR_BUSY, "too many large answers wait for their readers");
}

static int next_part(void *context, char **ret_text, size_t *ret_size)
{
    const struct search_out *out = context;
    struct cella_error error;
    const int more = check_answers(out, &error) < 0
                         ? -1
                         : history_search_next(out->search, ret_text, ret_size, &error);
    if (more < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "%s ends early: %s",
                  out->is_export ? "an export" : "a search", error.text);
    }
    return more;
}

static void close_search(void *context)
{
    struct search_out *out = context;
    (*count_of(out, false))--;
    if (out->tenant != NULL) {
        (*count_of(out, true))--;
    }
    history_search_close(out->search);
    free(out);
}

/* The answer comes as it is found.  Takes the search, of which `like` says whose it is. */
static int answer_search(struct exchange *exchange, const struct search_out *like,
                         struct history_search *search, const char *type, struct cella_error *err)
{
    struct search_out *out = malloc(sizeof(*out));
    if (out == NULL) {
        history_search_close(search);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *out = *like;
    out->search = search;
    (*count_of(out, false))++;
    if (out->tenant != NULL) {
        (*count_of(out, true))++;
    }
    const struct source source = {.next = next_part, .leave = close_search, .context = out};
    answer_pieces(exchange, type, &source);
    return 0;
}

/* Whether one more may be begun. */
static int check_count(const struct search_out *like, struct cella_error *err)
{
    const unsigned count = *count_of(like, false);
    const unsigned own = like->tenant != NULL ? *count_of(like, true) : 0;
    const unsigned max = like->is_export ? SERVER_EXPORTS_MAX : SERVER_SEARCHES_MAX;
    return tenant_has_share(own, 1, count, max)
               ? 0
               : serve_fail(err, CELLA_ERROR_BUSY, "the server has %u %s, and begins no more",
                            count, like->is_export ? "exports" : "searches");
}

/* What is found by looking at a part of the history is answered at once. */
static int search(struct exchange *exchange, enum history_form form,
                  const struct history_query *query, struct cella_error *err)
{
    const struct search_out like = search_for(exchange, false);
    struct history_search *search;
    char *json = NULL;
    size_t size = 0;
    if (check_count(&like, err) < 0 ||
        history_search_open(exchange->server->history, form, query, &search, err) < 0) {
        return -1;
    }
    const int more = history_search_next(search, &json, &size, err);
    if (more > 0 && json == NULL) {
        return answer_search(exchange, &like, search, "application/json", err);
    }
    history_search_close(search);
    if (more < 0) {
        return -1;
    }
    answer_json(exchange, 200, json, size);
    return 0;
}

void runs_list(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    if (read_filters(exchange, &given, &query, &error) < 0 ||
        read_count(&given, &query.count, &error) < 0 ||
        search(exchange, HISTORY_LIST, &query, &error) < 0) {
        answer_problem(exchange, 0, &error);
    }
}

void runs_count(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    if (read_filters(exchange, &given, &query, &error) < 0 ||
        search(exchange, HISTORY_COUNTS, &query, &error) < 0) {
        answer_problem(exchange, 0, &error);
    }
}

void runs_export(struct exchange *exchange)
{
    struct given given;
    struct cella_error error;
    struct history_query query;
    struct history_search *search;
    const struct search_out like = search_for(exchange, true);
    if (check_count(&like, &error) < 0 || read_filters(exchange, &given, &query, &error) < 0 ||
        check_answers(&like, &error) < 0 ||
        history_search_open(like.server->history, HISTORY_LINES, &query, &search, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    report_exported(exchange);
    if (answer_search(exchange, &like, search, "application/x-ndjson", &error) < 0) {
        answer_problem(exchange, 0, &error);
    }
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
        (void)serve_hint(&error, "of runs begun with `Prefer: respond-async` more is kept; "
                                 "--history says how much room there is");
    } else if (found == HISTORY_PENDING) { /* its job is gone, and has left nothing */
        (void)serve_fail(&error, CELLA_ERROR_HOST,
                         "%.64s has ended, and its result could not be written down", id);
        (void)serve_hint(&error, "the server's log says why; run it again");
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
        if (job_is_going(exchange->server, id)) {
            answer_under_way(exchange, id);
        } else {
            answer_gone(exchange, id, found);
        }
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
