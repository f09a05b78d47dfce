/*
 * One run as the keeper sees it: from CREATE, or from when its sandbox is made ahead for a pool,
 * until nothing of it is left.
 *
 *   MAKING ──▶ PARKED ──CREATE─┐ of a pool
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
#include "keeper/ceiling.h"
#include "keeper/watch.h"
#include "keeper/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum run_state { RUN_MAKING, RUN_PARKED, RUN_SETTING_UP, RUN_RUNNING, RUN_FINISHING };

struct run {
    uint64_t id;                 /* the engine's; before CREATE the pool's own count */
    struct pool *pool;           /* that it is being made for, or ready in; else NULL */
    struct nest_program program; /* what its zygote's child will get */
    enum run_state state;
    struct limits limits;
    uint64_t waived; /* protections, by the plan */
    struct sandbox sandbox;
    struct init_report report; /* the last of init's that carried figures */
    struct watch watches[WATCH_OF_RUN];
    int epoll; /* the keeper's */
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
    bool is_idle;                 /* another goes first: see express.h */
    bool warm;                    /* its program was there before it was */
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
struct run *run_create(struct sandbox_host *host, const struct ceiling *ceiling, int epoll,
                       struct wire *wire, const struct keeper_create *create, int pack);

/* Begins to make one for a pool, which learns of its way by pool_run_*(); and the parts of that way
 * which come from the nest and the zygote: they take the pidfd when they return 0. */
struct run *run_make(struct pool *pool, struct cella_error *err);
int run_built(struct run *run, int pidfd, struct cella_error *err) MUST_CHECK;
int run_forked(struct run *run, int pidfd, struct cella_error *err) MUST_CHECK;
/* Makes one that is parked the run of a CREATE, and says CREATED.  -1: it has died, and is
 * freed. */
int run_assign(struct run *run, struct wire *wire, uint64_t id, int pack) MUST_CHECK;

/* The engine wants it ended. */
void run_stop(struct run *run);
/* Its end comes as an event. */
void run_kill(const struct run *run);
/* One that is made ahead is not to be: nobody is to blame.  Before it is there it goes on. */
void run_abandon(struct run *run);

/* Handles one event.  RUN_IS_OVER: it has said ENDED or REFUSED, or was a pool's, and has been
 * freed. */
enum run_progress { RUN_GOES_ON, RUN_IS_OVER };
enum run_progress run_event(struct run *run, enum watch_source source, struct wire *wire);

/* run_figures.c: what the engine is told at the end; what a program had used when it was parked;
 * processor time since the start; whether so many forks were refused that it does not recover. */
void run_fill_ended(const struct run *run, const struct cgroup_usage *group,
                    const struct rusage *rusage, struct keeper_ended *ended);
void run_note_parked(struct run *run, const struct init_report *report);
/* What the engine is told at the start: by what the run is held. */
struct keeper_started run_started(const struct run *run);
uint64_t run_cpu_used_us(const struct run *run);
bool run_forks_exhausted(const struct run *run);
/* When a running program must be looked at again: when it can have used up its processor time at
 * the earliest, and, where refused forks cause no event, soon. */
uint64_t run_next_check_us(const struct run *run);

/* Kills, waits, cleans up, frees; says nothing to the engine. */
void run_destroy(struct run *run);

#endif
