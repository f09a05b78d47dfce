/* See run.h. */
#include "keeper/run.h"

#include "base/clock.h"
#include "base/error.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Set-up does not depend on the guest, but writing its files into little memory may stall. */
#define SETUP_MAX_US (30 * LIMIT_SECOND)

/* After the program's end: kill the rest, measure, collect.  And so much more for each byte. */
#define FINISH_MAX_US        (5 * LIMIT_SECOND)
#define COLLECT_BYTES_PER_US 16

/* Processor time is read on a timer, set to the earliest moment at which the limit can be reached,
 * but no more often than this. */
#define CPU_CHECK_MIN_US 5000

/* Where the kernel does not tell of refused forks they are counted on the same timer: this often at
 * first, later at a share of the run's age, so that long runs cost little. */
#define FORK_CHECK_MIN_US 20000
#define FORK_CHECK_SHARE  8

static int watch_all(struct run *run, struct cella_error *err);
static void set_timer(struct run *run);
static bool handle_report(struct run *run, struct wire *wire);
static void handle_timer(struct run *run, struct wire *wire);
static void handle_refused_forks(struct run *run, struct wire *wire);
static void finish(struct run *run, struct wire *wire);

static struct keeper_frame_header header(enum keeper_frame_type type, uint64_t run)
{
    return (struct keeper_frame_header){(uint32_t)type, KEEPER_PROTOCOL_VERSION, run};
}

static void refuse(struct wire *wire, uint64_t run, enum step step, const struct cella_error *err)
{
    struct keeper_refused frame = {.header = header(KEEPER_REFUSED, run), .error = *err};
    const char *name = step < STEP_COUNT ? step_table[step].name : "";
    (void)snprintf(frame.step, sizeof(frame.step), "%s", name);
    wire_send(wire, &frame, sizeof(frame), NULL, 0);
}

struct run *run_create(struct sandbox_host *host, const struct ceiling *ceiling, int epoll,
                       struct wire *wire, const struct keeper_create *create, int pack)
{
    struct cella_error err = {.kind = CELLA_ERROR_NONE};
    enum step step = STEP_CEILING;
    struct run *run = calloc(1, sizeof(*run));

    if (run == NULL) {
        error_set(&err, CELLA_ERROR_HOST, ENOMEM, "no memory for a run");
        refuse(wire, create->header.run, step, &err);
        return NULL;
    }
    run->id = create->header.run;
    run->limits = create->plan.limits;
    run->waived = create->plan.waived;
    run->epoll = epoll;
    run->timer = -1;
    run->fork_events = -1;
    if (host->fault == STEP_CEILING) {
        error_set(&err, CELLA_ERROR_HOST, EIO, "injected fault");
    } else if (ceiling_check(ceiling, &create->plan, &err) == 0) {
        IGNORE(
            sandbox_start(host, &create->plan, pack, &run->sandbox, &step, &err)); /* err says it */
    }
    if (err.kind != CELLA_ERROR_NONE) {
        free(run);
        refuse(wire, create->header.run, step, &err);
        return NULL;
    }
    if (watch_all(run, &err) != 0) {
        run_destroy(run);
        refuse(wire, create->header.run, STEP_CLONE, &err);
        return NULL;
    }
    run->deadline_us = clock_monotonic_us() + SETUP_MAX_US;
    set_timer(run);
    const struct sandbox_streams streams = run->sandbox.streams;
    const int ours[] = {streams.stdin_write, streams.stdout_read, streams.stderr_read,
                        streams.collected_read};
    run->sandbox.streams = (struct sandbox_streams){-1, -1, -1, -1}; /* wire_send() takes them */
    const struct keeper_created created = {.header = header(KEEPER_CREATED, run->id)};
    wire_send(wire, &created, sizeof(created), ours, ARRAY_LENGTH(ours));
    return run;
}

static int watch(struct run *run, enum run_source source, int fd, uint32_t events)
{
    run->watches[source] = (struct run_watch){source, run};
    struct epoll_event event = {.events = events, .data.ptr = &run->watches[source]};
    return epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Closing a descriptor is not enough: the first process of another sandbox may hold a copy for a
 * moment, and epoll would go on to name a run that is no more. */
static void unwatch_all(const struct run *run)
{
    const int watched[] = {run->sandbox.control, run->sandbox.pidfd, run->timer, run->fork_events};
    for (size_t i = 0; i < ARRAY_LENGTH(watched); i++) {
        if (watched[i] >= 0) {
            IGNORE(epoll_ctl(run->epoll, EPOLL_CTL_DEL, watched[i], NULL) != 0); /* may not be in */
        }
    }
}

static int watch_all(struct run *run, struct cella_error *err)
{
    run->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->sandbox.cgroup.host != NULL) {
        run->fork_events = cgroup_open_fork_events(&run->sandbox.cgroup);
    }
    if (run->timer < 0 || watch(run, RUN_CONTROL, run->sandbox.control, EPOLLIN) != 0 ||
        watch(run, RUN_INIT_DEAD, run->sandbox.pidfd, EPOLLIN) != 0 ||
        watch(run, RUN_TIMER, run->timer, EPOLLIN) != 0 ||
        (run->fork_events >= 0 && watch(run, RUN_FORK_EVENTS, run->fork_events, EPOLLPRI) != 0)) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch the sandbox");
    }
    return 0;
}

static uint64_t cpu_used_us(const struct run *run)
{
    const uint64_t used = cgroup_cpu_us(&run->sandbox.cgroup);
    /* Not to be read, for want of a descriptor: that is no limit reached. */
    return used == UINT64_MAX || used < run->cpu_at_start_us ? 0 : used - run->cpu_at_start_us;
}

/* When a running program must be looked at again: when it can have used up its processor time at
 * the earliest, and, where refused forks cause no event, soon. */
static uint64_t next_check_us(const struct run *run)
{
    const uint64_t limit = run->limits.value[LIMIT_CPU];
    const uint64_t used = cpu_used_us(run);
    const uint64_t cpus = (run->limits.value[LIMIT_CPUS] + 999) / 1000;
    const uint64_t left = used < limit ? (limit - used) / cpus : 0;
    const uint64_t now = clock_monotonic_us();
    uint64_t wait = left > CPU_CHECK_MIN_US ? left : CPU_CHECK_MIN_US;
    if (run->fork_events < 0) {
        const uint64_t age = now - run->started_us;
        const uint64_t soon =
            age / FORK_CHECK_SHARE > FORK_CHECK_MIN_US ? age / FORK_CHECK_SHARE : FORK_CHECK_MIN_US;
        wait = soon < wait ? soon : wait;
    }
    return now + wait;
}

/* The next moment at which something must be looked at. */
static void set_timer(struct run *run)
{
    uint64_t at = run->deadline_us;
    if (run->state == RUN_RUNNING && run->sandbox.cgroup.host != NULL) {
        const uint64_t check = next_check_us(run);
        at = check < at ? check : at;
    }
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / 1000000), .tv_nsec = (long)(at % 1000000) * 1000}};
    IGNORE(timerfd_settime(run->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0); /* valid arguments */
}

static void enter(struct run *run, enum run_state state, uint64_t time_us)
{
    run->state = state;
    run->deadline_us = clock_monotonic_us() + time_us;
    set_timer(run);
}

static void enter_finishing(struct run *run)
{
    if (run->state != RUN_FINISHING) {
        if (run->sandbox.cgroup.host != NULL) {
            run->cpu_at_end_us = cgroup_cpu_us(&run->sandbox.cgroup);
            cgroup_free_cpu(&run->sandbox.cgroup);
        }
        enter(run, RUN_FINISHING,
              FINISH_MAX_US + run->limits.value[LIMIT_COLLECT_BYTES] / COLLECT_BYTES_PER_US);
    }
}

void run_stop(struct run *run)
{
    const struct init_order order = {.type = INIT_ORDER_STOP};
    run->stopped = true;
    if (run->state == RUN_SETTING_UP ||
        send(run->sandbox.control, &order, sizeof(order), MSG_NOSIGNAL) < 0) {
        /* Before the program's start init does not listen, and there is nothing to collect. */
        IGNORE(sys_pidfd_send_signal(run->sandbox.pidfd, SIGKILL)); /* it may be dead */
    }
    enter_finishing(run);
}

static void give_notice(struct run *run, struct wire *wire, enum keeper_cause cause)
{
    const struct keeper_notice notice = {.header = header(KEEPER_NOTICE, run->id),
                                         .cause = (uint32_t)cause};
    run->causes |= (uint32_t)cause;
    wire_send(wire, &notice, sizeof(notice), NULL, 0);
}

/* A limit is reached: say so and stop. */
static void stop_for(struct run *run, struct wire *wire, enum keeper_cause cause)
{
    run_stop(run);
    give_notice(run, wire, cause);
}

enum run_progress run_event(struct run *run, enum run_source source, struct wire *wire)
{
    switch (source) {
    case RUN_CONTROL:
        IGNORE(handle_report(run, wire)); /* what is left comes again */
        break;
    case RUN_INIT_DEAD:
        finish(run, wire);
        return RUN_IS_OVER;
    case RUN_TIMER:
        handle_timer(run, wire);
        break;
    case RUN_FORK_EVENTS:
        handle_refused_forks(run, wire);
        break;
    case RUN_SOURCES:
        break;
    }
    return RUN_GOES_ON;
}

/* Limits are watched before the program can run. */
static void handle_starting(struct run *run)
{
    if (run->state != RUN_SETTING_UP) {
        return; /* stopped meanwhile */
    }
    run->started_us = clock_monotonic_us();
    if (run->sandbox.cgroup.host != NULL) {
        run->cpu_at_start_us = cgroup_cpu_us(&run->sandbox.cgroup);
    }
    enter(run, RUN_RUNNING, run->limits.value[LIMIT_WALL]);
}

static void announce_start(struct run *run, struct wire *wire)
{
    const uint64_t of_init =
        protection_bit(PROTECTION_INIT_HIDDEN) | protection_bit(PROTECTION_NO_TERMINAL) |
        protection_bit(PROTECTION_DESCRIPTORS) | protection_bit(PROTECTION_RLIMITS);
    const struct keeper_started started = {
        .header = header(KEEPER_STARTED, run->id),
        .protections = run->sandbox.held | run->protections | (of_init & ~run->waived),
        .mechanism =
            (uint32_t)(run->sandbox.cgroup.host != NULL ? run->sandbox.cgroup.host->mechanism
                                                        : KEEPER_BY_SUPERVISION),
    };
    wire_send(wire, &started, sizeof(started), NULL, 0);
    run->announced = true;
}

/* The clock runs from the program's first instruction, which came after STARTING. */
static void handle_started(struct run *run, const struct init_report *report, struct wire *wire)
{
    const uint64_t now = clock_monotonic_us();
    if (run->state == RUN_RUNNING && report->wall_us <= now - run->started_us) {
        run->started_us = now - report->wall_us;
        run->deadline_us = run->started_us + run->limits.value[LIMIT_WALL];
        set_timer(run);
    }
    announce_start(run, wire);
}

/* Takes one report; false when there is none now. */
static bool handle_report(struct run *run, struct wire *wire)
{
    struct init_report report;
    bool closed = false;
    if (!sandbox_next_report(&run->sandbox, &report, &closed)) {
        if (closed) {
            /* Init is dead or dying, and its pidfd will say so. */
            IGNORE(sys_pidfd_send_signal(run->sandbox.pidfd, SIGKILL)); /* it may be dead */
            IGNORE(epoll_ctl(run->epoll, EPOLL_CTL_DEL, run->sandbox.control, NULL) != 0);
        }
        return false;
    }
    switch ((enum init_report_type)report.type) {
    case INIT_CONFINED:
        run->protections = report.protections;
        break;
    case INIT_STARTING:
        handle_starting(run);
        break;
    case INIT_STARTED:
        handle_started(run, &report, wire);
        break;
    case INIT_LIMIT:
        run->causes |= report.causes;
        stop_for(run, wire, (enum keeper_cause)(report.causes & -report.causes));
        break;
    case INIT_EXITED:
        run->report = report;
        enter_finishing(run);
        break;
    case INIT_DONE:
        run->report = report;
        run->done = true;
        break;
    case INIT_FAILED:
        run->report = report;
        run->failed = true;
        break;
    }
    return true;
}

static bool forks_exhausted(const struct run *run)
{
    const uint64_t refused = cgroup_refused_forks(&run->sandbox.cgroup);
    return refused != UINT64_MAX && refused >= INIT_REFUSED_FORKS_MAX;
}

static void handle_timer(struct run *run, struct wire *wire)
{
    const bool has_cgroup = run->sandbox.cgroup.host != NULL;
    uint64_t expirations = 0;
    IGNORE(read(run->timer, &expirations, sizeof(expirations)) < 0); /* only to rearm it */
    if (run->state != RUN_RUNNING) {
        if (clock_monotonic_us() >= run->deadline_us) {
            IGNORE(sys_pidfd_send_signal(run->sandbox.pidfd, SIGKILL)); /* it may be dead */
        }
    } else if (clock_monotonic_us() >= run->deadline_us && !run->announced && !run->extended) {
        /* Init, in its program's small share of a processor, has not yet said when that began. */
        run->extended = true;
        run->deadline_us += run->limits.value[LIMIT_WALL];
        set_timer(run);
    } else if (clock_monotonic_us() >= run->deadline_us) {
        stop_for(run, wire, KEEPER_CAUSE_WALL);
    } else if (has_cgroup && cpu_used_us(run) > run->limits.value[LIMIT_CPU]) {
        stop_for(run, wire, KEEPER_CAUSE_CPU);
    } else if (has_cgroup && run->fork_events < 0 && forks_exhausted(run)) {
        stop_for(run, wire, KEEPER_CAUSE_PROCESSES);
    } else {
        set_timer(run);
    }
}

static void handle_refused_forks(struct run *run, struct wire *wire)
{
    char text[128];
    IGNORE(pread(run->fork_events, text, sizeof(text), 0) < 0); /* this takes the event back */
    if (run->state == RUN_RUNNING && forks_exhausted(run)) {
        stop_for(run, wire, KEEPER_CAUSE_PROCESSES);
    }
}

/* Figures: the control group knows the sum of processor time best, also of children that nobody
 * waited for; init's accounting knows how it splits into user and system time. */
static void fill_usage(const struct run *run, const struct cgroup_usage *group,
                       const struct rusage *rusage, struct keeper_ended *ended)
{
    const struct init_report *report = &run->report;
    uint64_t user = report->user_us, system = report->system_us;
    if (!run->done) {
        user = (uint64_t)rusage->ru_utime.tv_sec * 1000000 + (uint64_t)rusage->ru_utime.tv_usec;
        system = (uint64_t)rusage->ru_stime.tv_sec * 1000000 + (uint64_t)rusage->ru_stime.tv_usec;
    }
    const uint64_t at_end = run->cpu_at_end_us > 0 ? run->cpu_at_end_us : group->cpu_us;
    if (at_end != UINT64_MAX && at_end > run->cpu_at_start_us + user + system) {
        const uint64_t sum = at_end - run->cpu_at_start_us;
        user = user + system > 0 ? sum * user / (user + system) : sum;
        system = sum - user;
    }
    ended->wall_us = report->wall_us > 0   ? report->wall_us
                     : run->started_us > 0 ? clock_monotonic_us() - run->started_us
                                           : 0;
    ended->user_us = user;
    ended->system_us = system;
    ended->memory_peak_bytes = group->memory_peak_bytes != UINT64_MAX ? group->memory_peak_bytes
                                                                      : report->memory_peak_bytes;
    ended->processes_peak =
        group->processes_peak != UINT64_MAX ? group->processes_peak : report->processes_peak;
    ended->written_bytes = run->done ? report->written_bytes : UINT64_MAX;
    ended->voluntary_switches = run->done ? report->voluntary_switches : (uint64_t)rusage->ru_nvcsw;
    ended->involuntary_switches =
        run->done ? report->involuntary_switches : (uint64_t)rusage->ru_nivcsw;
}

static void fill_ended(const struct run *run, const struct cgroup_usage *group,
                       const struct rusage *rusage, struct keeper_ended *ended)
{
    const struct init_report *report = &run->report;
    const bool exited = report->type == INIT_EXITED || report->type == INIT_DONE;
    const bool memory_killed = group->memory_kills != UINT64_MAX && group->memory_kills > 0;

    *ended = (struct keeper_ended){.header = header(KEEPER_ENDED, run->id),
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

/* Init is dead, and with it everything in its PID namespace.  The engine is told when nothing of
 * the run is left, here neither. */
static void finish(struct run *run, struct wire *wire)
{
    struct cgroup_usage group;
    struct rusage rusage;
    struct keeper_ended ended;
    struct init_report report;
    const uint64_t id = run->id;

    /* What it said last may still be unread. */
    while (handle_report(run, wire)) {
    }
    unwatch_all(run);
    sandbox_end(&run->sandbox, &group, &rusage);
    if (!run->failed && run->started_us > 0 && !run->announced) {
        announce_start(run, wire); /* init died before it could say so */
    }
    if (!run->failed && !run->stopped && group.forks_refused != UINT64_MAX &&
        group.forks_refused >= INIT_REFUSED_FORKS_MAX) {
        /* It ended before this was seen, perhaps by what a fork bomb costs the kernel in memory. */
        give_notice(run, wire, KEEPER_CAUSE_PROCESSES);
    }
    fill_ended(run, &group, &rusage, &ended);
    const bool failed = run->failed;
    const bool died_early =
        run->started_us == 0 && !run->stopped && (ended.causes & KEEPER_CAUSE_MEMORY) == 0;
    report = run->report;
    run_destroy(run);
    if (failed) {
        refuse(wire, id, (enum step)report.step, &report.error);
    } else if (died_early) {
        error_set(&report.error, CELLA_ERROR_HOST, 0, "the sandbox died while it was being set up");
        refuse(wire, id, STEP_COUNT, &report.error);
    } else {
        wire_send(wire, &ended, sizeof(ended), NULL, 0);
    }
}

void run_destroy(struct run *run)
{
    unwatch_all(run);
    sandbox_discard(&run->sandbox); /* nothing, when it has been ended */
    if (run->timer >= 0) {
        (void)close(run->timer); /* a timer */
    }
    if (run->fork_events >= 0) {
        (void)close(run->fork_events); /* opened for reading */
    }
    free(run);
}
