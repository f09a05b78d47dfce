/*
 * Init: PID 1 of a sandbox, and what its parts share.
 *
 * When it starts, the lock-down is complete: it has the program's own uid, no capability, the
 * system call filter and Landlock, and sees the built root only.  It can do nothing that the
 * program could not do; what sets it apart is that it cannot be traced and ignores every signal.
 * So it is init that handles the bytes from outside (the pack) and the files a guest left behind.
 *
 *   init.c      the main loop: the program's end, orders, refused calls
 *   files.c     the pack's files into the workspace
 *   program.c   the program's birth
 *   modes.c     a filter against set-uid files, where there are writable mounts
 *   refused.c   answers and counts refused system calls
 *   terminal.c  the program's terminal, where it has one
 *   figures.c   what the sandbox uses; holds the limits where there is no control group
 *   collect.c   files out of the workspace
 *   walk.c      every file below a directory
 */
#ifndef ISOLATE_INIT_INIT_H
#define ISOLATE_INIT_INIT_H

#include "base/attributes.h"
#include "isolate/init/protocol.h"
#include "isolate/pack.h"

#include <cella/error.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct program { /* the strings lie in the pack */
    const char *path;
    char *argv[PACK_ARGS_MAX + 1];
    char *envp[PACK_ENV_MAX + 1];
};

/* What a process has used. */
struct used {
    uint64_t user_us, system_us, voluntary_switches, involuntary_switches;
};

/* What a file system holds. */
struct share {
    uint64_t bytes, inodes;
};

struct init {
    struct init_start start;
    struct program program;
    unsigned char *pack; /* nothing writes to it */
    size_t pack_size;
    unsigned char small_pack[PACK_SMALL_SIZE] __attribute__((aligned(8)));
    pid_t main_pid;
    int main_fd;           /* its pidfd; -1: it is the keeper's */
    bool parked;           /* the program is there, and waits to be let go */
    bool is_keepers;       /* it is a zygote's child: the keeper waits for its end */
    int park;              /* where the program says that it is parked, and is let go */
    int one_shot[2];       /* for one that is being started: its park, the guest library; or -1 */
    uint64_t resident_max; /* of the program, when it has ended */
    struct used before;    /* what a one-shot had used when it was parked */
    uint64_t started_us;   /* on the monotonic clock */
    uint64_t
        written_own; /* bytes that init itself wrote: files, and what goes to and from a terminal */
    struct share before_shares[PLAN_WRITABLE_MAX]; /* what lay there before the program began */
    int io_file; /* /proc/self/io, opened before it was closed to us */
    bool stopping;
    struct terminal *terminal; /* NULL: none */
    struct init_report report; /* filled as the run goes */
};

/* Takes and checks the pack, and writes its files below INIT_PROGRAM where there is one, else below
 * INIT_WORKSPACE. */
int init_write_files(struct init *init, struct cella_error *err) MUST_CHECK;

/* Waits until there is something to read, and answers meanwhile for a program that is there. */
void init_await(struct init *init, int fd);

/* Waits until the program is parked, and takes over the listener of its filter. */
int init_await_parked(struct init *init, enum step *ret_step, struct cella_error *err) MUST_CHECK;

/* Starts the program that is in the pack and waits until it is parked.  Both descriptors stay the
 * caller's. */
int init_prepare(struct init *init, int library, enum step *ret_step,
                 struct cella_error *err) MUST_CHECK;

/* From the numbers where descriptors are received, or are yet to be closed.  -1 with errno, also of
 * what was none. */
int init_move_away(int descriptor) MUST_CHECK;

/* Starts the program, or lets the parked one go; *ret_step says which step failed. */
int init_start_program(struct init *init, enum step *ret_step, struct cella_error *err) MUST_CHECK;

/* Makes the terminal: its standard streams are what init has as 0 and 1. */
int init_open_terminal(struct init *init, struct cella_error *err) MUST_CHECK;
/* In the program, before its exec: it is the terminal of its session, and its standard streams.  -1
 * with errno. */
int init_enter_terminal(const struct terminal *terminal) MUST_CHECK;
/* What to wait for, and that it may be there: bytes go on their way. */
#define INIT_TERMINAL_WATCHED 3
void init_watch_terminal(const struct terminal *terminal,
                         struct pollfd ret_watched[INIT_TERMINAL_WATCHED]);
void init_serve_terminal(struct terminal *terminal);
void init_resize_terminal(const struct terminal *terminal, uint16_t rows, uint16_t columns);
/* Nobody of the sandbox has it any more: the rest of what was shown. */
void init_drain_terminal(struct terminal *terminal);

/* Answers what is waiting on INIT_FD_LISTENER. */
void init_answer_refused(struct init *init);

/* Bytes written so far by init and by every process it has waited for. */
uint64_t init_written_bytes(const struct init *init);

/* One look at the file systems of writable mounts, before the program begins. */
void init_look_at_shares(struct init *init);
/* The enum keeper_cause of the limit on disk that they have grown beyond since, or 0. */
uint32_t init_sample_shares(const struct init *init);

/* One look at what the sandbox uses, where no control group counts.  Returns the enum keeper_cause
 * of the limit that is exceeded, or 0. */
uint32_t init_sample(struct init *init);
/* KEEPER_CAUSE_STACK when the program's end looks like a stack overflow, else 0. */
uint32_t init_stack_overflow(const struct init *init, int status, const struct rusage *used);
/* The figures at the end, when every other process is gone; also whether a disk or file limit was
 * touched. */
void init_measure(struct init *init);

/* Writes the files that match the pack's globs to INIT_FD_COLLECTED, and PACK_END. */
void init_collect(struct init *init);

/* Calls `visit` for everything in and below a directory that is not itself a directory, with its
 * path relative to the start, until it returns false.  Follows no link, crosses no mount, and gives
 * up below INIT_WALK_DEPTH_MAX directories.  `name` is what to open in `dir`. */
#define INIT_WALK_DEPTH_MAX 64
struct init_visit {
    int dir;
    const char *name;
    const char *path;
};
void init_walk(const char *directory, bool (*visit)(void *context, const struct init_visit *visit),
               void *context);

uint64_t init_clock_us(void);

#endif
