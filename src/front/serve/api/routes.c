/* See routes.h. */
#include "front/serve/api/routes.h"

#include "front/serve/api/access.h"
#include "front/serve/api/api.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/runs/runs.h"
#include "front/serve/server.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- which way ---- */

/* Part by part; one in braces stands for any that is not empty. */
static bool has_path(const struct api_route *route, const char *path)
{
    const char *pattern = route->path;
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == '{') {
            const size_t part = strcspn(path, "/");
            if (part == 0) {
                return false;
            }
            pattern += strcspn(pattern, "}") + 1;
            path += part;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

static bool has_method(const struct api_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* In whose form a path is answered, also when there is nothing at it.  NULL: in Cella's own. */
static const struct contract *contract_of(const char *path)
{
    for (size_t i = 0; contracts[i] != NULL; i++) {
        const struct contract *contract = contracts[i];
        if (contract->below != NULL &&
            strncmp(path, contract->below, strlen(contract->below)) == 0) {
            return contract;
        }
        for (size_t n = 0; n < contract->route_count; n++) {
            if (has_path(&contract->routes[n], path)) {
                return contract;
            }
        }
    }
    return NULL;
}

/* The routes among which a request's is looked for. */
static const struct api_route *routes_of(const struct exchange *exchange, size_t *ret_count)
{
    const struct contract *contract = exchange->contract;
    *ret_count = contract != NULL ? contract->route_count : api_route_count;
    return contract != NULL ? contract->routes : api_routes;
}

static const struct api_route *find(const struct exchange *exchange)
{
    size_t count = 0;
    const struct api_route *routes = routes_of(exchange, &count);
    for (size_t i = 0; i < count; i++) {
        if (has_path(&routes[i], exchange->head.path) &&
            has_method(&routes[i], exchange->head.method)) {
            return &routes[i];
        }
    }
    return NULL;
}

/* There is no such path, or it has other methods; several routes may have it. */
static int refuse_way(struct exchange *exchange)
{
    struct cella_error error;
    const char *path = exchange->head.path;
    char allow[64] = "";
    size_t count = 0;
    const struct api_route *routes = routes_of(exchange, &count);
    for (size_t i = 0; i < count; i++) {
        if (has_path(&routes[i], path) && strstr(allow, routes[i].method) == NULL) {
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
    exchange->contract = contract_of(exchange->head.path);
    const struct api_route *route = find(exchange);
    exchange->route = route;
    if (access_check(exchange) < 0) {
        return -1;
    }
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
