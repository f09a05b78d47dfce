/*
 * Any bytes as all that a client sends on one connection, by HTTP/1.1, HTTP/2 and WebSocket: the
 * server behind it is whole but for its loop, which is here, and for what it asks of the library
 * that would take time (see WRAPPED in cmake/tests.cmake).  The first byte says how they come:
 *
 *   1  by TCP, else by the Unix socket
 *   2  at the end the client waits until its time is over, else it goes away
 *   4  it reads nothing of what it is sent
 *
 * Whatever comes, nothing is left when it has gone; and HTTP/1.1 is answered in the same way when
 * it comes whole and byte by byte.
 */
#include "front/serve/api/languages.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/piston.h"
#include "front/serve/fail.h"
#include "front/serve/http/connection.h"
#include "front/serve/log.h"
#include "front/serve/server.h"
#include "front/serve/tenants/tenants.h"

#include <cella/host.h>
#include <cella/policy.h>
#include <cella/repeat.h>
#include <cella/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BY_TCP  1U
#define WAITS   2U
#define IS_DEAF 4U

/* Turns of the loop for one input: what goes on after so many will go on for ever. */
#define TURNS_MAX 200000U
/* And so much time passes from one to the next when nothing comes. */
#define TURN_MS 1000U
/* What is compared of the answers. */
#define STATUSES_MAX 256U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

/* ---- the loop: one socket, whose bytes come from the input ---- */

struct loop_watch {
    const struct loop_events *events;
    void *context;
    int fd;
    bool is_deaf; /* is not read from */
    bool wants_room;
    bool has_timer;
    bool is_closed;
};

static struct loop_watch the_watch;

struct loop_watch *loop_add_socket(struct loop *loop, int fd, const struct loop_events *events,
                                   void *context)
{
    (void)loop;
    the_watch = (struct loop_watch){.events = events, .context = context, .fd = fd};
    return &the_watch;
}

struct loop_watch *loop_add_descriptor(struct loop *loop, int fd, const struct loop_events *events,
                                       void *context)
{
    (void)loop;
    (void)events;
    (void)context;
    (void)close(fd);
    return NULL;
}

/* Whatever waits for a time fails, as without memory. */
struct loop_watch *loop_add_timer(struct loop *loop, const struct loop_events *events,
                                  void *context)
{
    (void)loop;
    (void)events;
    (void)context;
    return NULL;
}

void loop_close(struct loop_watch *watch)
{
    if (watch != NULL) {
        watch->is_closed = true;
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
    watch->is_deaf = !reading;
}

void loop_set_timer(struct loop_watch *watch, unsigned ms)
{
    if (watch != NULL) {
        watch->has_timer = ms > 0;
    }
}

int loop_create(unsigned watches_max, struct loop **ret_loop, struct cella_error *err)
{
    (void)watches_max;
    *ret_loop = NULL;
    return serve_fail(err, CELLA_ERROR_BUG, "this is the loop");
}

void loop_destroy(struct loop *loop)
{
    (void)loop;
}

int loop_run(struct loop *loop, struct cella_error *err)
{
    (void)loop;
    return serve_fail(err, CELLA_ERROR_BUG, "this is the loop");
}

void loop_stop(struct loop *loop)
{
    (void)loop;
}

/* ---- what the server asks of others ---- */

/* In the place of that function: the linker's --wrap. */
#define WRAPPED(type, name, ...)                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

static int refuse(struct cella_error *err)
{
    return serve_fail(err, CELLA_ERROR_BUSY, "nothing is run here");
}

WRAPPED(int, cella_run_start, struct cella_engine *engine, const struct cella_request *request,
        unsigned flags, const struct cella_callbacks *callbacks, struct cella_run **ret_run,
        struct cella_error *err)
{
    (void)engine;
    (void)flags;
    (void)callbacks;
    (void)ret_run;
    require(request != NULL);
    return refuse(err);
}

WRAPPED(int, cella_request_is_adaptive, struct cella_engine *engine,
        const struct cella_request *request, int *ret_adaptive, struct cella_error *err)
{
    (void)engine;
    (void)err;
    require(request != NULL);
    *ret_adaptive = 0;
    return 0;
}

WRAPPED(int, cella_explain, struct cella_engine *engine, const struct cella_request *request,
        char **ret_text, struct cella_error *err)
{
    (void)engine;
    (void)ret_text;
    require(request != NULL);
    return refuse(err);
}

WRAPPED(int, cella_engine_check, const struct cella_engine *engine, struct cella_error *err)
{
    (void)engine;
    (void)err;
    return 0;
}

WRAPPED(void, cella_engine_pools, const struct cella_engine *engine,
        void (*row)(void *context, const struct cella_pool *pool), void *context)
{
    (void)engine;
    (void)row;
    (void)context;
}

WRAPPED(int, cella_pools_json, const struct cella_engine *engine, char **ret_json, size_t *ret_size,
        struct cella_error *err)
{
    (void)engine;
    (void)ret_json;
    (void)ret_size;
    return refuse(err);
}

WRAPPED(int, cella_languages, const struct cella_options *options,
        void (*row)(void *context, const struct cella_language *language), void *context,
        struct cella_error *err)
{
    static const struct cella_language python = {.name = "python",
                                                 .version = "3.11.2",
                                                 .path = "/usr/bin/python3",
                                                 .package = "python3",
                                                 .file = "python.yaml",
                                                 .entry = "main.py",
                                                 .problem = ""};
    (void)options;
    (void)err;
    row(context, &python);
    return 0;
}

WRAPPED(int, cella_languages_json, const struct cella_options *options, char **ret_json,
        struct cella_error *err)
{
    (void)options;
    (void)ret_json;
    return refuse(err);
}

WRAPPED(int, cella_policies_json, const struct cella_options *options, char **ret_json,
        struct cella_error *err)
{
    (void)options;
    (void)ret_json;
    return refuse(err);
}

/* As much of one as contracts look at. */
WRAPPED(int, cella_policy_show, const struct cella_options *options, const char *policy,
        enum cella_policy_format format, char **ret_text, struct cella_error *err)
{
    (void)options;
    (void)policy;
    (void)format;
    *ret_text = strdup("{\"languages\": \"all\", \"limits\": {\"wall_ms\": {\"cap\": 3000}}}");
    return *ret_text != NULL ? 0 : refuse(err);
}

static uint64_t now_ms;

WRAPPED(uint64_t, clock_monotonic_us, void)
{
    return now_ms * 1000;
}

WRAPPED(bool, tenants_are_demanded, struct server *server)
{
    (void)server;
    return false;
}

WRAPPED(void, log_write, enum log_level level, const struct log_about *about, const char *format,
        ...)
{
    (void)level;
    (void)about;
    (void)format;
}

/* ---- a client ---- */

struct client {
    const char *data; /* what it sends */
    size_t size;
    size_t step; /* so much at once */
    bool is_deaf;
    int fd;
    char last[16]; /* the end of what it was sent */
    int statuses[STATUSES_MAX];
    unsigned status_count;
    bool is_http1; /* all that it was sent */
};

/* Statuses of HTTP/1.1, wherever the pieces begin and end. */
static void note(struct client *client, const char *data, size_t size)
{
    static const char begin[] = "HTTP/1.1 ";
    const size_t length = sizeof(begin) - 1;
    for (size_t i = 0; i < size; i++) {
        memmove(client->last, client->last + 1, sizeof(client->last) - 1);
        client->last[sizeof(client->last) - 1] = data[i];
        const char *text = client->last + sizeof(client->last) - length - 3;
        if (memcmp(text, begin, length) != 0) {
            continue;
        }
        const char *digits = text + length;
        const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
        client->is_http1 &= status != 101;
        if (status != 100 && client->status_count < STATUSES_MAX) {
            client->statuses[client->status_count++] = status;
        }
    }
}

static void take_answers(struct client *client)
{
    char data[16384];
    ssize_t size;
    while (!client->is_deaf && (size = recv(client->fd, data, sizeof(data), MSG_DONTWAIT)) > 0) {
        note(client, data, (size_t)size);
    }
}

/* Until nothing happens any more. */
static void talk(struct client *client)
{
    size_t sent = 0;
    for (unsigned i = 0; !the_watch.is_closed; i++) {
        require(i < TURNS_MAX);
        if (the_watch.wants_room && !client->is_deaf) {
            the_watch.wants_room = false;
            the_watch.events->has_room(the_watch.context);
        } else if (!the_watch.is_deaf && sent < client->size) {
            const size_t left = client->size - sent;
            const size_t part = left < client->step ? left : client->step;
            char *copy = malloc(part); /* of its very size, to see a read behind its end */
            require(copy != NULL);
            memcpy(copy, client->data + sent, part);
            sent += part;
            the_watch.events->received(the_watch.context, copy, part);
            free(copy);
        } else {
            return;
        }
        take_answers(client);
    }
}

static void let_time_pass(struct client *client)
{
    for (unsigned i = 0; !the_watch.is_closed && the_watch.has_timer; i++) {
        require(i < TURNS_MAX);
        the_watch.has_timer = false;
        now_ms += TURN_MS;
        the_watch.events->timeout(the_watch.context);
        take_answers(client);
        talk(client); /* what it still has to send it has sent */
    }
}

static void require_nothing_left(const struct server *server)
{
    require(server->connection_count == 0 && server->tcp_count == 0);
    require(server->exchange_count == 0 && server->job_count == 0);
    require(server->body_bytes == 0 && server->answer_bytes == 0);
    require(TAILQ_EMPTY(&server->idle) && TAILQ_EMPTY(&server->busy));
}

static void connect_and_talk(struct client *client, unsigned how)
{
    static struct settings settings;
    static char document[] = "{}";
    static struct server server;
    int ends[2];
    server_init(&settings, &server);
    TAILQ_INIT(&server.queue.line); /* of parts that are not opened */
    TAILQ_INIT(&server.tenants.list);
    server.state = SERVER_READY;
    for (size_t i = 0; i < SERVER_DOCUMENTS; i++) {
        server.documents[i] = document;
    }
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    client->fd = ends[1];
    client->is_http1 = true;
    connection_create(&server, ends[0], (how & BY_TCP) == 0);
    require(the_watch.fd == ends[0]);
    talk(client);
    if ((how & WAITS) != 0) {
        client->size = 0; /* all was sent */
        let_time_pass(client);
    }
    if (!the_watch.is_closed) {
        the_watch.is_closed = true;
        the_watch.events->gone(the_watch.context);
    }
    take_answers(client);
    require_nothing_left(&server);
    languages_destroy(server.languages);
    piston_names_destroy(server.piston);
    contract_policies_destroy(server.contract_policies);
    free(server.execute_sessions);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0";
    if (size < 1) {
        return 0;
    }
    const unsigned how = data[0];
    const char *text = (const char *)data + 1;
    size--;
    struct client whole = {
        .data = text, .size = size, .step = 65536, .is_deaf = (how & IS_DEAF) != 0};
    struct client pieces = whole;
    pieces.step = 1;
    connect_and_talk(&whole, how);
    if (size > sizeof(preface) && memcmp(text, preface, sizeof(preface) - 1) == 0) {
        return 0;
    }
    connect_and_talk(&pieces, how);
    if (whole.is_http1 && pieces.is_http1) {
        require(whole.status_count == pieces.status_count);
        require(memcmp(whole.statuses, pieces.statuses, sizeof(whole.statuses)) == 0);
    }
    return 0;
}
