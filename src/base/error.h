/*
 * Filling a struct cella_error.  Safe between fork and exec: no allocation, no stdio stream.
 * Every function here leaves errno as it was.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/attributes.h"
#include <cella/error.h>

/* Sets kind, errno and text, clears field and hint.  Returns -1, so that a function can end with
 * `return error_set(err, ...)`.  With a sys_errno the text gets ": <its description>" appended.
 * Of EMFILE and ENFILE CELLA_ERROR_HOST becomes CELLA_ERROR_BUSY, with a hint. */
int error_set(struct cella_error *err, enum cella_error_kind kind, int sys_errno,
              const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds the path of the request's field that is wrong.  Returns -1. */
int error_set_field(struct cella_error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds what to do about it.  Returns -1. */
int error_set_hint(struct cella_error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Memory could not be had: CELLA_ERROR_HOST with ENOMEM.  Returns -1. */
int error_set_memory(struct cella_error *err);

/* What the `type` of a problem of ours (RFC 9457) begins with; the name of the kind follows. */
#define ERROR_PROBLEM_TYPE "urn:cella:error:"

/* What each kind means to the outside: one table for every front. */
struct error_kind_info {
    const char *name; /* "caller", "policy", ... */
    int exit_code;    /* of `cella run` */
    int http_status;
};
const struct error_kind_info *error_kind_info(enum cella_error_kind kind);
/* The kind of that name; one that nobody knows, or NULL, is a bug of whoever wrote it. */
enum cella_error_kind error_kind_by_name(const char *name);

#endif
