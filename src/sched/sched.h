/*
 * Which stages of runs may be in a sandbox now, and which wait.  Pure: it reads no clock, holds no
 * descriptor and allocates nothing; places in line lie in whatever waits.
 *
 * A stage takes a place with what its plan lets it use.  It may start when that fits beside what
 * those that have started may use, and gives it back when it leaves.  The rules:
 *
 *   1. What is taken never exceeds the budget, of no resource.
 *   2. More than the whole budget counts as the whole budget: such a stage is not refused, it is
 *      alone.  Of a resource that the budget has none of, nothing is taken.
 *   3. First come, first served.  Where the first does not fit, those behind it that do may pass;
 *      but once SCHED_PASSES_MAX have passed a stage, nothing behind it starts until it has.
 *   4. A run keeps its turn: its second stage waits where the run came, not at the end of the line.
 *
 * So nothing waits for ever, as long as what has started leaves some day: whoever is first in line
 * is passed a bounded number of times, then room is left to grow until it fits, at the latest when
 * nothing else is there.  And small stages wait for a large one no longer than that takes.
 *
 * All waiting places are alike.  Shares between tenants belong into the choice that sched_next()
 * makes, and change nothing of the rest.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* How many may pass one stage that waits. */
#define SCHED_PASSES_MAX 16U

enum sched_resource {
    SCHED_MEMORY, /* bytes */
    SCHED_SWAP,   /* bytes */
    SCHED_CPUS,   /* thousandths of a processor */
    SCHED_DESCRIPTORS,
    SCHED_RESOURCES,
};

struct sched_amounts {
    uint64_t of[SCHED_RESOURCES]; /* by enum sched_resource */
};

enum sched_state { SCHED_OUTSIDE, SCHED_WAITING, SCHED_STARTED };

/* A place in line.  All zero is one that is outside. */
struct sched_place {
    TAILQ_ENTRY(sched_place) link; /* while it waits */
    enum sched_state state;
    void *owner;                  /* the caller's own, never looked at */
    uint64_t turn;                /* the lower, the earlier */
    unsigned passed;              /* by so many that came later */
    struct sched_amounts amounts; /* asked for; once it has started: taken */
};

TAILQ_HEAD(sched_line, sched_place);

struct sched {
    struct sched_amounts budget;
    struct sched_amounts taken;
    struct sched_line waiting; /* by turn */
    size_t started;
    uint64_t last_turn;
};

void sched_init(struct sched *sched, const struct sched_amounts *budget);

/* Counts for what starts from now on; what has started goes on. */
void sched_set_budget(struct sched *sched, const struct sched_amounts *budget);

/* The turn of a run that comes now. */
uint64_t sched_new_turn(struct sched *sched);

/* A place that is outside waits from now on. */
void sched_enter(struct sched *sched, struct sched_place *place, uint64_t turn,
                 const struct sched_amounts *amounts);

/* The next that may start: it has then started.  NULL when there is none now.  To be asked until
 * then after every change. */
struct sched_place *sched_next(struct sched *sched);

/* Whether it waits, has started, or is outside already: it is outside now. */
void sched_leave(struct sched *sched, struct sched_place *place);

/* Nothing has started, and nothing waits. */
bool sched_is_idle(const struct sched *sched);

#endif
