/* See apart.h. */
#include "front/serve/host/apart.h"

#include "base/fd.h"
#include "front/serve/fail.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t apart_fork(int type, const char *what, int *ret_socket, struct cella_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot make a socket for %s", what);
    }
    const pid_t pid = fork();
    const int own = pid == 0 ? 1 : 0;
    (void)close(pair[1 - own]);
    if (pid < 0) {
        (void)close(pair[own]);
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot start %s", what);
    }
    *ret_socket = pair[own];
    return pid;
}

void apart_end(int *socket, pid_t *pid)
{
    fd_close(socket);
    while (*pid > 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *pid = 0;
}
