/*
 * One run with its streams passed on live, and the signals that can end it.
 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include <cella/cella.h>
#include <signal.h>
#include <stdbool.h>

/* The signals that ask us to end, turned into something that poll() can wait for.  Made before the
 * run, so that at no moment they would end us without its verdict. */
struct interrupts {
    int fd;
    sigset_t watched;
};
int interrupts_open(struct interrupts *interrupts, struct cella_error *err)
    __attribute__((warn_unused_result));
/* From here on the signals do again what they did before. */
void interrupts_close(struct interrupts *interrupts);

struct inlet;
struct live;

/* Who runs the program: an engine of ours, or a server. */
struct live_runner {
    void *context;
    /* Starts it.  `live` is to be told what happens. */
    int (*begin)(void *context, struct live *live, struct cella_error *err);
    /* What poll() is to watch, for what, and for how long (-1: for ever), until live_done(). */
    int (*watch)(void *context, short *ret_events, int *ret_ms);
    /* Does what can be done without waiting; also when that time is over. */
    int (*work)(void *context, struct cella_error *err);
    /* Gives the program of what it may read.  NULL: its input stands in the request. */
    void (*feed)(void *context, struct inlet *inlet);
    /* Asks for the end, with a result that says so.  -1 when that cannot be had. */
    int (*cancel)(void *context);
};

/* For runners: output of the program; and that nothing of the run is left. */
void live_output(struct live *live, enum cella_stream stream, const void *data, size_t size);
void live_done(struct live *live);

struct live_options {
    int stdin_fd;     /* -1: none; the program's input is what the request says */
    bool pass_output; /* to our standard output and standard error */
};

struct live_outcome {
    struct cella_run *run;         /* the caller's to free, when an engine of ours ran it */
    struct cella_result *received; /* likewise, from a server */
    bool insisted;                 /* a second signal: end now */
    bool line_is_open;             /* what came last on standard error's terminal has no newline */
    bool reader_gone;              /* nobody reads our standard output: say nothing more */
    struct cella_error
        failure; /* an output that could not be written; kind CELLA_ERROR_NONE: none */
};

/* Until nothing of the run is left and its output is passed on.  *ret_outcome is filled on failure
 * too, without a result. */
int live_loop(const struct live_runner *runner, const struct interrupts *interrupts,
              const struct live_options *options, struct live_outcome *ret_outcome,
              struct cella_error *err) __attribute__((warn_unused_result));

/* The same in an engine of ours. */
int live_run(struct cella_engine *engine, const struct cella_request *request,
             const struct interrupts *interrupts, const struct live_options *options,
             struct live_outcome *ret_outcome, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
