/*
 * The contract of Piston, version 2 of its API: runtimes, execute, packages (docs/contracts.md).
 *
 *   piston.c           its routes
 *   piston_names.c     the languages of this host, by the names and versions that its clients know
 *   piston_request.c   a job of Piston's as a request of Cella's
 *   piston_result.c    a result as Piston tells it
 *   piston_connect.c   jobs by WebSocket, whose input comes as they go on
 */
#ifndef SERVE_PISTON_H
#define SERVE_PISTON_H

#include "base/buffer.h"
#include "base/json.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PISTON_VERSION "3.1.1" /* that answers as these do */
#define PISTON_POLICY  "piston"

struct exchange;
struct server;

/* ---- names ---- */

#define PISTON_NAME_MAX    64U
#define PISTON_ALIASES_MAX 16U

struct piston_language {
    char cella[PISTON_NAME_MAX];   /* its name in a request of Cella's */
    char name[PISTON_NAME_MAX];    /* its name here */
    char runtime[PISTON_NAME_MAX]; /* the package that it is part of; "": itself */
    char version[PISTON_NAME_MAX]; /* three numbers */
    char aliases[PISTON_ALIASES_MAX][PISTON_NAME_MAX];
    size_t alias_count;
    char entry[PISTON_NAME_MAX];     /* what the first file is called when it has no name */
    char extension[PISTON_NAME_MAX]; /* that its files have, with the dot; "": none */
    bool compiled;
};

struct piston_names {
    struct piston_language *items;
    size_t count;
};

/* Those that are installed, looked for once until languages are read again.  1: they are not known
 * yet, and the exchange that asks has to wait (languages.h). */
int piston_names_get(struct server *server, const struct piston_names **ret_names,
                     struct cella_error *err) __attribute__((warn_unused_result));
/* NULL is fine. */
void piston_names_destroy(struct piston_names *names);
/* The one of that name or alias, of a version that the selector takes, which the policy allows.
 * NULL when there is none. */
const struct piston_language *piston_names_find(const struct piston_names *names,
                                                const json_t *policy, const char *name,
                                                const char *selector);

/* Carries out a job and answers it. */
void piston_execute(struct exchange *exchange, const json_t *body);

/* ---- requests and results ---- */

struct piston_refusal {
    char *text; /* malloc'ed; NULL: memory is short */
};

/* Writes the request for a body.  -1 with what Piston says of a bad one.  `talks`: its input and
 * output come as it goes on. */
int piston_request_write(const struct piston_names *names, const json_t *policy, const json_t *body,
                         bool talks, struct buffer *ret_request,
                         const struct piston_language **ret_language,
                         struct piston_refusal *ret_refusal) __attribute__((warn_unused_result));

/* Writes the answer for a result, as its JSON says it.  -1 when memory is short. */
int piston_result_write(const json_t *result, const struct piston_language *language,
                        struct buffer *ret_answer) __attribute__((warn_unused_result));

/* How a stage has ended: its exit code, or false, and the signal, or NULL. */
bool piston_result_code(const json_t *stage, const json_t *limit, int64_t *ret_code,
                        const char **ret_signal);

/* ---- by WebSocket ---- */

void piston_connect(struct exchange *exchange);
/* An error, and the end. */
void piston_connect_refuse(struct exchange *exchange, const struct cella_error *error);

#endif
