/*
 * libcella: runs of what was run before.  For servers, which remember; a program that only runs
 * code needs cella.h alone.
 */
#ifndef CELLA_REPEAT_H
#define CELLA_REPEAT_H

#include <cella/cella.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a limit of time that follows what the same code took ---- */

/* Whether the request's limit of wall-clock time does, by itself or by its policy. */
CELLA_API int cella_request_is_adaptive(struct cella_engine *engine,
                                        const struct cella_request *request, int *ret_adaptive,
                                        struct cella_error *err);
#define CELLA_DIGEST_SIZE 65 /* SHA-256 in hexadecimal, with its NUL */
/* Of what is run, whatever it is given: language or command, code, entry, files, and the compiler's
 * arguments.  The tenant is part of it. */
CELLA_API void cella_request_code_digest(const struct cella_request *request,
                                         char ret_digest[CELLA_DIGEST_SIZE]);
#define CELLA_PAST_RUNS_MAX 50U
/* What the last runs of the same code took, in milliseconds of wall-clock time: at most
 * CELLA_PAST_RUNS_MAX.  Without it nothing is known of the code. */
CELLA_API int cella_request_set_past(struct cella_request *request, const double *wall_ms,
                                     size_t count, struct cella_error *err);
/* What the program took, from its first instruction to its end; below 0 when it was not begun. */
CELLA_API double cella_result_wall_ms(const struct cella_result *result);

/* ---- runs that Cella has lost ---- */

/* Whether a run that was lost by Cella's own fault may be begun again: 1 when nothing that it did
 * is left anywhere, since it had neither the host's network nor writable mounts, nor input of which
 * a part is gone; else 0. */
CELLA_API int cella_run_is_repeatable(const struct cella_run *run);
/* The request is for another attempt, the `number`-th (from 2), at the run of that id: the result
 * will have the id, the time at which the first one was asked for, and the number. */
CELLA_API int cella_request_set_attempt(struct cella_request *request, const char *id,
                                        unsigned number, struct cella_error *err);

#ifdef __cplusplus
}
#endif
#endif
