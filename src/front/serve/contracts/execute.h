/*
 * The contract of the servers that NVIDIA's toolkits run code by: POST /execute and what is around
 * it (docs/contracts.md).
 *
 *   execute.c           its routes
 *   execute_code.c      the program in what a model wrote as one
 *   execute_request.c   a call as a request of Cella's
 *   execute_result.c    a result as the contract tells it
 */
#ifndef SERVE_EXECUTE_H
#define SERVE_EXECUTE_H

#include "base/buffer.h"
#include "base/json.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

#define EXECUTE_POLICY        "execute"
#define EXECUTE_SECONDS       10 /* that a program has when the call does not say */
#define EXECUTE_SECONDS_TEXT  32U
#define EXECUTE_NO_CHARACTERS UINT64_MAX
#define EXECUTE_REFUSAL_MAX   256U

/* What of a call its answer depends on; plain memory. */
struct execute_call {
    bool is_later;                      /* by a client that sends what the first ones do not */
    bool is_interactive;                /* IPython tells of errors on standard output */
    bool begins_session;                /* which the answer says */
    bool has_time;                      /* there is some: the time-out is above 0 */
    double wall_ms;                     /* at most what the policy gives */
    char seconds[EXECUTE_SECONDS_TEXT]; /* as the client wrote it */
    uint64_t characters;                /* of each stream at most; EXECUTE_NO_CHARACTERS: all */
};

/* Writes the request for a call.  -1 with a sentence about what is wrong with it, which is empty
 * when memory is short.  `policy` is the one that is named `policy_name`. */
int execute_request_write(const json_t *body, const json_t *policy, const char *policy_name,
                          struct buffer *ret_request, struct execute_call *ret_call,
                          char ret_refusal[EXECUTE_REFUSAL_MAX])
    __attribute__((warn_unused_result));
/* Whether a call is for the interactive Python, the one that has sessions. */
bool execute_is_interactive(const json_t *body);

/* Writes the answer for a result.  -1 when memory is short. */
int execute_result_write(const json_t *result, const struct execute_call *call,
                         struct buffer *ret_answer) __attribute__((warn_unused_result));
/* The answer to a call that gives its program no time. */
int execute_timeout_write(const struct execute_call *call, struct buffer *ret_answer)
    __attribute__((warn_unused_result));
/* "process_status": "error", with that sentence. */
int execute_error_write(const char *text, struct buffer *ret_answer)
    __attribute__((warn_unused_result));

#endif
