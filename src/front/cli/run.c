/*
 * `cella run` and `cella explain`: from the command line to the exit code.
 */
#include "front/cli/early.h"
#include "front/cli/files.h"
#include "front/cli/live.h"
#include "front/cli/options.h"
#include "front/cli/remote.h"
#include "front/cli/report.h"
#include "front/cli/request.h"
#include "front/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXIT_INTERRUPTED 130
#define EXIT_FAILED      125
#define NOTES_MAX        128
/* Input given to a server with the request, and not as it is read. */
#define STDIN_SENT_MAX ((off_t)32 << 20)

/* What a run holds, so that it can all be let go in one place. */
struct session {
    struct interrupts interrupts;
    struct remote_server server;
    struct cella_engine *engine;
    struct cella_request *request;
    struct cella_run *run;
    struct cella_result *received;
    int stdin_fd; /* of --stdin; -1: not given */
};

static int run_request(const struct invocation *invocation, struct session *session,
                       struct live_outcome *ret_outcome, struct cella_error *err);
static int say_result(const struct invocation *invocation, const struct live_outcome *outcome);
static int say_refused(const struct invocation *invocation, const struct cella_error *err);
static int open_stdin(const struct invocation *invocation, struct session *session,
                      struct cella_error *err);
static void find_server(const struct invocation *invocation, struct session *session);

static void session_done(struct session *session)
{
    cella_run_free(session->run);
    cella_result_destroy(session->received);
    cella_request_destroy(session->request);
    cella_engine_close(session->engine); /* and reap the keeper: PID 1 of a container may not */
    remote_done(&session->server);
    interrupts_close(&session->interrupts);
    if (session->stdin_fd >= 0) {
        (void)close(session->stdin_fd);
    }
}
#define AUTO_SESSION __attribute__((cleanup(session_done)))
#define SESSION_NONE                                                                               \
    {                                                                                              \
        .interrupts = {.fd = -1}, .server = {.fd = -1}, .stdin_fd = -1                             \
    }

static int open_engine(const struct invocation *invocation, struct session *session,
                       bool without_keeper, struct cella_error *err)
{
    /* One run shares nothing with others, so the host need not be asked what it has to share. */
    struct cella_options options = {.size = sizeof(options),
                                    .budget_memory_bytes = UINT64_MAX,
                                    .budget_millicpus = UINT64_MAX,
                                    .pool_memory_bytes = CELLA_NO_POOLS,
                                    .without_keeper = without_keeper};
    if (invocation_has(invocation, OPTION_NO_COMPILE_CACHE)) {
        options.compile_cache_bytes = CELLA_NO_COMPILE_CACHE;
    }
    if (!without_keeper) {
        early_take(&options);
    }
    return cella_engine_open(&options, &session->engine, err);
}

/* The engine is opened before files are read: its keeper gets ready meanwhile.  A signal here may
 * still end us, also in the middle of reading code from a terminal: nothing runs yet. */
static int session_open(const struct invocation *invocation, struct session *session,
                        struct cella_error *err)
{
    if (open_engine(invocation, session, session->server.fd >= 0, err) < 0) {
        return -1;
    }
    return cli_request_make(invocation, session->engine, &session->request, err);
}

int command_run(const struct invocation *invocation)
{
    if (invocation_has(invocation, OPTION_EXPLAIN)) {
        return command_explain(invocation);
    }
    AUTO_SESSION struct session session = SESSION_NONE;
    struct live_outcome outcome = {.run = NULL};
    struct cella_error err;
    if (open_stdin(invocation, &session, &err) < 0) {
        return say_refused(invocation, &err);
    }
    find_server(invocation, &session);
    if (session_open(invocation, &session, &err) < 0 ||
        run_request(invocation, &session, &outcome, &err) < 0) {
        return say_refused(invocation, &err);
    }
    session.run = outcome.run;
    session.received = outcome.received;
    if (outcome.insisted) {
        return EXIT_INTERRUPTED;
    }
    interrupts_close(&session.interrupts);
    return say_result(invocation, &outcome);
}

int command_explain(const struct invocation *invocation)
{
    AUTO_SESSION struct session session = SESSION_NONE;
    struct cella_error err;
    char *text = NULL;
    if (session_open(invocation, &session, &err) < 0 ||
        cella_explain(session.engine, session.request, &text, &err) < 0) {
        return report_error(&err);
    }
    (void)fputs(text, stdout);
    free(text);
    return 0;
}

/* ---- by a server, or here ---- */

static int open_stdin(const struct invocation *invocation, struct session *session,
                      struct cella_error *err)
{
    const char *path = invocation_value(invocation, OPTION_STDIN);
    session->stdin_fd = path != NULL ? file_open(path, err) : -1;
    return path != NULL && session->stdin_fd < 0 ? -1 : 0;
}

/* The descriptor that the program reads from, or -1. */
static int input_of(const struct invocation *invocation, const struct session *session)
{
    if (session->stdin_fd >= 0) {
        return session->stdin_fd;
    }
    return cli_passes_stdin(invocation) ? STDIN_FILENO : -1;
}

/* Whether all of the input can be sent along: nobody is still to type or write it. */
static bool is_at_hand(int fd)
{
    struct stat status;
    if (fd < 0) {
        return true;
    }
    if (fstat(fd, &status) < 0) {
        return false;
    }
    if (S_ISREG(status.st_mode)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        return at >= 0 && status.st_size - at <= STDIN_SENT_MAX;
    }
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3); /* /dev/null */
}

static void find_server(const struct invocation *invocation, struct session *session)
{
    char path[PATH_MAX];
    const char *named = getenv("CELLA_SOCKET");
    /* What a request brings for its input stands before what --stdin adds, and only the library
     * knows it. */
    bool has_both = session->stdin_fd >= 0 && invocation_has(invocation, OPTION_REQUEST);
    if (invocation_has(invocation, OPTION_NO_SERVER) ||
        invocation_has(invocation, OPTION_NO_COMPILE_CACHE) || has_both ||
        !is_at_hand(input_of(invocation, session))) {
        return;
    }
    if (named != NULL && named[0] != '\0') {
        remote_connect(named, &session->server);
    } else if (place_of_socket(path)) {
        remote_connect(path, &session->server);
    }
}

/* Puts what is to be read into the request; *fd is -1 then. */
static int send_along(struct session *session, int *fd, struct cella_error *err)
{
    struct file_bytes input = {.data = NULL};
    if (*fd < 0) {
        return 0;
    }
    if (file_read_all(*fd, "standard input", STDIN_SENT_MAX, &input, err) < 0) {
        return -1;
    }
    int result = input.size == 0 ? 0
                                 : cella_request_set_bytes(session->request, "stdin", input.data,
                                                           input.size, err);
    file_bytes_done(&input);
    *fd = -1;
    return result;
}

/* Without the server after all: by an engine that can run something. */
static int go_on_alone(const struct invocation *invocation, struct session *session,
                       struct cella_error *err)
{
    remote_done(&session->server);
    cella_engine_close(session->engine);
    session->engine = NULL;
    return open_engine(invocation, session, false, err);
}

static int run_request(const struct invocation *invocation, struct session *session,
                       struct live_outcome *ret_outcome, struct cella_error *err)
{
    const char *directory = invocation_value(invocation, OPTION_OUTPUT_DIR);
    struct live_options options = {
        .stdin_fd = input_of(invocation, session),
        .pass_output = !invocation_has(invocation, OPTION_JSON),
    };
    if ((directory != NULL && file_check_directory(directory, err) < 0) ||
        interrupts_open(&session->interrupts, err) < 0) {
        return -1;
    }
    if (session->server.fd >= 0) {
        if (send_along(session, &options.stdin_fd, err) < 0) {
            return -1;
        }
        enum remote_end end = remote_run(&session->server, session->request, &session->interrupts,
                                         &options, ret_outcome, err);
        if (end != REMOTE_UNUSED) {
            return end == REMOTE_DONE ? 0 : -1;
        }
        if (go_on_alone(invocation, session, err) < 0) {
            return -1;
        }
    }
    return live_run(session->engine, session->request, &session->interrupts, &options, ret_outcome,
                    err);
}

/* ---- what is said ---- */

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
    const struct cella_result *result =
        outcome->run != NULL ? cella_run_result(outcome->run) : outcome->received;
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
