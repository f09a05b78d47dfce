/*
 * The runs that have been asked for and have not begun: which are taken, and for how long they may
 * wait.
 *
 * There may be so many runs in all, and requests of those that wait have so many bytes together,
 * of which some are for the Unix socket.  Of both a tenant has at most as much as is left: so one
 * takes a half, two a third each, and there is always something left for another.
 */
#ifndef SERVE_QUEUE_H
#define SERVE_QUEUE_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct exchange;
struct job;
struct server;
struct tenant;

struct queue_place {
    TAILQ_ENTRY(queue_place) link; /* while it waits */
    bool waits;
    struct job *job;
    struct tenant *tenant; /* NULL: nobody with a key */
    size_t bytes;
    uint64_t since_ms, until_ms; /* until 0: it may wait for ever */
};
TAILQ_HEAD(queue_line, queue_place);

struct queue {
    struct queue_line line; /* who may wait shortest first */
    unsigned count;
    size_t bytes;
    struct loop_watch *clock; /* tells that the first has waited long enough */
};

int queue_open(struct server *server, struct cella_error *err) __attribute__((warn_unused_result));
void queue_close(struct server *server);

/* In how many seconds a run that waits from now on may have room, more or less. */
unsigned queue_seconds(const struct server *server);

/* Whether one more run with a request of so many bytes is taken.  -1 with CELLA_ERROR_BUSY. */
int queue_check(struct exchange *exchange, uint64_t bytes, struct cella_error *err)
    __attribute__((warn_unused_result));

/* It waits from now on; when it has done so for `wait_ms` job_is_late() is called.
 * UINT64_MAX: for ever. */
void queue_enter(struct server *server, struct queue_place *place, uint64_t wait_ms);
/* It has begun, or is over; also when it did not wait. */
void queue_leave(struct server *server, struct queue_place *place);

#endif
