/*
 * A process of the server's own beside it, for what the loop must not do itself, or may not: with
 * a socket between the two, and it ends when the server's end of that is closed.
 */
#ifndef SERVE_APART_H
#define SERVE_APART_H

#include <cella/cella.h>
#include <sys/types.h>

/* As fork(), with each side's end of a new socket of that type.  Returns -1 with `err`, which says
 * that `what` could not be started. */
pid_t apart_fork(int type, const char *what, int *ret_socket, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Closes the socket and waits until the process has ended.  -1 and 0: there is none. */
void apart_end(int *socket, pid_t *pid);

#endif
