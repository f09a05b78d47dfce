/* See transport.h.  Divisions: the loop; the server; jobs; routes; what a test does. */
#include "fuzz/transport.h"

#include "base/attributes.h"
#include "front/serve/api/routes.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/host/listen.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/connection.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/tls.h"
#include "front/serve/http/websocket.h"
#include "front/serve/log.h"
#include "front/serve/records/report.h"
#include "front/serve/runs/interactive.h"
#include "front/serve/runs/job.h"

#include <assert.h>
#include <cella/wire.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that does not read is soon felt. */
#define SOCKET_BUFFER 16384
/* Turns in which something happened, one after the other. */
#define TURNS_MAX 4096U
#define READ_MAX  65536U
#define BEGUN_MAX 8U /* jobs, in a turn */
#define TEN(text) text text text text text text text text text text

struct loop_watch {
    const struct loop_events *events;
    void *context;
    int fd;
    bool wants_room;
    bool is_reading;
    bool is_closed;
    uint64_t due_ms; /* 0: never */
};

struct job {
    TAILQ_ENTRY(job) link;
    struct exchange *exchange;
    enum job_way way;
    bool is_left, is_done, is_told, takes_no_more;
    unsigned lines; /* written and not yet told */
    size_t input_size;
};

static struct {
    struct server server;
    struct loop_watch watch;
    int client; /* its end of the socket; -1: it has gone */
    uint64_t now_ms;
    bool takes_input;
    unsigned crowd; /* requests of others */
    unsigned begun; /* jobs, in this turn */
} world;

/* ---- the loop ---- */

struct loop_watch *loop_add_socket(struct loop *loop, int fd, const struct loop_events *events,
                                   void *context)
{
    (void)loop;
    world.watch =
        (struct loop_watch){.events = events, .context = context, .fd = fd, .is_reading = true};
    return &world.watch;
}

void loop_close(struct loop_watch *watch)
{
    if (!watch->is_closed) {
        watch->is_closed = true;
        (void)close(watch->fd);
    }
}

int loop_socket(const struct loop_watch *watch)
{
    return watch->fd;
}

void loop_want_room(struct loop_watch *watch)
{
    watch->wants_room = true;
}

void loop_set_reading(struct loop_watch *watch, bool reading)
{
    watch->is_reading = reading;
}

void loop_set_timer(struct loop_watch *watch, unsigned ms)
{
    watch->due_ms = ms == 0 ? 0 : world.now_ms + ms;
}

static bool is_ready(short events)
{
    struct pollfd poller = {.fd = world.watch.fd, .events = events};
    return !world.watch.is_closed && poll(&poller, 1, 0) == 1;
}

/* Whether something was to be done. */
static bool turn(void)
{
    struct loop_watch *watch = &world.watch;
    world.begun = 0;
    if (is_ready(watch->is_reading ? POLLIN : POLLRDHUP)) {
        char *data = malloc(READ_MAX); /* of its own, so that the sanitizer sees its end */
        assert(data != NULL);
        const ssize_t size = watch->is_reading ? recv(watch->fd, data, READ_MAX, MSG_DONTWAIT) : 0;
        if (size > 0) {
            char *exact = realloc(data, (size_t)size);
            assert(exact != NULL);
            data = exact;
            watch->events->received(watch->context, data, (size_t)size);
        } else {
            loop_close(watch);
            watch->events->gone(watch->context);
        }
        free(data);
        return true;
    }
    if (watch->wants_room && is_ready(POLLOUT)) {
        watch->wants_room = false;
        watch->events->has_room(watch->context);
        return true;
    }
    return false;
}

void transport_turn(void)
{
    for (unsigned i = 0; i < TURNS_MAX && turn(); i++) {
    }
}

void transport_wait(unsigned ms)
{
    struct loop_watch *watch = &world.watch;
    const uint64_t end_ms = world.now_ms + ms;
    transport_turn();
    while (!watch->is_closed && watch->due_ms != 0 && watch->due_ms <= end_ms) {
        world.now_ms = watch->due_ms;
        watch->due_ms = 0;
        watch->events->timeout(watch->context);
        transport_turn();
    }
    world.now_ms = end_ms;
}

/* ---- the server ---- */

uint64_t __wrap_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void)
{
    return world.now_ms * 1000;
}

/* What a server asks itself then. */
void server_settle(struct server *server)
{
    IGNORE(connection_any_answering(server));
}

int server_check_ready(const struct server *server, struct cella_error *err)
{
    return server->state == SERVER_READY
               ? 0
               : serve_fail(err, CELLA_ERROR_BUSY, "the server is about to end");
}

/* Nobody has a key. */
void tenant_fields(const struct tenant *tenant, char ret_fields[TENANT_FIELDS_MAX])
{
    assert(tenant == NULL);
    ret_fields[0] = '\0';
}

void report_denied(struct exchange *exchange, int status, const struct cella_error *error)
{
    (void)exchange;
    (void)status;
    (void)error;
}

void report_answered(const struct exchange *exchange)
{
    assert(exchange->server == &world.server);
}

int cella_error_http_status(enum cella_error_kind kind)
{
    return kind == CELLA_ERROR_BUSY ? 503 : 400;
}

int cella_problem_json(const struct cella_error *error, const char *title, int status,
                       char **ret_json, size_t *ret_size, struct cella_error *err)
{
    (void)title;
    (void)err;
    *ret_size =
        (size_t)asprintf(ret_json, "{\"status\":%d,\"detail\":\"%s\"}", status, error->text);
    return 0;
}

bool listen_peer_is_ours(int socket)
{
    (void)socket;
    return true;
}

void listen_write_address(const struct sockaddr *address, char ret_text[VALUES_ADDRESS_SIZE])
{
    (void)address;
    ret_text[0] = '\0';
}

void metrics_count_response(struct metrics *metrics, int status, uint64_t duration_ms)
{
    (void)metrics;
    (void)duration_ms;
    assert(status >= 100 && status < 600);
}

void log_write(enum log_level level, const struct log_about *about, const char *format, ...)
{
    char line[512];
    va_list args;
    (void)level;
    (void)about;
    va_start(args, format);
    IGNORE(vsnprintf(line, sizeof(line), format, args) < 0); /* so that what it names is read */
    va_end(args);
}

/* ---- jobs ---- */

void job_destroy(struct job *job)
{
    if (job != NULL) {
        if (job->exchange != NULL) {
            exchange_forget(job->exchange);
        }
        TAILQ_REMOVE(&world.server.jobs, job, link);
        world.server.job_count--;
        free(job);
    }
}

static void leave(void *context)
{
    struct job *job = context;
    if (job->is_done) {
        job_destroy(job);
        return;
    }
    exchange_forget(job->exchange);
    job->exchange = NULL;
    job->is_left = true;
}

static int next_line(void *context, char **ret_text, size_t *ret_size)
{
    struct job *job = context;
    *ret_text = NULL;
    *ret_size = 0;
    if (job->is_told) {
        job_destroy(job);
        return 0;
    }
    if (job->lines > 0 || job->is_done) {
        const int size =
            asprintf(ret_text, "%.*s", job->lines > 0 ? 5 : 4, job->lines > 0 ? "line\n" : "over");
        assert(size > 0);
        *ret_size = (size_t)size;
        job->is_told = job->lines == 0;
        job->lines -= job->lines > 0;
    }
    return 1;
}

static void begin(struct exchange *exchange, enum job_way way)
{
    struct job *job = calloc(1, sizeof(*job));
    assert(job != NULL);
    *job = (struct job){.exchange = exchange, .way = way};
    TAILQ_INSERT_TAIL(&world.server.jobs, job, link);
    world.server.job_count++;
    assert(++world.begun <= BEGUN_MAX);
    exchange->source =
        (struct source){.next = next_line, .leave = leave, .context = job, .is_resumed = true};
}

struct job *job_of(const struct exchange *exchange)
{
    return exchange->source.leave == leave ? exchange->source.context : NULL;
}

int job_start(struct exchange *exchange, const char *json, size_t size, enum job_way way,
              const struct job_form *form, const char **ret_id, struct cella_error *err)
{
    (void)form;
    if (size > 0 && json[0] == '!') {
        return serve_fail(err, CELLA_ERROR_CALLER, "it begins with '!'");
    }
    *ret_id = "job";
    begin(exchange, way);
    return 0;
}

int job_write(struct job *job, const void *data, size_t size, struct cella_error *err)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        job->input_size += bytes[i] != '\0'; /* all of them are read */
    }
    if (job->takes_no_more) {
        return serve_fail(err, CELLA_ERROR_CALLER, "it comes behind the end");
    }
    websocket_set_reading(job->exchange, world.takes_input);
    return 0;
}

void job_close_stdin(struct job *job)
{
    job->takes_no_more = true;
    websocket_set_reading(job->exchange, true);
}

int job_signal(struct job *job, int signal, struct cella_error *err)
{
    (void)signal;
    return job->is_done ? serve_fail(err, CELLA_ERROR_CALLER, "it has ended") : 0;
}

int job_resize(struct job *job, unsigned rows, unsigned columns, struct cella_error *err)
{
    (void)rows;
    (void)columns;
    return job->is_done ? serve_fail(err, CELLA_ERROR_CALLER, "it has ended") : 0;
}

void transport_take_input(bool takes)
{
    struct job *job;
    world.takes_input = takes;
    TAILQ_FOREACH(job, &world.server.jobs, link)
    {
        if (job->way == JOB_TALKS && !job->is_left) {
            websocket_set_reading(job->exchange, takes);
        }
    }
}

void transport_print(void)
{
    struct job *job;
    TAILQ_FOREACH(job, &world.server.jobs, link)
    {
        if (!job->is_left && !job->is_done && job->way != JOB_ANSWERS) {
            job->lines++;
            exchange_resume(job->exchange);
        }
    }
}

static void end_job(struct job *job)
{
    job->is_done = true;
    if (job->is_left || job->way == JOB_ANSWERS) {
        if (!job->is_left) {
            answer_json(job->exchange, 200, strdup("{}"), 2);
        }
        job_destroy(job);
        server_settle(&world.server);
    } else {
        exchange_resume(job->exchange);
    }
}

void transport_end_jobs(void)
{
    struct job *job = TAILQ_FIRST(&world.server.jobs);
    while (job != NULL) {
        struct job *next = TAILQ_NEXT(job, link);
        if (!job->is_done) {
            end_job(job);
        }
        job = next;
    }
}

/* ---- routes ---- */

static void answer_bytes(struct exchange *exchange, size_t size)
{
    char *text = memset(malloc(size), 'x', size);
    answer_text(exchange, "text/plain", text, size);
}

struct three {
    unsigned left;
    bool breaks;
};

static int next_of_three(void *context, char **ret_text, size_t *ret_size)
{
    struct three *three = context;
    if (three->left == 0) {
        return three->breaks ? -1 : 0;
    }
    three->left--;
    *ret_text = strdup("piece");
    assert(*ret_text != NULL);
    *ret_size = 5;
    return 1;
}

static void answer_three(struct exchange *exchange, bool breaks)
{
    struct three *three = malloc(sizeof(*three));
    assert(three != NULL);
    *three = (struct three){.left = 3, .breaks = breaks};
    const struct source source = {.next = next_of_three, .leave = free, .context = three};
    answer_pieces(exchange, "text/plain", &source);
}

int routes_check(struct exchange *exchange)
{
    struct cella_error error;
    if (exchange->head.content_length > EXCHANGE_BODY_MAX) {
        routes_refuse_size(exchange);
        return -1;
    }
    if (strcmp(exchange->head.path, "/early") == 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "not so");
        answer_problem(exchange, 415, &error);
        return -1;
    }
    return 0;
}

void routes_refuse_size(struct exchange *exchange)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "too large");
    answer_problem(exchange, 413, &error);
}

void routes_handle(struct exchange *exchange)
{
    struct cella_error error;
    const char *path = exchange->head.path;
    if (strcmp(path, "/small") == 0) {
        answer_bytes(exchange, 3);
    } else if (strcmp(path, "/medium") == 0) {
        answer_bytes(exchange, TRANSPORT_MEDIUM);
    } else if (strcmp(path, "/large") == 0) {
        answer_bytes(exchange, TRANSPORT_LARGE);
    } else if (strcmp(path, "/echo") == 0) {
        char *copy = malloc(exchange->body_size + 1);
        assert(copy != NULL);
        memcpy(copy, exchange->body_size > 0 ? exchange->body : "", exchange->body_size);
        answer_text(exchange, "text/plain", copy, exchange->body_size);
    } else if (strcmp(path, "/pieces") == 0 || strcmp(path, "/broken") == 0) {
        answer_three(exchange, path[1] == 'b');
    } else if (strcmp(path, "/overfull") == 0) {
        static const struct contract contract = {.fields = TEN(TEN("Name: value\r\n"))};
        exchange->contract = &contract;
        answer_bytes(exchange, 3);
    } else if (strcmp(path, "/run") == 0) {
        begin(exchange, JOB_ANSWERS);
    } else if (strcmp(path, "/events") == 0) {
        begin(exchange, JOB_STREAMS);
        answer_events(exchange);
    } else if (strcmp(path, "/ws") == 0) {
        interactive_get(exchange);
    } else {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "there is nothing at %.200s", path);
        answer_problem(exchange, 404, &error);
    }
}

/* ---- what a test does ---- */

void transport_open(const char *certificate, const char *key)
{
    struct cella_error error;
    int ends[2];
    const int size = SOCKET_BUFFER;
    memset(&world, 0, sizeof(world));
    world.server.state = SERVER_READY;
    world.now_ms = 1000000;
    world.takes_input = true;
    TAILQ_INIT(&world.server.idle);
    TAILQ_INIT(&world.server.busy);
    TAILQ_INIT(&world.server.jobs);
    int result = tls_host_open(certificate, key, &world.server.tls, &error);
    result |= socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
    result |= setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    assert(result == 0);
    world.client = ends[1];
    connection_create(&world.server, ends[0], world.server.tls == NULL);
    assert(world.server.connection_count == 1);
}

void transport_close(void)
{
    struct server *server = &world.server;
    server->state = SERVER_DRAINING;
    transport_leave();
    while (!TAILQ_EMPTY(&server->idle)) {
        connection_destroy(TAILQ_FIRST(&server->idle));
    }
    while (!TAILQ_EMPTY(&server->busy)) {
        connection_destroy(TAILQ_FIRST(&server->busy));
    }
    transport_end_jobs();
    transport_crowd(0);
    assert(server->connection_count == 0 && server->tcp_count == 0);
    assert(server->exchange_count == 0 && server->job_count == 0);
    assert(server->body_bytes == 0 && server->answer_bytes == 0);
    assert(world.watch.is_closed);
    tls_host_close(server->tls);
}

bool transport_send(const void *data, size_t size)
{
    const char *at = data;
    while (size > 0 && world.client >= 0) {
        const ssize_t sent = send(world.client, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
        if (!turn() && sent <= 0) {
            return false;
        }
    }
    transport_turn();
    return size == 0;
}

ssize_t transport_read(void *data, size_t size)
{
    const ssize_t got = world.client >= 0 ? recv(world.client, data, size, MSG_DONTWAIT) : 0;
    return got > 0 ? got : got == 0 ? -1 : 0;
}

void transport_leave(void)
{
    if (world.client >= 0) {
        (void)close(world.client);
        world.client = -1;
    }
}

void transport_drain(void)
{
    world.server.state = SERVER_DRAINING;
}

bool transport_is_closed(void)
{
    return world.watch.is_closed;
}

bool transport_is_reading(void)
{
    return world.watch.is_reading;
}

unsigned transport_jobs(void)
{
    return world.server.job_count;
}

unsigned transport_exchanges(void)
{
    return world.server.exchange_count - world.crowd;
}

void transport_crowd(unsigned others)
{
    world.server.exchange_count += others - world.crowd;
    world.crowd = others;
}

bool transport_is_answering(void)
{
    return connection_any_answering(&world.server);
}
