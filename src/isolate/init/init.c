/*
 * See init.h.  Init obeys its descriptors: an order on the control socket, or its end, stops the
 * run.  Signals tell it nothing but "look for dead children", so a forged one changes nothing.
 */
#include "isolate/init/init.h"

#include "base/error.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often a sandbox without control group is looked at: memory can grow by some tens of MiB
 * meanwhile. */
#define SAMPLE_PERIOD_MS 10

static int hide(struct init *init, struct cella_error *err);
static void touch(struct init *init);
static void await_order(struct init *init);
static void start(struct init *init);
static void await_parked(struct init *init);
static void watch(struct init *init, int signals);
static void stop(struct init *init);
static void limit(struct init *init, uint32_t cause);
static void reap(struct init *init);
static void finish(struct init *init);
static NORETURN void fail(struct init *init, enum step step);

static void send_report(struct init *init, enum init_report_type type)
{
    init->report.type = type;
    /* Without a keeper there is nobody to tell, and the end of its socket ends us. */
    IGNORE(send(INIT_FD_CONTROL, &init->report, sizeof(init->report), MSG_NOSIGNAL) < 0);
}

int main(void)
{
    static struct init init; /* too large for comfort on a stack */
    struct cella_error *err = &init.report.error;
    sigset_t mask;

    init.main_pid = -1;
    init.main_fd = -1;
    init.io_file = -1;
    init.park = INIT_FD_PARK;
    init.one_shot[0] = init.one_shot[1] = -1;
    init.report.memory_peak_bytes = UINT64_MAX;
    init.report.processes_peak = UINT64_MAX;
    if (recv(INIT_FD_CONTROL, &init.start, sizeof(init.start), 0) != sizeof(init.start) ||
        hide(&init, err) != 0) {
        fail(&init, STEP_HIDE);
    }
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    int signals = -1;
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0 ||
        (signals = init_move_away(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK))) < 0) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot watch for the program's end");
        fail(&init, STEP_EXEC);
    }
    if (init.start.ahead != 0) {
        touch(&init);
        send_report(&init, INIT_HIDDEN);
        await_parked(&init);
    }
    await_order(&init);
    start(&init);
    watch(&init, signals);
    finish(&init);
    /* The keeper ends us.  It has better things to do first, and so has our processor. */
    struct init_order unread;
    while (recv(INIT_FD_CONTROL, &unread, sizeof(unread), 0) > 0) {
    }
    return 0;
}

/* With what the pack says. */
static void start(struct init *init)
{
    struct cella_error *err = &init->report.error;
    if (init->start.fault_step == STEP_FILES) {
        error_set(err, CELLA_ERROR_HOST, EIO, "injected fault");
        fail(init, STEP_FILES);
    }
    if (init_write_files(init, err) != 0) {
        fail(init, STEP_FILES);
    }
    if (init->start.terminal_rows > 0 && init_open_terminal(init, err) != 0) {
        fail(init, STEP_STREAMS);
    }
    init->written_own = init_written_bytes(init);
    init_look_at_shares(init);
    send_report(init, INIT_STARTING);
    enum step step = STEP_EXEC;
    if (init_start_program(init, &step, err) != 0) {
        fail(init, step);
    }
    /* The program's ends of the pipes are the program's alone from here on.  Beside a parked one
     * init has them no more, and what it opened itself has their numbers. */
    if (init->terminal != NULL) {
        (void)close(STDERR_FILENO); /* all is shown on standard output */
    } else if (!init->parked) {
        IGNORE(sys_close_range(0, 2, 0));
    }
    init->report.wall_us = init_clock_us() - init->started_us;
    send_report(init, INIT_STARTED);
}

int init_move_away(int descriptor)
{
    const int moved = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, INIT_FD_COUNT);
    if (descriptor >= 0) {
        (void)close(descriptor); /* its duplicate stays */
    }
    return moved;
}

/* Nothing that comes later may find this process dumpable, and nothing of it may be inherited. */
static int hide(struct init *init, struct cella_error *err)
{
    if (init->start.fault_step == STEP_HIDE) {
        return error_set(err, CELLA_ERROR_HOST, EIO, "injected fault");
    }
    init->io_file =
        init_move_away(open("/proc/self/io", O_RDONLY | O_CLOEXEC)); /* if there is one */
    if ((init->start.waived & protection_bit(PROTECTION_INIT_HIDDEN)) == 0 &&
        sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot hide init");
    }
    if ((init->start.waived & protection_bit(PROTECTION_DESCRIPTORS)) == 0 &&
        sys_close_range(INIT_FD_CONTROL, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set descriptors close-on-exec");
    }
    return 0;
}

/* The pages that most runs' words come to: better now than then. */
static void touch(struct init *init)
{
    volatile struct init *touched = init; /* or nothing would be written */
    touched->program.argv[0] = NULL;
    touched->program.envp[0] = NULL;
    touched->small_pack[0] = 0;
}

/* A program that is a zygote's child comes by itself. */
static void await_parked(struct init *init)
{
    enum step step = STEP_COUNT;
    if (fcntl(INIT_FD_PARK, F_GETFD) < 0) {
        return; /* init will start one */
    }
    if (init_await_parked(init, &step, &init->report.error) != 0) {
        fail(init, step);
    }
    send_report(init, INIT_PARKED);
}

static bool place(int descriptor, int number)
{
    if (descriptor == number) {
        return true;
    }
    const bool placed = dup3(descriptor, number, O_CLOEXEC) >= 0;
    (void)close(descriptor); /* its duplicate stays */
    return placed;
}

static void prepare(struct init *init, int library)
{
    enum step step = STEP_FILES;
    if (library < 0 || init_write_files(init, &init->report.error) != 0 ||
        init_prepare(init, library, &step, &init->report.error) != 0) {
        fail(init, step);
    }
    (void)close(library);             /* the program has loaded it */
    IGNORE(sys_close_range(0, 2, 0)); /* the program's alone */
    send_report(init, INIT_PARKED);
}

/* What is to be run.  Until then there is nothing to stop. */
static void await_order(struct init *init)
{
    struct init_order order = {.type = INIT_ORDER_STOP};
    while (order.type != INIT_ORDER_RUN) {
        int descriptors[2] = {-1, -1}; /* the pack, and with PREPARE the guest library */
        init_await(init, INIT_FD_CONTROL);
        if (sys_receive(INIT_FD_CONTROL, &order, sizeof(order), descriptors, 2) !=
                (ssize_t)sizeof(order) ||
            descriptors[0] < 0 || !place(descriptors[0], INIT_FD_PACK)) {
            _exit(0); /* the keeper is gone, or has no use for us */
        }
        if (order.type == INIT_ORDER_PREPARE) {
            prepare(init, descriptors[1]);
        }
    }
    init->report.refused_call_count = 0; /* none of them was the run's */
}

void init_await(struct init *init, int fd)
{
    struct pollfd watched[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = INIT_FD_LISTENER, .events = POLLIN},
        {.fd = init->parked ? init->park : -1},
    };
    while (watched[0].revents == 0) {
        if (poll(watched, ARRAY_LENGTH(watched), -1) < 0 && errno != EINTR) {
            return; /* then reading waits */
        }
        if (watched[1].revents == POLLIN) {
            init_answer_refused(init);
        } else if (watched[1].revents != 0) {
            watched[1].fd = -1;
        }
        if (watched[2].revents != 0) {
            _exit(0); /* the parked program has died: there will be no run */
        }
    }
}

/* In milliseconds; -1: never.  Not at every event: a program could make us do little else. */
static int time_to_sample(const struct init *init, uint64_t sample_us)
{
    const uint64_t now = init_clock_us();
    if ((init->start.supervise == 0 && init->start.share_count == 0) || init->stopping) {
        return -1;
    }
    return now < sample_us ? (int)((sample_us - now + 999) / 1000) : 0;
}

/* Whether the program had too many processes is to be seen until they are waited for: it may have
 * ended before anybody looked. */
static void look_at_end(struct init *init)
{
    siginfo_t ended = {0};
    if (init->start.supervise != 0 && !init->stopping && init->main_pid > 0 &&
        waitid(P_PID, (id_t)init->main_pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        ended.si_pid == init->main_pid) {
        init->report.causes |= init_sample(init) & (uint32_t)KEEPER_CAUSE_PROCESSES;
    }
}

static void program_ended(struct init *init, int status, const struct rusage *used)
{
    init->main_pid = -1;
    init->report.status = status;
    init->resident_max = (uint64_t)used->ru_maxrss * 1024;
    init->report.causes |= init_stack_overflow(init, status, used);
    init->report.wall_us = init_clock_us() - init->started_us;
    send_report(init, INIT_EXITED);
}

static void handle_order(struct init *init)
{
    struct init_order order;
    const ssize_t got = recv(INIT_FD_CONTROL, &order, sizeof(order), MSG_DONTWAIT);
    if (got == 0 || (got == (ssize_t)sizeof(order) && order.type == INIT_ORDER_STOP)) {
        stop(init);
    } else if (got == (ssize_t)sizeof(order) && order.type == INIT_ORDER_EXITED &&
               init->is_keepers) {
        const struct rusage used = {.ru_maxrss = (long)(order.resident_max_bytes / 1024),
                                    .ru_minflt = (long)order.minor_faults};
        program_ended(init, order.status, &used);
    } else if (got == (ssize_t)sizeof(order) && order.type == INIT_ORDER_SIGNAL) {
        IGNORE(kill(init->main_pid, order.signal) != 0); /* it is there: see watch() */
    } else if (got == (ssize_t)sizeof(order) && order.type == INIT_ORDER_RESIZE &&
               init->terminal != NULL) {
        init_resize_terminal(init->terminal, order.rows, order.columns);
    }
}

static void watch(struct init *init, int signals)
{
    enum { CONTROL, SIGNALS, LISTENER, MAIN, TERMINAL, WATCHED = TERMINAL + INIT_TERMINAL_WATCHED };
    struct pollfd watched[WATCHED] = {
        [CONTROL] = {.fd = INIT_FD_CONTROL, .events = POLLIN},
        [SIGNALS] = {.fd = signals, .events = POLLIN},
        [LISTENER] = {.fd = fcntl(INIT_FD_LISTENER, F_GETFD) >= 0 ? INIT_FD_LISTENER : -1,
                      .events = POLLIN},
        [MAIN] = {.fd = init->main_fd, .events = POLLIN},
    };
    uint64_t sample_us = 0; /* when to look again */

    while (init->main_pid > 0) {
        if (init->terminal != NULL) {
            init_watch_terminal(init->terminal, &watched[TERMINAL]);
        }
        const nfds_t count = init->terminal != NULL ? WATCHED : TERMINAL;
        if (poll(watched, count, time_to_sample(init, sample_us)) < 0 && errno != EINTR) {
            stop(init);
        }
        if (init->terminal != NULL) {
            init_serve_terminal(init->terminal);
        }
        if (watched[SIGNALS].revents != 0) {
            struct signalfd_siginfo unread; /* anyone inside can forge one: only a nudge */
            IGNORE(read(signals, &unread, sizeof(unread)) < 0);
            look_at_end(init);
            reap(init);
        }
        if (watched[MAIN].revents != 0 && init->main_pid > 0) {
            /* Dead, and not to be waited for as long as a process that traces it lives. */
            watched[MAIN].fd = -1;
            look_at_end(init);
            stop(init);
        }
        if (watched[LISTENER].revents & POLLIN) {
            init_answer_refused(init);
        }
        if (watched[LISTENER].revents & (POLLHUP | POLLERR | POLLNVAL)) {
            watched[LISTENER].fd = -1;
        }
        if (watched[CONTROL].revents != 0) {
            handle_order(init);
        }
        if (time_to_sample(init, sample_us) == 0 && init->main_pid > 0) {
            limit(init,
                  init_sample_shares(init) | (init->start.supervise != 0 ? init_sample(init) : 0U));
            sample_us = init_clock_us() + SAMPLE_PERIOD_MS * 1000;
        }
    }
}

/* Everything in the sandbox but us.  A fork in flight fails or its child gets the signal too: the
 * kernel looks for pending signals under the lock that this takes. */
static void stop(struct init *init)
{
    init->stopping = true;
    IGNORE(kill(-1, SIGKILL) != 0); /* ESRCH: nobody is left */
}

/* Supervision saw a limit passed, or with 0 none. */
static void limit(struct init *init, uint32_t cause)
{
    if (cause != 0 && !init->stopping) {
        init->report.causes |= cause;
        send_report(init, INIT_LIMIT);
        stop(init);
    }
}

static void reap(struct init *init)
{
    int status = 0;
    pid_t pid = 0;
    struct rusage used;
    while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
        if (pid == init->main_pid && !init->is_keepers) {
            program_ended(init, status, &used);
        }
    }
}

/* Whoever is in the sandbox is our child, or below one: whom the dead leave is given to us.  That
 * nobody has made itself the child of somebody outside is the filter's doing (CLONE_PARENT). */
static bool is_alone(const struct init *init)
{
    return (init->start.waived & protection_bit(PROTECTION_SECCOMP)) == 0 &&
           waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;
}

/* The program has ended; whatever it left behind ends now. */
static void finish(struct init *init)
{
    if (!is_alone(init)) { /* to find nobody the kernel looks at every process of the host */
        stop(init);
    }
    init->stopping = true;
    /* The listener stays open meanwhile: a process that waits for an answer is killable. */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
    if (init->terminal != NULL) {
        init_drain_terminal(init->terminal);
    }
    init_measure(init);
    init_collect(init);
    send_report(init, INIT_DONE);
}

static NORETURN void fail(struct init *init, enum step step)
{
    init->report.step = (uint32_t)step;
    send_report(init, INIT_FAILED);
    _exit(1);
}

uint64_t init_clock_us(void)
{
    struct timespec now = {0, 0};
    IGNORE(clock_gettime(CLOCK_MONOTONIC, &now) != 0); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
