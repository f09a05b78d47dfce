/* See warm.h. */
#include "engine/warm.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/glob.h"
#include "engine/engine.h"
#include "engine/stage.h"

#include <errno.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* When the caller says nothing: what a few zygotes and some dozen sandboxes take. */
#define MEMORY_DEFAULT (UINT64_C(512) * 1024 * 1024)

/* What a one-shot costs while it waits, as a round figure: an interpreter that shares little. */
#define ONE_SHOT_BYTES (UINT64_C(32) * 1024 * 1024)

/* What the keeper has to be told to make a pool. */
struct warm_pool {
    char *language; /* of its zygote or one-shots; "": none */
    char *policy;   /* for people, like the language */
    struct plan plan;
    int pack; /* that starts them; -1: none */
    bool one_shot;
    uint64_t id;                    /* what the keeper is to be told last */
    uint32_t size;                  /* likewise */
    bool pending;                   /* and has not been told yet */
    struct keeper_pool_state state; /* as the keeper told last */
};

int warm_init(struct warm *warm, const struct cella_options *options, int epoll_fd, void *source,
              struct cella_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    const uint64_t given = options->pool_memory_bytes;
    demand_init(&warm->demand, given == CELLA_NO_POOLS ? 0 : given == 0 ? MEMORY_DEFAULT : given);
    warm->timer = clock_open_timer();
    if (warm->timer < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, warm->timer, &event) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a timer");
    }
    return 0;
}

static void forget(struct warm *warm, size_t index)
{
    struct warm_pool *pool = warm->pools[index];
    if (pool != NULL) {
        fd_close(&pool->pack);
        free(pool->language);
        free(pool->policy);
        free(pool);
        warm->pools[index] = NULL;
    }
}

void warm_done(struct warm *warm)
{
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        forget(warm, i);
    }
    fd_close(&warm->timer);
}

/* ---- what a run wants ---- */

/* Whether the run could tell a warm start by what the interpreter does with its environment. */
static bool sets_what_was_read(const struct recipe *recipe)
{
    const struct spec_strings *patterns = &recipe->runtime->warm.cold_env;
    for (size_t i = 0; i < recipe->spec->env_count; i++) {
        for (size_t j = 0; j < patterns->count; j++) {
            if (glob_match(patterns->items[j], recipe->spec->env[i].name)) {
                return true;
            }
        }
    }
    return false;
}

/* A one-shot is in its run's sandbox, and would find what others have left there before it is given
 * its run. */
static bool is_born_warm(const struct recipe *recipe, const struct plan *plan)
{
    return recipe->runtime != NULL && recipe->runtime->warm.start != RUNTIME_START_ANEW &&
           (recipe->runtime->warm.start != RUNTIME_START_ONE_SHOT ||
            plan_writable_count(plan) == 0) &&
           (recipe->policy == NULL || !recipe->policy->cold_start) && !sets_what_was_read(recipe);
}

static void make_key(struct digests *digests, const struct plan *plan, const char *tenant,
                     const struct pack_writer *zygote, unsigned char *key)
{
    SHA2_CTX digest = *digests_of(digests, plan);
    SHA256Update(&digest, (const uint8_t *)tenant, strlen(tenant) + 1);
    SHA256Update(&digest, (const uint8_t *)zygote->batch.data, zygote->batch.size);
    SHA256Final(key, &digest);
}

/* What the keeper has to be told of the kind, remembered at its first run.  False: no memory for
 * more than the run itself. */
static bool remember(struct warm *warm, struct demand_kind *kind, const struct plan *plan,
                     const struct recipe *recipe, struct pack_writer *zygote)
{
    struct cella_error error;
    const size_t place = (size_t)(kind - warm->demand.kinds);
    if (kind->wanted > 1 && warm->pools[place] != NULL) {
        return true;
    }
    forget(warm, place); /* of whoever had this place before */
    struct warm_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return false;
    }
    warm->pools[place] = pool;
    pool->plan = *plan;
    pool->pack = -1;
    pool->one_shot =
        zygote->batch.size > 0 && recipe->runtime->warm.start == RUNTIME_START_ONE_SHOT;
    kind->each_bytes = pool->one_shot ? ONE_SHOT_BYTES : 0; /* as most */
    pool->language = strdup(zygote->batch.size > 0 ? recipe->runtime->name : "");
    pool->policy = strdup(recipe->policy != NULL ? recipe->policy->name : "default");
    if (pool->language == NULL || pool->policy == NULL) {
        forget(warm, place);
        return false;
    }
    if (zygote->batch.size > 0 && pack_writer_seal(zygote, &pool->pack, &error) < 0) {
        forget(warm, place);
        return false;
    }
    return true;
}

void warm_choose(struct stage *stage, const struct recipe *recipe)
{
    struct warm *warm = &stage->run->engine->warm;
    struct cella_error error;
    unsigned char key[DEMAND_KEY_SIZE];
    CLEANUP(pack_writer_done) struct pack_writer zygote;
    pack_writer_init(&zygote);
    if (warm->demand.memory_max_bytes == 0 || stage->plan->terminal_rows > 0 ||
        (is_born_warm(recipe, stage->plan) &&
         recipe_write_zygote(recipe, &stage->plan->limits, &zygote, &error) < 0) ||
        zygote.fd >= 0) { /* so long an environment is nobody's */
        return;
    }
    make_key(&stage->run->engine->digests, stage->plan,
             recipe->spec->tenant != NULL ? recipe->spec->tenant : "", &zygote, key);
    struct demand_kind *kind = demand_want(&warm->demand, key, clock_monotonic_us());
    if (kind != NULL && remember(warm, kind, stage->plan, recipe, &zygote)) {
        stage->kind = kind;
    } else if (kind != NULL) {
        demand_release(kind);
    }
}

void warm_began(struct stage *stage)
{
    if (stage->kind != NULL) {
        demand_began(stage->kind);
        stage->pool = stage->kind->id;
    }
}

void warm_ended(struct stage *stage)
{
    if (stage->kind != NULL && stage->number != 0) {
        demand_ended(stage->kind);
    }
    if (stage->kind != NULL) {
        demand_release(stage->kind);
    }
    stage->kind = NULL;
}

/* ---- what the keeper is told ---- */

/* What does not go now goes in a later step, and until then the kind stays. */
static void send_size(struct cella_engine *engine, struct demand_kind *kind, struct warm_pool *pool)
{
    struct cella_error error;
    const bool was_pending = pool->pending;
    pool->pending = keeper_client_pool(engine->keeper, pool->id, pool->size, pool->one_shot,
                                       &pool->plan, pool->pack, &error) == 0;
    if (pool->pending) {
        engine_wait_for_room(engine);
    }
    if (pool->pending && !was_pending) {
        demand_hold(kind);
    } else if (was_pending && !pool->pending) {
        demand_release(kind);
    }
}

static void set_size(void *context, const struct demand_kind *kind)
{
    struct cella_engine *engine = context;
    struct warm *warm = &engine->warm;
    const ptrdiff_t place = kind - warm->demand.kinds;
    struct warm_pool *pool = warm->pools[place];
    if (pool != NULL && engine->lost.kind == CELLA_ERROR_NONE) {
        pool->id = kind->id;
        pool->size = kind->target;
        send_size(engine, &warm->demand.kinds[place], pool);
    }
}

/* Whether everything has been told. */
static bool send_pending(struct cella_engine *engine)
{
    struct warm *warm = &engine->warm;
    bool told = true;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        if (warm->pools[i] != NULL && warm->pools[i]->pending) {
            send_size(engine, &warm->demand.kinds[i], warm->pools[i]);
            told = told && !warm->pools[i]->pending;
        }
    }
    return told;
}

void warm_step(struct cella_engine *engine)
{
    struct warm *warm = &engine->warm;
    if (warm->demand.memory_max_bytes == 0 || !send_pending(engine)) {
        return; /* to a keeper that takes nothing there is nothing new to say */
    }
    const uint64_t again = demand_step(&warm->demand, clock_monotonic_us(), set_size, engine);
    clock_set_timer(warm->timer, again == UINT64_MAX ? 0 : again);
}

void warm_message(struct cella_engine *engine, const struct keeper_pool_state *state)
{
    struct demand_kind *kind = demand_find(&engine->warm.demand, state->header.run);
    if (kind != NULL && state->header.run != 0) { /* else it was given up meanwhile */
        kind->held_bytes = state->held_bytes;
        engine->warm.pools[kind - engine->warm.demand.kinds]->state = *state;
    }
}

void cella_engine_pools(const struct cella_engine *engine,
                        void (*row)(void *context, const struct cella_pool *pool), void *context)
{
    const struct warm *warm = &engine->warm;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        const struct demand_kind *kind = &warm->demand.kinds[i];
        const struct warm_pool *pool = warm->pools[i];
        if (pool == NULL || kind->id == 0) {
            continue;
        }
        const struct cella_pool told = {
            .language = pool->language,
            .policy = pool->policy,
            .target = kind->target,
            .ready = pool->state.ready,
            .active = kind->active,
            .made = pool->state.made,
            .taken = pool->state.taken,
            .zygotes = pool->state.zygotes,
            .zygotes_dead = pool->state.zygotes_dead,
            .memory_bytes = pool->state.held_bytes,
            .problem = pool->state.failures > 0 ? pool->state.error.text : "",
        };
        row(context, &told);
    }
}
