/* The routes of the contract of /execute.  See execute.h. */
#include "front/serve/contracts/execute.h"

#include "base/json_write.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/piston.h"
#include "front/serve/contracts/workspace.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SESSIONS       "/sessions/"
#define SESSION_ID_MAX 128U
/* Sessions that are known to have been begun; of more the oldest are forgotten. */
#define SESSIONS_MAX 1024U

/* ---- errors ---- */

static void refuse(const struct cella_error *error, int *status, struct buffer *body)
{
    char text[sizeof(error->text) + sizeof(error->hint) + 4];
    const char *between = error->hint[0] != '\0' ? ": " : "";
    (void)snprintf(text, sizeof(text), "%s%s%s", error->text, between, error->hint);
    *status = error->kind == CELLA_ERROR_POLICY ? 400 : *status;
    if (execute_error_write(text, body) < 0) {
        buffer_done(body); /* the status says enough */
    }
}

static void fail(struct exchange *exchange, int status, const char *text)
{
    struct buffer body;
    const int written = execute_error_write(text, &body);
    contract_answer(exchange, status, &body, written < 0);
}

/* Of what is around it; the key is "error" or "message". */
static void tell(struct exchange *exchange, int status, const char *key, const char *text)
{
    struct buffer body;
    struct json_writer json;
    buffer_init(&body, 0);
    json_write_init(&json, &body);
    json_write_open(&json, '{');
    json_write_member(&json, key, text);
    json_write_close(&json, '}');
    contract_answer(exchange, status, &body, json.failed);
}

/* ---- what is around it ---- */

/* What clients of both contracts look for there. */
static void get_root(struct exchange *exchange)
{
    struct buffer body;
    buffer_init(&body, 0);
    const int written =
        buffer_add_string(&body, "{\"status\":\"ok\",\"message\":\"Piston v" PISTON_VERSION "\"}");
    contract_answer(exchange, 200, &body, written < 0);
}

static void get_health(struct exchange *exchange)
{
    struct cella_error err;
    struct buffer body;
    if (server_check_ready(exchange->server, &err) < 0) {
        answer_problem(exchange, 503, &err);
        return;
    }
    buffer_init(&body, 0);
    const int written = buffer_add_string(&body, "{\"status\":\"healthy\",\"worker\":\"unknown\"}");
    contract_answer(exchange, 200, &body, written < 0);
}

/* ---- sessions ---- */

/* Which were begun: numbers made of their tenants and ids. */
struct execute_sessions {
    uint64_t items[SESSIONS_MAX];
    size_t count;
    size_t next; /* that the next one takes the place of */
};

/* FNV-1a, of whose it is and what it is called. */
static uint64_t session_number(const struct exchange *exchange, const char *id)
{
    const char *const parts[] = {exchange_tenant(exchange), "/", id};
    uint64_t number = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        for (const char *at = parts[i]; *at != '\0'; at++) {
            number = (number ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
        }
    }
    return number;
}

static uint64_t *find_session(struct execute_sessions *sessions, uint64_t number)
{
    for (size_t i = 0; sessions != NULL && i < sessions->count; i++) {
        if (sessions->items[i] == number) {
            return &sessions->items[i];
        }
    }
    return NULL;
}

static int add_session(struct server *server, uint64_t number)
{
    if (server->execute_sessions == NULL) {
        server->execute_sessions = calloc(1, sizeof(*server->execute_sessions));
    }
    struct execute_sessions *sessions = server->execute_sessions;
    if (sessions == NULL) {
        return -1;
    }
    sessions->items[sessions->next] = number;
    sessions->next = (sessions->next + 1) % SESSIONS_MAX;
    sessions->count += sessions->count < SESSIONS_MAX;
    return 0;
}

/* None lives on behind its call. */
static void get_sessions(struct exchange *exchange)
{
    struct buffer body;
    buffer_init(&body, 0);
    const int written = buffer_add_string(&body, "{\"sessions\":{},\"backend\":\"ipython\"}");
    contract_answer(exchange, 200, &body, written < 0);
}

static void delete_session(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(SESSIONS);
    uint64_t *session =
        find_session(exchange->server->execute_sessions, session_number(exchange, id));
    char text[SESSION_ID_MAX + 64];
    (void)snprintf(text, sizeof(text), "IPython session %.128s %s", id,
                   session != NULL ? "deleted successfully" : "not found");
    if (session != NULL) {
        *session = 0; /* its place is taken when its turn comes */
    }
    tell(exchange, session != NULL ? 200 : 404, session != NULL ? "message" : "error", text);
}

/* The first call of a session is like any other.  A second one would find what the first has left
 * in the interpreter, which is not kept: so it is not run. */
static int check_session(struct exchange *exchange, const json_t *body, struct execute_call *call)
{
    const char *id = http_header(&exchange->head, "X-Session-ID");
    if (id == NULL || !execute_is_interactive(body)) {
        return 0;
    }
    if (strlen(id) > SESSION_ID_MAX) {
        fail(exchange, 400, "X-Session-ID has more than 128 characters");
        return -1;
    }
    const uint64_t number = session_number(exchange, id);
    if (find_session(exchange->server->execute_sessions, number) != NULL) {
        fail(exchange, 200,
             "This server does not keep the state of sessions yet: what an earlier call has "
             "defined is gone. Send all of the program in one call, with another X-Session-ID.\n");
        return -1;
    }
    if (add_session(exchange->server, number) < 0) {
        fail(exchange, 500, "memory is short");
        return -1;
    }
    call->begins_session = true;
    return 0;
}

/* ---- the call ---- */

/* As Flask has it: also application/problem+json and the like are JSON. */
static bool is_json(const char *type)
{
    static const char json[] = "application/json", application[] = "application/", end[] = "+json";
    const size_t size = type != NULL ? strcspn(type, " \t;") : 0;
    if (size == strlen(json)) {
        return strncasecmp(type, json, size) == 0;
    }
    return size > strlen(application) + strlen(end) &&
           strncasecmp(type, application, strlen(application)) == 0 &&
           strncasecmp(type + size - strlen(end), end, strlen(end)) == 0;
}

static int check_post(struct exchange *exchange)
{
    struct cella_error err;
    if (!is_json(http_header(&exchange->head, "Content-Type"))) {
        fail(exchange, 400, "Request must be JSON");
        return -1;
    }
    if (server_check_ready(exchange->server, &err) < 0) {
        answer_problem(exchange, 503, &err);
        return -1;
    }
    return 0;
}

static void answer_result(struct exchange *exchange, const struct cella_result *result,
                          const void *context)
{
    AUTO_JSON json_t *told = NULL;
    struct buffer body;
    struct cella_error err;
    if (cella_result_error(result)->kind != CELLA_ERROR_NONE) {
        answer_problem(exchange, 0, cella_result_error(result));
    } else if (contract_read_result(result, &told, &err) < 0) {
        answer_problem(exchange, 0, &err);
    } else {
        const int written = execute_result_write(told, context, &body);
        contract_answer(exchange, 200, &body, written < 0);
    }
}

/* With a good request. */
static void carry_out(struct exchange *exchange, const json_t *body, const struct buffer *request,
                      struct execute_call *call)
{
    struct buffer answer;
    if (check_session(exchange, body, call) < 0) {
        return; /* it is answered */
    }
    if (!call->has_time) {
        const int written = execute_timeout_write(call, &answer);
        contract_answer(exchange, 200, &answer, written < 0);
        return;
    }
    contract_start(exchange, request, answer_result, call, sizeof(*call));
}

/* One of Piston's: NVIDIA's newest clients send those, also to where the older ones sent calls. */
static bool is_job(const json_t *body)
{
    return json_object_get(body, "generated_code") == NULL &&
           json_is_array(json_object_get(body, "files"));
}

static void post(struct exchange *exchange)
{
    AUTO_JSON json_t *body = NULL;
    const json_t *policy = NULL;
    struct execute_call call;
    struct buffer request;
    struct cella_error err;
    char refusal[EXECUTE_REFUSAL_MAX] = "";
    if (contract_read(exchange, &body, &err) < 0 || json_is_null(body)) {
        fail(exchange, 400, "Invalid JSON data");
        return;
    }
    if (is_job(body)) {
        piston_execute(exchange, body);
        return;
    }
    const char *name =
        exchange->server->settings->workspace != NULL ? WORKSPACE_POLICY : EXECUTE_POLICY;
    if (contract_read_policy(exchange->server, name, &policy, &err) < 0) {
        answer_problem(exchange, 500, &err);
        return;
    }
    buffer_init(&request, 0);
    if (execute_request_write(body, policy, name, &request, &call, refusal) == 0) {
        carry_out(exchange, body, &request, &call);
    } else if (refusal[0] != '\0') {
        fail(exchange, 400, refusal);
    } else {
        (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
        answer_problem(exchange, 0, &err);
    }
    buffer_done(&request);
}

/* ---- the contract ---- */

static const struct api_parameter session = {
    "X-Session-ID", API_HEADER, API_TEXT, "of `ipython`: the session that the call belongs to",
    SESSION_ID_MAX, 0};
static const struct api_parameter session_id = {
    "id", API_PATH, API_TEXT, "of the session", SESSION_ID_MAX, 0};
static const struct api_body call = {"application/json", "ExecuteBody"};

static const struct api_route routes[] = {
    {.method = "GET",
     .path = "/",
     .name = "execute_root",
     .handle = get_root,
     .access = API_ANYBODY,
     .group = "execute",
     .summary = "What clients of both contracts look for",
     .answers = {CONTRACT_ANSWER(200, "ExecuteRoot", "the server is there")}},
    {.method = "GET",
     .path = "/health",
     .name = "execute_health",
     .handle = get_health,
     .access = API_ANYBODY,
     .group = "execute",
     .summary = "Whether runs are taken",
     .answers = {CONTRACT_ANSWER(200, "ExecuteHealth", "they are"), &api_not_ready}},
    {.method = "POST",
     .path = "/execute",
     .name = "execute_post",
     .handle = post,
     .check = check_post,
     .group = "execute",
     .summary = "Runs a program",
     .parameters = {&session},
     .body = &call,
     .answers = {CONTRACT_ANSWER(200, "ExecuteAnswer", "the program ran, however it ended"),
                 &api_not_ready}},
    {.method = "GET",
     .path = "/sessions",
     .name = "execute_sessions",
     .handle = get_sessions,
     .group = "execute",
     .summary = "The sessions that there are",
     .answers = {CONTRACT_ANSWER(200, "ExecuteSessions", "by their ids")}},
    {.method = "DELETE",
     .path = SESSIONS "{id}",
     .name = "execute_delete_session",
     .handle = delete_session,
     .group = "execute",
     .summary = "Ends a session",
     .parameters = {&session_id},
     .answers = {CONTRACT_ANSWER(200, "ExecuteMessage", "it is no longer there"),
                 CONTRACT_ANSWER(404, "ExecuteError", "there is none")}},
};

const struct contract contract_execute = {
    .routes = routes,
    .route_count = ARRAY_LENGTH(routes),
    .below = NULL,
    .fields = "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
              "X-Frame-Options: SAMEORIGIN\r\n"
              "X-XSS-Protection: 1; mode=block\r\n",
    .problem = {"application/json", "ExecuteProblem"},
    .refuse = refuse,
};
