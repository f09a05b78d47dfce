/*
 * Where control groups can be made on this host, and the end of each.  Hides whether the host has
 * version 2, version 1 or both, and whether we may use them at all.
 *
 * A group is named cella-<keeper's pid>-<its start time>-<number>, so that a later keeper can tell
 * which groups a killed one left (cgroup_sweep removes those).
 *
 * Where the groups lie in one of ours there is another in that, "back", for those that shall have
 * processors only when nobody beside it wants them: it is idle as a whole (cpu.idle, Linux 5.15).
 * Idle groups side by side would not do.  One that got less than its part has a deadline in the
 * past, and the kernel prefers that, until its next tick, to a group that has just woken up.
 */
#ifndef ISOLATE_NATIVE_CGROUP_HOST_H
#define ISOLATE_NATIVE_CGROUP_HOST_H

#include "keeper/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cgroup_controller {
    CGROUP_MEMORY,
    CGROUP_PIDS,
    CGROUP_CPU,
    CGROUP_CPUACCT,
    CGROUP_CONTROLLERS
};

extern const char *const cgroup_controller_names[CGROUP_CONTROLLERS];

#define CGROUP_NAME_MAX  64
#define CGROUP_DYING_MAX 64

struct cgroup_host {
    enum keeper_mechanism mechanism; /* KEEPER_BY_SUPERVISION: no groups here */
    int parents[CGROUP_CONTROLLERS]; /* directories that groups are made in; -1: none.  With
                                          version 2 all in parents[0] */
    int backs[CGROUP_CONTROLLERS]; /* where those that stand back are made instead; -1: likewise */
    bool apart;       /* they lie in one of ours, as to processors, and nobody else does */
    bool without_cpu; /* version 2 where the share of the processors was not delegated */
    char prefix[CGROUP_NAME_MAX];     /* of the names of this keeper's groups */
    uint64_t dying[CGROUP_DYING_MAX]; /* numbers of those that could not yet be removed */
    size_t dying_count;
};

/* Finds out what can be used here; never fails: at worst supervision is what is left. */
void cgroup_host_open(struct cgroup_host *host);
/* Waits, within bounds, for what is dying. */
void cgroup_host_close(struct cgroup_host *host);
/* Removes the groups of keepers that are gone. */
void cgroup_sweep(const struct cgroup_host *host);

/* Whether there is a place for those that stand back. */
bool cgroup_host_has_back(const struct cgroup_host *host);

/* ret_name has room for CGROUP_NAME_MAX. */
void cgroup_name(const struct cgroup_host *host, uint64_t number, char *ret_name);

/* Removes a group.  One that something is in yet (a process is seen to be dead a moment before it
 * has left its group, or was never seen) is kept in mind for cgroup_host_remove_dying(). */
void cgroup_host_remove(struct cgroup_host *host, uint64_t number);
/* Tries those again.  True when none is left. */
bool cgroup_host_remove_dying(struct cgroup_host *host);

#endif
