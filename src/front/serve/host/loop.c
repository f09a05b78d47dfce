/*
 * See loop.h.  Divisions: watches; timers; the loop.
 *
 * How it works: epoll, told when there is something, as long as there is (level-triggered).  What a
 * watch wants to be told of may change often in one turn, so the kernel hears of it once, before it
 * is asked the next time.  Watches that were closed are freed at the end of the turn, since the
 * events of this one may still name them.  Timers are a heap, the first one on top.
 */
#include "front/serve/host/loop.h"

#include "base/clock.h"
#include "base/fd.h"
#include "front/serve/fail.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one read of a socket takes at most: others wait meanwhile. */
#define LOOP_READ_SIZE 65536U
/* What is told of in one turn at most. */
#define LOOP_EVENTS_MAX 128
#define NO_TIMER        SIZE_MAX

struct loop_watch {
    struct loop *loop;
    const struct loop_events *events;
    void *context;
    int fd; /* -1: a timer */
    bool is_socket;
    bool is_reading;
    bool wants_room;
    bool is_changed; /* on that list: `told` may not be what it wants */
    bool is_closed;
    uint32_t told; /* the events that the kernel is asked for */
    uint64_t due_ms;
    size_t timer; /* its place among the timers, or NO_TIMER */
    TAILQ_ENTRY(loop_watch) link;
    TAILQ_ENTRY(loop_watch) change;
};

TAILQ_HEAD(watch_list, loop_watch);

struct loop {
    int epoll_fd;
    bool is_stopped;
    struct watch_list open;
    struct watch_list closed; /* to be freed at the end of the turn */
    struct watch_list changed;
    unsigned count; /* of those that are open */
    unsigned max;
    struct loop_watch **timers; /* a heap: none is before the one at half its place */
    size_t timer_count;
    char data[LOOP_READ_SIZE];
};

static void free_watches(struct watch_list *list);

int loop_create(unsigned watches_max, struct loop **ret_loop, struct cella_error *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    TAILQ_INIT(&loop->open);
    TAILQ_INIT(&loop->closed);
    TAILQ_INIT(&loop->changed);
    loop->max = watches_max;
    loop->timers = calloc(watches_max, sizeof(loop->timers[0]));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->timers == NULL || loop->epoll_fd < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_HOST, "cannot make the event loop");
        loop_destroy(loop);
        return -1;
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (loop != NULL) {
        free_watches(&loop->open);
        free_watches(&loop->closed);
        if (loop->epoll_fd >= 0) {
            (void)close(loop->epoll_fd);
        }
        free(loop->timers);
        free(loop);
    }
}

/* ---- watches ---- */

static uint32_t wanted(const struct loop_watch *watch)
{
    const bool reads = watch->is_reading && (watch->is_socket || watch->events->readable != NULL);
    const uint32_t end = watch->is_socket ? (uint32_t)EPOLLRDHUP : 0; /* else a read tells it */
    return (reads ? (uint32_t)EPOLLIN : end) | (watch->wants_room ? (uint32_t)EPOLLOUT : 0);
}

static void set_changed(struct loop_watch *watch)
{
    if (!watch->is_changed && !watch->is_closed) {
        watch->is_changed = true;
        TAILQ_INSERT_TAIL(&watch->loop->changed, watch, change);
    }
}

static void unset_changed(struct loop_watch *watch)
{
    if (watch->is_changed) {
        watch->is_changed = false;
        TAILQ_REMOVE(&watch->loop->changed, watch, change);
    }
}

static struct loop_watch *add(struct loop *loop, int fd, bool is_socket,
                              const struct loop_events *events, void *context)
{
    struct loop_watch *watch = loop->count < loop->max ? calloc(1, sizeof(*watch)) : NULL;
    if (watch == NULL) {
        fd_close(&fd);
        return NULL;
    }
    *watch = (struct loop_watch){.loop = loop,
                                 .events = events,
                                 .context = context,
                                 .fd = fd,
                                 .is_socket = is_socket,
                                 .is_reading = true,
                                 .timer = NO_TIMER};
    watch->told = wanted(watch);
    struct epoll_event event = {.events = watch->told, .data.ptr = watch};
    if (fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        (void)close(fd);
        free(watch);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&loop->open, watch, link);
    loop->count++;
    return watch;
}

struct loop_watch *loop_add_descriptor(struct loop *loop, int fd, const struct loop_events *events,
                                       void *context)
{
    return add(loop, fd, false, events, context);
}

struct loop_watch *loop_add_socket(struct loop *loop, int fd, const struct loop_events *events,
                                   void *context)
{
    return add(loop, fd, true, events, context);
}

struct loop_watch *loop_add_timer(struct loop *loop, const struct loop_events *events,
                                  void *context)
{
    return add(loop, -1, false, events, context);
}

void loop_close(struct loop_watch *watch)
{
    if (watch->is_closed) {
        return;
    }
    loop_set_timer(watch, 0);
    unset_changed(watch);
    watch->is_closed = true;
    watch->loop->count--;
    TAILQ_REMOVE(&watch->loop->open, watch, link);
    TAILQ_INSERT_TAIL(&watch->loop->closed, watch, link);
}

/* The kernel forgets a descriptor that is closed only when nobody else has it: one that came from
 * another process may be open there for a moment more, and its events would name what is freed. */
static void free_watches(struct watch_list *list)
{
    while (!TAILQ_EMPTY(list)) {
        struct loop_watch *watch = TAILQ_FIRST(list);
        TAILQ_REMOVE(list, watch, link);
        if (watch->fd >= 0) {
            (void)epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_DEL, watch->fd,
                            NULL); /* it is there */
            (void)close(watch->fd);
        }
        free(watch);
    }
}

int loop_socket(const struct loop_watch *watch)
{
    return watch->fd;
}

void loop_want_room(struct loop_watch *watch)
{
    watch->wants_room = true;
    set_changed(watch);
}

void loop_set_reading(struct loop_watch *watch, bool reading)
{
    watch->is_reading = reading;
    set_changed(watch);
}

/* ---- timers ---- */

static void put(struct loop *loop, size_t place, struct loop_watch *watch)
{
    loop->timers[place] = watch;
    watch->timer = place;
}

/* Moves a timer from its place to where it belongs. */
static void settle(struct loop *loop, size_t place)
{
    struct loop_watch *watch = loop->timers[place];
    while (place > 0 && watch->due_ms < loop->timers[(place - 1) / 2]->due_ms) {
        put(loop, place, loop->timers[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (size_t next; (next = 2 * place + 1) < loop->timer_count; place = next) {
        if (next + 1 < loop->timer_count &&
            loop->timers[next + 1]->due_ms < loop->timers[next]->due_ms) {
            next++;
        }
        if (watch->due_ms <= loop->timers[next]->due_ms) {
            break;
        }
        put(loop, place, loop->timers[next]);
    }
    put(loop, place, watch);
}

static void remove_timer(struct loop_watch *watch)
{
    struct loop *loop = watch->loop;
    const size_t place = watch->timer;
    watch->timer = NO_TIMER;
    loop->timer_count--;
    if (place < loop->timer_count) {
        put(loop, place, loop->timers[loop->timer_count]);
        settle(loop, place);
    }
}

void loop_set_timer(struct loop_watch *watch, unsigned ms)
{
    struct loop *loop = watch->loop;
    if (watch->is_closed) {
        return;
    }
    if (ms == 0) {
        if (watch->timer != NO_TIMER) {
            remove_timer(watch);
        }
        return;
    }
    watch->due_ms = clock_monotonic_ms() + ms;
    if (watch->timer == NO_TIMER) {
        assert(loop->timer_count < loop->max); /* each watch has one */
        put(loop, loop->timer_count++, watch);
    }
    settle(loop, watch->timer);
}

static void call_timeouts(struct loop *loop)
{
    const uint64_t now = clock_monotonic_ms();
    while (loop->timer_count > 0 && loop->timers[0]->due_ms <= now) {
        struct loop_watch *watch = loop->timers[0];
        remove_timer(watch);
        watch->events->timeout(watch->context);
    }
}

/* How long the kernel may wait. */
static int wait_ms(const struct loop *loop)
{
    if (loop->timer_count == 0) {
        return -1;
    }
    const uint64_t now = clock_monotonic_ms();
    const uint64_t due = loop->timers[0]->due_ms;
    return due <= now ? 0 : due - now < INT_MAX ? (int)(due - now) : INT_MAX;
}

/* ---- the loop ---- */

static void end_socket(struct loop_watch *watch)
{
    loop_close(watch);
    watch->events->gone(watch->context);
}

static void receive(struct loop_watch *watch)
{
    struct loop *loop = watch->loop;
    const ssize_t size = recv(watch->fd, loop->data, sizeof(loop->data), MSG_DONTWAIT);
    if (size > 0) {
        watch->events->received(watch->context, loop->data, (size_t)size);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        end_socket(watch);
    }
}

static void call(struct loop_watch *watch, uint32_t events)
{
    if (!watch->is_socket) {
        if (watch->is_reading && watch->events->readable != NULL) {
            watch->events->readable(watch->context);
        }
        return;
    }
    if ((events & EPOLLOUT) != 0 && watch->wants_room) {
        watch->wants_room = false;
        set_changed(watch);
        watch->events->has_room(watch->context);
    }
    if (watch->is_closed) {
        return;
    }
    if ((events & EPOLLIN) != 0 && watch->is_reading) {
        receive(watch);
    } else if ((events & (EPOLLERR | EPOLLHUP)) != 0 ||
               ((events & EPOLLRDHUP) != 0 && !watch->is_reading)) {
        end_socket(watch); /* the kernel would not rest */
    }
}

static void tell_changes(struct loop *loop)
{
    while (!TAILQ_EMPTY(&loop->changed)) {
        struct loop_watch *watch = TAILQ_FIRST(&loop->changed);
        struct epoll_event event = {.events = wanted(watch), .data.ptr = watch};
        unset_changed(watch);
        if (watch->fd >= 0 && event.events != watch->told) {
            watch->told = event.events;
            const int told = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
            assert(told == 0); /* it is there, and needs no memory */
            (void)told;
        }
    }
}

static int turn(struct loop *loop, struct cella_error *err)
{
    struct epoll_event events[LOOP_EVENTS_MAX];
    tell_changes(loop);
    const int count = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_MAX, wait_ms(loop));
    if (count < 0 && errno != EINTR) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "the event loop failed");
    }
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (!watch->is_closed) {
            call(watch, events[i].events);
        }
    }
    call_timeouts(loop);
    free_watches(&loop->closed);
    return 0;
}

int loop_run(struct loop *loop, struct cella_error *err)
{
    while (!loop->is_stopped) {
        if (turn(loop, err) < 0) {
            return -1;
        }
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}
