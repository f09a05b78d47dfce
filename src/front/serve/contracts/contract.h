/*
 * Contracts: what clients of other servers send and expect, on paths of their own
 * (docs/contracts.md).
 *
 * A contract has a table of routes, which the server describes beside its own.  It reads a foreign
 * body, writes a request of Cella's, starts a job with a form of its own (job.h), and
 * answers from the result.
 * Whatever is refused on its paths, by whomever, is told in its own form: it says how, once.
 */
#ifndef SERVE_CONTRACT_H
#define SERVE_CONTRACT_H

#include "base/buffer.h"
#include "base/json.h"
#include "front/serve/api/api.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

struct contract_policies;
struct exchange;
struct server;

struct contract {
    const struct api_route *routes;
    size_t route_count;
    const char *below; /* paths below this one are its own, also those that do not exist; or NULL */
    const char *fields; /* of the head of each of its answers, "Name: value\r\n"; "" for none */
    struct api_body problem; /* what tells of an error; the document says so */
    /* Writes the body of an answer that tells of an error, which is `text`.  Returns its status:
     * the one given, or another that the contract has for it. */
    int (*refuse)(const char *text, int status, struct buffer *body);
    /* Tells of it by the WebSocket that the exchange has become, and closes it.  NULL: there are
     * none. */
    void (*refuse_message)(struct exchange *exchange, const struct cella_error *error);
};

/* A good answer of a route, or one of its own form. */
#define CONTRACT_ANSWER(status, schema, meaning)                                                   \
    (&(const struct api_answer){status, 0, {"application/json", schema}, meaning, {NULL}})

extern const struct contract contract_execute;
extern const struct contract contract_piston;

/* What a policy forbids is the request's fault there, since there is nobody who could be asked for
 * leave: the status of such an error in the place of its own. */
#define CONTRACT_FORBIDDEN 400

/* All of them, NULL behind the last. */
extern const struct contract *const contracts[];

/* ---- for those who carry one out ---- */

/* The JSON of the request's body, in which halves of characters are mended (surrogates.h).
 * CELLA_ERROR_CALLER when it is none. */
int contract_read(struct exchange *exchange, json_t **ret_body, struct cella_error *err)
    __attribute__((warn_unused_result));
/* A result, as what its JSON says. */
int contract_read_result(const struct cella_result *result, json_t **ret_result,
                         struct cella_error *err) __attribute__((warn_unused_result));
/* Other JSON of the library's. */
int contract_read_own(const char *json, size_t size, json_t **ret_value, struct cella_error *err)
    __attribute__((warn_unused_result));
/* A policy, as `cella policy show --json` has it, and at most a second old.  It is the server's,
 * and good as long as nobody else asks for one. */
int contract_read_policy(struct server *server, const char *name, const json_t **ret_policy,
                         struct cella_error *err) __attribute__((warn_unused_result));
/* Forgets what was read.  NULL is fine. */
void contract_policies_destroy(struct contract_policies *policies);

enum contract_stage { CONTRACT_RUN, CONTRACT_COMPILE };
/* The most that a request may ask for.  False when that is not a number of the policy's. */
bool contract_cap(const json_t *policy, enum contract_stage stage, const char *limit,
                  double *ret_cap);
/* Whether the policy lets the language be run. */
bool contract_allows(const json_t *policy, const char *language);

/* Starts the job of a request that was written; `answer` gets a copy of the context when it has
 * ended.  What cannot be started is answered. */
void contract_start(struct exchange *exchange, const struct buffer *request,
                    void (*answer)(struct exchange *exchange, const struct cella_result *result,
                                   const void *context),
                    const void *context, size_t context_size);

/* Answers with JSON that was written, or with the error when it could not be.  Empties it. */
void contract_answer(struct exchange *exchange, int status, struct buffer *body, bool failed);

#endif
