/*
 * The plan: what policy made of a request, for one sandbox.  Every limit, mount and rule, frozen.
 *
 * Plain memory of a fixed size: it is hashed as it stands, and it crosses the socket to the keeper
 * in one frame.  The keeper believes nothing in it before keeper/ceiling.c has checked it.
 * What the *program* is — argv, environment, files — is not in the plan but in a pack
 * (isolate/pack.h), which the privileged side never reads.
 *
 * Unused bytes are zero, so that equal plans have equal digests.
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "request/limits.h"

#include <stdbool.h>
#include <string.h>

#define PLAN_VERSION      4U
#define PLAN_PATH_MAX     192
#define PLAN_MOUNTS_MAX   32
#define PLAN_WRITABLE_MAX 8  /* of them */
#define PLAN_CALLS_MAX    32 /* system calls beside the base set, of each kind */
#define PLAN_POLICY_SIZE  32
#define PLAN_HOSTNAME_MAX 64

enum plan_mount_kind {
    PLAN_MOUNT_BIND = 1, /* source of the host at target, read-only but by a flag */
    PLAN_MOUNT_SYMLINK,  /* target is a symbolic link whose text is source */
    PLAN_MOUNT_HIDE,     /* what would be visible at target is covered; source is empty */
};

enum plan_mount_flag {
    PLAN_MOUNT_OPTIONAL = 1 << 0, /* left out when the host has no such file */
    PLAN_MOUNT_WRITABLE = 1 << 1, /* of a bind of a directory: the run may write to it */
    PLAN_MOUNT_ALONE = 1 << 2,    /* file systems mounted below the source do not come along */
    PLAN_MOUNT_OF_ROOT = 1 << 3,  /* the keeper's own: it may be root's, and yet be written to */
};

struct plan_mount {
    uint32_t kind;
    uint32_t flags;
    char source[PLAN_PATH_MAX]; /* absolute for a bind, NUL-terminated */
    char target[PLAN_PATH_MAX]; /* absolute, no "." or "..", NUL-terminated */
};

enum plan_network {
    PLAN_NETWORK_NONE = 0, /* own network namespace */
    PLAN_NETWORK_HOST,     /* the host's */
};

enum plan_syscalls {
    PLAN_SYSCALLS_DEFAULT = 0, /* what everyday programs need */
    PLAN_SYSCALLS_STRICT,      /* no sockets beyond pairs, no new executable memory files */
};

/* How the limits on memory, processes and processors must be held. */
enum plan_control_groups {
    PLAN_CONTROL_GROUPS_PREFERRED = 0, /* rlimits and supervision where none can be had */
    PLAN_CONTROL_GROUPS_REQUIRED,
};

struct plan {
    uint32_t version;
    uint32_t network;        /* enum plan_network */
    uint32_t loopback;       /* 1: the loopback interface is up */
    uint32_t syscalls;       /* enum plan_syscalls */
    uint32_t control_groups; /* enum plan_control_groups */
    uint32_t stop_on_output; /* 1: over an output limit the run ends; 0: the rest is dropped */
    uint32_t mount_count;
    uint32_t one_processor; /* 1: every process of the run stays on one processor */
    uint32_t terminal_rows; /* of the program's terminal; 0, as its columns: there is none */
    uint32_t terminal_columns;
    uint32_t files_apart; /* 1: the request's files are not in the workspace */
    uint32_t reserved;
    uint32_t allowed_count;
    uint32_t denied_count;
    uint64_t waived; /* protections left out, by protection_bit() */
    struct limits limits;
    unsigned char policy[PLAN_POLICY_SIZE]; /* digest: plans of two policies are never the same */
    char hostname[PLAN_HOSTNAME_MAX];
    uint32_t allowed_calls[PLAN_CALLS_MAX]; /* numbers: beside the base set, whatever arguments */
    uint32_t denied_calls[PLAN_CALLS_MAX];  /* of what would be allowed; these win */
    struct plan_mount mounts[PLAN_MOUNTS_MAX];
};

/* Where the workspace is, and the request's files where the plan has them apart. */
#define PLAN_WORKSPACE "/workspace"
#define PLAN_PROGRAM   "/program"

/* Whether a mount lies over the workspace. */
static inline bool plan_has_workspace(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->mount_count && i < PLAN_MOUNTS_MAX; i++) {
        if (strcmp(plan->mounts[i].target, PLAN_WORKSPACE) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a mount lies over the workspace that nobody may write to. */
static inline bool plan_reads_workspace(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->mount_count && i < PLAN_MOUNTS_MAX; i++) {
        if (strcmp(plan->mounts[i].target, PLAN_WORKSPACE) == 0) {
            return (plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) == 0;
        }
    }
    return false;
}

/* How many of the plan's mounts the run may write to. */
static inline uint32_t plan_writable_count(const struct plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->mount_count && i < PLAN_MOUNTS_MAX; i++) {
        count += (plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) != 0 ? 1U : 0U;
    }
    return count;
}

#endif
