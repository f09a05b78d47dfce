/* The routes of Piston's contract.  See piston.h. */
#include "front/serve/contracts/piston.h"

#include "base/json_write.h"
#include "front/serve/api/languages.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

static void write_message(struct buffer *body, const char *text)
{
    struct json_writer json;
    json_write_init(&json, body);
    json_write_open(&json, '{');
    json_write_key(&json, "message");
    json_write_text(&json, text, strlen(text));
    json_write_close(&json, '}');
    if (json.failed) {
        buffer_done(body); /* the status says enough */
    }
}

/* A path that has no such method is not there, to Piston. */
static int refuse(const char *text, int status, struct buffer *body)
{
    const bool is_none = status == 404 || status == 405;
    write_message(body, is_none ? "Not Found" : text);
    return is_none ? 404 : status;
}

static void fail(struct exchange *exchange, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* With exactly that text. */
static void fail(struct exchange *exchange, int status, const char *format, ...)
{
    struct buffer body;
    va_list args;
    char *text = NULL;
    va_start(args, format);
    const int size = vasprintf(&text, format, args);
    va_end(args);
    buffer_init(&body, 0);
    if (size >= 0) {
        write_message(&body, text);
        free(text);
    }
    contract_answer(exchange, status, &body, body.data == NULL);
}

static int check_post(struct exchange *exchange)
{
    static const char json[] = "application/json";
    const char *type = http_header(&exchange->head, "Content-Type");
    struct cella_error err;
    if (type == NULL || strncmp(type, json, sizeof(json) - 1) != 0) {
        fail(exchange, 415, "requests must be of type application/json");
        return -1;
    }
    if (server_check_ready(exchange->server, &err) < 0) {
        answer_problem(exchange, 503, &err);
        return -1;
    }
    return 0;
}

/* ---- what there is ---- */

/* What every route needs.  -1 when it cannot be had, which is answered, or not yet: then the route
 * handles the exchange again. */
static int look(struct exchange *exchange, const struct piston_names **ret_names,
                const json_t **ret_policy)
{
    struct cella_error err;
    const int named = piston_names_get(exchange->server, ret_names, &err);
    if (named > 0) {
        languages_wait(exchange);
        return -1;
    }
    if (named < 0 || contract_read_policy(exchange->server, PISTON_POLICY, ret_policy, &err) < 0) {
        answer_problem(exchange, 500, &err);
        return -1;
    }
    return 0;
}

static void write_runtime(struct json_writer *json, const struct piston_language *language)
{
    json_write_open(json, '{');
    json_write_member(json, "language", language->name);
    json_write_member(json, "version", language->version);
    json_write_key(json, "aliases");
    json_write_open(json, '[');
    for (size_t i = 0; i < language->alias_count; i++) {
        json_write_string(json, language->aliases[i]);
    }
    json_write_close(json, ']');
    if (language->runtime[0] != '\0') {
        json_write_member(json, "runtime", language->runtime);
    }
    json_write_close(json, '}');
}

/* By which a language is installed there; several may be by one. */
static const char *package_of(const struct piston_language *language)
{
    return language->runtime[0] != '\0' ? language->runtime : language->name;
}

static void write_package(struct json_writer *json, const struct piston_language *language)
{
    json_write_open(json, '{');
    json_write_member(json, "language", package_of(language));
    json_write_member(json, "language_version", language->version);
    json_write_key(json, "installed");
    json_write_bool(json, true);
    json_write_close(json, '}');
}

static bool is_listed(const struct piston_names *names, const json_t *policy, size_t index,
                      bool packages)
{
    const struct piston_language *items = names->items;
    bool found = !contract_allows(policy, items[index].cella);
    for (size_t i = 0; packages && i < index && !found; i++) { /* its package may be there */
        found = contract_allows(policy, items[i].cella) &&
                strcmp(package_of(&items[i]), package_of(&items[index])) == 0;
    }
    return !found;
}

static void answer_list(struct exchange *exchange, bool packages)
{
    const struct piston_names *names = NULL;
    const json_t *policy = NULL;
    struct json_writer json;
    struct buffer body;
    if (look(exchange, &names, &policy) < 0) {
        return;
    }
    buffer_init(&body, 0);
    json_write_init(&json, &body);
    json_write_open(&json, '[');
    for (size_t i = 0; i < names->count; i++) {
        if (is_listed(names, policy, i, packages)) {
            (packages ? write_package : write_runtime)(&json, &names->items[i]);
        }
    }
    json_write_close(&json, ']');
    contract_answer(exchange, 200, &body, json.failed);
}

static void get_runtimes(struct exchange *exchange)
{
    answer_list(exchange, false);
}

static void get_packages(struct exchange *exchange)
{
    answer_list(exchange, true);
}

/* The languages are the host's own, which a client does not change. */
static void change_package(struct exchange *exchange, const char *problem)
{
    const struct piston_names *names = NULL;
    const json_t *policy = NULL;
    AUTO_JSON json_t *body = NULL;
    struct cella_error err;
    if (contract_read(exchange, &body, &err) < 0) {
        answer_problem(exchange, 0, &err);
        return;
    }
    if (look(exchange, &names, &policy) < 0) {
        return;
    }
    const char *name = json_string_value(json_object_get(body, "language"));
    const char *version = json_string_value(json_object_get(body, "version"));
    name = name != NULL ? name : "undefined";
    version = version != NULL ? version : "undefined";
    if (piston_names_find(names, policy, name, version) == NULL) {
        fail(exchange, 404, "Requested package %s-%s does not exist", name, version);
    } else {
        fail(exchange, 500, "%s", problem);
    }
}

static void install(struct exchange *exchange)
{
    change_package(exchange, "Already installed");
}

static void remove_one(struct exchange *exchange)
{
    change_package(exchange, "The languages of this server are installed on its host, and removed "
                             "by whoever administers it");
}

/* ---- execute ---- */

static void answer_result(struct exchange *exchange, const struct cella_result *result,
                          const void *context)
{
    const struct piston_language *language = context;
    AUTO_JSON json_t *told = NULL;
    struct buffer body;
    struct cella_error err;
    if (contract_read_result(result, &told, &err) < 0) {
        answer_problem(exchange, 500, &err);
        return;
    }
    const int written = piston_result_write(told, language, &body);
    contract_answer(exchange, 200, &body, written < 0);
}

void piston_execute(struct exchange *exchange, const json_t *body)
{
    const struct piston_names *names = NULL;
    const struct piston_language *language = NULL;
    const json_t *policy = NULL;
    struct piston_refusal refusal = {NULL};
    struct buffer request;
    if (look(exchange, &names, &policy) < 0) {
        return;
    }
    buffer_init(&request, 0);
    if (piston_request_write(names, policy, body, false, &request, &language, &refusal) < 0) {
        fail(exchange, 400, "%s", refusal.text != NULL ? refusal.text : "memory is short");
        free(refusal.text);
    } else {
        /* A copy: languages may be read again before it ends. */
        contract_start(exchange, &request, answer_result, language, sizeof(*language));
    }
    buffer_done(&request);
}

static void post_job(struct exchange *exchange)
{
    AUTO_JSON json_t *body = NULL;
    struct cella_error err;
    if (contract_read(exchange, &body, &err) < 0) {
        answer_problem(exchange, 0, &err);
    } else {
        piston_execute(exchange, body);
    }
}

/* ---- the contract ---- */

static const struct api_body job = {"application/json", "PistonJob"};
static const struct api_body package = {"application/json", "PistonPackage"};

static const struct api_answer no_package = {
    404, 0, {"application/json", "PistonMessage"}, "there is no such package", {NULL}};

/* Its public host has everything at another place too. */
#define ROUTES_BELOW(base, prefix)                                                                 \
    {.method = "GET",                                                                              \
     .path = base "/runtimes",                                                                     \
     .name = prefix "_runtimes",                                                                   \
     .handle = get_runtimes,                                                                       \
     .group = "piston",                                                                            \
     .summary = "The languages that there are",                                                    \
     .answers = {CONTRACT_ANSWER(200, "PistonRuntimes", "those that the policy allows")}},         \
        {.method = "GET",                                                                          \
         .path = base "/connect",                                                                  \
         .name = prefix "_connect",                                                                \
         .handle = piston_connect,                                                                 \
         .group = "piston",                                                                        \
         .summary = "Runs a program by WebSocket, whose input is given as it goes on",             \
         .answers = {&api_switched, &api_no_websocket, &api_not_ready}},                           \
        {.method = "POST",                                                                         \
         .path = base "/execute",                                                                  \
         .name = prefix "_execute",                                                                \
         .handle = post_job,                                                                       \
         .check = check_post,                                                                      \
         .group = "piston",                                                                        \
         .summary = "Runs a program",                                                              \
         .body = &job,                                                                             \
         .answers = {CONTRACT_ANSWER(200, "PistonResult", "the program ran, however it ended"),    \
                     &api_wrong_type, &api_not_ready}},                                            \
        {.method = "GET",                                                                          \
         .path = base "/packages",                                                                 \
         .name = prefix "_packages",                                                               \
         .handle = get_packages,                                                                   \
         .group = "piston",                                                                        \
         .summary = "The languages that there are, as packages",                                   \
         .answers = {CONTRACT_ANSWER(200, "PistonPackages", "all of them installed")}},            \
        {.method = "POST",                                                                         \
         .path = base "/packages",                                                                 \
         .name = prefix "_install",                                                                \
         .handle = install,                                                                        \
         .check = check_post,                                                                      \
         .group = "piston",                                                                        \
         .summary = "Installs nothing: what there is belongs to the host",                         \
         .body = &package,                                                                         \
         .answers = {&no_package, &api_wrong_type, &api_not_ready}},                               \
    {                                                                                              \
        .method = "DELETE", .path = base "/packages", .name = prefix "_remove",                    \
        .handle = remove_one, .check = check_post, .group = "piston",                              \
        .summary = "Removes nothing, likewise", .body = &package, .answers = {                     \
            &no_package,                                                                           \
            &api_not_ready                                                                         \
        }                                                                                          \
    }

static const struct api_route routes[] = {ROUTES_BELOW("/api/v2", "piston"),
                                          ROUTES_BELOW("/api/v2/piston", "piston_below")};

const struct contract contract_piston = {
    .routes = routes,
    .route_count = ARRAY_LENGTH(routes),
    .below = "/api/v2/",
    .fields = "",
    .problem = {"application/json", "PistonMessage"},
    .refuse = refuse,
    .refuse_message = piston_connect_refuse,
};
