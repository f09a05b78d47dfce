/*
 * See api.h.  Divisions: parameters; bodies; answers; the routes.
 */
#include "front/serve/api/api.h"

#include "front/serve/api/information.h"
#include "front/serve/http/query.h"
#include "front/serve/records/history.h"
#include "front/serve/runs/batches.h"
#include "front/serve/runs/interactive.h"
#include "front/serve/runs/runs.h"

/* ---- parameters ---- */

#define WORD_MAX (QUERY_VALUE_MAX - 1)

static const struct api_parameter run_id = {"id", API_PATH, API_TEXT, "of the run", 0, 0};
static const struct api_parameter batch_id = {"id", API_PATH, API_TEXT, "of the batch", 0, 0};
static const struct api_parameter status = {
    "status", API_QUERY, API_VERDICT, "runs with that verdict", 0, 0};
static const struct api_parameter language = {
    "language", API_QUERY, API_TEXT, "runs in that language", WORD_MAX, 0};
static const struct api_parameter policy = {"policy", API_QUERY, API_TEXT, "runs under that policy",
                                            WORD_MAX, 0};
static const struct api_parameter tag = {
    "tag", API_QUERY, API_TEXT, "runs with exactly that mark", WORD_MAX, 0};
static const struct api_parameter since = {
    "since",    API_QUERY,
    API_MOMENT, "asked for then or later: UTC, `2026-01-31` or `2026-01-31T12:00:00Z`",
    0,          0};
static const struct api_parameter until = {"until", API_QUERY, API_MOMENT, "asked for before then",
                                           0,       0};
static const struct api_parameter words = {
    "q",
    API_QUERY,
    API_TEXT,
    "runs with these words one after the other in the code or the output; of each the first 64 KiB",
    WORD_MAX,
    0};
static const struct api_parameter after = {
    "after",  API_QUERY, API_TEXT, "those before that run: `next` of the answer before",
    WORD_MAX, 0};
static const struct api_parameter limit = {
    "limit", API_QUERY, API_COUNT, "at most so many", HISTORY_LIST_MAX, HISTORY_LIST_DEFAULT};
static const struct api_parameter prefer = {
    "Prefer",
    API_HEADER,
    API_TEXT,
    "`respond-async`: nobody waits, and the result is fetched later; `wait=SECONDS`: how long the "
    "run may wait for room",
    0,
    0};

static const struct api_parameter idempotency_key = {
    "Idempotency-Key",
    API_HEADER,
    API_TEXT,
    "a request that comes again with the same key, in quotes, within a day is not run again, but "
    "answered with what it began the first time, which goes on when its client goes away",
    0,
    0};

/* Of answers. */
static const struct api_parameter location = {
    "Location", API_HEADER, API_TEXT, "where the result will be", 0, 0};
static const struct api_parameter preference_applied = {"Preference-Applied", API_HEADER, API_TEXT,
                                                        "`respond-async`",    0,          0};
static const struct api_parameter retry_after = {
    "Retry-After", API_HEADER, API_COUNT, "in how many seconds to come again", 0, 0};

static const struct api_parameter rate_limit_policy = {
    "RateLimit-Policy", API_HEADER, API_TEXT, "what the key is for, if it has bounds", 0, 0};
static const struct api_parameter rate_limit = {"RateLimit",          API_HEADER, API_TEXT,
                                                "what is left of it", 0,          0};
static const struct api_parameter challenge = {"WWW-Authenticate",   API_HEADER, API_TEXT,
                                               "as RFC 6750 has it", 0,          0};

/* ---- bodies ---- */

#define JSON_OF(schema)                                                                            \
    {                                                                                              \
        "application/json", schema                                                                 \
    }
#define EVENTS                                                                                     \
    {                                                                                              \
        "text/event-stream", "Text"                                                                \
    }
#define PLAIN_TEXT                                                                                 \
    {                                                                                              \
        "text/plain", "Text"                                                                       \
    }
#define PROBLEM                                                                                    \
    {                                                                                              \
        "application/problem+json", API_PROBLEM                                                    \
    }

static const struct api_body request = JSON_OF("Request");
static const struct api_body batch = JSON_OF("Batch");

/* ---- answers ---- */

/* Good ones of a single route are written there. */
#define GOOD(schema, meaning) (&(const struct api_answer){200, 0, JSON_OF(schema), meaning, {NULL}})

#define GOOD_LINES(schema, meaning)                                                                \
    (&(const struct api_answer){200, 0, {"application/x-ndjson", schema}, meaning, {NULL}})

static const struct api_answer result = {
    200, 0, JSON_OF("Result"), "the program ran, however it ended", {NULL}};
static const struct api_answer events = {
    200,
    0,
    EVENTS,
    "with `Accept: text/event-stream`: `started`, `stdout`, `stderr`, and at the end `result`",
    {NULL}};
static const struct api_answer batch_events = {
    200,
    0,
    EVENTS,
    "with `Accept: text/event-stream`: `started`, `test` for each as it ends, and at the end "
    "`result`",
    {NULL}};
static const struct api_answer accepted = {202,
                                           0,
                                           JSON_OF("Accepted"),
                                           "with `Prefer: respond-async`: the run was begun",
                                           {&location, &preference_applied}};
static const struct api_answer under_way = {
    202, 0, JSON_OF("Accepted"), "the run is on its way", {NULL}};

static const struct api_answer wrong = {
    0,
    CELLA_ERROR_CALLER,
    PROBLEM,
    "the request is wrong (`caller`), or its language is not to be had (`runtime`)",
    {NULL}};
static const struct api_answer forbidden = {
    0, CELLA_ERROR_POLICY, PROBLEM, "the policy forbids it, or the key is not for it", {NULL}};
static const struct api_answer stranger = {403, 0, PROBLEM, "this client may not ask", {NULL}};
static const struct api_answer busy = {0,
                                       CELLA_ERROR_BUSY,
                                       PROBLEM,
                                       "too much at one time, or more than the key is for",
                                       {&retry_after, &rate_limit_policy, &rate_limit}};
static const struct api_answer unauthorized = {
    401, 0, PROBLEM, "a key is demanded, and none, or none that is good, was sent", {&challenge}};
static const struct api_answer failed = {
    0,
    CELLA_ERROR_BUG,
    PROBLEM,
    "Cella failed (`bug`), or the host lacks something (`host`)",
    {NULL}};
const struct api_answer api_switched = {
    101, 0, {NULL, NULL}, "the connection is a WebSocket", {NULL}};
const struct api_answer api_no_websocket = {
    426, 0, PROBLEM, "it is asked for otherwise than by a WebSocket", {NULL}};
static const struct api_answer none = {404, 0, PROBLEM, "there is no such run", {NULL}};
static const struct api_answer not_kept = {
    410,
    0,
    PROBLEM,
    "the result was not kept: it was too large, or its policy wants none kept",
    {NULL}};
static const struct api_answer under_way_still = {
    409, 0, PROBLEM, "the first request with this `Idempotency-Key` is still on its way", {NULL}};
static const struct api_answer other_request = {
    422, 0, PROBLEM, "this `Idempotency-Key` was used with another request", {NULL}};
static const struct api_answer batch_lost = {
    410, 0, PROBLEM, "the server ended while it was on its way", {NULL}};
static const struct api_answer batch_gone = {
    410,
    0,
    PROBLEM,
    "what this `Idempotency-Key` has begun was lost, or is no longer there",
    {NULL}};
const struct api_answer api_not_ready = {
    503, 0, PROBLEM, "the server starts, or is about to end", {&retry_after}};

static const struct api_answer too_late = {
    408, 0, PROBLEM, "the request was not there in time", {NULL}};
static const struct api_answer too_large = {413, 0, PROBLEM, "the body is too large", {NULL}};
const struct api_answer api_wrong_type = {
    415, 0, PROBLEM, "the body is not said to be JSON", {NULL}};
static const struct api_answer head_too_large = {
    431, 0, PROBLEM, "the head of the request is too large", {NULL}};

const struct api_answer *const api_common_answers[] = {
    &wrong, &forbidden, &stranger, &too_late, &head_too_large, &failed, NULL};
const struct api_answer *const api_body_answers[] = {&too_large, NULL};
const struct api_answer *const api_key_answers[] = {&unauthorized, &busy, NULL};

/* ---- the routes ---- */

/* In the order of their names, as those want it who check such documents. */
const struct api_group api_groups[] = {
    {"execute", "The contract of NVIDIA's local sandbox"},
    {"piston", "The contract of Piston, version 2"},
    {"runs", "Programs, their results, and what is remembered of them"},
    {"server", "What there is, and how it does"},
};
const size_t api_group_count = sizeof(api_groups) / sizeof(api_groups[0]);

#define HANDLED_BY(function) .name = #function, .handle = (function)

const struct api_route api_routes[] = {
    {.method = "POST",
     .path = RUNS,
     HANDLED_BY(runs_post),
     .check = runs_check_post,
     .group = "runs",
     .summary = "Runs a program",
     .parameters = {&prefer, &idempotency_key},
     .body = &request,
     .answers = {&result, &events, &accepted, &under_way_still, &other_request, &not_kept,
                 &api_wrong_type, &api_not_ready}},
    {.method = "POST",
     .path = BATCHES,
     HANDLED_BY(batches_post),
     .check = runs_check_post,
     .group = "runs",
     .summary = "Runs a program with many tests, and judges each",
     .parameters = {&prefer, &idempotency_key},
     .body = &batch,
     .answers = {GOOD("BatchResult", "what became of each test"), &batch_events, &accepted,
                 &under_way_still, &other_request, &batch_gone, &api_wrong_type, &api_not_ready}},
    {.method = "GET",
     .path = BATCHES "/{id}",
     HANDLED_BY(batches_get),
     .group = "runs",
     .summary = "What became of a batch that nobody waited for",
     .parameters = {&batch_id},
     .answers = {GOOD("BatchResult", "it has ended"), &under_way, &none, &batch_lost}},
    {.method = "DELETE",
     .path = BATCHES "/{id}",
     HANDLED_BY(batches_delete),
     .group = "runs",
     .summary = "Cancels a batch that is on its way",
     .parameters = {&batch_id},
     .answers = {&under_way, &none}},
    {.method = "GET",
     .path = RUNS,
     HANDLED_BY(runs_list),
     .group = "runs",
     .summary = "The runs that there were, the newest first",
     .parameters = {&status, &language, &policy, &tag, &since, &until, &words, &after, &limit},
     .answers = {GOOD("RunList", "a page of them")}},
    {.method = "GET",
     .path = RUNS "/export",
     HANDLED_BY(runs_export),
     .group = "runs",
     .summary = "All of them, with request and result, as JSON lines",
     .parameters = {&status, &language, &policy, &tag, &since, &until, &words, &after},
     .answers = {GOOD_LINES("Text", "a line for each, the newest first, as a list has it and with "
                                    "`request` and `result`, null where they were not kept")}},
    {.method = "GET",
     .path = RUNS "/interactive",
     HANDLED_BY(interactive_get),
     .group = "runs",
     .summary = "Runs a program by WebSocket, whose input is given as it goes on",
     .answers = {&api_switched, &api_no_websocket, &api_not_ready}},
    {.method = "GET",
     .path = RUNS "/{id}",
     HANDLED_BY(runs_get),
     .group = "runs",
     .summary = "The result of a run",
     .parameters = {&run_id},
     .answers = {&result, &under_way, &none, &not_kept}},
    {.method = "DELETE",
     .path = RUNS "/{id}",
     HANDLED_BY(runs_delete),
     .group = "runs",
     .summary =
         "Cancels a run that is on its way; its result, `cancelled`, goes to who asked for it",
     .parameters = {&run_id},
     .answers = {&under_way, &none}},
    {.method = "GET",
     .path = "/v1/stats",
     HANDLED_BY(runs_count),
     .group = "runs",
     .summary = "Of the runs that are remembered: how many, by verdict, rates, times",
     .parameters = {&since, &until},
     .answers = {GOOD("Statistics", "of all that are asked for")}},
    {.method = "GET",
     .path = "/v1/languages",
     HANDLED_BY(information_languages),
     .group = "server",
     .summary = "What `cella languages --json` prints",
     .answers = {GOOD("Languages", "those that are known, and which of them are there")}},
    {.method = "GET",
     .path = "/v1/policies",
     HANDLED_BY(information_policies),
     .group = "server",
     .summary = "What `cella policy list --json` prints",
     .answers = {GOOD("Policies", "those that a request may name")}},
    {.method = "GET",
     .path = "/v1/pools",
     HANDLED_BY(information_pools),
     .access = API_OPERATOR,
     .group = "server",
     .summary = "What is made ahead of need",
     .answers = {GOOD("Pools", "a row for each kind of sandbox"), &api_not_ready}},
    {.method = "GET",
     .path = "/healthz",
     HANDLED_BY(information_health),
     .access = API_ANYBODY,
     .group = "server",
     .summary = "Whether the server answers",
     .answers = {GOOD("Status", "it does")}},
    {.method = "GET",
     .path = "/readyz",
     HANDLED_BY(information_readiness),
     .access = API_ANYBODY,
     .group = "server",
     .summary = "Whether runs are taken",
     .answers = {GOOD("Status", "they are"), &api_not_ready}},
    {.method = "GET",
     .path = "/version",
     HANDLED_BY(information_version),
     .group = "server",
     .summary = "The version of Cella",
     .answers = {GOOD("Version", "of the server")}},
    {.method = "GET",
     .path = "/metrics",
     HANDLED_BY(information_metrics),
     .access = API_OPERATOR,
     .group = "server",
     .summary = "What Prometheus reads",
     .answers = {&(const struct api_answer){200, 0, PLAIN_TEXT, "in its text format", {NULL}}}},
    {.method = "GET",
     .path = "/openapi.json",
     HANDLED_BY(information_openapi),
     .group = "server",
     .summary = "What there is by HTTP: this document",
     .answers = {GOOD("Document", "OpenAPI 3.1")}},
    {.method = "GET",
     .path = "/asyncapi.json",
     HANDLED_BY(information_asyncapi),
     .group = "server",
     .summary = "What there is by server-sent events and by WebSocket",
     .answers = {GOOD("Document", "AsyncAPI 3.0")}},
};
const size_t api_route_count = sizeof(api_routes) / sizeof(api_routes[0]);
