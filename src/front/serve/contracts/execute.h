/*
 * The contract of the servers that NVIDIA's toolkits run code by: POST /execute and what is around
 * it (docs/contracts.md).
 *
 *   execute.c           its routes
 *   execute_code.c      the program in what a model wrote as one
 *   execute_request.c   a call as a request of Cella's
 *   execute_sessions.c  interpreters that stay from call to call
 *   ipython.py          what runs calls for IPython, in their sandbox
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

/* A call, without its texts; plain memory. */
struct execute_call {
    const char *language;  /* Cella's name for it; static, like the next one */
    const char *verbosity; /* IPython's word for how tracebacks are told */
    bool is_later;         /* by a client that sends what the first ones do not */
    bool is_interactive;   /* IPython tells of errors on standard output */
    bool in_session;       /* the answer says whether the session is a new one: */
    bool is_new;
    bool has_input;                     /* else it reads nothing */
    bool has_time;                      /* there is some: the time-out is above 0 */
    double wall_ms;                     /* at most what the policy gives */
    char seconds[EXECUTE_SECONDS_TEXT]; /* as the client wrote it */
    uint64_t characters;                /* of each stream at most; EXECUTE_NO_CHARACTERS: all */
};

/* The program that it brings, and what that reads. */
struct execute_texts {
    struct buffer code, input;
};
void execute_texts_done(struct execute_texts *texts);

/* Reads a call.  -1 with a sentence about what is wrong with it, which is empty when memory is
 * short.  `policy` is the one that it is for. */
int execute_call_read(const json_t *body, const json_t *policy, struct execute_call *ret_call,
                      struct execute_texts *ret_texts, char ret_refusal[EXECUTE_REFUSAL_MAX])
    __attribute__((warn_unused_result));
/* Writes its request, for a policy of that name.  -1 when memory is short. */
int execute_request_write(const struct execute_call *call, const struct execute_texts *texts,
                          const char *policy_name, struct buffer *ret_request)
    __attribute__((warn_unused_result));

/* What a session may take, and the word by which it says that it is there. */
struct execute_session_limits {
    double wall_ms, memory_bytes;
};
int execute_session_write(const char *policy_name, const struct execute_session_limits *limits,
                          const char *word, struct buffer *ret_request)
    __attribute__((warn_unused_result));

/* Writes the answer for a result.  -1 when memory is short, here and below. */
int execute_result_write(const json_t *result, const struct execute_call *call,
                         struct buffer *ret_answer) __attribute__((warn_unused_result));
/* The answer to a call of a session: what came of it on both streams. */
struct execute_output {
    const char *data[2]; /* by enum cella_stream */
    size_t size[2];
};
enum execute_end { EXECUTE_COMPLETED, EXECUTE_ERROR, EXECUTE_TIMEOUT };
/* `note` is a sentence for the end of standard error, or NULL. */
int execute_cell_write(enum execute_end end, const struct execute_output *output, const char *note,
                       const struct execute_call *call, struct buffer *ret_answer)
    __attribute__((warn_unused_result));
/* The answer to a call that gives its program no time. */
int execute_timeout_write(const struct execute_call *call, struct buffer *ret_answer)
    __attribute__((warn_unused_result));
/* "process_status": "error", with that sentence. */
int execute_error_write(const char *text, struct buffer *ret_answer)
    __attribute__((warn_unused_result));

#endif
