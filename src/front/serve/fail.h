/* Filling a struct cella_error. */
#ifndef SERVE_FAIL_H
#define SERVE_FAIL_H

#include <cella/cella.h>
#include <stdint.h>

/* Sets kind and text, clears the rest.  Returns -1. */
int serve_fail(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Likewise with the text of the present errno behind it. */
int serve_fail_errno(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds what to do about it.  Returns -1. */
int serve_hint(struct cella_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What makes "run" the word for so many of them. */
static inline const char *serve_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

#endif
