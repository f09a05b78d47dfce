/* The OpenAPI 3.1 document, made from the table of routes (api.h). */
#ifndef SERVE_OPENAPI_H
#define SERVE_OPENAPI_H

#include <cella/cella.h>
#include <stddef.h>

/* malloc'ed, with a NUL behind its size. */
int openapi_json(char **ret_json, size_t *ret_size, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
