/* See routes.h. */
#include "front/serve/routes.h"

#include "front/serve/answer.h"
#include "front/serve/exchange.h"
#include "front/serve/fail.h"
#include "front/serve/http.h"
#include "front/serve/runs.h"
#include "front/serve/server.h"

#include <arpa/inet.h>
#include <cella/host.h>
#include <cella/policy.h>
#include <cella/wire.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void get_health(struct exchange *exchange);
static void get_readiness(struct exchange *exchange);
static void get_version(struct exchange *exchange);
static void get_metrics(struct exchange *exchange);
static void get_pools(struct exchange *exchange);
static void get_languages(struct exchange *exchange);
static void get_policies(struct exchange *exchange);
#define POOLS     "/v1/pools"
#define LANGUAGES "/v1/languages"
#define POLICIES  "/v1/policies"
#define STATS     "/v1/stats"

/* A path that ends in a slash stands for those with a name behind it. */
static const struct route {
    const char *method; /* GET stands for HEAD too */
    const char *path;
    void (*handle)(struct exchange *exchange);
    int (*check)(struct exchange *exchange); /* with the head alone; NULL: nothing to check */
} routes[] = {
    {"POST", RUNS, runs_post, runs_check_post}, {"GET", RUNS, runs_list, NULL},
    {"GET", RUNS "/", runs_get, NULL},          {"DELETE", RUNS "/", runs_delete, NULL},
    {"GET", "/healthz", get_health, NULL},      {"GET", "/readyz", get_readiness, NULL},
    {"GET", "/version", get_version, NULL},     {"GET", POOLS, get_pools, NULL},
    {"GET", "/metrics", get_metrics, NULL},     {"GET", STATS, runs_count, NULL},
    {"GET", LANGUAGES, get_languages, NULL},    {"GET", POLICIES, get_policies, NULL},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

/* ---- who may ask ---- */

/* Whether a "host" or "host:port" is this host by a name or number that means it everywhere.  A
 * page from elsewhere can have its own name point here, but not one of these. */
static bool is_loopback(const char *authority)
{
    char host[INET6_ADDRSTRLEN + 2];
    struct in_addr address;
    const char *colon = authority[0] == '[' ? strchr(authority, ']') : authority;
    colon = colon != NULL ? strchr(colon, ':') : NULL;
    size_t size = colon != NULL ? (size_t)(colon - authority) : strlen(authority);
    if (size >= sizeof(host) ||
        (colon != NULL && strspn(colon + 1, "0123456789") != strlen(colon + 1))) {
        return false;
    }
    memcpy(host, authority, size);
    host[size] = '\0';
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 &&
            ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* Whether a page from there is one of our own. */
static bool is_own_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://";
    return strncmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
           strcasecmp(origin + sizeof(scheme) - 1, host) == 0;
}

static int check_client(struct exchange *exchange)
{
    const char *host = http_header(&exchange->head, "Host");
    const char *origin = http_header(&exchange->head, "Origin");
    struct cella_error error;
    host = host != NULL ? host : "";
    if (exchange->connection->is_local) {
        if (!exchange->connection->is_stranger) {
            return 0;
        }
        (void)serve_fail(&error, CELLA_ERROR_CALLER,
                         "this server is for the user that it runs as, and root");
    } else if (!is_loopback(host)) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the Host '%.100s' is not this host", host);
        (void)serve_hint(&error, "ask for localhost, 127.0.0.1 or [::1]");
    } else if (origin != NULL && !is_own_origin(origin, host)) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "pages of '%.100s' may not use this server",
                         origin);
    } else {
        return 0;
    }
    answer_problem(exchange, 403, &error);
    return -1;
}

/* ---- which way ---- */

static bool has_path(const struct route *route, const char *path)
{
    size_t size = strlen(route->path);
    if (route->path[size - 1] != '/') {
        return strcmp(route->path, path) == 0;
    }
    return strncmp(route->path, path, size) == 0 && path[size] != '\0' &&
           strchr(path + size, '/') == NULL;
}

static bool has_method(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static const struct route *find(const struct http_head *head)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (has_path(&routes[i], head->path) && has_method(&routes[i], head->method)) {
            return &routes[i];
        }
    }
    return NULL;
}

/* There is no such path, or it has other methods. */
static int refuse_way(struct exchange *exchange)
{
    struct cella_error error;
    const char *path = exchange->head.path;
    char allow[64] = "";
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (has_path(&routes[i], path)) {
            const char *method =
                strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method;
            const size_t length = strlen(allow);
            (void)snprintf(allow + length, sizeof(allow) - length, "%s%s", length > 0 ? ", " : "",
                           method);
        }
    }
    if (allow[0] != '\0') {
        answer_not_allowed(exchange, allow);
        return -1;
    }
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "there is nothing at %.200s", path);
    (void)serve_hint(&error, "programs are run by POST " RUNS);
    answer_problem(exchange, 404, &error);
    return -1;
}

int routes_check(struct exchange *exchange)
{
    if (check_client(exchange) < 0) {
        return -1;
    }
    const struct route *route = find(&exchange->head);
    exchange->route = route;
    if (route == NULL) {
        return refuse_way(exchange);
    }
    if (exchange->head.content_length > EXCHANGE_BODY_MAX) {
        routes_refuse_size(exchange);
        return -1;
    }
    return route->check != NULL ? route->check(exchange) : 0;
}

void routes_handle(struct exchange *exchange)
{
    exchange->route->handle(exchange);
}

void routes_refuse_size(struct exchange *exchange)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request's body has more than %zu MiB",
                     EXCHANGE_BODY_MAX >> 20);
    answer_problem(exchange, 413, &error);
}

/* ---- what there is ---- */

static void answer_word(struct exchange *exchange, const char *name, const char *value)
{
    char *json = NULL;
    int size = asprintf(&json, "{\"%s\": \"%s\"}\n", name, value);
    answer_json(exchange, 200, size > 0 ? json : NULL, size > 0 ? (size_t)size : 0);
}

static void get_health(struct exchange *exchange)
{
    answer_word(exchange, "status", "ok");
}

static void get_readiness(struct exchange *exchange)
{
    struct cella_error error;
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return;
    }
    answer_word(exchange, "status", "ready");
}

static void get_version(struct exchange *exchange)
{
    answer_word(exchange, "version", cella_version());
}

static void get_metrics(struct exchange *exchange)
{
    struct cella_error error;
    char *text = NULL;
    size_t size = 0;
    if (metrics_text(exchange->server, &text, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_text(exchange, "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static void get_pools(struct exchange *exchange)
{
    struct cella_error error;
    char *json = NULL;
    size_t size = 0;
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return;
    }
    if (cella_pools_json(exchange->server->engine, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, size);
}

/* What `cella languages --json` and `cella policy list --json` print. */
static void answer_list(struct exchange *exchange,
                        int (*make)(const struct cella_options *options, char **ret_json,
                                    struct cella_error *err))
{
    struct cella_error error;
    char *json = NULL;
    if (make(NULL, &json, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, strlen(json));
}

static void get_languages(struct exchange *exchange)
{
    answer_list(exchange, cella_languages_json);
}

static void get_policies(struct exchange *exchange)
{
    answer_list(exchange, cella_policies_json);
}
