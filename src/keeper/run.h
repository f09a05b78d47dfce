/*
 * One run as the keeper sees it: from CREATE until nothing of it is left.
 *
 *   SETTING_UP ──STARTING─▶ RUNNING ──EXITED, or stopped──▶ FINISHING ──init dead──▶ gone
 *        └───────────────────────── init dead ───────────────────────────────────────▲
 * Each state has a deadline of its own; when it passes, init is killed and everything with it.
 */
#ifndef KEEPER_RUN_H
#define KEEPER_RUN_H

#include "base/attributes.h"
#include "isolate/init/protocol.h"
#include "isolate/native/sandbox.h"
#include "keeper/ceiling.h"
#include "keeper/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct run;

/* What woke the keeper; the pointer of an epoll event. */
enum run_source { RUN_CONTROL, RUN_INIT_DEAD, RUN_TIMER, RUN_FORK_EVENTS, RUN_SOURCES };
struct run_watch {
    enum run_source source;
    struct run *run;
};

enum run_state { RUN_SETTING_UP, RUN_RUNNING, RUN_FINISHING };

struct run {
    uint64_t id;
    enum run_state state;
    struct limits limits;
    uint64_t waived; /* protections, by the plan */
    struct sandbox sandbox;
    struct init_report report; /* the last of init's that carried figures */
    struct run_watch watches[RUN_SOURCES];
    int epoll; /* the keeper's */
    int timer;
    int fork_events; /* -1: none */
    uint32_t causes; /* enum keeper_cause, seen by the keeper */
    bool failed;     /* init said why nothing was run */
    bool done;       /* init's figures are complete */
    bool stopped;    /* by us */
    bool announced;  /* the engine knows that it started */
    bool extended;   /* its clock began before it did */
    uint64_t started_us;
    uint64_t deadline_us; /* of the state */
    uint64_t cpu_at_start_us;
    uint64_t cpu_at_end_us; /* when finishing began: what comes then is our work; 0: not known */
    uint64_t protections;
};

/* Starts a sandbox and says CREATED; NULL when it said REFUSED. */
struct run *run_create(struct sandbox_host *host, const struct ceiling *ceiling, int epoll,
                       struct wire *wire, const struct keeper_create *create, int pack);

/* The engine wants it ended. */
void run_stop(struct run *run);

/* Handles one event.  RUN_IS_OVER: it has said ENDED or REFUSED and has been freed. */
enum run_progress { RUN_GOES_ON, RUN_IS_OVER };
enum run_progress run_event(struct run *run, enum run_source source, struct wire *wire);

/* Kills, waits, cleans up, frees; says nothing to the engine. */
void run_destroy(struct run *run);

#endif
