/*
 * What ended a stage: a pure state machine.  It is told what happened, in the order in which it was
 * seen, and decides exactly one outcome: the first cause wins.  It reads no clock, holds no
 * descriptor and kills nothing; supervise_event() says whether the sandbox must now be stopped.
 *
 *   CREATING ──STARTED──▶ RUNNING ──(a limit, a cancel)──▶ STOPPING ──ENDED──▶ DONE
 *                            └───────────────ENDED────────────────────────────▲
 *   CREATING goes wherever RUNNING does: STARTED may be read later than what followed it.
 *   A lost keeper, or a sandbox that was not set up, goes to DONE from anywhere.
 */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

#include "keeper/protocol.h"
#include "result/result.h"

enum supervise_state { SUPERVISE_CREATING, SUPERVISE_RUNNING, SUPERVISE_STOPPING, SUPERVISE_DONE };

enum supervise_event {
    SUPERVISE_STARTED,      /* the program's first instruction */
    SUPERVISE_NOTICE,       /* the keeper stops the run; `detail` is an enum keeper_cause */
    SUPERVISE_STDOUT_LIMIT, /* more output than kept */
    SUPERVISE_STDERR_LIMIT,
    SUPERVISE_CANCEL,  /* the caller wants it ended */
    SUPERVISE_FAILED,  /* we cannot go on with it; `detail` is the enum cella_error_kind */
    SUPERVISE_ENDED,   /* nothing of the run is left, and all its output is read */
    SUPERVISE_REFUSED, /* it was not set up; `detail` is the enum cella_error_kind */
    SUPERVISE_KEEPER_LOST,
};

struct supervise {
    enum supervise_state state;
    enum status cause; /* the first cause of the end; STATUS_COUNT while there is none */
    enum limit cause_limit;
    uint32_t limits_hit; /* as in struct result_stage */
    bool stop_on_output;
};

void supervise_init(struct supervise *supervise, bool stop_on_output);

/* Returns true when the sandbox must be told to stop now. */
bool supervise_event(struct supervise *supervise, enum supervise_event event, uint32_t detail);

/* Turns what the keeper reported at the end into status, exit code, signal, limit, limits_hit,
 * usage and the sentence of a stage.  `limits` are the plan's.  `ended` is NULL when it never
 * reported: refused, stopped before it was there, or the keeper was lost. */
void supervise_outcome(const struct supervise *supervise, const struct keeper_ended *ended,
                       const struct limits *limits, struct result_stage *stage);

/* The program ended badly, by itself, and its own words say that it had come to that limit, of
 * which it was told: the outcome becomes the limit. */
void supervise_told(struct result_stage *stage, const struct limits *limits, enum limit limit);

#endif
