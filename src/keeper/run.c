/* See run.h.  Divisions: beginning; what is watched; what init and the kernel say; the end. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"
#include "keeper/run_inside.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Set-up does not depend on the guest, but writing its files into little memory may stall. */
#define SETUP_MAX_US (30 * LIMIT_SECOND)
/* One that is made ahead, for which somebody may wait. */
#define MAKING_MAX_US (5 * LIMIT_SECOND)

/* After the program's end: kill the rest, measure, collect, which has to wait for whoever reads.
 * And so much more for each byte. */
#define FINISH_MAX_US        (60 * LIMIT_SECOND)
#define COLLECT_BYTES_PER_US 16

/* Beyond so many the end of a run is told when its sandbox is gone. */
#define ENDING_MAX 8

static int watch_all(struct run *run, struct cella_error *err);
static void set_timer(struct run *run);
static void enter(struct run *run, enum run_state state, uint64_t time_us);
/* Takes one report. */
enum report { REPORT_TAKEN, REPORT_NONE /* now */, REPORT_NO_MORE };
static enum report handle_report(struct run *run);
static void handle_program_dead(struct run *run);
static void handle_done(struct run *run);
static void handle_timer(struct run *run);
static void handle_refused_forks(struct run *run);
static void finish(struct run *run);

/* ---- beginning ---- */

static struct run *new_run(struct common *common, const struct plan *plan, struct cella_error *err)
{
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL) {
        error_set(err, CELLA_ERROR_HOST, ENOMEM, "no memory for a run");
        return NULL;
    }
    run->common = common;
    run->limits = plan->limits;
    run->waived = plan->waived;
    run->timer = -1;
    run->fork_events = -1;
    run->program = (struct nest_program){{-1, -1, -1}, -1};
    sandbox_blank(&run->sandbox);
    return run;
}

/* It is there, whoever made it: on to its program. */
static int begin(struct run *run, int pack, enum keeper_turn turn, struct cella_error *err)
{
    express_begin(&run->common->express, run, turn);
    if (sandbox_run(&run->sandbox, pack, err) != 0) {
        return -1;
    }
    enter(run, RUN_SETTING_UP, SETUP_MAX_US);
    run_tell_created(run);
    return 0;
}

struct run *run_create(struct common *common, const struct keeper_create *create, int pack)
{
    struct cella_error err = {.kind = CELLA_ERROR_NONE};
    struct sandbox_host *host = &common->host;
    const struct ceiling *ceiling = &common->ceiling;
    enum step step = STEP_CEILING;
    struct run *run = new_run(common, &create->plan, &err);
    if (run == NULL) {
        run_tell_refused(common, create->header.run, step, &err);
        return NULL;
    }
    run->id = create->header.run;
    const enum keeper_turn turn = (enum keeper_turn)create->turn;
    host->standing_back = express_stands_back(&common->express, turn);
    if (host->fault == STEP_CEILING) {
        error_set(&err, CELLA_ERROR_HOST, EIO, "injected fault");
    } else if (ceiling_check(ceiling, &create->plan, &err) == 0 &&
               sandbox_start(host, ceiling_mark(ceiling, &create->plan), false, &run->sandbox,
                             &step, &err) == 0) {
        step = STEP_CLONE;
        if (watch_all(run, &err) == 0 && begin(run, pack, turn, &err) == 0) {
            return run;
        }
        sandbox_tell_failure(&run->sandbox, &step, &err);
    }
    run_destroy(run);
    run_tell_refused(common, create->header.run, step, &err);
    return NULL;
}

struct run *run_make(struct common *common, const struct run_maker *maker,
                     const struct run_order *order, struct cella_error *err)
{
    enum step step = STEP_COUNT;
    struct run *run = new_run(common, order->plan, err);
    if (run == NULL) {
        return NULL;
    }
    run->id = order->number;
    run->maker = maker;
    run->warm = order->warm;
    run->one_shot = order->one_shot;
    common->host.standing_back = express_stands_back(&common->express, order->turn);
    int made = 0;
    shares_look(order->plan, run->shares);
    if (order->nest == NULL) {
        made = sandbox_start(&common->host, ceiling_mark(&common->ceiling, order->plan), true,
                             &run->sandbox, &step, err);
    } else {
        run->memory_held = order->nest->zygote.held_bytes;
        made = nest_build(order->nest, run->id, &run->sandbox, &run->program, &step, err);
    }
    if (made != 0 || watch_all(run, err) != 0) {
        run_destroy(run);
        return NULL;
    }
    express_make(&common->express, run, order->turn);
    enter(run, RUN_MAKING, MAKING_MAX_US);
    return run;
}

int run_assign(struct run *run, uint64_t id, int pack, enum keeper_turn turn)
{
    struct cella_error err;
    run->id = id;
    run->maker = NULL;
    if (begin(run, pack, turn, &err) != 0) {
        run_destroy(run);
        return -1;
    }
    return 0;
}

/* ---- what is watched ---- */

static int watch(struct run *run, enum watch_source source, int fd, uint32_t events)
{
    run->watches[source] = (struct watch){source, run, NULL};
    return watch_begin(run->common->epoll, &run->watches[source], fd, events);
}

static void unwatch(const struct run *run, int fd)
{
    watch_end(run->common->epoll, fd);
}

static void unwatch_all(const struct run *run)
{
    unwatch(run, run->sandbox.control);
    unwatch(run, run->sandbox.pidfd);
    unwatch(run, run->sandbox.program);
    unwatch(run, run->timer);
    unwatch(run, run->fork_events);
}

/* What there is already: a nest's first process gives the pidfd later. */
static int watch_all(struct run *run, struct cella_error *err)
{
    run->timer = clock_open_timer();
    if (run->sandbox.cgroup.host != NULL) {
        run->fork_events = cgroup_open_fork_events(&run->sandbox.cgroup);
    }
    if (run->timer < 0 || watch(run, WATCH_CONTROL, run->sandbox.control, EPOLLIN) != 0 ||
        (run->sandbox.pidfd >= 0 &&
         watch(run, WATCH_INIT_DEAD, run->sandbox.pidfd, EPOLLIN) != 0) ||
        watch(run, WATCH_TIMER, run->timer, EPOLLIN) != 0 ||
        (run->fork_events >= 0 && watch(run, WATCH_FORK_EVENTS, run->fork_events, EPOLLPRI) != 0)) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch the sandbox");
    }
    return 0;
}

/* Its init and the nest's first process speak for themselves, in either order. */
static void hide_if_complete(struct run *run)
{
    if (run->hidden && run->sandbox.pidfd >= 0 && !run->dead) {
        run->maker->hidden(run->maker->context, run);
    }
}

int run_built(struct run *run, int pidfd, struct cella_error *err)
{
    if (pidfd < 0) {
        return -1; /* *err says why */
    }
    if (watch(run, WATCH_INIT_DEAD, pidfd, EPOLLIN) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch the sandbox");
    }
    run->sandbox.pidfd = pidfd;
    hide_if_complete(run);
    return 0;
}

/* The zygote and its child speak for themselves, in either order. */
static void park_if_complete(struct run *run)
{
    const bool has_program = run->sandbox.program >= 0 || run->one_shot;
    if (run->program_parked && has_program && !run->abandoned && !run->dead) {
        run->maker->parked(run->maker->context, run);
    }
}

int run_forked(struct run *run, int pidfd, struct cella_error *err)
{
    /* Ours to wait for, or not what was asked for. */
    if (run->sandbox.program >= 0 || sys_is_child(pidfd) == 0 ||
        /* Told when it dies, and when a dead one loses its tracer. */
        watch(run, WATCH_PROGRAM_DEAD, pidfd, EPOLLIN | EPOLLET) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot watch a zygote's child");
    }
    run->sandbox.program = pidfd;
    park_if_complete(run);
    return 0;
}

/* The next moment at which something must be looked at. */
static void set_timer(struct run *run)
{
    uint64_t at = run->deadline_us;
    if (run->state == RUN_RUNNING && run->sandbox.cgroup.host != NULL) {
        const uint64_t check = run_next_check_us(run);
        at = check < at ? check : at;
    }
    clock_set_timer(run->timer, at);
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
            cgroup_free_cpu(&run->sandbox.cgroup, &run->limits);
        }
        enter(run, RUN_FINISHING,
              FINISH_MAX_US + run->limits.value[LIMIT_COLLECT_BYTES] / COLLECT_BYTES_PER_US);
    }
}

void run_stop(struct run *run)
{
    const struct init_order order = {.type = INIT_ORDER_STOP};
    run->stopped = true;
    if (run->state <= RUN_SETTING_UP ||
        send(run->sandbox.control, &order, sizeof(order), MSG_NOSIGNAL) < 0) {
        /* Before the program's start init does not listen, and there is nothing to collect. */
        run_kill(run);
    }
    enter_finishing(run);
}

void run_kill(const struct run *run)
{
    if (run->sandbox.pidfd >= 0) {
        IGNORE(sys_pidfd_send_signal(run->sandbox.pidfd, SIGKILL)); /* it may be dead */
    }
}

void run_abandon(struct run *run)
{
    run->abandoned = run->sandbox.pidfd >= 0;
    run_kill(run);
}

/* ---- what init and the kernel say ---- */

/* A limit is reached: say so and stop. */
static void stop_for(struct run *run, enum keeper_cause cause)
{
    run_stop(run);
    run_tell_notice(run, cause);
}

enum run_progress run_event(struct run *run, enum watch_source source)
{
    switch (source) {
    case WATCH_CONTROL:
        if (handle_report(run) == REPORT_NO_MORE && run->sandbox.pidfd < 0) {
            finish(run); /* a first process that was never seen */
            return RUN_IS_OVER;
        }
        break; /* what is left comes again */
    case WATCH_INIT_DEAD:
        finish(run);
        return RUN_IS_OVER;
    case WATCH_PROGRAM_DEAD:
        handle_program_dead(run);
        break;
    case WATCH_TIMER:
        handle_timer(run);
        break;
    case WATCH_FORK_EVENTS:
        handle_refused_forks(run);
        break;
    default:
        assert(false); /* a pool's */
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

/* The clock runs from the program's first instruction, which came after STARTING. */
static void handle_started(struct run *run, const struct init_report *report)
{
    const uint64_t now = clock_monotonic_us();
    if (run->state == RUN_RUNNING && report->wall_us <= now - run->started_us) {
        run->started_us = now - report->wall_us;
        run->deadline_us = run->started_us + run->limits.value[LIMIT_WALL];
        set_timer(run);
    }
    run_tell_started(run);
}

/* What it was before it was let go is our work; the protections that it and init both have hold. */
static void handle_parked(struct run *run, const struct init_report *report)
{
    run->protections &= report->protections | ~ZYGOTE_PROTECTIONS;
    run_note_parked(run, report);
    run->program_parked = true;
    park_if_complete(run);
}

/* A zygote's child has ended.  Init is told, because the rest is its to do. */
static void handle_program_dead(struct run *run)
{
    struct init_order order = {.type = INIT_ORDER_EXITED};
    const int waited = sandbox_wait_program(&run->sandbox, &order.status, &run->program_usage,
                                            &run->program_written);
    if (waited > 0) {
        /* What is left of the run is to end anyway, its tracer too. */
        const struct init_order stop = {.type = INIT_ORDER_STOP};
        IGNORE(sys_send(run->sandbox.control, &stop, sizeof(stop), NULL, 0) != 0);
        return;
    }
    unwatch(run, run->sandbox.program);
    /* In any case, or its sandbox would not end either. */
    if (waited < 0 || run->state < RUN_SETTING_UP) {
        run_kill(run); /* it was to wait, or is no child of ours */
        return;
    }
    fd_close(&run->sandbox.program);
    run->program_ended = true;
    order.resident_max_bytes = (uint64_t)run->program_usage.ru_maxrss * 1024;
    order.minor_faults = (uint64_t)(run->program_usage.ru_minflt - run->program_before.ru_minflt);
    /* One that is dead needs not be told. */
    IGNORE(sys_send(run->sandbox.control, &order, sizeof(order), NULL, 0) != 0);
}

static enum report handle_report(struct run *run)
{
    struct init_report report;
    bool closed = false;
    if (!sandbox_next_report(&run->sandbox, &report, &closed)) {
        if (closed) {
            /* Init is dead or dying, and its pidfd will say so. */
            run_kill(run);
            unwatch(run, run->sandbox.control);
        }
        return closed ? REPORT_NO_MORE : REPORT_NONE;
    }
    switch ((enum init_report_type)report.type) {
    case INIT_CONFINED:
        run->protections = report.protections;
        break;
    case INIT_HIDDEN:
        if (run->state == RUN_MAKING) {
            run->hidden = true;
            hide_if_complete(run);
        }
        break;
    case INIT_PARKED:
        if (run->state == RUN_MAKING) {
            handle_parked(run, &report);
        }
        break;
    case INIT_STARTING:
        handle_starting(run);
        break;
    case INIT_STARTED:
        handle_started(run, &report);
        break;
    case INIT_LIMIT:
        run->causes |= report.causes;
        stop_for(run, (enum keeper_cause)(report.causes & -report.causes));
        break;
    case INIT_EXITED:
        run->report = report;
        enter_finishing(run);
        break;
    case INIT_DONE:
        run->report = report;
        handle_done(run);
        break;
    case INIT_FAILED:
        run->report = report;
        run->failed = true;
        break;
    }
    return REPORT_TAKEN;
}

static void handle_stuck(const struct run *run)
{
    if (run->maker != NULL) {
        run->maker->stuck(run->maker->context);
    }
    run_kill(run);
}

static void handle_timer(struct run *run)
{
    const bool has_cgroup = run->sandbox.cgroup.host != NULL;
    clock_clear_timer(run->timer);
    if (run->state != RUN_RUNNING) {
        if (clock_monotonic_us() >= run->deadline_us && run->state != RUN_PARKED) {
            handle_stuck(run);
        }
    } else if (clock_monotonic_us() >= run->deadline_us && !run->announced && !run->extended) {
        /* Init, in its program's small share of a processor, has not yet said when that began. */
        run->extended = true;
        run->deadline_us += run->limits.value[LIMIT_WALL];
        set_timer(run);
    } else if (clock_monotonic_us() >= run->deadline_us) {
        stop_for(run, KEEPER_CAUSE_WALL);
    } else if (has_cgroup && run_cpu_used_us(run) > run->limits.value[LIMIT_CPU]) {
        stop_for(run, KEEPER_CAUSE_CPU);
    } else if (has_cgroup && run->fork_events < 0 && run_forks_exhausted(run)) {
        stop_for(run, KEEPER_CAUSE_PROCESSES);
    } else {
        set_timer(run);
    }
}

static void handle_refused_forks(struct run *run)
{
    char text[128];
    IGNORE(pread(run->fork_events, text, sizeof(text), 0) < 0); /* this takes the event back */
    if (run->state == RUN_RUNNING && run_forks_exhausted(run)) {
        stop_for(run, KEEPER_CAUSE_PROCESSES);
    }
}

/* ---- the end ---- */

/* One that nobody has asked for yet. */
static void lose(struct run *run)
{
    struct cella_error error = run->report.error;
    if (!run->failed) {
        error_set(&error, CELLA_ERROR_HOST, 0, "a sandbox died while it waited");
    }
    run->maker->lost(run->maker->context, run, run->abandoned ? NULL : &error);
    run_destroy(run);
}

/* Init has said all that it will: the engine needs not wait until it is gone.  Unless too many are
 * there: what is begun faster than it is taken apart would pile up. */
static void handle_done(struct run *run)
{
    struct cgroup_usage group;
    const struct rusage unused = {0};
    run->done = true;
    if (run->common->ending < ENDING_MAX) { /* else finish() will tell */
        run->common->ending++;
        run->ending = true;
        sandbox_measure(&run->sandbox, &group);
        run_tell_end(run, &group, &unused);
    }
    run_kill(run);
}

/* Init is dead, and with it everything in its PID namespace. */
static void finish(struct run *run)
{
    struct cgroup_usage group;
    struct rusage rusage;

    run->dead = true;
    /* What it said last may still be unread. */
    while (handle_report(run) == REPORT_TAKEN) {
    }
    if (run->state < RUN_SETTING_UP) {
        lose(run);
        return;
    }
    unwatch_all(run);
    sandbox_end(&run->sandbox, run->concluded ? NULL : &group, &rusage);
    if (!run->concluded) {
        run_tell_end(run, &group, &rusage);
    }
    run_destroy(run);
}

void run_destroy(struct run *run)
{
    run->common->ending -= run->ending;
    unwatch_all(run);
    sandbox_discard(&run->sandbox); /* nothing, when it has been ended */
    if (run->timer >= 0) {
        (void)close(run->timer); /* a timer */
    }
    if (run->fork_events >= 0) {
        (void)close(run->fork_events); /* opened for reading */
    }
    nest_program_done(&run->program);
    free(run);
}
