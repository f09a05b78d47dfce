/*
 * `cella pool`: what the server of this user has made ahead of need.  Without a server nothing is:
 * a run by itself ends with its sandbox.
 */
#include "front/cli/options.h"
#include "front/cli/remote.h"
#include "front/cli/report.h"
#include "front/places.h"

#include <cella/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_pool(void *context, const struct cella_pool *pool)
{
    size_t *count = context;
    if ((*count)++ == 0) {
        (void)printf("%-12s %-18s %12s %6s %7s %9s\n", "language", "policy", "ready", "runs",
                     "taken", "memory");
    }
    (void)printf("%-12s %-18s %4u of %4u %6u %7u %5" PRIu64 " MiB\n",
                 pool->language[0] != '\0' ? pool->language : "(any)", pool->policy, pool->ready,
                 pool->target, pool->active, pool->taken, pool->memory_bytes >> 20);
    if (pool->zygotes_dead > 0) {
        (void)printf("    %u of %u zygotes have died\n", pool->zygotes_dead, pool->zygotes);
    }
    if (pool->problem[0] != '\0') {
        (void)printf("    it starts cold for now: %s\n", pool->problem);
    }
}

static int connect_to_server(const struct invocation *invocation, struct remote_server *server,
                             struct cella_error *err)
{
    char place[PATH_MAX] = "";
    const char *path = invocation_value(invocation, OPTION_POOL_SOCKET);
    if (path == NULL) {
        path = getenv("CELLA_SOCKET");
    }
    if (path == NULL || path[0] == '\0') {
        path = place_of_socket(place) ? place : "";
    }
    server->fd = -1;
    if (path[0] != '\0') {
        remote_connect(path, server);
    }
    return server->fd >= 0
               ? 0
               : cli_fail(err, CELLA_ERROR_HOST,
                          "start one with 'cella serve', or say where it is with --socket",
                          "no server of this user answers at %s, and without one nothing is made "
                          "ahead",
                          path);
}

int command_pool(const struct invocation *invocation)
{
    struct cella_error err;
    struct remote_server server;
    char *json = NULL;
    size_t size = 0, count = 0;
    if (connect_to_server(invocation, &server, &err) < 0) {
        return report_error(&err);
    }
    int result = remote_get(&server, "/v1/pools", &json, &size, &err);
    remote_done(&server);
    if (result == 0 && invocation_has(invocation, OPTION_JSON)) {
        (void)puts(json);
    } else if (result == 0) {
        result = cella_pools_parse(json, size, print_pool, &count, &err);
        if (result == 0 && count == 0) {
            (void)puts("nothing: a kind of run gets a pool when it comes for the second time");
        }
    }
    free(json);
    return result < 0 ? report_error(&err) : 0;
}
