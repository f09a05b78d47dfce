/*
 * What the server must be able to do and its confinement (confine.h) forbids it: start a keeper,
 * anew when one has died, and connect to whoever collects its traces.  So a process apart does it,
 * which was made before the server was confined, holds nothing else, reads nothing from outside, is
 * asked with one byte, and connects to the one address that it was made with.
 *
 * How it works.  The keeper is cloned as the server's child, not the spawner's: whoever has asked
 * for it can wait for it, as if it had started it.  There is one keeper at a time: before another
 * is started, and when the server is gone, the one before is ended if it does not end by itself.
 */
#ifndef SERVE_SPAWNER_H
#define SERVE_SPAWNER_H

#include <cella/cella.h>
#include <sys/socket.h>
#include <sys/types.h>

struct spawner {
    int socket; /* -1: there is none */
    pid_t pid;
};

/* To be called before anything is open that it should not hold.  `size` of the address is 0: there
 * is none to connect to. */
int spawner_open(struct spawner *ret_spawner, const struct sockaddr_storage *address,
                 socklen_t size, struct cella_error *err) __attribute__((warn_unused_result));
/* It ends by itself; this waits until it has.  Half-opened ones too. */
void spawner_close(struct spawner *spawner);

/* Another keeper: its end of the socket and its number, for struct cella_options. */
int spawner_start(const struct spawner *spawner, int *ret_socket, pid_t *ret_pid,
                  struct cella_error *err) __attribute__((warn_unused_result));

/* A socket that is on its way to that address, or -1. */
int spawner_connect(const struct spawner *spawner) __attribute__((warn_unused_result));

#endif
