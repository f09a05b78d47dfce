/*
 * A stage: one sandbox of a run, from waiting for room until nothing of it is left.  A run has one
 * for its program and, with a compiled language, one before it for the compiler.
 *
 * A stage holds the ends of the program's pipes, feeds its standard input, keeps its output up to
 * the limits, reads the files that come out, and tells the supervisor everything that happens.
 */
#ifndef ENGINE_STAGE_H
#define ENGINE_STAGE_H

#include "base/attributes.h"
#include "engine/collect.h"
#include "engine/feed.h"
#include "engine/pack_writer.h"
#include "keeper/client/client.h"
#include "policy/plan.h"
#include "result/result.h"
#include "sched/sched.h"
#include "supervise/supervise.h"

#include <cella/error.h>
#include <stdbool.h>

struct demand_kind; /* demand/demand.h */

/* What an event of epoll points at. */
struct stage_source {
    struct stage *stage; /* NULL: the keeper */
    enum keeper_stream stream;
};

struct stage {
    struct cella_run *run; /* that it is part of */
    struct plan *plan;
    struct pack_writer pack; /* until it begins */
    struct result_stage *outcome;
    struct sched_place place; /* in the line of admission.h */
    bool given_up;            /* cancelled while it waited, and that is still to be told */

    struct demand_kind *kind; /* of sandbox, that it wants; NULL: whatever is made for it */
    uint64_t pool;            /* the keeper's name for where one may be ready; 0: nowhere */

    enum keeper_turn turn; /* where processors are few: see admission.h */
    uint64_t number;       /* the keeper's name for it; 0: not yet begun */
    int sealed_pack;       /* -1 when it is sent */
    bool create_pending;   /* the keeper is still to be asked for it */
    bool stop_pending;     /* the keeper is still to be told to stop it */
    struct {
        int signal;
        unsigned rows, columns;
    } tell; /* the program is still to be told, once it runs; 0: nothing */
    struct supervise supervise;
    bool created;              /* its pipes came */
    struct keeper_ended ended; /* when has_ended */
    bool has_ended;
    /* On the monotonic clock; 0: not yet. */
    uint64_t waited_us, begun_us; /* in line, and out of it */
    uint64_t started_us;          /* the program's first instruction */
    uint64_t ended_us;

    int streams[KEEPER_STREAMS];  /* ours; -1 when closed */
    bool watched[KEEPER_STREAMS]; /* by epoll */
    struct stage_source sources[KEEPER_STREAMS];
    struct feed feed;
    struct collect collect;
};

/* A stage that can be given up by stage_done().  `outcome` lies in the run's result. */
void stage_init(struct stage *stage, struct cella_run *run, struct result_stage *outcome);
void stage_done(struct stage *stage);

/* Gets in line for room.  The plan is complete. */
void stage_wait(struct stage *stage);

/* Asks the keeper for the sandbox.  The pack and the feed are complete. */
int stage_begin(struct stage *stage, struct cella_error *err) MUST_CHECK;

/* What happened to it.  Each may end the stage, which calls run_stage_done(). */
void stage_message(struct stage *stage, struct keeper_message *message);
void stage_stream_ready(struct stage *stage, enum keeper_stream stream);
void stage_cancel(struct stage *stage);
void stage_keeper_lost(struct stage *stage, const struct cella_error *error);
/* It could not begin. */
void stage_refuse(struct stage *stage, const struct cella_error *error);
/* Tells of the end of a stage that was `given_up`. */
void stage_give_up(struct stage *stage);

/* Standard input that comes while the program runs. */
void stage_feed(struct stage *stage);

/* Microseconds since the program's first instruction; 0 before it. */
uint64_t stage_elapsed_us(const struct stage *stage);

#endif
