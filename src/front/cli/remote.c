/*
 * See remote.h.
 *
 * How it works: one POST to /v1/runs over the Unix socket, answered by server-sent events:
 * `started` with the run's id, `stdout` and `stderr` as output comes, `result` at the end.
 * Anything else but a refusal that speaks of the request means that the server is not there for us.
 * A client library would be larger than this program, so the little HTTP that this takes stands
 * here: of heads the status alone matters, and answers end with the connection.
 *
 * To cancel is another request, since the result is still wanted on this connection.
 */
#include "front/cli/remote.h"

#include "front/cli/report.h"

#include <cella/wire.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_SIZE ((size_t)65536)
/* The largest thing that comes is a result; see the bounds of the library's. */
#define RECEIVE_MAX ((size_t)1 << 31)
#define ID_MAX      64
/* A server says at once that it has a run, also when that has to wait for room; one that does not
 * say so hangs. */
#define START_MS 5000

enum remote_state { REMOTE_HEAD, REMOTE_EVENTS, REMOTE_PROBLEM };

struct remote {
    const struct remote_server *server;
    struct live *live;
    char head[160]; /* of the request; its body is: */
    char *json;
    size_t head_size, json_size;
    size_t sent;     /* of both */
    int64_t late_ms; /* when it should have started; by the monotonic clock */
    enum remote_state state;
    char *in; /* what came and is not yet understood */
    size_t in_size, in_capacity;
    size_t seen;     /* bytes of it in which no event ends */
    char id[ID_MAX]; /* "" before it has started */
    bool is_unused;  /* the server is not there for us */
    struct cella_result *result;
};

/* ---- connecting ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, size + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Not waiting: a server whose queue is full is busy enough. */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

void remote_connect(const char *path, struct remote_server *ret_server)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    int fd = connect_to(path);
    if (fd >= 0 && (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
                    (peer.uid != 0 && peer.uid != geteuid()))) {
        (void)close(fd); /* whoever it is may not read our code, nor make up its result */
        fd = -1;
    }
    ret_server->fd = fd;
    (void)snprintf(ret_server->path, sizeof(ret_server->path), "%s", path);
}

void remote_done(struct remote_server *server)
{
    if (server->fd >= 0) {
        (void)close(server->fd);
        server->fd = -1;
    }
}

/* ---- failing ---- */

/* Before the program has started nothing is lost: it can still be run without the server. */
static int lost(struct remote *remote, struct cella_error *err)
{
    remote->is_unused = remote->id[0] == '\0';
    return cli_fail(err, CELLA_ERROR_HOST, "what the server says is in its log",
                    "the server at %s has gone, and the program with it", remote->server->path);
}

/* What it says makes no sense. */
static int confused(struct remote *remote, struct cella_error *err)
{
    (void)lost(remote, err);
    return cli_fail(err, CELLA_ERROR_HOST, "stop it, or use --no-server",
                    "the server at %s is none of this version", remote->server->path);
}

/* ---- events ---- */

/* {"id":"..."}: the start of a run, which can be cancelled from now on. */
static int take_started(struct remote *remote, const char *json, struct cella_error *err)
{
    static const char before[] = "{\"id\":\"";
    const char *id = json + sizeof(before) - 1;
    size_t size = strncmp(json, before, sizeof(before) - 1) == 0 ? strcspn(id, "\"") : 0;
    if (size == 0 || size >= sizeof(remote->id)) {
        return confused(remote, err);
    }
    memcpy(remote->id, id, size);
    remote->id[size] = '\0';
    return 0;
}

static int take_output(struct remote *remote, enum cella_stream stream, const char *json,
                       size_t size, struct cella_error *err)
{
    char *data = NULL;
    size_t data_size = 0;
    if (cella_output_parse(json, size, &data, &data_size, err) < 0) {
        return confused(remote, err);
    }
    live_output(remote->live, stream, data, data_size);
    free(data);
    return 0;
}

static int take_result(struct remote *remote, const char *json, size_t size,
                       struct cella_error *err)
{
    if (remote->result != NULL || cella_result_parse(json, size, &remote->result, err) < 0) {
        return confused(remote, err);
    }
    live_done(remote->live);
    return 0;
}

/* "event: NAME\ndata: JSON"; others than these are a newer server's. */
static int take_event(struct remote *remote, char *text, size_t size, struct cella_error *err)
{
    static const char event[] = "event: ", data[] = "\ndata: ";
    char *json = memmem(text, size, data, sizeof(data) - 1);
    if (strncmp(text, event, sizeof(event) - 1) != 0 || json == NULL) {
        return confused(remote, err);
    }
    *json = '\0';
    json += sizeof(data) - 1;
    size -= (size_t)(json - text);
    const char *name = text + sizeof(event) - 1;
    if (strcmp(name, "started") == 0) {
        return take_started(remote, json, err);
    }
    if (strcmp(name, "stdout") == 0) {
        return take_output(remote, CELLA_STDOUT, json, size, err);
    }
    if (strcmp(name, "stderr") == 0) {
        return take_output(remote, CELLA_STDERR, json, size, err);
    }
    return strcmp(name, "result") == 0 ? take_result(remote, json, size, err) : 0;
}

/* Every event that is there to its end. */
static int take_events(struct remote *remote, struct cella_error *err)
{
    size_t taken = 0;
    for (;;) {
        char *start = remote->in + taken;
        char *end = memmem(start + remote->seen, remote->in_size - taken - remote->seen, "\n\n", 2);
        if (end == NULL) {
            break;
        }
        *end = '\0';
        if (take_event(remote, start, (size_t)(end - start), err) < 0) {
            return -1;
        }
        taken = (size_t)(end + 2 - remote->in);
        remote->seen = 0;
    }
    remote->in_size -= taken;
    memmove(remote->in, remote->in + taken, remote->in_size);
    remote->seen = remote->in_size > 0 ? remote->in_size - 1 : 0;
    return 0;
}

/* ---- the answer ---- */

static int take_head(struct remote *remote, struct cella_error *err)
{
    static const char version[] = "HTTP/1.1 ";
    const char *end = memmem(remote->in, remote->in_size, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    if (strncmp(remote->in, version, sizeof(version) - 1) != 0) {
        return confused(remote, err);
    }
    bool is_good = strncmp(remote->in + sizeof(version) - 1, "200 ", 4) == 0;
    size_t size = (size_t)(end + 4 - remote->in);
    remote->state = is_good ? REMOTE_EVENTS : REMOTE_PROBLEM;
    remote->in_size -= size;
    memmove(remote->in, remote->in + size, remote->in_size);
    return 0;
}

/* Room for what is read next, and a NUL behind it. */
static int make_room(struct remote *remote, struct cella_error *err)
{
    if (remote->in_capacity - remote->in_size > RECEIVE_SIZE) {
        return 0;
    }
    size_t wanted = remote->in_capacity * 2 + RECEIVE_SIZE + 1;
    char *in = wanted <= RECEIVE_MAX ? realloc(remote->in, wanted) : NULL;
    if (in == NULL) {
        return cli_fail(err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    remote->in = in;
    remote->in_capacity = wanted;
    return 0;
}

/* The answer is over: a refusal is all there, and events should have ended with a result. */
static int take_end(struct remote *remote, struct cella_error *err)
{
    struct cella_error problem;
    if (remote->state == REMOTE_PROBLEM &&
        cella_problem_parse(remote->in, remote->in_size, &problem, err) == 0) {
        *err = problem;
        return -1;
    }
    return lost(remote, err);
}

static int receive(struct remote *remote, struct cella_error *err)
{
    if (make_room(remote, err) < 0) {
        return -1;
    }
    ssize_t got = recv(remote->server->fd, remote->in + remote->in_size, RECEIVE_SIZE, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : lost(remote, err);
    }
    if (got == 0) {
        return take_end(remote, err);
    }
    remote->in_size += (size_t)got;
    remote->in[remote->in_size] = '\0';
    if (remote->state == REMOTE_HEAD && take_head(remote, err) < 0) {
        return -1;
    }
    return remote->state == REMOTE_EVENTS ? take_events(remote, err) : 0;
}

/* ---- the request ---- */

static bool is_sent(const struct remote *remote)
{
    return remote->sent == remote->head_size + remote->json_size;
}

static int send_some(struct remote *remote)
{
    bool in_head = remote->sent < remote->head_size;
    const char *from =
        in_head ? remote->head + remote->sent : remote->json + (remote->sent - remote->head_size);
    size_t size =
        (in_head ? remote->head_size : remote->head_size + remote->json_size) - remote->sent;
    ssize_t sent = send(remote->server->fd, from, size, MSG_NOSIGNAL);
    if (sent > 0) {
        remote->sent += (size_t)sent;
    }
    return sent >= 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int remote_begin(void *context, struct live *live, struct cella_error *err)
{
    struct remote *remote = context;
    (void)err;
    remote->live = live;
    remote->late_ms = now_ms() + START_MS;
    return 0;
}

static int remote_watch(void *context, short *ret_events, int *ret_ms)
{
    const struct remote *remote = context;
    int64_t left = remote->late_ms - now_ms();
    *ret_ms = remote->id[0] != '\0' ? -1 : left > 0 ? (int)left : 0;
    *ret_events = is_sent(remote) ? POLLIN : POLLIN | POLLOUT;
    return remote->server->fd;
}

/* A server may refuse before it has read everything: its answer is looked for before it counts that
 * it takes no more. */
static int remote_work(void *context, struct cella_error *err)
{
    struct remote *remote = context;
    if (receive(remote, err) < 0) {
        return -1;
    }
    if (remote->id[0] == '\0' && now_ms() > remote->late_ms) {
        return lost(remote, err);
    }
    if (!is_sent(remote) && remote->state == REMOTE_HEAD && send_some(remote) < 0) {
        return lost(remote, err);
    }
    return 0;
}

/* By another connection.  A server that is about to end takes none. */
static int remote_cancel(void *context)
{
    struct remote *remote = context;
    char request[160];
    if (remote->id[0] == '\0') {
        return -1; /* it has not started, and without us never will */
    }
    int fd = connect_to(remote->server->path);
    if (fd < 0) {
        return -1;
    }
    int size = snprintf(request, sizeof(request),
                        "DELETE /v1/runs/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", remote->id);
    ssize_t sent = send(fd, request, (size_t)size, MSG_NOSIGNAL);
    (void)close(fd);
    return sent == size ? 0 : -1;
}

/* Until the answer is whole, which its connection's end says. */
static int receive_answer(struct remote *remote, struct cella_error *err)
{
    struct pollfd socket = {.fd = remote->server->fd, .events = POLLIN};
    for (;;) {
        const int64_t left = remote->late_ms - now_ms();
        if (left <= 0 || make_room(remote, err) < 0) {
            return lost(remote, err);
        }
        (void)poll(&socket, 1, (int)left);
        ssize_t got = recv(socket.fd, remote->in + remote->in_size, RECEIVE_SIZE, 0);
        if (got == 0) {
            return 0;
        }
        if (got > 0) {
            remote->in_size += (size_t)got;
            remote->in[remote->in_size] = '\0';
        } else if (errno != EAGAIN && errno != EINTR) {
            return lost(remote, err);
        }
    }
}

int remote_get(const struct remote_server *server, const char *path, char **ret_body,
               size_t *ret_size, struct cella_error *err)
{
    struct remote remote = {.server = server, .late_ms = now_ms() + START_MS};
    int size = snprintf(remote.head, sizeof(remote.head),
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    int result = -1;
    if (send(server->fd, remote.head, (size_t)size, MSG_NOSIGNAL) != size) {
        (void)lost(&remote, err);
    } else if (receive_answer(&remote, err) == 0 && take_head(&remote, err) == 0) {
        result = remote.state == REMOTE_EVENTS ? 0 : take_end(&remote, err);
    }
    if (result < 0) {
        free(remote.in);
        return -1;
    }
    remote.in[remote.in_size] = '\0';
    *ret_body = remote.in;
    *ret_size = remote.in_size;
    return 0;
}

enum remote_end remote_run(const struct remote_server *server, const struct cella_request *request,
                           const struct interrupts *interrupts, const struct live_options *options,
                           struct live_outcome *ret_outcome, struct cella_error *err)
{
    struct remote remote = {.server = server};
    const struct live_runner runner = {
        .context = &remote,
        .begin = remote_begin,
        .watch = remote_watch,
        .work = remote_work,
        .cancel = remote_cancel,
    };
    if (cella_request_json(request, &remote.json, &remote.json_size, err) < 0 ||
        remote.json_size > REMOTE_REQUEST_MAX) {
        free(remote.json);
        return REMOTE_UNUSED;
    }
    remote.head_size = (size_t)snprintf(
        remote.head, sizeof(remote.head),
        "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Accept: text/event-stream\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
        remote.json_size);
    int result = live_loop(&runner, interrupts, options, ret_outcome, err);
    free(remote.json);
    free(remote.in);
    if (result < 0 && remote.is_unused && !ret_outcome->insisted) {
        return REMOTE_UNUSED;
    }
    ret_outcome->received = remote.result;
    return result < 0 ? REMOTE_FAILED : REMOTE_DONE;
}
