/*
 * What goes over the socket between an engine and its keeper: SOCK_SEQPACKET, one frame a message,
 * every frame of a fixed size for its type.  The engine is not trusted: the keeper checks the size,
 * the state and every field before it acts.
 *
 *   engine → keeper                      keeper → engine
 *                                        HELLO     first of all, or REFUSED with run 0: cannot work
 *   CREATE  plan, pack (1 descriptor)    CREATED   stdin, stdout, stderr, collected (4 descriptors)
 *                                        or REFUSED
 *   STOP    run                          STARTED   the program's first instruction
 *   POOL    plan, size (1 descriptor)    POOL_STATE  whenever it changes
 *   TELL    a signal, or a size          -         for a program that runs
 *   PING                                 PONG      it is at work, and does not hang
 *                                        NOTICE    a limit was reached; the run is being stopped
 *                                        ENDED     every process of the run is dead
 * POOL makes a pool, sets its size, or with size 0 gives it up; a CREATE may name one to take its
 * sandbox from, if one is ready there.
 * For every CREATE there is exactly one REFUSED or, after CREATED, one REFUSED or one ENDED.
 */
#ifndef KEEPER_PROTOCOL_H
#define KEEPER_PROTOCOL_H

#include "policy/plan.h"

#include <cella/error.h>

#define KEEPER_PROTOCOL_VERSION  5U
#define KEEPER_REFUSED_CALLS_MAX 32

enum keeper_frame_type {
    KEEPER_CREATE = 1,
    KEEPER_STOP,
    KEEPER_POOL,
    KEEPER_PING,
    KEEPER_TELL,
    KEEPER_HELLO = 16, /* first frame from the keeper */
    KEEPER_CREATED,
    KEEPER_REFUSED,
    KEEPER_STARTED,
    KEEPER_NOTICE,
    KEEPER_ENDED,
    KEEPER_POOL_STATE,
    KEEPER_PONG,
};

struct keeper_frame_header {
    uint32_t type;
    uint32_t version;
    uint64_t run; /* the engine's number for the run, never reused */
};

/* Whose turn it is where processors are few: see express.h. */
enum keeper_turn {
    KEEPER_TURN_ALONE,  /* there is nobody else */
    KEEPER_TURN_COMMON, /* like that of most */
    KEEPER_TURN_FIRST,  /* before those, for a moment */
    KEEPER_TURNS,
};

struct keeper_create {
    struct keeper_frame_header header;
    uint64_t pool; /* 0: none */
    uint32_t turn; /* enum keeper_turn */
    uint32_t reserved;
    struct plan plan; /* one SCM_RIGHTS descriptor with it: the pack, a sealed memfd */
};

struct keeper_stop {
    struct keeper_frame_header header;
};

/* To the program itself, when it runs; else nothing. */
struct keeper_tell {
    struct keeper_frame_header header;
    int32_t signal; /* 0: none */
    uint16_t rows;  /* of its terminal; 0, as columns: it stays as it is */
    uint16_t columns;
};

struct keeper_ping { /* PONG is the same */
    struct keeper_frame_header header;
};

/* A pool is as its first frame says; later ones set its size alone. */
struct keeper_pool {
    struct keeper_frame_header header; /* `run` is the engine's number for the pool, never 0 */
    uint32_t size;                     /* how many shall be ready; 0: it is given up */
    uint32_t one_shot;                 /* 1: what the pack starts is not a zygote but a one-shot */
    struct plan plan; /* with the first frame one SCM_RIGHTS descriptor, when there is a zygote or
                         a one-shot: a pack with its argv and environment */
};

struct keeper_pool_state {
    struct keeper_frame_header header;
    uint32_t ready;
    uint32_t made, taken;           /* since the beginning, and below */
    uint32_t zygotes, zygotes_dead; /* started; and those that died by themselves */
    uint32_t failures;              /* in a row: it is tried again later */
    uint64_t held_bytes;            /* memory that the zygote has */
    struct cella_error error;       /* of the last failure; kind NONE: there was none */
};

/* What holds the limits that control groups hold best. */
enum keeper_mechanism { KEEPER_BY_CGROUP_V2 = 1, KEEPER_BY_CGROUP_V1, KEEPER_BY_SUPERVISION };

struct keeper_hello {
    struct keeper_frame_header header;
};

struct keeper_created {
    struct keeper_frame_header header;
    /* SCM_RIGHTS: write end of stdin, read ends of stdout, stderr, collected */
};

struct keeper_refused {
    struct keeper_frame_header header;
    struct cella_error error;
    char step[64]; /* the set-up step that failed */
};

struct keeper_started {
    struct keeper_frame_header header;
    uint64_t protections; /* those that hold, by protection_bit() */
    uint32_t mechanism;   /* enum keeper_mechanism */
    uint32_t warm;        /* 1: the program was there before it: a zygote's child, or a one-shot */
};

/* Causes that the keeper and init see; bits, because several may be seen in one run. */
enum keeper_cause {
    KEEPER_CAUSE_WALL = 1 << 0,   /* the clock ran out */
    KEEPER_CAUSE_CPU = 1 << 1,    /* processor time ran out */
    KEEPER_CAUSE_MEMORY = 1 << 2, /* the kernel killed a process for memory, or supervision did */
    KEEPER_CAUSE_PROCESSES = 1 << 3, /* a fork was refused */
    KEEPER_CAUSE_DISK = 1 << 4,      /* a file system of the run was full */
    KEEPER_CAUSE_FILE = 1 << 5,      /* a file reached its limit */
    KEEPER_CAUSE_INODES = 1 << 6,    /* a file system of the run had no inode left */
    KEEPER_CAUSE_STACK = 1 << 7,     /* SIGSEGV, and it had touched as much as its stack may grow */
};

struct keeper_notice {
    struct keeper_frame_header header;
    uint32_t cause; /* one enum keeper_cause: why the keeper is stopping the run */
    uint32_t reserved;
};

struct keeper_refused_call {
    uint32_t number; /* of the system call, x86-64 or the host's */
    uint32_t count;  /* stays at UINT32_MAX */
};

struct keeper_ended {
    struct keeper_frame_header header;
    uint32_t causes;             /* every enum keeper_cause seen, those survived too */
    int32_t status;              /* wait status of the program itself; -1: it was not seen to end */
    uint32_t init_lost;          /* 1: PID 1 was killed before it could report */
    uint32_t memory_killed_main; /* 1: the kernel's memory killer took the program itself */
    uint64_t wall_us;
    uint64_t user_us;
    uint64_t system_us;
    uint64_t memory_peak_bytes; /* UINT64_MAX: not known; likewise below */
    uint64_t processes_peak;
    uint64_t written_bytes;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint32_t refused_call_count;
    uint32_t reserved;
    struct keeper_refused_call refused_calls[KEEPER_REFUSED_CALLS_MAX];
};

#endif
