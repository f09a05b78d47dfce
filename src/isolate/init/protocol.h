/*
 * What the keeper and the first process of a sandbox say to each other, over a SOCK_SEQPACKET pair.
 * That process is at first the keeper's own code (isolate/native/child.c) and after its exec init;
 * the program never has this socket.
 *
 *   keeper → init   struct init_build, then struct init_plan (with descriptors), then
 *                   struct init_start, then struct init_order, of which RUN is the first
 *   init → keeper   struct init_report:
 *                   CONFINED, (HIDDEN, (PARKED)), STARTING, STARTED, (LIMIT)*, EXITED, DONE
 *                   or   FAILED at any point
 *
 * After DONE the keeper ends init.
 *
 * A sandbox that is made ahead of need stands still between HIDDEN, or PARKED, and RUN.  In the
 * second case its program is there already and is parked: it is the child of a zygote, or a
 * one-shot, which init has started when it was told to PREPARE.  It and init have a socket of their
 * own, struct zygote_parked comes and struct zygote_go goes (isolate/zygote.h).
 *
 * The keeper believes a report only where lying gains a guest nothing: figures that decide a
 * verdict come from the control group wherever there is one.
 */
#ifndef ISOLATE_INIT_PROTOCOL_H
#define ISOLATE_INIT_PROTOCOL_H

#include "isolate/steps.h"
#include "keeper/protocol.h"
#include "request/limits.h"

#include <cella/error.h>
#include <stdint.h>

/* The uid and gid that a program finds itself to be. */
#define INIT_GUEST_ID 1000

/* Descriptors that init finds open; 0, 1 and 2 are the program's standard streams. */
enum init_descriptor {
    INIT_FD_CONTROL = 3,
    INIT_FD_PACK,      /* sealed memfd: argv, environment, files, globs */
    INIT_FD_COLLECTED, /* pipe: collected files, as a pack */
    INIT_FD_LEASE,     /* the lock on the run's uid, held until init is gone; may be closed */
    INIT_FD_LISTENER,  /* refused system calls; closed when the kernel gives none */
    INIT_FD_PARK,      /* the program that is parked; closed when there is none */
    INIT_FD_PROGRAM,   /* init itself; closed by its exec */
    INIT_FD_COUNT
};

/* A program whose forks are refused this often does not recover: it is stopped at once. */
#define INIT_REFUSED_FORKS_MAX 64

#define INIT_WORKSPACE     PLAN_WORKSPACE
#define INIT_PROGRAM       PLAN_PROGRAM
#define INIT_TEMPORARY     "/tmp"
#define INIT_SHARED_MEMORY "/dev/shm"

/* Build what depends on no plan: the id maps are written. */
struct init_build {
    uint64_t waived; /* by protection_bit(), as far as it matters before the plan is known */
};

/* Go on with this plan.  SCM_RIGHTS descriptors with it: from a privileged keeper the tree of each
 * writable mount. */
struct init_plan {
    struct plan plan;
};

/* For init itself, after its exec. */
struct init_start {
    struct limits limits;
    uint64_t waived;        /* by protection_bit() */
    uint32_t supervise;     /* 1: no control group; sum up and hold the limits from inside */
    uint32_t fault_step;    /* test builds: the enum step to fail; else STEP_COUNT */
    uint32_t guard_modes;   /* 1: there are writable mounts, in which no set-uid file may be made */
    uint32_t ahead;         /* 1: made ahead of need: says HIDDEN */
    uint16_t terminal_rows; /* 0, as its columns: the program has no terminal */
    uint16_t terminal_columns;
    uint32_t share_count;  /* writable mounts, whose disk use is looked at */
    uint32_t denied_count; /* calls that the policy denies */
    uint32_t denied_calls[PLAN_CALLS_MAX];
    char shares[PLAN_WRITABLE_MAX][PLAN_PATH_MAX]; /* where they are */
};

enum init_order_type {
    INIT_ORDER_STOP = 1,
    INIT_ORDER_PREPARE, /* with two SCM_RIGHTS descriptors: a one-shot's pack, the guest library */
    INIT_ORDER_RUN,     /* with one SCM_RIGHTS descriptor: the pack */
    INIT_ORDER_EXITED,  /* a parked program has ended: it is the keeper's child, not init's */
    INIT_ORDER_SIGNAL,  /* to the program itself */
    INIT_ORDER_RESIZE,  /* its terminal */
};

struct init_order {
    uint32_t type;
    int32_t status; /* EXITED: wait status, and of its usage what init judges by */
    int32_t signal; /* SIGNAL */
    uint16_t rows;  /* RESIZE */
    uint16_t columns;
    uint64_t resident_max_bytes;
    uint64_t minor_faults;
};

enum init_report_type {
    INIT_CONFINED = 1, /* every protection but init's own is in place: `protections` */
    INIT_HIDDEN,       /* init is in force and waits */
    INIT_PARKED,       /* so does the program: `protections` that hold for it too */
    INIT_STARTING,     /* the program is about to be executed: it may run before STARTED is sent */
    INIT_STARTED,      /* the program has been executed, `wall_us` ago */
    INIT_LIMIT,        /* supervision saw `causes` and is stopping the program */
    INIT_EXITED,       /* the program itself has ended: `status`, `wall_us` */
    INIT_DONE,         /* every process is gone and files are collected: all figures */
    INIT_FAILED,       /* `step` failed with `error`: nothing was run */
};

struct init_report {
    uint32_t type;
    uint32_t step;   /* enum step */
    uint32_t causes; /* enum keeper_cause */
    int32_t status;  /* wait status */
    uint64_t protections;
    uint64_t wall_us;
    uint64_t user_us;
    uint64_t system_us;
    uint64_t memory_peak_bytes; /* sampled; UINT64_MAX without supervision */
    uint64_t processes_peak;
    uint64_t written_bytes;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t minor_faults; /* PARKED */
    uint32_t refused_call_count;
    uint32_t reserved;
    struct keeper_refused_call refused_calls[KEEPER_REFUSED_CALLS_MAX];
    struct cella_error error;
};

#endif
