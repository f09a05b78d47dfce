/*
 * Every way for a run to end, and all that must be said about it: the table of test_supervise.c.
 */
#ifndef TESTS_ENDINGS_H
#define TESTS_ENDINGS_H

#include "supervise/supervise.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define MIB UINT64_C(1048576)

static inline struct limits plan_limits(void)
{
    struct limits limits;
    limits_init(&limits);
    limits.value[LIMIT_WALL] = 10 * LIMIT_SECOND;
    limits.value[LIMIT_CPU] = LIMIT_SECOND;
    limits.value[LIMIT_MEMORY] = 256 * MIB;
    limits.value[LIMIT_PROCESSES] = 64;
    limits.value[LIMIT_STDOUT] = MIB;
    limits.value[LIMIT_STDERR] = 2 * MIB;
    limits.value[LIMIT_FILE] = 64 * MIB;
    limits.value[LIMIT_DISK] = 32 * MIB;
    return limits;
}

#define EXITED(code)     ((code) << 8)
#define SIGNALED(number) (number)

/* One end of a run, and all that must be said about it. */
struct ending {
    const char *what;
    /* how it came about */
    uint32_t notice; /* enum keeper_cause, or 0 */
    bool cancelled, cut_output, stop_on_output;
    struct keeper_ended ended; /* of it causes, status, init_lost, memory_killed_main, cpu */
    /* what is to come out */
    enum status status;
    int exit_code, signal;
    enum limit limit;
    uint32_t limits_hit;
    const char *message;
};

#define BIT(status) (1U << STATUS_##status)
#define NO_LIMIT    LIMIT_COUNT

static const struct ending endings[] = {
    {.what = "ended well",
     .ended = {.status = EXITED(0)},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .message = "exited with code 0 after 1.2 s"},
    {.what = "another code",
     .ended = {.status = EXITED(3)},
     .status = STATUS_EXIT,
     .exit_code = 3,
     .limit = NO_LIMIT,
     .message = "exited with code 3 after 1.2 s"},
    {.what = "a crash",
     .ended = {.status = SIGNALED(SIGSEGV)},
     .status = STATUS_SIGNAL,
     .exit_code = -1,
     .signal = SIGSEGV,
     .limit = NO_LIMIT,
     .message = "ended by signal SIGSEGV (Segmentation fault) after 1.2 s"},
    {.what = "a crash by its stack",
     .ended = {.causes = KEEPER_CAUSE_STACK, .status = SIGNALED(SIGSEGV)},
     .status = STATUS_SIGNAL,
     .exit_code = -1,
     .signal = SIGSEGV,
     .limit = NO_LIMIT,
     .limits_hit = 1U << STATUS_HIT_STACK,
     .message = "ended by signal SIGSEGV (stack overflow) after 1.2 s"},
    {.what = "a signal without a name",
     .ended = {.status = SIGNALED(40)},
     .status = STATUS_SIGNAL,
     .exit_code = -1,
     .signal = 40,
     .limit = NO_LIMIT,
     .message = "ended by signal 40 after 1.2 s"},

    {.what = "the clock",
     .notice = KEEPER_CAUSE_WALL,
     .ended = {.causes = KEEPER_CAUSE_WALL, .status = SIGNALED(SIGKILL)},
     .status = STATUS_WALL_TIME,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = LIMIT_WALL,
     .limits_hit = BIT(WALL_TIME),
     .message = "wall time limit of 10 s hit after 1.2 s"},
    {.what = "the clock, and more processor time than allowed",
     .notice = KEEPER_CAUSE_WALL,
     .ended = {.causes = KEEPER_CAUSE_WALL,
               .status = SIGNALED(SIGKILL),
               .user_us = LIMIT_SECOND + 1},
     .status = STATUS_CPU_TIME,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = LIMIT_CPU,
     .limits_hit = BIT(WALL_TIME) | BIT(CPU_TIME),
     .message = "processor time limit of 1 s hit after 1.2 s"},
    {.what = "an exit code on the way to be stopped",
     .notice = KEEPER_CAUSE_WALL,
     .ended = {.causes = KEEPER_CAUSE_WALL, .status = EXITED(7)},
     .status = STATUS_WALL_TIME,
     .exit_code = 7,
     .limit = LIMIT_WALL,
     .limits_hit = BIT(WALL_TIME),
     .message = "wall time limit of 10 s hit after 1.2 s"},

    {.what = "processor time at the limit",
     .ended = {.status = EXITED(0), .user_us = LIMIT_SECOND - 1, .system_us = 1},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .message = "exited with code 0 after 1.2 s"},
    {.what = "processor time over it, though the program ended first",
     .ended = {.status = EXITED(0), .user_us = LIMIT_SECOND, .system_us = 1},
     .status = STATUS_CPU_TIME,
     .limit = LIMIT_CPU,
     .limits_hit = BIT(CPU_TIME),
     .message = "processor time limit of 1 s hit after 1.2 s"},
    {.what = "processor time that is not known",
     .ended = {.status = EXITED(0), .user_us = RESULT_UNKNOWN, .system_us = RESULT_UNKNOWN},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .message = "exited with code 0 after 1.2 s"},
    {.what = "SIGXCPU that the program sent to itself",
     .ended = {.status = SIGNALED(SIGXCPU)},
     .status = STATUS_SIGNAL,
     .exit_code = -1,
     .signal = SIGXCPU,
     .limit = NO_LIMIT,
     .message = "ended by signal SIGXCPU (CPU time limit exceeded) after 1.2 s"},

    {.what = "the memory killer took the program",
     .ended = {.causes = KEEPER_CAUSE_MEMORY, .status = SIGNALED(SIGKILL), .memory_killed_main = 1},
     .status = STATUS_MEMORY,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = LIMIT_MEMORY,
     .limits_hit = BIT(MEMORY),
     .message = "memory limit of 256 MiB hit after 1.2 s"},
    {.what = "it took a child, and the program failed",
     .ended = {.causes = KEEPER_CAUSE_MEMORY, .status = EXITED(1)},
     .status = STATUS_MEMORY,
     .exit_code = 1,
     .limit = LIMIT_MEMORY,
     .limits_hit = BIT(MEMORY),
     .message = "memory limit of 256 MiB hit after 1.2 s"},
    {.what = "it took a child, and the program went on",
     .ended = {.causes = KEEPER_CAUSE_MEMORY, .status = EXITED(0)},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .limits_hit = BIT(MEMORY),
     .message = "exited with code 0 after 1.2 s"},

    {.what = "a refused fork, and the program failed",
     .ended = {.causes = KEEPER_CAUSE_PROCESSES, .status = EXITED(2)},
     .status = STATUS_PROCESSES,
     .exit_code = 2,
     .limit = LIMIT_PROCESSES,
     .limits_hit = BIT(PROCESSES),
     .message = "process limit of 64 hit after 1.2 s"},
    {.what = "a refused fork, and the program went on",
     .ended = {.causes = KEEPER_CAUSE_PROCESSES, .status = EXITED(0)},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .limits_hit = BIT(PROCESSES),
     .message = "exited with code 0 after 1.2 s"},
    {.what = "a full disk, and the program failed",
     .ended = {.causes = KEEPER_CAUSE_DISK, .status = EXITED(1)},
     .status = STATUS_DISK,
     .exit_code = 1,
     .limit = LIMIT_DISK,
     .limits_hit = BIT(DISK),
     .message = "disk limit of 32 MiB hit after 1.2 s"},
    {.what = "a full disk, and the program went on",
     .ended = {.causes = KEEPER_CAUSE_DISK, .status = EXITED(0)},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .limits_hit = BIT(DISK),
     .message = "exited with code 0 after 1.2 s"},
    {.what = "a file too large, and the program failed",
     .ended = {.causes = KEEPER_CAUSE_FILE, .status = EXITED(1)},
     .status = STATUS_FILE_SIZE,
     .exit_code = 1,
     .limit = LIMIT_FILE,
     .limits_hit = BIT(FILE_SIZE),
     .message = "file size limit of 64 MiB hit after 1.2 s"},
    {.what = "SIGXFSZ",
     .ended = {.status = SIGNALED(SIGXFSZ)},
     .status = STATUS_FILE_SIZE,
     .exit_code = -1,
     .signal = SIGXFSZ,
     .limit = LIMIT_FILE,
     .limits_hit = BIT(FILE_SIZE),
     .message = "file size limit of 64 MiB hit after 1.2 s"},
    {.what = "several survived: the nearest to a kill is named",
     .ended = {.causes = KEEPER_CAUSE_DISK | KEEPER_CAUSE_PROCESSES | KEEPER_CAUSE_MEMORY,
               .status = EXITED(1)},
     .status = STATUS_MEMORY,
     .exit_code = 1,
     .limit = LIMIT_MEMORY,
     .limits_hit = BIT(DISK) | BIT(PROCESSES) | BIT(MEMORY),
     .message = "memory limit of 256 MiB hit after 1.2 s"},

    {.what = "cut output and success",
     .cut_output = true,
     .ended = {.status = EXITED(0)},
     .status = STATUS_OK,
     .limit = NO_LIMIT,
     .limits_hit = BIT(OUTPUT),
     .message = "exited with code 0 after 1.2 s"},
    {.what = "cut output and failure",
     .cut_output = true,
     .ended = {.status = EXITED(1)},
     .status = STATUS_EXIT,
     .exit_code = 1,
     .limit = NO_LIMIT,
     .limits_hit = BIT(OUTPUT),
     .message = "exited with code 1 after 1.2 s"},
    {.what = "output that stops the run",
     .cut_output = true,
     .stop_on_output = true,
     .ended = {.status = SIGNALED(SIGKILL)},
     .status = STATUS_OUTPUT,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = LIMIT_STDOUT,
     .limits_hit = BIT(OUTPUT),
     .message = "standard output limit of 1 MiB hit after 1.2 s"},

    {.what = "cancelled",
     .cancelled = true,
     .ended = {.status = SIGNALED(SIGKILL)},
     .status = STATUS_CANCELLED,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = NO_LIMIT,
     .message = "cancelled after 1.2 s"},
    {.what = "cancelled, with processor time over the limit",
     .cancelled = true,
     .ended = {.status = SIGNALED(SIGKILL), .user_us = 2 * LIMIT_SECOND},
     .status = STATUS_CANCELLED,
     .exit_code = -1,
     .signal = SIGKILL,
     .limit = NO_LIMIT,
     .message = "cancelled after 1.2 s"},

    {.what = "init lost without a cause",
     .ended = {.status = -1, .init_lost = 1},
     .status = STATUS_INTERNAL,
     .exit_code = -1,
     .limit = NO_LIMIT,
     .message = "the end of the program was not seen after 1.2 s"},
    {.what = "init lost for memory",
     .ended = {.causes = KEEPER_CAUSE_MEMORY, .status = -1, .init_lost = 1},
     .status = STATUS_MEMORY,
     .exit_code = -1,
     .limit = LIMIT_MEMORY,
     .limits_hit = BIT(MEMORY),
     .message = "memory limit of 256 MiB hit after 1.2 s"},
    {.what = "init lost after the clock ran out",
     .notice = KEEPER_CAUSE_WALL,
     .ended = {.causes = KEEPER_CAUSE_WALL, .status = -1, .init_lost = 1},
     .status = STATUS_WALL_TIME,
     .exit_code = -1,
     .limit = LIMIT_WALL,
     .limits_hit = BIT(WALL_TIME),
     .message = "wall time limit of 10 s hit after 1.2 s"},
    {.what = "no end was seen",
     .ended = {.status = -1},
     .status = STATUS_INTERNAL,
     .exit_code = -1,
     .limit = NO_LIMIT,
     .message = "the end of the program was not seen after 1.2 s"},
};

#endif
