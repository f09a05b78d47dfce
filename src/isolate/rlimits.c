/* See rlimits.h.  Shared by glibc and musl code. */
#include "isolate/rlimits.h"

#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* RLIMIT_NPROC, in the run's own user namespace, is the second layer behind the control group's
 * count, or init's where there is none: a little above the limit, so that it is the control group
 * that refuses a fork, and counts it, or init that sees too many, of which nobody else would tell.
 * Init counts in both. */
#define PROCESSES_SLACK 16

/* Processor time by rlimit, likewise: per process, in whole seconds, behind the supervisor's. */
#define CPU_SLACK_SECONDS 2

#define LOCKED_MEMORY_MAX       (UINT64_C(8) * 1024 * 1024)
#define QUEUED_SIGNALS_MAX      1024
#define MESSAGE_QUEUE_BYTES_MAX (UINT64_C(800) * 1024)

/* By the bare call: one library's functions have a type of their own for the resource. */
static int set_rlimit(int resource, uint64_t wanted)
{
    struct limit {
        uint64_t now, most;
    } limit;
    if (syscall(SYS_prlimit64, 0, resource, NULL, &limit) != 0) {
        return -1;
    }
    /* Above our own hard limit the kernel lets nobody go; then that one holds. */
    const uint64_t value = wanted < limit.most ? wanted : limit.most;
    limit = (struct limit){value, value};
    return (int)syscall(SYS_prlimit64, 0, resource, &limit, NULL);
}

int rlimits_set(const struct limits *limits)
{
    const uint64_t *value = limits->value;
    const struct {
        int resource;
        uint64_t value;
    } rlimits[] = {
        {RLIMIT_NOFILE, value[LIMIT_OPEN_FILES]},
        {RLIMIT_FSIZE, value[LIMIT_FILE]},
        {RLIMIT_STACK, value[LIMIT_STACK]},
        {RLIMIT_NPROC, value[LIMIT_PROCESSES] + 1 + PROCESSES_SLACK},
        {RLIMIT_CPU, value[LIMIT_CPU] / LIMIT_SECOND + CPU_SLACK_SECONDS},
        {RLIMIT_MEMLOCK, LOCKED_MEMORY_MAX},
        {RLIMIT_SIGPENDING, QUEUED_SIGNALS_MAX},
        {RLIMIT_MSGQUEUE, MESSAGE_QUEUE_BYTES_MAX},
        {RLIMIT_NICE, 0},
        {RLIMIT_RTPRIO, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rlimits); i++) {
        if (set_rlimit(rlimits[i].resource, rlimits[i].value) != 0) {
            return -1;
        }
    }
    return 0;
}
