/*
 * The sockets that the server listens on, and the directory that it has for itself.
 */
#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

#include "front/serve/settings/settings.h"

#include <stdbool.h>

/* Makes the directory if it is not there, with what leads to it, and holds it for as long as the
 * descriptor is open: CELLA_ERROR_CALLER when another server does. */
int listen_hold_state(const char *path, struct cella_error *err)
    __attribute__((warn_unused_result));

/* A Unix socket that only our own user, and root, can connect to.  What a killed server has left at
 * `path` is removed; CELLA_ERROR_CALLER when a living one answers there, or it is another file.
 * `state` is the directory that the server holds. */
int listen_unix(const char *path, int state, struct cella_error *err)
    __attribute__((warn_unused_result));
int listen_tcp(const struct values_address *address, struct cella_error *err)
    __attribute__((warn_unused_result));
/* "127.0.0.1:8420" or "[::1]:8420". */
void listen_write_address(const struct sockaddr *address, char ret_text[VALUES_ADDRESS_SIZE]);

/* Whether the other end of a Unix socket is our own user or root. */
bool listen_peer_is_ours(int socket);

#endif
