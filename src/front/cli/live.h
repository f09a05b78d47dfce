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

struct live_options {
    int stdin_fd;     /* -1: none; the program's input is what the request says */
    bool pass_output; /* to our standard output and standard error */
};

struct live_outcome {
    struct cella_run *run; /* the caller's to free */
    bool insisted;         /* a second signal: close the engine now */
    bool line_is_open;     /* what came last on standard error's terminal has no newline */
    bool reader_gone;      /* nobody reads our standard output: say nothing more */
    struct cella_error
        failure; /* an output that could not be written; kind CELLA_ERROR_NONE: none */
};

/* Runs until nothing of the run is left and its output is passed on. */
int live_run(struct cella_engine *engine, const struct cella_request *request,
             const struct interrupts *interrupts, const struct live_options *options,
             struct live_outcome *ret_outcome, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
