/*
 * The network namespace of a sandbox.
 *
 * How it works: making one takes the kernel half a millisecond, longer than all other namespaces
 * together.  So a process of its own makes it, on another processor if one is idle, while the first
 * process builds the root, and ends.  It shares the first process's descriptors, and leaves the
 * namespace there, under a number that was put aside for it.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int raise_loopback(int fd)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

/* The process that makes it: its exit code is 0 or an errno. */
static NORETURN void make_network(int place)
{
    int fd = -1;
    int namespace = -1;
    if (unshare(CLONE_NEWNET) == 0 && (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0 &&
        raise_loopback(fd) == 0 && (namespace = sys_ioctl(fd, SIOCGSKNS, NULL)) >= 0 &&
        dup2(namespace, place) == place) {
        (void)close(namespace); /* its duplicate stays */
        (void)close(fd);        /* a socket never used */
        _exit(0);
    }
    _exit(errno);
}

void child_begin_network(struct child *child)
{
    if (child_waives(child, PROTECTION_NET_NS)) {
        return;
    }
    child->network = fcntl(child->control, F_DUPFD_CLOEXEC, 0); /* any file: to be replaced */
    child->network_maker =
        child->network < 0 ? -1 : (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child->network_maker == 0) {
        make_network(child->network);
    }
    child->network_errno = errno;
}

int child_enter_network(struct child *child, struct cella_error *err)
{
    int status = 0;
    int number = child->network_errno;
    if (child_waives(child, PROTECTION_NET_NS)) {
        return 0;
    }
    if (child->network_maker > 0) {
        while (waitpid(child->network_maker, &status, 0) < 0 && errno == EINTR) {
        }
        number = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
        if (status == 0 && setns(child->network, CLONE_NEWNET) == 0) {
            (void)close(child->network); /* a namespace */
            child_holds(child, PROTECTION_NET_NS);
            return 0;
        }
        number = status == 0 ? errno : number;
    }
    error_set(err, CELLA_ERROR_HOST, number, "cannot make a network namespace");
    return err->kind != CELLA_ERROR_HOST
               ? -1
               : error_set_hint(err, "`cella doctor` says what this host lacks");
}

/* It was made with one that is up, as most plans want it.  One that was up and is taken down would
 * let programs wait for answers that never come; so the others get a namespace where it never
 * was. */
int child_set_loopback(struct child *child, struct cella_error *err)
{
    if (child->plan->loopback != 0 || child_waives(child, PROTECTION_NET_NS)) {
        return 0;
    }
    if (unshare(CLONE_NEWNET) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno,
                         "cannot make a network namespace without a loopback interface");
    }
    return 0;
}
