/* See life.h. */
#include "front/serve/host/life.h"

#include "base/clock.h"
#include "base/fd.h"
#include "front/serve/fail.h"
#include "front/serve/server.h"

#include <sys/timerfd.h>
#include <unistd.h>

/* Signs in the time in which one is wanted: the keeper is asked at one of them and has answered by
 * the next. */
#define SIGNS_IN_TIME 4

static void on_time(void *context)
{
    struct server *server = context;
    struct cella_error err;
    uint64_t times;
    if (read(loop_socket(server->life), &times, sizeof(times)) != (ssize_t)sizeof(times)) {
        return;
    }
    if (server->engine != NULL && cella_engine_ping(server->engine, &err) == 1) {
        notify_send(&server->notify, "WATCHDOG=1", NULL);
    }
}

int life_watch(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_time};
    const uint64_t us = server->notify.watch_over_ms * 1000 / SIGNS_IN_TIME;
    const struct timespec period = {.tv_sec = (time_t)(us / 1000000),
                                    .tv_nsec = (long)(us % 1000000) * 1000};
    const struct itimerspec timer = {.it_interval = period, .it_value = period};
    if (us == 0) {
        return 0;
    }
    AUTO_CLOSE int fd = clock_open_timer();
    if (fd >= 0 && timerfd_settime(fd, 0, &timer, NULL) == 0) {
        server->life = loop_add_descriptor(server->loop, take_fd(&fd), &events, server);
    }
    return server->life != NULL ? 0
                                : serve_fail_errno(err, CELLA_ERROR_HOST, "cannot watch the time");
}
