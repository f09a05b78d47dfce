/*
 * Admission: see admission.h.
 *
 * How it works: sched_next() is asked until it has nothing more after every change, which is at the
 * end of each step; so between steps only a stage that has just come can be the next.  Cancelling a
 * stage that waits is a change without an event, and its callback may come from a step only: then
 * a descriptor in the engine's set becomes readable.
 */
#include "engine/admission.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "engine/budget.h"
#include "engine/engine.h"
#include "engine/stage.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The host is looked at when nothing runs, so that our own runs do not count as somebody else's
 * use, but no more often than this. */
#define LOOK_AGAIN_US UINT64_C(1000000)

/* A program's share of the processors in its plan: see admission.h. */
#define PROGRAM_CPU_PARTS 4U

/* Descriptors of a stage: five here, twice as many in the keeper, whose hard limit is at least our
 * soft one. */
#define STAGE_DESCRIPTORS 12U

struct admission_tenant {
    TAILQ_ENTRY(admission_tenant) link;
    struct sched_tenant share;
    size_t runs; /* of his that there are */
    char name[]; /* "": nobody in particular */
};

int admission_init(struct admission *admission, const struct cella_options *options, int epoll_fd,
                   void *source, struct cella_error *err)
{
    const struct sched_amounts none = {.of = {0}};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    sched_init(&admission->sched, &none);
    TAILQ_INIT(&admission->tenants);
    admission->given.of[SCHED_MEMORY] = options->budget_memory_bytes;
    admission->given.of[SCHED_CPUS] = options->budget_millicpus;
    admission->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (admission->wake_fd < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, admission->wake_fd, &event) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make an event descriptor");
    }
    return 0;
}

void admission_done(struct admission *admission)
{
    while (!TAILQ_EMPTY(&admission->tenants)) {
        struct admission_tenant *tenant = TAILQ_FIRST(&admission->tenants);
        TAILQ_REMOVE(&admission->tenants, tenant, link);
        free(tenant);
    }
    fd_close(&admission->wake_fd);
}

static struct admission *admission_of(const struct stage *stage)
{
    return &stage->run->engine->admission;
}

/* ---- whose ---- */

static struct admission_tenant *find_tenant(const struct admission *admission, const char *name)
{
    struct admission_tenant *tenant = TAILQ_FIRST(&admission->tenants);
    while (tenant != NULL && strcmp(tenant->name, name) != 0) {
        tenant = TAILQ_NEXT(tenant, link);
    }
    return tenant;
}

static struct admission_tenant *add_tenant(struct admission *admission, const char *name)
{
    const size_t size = strlen(name) + 1;
    struct admission_tenant *tenant = calloc(1, sizeof(*tenant) + size);
    if (tenant != NULL) {
        memcpy(tenant->name, name, size);
        sched_add_tenant(&admission->sched, &tenant->share);
        TAILQ_INSERT_HEAD(&admission->tenants, tenant, link);
        admission->idle_tenants++;
    }
    return tenant;
}

static void forget_tenant(struct admission *admission, struct admission_tenant *tenant)
{
    sched_remove_tenant(&admission->sched, &tenant->share);
    TAILQ_REMOVE(&admission->tenants, tenant, link);
    admission->idle_tenants--;
    free(tenant);
}

int admission_join(struct cella_run *run, const char *name, struct cella_error *err)
{
    struct admission *admission = &run->engine->admission;
    struct admission_tenant *tenant = find_tenant(admission, name);
    tenant = tenant != NULL ? tenant : add_tenant(admission, name);
    if (tenant == NULL) {
        return error_set_memory(err);
    }
    admission->idle_tenants -= tenant->runs == 0;
    tenant->runs++;
    run->tenant = tenant;
    TAILQ_REMOVE(&admission->tenants, tenant, link);
    TAILQ_INSERT_HEAD(&admission->tenants, tenant, link);
    return 0;
}

void admission_part(struct cella_run *run)
{
    struct admission *admission = &run->engine->admission;
    if (run->tenant == NULL) {
        return;
    }
    run->tenant->runs--;
    admission->idle_tenants += run->tenant->runs == 0;
    if (run->is_trial && run->tenant->runs == 0) {
        forget_tenant(admission, run->tenant); /* who has others there comes back with the next */
    }
    run->tenant = NULL;
    /* From the end, where those are who have not come for long. */
    struct admission_tenant *tenant = TAILQ_LAST(&admission->tenants, admission_tenants);
    while (admission->idle_tenants > ADMISSION_IDLE_TENANTS_MAX) {
        struct admission_tenant *earlier = TAILQ_PREV(tenant, admission_tenants, link);
        if (tenant->runs == 0) {
            forget_tenant(admission, tenant);
        }
        tenant = earlier;
    }
}

/* ---- the line ---- */

static void look_at_host(struct admission *admission)
{
    struct sched_amounts budget;
    uint64_t now = clock_monotonic_us();
    if (admission->looked_us != 0 && now - admission->looked_us < LOOK_AGAIN_US) {
        return;
    }
    admission->looked_us = now;
    budget_of_host("", &admission->given, &budget);
    sched_set_budget(&admission->sched, &budget);
}

void admission_enter(struct stage *stage)
{
    struct admission *admission = admission_of(stage);
    struct cella_run *run = stage->run;
    const uint64_t *limit = stage->plan->limits.value;
    const uint64_t parts = stage == &run->compile ? 1 : PROGRAM_CPU_PARTS;
    const struct sched_amounts amounts = {
        .of =
            {
                /* And what is kept here of its output. */
                [SCHED_MEMORY] = limit[LIMIT_MEMORY] + limit[LIMIT_STDOUT] + limit[LIMIT_STDERR],
                [SCHED_SWAP] = limit[LIMIT_SWAP],
                [SCHED_CPUS] = (limit[LIMIT_CPUS] + parts - 1) / parts,
                [SCHED_DESCRIPTORS] = STAGE_DESCRIPTORS,
            },
    };
    if (sched_is_idle(&admission->sched)) {
        look_at_host(admission);
    }
    if (run->turn == 0) {
        run->turn = sched_new_turn(&admission->sched);
    }
    stage->place.owner = stage;
    sched_enter(&admission->sched, &stage->place, &run->tenant->share, run->turn, &amounts);
}

int admission_start(struct stage *stage, struct cella_error *err)
{
    struct admission *admission = admission_of(stage);
    if (stage->run->engine->stepping || admission->awake) {
        return 0; /* others may have to go first */
    }
    const struct sched_place *place = sched_next(&admission->sched);
    assert(place == NULL || place == &stage->place);
    return place == NULL ? 0 : stage_begin(stage, err);
}

void admission_leave(struct stage *stage)
{
    if (stage->place.state != SCHED_OUTSIDE) {
        sched_leave(&admission_of(stage)->sched, &stage->place);
        if (!stage->run->engine->stepping && !TAILQ_EMPTY(&admission_of(stage)->sched.waiting)) {
            admission_wake(stage->run->engine);
        }
    }
}

enum keeper_turn admission_turn(const struct stage *stage)
{
    const struct sched *sched = &admission_of(stage)->sched;
    if (sched->tenants <= 1) {
        return KEEPER_TURN_ALONE;
    }
    return stage->place.tenant->started == 1 && sched->started > 1 ? KEEPER_TURN_FIRST
                                                                   : KEEPER_TURN_COMMON;
}

/* ---- steps ---- */

void admission_wake(struct cella_engine *engine)
{
    struct admission *admission = &engine->admission;
    const uint64_t one = 1;
    if (!admission->awake) {
        /* A counter that is 0 takes it. */
        IGNORE(write(admission->wake_fd, &one, sizeof(one)) < 0);
        admission->awake = true;
    }
}

static void sleep_again(struct admission *admission)
{
    uint64_t count;
    if (admission->awake) {
        IGNORE(read(admission->wake_fd, &count, sizeof(count)) < 0); /* there is a 1 to be read */
        admission->awake = false;
    }
}

/* Callbacks may start and cancel runs meanwhile: these come at the end, those wake us again. */
static void end_cancelled(struct cella_engine *engine)
{
    for (struct cella_run *run = TAILQ_FIRST(&engine->runs); run != NULL;
         run = TAILQ_NEXT(run, link)) {
        if (!run->done && run->now->given_up) {
            stage_give_up(run->now);
        }
    }
}

void admission_step(struct cella_engine *engine)
{
    struct sched_place *place;
    struct cella_error error;
    if (engine->admission.awake) {
        sleep_again(&engine->admission);
        end_cancelled(engine);
    }
    while ((place = sched_next(&engine->admission.sched)) != NULL) {
        struct stage *stage = place->owner;
        if (stage_begin(stage, &error) < 0) {
            stage_refuse(stage, &error);
        }
    }
}
