/*
 * The AsyncAPI 3.0 document: the events of a run (events.h), and what is said by WebSocket
 * (interactive.h).
 */
#ifndef SERVE_ASYNCAPI_H
#define SERVE_ASYNCAPI_H

#include <cella/cella.h>
#include <stddef.h>

/* malloc'ed, with a NUL behind its size. */
int asyncapi_json(char **ret_json, size_t *ret_size, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
