/* What the files of run.h know of each other. */
#ifndef KEEPER_RUN_INSIDE_H
#define KEEPER_RUN_INSIDE_H

#include "keeper/run.h"

/* ---- run_tell.c: what the engine is told ---- */

/* For want of a run: why there is none, and at which step. */
void run_tell_refused(struct common *common, uint64_t id, enum step step,
                      const struct cella_error *error);
/* Gives the ends of its pipes away. */
void run_tell_created(struct run *run);
void run_tell_started(struct run *run);
/* That a limit was reached, for which it is being stopped. */
void run_tell_notice(struct run *run, enum keeper_cause cause);
/* What the engine gets for every CREATE, once.  Every process of the run is dead by now, but
 * perhaps for init. */
void run_tell_end(struct run *run, const struct cgroup_usage *group, const struct rusage *rusage);

/* ---- run_figures.c: what it has used ---- */

void run_fill_ended(const struct run *run, const struct cgroup_usage *group,
                    const struct rusage *rusage, struct keeper_ended *ended);
/* What a program had used when it was parked. */
void run_note_parked(struct run *run, const struct init_report *report);
/* Processor time since the start. */
uint64_t run_cpu_used_us(const struct run *run);
/* Whether so many forks were refused that it does not recover. */
bool run_forks_exhausted(const struct run *run);
/* When a running program must be looked at again: when it can have used up its processor time at
 * the earliest, and, where refused forks cause no event, soon. */
uint64_t run_next_check_us(const struct run *run);

#endif
