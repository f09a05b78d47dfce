/*
 * See spawner.h.  Divisions: the process; its end of the socket; the server's.
 */
#include "front/serve/host/spawner.h"

#include "base/fd.h"
#include "base/fd_passing.h"
#include "base/paths.h"
#include "front/serve/fail.h"
#include "front/serve/host/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPAWNER_SOCKET 3 /* in its own process; the keeper finds its own there, too */
/* How long a keeper may take to end: one that is to be replaced, for which the engine has waited
 * already; and one whose server is gone. */
#define REPLACED_END_MS 1000
#define LAST_END_MS     6000

/* The bytes that ask. */
#define ASK_KEEPER 'k'
#define ASK_SOCKET 's'

/* What it answers to them. */
struct answer {
    int32_t sys_errno; /* 0, and a socket comes with it */
    int32_t pid;
};

/* ---- the process ---- */

/* Becomes the keeper, or ends.  All descriptors but the standard ones and `socket` go. */
static void become_keeper(const char *path, int socket)
{
    char name[] = "cella-keeper";
    char *const argv[] = {name, NULL};
    char *environment[] = {NULL, NULL};
#ifdef CELLA_TESTING
    char fault[128] = "CELLA_FAULT=";
    const char *given = getenv("CELLA_FAULT");
    if (given != NULL && strlen(given) + sizeof("CELLA_FAULT=") <= sizeof(fault)) {
        memcpy(fault + strlen(fault), given, strlen(given) + 1);
        environment[0] = fault;
    }
#endif
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(socket, SPAWNER_SOCKET) >= 0 && close_range(SPAWNER_SOCKET + 1, ~0U, 0) == 0) {
        (void)setsid(); /* an interrupt that is typed is the server's */
        (void)execve(path, argv, environment);
    }
    _exit(127);
}

static void end_keeper(int *pidfd, int wait_ms)
{
    struct pollfd ended = {.fd = *pidfd, .events = POLLIN};
    if (*pidfd >= 0 && poll(&ended, 1, wait_ms) != 1) {
        (void)pidfd_send_signal(*pidfd, SIGKILL, NULL, 0); /* with it the kernel ends its runs */
    }
    fd_close(pidfd);
}

/* The server's child: who waits for it is who has asked. */
static pid_t clone_keeper(const char *path, int socket)
{
    const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        become_keeper(path, socket);
    }
    return pid;
}

static void answer(const struct answer *said, int socket)
{
    const struct iovec part = {(void *)(uintptr_t)said, sizeof(*said)}; /* only read */
    if (fd_send(SPAWNER_SOCKET, &part, 1, &socket, socket >= 0 ? 1 : 0, 0) < 0) {
        return; /* nobody is there any more, which shows at once */
    }
}

static void start_keeper(const char *path, int *pidfd)
{
    struct answer said = {.pid = -1};
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        (said.pid = clone_keeper(path, pair[1])) < 0) {
        said.sys_errno = errno;
    } else {
        *pidfd = pidfd_open(said.pid, 0); /* -1: it will have to end by itself */
    }
    answer(&said, said.sys_errno == 0 ? pair[0] : -1);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

static void connect_socket(const struct sockaddr_storage *address, socklen_t size)
{
    struct answer said = {.pid = 0};
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)address, size) < 0 && errno != EINPROGRESS)) {
        said.sys_errno = errno;
        fd_close(&fd);
    }
    answer(&said, fd);
    fd_close(&fd);
}

static void serve(const char *path, const struct sockaddr_storage *address, socklen_t size)
{
    int pidfd = -1;
    char byte;
    ssize_t got;
    while ((got = recv(SPAWNER_SOCKET, &byte, sizeof(byte), 0)) != 0) {
        if (got < 0 && errno != EINTR) {
            break;
        }
        if (got > 0 && byte == ASK_SOCKET) {
            connect_socket(address, size);
        } else if (got > 0) {
            end_keeper(&pidfd, REPLACED_END_MS);
            start_keeper(path, &pidfd);
        }
    }
    end_keeper(&pidfd, LAST_END_MS);
}

static void run(const char *path, int socket, const struct sockaddr_storage *address,
                socklen_t size)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)prctl(PR_SET_NAME, "cella-spawner");
    if (dup2(socket, SPAWNER_SOCKET) == SPAWNER_SOCKET &&
        close_range(SPAWNER_SOCKET + 1, ~0U, 0) == 0 &&
        fcntl(SPAWNER_SOCKET, F_SETFD, FD_CLOEXEC) == 0 && setsid() > 0 &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
        serve(path, address, size);
    }
    _exit(0);
}

/* ---- the server's end ---- */

int spawner_open(struct spawner *ret_spawner, const struct sockaddr_storage *address,
                 socklen_t size, struct cella_error *err)
{
    char path[PATHS_SIZE];
    int socket = -1;
    if (paths_keeper(NULL, path, err) < 0) {
        return -1;
    }
    const pid_t pid = apart_fork(SOCK_SEQPACKET, "the spawner", &socket, err);
    if (pid < 0) {
        return -1;
    }
    if (pid == 0) {
        run(path, socket, address, size);
    }
    *ret_spawner = (struct spawner){.socket = socket, .pid = pid};
    return 0;
}

void spawner_close(struct spawner *spawner)
{
    apart_end(&spawner->socket, &spawner->pid);
}

/* Asks, and waits for the answer: -1 when nobody answers any more. */
static int ask(const struct spawner *spawner, char what, struct answer *ret_said, int *ret_socket)
{
    struct fd_passed passed;
    if (send(spawner->socket, &what, 1, MSG_NOSIGNAL) != 1 ||
        fd_receive(spawner->socket, ret_said, sizeof(*ret_said), 0, &passed) !=
            (ssize_t)sizeof(*ret_said)) {
        return -1;
    }
    *ret_socket = passed.count > 0 ? passed.fds[0] : -1; /* it sends one */
    return 0;
}

int spawner_start(const struct spawner *spawner, int *ret_socket, pid_t *ret_pid,
                  struct cella_error *err)
{
    struct answer said = {.pid = -1};
    int socket = -1;
    if (ask(spawner, ASK_KEEPER, &said, &socket) < 0) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "the process that starts keepers has ended");
        return serve_hint(err, "start the server again");
    }
    if (said.sys_errno != 0 || socket < 0) {
        errno = said.sys_errno != 0 ? said.sys_errno : EMFILE;
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot start a keeper");
    }
    *ret_socket = socket;
    *ret_pid = said.pid;
    return 0;
}

int spawner_connect(const struct spawner *spawner)
{
    struct answer said = {.pid = 0};
    int socket = -1;
    return ask(spawner, ASK_SOCKET, &said, &socket) == 0 ? socket : -1;
}
