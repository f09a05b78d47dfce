/*
 * See connection.h.  Divisions: beginning and end; what goes out; what the loop says.
 */
#include "front/serve/http/connection.h"

#include "base/attributes.h"
#include "base/clock.h"
#include "front/serve/host/listen.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http1.h"
#include "front/serve/http/http2.h"
#include "front/serve/http/tls.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a client that has its answer may take to see that this was the last one.  Closed at
 * once, with something unread, the kernel would take the answer back. */
#define LINGER_MS  2000U
#define AT_ONCE_MS 1U
/* What the kernel takes ahead of what goes over the wire.  Of a buffer of megabytes it tells that
 * there is room when a third of it is empty: a slow reader may need longer for that than it has. */
#define UNSENT_MAX (128 << 10)
/* More waits than tls_write() leaves: TLS has answers of its own, to who asks for new keys. */
#define CHOKED_MIN (2 * TLS_WAITING_MAX)

static void on_received(void *context, const char *data, size_t size);
static void on_has_room(void *context);
static void on_gone(void *context);
static void on_timeout(void *context);

static const struct loop_events events = {
    .received = on_received, .has_room = on_has_room, .gone = on_gone, .timeout = on_timeout};

void connection_create(struct server *server, int fd, bool is_local)
{
    const int on = 1, unsent = UNSENT_MAX;
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        (void)close(fd);
        return;
    }
    connection->server = server;
    connection->protocol = &http1_protocol;
    TAILQ_INIT(&connection->exchanges);
    connection->is_local = is_local;
    connection->is_stranger = is_local && !listen_peer_is_ours(fd);
    if (!is_local) {
        /* Answers are sent whole; without it the end of each would wait for an acknowledgement. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    }
    if (!is_local && server->tls != NULL) {
        connection->tls = tls_create(server->tls);
        if (connection->tls == NULL) {
            (void)close(fd);
            free(connection);
            return;
        }
    }
    connection->watch = loop_add_socket(server->loop, fd, &events, connection);
    if (connection->watch == NULL) {
        tls_destroy(connection->tls);
        free(connection);
        return;
    }
    server->connection_count++;
    server->tcp_count += !is_local;
    connection->is_idle = true;
    TAILQ_INSERT_TAIL(&server->idle, connection, link);
    loop_set_timer(connection->watch,
                   connection->tls != NULL ? CONNECTION_TLS_MS : CONNECTION_IDLE_MS);
}

void connection_destroy(struct connection *connection)
{
    struct server *server = connection->server;
    while (!TAILQ_EMPTY(&connection->exchanges)) {
        exchange_destroy(TAILQ_FIRST(&connection->exchanges));
    }
    connection->protocol->done(connection);
    TAILQ_REMOVE(connection->is_idle ? &server->idle : &server->busy, connection, link);
    server->connection_count--;
    server->tcp_count -= !connection->is_local;
    loop_close(connection->watch);
    tls_destroy(connection->tls);
    free(connection);
    server_settle(server);
}

void connection_refuse(int fd)
{
    static const char answer[] = CONNECTION_REFUSAL;
    (void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* or not */
    (void)close(fd);
}

/* The end of an answer may wait here when its exchange is over. */
static bool is_answering(const struct connection *connection)
{
    const struct exchange *exchange = NULL;
    TAILQ_FOREACH(exchange, &connection->exchanges, link)
    {
        if (exchange->state == EXCHANGE_ANSWERING) {
            return true;
        }
    }
    return !connection->is_shut && !connection_is_sent(connection);
}

bool connection_any_answering(const struct server *server)
{
    const struct connection_list *lists[] = {&server->busy, &server->idle};
    const struct connection *connection = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        TAILQ_FOREACH(connection, lists[i], link)
        {
            if (is_answering(connection)) {
                return true;
            }
        }
    }
    return false;
}

void connection_speak(struct connection *connection, const struct protocol *protocol, void *session)
{
    connection->protocol->done(connection);
    connection->protocol = protocol;
    connection->session = session;
}

void connection_set_idle(struct connection *connection, bool idle)
{
    struct server *server = connection->server;
    if (idle != connection->is_idle) {
        struct connection_list *from = idle ? &server->busy : &server->idle;
        struct connection_list *to = idle ? &server->idle : &server->busy;
        TAILQ_REMOVE(from, connection, link);
        TAILQ_INSERT_TAIL(to, connection, link);
        connection->is_idle = idle;
    }
}

static void update_reading(struct connection *connection)
{
    loop_set_reading(connection->watch, !connection->is_paused && !connection->is_choked);
}

void connection_set_reading(struct connection *connection, bool reading)
{
    connection->is_paused = !reading;
    update_reading(connection);
}

/* ---- what goes out ---- */

static ssize_t send_plain(struct connection *connection, struct iovec *parts, size_t count)
{
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    const ssize_t sent =
        sendmsg(loop_socket(connection->watch), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    connection->sent += sent > 0 ? (uint64_t)sent : 0;
    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

/* Sends what TLS has made, as far as the socket takes it.  1 when that was all, else 0; -1 when it
 * takes nothing more. */
static int flush_tls(struct connection *connection)
{
    struct iovec part;
    char *data;
    while ((part.iov_len = tls_waiting(connection->tls, &data)) > 0) {
        part.iov_base = data;
        const ssize_t sent = send_plain(connection, &part, 1);
        if (sent <= 0) {
            loop_want_room(connection->watch);
            return (int)sent;
        }
        tls_sent(connection->tls, (size_t)sent);
    }
    return 1;
}

ssize_t connection_write(struct connection *connection, struct iovec *parts, size_t count)
{
    if (connection->tls == NULL) {
        return send_plain(connection, parts, count);
    }
    const ssize_t taken = tls_write(connection->tls, parts, count);
    return taken >= 0 && flush_tls(connection) >= 0 ? taken : -1;
}

bool connection_is_sent(const struct connection *connection)
{
    char *data;
    return connection->tls == NULL || tls_waiting(connection->tls, &data) == 0;
}

bool uptake_is_slow(struct uptake *uptake, int64_t taken, size_t answer_size)
{
    const uint64_t now = clock_monotonic_ms();
    const size_t least = CONNECTION_SEND_MIN + answer_size / CONNECTION_SEND_PARTS;
    if (uptake->since_ms != 0 && now - uptake->since_ms < CONNECTION_SEND_MS) {
        return false;
    }
    const bool is_slow = uptake->since_ms != 0 && taken - uptake->taken < (int64_t)least;
    *uptake = (struct uptake){now, taken};
    return is_slow;
}

/* What the kernel holds is not taken yet. */
bool connection_is_slow(struct connection *connection, size_t answer_size)
{
    int held = 0;
    const uint64_t since_ms = connection->uptake.since_ms;
    if (since_ms != 0 && clock_monotonic_ms() - since_ms < CONNECTION_SEND_MS) {
        return false; /* as uptake_is_slow() would say, without a call */
    }
    IGNORE(ioctl(loop_socket(connection->watch), SIOCOUTQ, &held) < 0); /* it is a socket */
    return uptake_is_slow(&connection->uptake, (int64_t)connection->sent - held, answer_size);
}

/* Once nothing of it waits any more.  Its time begins once, whatever its runs still do. */
static void linger(struct connection *connection)
{
    if (connection->is_shut) {
        return;
    }
    if (connection->tls != NULL && flush_tls(connection) == 0 &&
        !connection_is_slow(connection, 0)) {
        loop_set_timer(connection->watch, CONNECTION_SEND_MS);
        return;
    }
    connection->is_shut = true;
    (void)shutdown(loop_socket(connection->watch), SHUT_WR); /* fails when the client has gone */
    loop_set_timer(connection->watch, LINGER_MS);
}

void connection_end(struct connection *connection)
{
    connection->is_ending = true;
    connection->is_choked = false;
    connection_set_reading(connection, true);
    if (connection->tls != NULL) {
        tls_end(connection->tls);
    }
    linger(connection);
}

void connection_give_up(struct connection *connection)
{
    if (!connection->is_ending) {
        connection->is_ending = true;
        connection->is_shut = true;
        loop_set_timer(connection->watch, AT_ONCE_MS);
    }
}

void connection_client(const struct connection *connection, char ret_client[RECORD_CLIENT_SIZE])
{
    struct sockaddr_storage address;
    memset(&address, 0, sizeof(address));
    struct ucred peer = {.uid = 0};
    socklen_t size = sizeof(address), peer_size = sizeof(peer);
    const int fd = loop_socket(connection->watch);
    ret_client[0] = '\0';
    if (connection->is_local) {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0) {
            (void)snprintf(ret_client, RECORD_CLIENT_SIZE, "user %u", (unsigned)peer.uid);
        }
        return;
    }
    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0) {
        return; /* it has gone */
    }
    listen_write_address((const struct sockaddr *)&address, ret_client);
}
_Static_assert(RECORD_CLIENT_SIZE >= VALUES_ADDRESS_SIZE, "an address fits");

/* ---- what the loop says ---- */

/* Now it is known which protocol is inside. */
static void begin_inside(struct connection *connection)
{
    loop_set_timer(connection->watch, CONNECTION_IDLE_MS);
    if (tls_wants_http2(connection->tls) && http2_begin(connection) < 0) {
        connection_give_up(connection);
    }
}

static void received_tls(struct connection *connection, const char *data, size_t size)
{
    char inside[TLS_READ_MAX];
    const bool was_open = tls_is_open(connection->tls);
    ssize_t got = tls_put(connection->tls, data, size);
    got = got == 0 ? tls_read(connection->tls, inside) : got;
    if (!was_open && tls_is_open(connection->tls)) {
        begin_inside(connection);
    }
    while (got > 0 && !connection->is_ending) {
        connection->protocol->received(connection, inside, (size_t)got);
        got = tls_read(connection->tls, inside);
    }
    if (flush_tls(connection) < 0 || got < 0) { /* what is wrong it has said there */
        connection_give_up(connection);
    }
    char *waiting;
    if (tls_waiting(connection->tls, &waiting) > CHOKED_MIN && !connection->is_ending) {
        connection->is_choked = true;
        update_reading(connection);
    }
}

static void on_received(void *context, const char *data, size_t size)
{
    struct connection *connection = context;
    if (connection->is_ending) {
        return;
    }
    if (connection->tls != NULL) {
        received_tls(connection, data, size);
    } else {
        connection->protocol->received(connection, data, size);
    }
}

/* Returns whether there is room for the protocol; -1 when there never will be. */
static int make_room(struct connection *connection)
{
    char *data;
    if (connection->tls == NULL) {
        return 1;
    }
    const int sent = flush_tls(connection);
    if (sent > 0 && connection->is_choked) {
        connection->is_choked = false;
        update_reading(connection);
    }
    return sent != 0 ? sent : tls_waiting(connection->tls, &data) <= TLS_WAITING_MAX;
}

static void on_has_room(void *context)
{
    struct connection *connection = context;
    struct server *server = connection->server;
    const int room = make_room(connection);
    if (room < 0) {
        connection_destroy(connection);
    } else if (connection->is_ending) {
        linger(connection);
    } else if (room > 0) {
        connection->protocol->has_room(connection);
    }
    if (server->state == SERVER_DRAINING) {
        server_settle(server); /* that may have been the last of an answer */
    }
}

static void on_timeout(void *context)
{
    struct connection *connection = context;
    if (connection->is_ending) {
        connection_destroy(connection);
    } else {
        connection->protocol->timeout(connection);
    }
}

static void on_gone(void *context)
{
    connection_destroy(context);
}
