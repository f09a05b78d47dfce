/*
 * Whose runs go first, where several tenants share the processors.
 *
 * Room for a run is not yet a processor.  Beside programs that compute, one that would be done in a
 * millisecond waits for a turn each time that it, or its init, is woken up.  So once there is more
 * than one tenant, the control groups of runs stand back (cgroup_host.h): they are equals among
 * each other, and the kernel runs them where no other group of ours wants to.  A run that goes
 * first, of a tenant who has nothing else, lies beside them and is not idle for EXPRESS_US; then it
 * is, and has as much of the processors as all those that stand back together.  While one goes
 * first nothing is made ahead, and nobody else's sandbox.
 *
 * That is much for a short program and little for a long one.  What the others lose by those 20 ms
 * is half a processor at most, over any longer time: a run for which none of that is left is like
 * any other.  What they lose by the runs that lie beside is a share: where each of several tenants
 * has one run alone that computes, all that stand back together have as much as one of these.
 *
 * The groups all lie in one of ours, which is not idle: to the rest of the host nothing changes.
 * Where they do not, runs are as the kernel has them.
 */
#ifndef KEEPER_EXPRESS_H
#define KEEPER_EXPRESS_H

#include "keeper/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPRESS_US UINT64_C(20000)
/* Processor time that may have been saved up of that half. */
#define EXPRESS_SAVED_US UINT64_C(100000)
/* At one time. */
#define EXPRESS_MAX 4U

struct cgroup_host;
struct run;

/* All zero: there is one tenant. */
struct express {
    bool shared; /* there has been more than one */
    bool parted; /* and runs that do not go first are made where they stand back */
    struct express_place {
        uint64_t run; /* that goes first */
        uint64_t began_us;
    } first[EXPRESS_MAX];
    size_t count;       /* of those */
    uint64_t saved_us;  /* processor time that more of them may use */
    uint64_t looked_us; /* when that was reckoned; 0: never */
};

/* There is a second tenant; `runs` are those of the first. */
void express_share(struct express *express, const struct cgroup_host *cgroups,
                   struct run *const *runs, size_t count);
/* Whether one that is made for such a turn is to be among those that stand back. */
bool express_stands_back(const struct express *express, enum keeper_turn turn);
/* One more is being made: COMMON is to lie among those that stand back, the others beside them. */
void express_make(const struct express *express, const struct run *run, enum keeper_turn turn);
/* It begins; before it is told. */
void express_begin(struct express *express, const struct run *run, enum keeper_turn turn);
/* The run of that number is over; it may be gone from `runs`. */
void express_leave(struct express *express, uint64_t id, struct run *const *runs, size_t count);
/* Ends the time of those for whom it is over.  In how many milliseconds to look again; -1: not at
 * all. */
int express_look(struct express *express, struct run *const *runs, size_t count);

#endif
