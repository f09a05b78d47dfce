/* See life.h. */
#include "front/serve/host/life.h"

#include "front/serve/fail.h"
#include "front/serve/server.h"

#include <limits.h>

/* Signs in the time in which one is wanted: the keeper is asked at one of them and has answered by
 * the next. */
#define SIGNS_IN_TIME 4

static void set_timer(struct server *server)
{
    const uint64_t ms = server->notify.watch_over_ms / SIGNS_IN_TIME;
    loop_set_timer(server->life, ms == 0 ? 1 : ms < UINT_MAX ? (unsigned)ms : UINT_MAX);
}

static void on_time(void *context)
{
    struct server *server = context;
    struct cella_error err;
    set_timer(server);
    if (server->engine != NULL && cella_engine_ping(server->engine, &err) == 1) {
        notify_send(&server->notify, "WATCHDOG=1", NULL);
    }
}

int life_watch(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.timeout = on_time};
    if (server->notify.watch_over_ms == 0) {
        return 0;
    }
    server->life = loop_add_timer(server->loop, &events, server);
    if (server->life == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    set_timer(server);
    return 0;
}
