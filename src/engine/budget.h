/*
 * What this host has to give to the runs of one engine at one time (sched/).
 *
 *   memory       three quarters of what is available: by /proc/meminfo, and by the limits of the
 *                control group that we are in and of those above it, whichever is less
 *   swap         likewise, of what is free
 *   processors   those that we may use, by affinity and by the quotas of the same groups
 *   descriptors  three quarters of this process's soft limit
 *
 * The rest is for everybody else: the host's other programs, which may grow; the engine itself,
 * which keeps output; what the kernel needs for each process beside its memory.  There is something
 * of everything but swap, so that one stage at a time always goes.
 */
#ifndef ENGINE_BUDGET_H
#define ENGINE_BUDGET_H

#include "sched/sched.h"

/* What of memory and processors is `given` (not 0) stands; where both are, the host is not asked,
 * which saves a tenth of a millisecond, and swap is not limited.
 * /proc and /sys are looked for below `root`, which is "" but for tests. */
void budget_of_host(const char *root, const struct sched_amounts *given,
                    struct sched_amounts *ret_budget);

#endif
