/*
 * See keepers.h.  Divisions: opening and closing; the trial; what the engine says.
 */
#include "front/serve/keepers.h"

#include "front/serve/contracts/execute_sessions.h"
#include "front/serve/fail.h"
#include "front/serve/log.h"
#include "front/serve/runs/batch.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int start_trial(struct server *server, struct cella_error *err);
static void on_engine(void *context);

/* ---- opening and closing ---- */

int keepers_open(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_engine};
    const struct settings *settings = server->settings;
    int keeper = -1;
    pid_t pid = 0;
    if (spawner_start(&server->spawner, &keeper, &pid, err) < 0) {
        return -1;
    }
    const struct cella_options options = {
        .keeper_socket = keeper,
        .keeper_pid = pid,
        .size = sizeof(options),
        .policies_dir = server->policies_dir,
        .pool_memory_bytes =
            settings->pool_memory_bytes > 0 ? settings->pool_memory_bytes : CELLA_NO_POOLS,
        .compile_cache_bytes = settings->compile_cache_bytes > 0 ? settings->compile_cache_bytes
                                                                 : CELLA_NO_COMPILE_CACHE,
    };
    if (cella_engine_open(&options, &server->engine, err) < 0) {
        return -1;
    }
    int fd =
        fcntl(cella_engine_fd(server->engine), F_DUPFD_CLOEXEC, 3); /* the loop closes its own */
    if (fd >= 0) {
        server->engine_watch = loop_add_descriptor(server->loop, fd, &events, server);
    }
    if (server->engine_watch == NULL) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot watch the engine");
    }
    return start_trial(server, err);
}

void keepers_close(struct server *server)
{
    if (server->engine_watch != NULL) {
        loop_close(server->engine_watch);
        server->engine_watch = NULL;
    }
    cella_run_free(server->trial);
    server->trial = NULL;
    cella_engine_close(server->engine);
    server->engine = NULL;
}

/* ---- the trial ---- */

static void on_trial_done(void *context, struct cella_run *run)
{
    struct server *server = context;
    (void)run;
    server->trial_done = true;
}

/* A program that does nothing: what runs need is there when it ends well. */
static int start_trial(struct server *server, struct cella_error *err)
{
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = server, .done = on_trial_done};
    struct cella_request *request;
    if (cella_request_create(&request, err) < 0) {
        return -1;
    }
    int result = cella_request_add(request, "command", "/bin/true", err);
    server->trial_done = false;
    if (result == 0) {
        result = cella_run_start(server->engine, request, CELLA_RUN_TRIAL, &callbacks,
                                 &server->trial, err);
    }
    cella_request_destroy(request);
    if (result < 0 && err->kind == CELLA_ERROR_POLICY) {
        report_server(server, AUDIT_SERVER_STARTED, cella_version());
        log_line("ready, untried: %s", err->text); /* the operator wants no commands to be run */
        server_set_state(server, SERVER_READY, "takes runs");
        return 0;
    }
    return result;
}

static void take_trial(struct server *server)
{
    const struct cella_result *result = cella_run_result(server->trial);
    struct cella_error error = *cella_result_error(result);
    struct cella_error lost;
    bool good = strcmp(cella_result_status(result), "ok") == 0;
    if (!good && error.kind == CELLA_ERROR_NONE) {
        (void)serve_fail(&error, CELLA_ERROR_HOST, "/bin/true does not run in a sandbox here: %s",
                         cella_result_message(result));
    }
    cella_run_free(server->trial);
    server->trial = NULL;
    if (!good && server->keepers_left > 0 && cella_engine_check(server->engine, &lost) < 0) {
        server->keepers_left--;
        log_line("starts another keeper: %s", lost.text);
        return;
    }
    if (!good) {
        server_fail(server, &error);
        return;
    }
    server->keepers_left = SERVER_KEEPERS_MAX;
    if (server->state == SERVER_STARTING) {
        report_server(server, AUDIT_SERVER_STARTED, cella_version());
        log_line("ready");
        server_set_state(server, SERVER_READY, "takes runs");
    }
}

/* ---- what the engine says ---- */

/* Once nothing of the old one is held any more. */
static void replace(struct server *server)
{
    struct cella_error err;
    if (server->job_count > server->waiting_count || server->is_processing) {
        return; /* server_settle() comes back to it, or on_engine() */
    }
    batch_forget_all(server);
    keepers_close(server);
    while (keepers_open(server, &err) < 0) {
        if (server->keepers_left == 0) {
            server_fail(server, &err);
            return;
        }
        server->keepers_left--;
        keepers_close(server);
    }
}

static void on_engine(void *context)
{
    struct server *server = context;
    struct cella_error err;
    server->is_processing = true;
    const int result = cella_engine_process(server->engine, &err);
    server->is_processing = false;
    if (result < 0) {
        server_fail(server, &err);
        return;
    }
    job_feed_all(server);
    execute_sessions_go_on(server);
    if (server->trial != NULL && server->trial_done) {
        take_trial(server);
    }
    if (server->state == SERVER_DRAINING || server->failure.kind != CELLA_ERROR_NONE ||
        cella_engine_check(server->engine, &err) == 0) {
        return;
    }
    if (server->state == SERVER_STARTING && server->trial == NULL) {
        replace(server); /* those that held it have ended, perhaps */
        return;
    }
    if (server->keepers_left == 0) { /* nor would the next one run anything */
        server_fail(server, &err);
        return;
    }
    server->keepers_left--;
    log_line("starts a new keeper: %s", err.text);
    server_set_state(server, SERVER_STARTING, "starts a new keeper");
    replace(server);
}

void keepers_settle(struct server *server)
{
    struct cella_error unused;
    if (server->state == SERVER_STARTING && server->engine != NULL &&
        cella_engine_check(server->engine, &unused) < 0) {
        replace(server);
    }
}
