/* What a run has used and why it ended, from who knows each best: see run.h. */
#include "base/clock.h"
#include "keeper/run_inside.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Processor time is read on a timer, set to the earliest moment at which the limit can be reached,
 * but no more often than this. */
#define CPU_CHECK_MIN_US 5000

/* Where the kernel does not tell of refused forks they are counted on the same timer: this often at
 * first, later at a share of the run's age, so that long runs cost little. */
#define FORK_CHECK_MIN_US 20000
#define FORK_CHECK_SHARE  8

static uint64_t microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* Figures: the control group knows the sum of processor time best, also of children that nobody
 * waited for; init's accounting knows how it splits into user and system time. */
static void fill_usage(const struct run *run, const struct cgroup_usage *group,
                       const struct rusage *rusage, struct keeper_ended *ended)
{
    const struct init_report *report = &run->report;
    uint64_t user = report->user_us, system = report->system_us;
    if (!run->done) {
        user = microseconds(&rusage->ru_utime);
        system = microseconds(&rusage->ru_stime);
    }
    if (run->program_ended) { /* which init has not waited for */
        user += microseconds(&run->program_usage.ru_utime) -
                microseconds(&run->program_before.ru_utime);
        system += microseconds(&run->program_usage.ru_stime) -
                  microseconds(&run->program_before.ru_stime);
    }
    const uint64_t at_end = run->cpu_at_end_us > 0 ? run->cpu_at_end_us : group->cpu_us;
    if (at_end != UINT64_MAX && at_end > run->cpu_at_start_us + user + system) {
        const uint64_t sum = at_end - run->cpu_at_start_us;
        const double ours = (double)user + (double)system; /* products do not fit 64 bits */
        user = ours > 0 ? (uint64_t)((double)sum * ((double)user / ours)) : sum;
        system = sum - user;
    }
    ended->wall_us = report->wall_us > 0   ? report->wall_us
                     : run->started_us > 0 ? clock_monotonic_us() - run->started_us
                                           : 0;
    ended->user_us = user;
    ended->system_us = system;
    /* What it shares with its zygote the control group of that counts, and supervision counts. */
    ended->memory_peak_bytes = group->memory_peak_bytes != UINT64_MAX
                                   ? group->memory_peak_bytes + run->memory_held
                                   : report->memory_peak_bytes;
    ended->processes_peak =
        group->processes_peak != UINT64_MAX ? group->processes_peak : report->processes_peak;
    ended->written_bytes = run->done ? report->written_bytes : UINT64_MAX;
    ended->voluntary_switches = run->done ? report->voluntary_switches : (uint64_t)rusage->ru_nvcsw;
    ended->involuntary_switches =
        run->done ? report->involuntary_switches : (uint64_t)rusage->ru_nivcsw;
    if (run->program_ended) {
        const struct rusage *before = &run->program_before;
        ended->written_bytes += run->done ? run->program_written : 0;
        ended->voluntary_switches += (uint64_t)(run->program_usage.ru_nvcsw - before->ru_nvcsw);
        ended->involuntary_switches += (uint64_t)(run->program_usage.ru_nivcsw - before->ru_nivcsw);
    }
}

void run_fill_ended(const struct run *run, const struct cgroup_usage *group,
                    const struct rusage *rusage, struct keeper_ended *ended)
{
    const struct init_report *report = &run->report;
    const bool exited = report->type == INIT_EXITED || report->type == INIT_DONE;
    const bool memory_killed = group->memory_kills != UINT64_MAX && group->memory_kills > 0;

    *ended = (struct keeper_ended){.header = {KEEPER_ENDED, KEEPER_PROTOCOL_VERSION, run->id},
                                   .causes = run->causes | report->causes,
                                   .status = exited ? report->status : -1,
                                   .init_lost = !run->done};
    if (memory_killed) {
        ended->causes |= KEEPER_CAUSE_MEMORY;
    }
    if (group->forks_refused != UINT64_MAX && group->forks_refused > 0) {
        ended->causes |= KEEPER_CAUSE_PROCESSES;
    }
    ended->memory_killed_main = memory_killed && !run->stopped && exited &&
                                WIFSIGNALED(report->status) && WTERMSIG(report->status) == SIGKILL;
    fill_usage(run, group, rusage, ended);
    if (run->done && report->refused_call_count <= KEEPER_REFUSED_CALLS_MAX) {
        ended->refused_call_count = report->refused_call_count;
        memcpy(ended->refused_calls, report->refused_calls, sizeof(ended->refused_calls));
    }
}

static struct timeval timeval_of(uint64_t us)
{
    return (struct timeval){.tv_sec = (time_t)(us / 1000000),
                            .tv_usec = (suseconds_t)(us % 1000000)};
}

void run_note_parked(struct run *run, const struct init_report *report)
{
    run->program_before = (struct rusage){
        .ru_utime = timeval_of(report->user_us),
        .ru_stime = timeval_of(report->system_us),
        .ru_nvcsw = (long)report->voluntary_switches,
        .ru_nivcsw = (long)report->involuntary_switches,
        .ru_minflt = (long)report->minor_faults,
    };
}

uint64_t run_cpu_used_us(const struct run *run)
{
    const uint64_t used = cgroup_cpu_us(&run->sandbox.cgroup);
    /* Not to be read, for want of a descriptor: that is no limit reached. */
    return used == UINT64_MAX || used < run->cpu_at_start_us ? 0 : used - run->cpu_at_start_us;
}

bool run_forks_exhausted(const struct run *run)
{
    const uint64_t refused = cgroup_refused_forks(&run->sandbox.cgroup);
    return refused != UINT64_MAX && refused >= INIT_REFUSED_FORKS_MAX;
}

uint64_t run_next_check_us(const struct run *run)
{
    const uint64_t limit = run->limits.value[LIMIT_CPU];
    const uint64_t cpus = (run->limits.value[LIMIT_CPUS] + 999) / 1000;
    const uint64_t now = clock_monotonic_us(), age = now - run->started_us;
    /* So early it is not worth a look. */
    const uint64_t used = age < CPU_CHECK_MIN_US ? age * cpus : run_cpu_used_us(run);
    const uint64_t left = used < limit ? (limit - used) / cpus : 0;
    uint64_t wait = left > CPU_CHECK_MIN_US ? left : CPU_CHECK_MIN_US;
    if (run->fork_events < 0) {
        const uint64_t soon =
            age / FORK_CHECK_SHARE > FORK_CHECK_MIN_US ? age / FORK_CHECK_SHARE : FORK_CHECK_MIN_US;
        wait = soon < wait ? soon : wait;
    }
    return now + wait;
}
