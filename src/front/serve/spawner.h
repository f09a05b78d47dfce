/*
 * The one thing that the server must be able to do and that its confinement (confine.h) forbids it:
 * start a keeper, anew when one has died.  So a process apart does it, which was made before the
 * server was confined, holds nothing else, reads nothing from outside, and is asked with one byte.
 *
 * How it works.  The keeper is cloned as the server's child, not the spawner's: whoever has asked
 * for it can wait for it, as if it had started it.  There is one keeper at a time: before another
 * is started, and when the server is gone, the one before is ended if it does not end by itself.
 */
#ifndef SERVE_SPAWNER_H
#define SERVE_SPAWNER_H

#include <cella/cella.h>
#include <sys/types.h>

struct spawner {
    int socket; /* -1: there is none */
    pid_t pid;
};

/* To be called before anything is open that it should not hold. */
int spawner_open(struct spawner *ret_spawner, struct cella_error *err)
    __attribute__((warn_unused_result));
/* It ends by itself; this waits until it has.  Half-opened ones too. */
void spawner_close(struct spawner *spawner);

/* Another keeper: its end of the socket and its number, for struct cella_options. */
int spawner_start(const struct spawner *spawner, int *ret_socket, pid_t *ret_pid,
                  struct cella_error *err) __attribute__((warn_unused_result));

#endif
