/*
 * Zygotes: what the keeper, a zygote and the sandboxes of its runs say to each other.
 *
 * A zygote is a warm interpreter.  It lives in a nest: namespaces of its own, with the root that
 * its plan builds, where it has the few capabilities that it needs, and none on the host.  Its
 * runs' sandboxes are made in the same nest, so that it may enter them.  The child it forks for a
 * run enters one, locks itself down, parks there, and becomes the program when init lets it go:
 *
 *   keeper → nest     struct nest_build, with descriptors    make a sandbox's first process
 *   nest → keeper     struct nest_built, with its pidfd
 *   keeper → zygote   struct zygote_fork, with descriptors   fork a child into that sandbox
 *   zygote → keeper   struct zygote_message: READY once, then FORKED for each, with its pidfd
 *   child → init      struct zygote_parked, with the listener of its filter
 *   init → child      struct zygote_go, with the pack
 *
 * All over SOCK_SEQPACKET.  The guest side of a zygote is a library (guest/) that is preloaded into
 * the interpreter and takes over when that opens its script.
 */
#ifndef ISOLATE_ZYGOTE_H
#define ISOLATE_ZYGOTE_H

#include "isolate/protections.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stdint.h>

/* Uids of a nest: its own 0, and one for each of the sandboxes in it at one time. */
#define NEST_SANDBOXES_MAX 128

#define NEST_OWN_ID 0

/* Control group files by which a process enters its group: none, or one for each tree. */
#define ZYGOTE_ENTRIES_MAX 4

/* Descriptors of BUILD, in this order; the entries are `entry_count`, and behind them come the
 * trees of writable mounts, `share_count`. */
enum nest_build_descriptor {
    NEST_BUILD_CONTROL,
    NEST_BUILD_COLLECTED,
    NEST_BUILD_PARK,
    NEST_BUILD_ENTRIES,
    NEST_BUILD_DESCRIPTORS_MAX = NEST_BUILD_ENTRIES + ZYGOTE_ENTRIES_MAX + PLAN_WRITABLE_MAX
};

struct nest_build {
    uint64_t number;   /* the answer has it too */
    uint32_t uid;      /* in the nest, and the gid likewise */
    int32_t processor; /* to be kept on; -1: any */
    uint32_t entry_count;
    uint32_t share_count;
};

struct nest_built {
    uint64_t number;
    int32_t sys_errno; /* why there is no pidfd */
    uint32_t reserved;
};

/* Descriptors that a zygote finds open beside the standard streams. */
enum zygote_descriptor {
    ZYGOTE_FD_CONTROL = 3,
    ZYGOTE_FD_CONFIG,  /* memory file: struct zygote_config */
    ZYGOTE_FD_LIBRARY, /* sealed memory file: the guest library, for the dynamic loader */
    ZYGOTE_FD_COUNT
};

/* What a zygote's children lock themselves down by. */
struct zygote_config {
    struct plan plan;
    uint32_t privileged; /* the keeper is root: groups can be dropped */
    uint32_t counted;    /* a control group counts */
};

enum zygote_fork_descriptor {
    ZYGOTE_FORK_INIT, /* pidfd of the sandbox's init */
    ZYGOTE_FORK_STDIN,
    ZYGOTE_FORK_STDOUT,
    ZYGOTE_FORK_STDERR,
    ZYGOTE_FORK_PARK,
    ZYGOTE_FORK_ENTRIES,
    ZYGOTE_FORK_DESCRIPTORS_MAX = ZYGOTE_FORK_ENTRIES + ZYGOTE_ENTRIES_MAX
};

struct zygote_fork {
    uint64_t number;      /* comes back with FORKED */
    uint64_t protections; /* of the sandbox's first process: which namespaces are its own */
    uint32_t entry_count;
    int32_t processor; /* to be kept on; -1: any */
};

enum zygote_message_type { ZYGOTE_READY = 1, ZYGOTE_FORKED };

struct zygote_message {
    uint32_t type;
    int32_t sys_errno;        /* FORKED: 0, or why there is no child; without a descriptor then */
    uint64_t number;          /* FORKED */
    uint64_t copied_bytes;    /* READY: what a child makes its own at once, of what it shares */
    struct cella_error error; /* READY: kind NONE, or why it cannot be a zygote */
};

/* The namespaces that a process with those protections has for itself, as setns() wants them.  One
 * that it shares with others may not be entered. */
int zygote_namespaces(uint64_t protections);

/* Comes twice: locked down, with the listener of its filter, because init answers for it from then
 * on; and parked.  Or once: it could not lock itself down. */
struct zygote_parked {
    int32_t pid;     /* as the sandbox sees it; 0: `step` failed, with `error` */
    uint32_t step;   /* enum step */
    uint32_t parked; /* 1: it waits */
    uint32_t reserved;
    uint64_t protections;        /* of ZYGOTE_PROTECTIONS, those that hold */
    uint64_t user_us, system_us; /* used so far, and below */
    uint64_t minor_faults, voluntary_switches, involuntary_switches;
    struct cella_error error;
};

/* What a zygote's child does for itself.  The rest its sandbox and its zygote give it. */
#define ZYGOTE_NAMESPACES                                                                          \
    (protection_bit(PROTECTION_IPC_NS) | protection_bit(PROTECTION_UTS_NS) |                       \
     protection_bit(PROTECTION_NET_NS) | protection_bit(PROTECTION_CGROUP_NS) |                    \
     protection_bit(PROTECTION_TIME_NS))
#define ZYGOTE_PROTECTIONS                                                                         \
    (ZYGOTE_NAMESPACES | protection_bit(PROTECTION_GROUPS) | protection_bit(PROTECTION_KEYRING) |  \
     protection_bit(PROTECTION_CAPABILITIES) | protection_bit(PROTECTION_SECUREBITS) |             \
     protection_bit(PROTECTION_NO_NEW_PRIVS) | protection_bit(PROTECTION_SECCOMP) |                \
     protection_bit(PROTECTION_LANDLOCK_FILES) | protection_bit(PROTECTION_LANDLOCK_NET) |         \
     protection_bit(PROTECTION_LANDLOCK_SCOPE) | protection_bit(PROTECTION_CORE_SCHED) |           \
     protection_bit(PROTECTION_SPECULATION))

struct zygote_go {
    uint32_t reserved;
};

#endif
