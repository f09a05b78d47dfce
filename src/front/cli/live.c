/*
 * One run, live (see live.h).  How it works: one poll() over whoever runs the program, the signals,
 * our standard input while the program may take more of it, and each of our outputs while something
 * waits to go there.  What the program writes is queued and written when there is room.
 */
#include "front/cli/live.h"

#include "front/cli/report.h"
#include "front/cli/streams.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCH_RUNNER, WATCH_SIGNALS, WATCH_STDIN, WATCH_STDOUT, WATCH_STDERR, WATCH_COUNT };

struct live {
    const struct live_runner *runner;
    bool pass_output;
    struct outlet outlets[2]; /* by enum cella_stream */
    bool on_terminal[2];      /* they go to the terminal that standard error is */
    bool line_is_open;        /* there, by what was written last */
    struct inlet inlet;
    bool done;
    bool reader_gone;
    struct cella_error failure; /* an output that could not be written */
    bool cancelled;             /* by a signal */
    bool insisted; /* by another, or by one that came when only output was left to write */
};

int interrupts_open(struct interrupts *interrupts, struct cella_error *err)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t blocked;
    (void)sigemptyset(&interrupts->watched);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        /* One that is ignored stays ignored: nohup, and the background jobs of a script. */
        struct sigaction action;
        if (sigaction(wanted[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(&interrupts->watched, wanted[i]);
        }
    }
    blocked = interrupts->watched;
    /* A closed output is an error of write(), and a background job reading its terminal gets EIO
     * instead of being stopped with a run in its hands. */
    (void)sigaddset(&blocked, SIGPIPE);
    (void)sigaddset(&blocked, SIGTTIN);
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0) {
        return cli_fail_errno(err, CELLA_ERROR_BUG, "cannot block signals");
    }
    interrupts->fd = signalfd(-1, &interrupts->watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (interrupts->fd < 0) {
        return cli_fail_errno(err, CELLA_ERROR_HOST, "cannot watch signals");
    }
    return 0;
}

void interrupts_close(struct interrupts *interrupts)
{
    if (interrupts->fd >= 0) {
        (void)close(interrupts->fd);
        interrupts->fd = -1;
        (void)sigprocmask(SIG_UNBLOCK, &interrupts->watched, NULL);
    }
}

void live_output(struct live *live, enum cella_stream stream, const void *data, size_t size)
{
    if (live->pass_output) {
        outlet_add(&live->outlets[stream], data, size);
    }
}

void live_done(struct live *live)
{
    live->done = true;
}

static void cancel(struct live *live)
{
    if (live->runner->cancel(live->runner->context) < 0) {
        live->insisted = true; /* there will be no result to wait for */
    }
}

static void take_interrupts(struct live *live, int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        live->insisted = live->cancelled || live->done;
        if (!live->insisted) {
            live->cancelled = true;
            cancel(live);
        }
    }
}

static bool output_is_pending(const struct live *live)
{
    return outlet_is_pending(&live->outlets[CELLA_STDOUT]) ||
           outlet_is_pending(&live->outlets[CELLA_STDERR]);
}

/* Without its output the program works for nobody: a reader that has gone knows that, a device that
 * takes no more is an error. */
static void end_for(struct live *live, enum cella_stream stream)
{
    int error = live->outlets[stream].error;
    if (error != 0 && live->failure.kind == CELLA_ERROR_NONE) {
        errno = error;
        (void)cli_fail_errno(&live->failure, CELLA_ERROR_HOST,
                             "cannot pass on the program's standard %s",
                             stream == CELLA_STDOUT ? "output" : "error");
        cancel(live);
    } else if (error == 0 && stream == CELLA_STDOUT && !live->reader_gone) {
        live->reader_gone = true;
        cancel(live);
    }
}

static void write_output(struct live *live, enum cella_stream stream)
{
    struct outlet *outlet = &live->outlets[stream];
    if (outlet_write(outlet) && live->on_terminal[stream]) {
        live->line_is_open = outlet->last != '\n';
    }
    if (outlet->broken) {
        end_for(live, stream);
    }
}

/* One turn of the loop: waits, then does what can be done. */
static int turn(struct live *live, const struct interrupts *interrupts, struct cella_error *err)
{
    const struct live_runner *runner = live->runner;
    int ms = -1;
    struct pollfd watched[WATCH_COUNT] = {
        [WATCH_RUNNER] = {-1, 0, 0},       [WATCH_SIGNALS] = {interrupts->fd, POLLIN, 0},
        [WATCH_STDIN] = {-1, POLLIN, 0},   [WATCH_STDOUT] = {-1, POLLOUT, 0},
        [WATCH_STDERR] = {-1, POLLOUT, 0},
    };
    if (!live->done) {
        struct pollfd *watch = &watched[WATCH_RUNNER];
        watch->fd = runner->watch(runner->context, &watch->events, &ms);
        watched[WATCH_STDIN].fd = inlet_wants_input(&live->inlet) ? live->inlet.fd : -1;
    }
    for (int stream = CELLA_STDOUT; stream <= CELLA_STDERR; stream++) {
        if (outlet_is_pending(&live->outlets[stream])) {
            watched[WATCH_STDOUT + stream].fd = live->outlets[stream].fd;
        }
    }
    int count = poll(watched, WATCH_COUNT, ms);
    if (count < 0) {
        return errno == EINTR ? 0 : cli_fail_errno(err, CELLA_ERROR_BUG, "poll failed");
    }
    if (watched[WATCH_SIGNALS].revents != 0) {
        take_interrupts(live, interrupts->fd);
    }
    if (watched[WATCH_STDOUT].revents != 0) {
        write_output(live, CELLA_STDOUT);
    }
    if (watched[WATCH_STDERR].revents != 0) {
        write_output(live, CELLA_STDERR);
    }
    if (watched[WATCH_STDIN].revents != 0) {
        inlet_read(&live->inlet);
    }
    if ((watched[WATCH_RUNNER].revents != 0 || count == 0) &&
        runner->work(runner->context, err) < 0) {
        return -1;
    }
    if (!live->done && !live->inlet.ended) {
        runner->feed(runner->context, &live->inlet);
    }
    return 0;
}

/* What poll() would not tell. */
static void try_inlet(struct live *live)
{
    if (!live->done && inlet_must_try(&live->inlet)) {
        inlet_read(&live->inlet);
        if (!live->inlet.ended) {
            live->runner->feed(live->runner->context, &live->inlet);
        }
    }
}

/* Until the run is done and its output written, or somebody insists on an end. */
static int loop(struct live *live, const struct interrupts *interrupts, struct cella_error *err)
{
    while ((!live->done || output_is_pending(live)) && !live->insisted) {
        try_inlet(live);
        if (turn(live, interrupts, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_same_terminal(int one, int other)
{
    struct stat status, others;
    return isatty(one) && isatty(other) && fstat(one, &status) == 0 && fstat(other, &others) == 0 &&
           status.st_rdev == others.st_rdev;
}

int live_loop(const struct live_runner *runner, const struct interrupts *interrupts,
              const struct live_options *options, struct live_outcome *ret_outcome,
              struct cella_error *err)
{
    struct live live = {.runner = runner, .pass_output = options->pass_output};
    outlet_init(&live.outlets[CELLA_STDOUT], STDOUT_FILENO);
    outlet_init(&live.outlets[CELLA_STDERR], STDERR_FILENO);
    live.on_terminal[CELLA_STDERR] = isatty(STDERR_FILENO);
    live.on_terminal[CELLA_STDOUT] = is_same_terminal(STDOUT_FILENO, STDERR_FILENO);
    inlet_init(&live.inlet, options->stdin_fd);
    int result = runner->begin(runner->context, &live, err);
    if (result == 0) {
        result = loop(&live, interrupts, err);
    }
    inlet_done(&live.inlet);
    outlet_done(&live.outlets[CELLA_STDERR]);
    outlet_done(&live.outlets[CELLA_STDOUT]);
    *ret_outcome = (struct live_outcome){
        .insisted = live.insisted,
        .line_is_open = live.line_is_open,
        .reader_gone = live.reader_gone,
        .failure = live.failure,
    };
    return result;
}

/* ---- in an engine of ours ---- */

struct own {
    struct cella_engine *engine;
    const struct cella_request *request;
    const struct live_options *options;
    struct cella_run *run;
};

static void on_output(void *context, struct cella_run *run, enum cella_stream stream,
                      const void *data, size_t size)
{
    (void)run;
    live_output(context, stream, data, size);
}

static void on_done(void *context, struct cella_run *run)
{
    (void)run;
    live_done(context);
}

static int own_begin(void *context, struct live *live, struct cella_error *err)
{
    struct own *own = context;
    struct cella_callbacks callbacks = {
        .size = sizeof(callbacks),
        .context = live,
        .output = own->options->pass_output ? on_output : NULL,
        .done = on_done,
    };
    unsigned flags = own->options->stdin_fd >= 0 ? CELLA_RUN_STDIN_OPEN : 0;
    return cella_run_start(own->engine, own->request, flags, &callbacks, &own->run, err);
}

static int own_watch(void *context, short *ret_events, int *ret_ms)
{
    const struct own *own = context;
    *ret_events = POLLIN;
    *ret_ms = -1;
    return cella_engine_fd(own->engine);
}

static int own_work(void *context, struct cella_error *err)
{
    const struct own *own = context;
    return cella_engine_process(own->engine, err);
}

static void own_feed(void *context, struct inlet *inlet)
{
    const struct own *own = context;
    inlet_feed(inlet, own->run);
}

static int own_cancel(void *context)
{
    const struct own *own = context;
    cella_run_cancel(own->run);
    return 0;
}

int live_run(struct cella_engine *engine, const struct cella_request *request,
             const struct interrupts *interrupts, const struct live_options *options,
             struct live_outcome *ret_outcome, struct cella_error *err)
{
    struct own own = {.engine = engine, .request = request, .options = options};
    const struct live_runner runner = {
        .context = &own,
        .begin = own_begin,
        .watch = own_watch,
        .work = own_work,
        .feed = own_feed,
        .cancel = own_cancel,
    };
    if (live_loop(&runner, interrupts, options, ret_outcome, err) < 0) {
        cella_run_free(own.run);
        return -1;
    }
    ret_outcome->run = own.run;
    return 0;
}
