/*
 * See scope.h.
 *
 * How it works: one method call of D-Bus, written by hand, because a static program has no library
 * for it and starting `systemd-run` costs more than the rest of a run.  The manager's private
 * socket is a connection between two: no bus, no greeting.  Of what comes back only each message's
 * type is read.  An error is the end.  Anything else means that something has happened, and
 * whether it was for us the kernel knows best: /proc/self/cgroup then names another group.  The
 * manager sends a signal after it has moved us (JobRemoved), so we need not look on a timer.
 */
#include "isolate/native/scope.h"

#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define MESSAGE_MAX    1024 /* of ours */
#define SKIP_SIZE      1024
#define OWN_GROUPS_MAX 4096 /* of /proc/self/cgroup */

/* The format of D-Bus messages (dbus.freedesktop.org, "D-Bus Specification"). */
#define DBUS_HEADER_SIZE 16 /* the fixed part */
#define DBUS_CALL        1
#define DBUS_ERROR       3
enum dbus_field { DBUS_PATH = 1, DBUS_INTERFACE, DBUS_MEMBER, DBUS_SIGNATURE = 8 };

struct message {
    unsigned char bytes[MESSAGE_MAX];
    size_t size;
};

struct connection {
    int socket;
    int64_t deadline_ms;
};

static bool connect_manager(const char *path, int wait_ms, struct connection *connection);
static bool authenticate(const struct connection *connection);
static void write_call(struct message *message, const char *name);
static bool send_all(const struct connection *connection, const void *bytes, size_t size);
static bool wait_until_moved(const struct connection *connection, const char *before);

bool scope_enter(const char *socket_path, const char *name, int wait_ms)
{
    char before[OWN_GROUPS_MAX];
    struct message message = {.size = 0};
    struct connection connection;
    if (sys_read_file(AT_FDCWD, "/proc/self/cgroup", before, sizeof(before)) <= 0 ||
        !connect_manager(socket_path, wait_ms, &connection)) {
        return false;
    }
    write_call(&message, name);
    const bool moved = authenticate(&connection) &&
                       send_all(&connection, message.bytes, message.size) &&
                       wait_until_moved(&connection, before);
    (void)close(connection.socket); /* what was asked for has come, or is given up */
    return moved;
}

/* ---- the connection ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    IGNORE(clock_gettime(CLOCK_MONOTONIC, &now) != 0); /* valid arguments */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool connect_manager(const char *path, int wait_ms, struct connection *connection)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    connection->deadline_ms = now_ms() + wait_ms;
    connection->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connection->socket < 0) {
        return false;
    }
    /* Of a manager that accepts nobody the queue is full: EAGAIN, and we go without. */
    if (connect(connection->socket, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(connection->socket); /* never used */
        return false;
    }
    return true;
}

static bool wait_for(const struct connection *connection, short events)
{
    struct pollfd socket = {.fd = connection->socket, .events = events};
    int64_t left = connection->deadline_ms - now_ms();
    int count = 0;
    while (left > 0 && (count = poll(&socket, 1, (int)left)) < 0 && errno == EINTR) {
        left = connection->deadline_ms - now_ms();
    }
    return count > 0;
}

static bool send_all(const struct connection *connection, const void *bytes, size_t size)
{
    /* So little fits into the socket at once, or the other side is not what it should be. */
    return send(connection->socket, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* What is there now, waited for; 0 at the end of the time or of the connection. */
static size_t receive(const struct connection *connection, void *bytes, size_t size)
{
    const ssize_t got =
        wait_for(connection, POLLIN) ? recv(connection->socket, bytes, size, 0) : -1;
    return got > 0 ? (size_t)got : 0;
}

/* The uid is said in digits, each in hexadecimal; the kernel tells the manager the true one. */
static bool authenticate(const struct connection *connection)
{
    char uid[16];
    char line[96] = "AUTH EXTERNAL ";
    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
    for (const char *digit = uid; *digit != '\0'; digit++) {
        const size_t used = strlen(line);
        (void)snprintf(line + used, sizeof(line) - used, "%02x", (unsigned)*digit);
    }
    const size_t used = strlen(line);
    (void)snprintf(line + used, sizeof(line) - used, "\r\n");
    if (!send_all(connection, "", 1) || !send_all(connection, line, strlen(line))) {
        return false;
    }
    size_t size = 0;
    while (memchr(line, '\n', size) == NULL) { /* each turn adds a byte to a line of few */
        const size_t got =
            size < sizeof(line) ? receive(connection, line + size, sizeof(line) - size) : 0;
        if (got == 0) {
            return false;
        }
        size += got;
    }
    return strncmp(line, "OK ", 3) == 0 && send_all(connection, "BEGIN\r\n", 7);
}

/* ---- writing a message: numbers in this machine's order, each aligned to its size ---- */

static void add(struct message *message, const void *bytes, size_t size)
{
    if (size <= sizeof(message->bytes) - message->size) { /* names are short: always */
        memcpy(message->bytes + message->size, bytes, size);
        message->size += size;
    }
}

static void align(struct message *message, size_t to)
{
    static const unsigned char zeros[8];
    add(message, zeros, (to - message->size % to) % to);
}

static void add_number(struct message *message, uint32_t number)
{
    align(message, sizeof(number));
    add(message, &number, sizeof(number));
}

static void add_string(struct message *message, const char *text)
{
    add_number(message, (uint32_t)strlen(text));
    add(message, text, strlen(text) + 1);
}

static void add_signature(struct message *message, const char *signature)
{
    const unsigned char length = (unsigned char)strlen(signature);
    add(message, &length, 1);
    add(message, signature, (size_t)length + 1);
}

/* An array's length in bytes, known when it is complete.  Padding before its first element does not
 * count. */
static size_t open_array(struct message *message, size_t element_alignment)
{
    add_number(message, 0);
    const size_t length_at = message->size - sizeof(uint32_t);
    align(message, element_alignment);
    return length_at;
}

static void close_array(struct message *message, size_t length_at, size_t element_alignment)
{
    const size_t start = (length_at + sizeof(uint32_t) + element_alignment - 1) /
                         element_alignment * element_alignment;
    const uint32_t length = (uint32_t)(message->size - start);
    memcpy(message->bytes + length_at, &length, sizeof(length));
}

static void add_field(struct message *message, enum dbus_field field, const char *signature,
                      const char *value)
{
    const unsigned char code = (unsigned char)field;
    align(message, 8);
    add(message, &code, 1);
    add_signature(message, signature);
    if (field == DBUS_SIGNATURE) {
        add_signature(message, value);
    } else {
        add_string(message, value);
    }
}

static void add_property(struct message *message, const char *name, const char *signature)
{
    align(message, 8);
    add_string(message, name);
    add_signature(message, signature);
}

/* name, mode, properties as (name, variant), and an empty array of further units */
static void write_arguments(struct message *message, const char *name)
{
    char unit[128];
    (void)snprintf(unit, sizeof(unit), "%s.scope", name);
    add_string(message, unit);
    add_string(message, "fail");
    const size_t properties = open_array(message, 8);
    add_property(message, "Description", "s");
    add_string(message, "Programs run by Cella");
    add_property(message, "Delegate", "b");
    add_number(message, 1);
    add_property(message, "CollectMode", "s"); /* forgotten also when it has failed */
    add_string(message, "inactive-or-failed");
    add_property(message, "PIDs", "au");
    const size_t pids = open_array(message, sizeof(uint32_t));
    add_number(message, 0); /* whoever asks, as the kernel says: our number may be another there */
    close_array(message, pids, sizeof(uint32_t));
    close_array(message, properties, 8);
    close_array(message, open_array(message, 8), 8);
}

static void write_call(struct message *message, const char *name)
{
    static const uint16_t one = 1;
    const bool little = *(const unsigned char *)&one == 1;
    const unsigned char start[] = {little ? 'l' : 'B', DBUS_CALL, 0, 1};
    add(message, start, sizeof(start));
    add_number(message, 0); /* the size of the arguments: below */
    add_number(message, 1); /* the first message */
    const size_t fields = open_array(message, 8);
    add_field(message, DBUS_PATH, "o", "/org/freedesktop/systemd1");
    add_field(message, DBUS_INTERFACE, "s", "org.freedesktop.systemd1.Manager");
    add_field(message, DBUS_MEMBER, "s", "StartTransientUnit");
    add_field(message, DBUS_SIGNATURE, "g", "ssa(sv)a(sa(sv))");
    close_array(message, fields, 8);
    align(message, 8);
    /* Everything in the arguments is aligned as if they began the message: they begin at 8 × n. */
    const size_t arguments = message->size;
    write_arguments(message, name);
    const uint32_t size = (uint32_t)(message->size - arguments);
    memcpy(message->bytes + sizeof(start), &size, sizeof(size));
}

/* ---- what the manager says ---- */

static bool is_moved(const char *before)
{
    char now[OWN_GROUPS_MAX];
    return sys_read_file(AT_FDCWD, "/proc/self/cgroup", now, sizeof(now)) > 0 &&
           strcmp(now, before) != 0;
}

static bool receive_exactly(const struct connection *connection, unsigned char *bytes, size_t size)
{
    for (size_t have = 0; have < size;) {
        const size_t got = receive(connection, bytes + have, size - have);
        if (got == 0) {
            return false;
        }
        have += got;
    }
    return true;
}

static bool skip(const struct connection *connection, uint64_t size)
{
    unsigned char unread[SKIP_SIZE];
    while (size > 0) {
        const size_t part = size < sizeof(unread) ? (size_t)size : sizeof(unread);
        if (!receive_exactly(connection, unread, part)) {
            return false;
        }
        size -= part;
    }
    return true;
}

/* Reads one message.  Returns its type, 0 when none came. */
static int next_type(const struct connection *connection)
{
    unsigned char bytes[DBUS_HEADER_SIZE];
    uint32_t body, fields;
    if (!receive_exactly(connection, bytes, sizeof(bytes))) {
        return 0;
    }
    memcpy(&body, bytes + 4, sizeof(body));
    memcpy(&fields, bytes + 12, sizeof(fields));
    /* What changes in other units is told to us too, and at length. */
    return skip(connection, ((uint64_t)fields + 7) / 8 * 8 + body) ? bytes[1] : 0;
}

static bool wait_until_moved(const struct connection *connection, const char *before)
{
    while (!is_moved(before)) {
        const int type = next_type(connection); /* 0 at the deadline at the latest */
        if (type == 0 || type == DBUS_ERROR) {
            return false;
        }
    }
    return true;
}
