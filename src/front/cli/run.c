/*
 * `cella run` and `cella explain`: from the command line to the exit code.
 */
#include "front/cli/early.h"
#include "front/cli/files.h"
#include "front/cli/live.h"
#include "front/cli/options.h"
#include "front/cli/report.h"
#include "front/cli/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_INTERRUPTED 130
#define EXIT_FAILED      125
#define NOTES_MAX        128

/* What a run holds, so that it can all be let go in one place. */
struct session {
    struct interrupts interrupts;
    struct cella_engine *engine;
    struct cella_request *request;
    struct cella_run *run;
    int stdin_fd; /* of --stdin; -1: not given */
};

static int run_request(const struct invocation *invocation, struct session *session,
                       bool passes_stdin, struct live_outcome *ret_outcome,
                       struct cella_error *err);
static int say_result(const struct invocation *invocation, const struct live_outcome *outcome);
static int say_refused(const struct invocation *invocation, const struct cella_error *err);

static void session_done(struct session *session)
{
    cella_run_free(session->run);
    cella_request_destroy(session->request);
    cella_engine_close(session->engine); /* and reap the keeper: PID 1 of a container may not */
    interrupts_close(&session->interrupts);
    if (session->stdin_fd >= 0) {
        (void)close(session->stdin_fd);
    }
}
#define AUTO_SESSION __attribute__((cleanup(session_done)))

/* The engine is opened before files are read: its keeper gets ready meanwhile.  A signal here may
 * still end us, also in the middle of reading code from a terminal: nothing runs yet. */
static int session_open(const struct invocation *invocation, struct session *session,
                        bool *ret_passes_stdin, struct cella_error *err)
{
    /* One run shares nothing with others, so the host need not be asked what it has to share. */
    struct cella_options options = {
        .size = sizeof(options), .budget_memory_bytes = UINT64_MAX, .budget_millicpus = UINT64_MAX};
    struct cli_request made;
    early_take(&options);
    if (cella_engine_open(&options, &session->engine, err) < 0 ||
        cli_request_make(invocation, session->engine, &made, err) < 0) {
        return -1;
    }
    session->request = made.request;
    *ret_passes_stdin = made.passes_stdin;
    return 0;
}

int command_run(const struct invocation *invocation)
{
    if (invocation_has(invocation, OPTION_EXPLAIN)) {
        return command_explain(invocation);
    }
    AUTO_SESSION struct session session = {.interrupts = {.fd = -1}, .stdin_fd = -1};
    struct live_outcome outcome = {.run = NULL};
    struct cella_error err;
    bool passes_stdin = false;
    if (session_open(invocation, &session, &passes_stdin, &err) < 0 ||
        run_request(invocation, &session, passes_stdin, &outcome, &err) < 0) {
        return say_refused(invocation, &err);
    }
    session.run = outcome.run;
    if (outcome.insisted) {
        return EXIT_INTERRUPTED;
    }
    interrupts_close(&session.interrupts);
    return say_result(invocation, &outcome);
}

int command_explain(const struct invocation *invocation)
{
    AUTO_SESSION struct session session = {.interrupts = {.fd = -1}, .stdin_fd = -1};
    struct cella_error err;
    bool passes_stdin = false;
    char *text = NULL;
    if (session_open(invocation, &session, &passes_stdin, &err) < 0 ||
        cella_explain(session.engine, session.request, &text, &err) < 0) {
        return report_error(&err);
    }
    (void)fputs(text, stdout);
    free(text);
    return 0;
}

static int run_request(const struct invocation *invocation, struct session *session,
                       bool passes_stdin, struct live_outcome *ret_outcome, struct cella_error *err)
{
    const char *stdin_file = invocation_value(invocation, OPTION_STDIN);
    const char *directory = invocation_value(invocation, OPTION_OUTPUT_DIR);
    struct live_options options = {
        .stdin_fd = passes_stdin ? STDIN_FILENO : -1,
        .pass_output = !invocation_has(invocation, OPTION_JSON),
    };
    if (directory != NULL && file_check_directory(directory, err) < 0) {
        return -1;
    }
    if (stdin_file != NULL) {
        session->stdin_fd = file_open(stdin_file, err);
        if (session->stdin_fd < 0) {
            return -1;
        }
        options.stdin_fd = session->stdin_fd;
    }
    if (interrupts_open(&session->interrupts, err) < 0) {
        return -1;
    }
    return live_run(session->engine, session->request, &session->interrupts, &options, ret_outcome,
                    err);
}

static int print_json(const struct cella_result *result, struct cella_error *err)
{
    char *json;
    size_t size;
    if (cella_result_json(result, &json, &size, err) < 0) {
        return -1;
    }
    bool written =
        fwrite(json, 1, size, stdout) == size && putchar('\n') != EOF && fflush(stdout) == 0;
    free(json);
    return written ? 0 : cli_fail_errno(err, CELLA_ERROR_HOST, "cannot write the result");
}

static void say_compiler_output(const struct cella_result *result)
{
    for (int stream = CELLA_STDOUT; stream <= CELLA_STDERR; stream++) {
        size_t size;
        const char *text = cella_result_compiler_output(result, (enum cella_stream)stream, &size);
        if (text != NULL) {
            report_begin();
            (void)fwrite(text, 1, size, stderr);
        }
    }
}

/* Whether the result has files that go nowhere. */
static bool files_are_lost(const struct invocation *invocation, const struct cella_result *result)
{
    struct cella_file file;
    return !invocation_has(invocation, OPTION_JSON) &&
           !invocation_has(invocation, OPTION_OUTPUT_DIR) && cella_result_file(result, 0, &file);
}

static void say_notes(const struct invocation *invocation, const struct cella_result *result)
{
    char note[CELLA_NOTE_MAX];
    struct cella_diagnosis diagnosis;
    if (cella_result_diagnosis(result, &diagnosis) && diagnosis.hint != NULL) {
        report_note(diagnosis.hint);
    }
    for (size_t i = 0; i < NOTES_MAX && cella_result_note(result, i, note); i++) {
        report_note(note);
    }
    if (files_are_lost(invocation, result)) {
        report_note("collected files are in the result alone: use --output-dir or --json");
    }
}

/* When we failed and the program's code does not say already that something is wrong. */
static int or_failed(int code)
{
    return code == 0 ? EXIT_FAILED : code;
}

static int say_result(const struct invocation *invocation, const struct live_outcome *outcome)
{
    const struct cella_result *result = cella_run_result(outcome->run);
    const char *directory = invocation_value(invocation, OPTION_OUTPUT_DIR);
    struct cella_error err;
    int code = cella_result_cli_code(result);
    if (outcome->line_is_open) {
        report_break_line();
    }
    if (invocation_has(invocation, OPTION_JSON)) {
        if (print_json(result, &err) < 0) {
            (void)report_error(&err);
            code = err.sys_errno == EPIPE ? or_failed(code) : EXIT_FAILED;
        }
    } else if (outcome->failure.kind != CELLA_ERROR_NONE) {
        code = report_error(&outcome->failure); /* the run ended for that */
    } else if (!outcome->reader_gone) {
        say_compiler_output(result);
        if (!invocation_has(invocation, OPTION_QUIET)) {
            report_verdict(result);
            say_notes(invocation, result);
        }
    }
    if (directory != NULL &&
        file_write_collected(result, directory, invocation_has(invocation, OPTION_FORCE)) < 0) {
        code = or_failed(code);
    }
    return code;
}

/* Nothing was run.  With --json that is a result too. */
static int say_refused(const struct invocation *invocation, const struct cella_error *err)
{
    struct cella_result *result;
    struct cella_error failure;
    int code = cella_error_exit_code(err->kind);
    if (!invocation_has(invocation, OPTION_JSON)) {
        return report_error(err);
    }
    if (cella_result_refused(err, &result, &failure) < 0) {
        return report_error(err);
    }
    if (print_json(result, &failure) < 0) {
        (void)report_error(&failure);
    }
    cella_result_destroy(result);
    return code;
}
