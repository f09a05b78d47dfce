/*
 * Sockets that whoever has started this server has opened for it and listens on already: what
 * systemd calls socket activation, sd_listen_fds(3).
 */
#ifndef SERVE_ACTIVATION_H
#define SERVE_ACTIVATION_H

#include "front/serve/settings/values.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

#define ACTIVATION_SOCKETS_MAX VALUES_ADDRESSES_MAX

struct activation_socket {
    int fd;
    bool is_local;                    /* a Unix socket */
    bool is_remote;                   /* others than this host's own programs can reach it */
    char text[UNITS_TEXT_SIZE + 128]; /* its address, for people */
};

struct activation {
    struct activation_socket items[ACTIVATION_SOCKETS_MAX];
    size_t count;
};

/* The environment's variables are then taken away.  CELLA_ERROR_HOST for a descriptor that is no
 * socket that listens. */
int activation_take(struct activation *ret_activation, struct cella_error *err)
    __attribute__((warn_unused_result));
/* An address by which others than this host's programs can connect, with those of `own` where no
 * TCP socket was passed; NULL: none. */
const char *activation_remote(const struct activation *activation,
                              const struct values_addresses *own);
bool activation_has(const struct activation *activation, bool is_local);

#endif
