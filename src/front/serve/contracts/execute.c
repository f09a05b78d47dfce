/* The routes of the contract of /execute.  See execute.h. */
#include "front/serve/contracts/execute.h"

#include "base/json_write.h"
#include "front/places.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/execute_sessions.h"
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

#define SESSIONS "/sessions/"
/* Where the policy has no cap. */
#define SESSION_WALL_MS (24.0 * 3600 * 1000)

/* ---- errors ---- */

static int refuse(const char *text, int status, struct buffer *body)
{
    if (execute_error_write(text, body) < 0) {
        buffer_done(body); /* the status says enough */
    }
    return status;
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

/* The original has the number of a worker of its own there, or that word. */
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

static void get_sessions(struct exchange *exchange)
{
    struct buffer body;
    const int written = execute_sessions_write(exchange, &body);
    contract_answer(exchange, 200, &body, written < 0);
}

static void delete_session(struct exchange *exchange)
{
    const char *id = exchange->head.path + strlen(SESSIONS);
    const bool found = execute_sessions_delete(exchange, id) == 0;
    char text[EXECUTE_SESSION_ID_MAX + 64];
    (void)snprintf(text, sizeof(text), "IPython session %.128s %s", id,
                   found ? "deleted successfully" : "not found");
    tell(exchange, found ? 200 : 404, found ? "message" : "error", text);
}

static bool is_session_id(const char *id)
{
    const size_t size = strlen(id);
    for (const char *at = id; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || *at == '/') { /* which is no part of a path */
            return false;
        }
    }
    return size > 0 && size <= EXECUTE_SESSION_ID_MAX;
}

/* One takes as long as the policy lets a run take, and not the memory of a call that is alone: as
 * many as work with the server at one time stay on the host together. */
static struct execute_session_limits find_limits(const struct exchange *exchange,
                                                 const json_t *policy)
{
    const double wanted = (double)exchange->server->settings->session_memory_bytes;
    struct execute_session_limits limits = {SESSION_WALL_MS, wanted};
    (void)contract_cap(policy, CONTRACT_RUN, "wall_ms", &limits.wall_ms);
    if (contract_cap(policy, CONTRACT_RUN, "memory_bytes", &limits.memory_bytes) &&
        limits.memory_bytes > wanted) {
        limits.memory_bytes = wanted;
    }
    return limits;
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

static void refuse_memory(struct exchange *exchange)
{
    struct cella_error err;
    (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
    answer_problem(exchange, 0, &err);
}

/* A good call, whose texts may be taken.  One that names no session is alone. */
static void carry_out(struct exchange *exchange, const json_t *policy, const char *policy_name,
                      struct execute_call *call, struct execute_texts *texts)
{
    const char *id = call->is_interactive ? http_header(&exchange->head, "X-Session-ID") : NULL;
    struct buffer buffer;
    call->in_session = id != NULL;
    call->is_later = call->is_later || call->in_session; /* the first ones have none */
    if (id != NULL && !is_session_id(id)) {
        fail(exchange, 400, "X-Session-ID must have 1 to 128 characters of ASCII, and no /");
    } else if (!call->has_time) {
        call->is_new = id != NULL && !execute_sessions_has(exchange, id);
        const int written = execute_timeout_write(call, &buffer);
        contract_answer(exchange, 200, &buffer, written < 0);
    } else if (id != NULL) {
        const struct execute_session_limits limits = find_limits(exchange, policy);
        execute_sessions_call(exchange, id, call, texts, policy_name, &limits);
    } else {
        buffer_init(&buffer, 0);
        if (execute_request_write(call, texts, policy_name, &buffer) == 0) {
            contract_start(exchange, &buffer, answer_result, call, sizeof(*call));
        } else {
            refuse_memory(exchange);
        }
        buffer_done(&buffer);
    }
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
    struct execute_texts texts;
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
        exchange->server->settings->workspace != NULL ? SERVER_WORKSPACE_POLICY : EXECUTE_POLICY;
    if (contract_read_policy(exchange->server, name, &policy, &err) < 0) {
        answer_problem(exchange, 500, &err);
        return;
    }
    if (execute_call_read(body, policy, &call, &texts, refusal) == 0) {
        carry_out(exchange, policy, name, &call, &texts);
        execute_texts_done(&texts);
    } else if (refusal[0] != '\0') {
        fail(exchange, 400, refusal);
    } else {
        refuse_memory(exchange);
    }
}

/* ---- the contract ---- */

static const struct api_parameter session = {"X-Session-ID",
                                             API_HEADER,
                                             API_TEXT,
                                             "of `ipython`: the session that the call belongs to",
                                             EXECUTE_SESSION_ID_MAX,
                                             0};
static const struct api_parameter session_id = {
    "id", API_PATH, API_TEXT, "of the session", EXECUTE_SESSION_ID_MAX, 0};
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
