/*
 * Admission: the line in which the stages of one engine's runs wait for room.  Who may start is
 * decided in sched/, out of what each plan lets a stage use and a budget that the caller has given
 * or the host has (budget.h); here stages get into that line, are begun, and get out of it.
 *
 * A program takes a quarter of the processors that its plan allows, a compiler all of them: the one
 * often waits for something, the other computes from start to end.  So a program that does compute,
 * beside others that do, takes four times as long as alone at the worst, and limits of time on the
 * clock keep a meaning under load.  Of memory no more is promised than there is: when the host runs
 * out of it, the kernel kills programs that have kept to their limits.
 *
 * Lines and room are shared among tenants, by the names that requests have; those without one are
 * one tenant together.
 */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include "base/attributes.h"
#include "keeper/protocol.h"
#include "sched/sched.h"

#include <cella/cella.h>
#include <stdbool.h>

struct cella_engine;
struct cella_run;
struct stage;

/* Tenants of whom nothing is there that are kept in mind: as long as there is another, each leaves
 * room for the others (sched.h). */
#define ADMISSION_IDLE_TENANTS_MAX 256U

struct admission_tenant; /* by name, in admission.c */
TAILQ_HEAD(admission_tenants, admission_tenant);

struct admission {
    struct sched sched;
    struct admission_tenants tenants; /* whose run came last first */
    size_t idle_tenants;              /* of them */
    struct sched_amounts given;       /* by the options; 0: what the host has */
    uint64_t looked_us;               /* when the host was looked at; 0: never */
    int wake_fd; /* readable when something is to be done that no event tells of */
    bool awake;  /* it is */
};

/* Its descriptor is watched with the engine's own as `source`. */
int admission_init(struct admission *admission, const struct cella_options *options, int epoll_fd,
                   void *source, struct cella_error *err) MUST_CHECK;
void admission_done(struct admission *admission);

/* Whose run it is; before its first stage waits, and when nothing of it does any more. */
int admission_join(struct cella_run *run, const char *name, struct cella_error *err) MUST_CHECK;
void admission_part(struct cella_run *run);

/* Waits from now on, by its plan and at its run's turn. */
void admission_enter(struct stage *stage);
/* Begins it now if there is room, else at the end of a later step. */
int admission_start(struct stage *stage, struct cella_error *err) MUST_CHECK;
/* It neither waits nor holds room any more.  Others start at the end of this step, or, outside of
 * one, of the next, which comes soon. */
void admission_leave(struct stage *stage);
/* Of one that has just been begun: first, when nothing else of its tenant's has begun, and
 * something of others' has. */
enum keeper_turn admission_turn(const struct stage *stage);
/* The next step comes soon. */
void admission_wake(struct cella_engine *engine);

/* The end of a step: ends what was cancelled while it waited and begins what may. */
void admission_step(struct cella_engine *engine);

#endif
