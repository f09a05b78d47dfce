/* See listen.h. */
#include "front/serve/host/listen.h"

#include "front/places.h"
#include "front/serve/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* connections that wait to be accepted; the kernel may have fewer */

/* ---- the state directory ---- */

/* Whoever can put files there could let himself in, and see what everybody has run. */
static int check_owner(int fd, const char *path, struct cella_error *err)
{
    struct stat found;
    if (fstat(fd, &found) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot look at the directory %s", path);
    }
    if ((found.st_uid == 0 || found.st_uid == geteuid()) && (found.st_mode & S_IWOTH) == 0) {
        return 0;
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER, "the state directory %s %s", path,
                     (found.st_mode & S_IWOTH) != 0 ? "can be written by everybody"
                                                    : "belongs to another user");
    return serve_hint(err, "it must be root's, or of the user that the server runs as, alone");
}

int listen_hold_state(const char *path, struct cella_error *err)
{
    int fd = place_open_directory(path, err);
    if (fd < 0) {
        return -1;
    }
    if (check_owner(fd, path, err) < 0) {
        (void)close(fd);
        return -1;
    }
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot write to the directory %s", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "another server has the state directory %s",
                         path);
        (void)serve_hint(err, "stop it, or give this one a directory of its own with --state");
    } else {
        return fd;
    }
    (void)close(fd);
    return -1;
}

/* ---- the Unix socket ---- */

static int make_address(const char *path, struct sockaddr_un *ret_address, struct cella_error *err)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof(ret_address->sun_path)) {
        return serve_fail(err, CELLA_ERROR_CALLER, "the path of a socket has 1 to %zu bytes: %s",
                          sizeof(ret_address->sun_path) - 1, path);
    }
    memcpy(ret_address->sun_path, path, size + 1);
    return 0;
}

static int occupied(const char *path, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER, "another server answers at %s", path);
    return serve_hint(err, "stop it, or give this one a place of its own with --socket");
}

/* Removes the socket of a server that is gone. */
static int clear_path(const char *path, const struct sockaddr_un *address, struct cella_error *err)
{
    struct stat status;
    if (lstat(path, &status) < 0) {
        return errno == ENOENT ? 0
                               : serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot use %s", path);
    }
    if (!S_ISSOCK(status.st_mode)) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "%s is there and is no socket", path);
        return serve_hint(err, "remove it, or name another path with --socket");
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot make a socket");
    }
    int connected = connect(probe, (const struct sockaddr *)address, sizeof(*address));
    int problem = connected < 0 ? errno : 0;
    (void)close(probe);
    if (problem != ECONNREFUSED) { /* also when its queue is full: it lives */
        return occupied(path, err);
    }
    if (unlink(path) < 0 && errno != ENOENT) {
        return serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot remove the old socket %s", path);
    }
    return 0;
}

/* The mode is that of the umask from the beginning: at no moment others could connect. */
static int bind_alone(int fd, const struct sockaddr_un *address)
{
    mode_t mask = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    (void)umask(mask);
    return result;
}

static int bind_unix(const char *path, struct cella_error *err)
{
    struct sockaddr_un address;
    if (make_address(path, &address, err) < 0 || clear_path(path, &address, err) < 0) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind_alone(fd, &address) < 0 || listen(fd, BACKLOG) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot listen on %s", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

static bool is_same(int one, int other)
{
    struct stat status, others;
    return fstat(one, &status) == 0 && fstat(other, &others) == 0 &&
           status.st_dev == others.st_dev && status.st_ino == others.st_ino;
}

int listen_unix(const char *path, int state, struct cella_error *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    if (size >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot listen on %s", path);
    }
    (void)snprintf(directory, sizeof(directory), "%.*s", size, slash == NULL ? "." : path);
    int held = place_open_directory(directory, err);
    if (held < 0) {
        return -1;
    }
    /* Of two that start at once, both could find the socket of a third that is gone, and the second
     * would remove the first one's.  The state directory is held already. */
    int fd;
    if (!is_same(held, state) && flock(held, LOCK_EX | LOCK_NB) < 0) {
        fd =
            serve_fail(err, CELLA_ERROR_BUSY, "another server is about to listen in %s", directory);
        (void)serve_hint(err, "try again");
    } else {
        fd = bind_unix(path, err);
    }
    (void)close(held);
    return fd;
}

bool listen_peer_is_ours(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* ---- TCP ---- */

void listen_write_address(const struct sockaddr *address, char ret_text[VALUES_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host)); /* it fits */
        (void)snprintf(ret_text, VALUES_ADDRESS_SIZE, "[%s]:%u", host, ntohs(v6.sin6_port));
    } else {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host)); /* likewise */
        (void)snprintf(ret_text, VALUES_ADDRESS_SIZE, "%s:%u", host, ntohs(v4.sin_port));
    }
}

int listen_tcp(const struct values_address *address, struct cella_error *err)
{
    const int on = 1;
    int fd = socket(address->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* A server that was stopped leaves connections behind that keep the port for a minute. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, &address->address.any, address->size) < 0 || listen(fd, BACKLOG) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot listen on %s", address->text);
        if (err->sys_errno == EADDRINUSE) {
            (void)serve_hint(err, "another server has it: give this one another with --listen");
        }
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}
