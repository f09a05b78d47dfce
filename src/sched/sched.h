/*
 * Which stages of runs may be in a sandbox now, and which wait.  Pure: it reads no clock, holds no
 * descriptor and allocates nothing; places in line lie in whatever waits, and what there is to know
 * of a tenant with whoever knows the tenants.
 *
 * A stage takes a place with what its plan lets it use.  It may start when that fits beside what
 * those that have started may use, and gives it back when it leaves.  The rules:
 *
 *   1. What is taken never exceeds the budget, of no resource.
 *   2. More than the whole budget counts as the whole budget: such a stage is not refused, it is
 *      alone.  Of a resource that the budget has none of, nothing is taken.
 *   3. Of one tenant: first come, first served.  Where the first does not fit, those behind it that
 *      do may pass; but once SCHED_PASSES_MAX have passed a stage, nothing behind it starts until
 *      it has.
 *   4. A run keeps its turn: its second stage waits where the run came, not at the end of the line.
 *   5. Between tenants: who holds the smallest part of the budget comes first, by the resource of
 *      which he holds the largest part; among equals who was served longest ago.  The next may pass
 *      him as in rule 3, and a stage that was passed too often holds up those behind its tenant
 *      too; who holds nothing may pass it more often, but SCHED_LIGHT_PASSES_MAX times at most.
 *   6. Where there is more than one tenant, who holds something leaves one SCHED_RESERVE_PART of
 *      the budget to those who hold nothing.  More than the rest counts as the rest, for everybody:
 *      so even the largest stage never stands in the way of another tenant's small one.
 *
 * So nothing waits for ever, as long as what has started leaves some day: a stage that was passed
 * too often holds up its own tenant's others, so its tenant holds nothing in the end and is first
 * in turn; then the others are held up, and room grows until it fits.  And who asks for little
 * finds room at once, whatever another has asked for: rule 5 puts him first, rule 6 has left room.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* How many may pass one stage that waits. */
#define SCHED_PASSES_MAX 16U
/* Likewise while they are of tenants who hold nothing. */
#define SCHED_LIGHT_PASSES_MAX 256U
/* One in so many parts of the budget is for tenants who hold nothing. */
#define SCHED_RESERVE_PART 4U

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
    struct sched_tenant *tenant;
    void *owner;                  /* the caller's own, never looked at */
    uint64_t turn;                /* the lower, the earlier */
    unsigned passed;              /* by so many that came later, or whose tenant did */
    struct sched_amounts amounts; /* asked for; once it has started: taken */
};

TAILQ_HEAD(sched_line, sched_place);

/* Whose places they are. */
struct sched_tenant {
    TAILQ_ENTRY(sched_tenant) link; /* while something of his waits */
    struct sched_line waiting;      /* by turn */
    struct sched_amounts taken;
    size_t started;
    double part;     /* of the budget that he holds */
    uint64_t served; /* when something of his started, in starts of everybody */
};

TAILQ_HEAD(sched_tenants, sched_tenant);

struct sched {
    struct sched_amounts budget;
    struct sched_amounts taken;
    struct sched_tenants waiting; /* tenants of whom something waits, by rule 5 */
    size_t tenants;               /* that there are */
    size_t started;
    uint64_t last_turn;
    uint64_t starts; /* so far */
};

void sched_init(struct sched *sched, const struct sched_amounts *budget);

/* Counts for what starts from now on; what has started goes on. */
void sched_set_budget(struct sched *sched, const struct sched_amounts *budget);

/* There is one more tenant, and one less, of whom nothing has started or waits. */
void sched_add_tenant(struct sched *sched, struct sched_tenant *tenant);
void sched_remove_tenant(struct sched *sched, struct sched_tenant *tenant);

/* The turn of a run that comes now. */
uint64_t sched_new_turn(struct sched *sched);

/* A place that is outside waits from now on. */
void sched_enter(struct sched *sched, struct sched_place *place, struct sched_tenant *tenant,
                 uint64_t turn, const struct sched_amounts *amounts);

/* The next that may start: it has then started.  NULL when there is none now.  To be asked until
 * then after every change. */
struct sched_place *sched_next(struct sched *sched);

/* Whether it waits, has started, or is outside already: it is outside now. */
void sched_leave(struct sched *sched, struct sched_place *place);

/* Nothing has started, and nothing waits. */
bool sched_is_idle(const struct sched *sched);

#endif
