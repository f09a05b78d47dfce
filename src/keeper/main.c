/*
 * cella-keeper: the one process with privilege.  It makes namespaces, mounts and control groups for
 * one engine, which talks to it over descriptor 3, and ends when that engine does.
 *
 * It is single-threaded, reads fixed frames and nothing else, and believes none of them
 * (ceiling.c).  It never reads what a guest or a caller wrote: the pack goes through it unopened.
 * It holds the clocks, so that they run on while an engine is busy or stopped.
 */
#include "base/error.h"
#include "isolate/native/sandbox.h"
#include "isolate/native/sys.h"
#include "keeper/run.h"
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENGINE_SOCKET 3
#define RUNS_MAX      4096

/* What a run holds; and what is kept for whatever is opened for a moment, to start one or to read
 * its figures: without a descriptor for that a limit would be held, and its verdict be wrong. */
#define RUN_DESCRIPTORS     12
#define DESCRIPTORS_RESERVE 64

struct keeper {
    struct sandbox_host host;
    struct ceiling ceiling;
    struct wire wire;
    int epoll;
    struct run *runs[RUNS_MAX]; /* those alive, in no order */
    size_t run_count;
    size_t runs_max; /* RUNS_MAX, or fewer where descriptors are few */
};

static void forget_inherited(struct keeper *keeper);
static int greet(struct keeper *keeper);
static int serve(struct keeper *keeper);
static int handle_engine(struct keeper *keeper);
static int create_run(struct keeper *keeper, const struct keeper_create *create, int pack);
static int watch_engine(struct keeper *keeper);

int main(void)
{
    static struct keeper keeper; /* too large for comfort on a stack */

    forget_inherited(&keeper);
    wire_init(&keeper.wire, ENGINE_SOCKET);
    int result = greet(&keeper);
    while (result == 0) {
        result = serve(&keeper);
    }
    /* The engine is gone, or has never been there. */
    while (keeper.run_count > 0) {
        run_destroy(keeper.runs[--keeper.run_count]);
    }
    sandbox_host_close(&keeper.host);
    wire_done(&keeper.wire);
    return 0;
}

/* The usual soft limit is 1024.  How many runs fit below it: an engine that keeps to three quarters
 * of its own soft limit at this price asks for no more. */
static void raise_descriptors(struct keeper *keeper)
{
    struct rlimit files = {.rlim_cur = 0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        IGNORE(setrlimit(RLIMIT_NOFILE, &files) != 0); /* then EMFILE is answered as it comes */
    }
    const rlim_t all = files.rlim_cur;
    const rlim_t reserve = all / 4 < DESCRIPTORS_RESERVE ? all / 4 : DESCRIPTORS_RESERVE;
    const rlim_t fit = (all - reserve) / RUN_DESCRIPTORS;
    keeper->runs_max = fit > RUNS_MAX ? RUNS_MAX : fit > 0 ? (size_t)fit : 1;
}

/* A caller's ignored signals, mask, terminal and descriptors must reach neither us nor a guest. */
static void forget_inherited(struct keeper *keeper)
{
    sigset_t none;

    raise_descriptors(keeper);
    IGNORE(personality(PER_LINUX) < 0); /* a caller's may turn address randomization off */
    IGNORE(setsid() < 0);               /* fails when we lead a session already */
    sys_reset_signals();
    sigemptyset(&none);
    IGNORE(sigprocmask(SIG_SETMASK, &none, NULL) != 0); /* valid arguments */
    IGNORE(
        sys_close_range(ENGINE_SOCKET + 1, ~0U, 0)); /* Linux before 5.9: then clone3 fails too */
}

static int greet(struct keeper *keeper)
{
    struct cella_error err;
    const int flags = fcntl(ENGINE_SOCKET, F_GETFL);
    if (flags < 0 || fcntl(ENGINE_SOCKET, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(ENGINE_SOCKET, F_SETFD, FD_CLOEXEC) != 0) {
        return -1; /* not started by an engine */
    }
    if (sandbox_host_open(&keeper->host, &err) != 0 ||
        (keeper->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || watch_engine(keeper) != 0) {
        const struct keeper_refused refused = {
            .header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, 0}, .error = err};
        wire_send(&keeper->wire, &refused, sizeof(refused), NULL, 0);
        return -1;
    }
    ceiling_open(&keeper->ceiling, keeper->host.privileged);
    const struct keeper_hello hello = {.header = {KEEPER_HELLO, KEEPER_PROTOCOL_VERSION, 0}};
    wire_send(&keeper->wire, &hello, sizeof(hello), NULL, 0);
    sandbox_host_make_ahead(&keeper->host); /* while the engine reads its first request */
    return 0;
}

/* Reads while the queue has room, writes while it has something. */
static int watch_engine(struct keeper *keeper)
{
    const struct wire *wire = &keeper->wire;
    struct epoll_event event = {.data.ptr = NULL};
    event.events = (wire->queued < WIRE_QUEUE_MAX ? (uint32_t)EPOLLIN : 0U) |
                   (wire->queued > 0 ? (uint32_t)EPOLLOUT : 0U);
    if (epoll_ctl(keeper->epoll, EPOLL_CTL_MOD, wire->socket, &event) == 0) {
        return 0;
    }
    return epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, wire->socket, &event);
}

static void forget_run(struct keeper *keeper, const struct run *run)
{
    for (size_t i = 0; i < keeper->run_count; i++) {
        if (keeper->runs[i] == run) {
            keeper->runs[i] = keeper->runs[--keeper->run_count];
            return;
        }
    }
}

/* One event at a time: a run that is over is freed, and a second event of it fetched in the same
 * call would point to nothing. */
static int serve(struct keeper *keeper)
{
    struct epoll_event event;
    const size_t queued = keeper->wire.queued;
    const int count = epoll_wait(keeper->epoll, &event, 1, -1);
    if (count <= 0) {
        return count < 0 && errno != EINTR ? -1 : 0;
    }
    const struct run_watch *source = event.data.ptr;
    if (source == NULL) {
        if (handle_engine(keeper) != 0) {
            return -1;
        }
    } else {
        struct run *run = source->run;
        if (run_event(run, source->source, &keeper->wire) == RUN_IS_OVER) {
            forget_run(keeper, run);
        }
    }
    if (keeper->wire.broken) {
        return -1;
    }
    return keeper->wire.queued != queued ? watch_engine(keeper) : 0;
}

static struct run *find_run(const struct keeper *keeper, uint64_t id)
{
    for (size_t i = 0; i < keeper->run_count; i++) {
        if (keeper->runs[i]->id == id) {
            return keeper->runs[i];
        }
    }
    return NULL;
}

static int handle_engine(struct keeper *keeper)
{
    static union wire_request request; /* a plan is too large for comfort on a stack */
    int pack = -1;

    wire_flush(&keeper->wire);
    const int received = wire_receive(&keeper->wire, &request, &pack);
    if (received <= 0) {
        return received;
    }
    struct run *run = find_run(keeper, request.header.run);
    if (request.header.type == KEEPER_STOP) {
        if (run != NULL) { /* else it has ended meanwhile */
            run_stop(run);
        }
        return 0;
    }
    const int result = run == NULL ? create_run(keeper, &request.create, pack) : -1;
    if (pack >= 0) {
        (void)close(pack); /* the sandbox has its own */
    }
    return result;
}

static int create_run(struct keeper *keeper, const struct keeper_create *create, int pack)
{
    if (keeper->run_count >= keeper->runs_max || pack < 0) {
        struct keeper_refused refused = {
            .header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, create->header.run}};
        if (pack < 0) {
            error_set(&refused.error, CELLA_ERROR_HOST, EMFILE, "the keeper cannot take a run");
        } else {
            error_set(&refused.error, CELLA_ERROR_BUSY, 0, "%zu runs are going already",
                      keeper->run_count);
            error_set_hint(&refused.error, "try again later; `ulimit -Hn` bounds how many fit");
        }
        wire_send(&keeper->wire, &refused, sizeof(refused), NULL, 0);
        return 0;
    }
    struct run *run =
        run_create(&keeper->host, &keeper->ceiling, keeper->epoll, &keeper->wire, create, pack);
    if (run != NULL) {
        keeper->runs[keeper->run_count++] = run;
    }
    return 0;
}
