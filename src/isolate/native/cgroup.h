/*
 * A control group: create, limit, measure, remove.  Hides whether the host has version 2 or 1.
 *
 * One group, one run, one thread.
 */
#ifndef ISOLATE_NATIVE_CGROUP_H
#define ISOLATE_NATIVE_CGROUP_H

#include "base/attributes.h"
#include "isolate/native/cgroup_host.h"
#include "request/limits.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup {
    struct cgroup_host *host;
    uint64_t number;
    bool stands_back;                /* in the group of those */
    int dirs[CGROUP_CONTROLLERS];    /* -1: none; with version 2 all in dirs[0] */
    int entries[CGROUP_CONTROLLERS]; /* version 1: the "tasks" files, opened by the keeper for its
                                        child, whose uid may not; else -1 */
};

struct cgroup_usage { /* UINT64_MAX: not known */
    uint64_t cpu_us;
    uint64_t memory_peak_bytes;
    uint64_t memory_kills;
    uint64_t processes_peak;
    uint64_t forks_refused;
};

/* Makes a group without limits; `number` is unique for the keeper.  With `stands_back` it is among
 * those, where there is a place for them.  On failure nothing is left. */
int cgroup_create(struct cgroup_host *host, uint64_t number, bool stands_back,
                  struct cgroup *ret_group, struct cella_error *err) MUST_CHECK;
/* `waived` says which limits to leave out.  CELLA_ERROR_HOST when one cannot be set: none is
 * dropped in silence. */
int cgroup_limit(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                 struct cella_error *err) MUST_CHECK;
/* Lifts the limit on processors where it holds anybody up: a killed program that has used up its
 * share would take seconds to die, and init to measure and collect. */
void cgroup_free_cpu(const struct cgroup *group, const struct limits *limits);

/* Whether it runs only where no other group of ours wants to.  -1 where the kernel has no such
 * thing (before Linux 5.15), or there may be somebody beside our groups. */
int cgroup_set_idle(const struct cgroup *group, bool idle);

/* A descriptor for CLONE_INTO_CGROUP, or -1 where the new process must enter by itself. */
int cgroup_clone_fd(const struct cgroup *group);
/* Puts the calling process, which must have one thread, into the group; nothing to do where it was
 * born inside. */
int cgroup_enter(const struct cgroup *group, struct cella_error *err) MUST_CHECK;

/* The files by which a process that was born elsewhere enters the group, as "0", at most
 * CGROUP_CONTROLLERS: how many.  They stay the group's. */
size_t cgroup_entries(struct cgroup *group, int *ret_entries);

void cgroup_measure(const struct cgroup *group, struct cgroup_usage *ret_usage);
/* Processor time alone, for the timer. */
uint64_t cgroup_cpu_us(const struct cgroup *group);
/* How many forks the group was refused so far, for the timer. */
uint64_t cgroup_refused_forks(const struct cgroup *group);
/* Opens the file that signals EPOLLPRI when a fork was refused; -1 where there is none: version 1
 * has the file, but Linux 6.18 was seen to signal nothing. */
int cgroup_open_fork_events(const struct cgroup *group);

/* Removes the group, now or when what is in it has died; one in state "not opened" is fine. */
void cgroup_remove(struct cgroup *group);

#endif
