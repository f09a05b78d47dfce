/*
 * See server.h.  Divisions: opening and closing; its state; accepting; signals and the end.
 */
#include "front/serve/server.h"

#include "base/fd.h"
#include "front/serve/api/asyncapi.h"
#include "front/serve/api/languages.h"
#include "front/serve/api/openapi.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/execute_sessions.h"
#include "front/serve/contracts/piston.h"
#include "front/serve/contracts/workspace.h"
#include "front/serve/fail.h"
#include "front/serve/host/attempts.h"
#include "front/serve/host/descriptors.h"
#include "front/serve/host/life.h"
#include "front/serve/host/listen.h"
#include "front/serve/http/connection.h"
#include "front/serve/http/tls.h"
#include "front/serve/keepers.h"
#include "front/serve/log.h"
#include "front/serve/records/history.h"
#include "front/serve/runs/batch.h"
#include "front/serve/runs/job.h"
#include "front/serve/settings/reload.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections accepted in one turn: others want to be heard too. */
#define ACCEPT_IN_TURN 16U
/* How long nobody is accepted after this process had no descriptor left: the kernel does not say
 * when there is one again. */
#define ACCEPT_PAUSE_MS 200U
/* Watches besides the connections: listeners, the engine, signals. */
#define OTHER_WATCHES_MAX (VALUES_ADDRESSES_MAX + ACTIVATION_SOCKETS_MAX + 11U)

static int open_listeners(struct server *server, struct cella_error *err);
static int watch_signals(struct server *server, struct cella_error *err);

/* ---- opening and closing ---- */

static int make_documents(struct server *server, struct cella_error *err)
{
    size_t size = 0;
    return openapi_json(&server->documents[SERVER_OPENAPI], &size, err) < 0 ||
                   asyncapi_json(&server->documents[SERVER_ASYNCAPI], &size, err) < 0
               ? -1
               : 0;
}

/* Until now nothing of a client's has been read. */
static int confine_server(struct server *server, struct cella_error *err)
{
    char held[CONFINE_COUNT * 24] = "";
    size_t size = 0;
    if (confine(server->settings, server->confined, err) < 0) {
        return -1;
    }
    for (enum confine_layer i = 0; i < CONFINE_COUNT; i++) {
        if (server->confined[i]) {
            size += (size_t)snprintf(held + size, sizeof(held) - size, " %s", confine_name(i));
        } else {
            log_write(LOG_LEVEL_WARNING, NULL, "is not confined by %s", confine_name(i));
        }
    }
    log_line("is confined by%s", held);
    attempts_make(server->settings);
    return 0;
}

/* The variable is that of everybody who sends such. */
static int find_collector(const struct settings *settings, struct otlp_address *ret_address,
                          struct cella_error *err)
{
    const char *endpoint = settings->otlp_endpoint;
    if (endpoint == NULL) {
        endpoint = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    }
    if (endpoint == NULL || endpoint[0] == '\0') {
        ret_address->size = 0;
        return 0;
    }
    return otlp_find(endpoint, ret_address, err);
}

static int check_keys(const struct settings *settings, struct cella_error *err)
{
    const struct activation none = {.count = 0};
    const char *remote = activation_remote(&none, &settings->listen);
    struct keys keys = {.demanded = false};
    AUTO_CLOSE int state =
        remote != NULL ? open(settings->state, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (remote != NULL && state < 0 && errno != ENOENT) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot look for keys in %s",
                                settings->state);
    }
    if (state >= 0 && keys_read(state, &keys, err) < 0) {
        return -1;
    }
    const int result = tenants_check_keys(&keys, remote, err);
    keys_done(&keys);
    return result;
}

int server_check(const struct settings *settings, struct cella_error *err)
{
    struct tls_host *tls = NULL;
    if (tls_host_open(settings->tls_certificate, settings->tls_key, &tls, err) < 0) {
        return -1;
    }
    tls_host_close(tls);
    return check_keys(settings, err);
}

void server_init(struct settings *settings, struct server *server)
{
    *server = (struct server){.settings = settings,
                              .state_fd = -1,
                              .notify.socket = -1,
                              .spawner.socket = -1,
                              .checkpoints.socket = -1};
    TAILQ_INIT(&server->idle);
    TAILQ_INIT(&server->busy);
    TAILQ_INIT(&server->jobs);
    TAILQ_INIT(&server->batches);
    metrics_init(&server->metrics);
    audit_init(&server->audit);
}

int server_open(struct settings *settings, struct server *server, struct cella_error *err)
{
    struct otlp_address collector;
    server_init(settings, server);
    descriptors_raise(&server->connections_max, &server->tcp_max);
    /* SQLite has files of its own while it writes much: in a place that is not taken from us. */
    if (setenv("SQLITE_TMPDIR", settings->state, 1) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot set a variable");
    }
    if (find_collector(settings, &collector, err) < 0 ||
        spawner_open(&server->spawner, &collector.address, collector.size, err) < 0) {
        return -1;
    }
    server->state_fd = listen_hold_state(settings->state, err);
    if (server->state_fd < 0 || checkpoints_open(settings, &server->checkpoints, err) < 0 ||
        workspace_open(server, err) < 0 ||
        (settings->audit != NULL && audit_open(&server->audit, settings->audit, err) < 0) ||
        notify_open(&server->notify, err) < 0 ||
        tls_host_open(settings->tls_certificate, settings->tls_key, &server->tls, err) < 0 ||
        make_documents(server, err) < 0 ||
        loop_create(server->connections_max + OTHER_WATCHES_MAX, &server->loop, err) < 0 ||
        history_open(settings->state, &server->checkpoints, settings->history_bytes,
                     (unsigned)settings->history_days, &server->history, err) < 0 ||
        (collector.size > 0 &&
         otlp_open(server->loop, &collector, &server->spawner, &server->otlp, err) < 0) ||
        watch_signals(server, err) < 0 || queue_open(server, err) < 0 ||
        open_listeners(server, err) < 0 || life_watch(server, err) < 0) {
        return -1;
    }
    return keepers_open(server, err) < 0 ? -1 : confine_server(server, err);
}

static void close_listeners(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        loop_close(server->listeners[i].watch);
        if (server->listeners[i].is_local && server->listeners[i].is_ours) {
            (void)unlink(server->settings->socket); /* else the next start removes it */
        }
    }
    server->listener_count = 0;
}

void server_close(struct server *server)
{
    server->state = SERVER_DRAINING; /* nothing begins any more */
    close_listeners(server);
    while (!TAILQ_EMPTY(&server->idle)) {
        connection_destroy(TAILQ_FIRST(&server->idle));
    }
    while (!TAILQ_EMPTY(&server->busy)) {
        connection_destroy(TAILQ_FIRST(&server->busy));
    }
    assert(server->answer_bytes == 0 && server->body_bytes == 0); /* of nobody */
    assert(server->exchange_count == 0);
    batch_destroy_all(server);
    while (!TAILQ_EMPTY(&server->jobs)) { /* those that nobody waits for */
        job_destroy(TAILQ_FIRST(&server->jobs));
    }
    keepers_close(server);
    queue_close(server);
    checkpoints_close(&server->checkpoints); /* the last who has a database brings it to its end */
    tenants_close(server);
    report_server(server, AUDIT_SERVER_ENDED, NULL);
    audit_close(&server->audit);
    otlp_close(server->otlp);
    spawner_close(&server->spawner);
    history_close(server->history);
    tls_host_close(server->tls);
    contract_policies_destroy(server->contract_policies);
    workspace_close(server);
    execute_sessions_destroy(server->execute_sessions);
    languages_destroy(server->languages);
    piston_names_destroy(server->piston);
    loop_destroy(server->loop);
    notify_close(&server->notify);
    for (size_t i = 0; i < SERVER_DOCUMENTS; i++) {
        free(server->documents[i]);
    }
    if (server->state_fd >= 0) {
        (void)close(server->state_fd);
    }
}

int server_run(struct server *server, struct cella_error *err)
{
    if (loop_run(server->loop, err) < 0) {
        return -1;
    }
    if (server->failure.kind != CELLA_ERROR_NONE) {
        *err = server->failure;
        return -1;
    }
    return 0;
}

/* ---- its state ---- */

void server_fail(struct server *server, const struct cella_error *error)
{
    if (server->failure.kind == CELLA_ERROR_NONE) {
        server->failure = *error;
    }
    loop_stop(server->loop);
}

void server_set_state(struct server *server, enum server_state state, const char *status)
{
    static const char *const words[] = {
        [SERVER_STARTING] = "", [SERVER_READY] = "READY=1", [SERVER_DRAINING] = "STOPPING=1"};
    server->state = state;
    notify_send(&server->notify, words[state], status);
    if (state == SERVER_READY) {
        job_begin_again_all(server);
        batch_resume_all(server);
    }
}

int server_check_ready(const struct server *server, struct cella_error *err)
{
    if (server->state == SERVER_READY) {
        return 0;
    }
    return serve_fail(err, CELLA_ERROR_BUSY,
                      server->state == SERVER_STARTING ? "the server is starting"
                                                       : "the server is about to end");
}

/* ---- accepting ---- */

/* Room for one more connection, at the cost of one that nobody uses. */
static bool make_place(struct server *server, bool by_tcp)
{
    struct connection *idle = TAILQ_FIRST(&server->idle);
    while (idle != NULL && by_tcp && idle->is_local) {
        idle = TAILQ_NEXT(idle, link);
    }
    if (idle != NULL) {
        connection_destroy(idle);
    }
    return idle != NULL;
}

/* Whether there is room; TCP that has its share makes way for itself alone. */
static bool has_place(const struct listener *listener)
{
    struct server *server = listener->server;
    const bool tcp_is_full = !listener->is_local && server->tcp_count >= server->tcp_max;
    return (!tcp_is_full && server->connection_count < server->connections_max) ||
           make_place(server, tcp_is_full);
}

static void on_connections(void *context)
{
    struct listener *listener = context;
    struct server *server = listener->server;
    for (unsigned i = 0; i < ACCEPT_IN_TURN; i++) {
        int fd = accept4(loop_socket(listener->watch), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            (void)make_place(server, !listener->is_local);
            loop_set_reading(listener->watch, false);
            loop_set_timer(listener->watch, ACCEPT_PAUSE_MS);
            return;
        }
        if (fd < 0) {
            return; /* there is none, or it has gone again */
        }
        if (!has_place(listener)) {
            connection_refuse(fd);
            continue;
        }
        connection_create(server, fd, listener->is_local);
    }
}

static void on_pause_over(void *context)
{
    struct listener *listener = context;
    loop_set_reading(listener->watch, true);
}

static int add_listener(struct server *server, int fd, bool is_local, bool is_ours,
                        struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_connections, .timeout = on_pause_over};
    struct listener *listener = &server->listeners[server->listener_count];
    *listener = (struct listener){.server = server, .is_local = is_local, .is_ours = is_ours};
    listener->watch = loop_add_descriptor(server->loop, fd, &events, listener);
    if (listener->watch == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "cannot watch a socket");
    }
    server->listener_count++;
    return 0;
}

/* With the port that the kernel has chosen where none was given. */
static void log_listening(int fd, const char *text, bool tls)
{
    struct sockaddr_in6 address = {.sin6_port = 0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        log_line("listens on %.*s:%u%s", (int)(strrchr(text, ':') - text), text,
                 ntohs(address.sin6_port) /* where an IPv4 address has it too */,
                 tls ? ", with TLS" : "");
    }
}

/* Each where none of its kind was passed to us. */
static int open_own(struct server *server, bool local, bool tcp, struct cella_error *err)
{
    const struct settings *settings = server->settings;
    if (local) {
        const int fd = listen_unix(settings->socket, server->state_fd, err);
        if (fd < 0 || add_listener(server, fd, true, true, err) < 0) {
            return -1;
        }
        log_line("listens on %s", settings->socket);
    }
    for (size_t i = 0; tcp && i < settings->listen.count; i++) {
        const int fd = listen_tcp(&settings->listen.items[i], err);
        if (fd < 0) {
            return -1;
        }
        log_listening(fd, settings->listen.items[i].text, server->tls != NULL);
        if (add_listener(server, fd, false, true, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int open_listeners(struct server *server, struct cella_error *err)
{
    struct activation activation;
    if (activation_take(&activation, err) < 0) {
        return -1;
    }
    const char *remote = activation_remote(&activation, &server->settings->listen);
    if (tenants_open(server, remote, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < activation.count; i++) {
        const struct activation_socket *passed = &activation.items[i];
        if (add_listener(server, passed->fd, passed->is_local, false, err) < 0) {
            return -1;
        }
        log_line("listens on %s, which was passed to it", passed->text);
    }
    if (open_own(server, !activation_has(&activation, true), !activation_has(&activation, false),
                 err) < 0) {
        return -1;
    }
    tenants_tell(server, remote);
    return 0;
}

/* ---- signals and the end ---- */

/* Their clients get the result, `cancelled`, if they take it; the second time nobody waits. */
static void cancel_runs(struct server *server)
{
    if (server->cancels) {
        loop_stop(server->loop);
        return;
    }
    server->cancels = true;
    loop_set_timer(server->signals, SERVER_CANCEL_MS);
    batch_cancel_all(server, NULL);
    job_cancel_all(server);
    server_settle(server);
}

static void begin_end(struct server *server)
{
    log_line("ends: %u run%s on the way", server->job_count, serve_plural(server->job_count));
    server_set_state(server, SERVER_DRAINING, "lets runs end");
    close_listeners(server);
    job_give_up_all(server);
    execute_sessions_go_on(server);
    if (server->settings->drain_ms == 0) {
        cancel_runs(server);
    } else {
        loop_set_timer(server->signals, (unsigned)server->settings->drain_ms);
    }
    server_settle(server);
}

static void on_signal(void *context)
{
    struct server *server = context;
    struct signalfd_siginfo info;
    while (read(loop_socket(server->signals), &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            reload(server);
        } else if (server->state != SERVER_DRAINING) {
            begin_end(server);
        } else {
            server->ended_by = (int)info.ssi_signo;
            cancel_runs(server);
        }
    }
}

static void on_drain_over(void *context)
{
    struct server *server = context;
    log_line("has waited long enough for %u run%s to end", server->job_count,
             serve_plural(server->job_count));
    cancel_runs(server);
}

static int watch_signals(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_signal, .timeout = on_drain_over};
    sigset_t watched;
    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGTERM);
    (void)sigaddset(&watched, SIGINT);
    (void)sigaddset(&watched, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &watched, NULL) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_BUG, "cannot block signals");
    }
    int fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0) {
        server->signals = loop_add_descriptor(server->loop, fd, &events, server);
    }
    if (server->signals == NULL) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot watch signals");
    }
    return 0;
}

void server_settle(struct server *server)
{
    if (server->job_count > server->waiting_count) {
        return;
    }
    keepers_settle(server);
    if (server->state == SERVER_DRAINING && server->job_count == 0 && server->batch_count == 0 &&
        !connection_any_answering(server)) {
        loop_stop(server->loop);
    }
}
