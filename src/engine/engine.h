/*
 * The engine: one keeper, and the runs that it has or is about to get.
 *
 * Everything happens in engine_step(): it waits for descriptors and hands what came to the run it
 * belongs to.  A run may be freed by the caller at any time, also in the middle of a callback, and
 * its sandbox may still be ending then; so a run is only marked, and destroyed when nothing of it
 * is left and no event can point at it any more.
 *
 * This header is for src/engine alone.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/attributes.h"
#include "base/paths.h"
#include "diagnose/diagnose.h"
#include "engine/admission.h"
#include "engine/compiled.h"
#include "engine/digests.h"
#include "engine/stage.h"
#include "engine/warm.h"
#include "keeper/client/client.h"
#include "policy/policy.h"
#include "request/spec.h"
#include "result/result.h"
#include "runtime/runtime.h"

#include <cella/cella.h>
#include <sys/queue.h>

/* Runs at one time, those not yet freed included. */
#define ENGINE_RUNS_MAX 4096U

#define POLICY_DEFAULT "default"

/* Bytes taken by one read of a pipe: what a pipe holds by default. */
#define ENGINE_READ_SIZE ((size_t)64 * 1024)

/* Policies that are remembered; more are read again each time. */
#define ENGINE_POLICIES_MAX 32U
/* For so long one is not looked at again. */
#define ENGINE_POLICY_FRESH_US UINT64_C(1000000)

struct cella_request {
    struct spec *spec;
};

struct cella_result {
    struct result *data;
    char *json; /* that it was read from; NULL: it was made here */
    size_t json_size;
};

struct cella_run {
    TAILQ_ENTRY(cella_run) link; /* in the engine, by the order of starting */
    struct cella_engine *engine;
    struct cella_callbacks callbacks; /* all NULL when nobody wants to know */
    struct cella_result result;
    struct stage compile; /* .plan NULL when nothing is compiled */
    struct compiled compiled;
    struct stage run;
    struct stage *now;               /* the one that is at work, or waits for room */
    struct admission_tenant *tenant; /* whose it is, for admission; NULL: not yet there */
    uint64_t turn;                   /* in the line of admission; 0: none yet */
    uint64_t queued_us;              /* when this attempt began, on the monotonic clock */
    int64_t queued_unix_ms;          /* and for people */
    unsigned keeps;                  /* CELLA_KEEP_..., by its policy */
    bool begun;                      /* its first stage has had room */
    bool is_trial;                   /* and does not make whose it is a tenant */
    const struct runtime *runtime;   /* NULL for a command */
    struct runtime_set *runtimes;    /* that it is of, held; NULL: it has not come so far */
    struct diagnose_sources sources;
    size_t chunks_last[2]; /* by enum result_stream: the last chunk's index, plus one */
    bool repeatable;       /* it can leave nothing outside of its sandboxes */
    bool done;             /* the result is complete */
    bool abandoned;        /* the caller has freed it */
};

TAILQ_HEAD(run_list, cella_run);

struct cella_engine {
    int epoll_fd;
    struct keeper_client *keeper;
    struct stage_source keeper_source; /* its socket */
    struct stage_source death_source;  /* its pidfd */
    struct stage_source wake_source;   /* admission's descriptor */
    struct stage_source warm_source;   /* warm's timer */
    bool keeper_full;                  /* its socket takes nothing for now */
    bool pinged;                       /* it was, and has not answered */
    struct cella_error lost; /* why the keeper is lost; kind CELLA_ERROR_NONE while it is not */
    struct runtime_set *runtimes;
    struct {
        struct policy *policy;
        uint64_t read_us; /* the file is read again after ENGINE_POLICY_FRESH_US */
    } policies[ENGINE_POLICIES_MAX];
    size_t policy_count;
    char *policies_dir; /* NULL: none beside the standard places */
    struct run_list runs;
    size_t run_count;
    size_t abandoned_count; /* of them, those that the caller has freed */
    uint64_t last_number;   /* of a sandbox */
    struct admission admission;
    struct warm warm;
    struct digests digests;
    uint64_t compile_cache_bytes; /* 0: nothing is kept */
    bool stepping;                /* inside engine_step() */
    char *scratch; /* ENGINE_READ_SIZE bytes, for what is read and not kept as it is: on the stack
                      so large an array would have every page of it touched */
};

/* ---- engine.c ---- */

/* Every field of the caller's options, those that his struct is too old to have as if not given.
 * Refuses options whose size was never set: nothing in them would count. */
int engine_options(const struct cella_options *options, struct cella_options *ret_known,
                   struct cella_error *err) MUST_CHECK;

int engine_open(const struct cella_options *options, struct cella_engine **ret_engine,
                struct cella_error *err) MUST_CHECK;
void engine_close(struct cella_engine *engine);

/* Handles what is there, after waiting for it at most `timeout_ms` (-1: for ever). */
int engine_step(struct cella_engine *engine, int timeout_ms, struct cella_error *err) MUST_CHECK;

/* Sends what of this stage waits to be sent, now or, when the keeper's socket is full, as soon as
 * it is not: then in the order in which runs were started. */
void engine_send(struct cella_engine *engine, struct stage *stage);
/* As cella_engine_ping(). */
int engine_ping(struct cella_engine *engine, struct cella_error *err) MUST_CHECK;
/* The keeper's socket takes nothing now: a step follows when it does. */
void engine_wait_for_room(struct cella_engine *engine);

/* The policy of that name, which belongs to the engine or, when it remembers no more, is to be
 * destroyed by the caller: then *ret_owned is the same. */
int engine_policy(struct cella_engine *engine, const char *name, const struct policy **ret_policy,
                  struct policy **ret_owned, struct cella_error *err) MUST_CHECK;

/* ---- run.c ---- */

/* The way of a request, from the caller to the keeper.  `first` has perhaps compiled the same, or
 * is NULL. */
int run_start(struct cella_engine *engine, const struct spec *spec, const struct cella_run *first,
              unsigned flags, const struct cella_callbacks *callbacks, struct cella_run **ret_run,
              struct cella_error *err) MUST_CHECK;
/* A stage has had room and goes to the keeper. */
void run_begun(struct cella_run *run);
/* The way back: a stage is done. */
void run_stage_done(struct cella_run *run);
/* Output of a stage, as it came. */
void run_output(struct cella_run *run, enum result_stream stream, size_t offset, size_t size);
/* Destroys it, or marks it to be destroyed when that is possible. */
void run_free(struct cella_run *run);
/* Nothing may point at it any more. */
void run_destroy(struct cella_run *run);

/* What the plan of a request looks like.  The text is the caller's. */
int run_explain(struct cella_engine *engine, const struct spec *spec, char **ret_text,
                struct cella_error *err) MUST_CHECK;

/* The result of a request that was refused: `error` says why. */
int run_refused_result(const struct cella_error *error, struct result **ret_result,
                       struct cella_error *err) MUST_CHECK;

/* ---- repeat.c ---- */

/* With its plan made: its limit of time was found from these. */
void repeat_expect(struct cella_run *run, const struct spec_past *past);
/* With its outcome known: how that is beside what was expected. */
void repeat_settle(struct cella_run *run);

/* ---- diagnosis.c ---- */

/* A stage has ended: if it ended badly, the result learns why.  Where the program's own words say
 * that it reached a limit, the stage's outcome becomes that limit. */
void run_diagnose(struct cella_run *run, enum errors_stage which);

#endif
