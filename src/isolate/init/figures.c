/*
 * What the sandbox used.  With a control group its figures are the better ones and the keeper takes
 * those; what only init sees is here: bytes written, context switches, full file systems.
 *
 * Without a control group init is also the supervisor: it sums what every process of the sandbox
 * has, as /proc tells it, and says when a limit is passed.  It sees what is mapped, page tables,
 * and files in memory.  Memory that belongs to no process it cannot see, so the ways to much of it
 * (memfd, System V segments, enlarged socket buffers) are closed by the filter; what remains are
 * pipe and socket buffers of ordinary size, which open_files bounds.
 */
#include "isolate/init/init.h"
#include "isolate/native/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fields of /proc/PID/stat behind the name in brackets (proc(5) counts the name as the second). */
enum stat_field {
    STAT_USER_TICKS = 14,
    STAT_SYSTEM_TICKS,
    STAT_CHILDREN_USER_TICKS,
    STAT_CHILDREN_SYSTEM_TICKS,
    STAT_THREADS = 20,
    STAT_FIELDS
};

/* After a count of processes that is over the limit. */
#define RECOUNTS 3

/* Of a stack that overflowed, so small a share was not touched by the program's own faults. */
#define STACK_SLACK_SHARE 32
/* What a program touches beside its stack: 1.1 MiB is a C program that does nothing. */
#define BESIDE_STACK_MAX (UINT64_C(2) * 1024 * 1024)

struct totals {
    uint64_t memory_bytes;
    uint64_t tasks;
    uint64_t ticks;
};

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* The kernel splits what it has counted into the two, and may split it otherwise later. */
static uint64_t since(uint64_t now_us, uint64_t before_us)
{
    return now_us > before_us ? now_us - before_us : 0;
}

uint64_t init_written_bytes(const struct init *init)
{
    char text[512];
    const ssize_t got = init->io_file >= 0 ? pread(init->io_file, text, sizeof(text) - 1, 0) : -1;
    if (got <= 0) {
        return UINT64_MAX;
    }
    text[got] = '\0';
    const char *line = strstr(text, "wchar: ");
    return line == NULL ? UINT64_MAX : strtoull(line + strlen("wchar: "), NULL, 10);
}

/* Which limits on the run's file systems are reached now. */
static uint32_t full_causes(void)
{
    struct statfs system;
    if (statfs(INIT_TEMPORARY, &system) != 0) { /* and of the workspace, where no mount lies */
        return 0;
    }
    return (system.f_bavail == 0 ? KEEPER_CAUSE_DISK : 0U) |
           (system.f_ffree == 0 ? KEEPER_CAUSE_INODES : 0U);
}

static struct share look_at(const char *directory)
{
    struct statfs system;
    if (statfs(directory, &system) != 0) {
        return (struct share){0, 0};
    }
    return (struct share){
        (uint64_t)(system.f_blocks - system.f_bfree) * (uint64_t)system.f_bsize,
        (uint64_t)(system.f_files - system.f_ffree),
    };
}

void init_look_at_shares(struct init *init)
{
    for (uint32_t i = 0; i < init->start.share_count && i < PLAN_WRITABLE_MAX; i++) {
        init->before_shares[i] = look_at(init->start.shares[i]);
    }
}

/* By the whole file system and not by its files: what is written to a file without a name, or in a
 * directory that nobody may look into, is there all the same. */
uint32_t init_sample_shares(const struct init *init)
{
    const uint64_t *limit = init->start.limits.value;
    uint32_t causes = 0;
    for (uint32_t i = 0; i < init->start.share_count && i < PLAN_WRITABLE_MAX; i++) {
        const struct share *before = &init->before_shares[i];
        const struct share now = look_at(init->start.shares[i]);
        causes |= since(now.bytes, before->bytes) > limit[LIMIT_DISK] ? KEEPER_CAUSE_DISK : 0U;
        causes |=
            since(now.inodes, before->inodes) > limit[LIMIT_INODES] ? KEEPER_CAUSE_INODES : 0U;
    }
    return causes;
}

/* The kernel tells nobody why a SIGSEGV was sent.  But who has overflowed the stack, page by page,
 * has touched as much as it may grow, and a small program little else.  So this misses the overflow
 * of a program that holds much more, and is wrong about one that crashes for another reason after
 * touching just so much. */
uint32_t init_stack_overflow(const struct init *init, int status, const struct rusage *used)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t touched = (uint64_t)used->ru_minflt * page;
    const uint64_t stack = init->start.limits.value[LIMIT_STACK];
    const uint64_t least = stack - stack / STACK_SLACK_SHARE;
    const bool overflow = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV &&
                          (uint64_t)used->ru_maxrss * 1024 >= least && touched >= least &&
                          touched - least <= BESIDE_STACK_MAX;
    return overflow ? KEEPER_CAUSE_STACK : 0U;
}

/* How long files are looked at, of which there may be a million. */
#define SIZE_SEARCH_MAX_US UINT64_C(1000000)

struct size_search {
    uint64_t limit;
    uint64_t until_us;
    bool found;
};

static bool has_limit_size(void *context, const struct init_visit *visit)
{
    struct size_search *search = context;
    struct stat file;
    search->found = fstatat(visit->dir, visit->name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
                    S_ISREG(file.st_mode) && (uint64_t)file.st_size == search->limit;
    return !search->found && init_clock_us() < search->until_us;
}

/* A program that ignores SIGXFSZ, as Python does, only gets an error; but the kernel lets a file
 * grow to exactly the limit before it refuses the rest.  Looked at when the program ended badly: a
 * file of that very size may also be what somebody wanted. */
static bool file_limit_touched(const struct init *init)
{
    static const char *const places[] = {INIT_WORKSPACE, INIT_PROGRAM, INIT_TEMPORARY,
                                         INIT_SHARED_MEMORY};
    struct size_search search = {.limit = init->start.limits.value[LIMIT_FILE],
                                 .until_us = init_clock_us() + SIZE_SEARCH_MAX_US};
    for (size_t i = 0; i < ARRAY_LENGTH(places) && !search.found; i++) {
        init_walk(places[i], has_limit_size, &search);
    }
    return search.found;
}

void init_measure(struct init *init)
{
    struct init_report *report = &init->report;
    struct rusage children = {0};
    const uint64_t written = init_written_bytes(init);

    IGNORE(getrusage(RUSAGE_CHILDREN, &children) != 0); /* cannot fail with these arguments */
    /* A one-shot's way to where it waits is not the run's. */
    const struct used *before = &init->before;
    report->user_us = since(microseconds(children.ru_utime), before->user_us);
    report->system_us = since(microseconds(children.ru_stime), before->system_us);
    report->voluntary_switches = (uint64_t)children.ru_nvcsw - before->voluntary_switches;
    report->involuntary_switches = (uint64_t)children.ru_nivcsw - before->involuntary_switches;
    report->written_bytes = written == UINT64_MAX ? UINT64_MAX : written - init->written_own;
    report->causes |= full_causes() | init_sample_shares(init);
    if (report->status != 0 && file_limit_touched(init)) {
        report->causes |= KEEPER_CAUSE_FILE;
    }
    /* Too quick for the samples.  A zygote's child is none of ours. */
    const uint64_t ours_max = (uint64_t)children.ru_maxrss * 1024;
    const uint64_t resident_max = ours_max > init->resident_max ? ours_max : init->resident_max;
    if (init->start.supervise != 0 && resident_max > init->start.limits.value[LIMIT_MEMORY]) {
        report->causes |= KEEPER_CAUSE_MEMORY;
    }
}

/* The number behind "Name:" of /proc/PID/status, in bytes. */
static uint64_t status_bytes(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    return line == NULL ? 0 : strtoull(line + strlen(name), NULL, 10) * 1024;
}

static void add_process(struct totals *totals, int proc, const char *pid)
{
    char path[64];
    char text[4096];
    uint64_t field[STAT_FIELDS] = {0};

    (void)snprintf(path, sizeof(path), "%.32s/stat", pid);
    if (sys_read_file(proc, path, text, sizeof(text)) <= 0) {
        return; /* gone meanwhile */
    }
    const char *at = strrchr(text, ')');
    for (int i = 3; at != NULL && i < STAT_FIELDS; i++) {
        at = strchr(at + 1, ' ');
        field[i] = at != NULL ? strtoull(at + 1, NULL, 10) : 0;
    }
    totals->tasks += field[STAT_THREADS] > 0 ? field[STAT_THREADS] : 1; /* a zombie has none */
    totals->ticks += field[STAT_USER_TICKS] + field[STAT_SYSTEM_TICKS] +
                     field[STAT_CHILDREN_USER_TICKS] + field[STAT_CHILDREN_SYSTEM_TICKS];
    (void)snprintf(path, sizeof(path), "%.32s/status", pid);
    if (sys_read_file(proc, path, text, sizeof(text)) > 0) {
        /* Memory that processes share is counted for each: too much rather than too little. */
        totals->memory_bytes += status_bytes(text, "\nRssAnon:") +
                                status_bytes(text, "\nRssShmem:") + status_bytes(text, "\nVmPTE:") +
                                status_bytes(text, "\nVmSwap:"); /* where MADV_PAGEOUT puts it */
    }
}

static uint64_t used_bytes(const char *directory)
{
    struct statfs system;
    if (statfs(directory, &system) != 0) {
        return 0;
    }
    return (uint64_t)(system.f_blocks - system.f_bfree) * (uint64_t)system.f_bsize;
}

static void read_processes(struct totals *totals)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        const bool is_process = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (is_process && strcmp(entry->d_name, "1") != 0) {
            add_process(totals, dirfd(proc), entry->d_name);
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
}

/* A walk through /proc takes time, in which one process may end and another begin, and both be
 * seen; so it is taken again, and what is too much must be so in all of them. */
static bool too_many_tasks(const struct init *init, uint64_t tasks)
{
    const uint64_t max = init->start.limits.value[LIMIT_PROCESSES];
    for (int i = 0; i < RECOUNTS && tasks > max; i++) {
        struct totals again = {0, 0, 0};
        read_processes(&again);
        tasks = again.tasks;
    }
    return tasks > max;
}

uint32_t init_sample(struct init *init)
{
    const uint64_t *limit = init->start.limits.value;
    struct init_report *report = &init->report;
    struct totals totals = {used_bytes(INIT_TEMPORARY) + used_bytes(INIT_SHARED_MEMORY), 0, 0};
    struct rusage children = {0};

    read_processes(&totals);
    IGNORE(getrusage(RUSAGE_CHILDREN, &children) != 0); /* those that we have waited for */
    const uint64_t used = totals.ticks * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK)) +
                          microseconds(children.ru_utime) + microseconds(children.ru_stime);
    const uint64_t cpu_us = since(used, init->before.user_us + init->before.system_us);
    if (report->memory_peak_bytes == UINT64_MAX ||
        totals.memory_bytes > report->memory_peak_bytes) {
        report->memory_peak_bytes = totals.memory_bytes;
    }
    if (report->processes_peak == UINT64_MAX || totals.tasks > report->processes_peak) {
        report->processes_peak = totals.tasks;
    }
    return (totals.memory_bytes > limit[LIMIT_MEMORY] ? KEEPER_CAUSE_MEMORY : 0U) |
           (too_many_tasks(init, totals.tasks) ? KEEPER_CAUSE_PROCESSES : 0U) |
           (cpu_us > limit[LIMIT_CPU] ? KEEPER_CAUSE_CPU : 0U);
}
