/*
 * The part of a URL behind its '?': NAME=VALUE with '&' between, percent-encoded, '+' for a space.
 */
#ifndef SERVE_QUERY_H
#define SERVE_QUERY_H

#include <cella/cella.h>
#include <stddef.h>

#define QUERY_VALUE_MAX 512U /* with its NUL */

/* A name that is known, and where its value goes: "" before, and when it is not given. */
struct query_field {
    const char *name;
    char value[QUERY_VALUE_MAX];
};

/* CELLA_ERROR_CALLER for a name that is not among them or comes twice, and for a value that is too
 * long or wrongly encoded. */
int query_read(const char *query, struct query_field *fields, size_t count, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
