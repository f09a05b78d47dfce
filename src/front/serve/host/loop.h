/*
 * The one loop of the server: descriptors, sockets, timers.  What a turn of it takes does not
 * depend on how many watches there are that have nothing to tell.
 *
 * A watch is one descriptor and what to call when something is to be done about it; `context` is
 * the caller's.  Everything is called from loop_run().  A watch may be closed from anywhere, also
 * from what it calls itself; after that nothing is called for it, and its descriptor is closed at
 * the end of the turn.
 */
#ifndef SERVE_LOOP_H
#define SERVE_LOOP_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

struct loop;
struct loop_watch;

struct loop_events {
    /* Of a descriptor: it can be read from. */
    void (*readable)(void *context);
    /* Of a socket: this came; it is all taken. */
    void (*received)(void *context, const char *data, size_t size);
    /* Of a socket: there is room to send.  Called once for each loop_want_room(). */
    void (*has_room)(void *context);
    /* Of a socket: the other end is gone, or has said that nothing more will come.  The watch is
     * closed already. */
    void (*gone)(void *context);
    /* The time of loop_set_timer() is over. */
    void (*timeout)(void *context);
};

/* For at most `watches_max` at one time, of which closed ones are none. */
int loop_create(unsigned watches_max, struct loop **ret_loop, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Closes every watch; NULL is fine. */
void loop_destroy(struct loop *loop);

/* Each takes the descriptor, on failure too.  `events` must outlive the watch. */
struct loop_watch *loop_add_descriptor(struct loop *loop, int fd, const struct loop_events *events,
                                       void *context);
struct loop_watch *loop_add_socket(struct loop *loop, int fd, const struct loop_events *events,
                                   void *context);
/* A watch of nothing, which has its timer alone. */
struct loop_watch *loop_add_timer(struct loop *loop, const struct loop_events *events,
                                  void *context);
void loop_close(struct loop_watch *watch);

int loop_socket(const struct loop_watch *watch);
void loop_want_room(struct loop_watch *watch);
/* Of a socket that is not read from it is still told when its other end is gone, or has said that
 * nothing more will come; what it had sent before is lost then. */
void loop_set_reading(struct loop_watch *watch, bool reading);
/* One timer for each watch; 0 stops it. */
void loop_set_timer(struct loop_watch *watch, unsigned ms);

/* Until loop_stop(). */
int loop_run(struct loop *loop, struct cella_error *err) __attribute__((warn_unused_result));
void loop_stop(struct loop *loop);

#endif
