/* Names for runs: sortable by time, and never given twice. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stdint.h>

#define ID_SIZE 27 /* 26 characters and a NUL */

/* A ULID: ten characters of time and sixteen of chance, in Crockford's base 32, which sorts as its
 * bytes do.  `unix_ms` is not before 1970.  CELLA_ERROR_HOST when the kernel gives no chance. */
int id_make(int64_t unix_ms, char ret_id[ID_SIZE], struct cella_error *err) MUST_CHECK;
/* The time in one; -1 when it is none. */
int id_time(const char *id, int64_t *ret_unix_ms) MUST_CHECK;

#endif
