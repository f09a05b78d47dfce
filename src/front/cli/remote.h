/*
 * A run by a server of this host: the same as by an engine of ours, and to the caller not to be
 * told apart from it.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "front/cli/live.h"

#include <cella/cella.h>
#include <limits.h>
#include <stdbool.h>

/* Larger requests are not given to servers. */
#define REMOTE_REQUEST_MAX ((size_t)64 << 20)

struct remote_server {
    int fd; /* -1: there is none */
    char path[PATH_MAX];
};

/* A connection to the server that answers at `path` and is run by our own user or root. */
void remote_connect(const char *path, struct remote_server *ret_server);
void remote_done(struct remote_server *server);

/* What the server has at `path`, malloc'ed and with a NUL behind it. */
int remote_get(const struct remote_server *server, const char *path, char **ret_body,
               size_t *ret_size, struct cella_error *err) __attribute__((warn_unused_result));

enum remote_end {
    REMOTE_DONE,   /* *ret_outcome says how */
    REMOTE_UNUSED, /* nothing was run: the server is not there for us now */
    REMOTE_FAILED, /* *err: the request was refused, or the server was lost on the way */
};
enum remote_end remote_run(const struct remote_server *server, const struct cella_request *request,
                           const struct interrupts *interrupts, const struct live_options *options,
                           struct live_outcome *ret_outcome, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
