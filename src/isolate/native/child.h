/*
 * The first process of a sandbox, from its birth in new namespaces until it executes init: it
 * builds the root, locks itself down, and becomes PID 1.
 */
#ifndef ISOLATE_NATIVE_CHILD_H
#define ISOLATE_NATIVE_CHILD_H

#include "base/attributes.h"
#include "isolate/init/protocol.h"
#include "isolate/native/cgroup.h"
#include "isolate/protections.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the first process is for.  A nest (isolate/zygote.h) and the sandboxes in it share the work:
 * its root is theirs. */
enum child_kind {
    CHILD_RUN = 1 << 0,    /* a sandbox that is made from nothing */
    CHILD_NEST = 1 << 1,   /* a nest */
    CHILD_NESTED = 1 << 2, /* a sandbox in a nest */
};

/* Everything is inherited from the keeper; the descriptors belong to this process alone now. */
struct child {
    enum child_kind kind;
    uint64_t waived;             /* protections left out */
    const struct plan *plan;     /* NULL until the step `plan` */
    enum step fault;             /* test builds */
    bool privileged;             /* the keeper is root: groups can be dropped */
    const struct cgroup *cgroup; /* NULL: none */
    int init_program;            /* sealed memfd */
    int streams[3];              /* what becomes stdin, stdout, stderr */
    int control;
    int collected;
    int park;            /* to the zygote's child; -1: none */
    int lease;           /* -1: none */
    int network;         /* the network namespace, when it is made */
    pid_t network_maker; /* -1: it could not be started, and network_errno says why */
    int network_errno;
    int shares[PLAN_WRITABLE_MAX]; /* trees of writable mounts, from a privileged keeper; else -1 */
    size_t share_next;             /* the first that is not attached yet */
    uint64_t held;                 /* protections that hold so far */
};

/* The protections that what is made ahead has or has not, whatever a plan says later. */
#define CHILD_AHEAD                                                                                \
    (protection_bit(PROTECTION_RUN_UID) | protection_bit(PROTECTION_GROUPS) |                      \
     protection_bit(PROTECTION_PROC_MASKED) | protection_bit(PROTECTION_NET_NS) |                  \
     protection_bit(PROTECTION_IPC_NS) | protection_bit(PROTECTION_UTS_NS) |                       \
     protection_bit(PROTECTION_CGROUP_NS) | protection_bit(PROTECTION_TIME_NS) |                   \
     protection_bit(PROTECTION_KEYRING) | protection_bit(PROTECTION_DIES_WITH_KEEPER) |            \
     protection_bit(PROTECTION_CORE_SCHED) | protection_bit(PROTECTION_SPECULATION) |              \
     protection_bit(PROTECTION_RLIMITS))

/* What a plan leaves out of what is made ahead: the protections that it waives, and its network
 * namespace where it is to have the host's network. */
static inline uint64_t child_ahead(const struct plan *plan)
{
    const bool host = plan->network == PLAN_NETWORK_HOST;
    return (plan->waived | (host ? protection_bit(PROTECTION_NET_NS) : 0)) & CHILD_AHEAD;
}

/* Walks the SANDBOX rows of the table of steps that are of its kind.  Says INIT_CONFINED or
 * INIT_FAILED on `control`; never returns. */
NORETURN void child_main(struct child *child);

/* Whether the plan leaves this protection out. */
static inline bool child_waives(const struct child *child, enum protection protection)
{
    return (child->waived & protection_bit(protection)) != 0;
}
static inline void child_holds(struct child *child, enum protection protection)
{
    child->held |= protection_bit(protection);
}

/* builder.c: what the first process of a nest does from then on. */
NORETURN void child_build(struct child *child);

/* Changes the effective uid and gid for whoever is to own the next user namespace: prepare.c. */
int child_become(uid_t id, struct cella_error *err) MUST_CHECK;

/* What a process has that nobody may, whoever becomes of it: no core dumps, no better priority. */
int child_set_scheduling(struct child *child, struct cella_error *err) MUST_CHECK;

/* The steps that live in files of their own: root.c */
int child_mount_root(struct child *child, struct cella_error *err) MUST_CHECK;
int child_write_etc(struct child *child, struct cella_error *err) MUST_CHECK;
int child_write_processors(struct child *child, struct cella_error *err) MUST_CHECK;
int child_make_dev(struct child *child, struct cella_error *err) MUST_CHECK;
int child_make_terminal(struct child *child, struct cella_error *err) MUST_CHECK;
int child_mount_proc(struct child *child, struct cella_error *err) MUST_CHECK;
int child_mount_scratch(struct child *child, struct cella_error *err) MUST_CHECK;
int child_pivot(struct child *child, struct cella_error *err) MUST_CHECK;
/* network.c: begun before the first step */
void child_begin_network(struct child *child);
int child_enter_network(struct child *child, struct cella_error *err) MUST_CHECK;
int child_set_loopback(struct child *child, struct cella_error *err) MUST_CHECK;
/* binds.c */
int child_bind_files(struct child *child, struct cella_error *err) MUST_CHECK;
int child_bind_shares(struct child *child, struct cella_error *err) MUST_CHECK;
int child_hide_places(struct child *child, struct cella_error *err) MUST_CHECK;
/* lockdown.c: nothing shared with others on a core, no speculation, where the kernel can */
void child_separate(struct child *child);
int child_drop_capabilities(struct child *child, struct cella_error *err) MUST_CHECK;
int child_set_no_new_privs(struct child *child, struct cella_error *err) MUST_CHECK;
int child_load_landlock(struct child *child, struct cella_error *err) MUST_CHECK;
/* seccomp.c */
int child_load_seccomp(struct child *child, struct cella_error *err) MUST_CHECK;

#endif
