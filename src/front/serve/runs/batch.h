/*
 * A batch: one program that is run with many tests, and a verdict for each.
 *
 * How it works.  Its runs are jobs, a few at one time (its slots), so that others wait for a few
 * runs of it and not for all.  The first one compiles the program, and the
 * others begin when that is done; what it made is theirs too (cella_run_start_compiled()), whatever
 * may be kept of it.  A checker's runs are such jobs likewise, in the slot of the test.
 */
#ifndef SERVE_BATCH_H
#define SERVE_BATCH_H

#include "base/id.h"
#include "front/serve/records/record.h"
#include "front/serve/runs/batch_fields.h"
#include "front/serve/runs/batch_request.h"
#include "front/serve/runs/job.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* At one time; more are refused as busy. */
#define SERVER_BATCHES_MAX 32U
/* Of their JSON, together. */
#define SERVER_BATCH_BYTES_MAX ((size_t)256 << 20)

struct batch;
struct exchange;
struct job;
struct server;
struct tenant;

#define BATCH_MESSAGE_MAX 384U

struct batch_excerpt {
    char *data; /* malloc'ed; NULL: it is empty */
    size_t size;
    uint64_t total; /* bytes that there were */
};

/* What became of a test. */
struct batch_outcome {
    const char *name; /* the request's */
    enum batch_verdict verdict;
    bool has_ended;
    char message[BATCH_MESSAGE_MAX];
    bool has_difference;
    struct compare_difference difference; /* its parts lie in the request, and in: */
    char got[COMPARE_EXCERPT_MAX];
    bool was_checked;
    int checker_code; /* -1: none */
    struct batch_excerpt checker_said;
    struct batch_excerpt streams[2];
    char *run; /* JSON; NULL: none */
    uint64_t wall_us, cpu_us, memory_bytes;
};

struct batch_slot {
    struct batch *batch;
    size_t index;             /* of the test */
    struct job *job;          /* NULL: it is free, or waits for the checker to be compiled */
    struct cella_run *judged; /* the program's, which has ended, while its checker judges */
    bool is_taken;
    bool waits; /* for the checker to be compiled */
};

/* What compiles, once for all runs: the program, or the checker. */
struct batch_source {
    struct cella_run *first;        /* ended; NULL: none yet, or it still goes on */
    struct job *compiler;           /* on its way; NULL: none */
    bool is_ready;                  /* the others may begin */
    char broken[BATCH_MESSAGE_MAX]; /* why nothing can be run; "": it can */
};

struct batch {
    TAILQ_ENTRY(batch) link;
    struct server *server;
    struct exchange *exchange; /* NULL: nobody waits */
    struct tenant *tenant;     /* whose it is; NULL: nobody's with a key */
    enum job_way way;          /* JOB_ANSWERS, JOB_STREAMS or JOB_STAYS */
    struct record record;
    char id[ID_SIZE];
    size_t bytes; /* counted in the server's batch_bytes */
    struct batch_request *request;
    struct batch_slot slots[BATCH_PARALLEL_MAX];
    unsigned slot_count;
    unsigned taken; /* of them */
    struct batch_source program, checker;
    struct batch_outcome *outcomes;
    size_t test_count;
    size_t next; /* test that is to be begun */
    size_t ended;
    size_t *told_order; /* the tests as they ended */
    size_t told;        /* events that were given, of them */
    bool told_start, told_end;
    bool is_stopped; /* nothing more is begun */
    bool is_cancelled;
    bool is_pumping;    /* tests are being begun or ended: who does it looks what is next */
    bool is_resumed;    /* by the batch_resume_all() that is at work */
    bool is_uncompiled; /* so there is nothing to test */
    bool is_over;
    bool is_accepted;           /* it is in the history: there it is found when it has ended */
    enum batch_verdict verdict; /* once it is over; of the compiler when is_uncompiled */
    char message[BATCH_MESSAGE_MAX];
    char *compile; /* JSON of the stage; NULL: there was none */
};

/* Begins one that the exchange asks for.  With JOB_STAYS nobody waits for it; then, and with an
 * Idempotency-Key, it is accepted: the history has it when this returns 0.  When its exchange waits
 * no more, one that was accepted goes on; else its runs are told to end. */
int batch_start(struct exchange *exchange, const char *json, size_t size, enum job_way way,
                char ret_id[ID_SIZE], struct cella_error *err) __attribute__((warn_unused_result));
/* Ends the batch of that id, and that tenant unless it is NULL.  -1 when there is none. */
int batch_cancel(struct server *server, const char *id, const char *tenant)
    __attribute__((warn_unused_result));
/* Whether it has not ended. */
bool batch_is_going(const struct server *server, const char *id);
/* Those of a tenant; NULL: all. */
void batch_cancel_all(struct server *server, const char *tenant);
/* The engine goes: nothing of it may be held. */
void batch_forget_all(struct server *server);
/* And there is another. */
void batch_resume_all(struct server *server);
/* The server goes. */
void batch_destroy_all(struct server *server);

/* ---- batch_result.c ---- */

const char *batch_verdict_word(enum batch_verdict verdict);
/* As JSON, malloc'ed: all of it, or the test of that index. */
int batch_result_json(const struct batch *batch, char **ret_json, size_t *ret_size,
                      struct cella_error *err) __attribute__((warn_unused_result));
int batch_outcome_json(const struct batch *batch, size_t index, char **ret_json, size_t *ret_size,
                       struct cella_error *err) __attribute__((warn_unused_result));

/* What a test's run has come to, but for what is decided by its output.  -1: memory is short. */
int batch_outcome_take(struct batch_outcome *outcome, const struct cella_result *result);
int batch_excerpt_take(struct batch_excerpt *excerpt, const char *data, size_t size);
void batch_outcome_done(struct batch_outcome *outcome);
/* The stage as it stands in the result, malloc'ed; NULL when there was none. */
char *batch_compile_json(const struct cella_result *result);

#endif
