/*
 * One run as the keeper sees it: from CREATE, or from when its sandbox is made ahead, until nothing
 * of it is left.
 *
 *   MAKING ──▶ PARKED ──CREATE─┐ made ahead
 *              without ──CREATE─▶ SETTING_UP ──STARTING─▶ RUNNING ──EXITED, or stopped─┐
 *                                       └──────── init dead ──▶ gone ◀── FINISHING ◀───┘
 * Each state has a deadline of its own; when it passes, init is killed and everything with it.
 */
#ifndef KEEPER_RUN_H
#define KEEPER_RUN_H

#include "base/attributes.h"
#include "isolate/init/protocol.h"
#include "isolate/native/nest.h"
#include "isolate/native/sandbox.h"
#include "isolate/native/shares.h"
#include "keeper/common.h"
#include "keeper/watch.h"

#include <stdbool.h>
#include <stdint.h>

/* Who has runs made ahead, and is told of their way until each is assigned, or lost. */
struct run_maker {
    void *context;
    void (*hidden)(void *context, struct run *run); /* its init waits: the program is to come */
    void (*parked)(void *context, struct run *run); /* and that waits too */
    void (*stuck)(void *context);                   /* one of them does not get on */
    /* It is freed behind this.  Without an error it was abandoned. */
    void (*lost)(void *context, struct run *run, const struct cella_error *error);
};

enum run_state { RUN_MAKING, RUN_PARKED, RUN_SETTING_UP, RUN_RUNNING, RUN_FINISHING };

struct run {
    uint64_t id; /* the engine's; before CREATE its maker's own count */
    struct common *common;
    const struct run_maker *maker; /* until it is assigned; NULL: it never was made ahead */
    struct nest_program program;   /* what its zygote's child will get */
    enum run_state state;
    struct limits limits;
    uint64_t waived; /* protections, by the plan */
    struct sandbox sandbox;
    struct share_sign shares[PLAN_WRITABLE_MAX]; /* of one made ahead: what it shows */
    struct init_report report;                   /* the last of init's that carried figures */
    struct watch watches[WATCH_OF_RUN];
    int timer;
    int fork_events;              /* -1: none */
    uint32_t causes;              /* enum keeper_cause, seen by the keeper */
    bool failed;                  /* init said why nothing was run */
    bool done;                    /* init's figures are complete */
    bool stopped;                 /* by us */
    bool announced;               /* the engine knows that it started */
    bool extended;                /* its clock began before it did */
    bool hidden;                  /* its init waits */
    bool abandoned;               /* made for a zygote that is no more */
    bool dead;                    /* its init, whatever that has said before */
    bool ending;                  /* it is over, but for its sandbox's own end */
    bool concluded;               /* the engine has been told of its end */
    bool warm;                    /* its program was there before it was */
    bool one_shot;                /* and is no zygote's child */
    bool program_parked;          /* it has said so */
    bool program_ended;           /* that one, and these are its figures */
    struct rusage program_before; /* when it was parked */
    struct rusage program_usage;
    uint64_t program_written;
    uint64_t memory_held; /* by the zygote, and part of what the run has */
    uint64_t started_us;
    uint64_t deadline_us; /* of the state */
    uint64_t cpu_at_start_us;
    uint64_t cpu_at_end_us; /* when finishing began: what comes then is our work; 0: not known */
    uint64_t protections;
};

/* Starts a sandbox and says CREATED; NULL when it said REFUSED. */
struct run *run_create(struct common *common, const struct keeper_create *create, int pack);

/* One that is to be made ahead. */
struct run_order {
    uint64_t number; /* the maker's, its id until it is assigned */
    const struct plan *plan;
    struct nest *nest; /* NULL: in namespaces of its own */
    bool warm, one_shot;
    enum keeper_turn turn; /* COMMON: among those that stand back; the others: beside them */
};
/* Begins to make it; and the parts of its way which come from the nest and the zygote: they take
 * the pidfd when they return 0. */
struct run *run_make(struct common *common, const struct run_maker *maker,
                     const struct run_order *order, struct cella_error *err);
int run_built(struct run *run, int pidfd, struct cella_error *err) MUST_CHECK;
int run_forked(struct run *run, int pidfd, struct cella_error *err) MUST_CHECK;
/* Makes one that is parked the run of a CREATE, and says CREATED.  -1: it has died, and is
 * freed. */
int run_assign(struct run *run, uint64_t id, int pack, enum keeper_turn turn) MUST_CHECK;

/* The engine wants it ended. */
void run_stop(struct run *run);
/* Its end comes as an event. */
void run_kill(const struct run *run);
/* One that is made ahead is not to be: nobody is to blame.  Before it is there it goes on. */
void run_abandon(struct run *run);

/* Handles one event.  RUN_IS_OVER: it has said ENDED or REFUSED, or was made ahead, and has been
 * freed. */
enum run_progress { RUN_GOES_ON, RUN_IS_OVER };
enum run_progress run_event(struct run *run, enum watch_source source);

/* Kills, waits, cleans up, frees; says nothing to the engine. */
void run_destroy(struct run *run);

#endif
