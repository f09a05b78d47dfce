/*
 * What systemd is told of this server, in the words of sd_notify(3): that it is ready, what it is
 * doing, and, where it watches over us, that we are alive.  Nothing is said where nobody listens.
 *
 * One datagram is one message; none waits, and one that cannot be sent is left out.
 */
#ifndef SERVE_NOTIFY_H
#define SERVE_NOTIFY_H

#include <cella/cella.h>
#include <stdint.h>

struct notify {
    int socket;             /* -1: nobody listens */
    uint64_t watch_over_ms; /* how often a sign of life is wanted; 0: never */
};

/* From the environment, of which the names are then taken away: they are not our children's.
 * CELLA_ERROR_HOST for a place that is named and cannot be spoken to. */
int notify_open(struct notify *ret_notify, struct cella_error *err)
    __attribute__((warn_unused_result));
void notify_close(struct notify *notify);

/* `state` is "READY=1", "STOPPING=1", "WATCHDOG=1" or ""; `status`, unless NULL, is for people. */
void notify_send(const struct notify *notify, const char *state, const char *status);
/* Until the next "READY=1". */
void notify_reloading(const struct notify *notify);

#endif
