/* What the files of job.h know of a job. */
#ifndef SERVE_JOB_INSIDE_H
#define SERVE_JOB_INSIDE_H

#include "base/id.h"
#include "front/serve/records/record.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <cella/repeat.h>
#include <cella/wire.h>

enum job_step { JOB_STARTED, JOB_COMPILER, JOB_OUTPUT, JOB_RESULT, JOB_OVER };

/* What is told of the output of a stage, by stream. */
struct job_output {
    size_t told[2];    /* bytes */
    uint64_t since[2]; /* when the first byte that is not yet told came; 0: all are told */
};

struct job {
    TAILQ_ENTRY(job) link;
    struct server *server;
    struct exchange *exchange;
    struct cella_run *run; /* NULL: it was lost, and waits to be begun again */
    char id[ID_SIZE];
    unsigned keeps;                    /* CELLA_KEEP_..., of its policy */
    struct cella_request *again;       /* to begin it with once more; NULL: it is not to be */
    unsigned attempts;                 /* times that it was begun */
    uint64_t again_ms;                 /* when it is to be begun again */
    struct cella_result *lost;         /* what it is when it cannot be */
    const struct cella_result *result; /* when it is done */
    bool is_cancelled;
    enum job_way way;
    struct job_form form;
    struct job_owner owner; /* of JOB_PART */
    struct record record;
    bool is_adaptive; /* what it takes is remembered, of this code: */
    char code_digest[CELLA_DIGEST_SIZE];
    char *request;       /* for the history; NULL: not to be kept, or it has it already */
    size_t request_size; /* that it has, or will have */
    uint64_t began_ms;
    struct tenant *tenant;    /* NULL: of nobody with a key */
    bool is_counted;          /* among his runs */
    size_t waiting_bytes;     /* of its output, which has ended and waits to be taken */
    struct queue_place place; /* until it has begun */
    bool has_begun;           /* there was room for it */
    bool has_room;            /* and is */
    bool is_done;
    bool is_accepted;   /* it is in the history: there it is found when it has ended */
    bool is_left;       /* nobody waits for it any more */
    enum job_step step; /* what is to be told next */
    struct job_output compiler, program;
    uint64_t pieces;                  /* of output, so far: the clock of their `since` */
    struct cella_result_parts *parts; /* at JOB_RESULT: of a large one */
    char *input;                      /* bytes of standard input that wait for room */
    size_t input_size;
    bool closes_stdin; /* behind them nothing comes */
};

/* ---- job.c ---- */

/* Starts its run.  `first` has perhaps compiled the same, or is NULL. */
int job_begin(struct job *job, const struct cella_request *request, const struct cella_run *first,
              struct cella_error *err) __attribute__((warn_unused_result));
/* An attempt has come to this, or to nothing: NULL. */
void job_leave_room(struct job *job, const struct cella_result *result);
/* It has come to this. */
void job_finish(struct job *job, const struct cella_result *result);

/* ---- job_history.c ---- */

/* Gives the request what the same code took before, where its limit of time follows that. */
int job_take_past(struct job *job, struct cella_request *request, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Of one that took its time, whether it ended by itself or at its limit. */
void job_remember_time(const struct job *job, const struct cella_result *result);
/* What the history has, or will have, of the request.  One that is fetched later, or found by that
 * key, is there when this returns 0. */
int job_remember(struct job *job, const char *key, const char *json, size_t size,
                 struct cella_error *err) __attribute__((warn_unused_result));
int job_put_into_history(const struct job *job, const struct cella_result *result,
                         struct cella_error *err) __attribute__((warn_unused_result));

/* ---- job_events.c ---- */

/* The next event, malloc'ed, or none while nothing happens: *ret_size 0.  Returns 0, without one,
 * when all were given, and the job is gone; else 1. */
int job_next(struct job *job, char **ret_text, size_t *ret_size);

/* It has ended, and all of its output is held until its client has taken the last of it. */
void job_wait_for_reader(struct job *job);

/* ---- job_large.c ---- */

/* Bytes of a result from which on it is not told in one piece. */
#define JOB_LARGE_MIN ((size_t)1 << 20)
/* Answers with the result part by part, as its client takes it; it is the answer's then. */
void job_answer_large(struct job *job);

/* ---- job_again.c ---- */

/* Whether a run that has ended so was lost and is begun again; then the job waits for that. */
bool job_is_lost(struct job *job, const struct cella_result *result);
/* One that waits for that is what it was when it was lost. */
void job_give_up(struct job *job);

#endif
