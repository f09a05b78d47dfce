/* See activation.h. */
#include "front/serve/host/activation.h"

#include "front/serve/fail.h"
#include "front/serve/host/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_SOCKET 3 /* as the protocol has it */

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static int not_ours(int fd, const char *what, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_HOST, "descriptor %d, which was passed to listen on, %s", fd,
                     what);
    return serve_hint(err, "see to it that LISTEN_FDS counts sockets with ListenStream= only");
}

static bool has_option(int fd, int option, int wanted)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

/* "127.0.0.1:8420", "[::1]:8420", a path, or "@name". */
static void describe(const union any_address *address, socklen_t size, char *text, size_t capacity)
{
    if (address->any.sa_family != AF_UNIX) {
        char written[VALUES_ADDRESS_SIZE];
        listen_write_address(&address->any, written);
        (void)snprintf(text, capacity, "%s", written);
    } else {
        const size_t length = size - offsetof(struct sockaddr_un, sun_path);
        const bool abstract = length > 1 && address->local.sun_path[0] == '\0';
        (void)snprintf(text, capacity, "%s%.*s", abstract ? "@" : "",
                       (int)(abstract ? length - 1 : length),
                       abstract ? address->local.sun_path + 1 : address->local.sun_path);
    }
}

static int take_socket(int fd, struct activation_socket *ret_socket, struct cella_error *err)
{
    union any_address address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    if (!has_option(fd, SO_TYPE, SOCK_STREAM) || !has_option(fd, SO_ACCEPTCONN, 1) ||
        getsockname(fd, &address.any, &size) < 0 || size > sizeof(address)) {
        return not_ours(fd, "is no stream socket that listens", err);
    }
    const bool is_local = address.any.sa_family == AF_UNIX;
    *ret_socket = (struct activation_socket){.fd = fd, .is_local = is_local};
    describe(&address, size, ret_socket->text, sizeof(ret_socket->text));
    ret_socket->is_remote = !is_local && !values_is_loopback(&address.any);
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot use descriptor %d", fd);
    }
    return 0;
}

/* How many sockets there are; 0 when they are another process's. */
static int read_count(unsigned *ret_count, struct cella_error *err)
{
    const char *texts[] = {getenv("LISTEN_PID"), getenv("LISTEN_FDS")};
    uint64_t numbers[2];
    *ret_count = 0;
    if (texts[0] == NULL || texts[1] == NULL) {
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        if (units_parse_count(texts[i], &numbers[i]) != NULL) {
            return serve_fail(err, CELLA_ERROR_HOST, "LISTEN_%s=%s is no number",
                              i == 0 ? "PID" : "FDS", texts[i]);
        }
    }
    if (numbers[0] != (uint64_t)getpid()) {
        return 0;
    }
    if (numbers[1] > ACTIVATION_SOCKETS_MAX) {
        return serve_fail(err, CELLA_ERROR_HOST,
                          "LISTEN_FDS=%s is more than the %u that there may be", texts[1],
                          ACTIVATION_SOCKETS_MAX);
    }
    *ret_count = (unsigned)numbers[1];
    return 0;
}

/* They say nothing to us, but a list of another length is a list of other sockets. */
static int check_names(unsigned count, struct cella_error *err)
{
    const char *names = getenv("LISTEN_FDNAMES");
    unsigned there = names != NULL ? 1 : 0;
    if (names == NULL || count == 0) {
        return 0;
    }
    for (; *names != '\0'; names++) {
        there += *names == ':' ? 1 : 0;
    }
    return there == count ? 0
                          : serve_fail(err, CELLA_ERROR_HOST,
                                       "LISTEN_FDNAMES has %u names for %u sockets", there, count);
}

int activation_take(struct activation *ret_activation, struct cella_error *err)
{
    struct activation activation = {.count = 0};
    unsigned count;
    if (read_count(&count, err) < 0 || check_names(count, err) < 0) {
        return -1;
    }
    for (; activation.count < count; activation.count++) {
        if (take_socket(FIRST_SOCKET + (int)activation.count, &activation.items[activation.count],
                        err) < 0) {
            return -1;
        }
    }
    (void)unsetenv("LISTEN_PID"); /* these names are good */
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    *ret_activation = activation;
    return 0;
}

bool activation_has(const struct activation *activation, bool is_local)
{
    for (size_t i = 0; i < activation->count; i++) {
        if (activation->items[i].is_local == is_local) {
            return true;
        }
    }
    return false;
}

const char *activation_remote(const struct activation *activation,
                              const struct values_addresses *own)
{
    for (size_t i = 0; i < activation->count; i++) {
        if (activation->items[i].is_remote) {
            return activation->items[i].text;
        }
    }
    for (size_t i = 0; i < own->count && !activation_has(activation, false); i++) {
        if (own->items[i].is_remote) {
            return own->items[i].text;
        }
    }
    return NULL;
}
