/*
 * The network namespace of a sandbox.
 *
 * How it works: making one takes the kernel half a millisecond, longer than all other namespaces
 * together.  So a process of its own makes it, on another processor if one is idle, while the first
 * process builds the root, and ends.  It shares the first process's descriptors, and leaves the
 * namespace there, under a number that was put aside for it.  A sandbox that is made ahead of need
 * makes its own: nobody waits for it, and a process more is work for the processors.
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

/* Returns a socket in it, or -1 with errno set. */
static int enter_new_network(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    const int fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? fd : -1;
}

/* The process that makes it: its exit code is 0 or an errno. */
static NORETURN void make_network(int place)
{
    const int fd = enter_new_network();
    const int namespace = fd >= 0 ? sys_ioctl(fd, SIOCGSKNS, NULL) : -1;
    if (namespace >= 0 && dup2(namespace, place) == place) {
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
    if (child->kind == CHILD_NESTED) {
        child->network = enter_new_network();
        child->network_errno = child->network >= 0 ? 0 : errno;
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

/* Returns 0 or an errno. */
static int enter_made_network(const struct child *child)
{
    int status = 0;
    while (waitpid(child->network_maker, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    }
    return setns(child->network, CLONE_NEWNET) == 0 ? 0 : errno;
}

int child_enter_network(struct child *child, struct cella_error *err)
{
    int number = child->network_errno;
    if (child_waives(child, PROTECTION_NET_NS)) {
        return 0;
    }
    if (child->kind != CHILD_NESTED && child->network_maker > 0) {
        number = enter_made_network(child);
    }
    if (child->network >= 0 && number == 0) {
        (void)close(child->network); /* a namespace, or a socket never used */
        child_holds(child, PROTECTION_NET_NS);
        return 0;
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
