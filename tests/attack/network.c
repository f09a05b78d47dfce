/*
 * Attacks on what other programs and other machines offer: Unix sockets, and the network.
 *
 * ARGUMENTS that tests give: names and addresses of services which they have put on the host.
 */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static enum verdict connect_unix(const char *name, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    const size_t start = abstract ? 1 : 0;
    if (length + start >= sizeof(address.sun_path)) {
        return not_applicable("the name is too long");
    }
    memcpy(address.sun_path + start, name, length);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + start + length);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return by_result(fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&address, size));
}

static enum verdict connect_abstract(const char *argument)
{
    return connect_unix(argument, true);
}

static enum verdict connect_path(const char *argument)
{
    return connect_unix(argument, false);
}

/* ---- the network ---- */

/* `argument`: "ADDRESS PORT". */
static enum verdict connect_to(const char *argument, int type)
{
    char host[64];
    unsigned short port = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (sscanf(argument, "%63s %hu", host, &port) != 2) {
        return not_applicable("no such address on this host");
    }
    v4.sin_port = htons(port);
    v6.sin6_port = htons(port);
    const bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) {
        return not_applicable("no address");
    }
    const int fd = socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    const struct sockaddr *address =
        is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    return by_result(fd < 0 ? -1 : connect(fd, address, is_v4 ? sizeof(v4) : sizeof(v6)));
}

static enum verdict connect_tcp(const char *argument)
{
    return connect_to(argument, SOCK_STREAM);
}

/* Connecting a datagram socket sends nothing; it asks whether there is a way there. */
static enum verdict find_route(const char *argument)
{
    return connect_to(argument, SOCK_DGRAM);
}

/* `argument`: "ADDRESS PORT" of a service that echoes. */
static enum verdict ask_udp(const char *argument)
{
    char host[64];
    unsigned short port = 0;
    char answer[8];
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct timeval patience = {.tv_usec = 300000};
    if (sscanf(argument, "%63s %hu", host, &port) != 2 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return not_applicable("no address");
    }
    address.sin_port = htons(port);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        sendto(fd, "ask", 3, 0, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return by_result(-1);
    }
    return by_result(recv(fd, answer, sizeof(answer), 0));
}

static enum verdict find_interfaces(const char *argument UNUSED)
{
    char text[8192];
    const int fd = open("/proc/self/net/dev", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (size < 0) {
        return by_result(-1);
    }
    text[size] = '\0';
    int interfaces = 0;
    for (const char *at = text; (at = strchr(at, ':')) != NULL; at++) {
        interfaces++;
    }
    return interfaces > 1 ? achieved("%d interfaces", interfaces) : refused("only a loopback");
}

static enum verdict open_mptcp(const char *argument UNUSED)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */);
    return fd < 0 && (errno == EPROTONOSUPPORT || errno == ENOPROTOOPT)
               ? not_applicable("no MPTCP in this kernel")
               : by_result(fd);
}

const struct attack network_attacks[] = {
    {"mptcp", "network", "seccomp", "socket", "", open_mptcp, "open a socket that Landlock misses"},
    {"unix_socket", "others", "built_root", "", "socket", connect_path,
     "connect to a Unix socket by path"},
    {"abstract_socket", "others", "network_namespace,landlock_scope", "", "abstract",
     connect_abstract, "connect to an abstract Unix socket"},
    {"interfaces", "network", "network_namespace", "", "", find_interfaces,
     "see the host's interfaces"},
    {"tcp_loopback", "network", "network_namespace,landlock_network", "", "tcp", connect_tcp,
     "connect to a service on 127.0.0.1"},
    {"tcp_loopback_v6", "network", "network_namespace,landlock_network", "", "tcp6", connect_tcp,
     "connect to a service on ::1"},
    {"tcp_any", "network", "network_namespace,landlock_network", "", "tcp_any", connect_tcp,
     "connect to it by 0.0.0.0"},
    {"tcp_mapped", "network", "network_namespace,landlock_network", "", "tcp_mapped", connect_tcp,
     "connect to it by ::ffff:127.0.0.1"},
    {"tcp_address", "network", "network_namespace,landlock_network", "", "tcp_address", connect_tcp,
     "connect to a service on the host's own address"},
    {"udp_loopback", "network", "network_namespace", "", "udp", ask_udp, "ask a service by UDP"},
    {"metadata_route", "network", "network_namespace", "", "metadata", find_route,
     "find a way to 169.254.169.254"},
    {"internet_route", "network", "network_namespace", "", "internet", find_route,
     "find a way to the internet"},
};
const size_t network_attack_count = COUNT_OF(network_attacks);
