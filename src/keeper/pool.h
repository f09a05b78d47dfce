/*
 * A pool: sandboxes of one plan, made ahead of need, and where the language has one the zygote that
 * their programs are children of.
 *
 *   plain   init waits to be told what to run; it will start the program
 *   warm    the program is there too, parked: a zygote's child, or a one-shot
 *
 * The engine says how many shall be ready; the pool makes them one after the other while the keeper
 * has nothing else to do, and begins again when one was taken or has died.  A zygote that dies or
 * does not answer is replaced, later and later while that goes on; a request finds the pool empty
 * then and is given a sandbox of its own.
 */
#ifndef KEEPER_POOL_H
#define KEEPER_POOL_H

#include "base/attributes.h"
#include "isolate/native/nest.h"
#include "keeper/common.h"
#include "keeper/run.h"
#include "keeper/watch.h"

#include <stdbool.h>
#include <stdint.h>

/* Ready at one time in one pool. */
#define POOL_READY_MAX NEST_SANDBOXES_MAX

/* Besides, where runs of others stand back (express.h): for one who goes first. */
#define POOL_FIRST_READY 1

/* Being made at one time: more only take the processors from each other.  The kernel lets whoever
 * makes namespaces and control groups wait now and then.  Few are one-shots, which compute all the
 * time, and what is made where somebody may go first. */
#define POOL_MAKING_MAX 4
#define POOL_MAKING_FEW 2

/* Requests that came when nothing was ready, and wait: a zygote's child is there sooner than an
 * interpreter that starts anew. */
#define POOL_WAITING_MAX 64

struct pool_request {
    uint64_t id;
    int pack;
    enum keeper_turn turn;
};

/* What becomes of those that waited: a run, or with a zygote that fails one to be started anew;
 * then `pack` stays the pool's. */
struct pool_owner {
    void *context;
    void (*began)(void *context, struct run *run);
    void (*cold)(void *context, const struct plan *plan, const struct pool_request *request);
};

struct pool {
    struct common *common;
    struct pool_owner owner;
    struct run_maker maker;                        /* it is itself one */
    struct pool_request waiting[POOL_WAITING_MAX]; /* those who go first, then the first come */
    size_t waiting_count;
    uint64_t id;
    struct plan plan;
    int pack;      /* of the zygote or the one-shots; -1: a plain pool */
    bool one_shot; /* which of them */
    uint32_t target;
    uint64_t runs;     /* how many were begun, for their numbers */
    struct nest *nest; /* NULL: none now */
    struct run *parked[POOL_READY_MAX + POOL_FIRST_READY]; /* the oldest first */
    size_t parked_count;
    struct run *making[POOL_MAKING_MAX];
    size_t making_count;
    uint32_t forks;     /* of this zygote */
    uint64_t zygote_us; /* when it was started */
    uint32_t failures;  /* one after the other */
    uint64_t retry_us;  /* not before */
    uint64_t rest_us;   /* nor, while some are ready, before that */
    uint64_t taken_us;  /* when one was taken last */
    int timer;          /* for the zygote's answer, and for the next attempt */
    struct watch watches[WATCH_SOURCES];
    uint32_t taken, made, zygotes, dead; /* since the beginning */
    struct cella_error error;            /* of the last failure */
    bool changed;                        /* the engine is to be told */
    uint64_t told_us;                    /* when it was last */
};

/* As its first frame says, with the pack that came with it, which stays the caller's; -1: none. */
struct pool *pool_create(struct common *common, const struct pool_owner *owner,
                         const struct keeper_pool *order, int pack, struct cella_error *err);
/* Ends what is ready.  Runs that came from it go on. */
void pool_destroy(struct pool *pool);

void pool_set_target(struct pool *pool, uint32_t target);
/* Gives a request what is ready, or lets it wait for what soon will be.  False: it is to be started
 * anew.  Its pack stays the caller's. */
bool pool_serve(struct pool *pool, const struct plan *plan, const struct pool_request *request);
/* Forgets a request that waits; false when there is none of that number. */
bool pool_forget(struct pool *pool, uint64_t id);
/* Likewise all of them. */
void pool_forget_all(struct pool *pool);
/* Goes on making, by one step; `hurry`: for those who go first, and nobody else.  False when there
 * is nothing to do now. */
bool pool_step(struct pool *pool, bool hurry);
void pool_event(struct pool *pool, enum watch_source source);
/* Tells the engine, when there is something to tell that is not too soon.  When to look again, in
 * milliseconds; -1: when something has happened. */
int pool_tell(struct pool *pool);

#endif
