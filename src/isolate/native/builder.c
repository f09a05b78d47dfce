/*
 * The first process of a nest: PID 1 there, and the maker of the first processes of the sandboxes
 * in it, which are copies of this one in namespaces below its own.
 *
 * It has every capability in the nest's user namespace, and none on the host.  So has, but for most
 * of the capabilities, the zygote beside it: neither is protected from the other.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"
#include "isolate/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What holds for the nest's root holds for the sandboxes that share it. */
#define SHARED                                                                                     \
    (protection_bit(PROTECTION_MOUNT_NS) | protection_bit(PROTECTION_READ_ONLY) |                  \
     protection_bit(PROTECTION_ROOT_READ_ONLY))

struct order {
    struct nest_build build;
    int descriptors[NEST_BUILD_DESCRIPTORS_MAX];
};

/* 0 or an errno. */
static int make_sandbox(const struct child *nest, const struct order *order, int *ret_pidfd);

static void close_all(int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (descriptors[i] >= 0) {
            (void)close(descriptors[i]); /* the sandbox has its own */
        }
    }
}

NORETURN void child_build(struct child *child)
{
    const struct init_report ready = {.type = INIT_CONFINED, .protections = child->held};
    struct order order;
    /* Changing the effective uid shall not change capabilities.  And nobody waits for what dies
     * here: neither a sandbox's first process, which the keeper looks at by its pidfd, nor what a
     * zygote may have left. */
    if (sys_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0 ||
        sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL) != 0 ||
        sys_send(child->control, &ready, sizeof(ready), NULL, 0) != 0) {
        _exit(1);
    }
    while (sys_receive(child->control, &order.build, sizeof(order.build), order.descriptors,
                       NEST_BUILD_DESCRIPTORS_MAX) == (ssize_t)sizeof(order.build)) {
        int pidfd = -1;
        const struct nest_built built = {.number = order.build.number,
                                         .sys_errno = make_sandbox(child, &order, &pidfd)};
        close_all(order.descriptors, NEST_BUILD_DESCRIPTORS_MAX);
        if (sys_send(child->control, &built, sizeof(built), &pidfd, pidfd >= 0 ? 1 : 0) != 0) {
            break;
        }
        close_all(&pidfd, 1);
    }
    _exit(0); /* the keeper is gone, or has no use for us */
}

/* In the new process.  Never returns. */
static NORETURN void enter_sandbox(const struct child *nest, const struct order *order, int maps)
{
    struct cgroup cgroup = {.dirs = {-1, -1, -1, -1}, .entries = {-1, -1, -1, -1}};
    struct child child = {
        .kind = CHILD_NESTED,
        .waived = nest->waived,
        .plan = nest->plan,
        .fault = nest->fault,
        .privileged = nest->privileged,
        .init_program = nest->init_program,
        .streams = {-1, -1, -1},
        .control = order->descriptors[NEST_BUILD_CONTROL],
        .collected = order->descriptors[NEST_BUILD_COLLECTED],
        .park = order->descriptors[NEST_BUILD_PARK],
        .lease = -1, /* the nest holds it for all */
        .held = nest->held & SHARED,
    };
    const size_t entry_count = order->build.entry_count < ZYGOTE_ENTRIES_MAX
                                   ? order->build.entry_count
                                   : ZYGOTE_ENTRIES_MAX;
    char written = 0;
    if (entry_count > 0) {
        memcpy(cgroup.entries, order->descriptors + NEST_BUILD_ENTRIES,
               entry_count * sizeof(cgroup.entries[0]));
        child.cgroup = &cgroup;
    }
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        child.shares[i] = i < order->build.share_count
                              ? order->descriptors[NEST_BUILD_ENTRIES + entry_count + i]
                              : -1;
    }
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    IGNORE(sigaction(SIGCHLD, &standard, NULL) != 0); /* the builder ignores it */
    IGNORE(sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));   /* would be seen at the first write there */
    (void)close(nest->control);                       /* a copy of the builder's */
    if (read(maps, &written, 1) != 1) {
        _exit(1); /* the builder could not write the id maps */
    }
    (void)close(maps); /* a pipe */
    if (sys_keep_on_processor(0, order->build.processor) != 0) {
        _exit(1);
    }
    child_main(&child);
}

static int write_map(pid_t pid, const char *file, uint32_t id)
{
    char path[48];
    char map[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    (void)snprintf(map, sizeof(map), "%d %u 1\n", INIT_GUEST_ID, id);
    return sys_write_file(AT_FDCWD, path, map);
}

/* Returns the errno of what failed, else 0. */
static int clone_first(const struct child *nest, const struct order *order, int *ret_pidfd,
                       pid_t *ret_pid, int maps)
{
    struct cella_error error;
    *ret_pidfd = -1;
    const bool own_ipc = !child_waives(nest, PROTECTION_IPC_NS);
    const bool own_uts = !child_waives(nest, PROTECTION_UTS_NS);
    const struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD |
                 (own_ipc ? CLONE_NEWIPC : 0) | (own_uts ? CLONE_NEWUTS : 0),
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
    };
    /* That takes from its child, too, the right to its own files in /proc, where the maps are. */
    if (child_become(order->build.uid, &error) != 0) {
        return error.sys_errno;
    }
    if (sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
        return errno;
    }
    *ret_pid = sys_clone3(&args);
    const int number = errno;
    if (*ret_pid == 0) {
        enter_sandbox(nest, order, maps);
    }
    if (child_become(NEST_OWN_ID, &error) != 0) {
        return error.sys_errno;
    }
    return *ret_pid > 0 ? 0 : number;
}

static int make_sandbox(const struct child *nest, const struct order *order, int *ret_pidfd)
{
    int maps[2];
    pid_t pid = -1;
    if (order->descriptors[NEST_BUILD_PARK] < 0 || pipe2(maps, O_CLOEXEC) != 0) {
        return errno;
    }
    int number = clone_first(nest, order, ret_pidfd, &pid, maps[0]);
    if (number == 0 &&
        (write_map(pid, "uid_map", order->build.uid) != 0 ||
         write_map(pid, "gid_map", order->build.uid) != 0 || write(maps[1], "", 1) != 1)) {
        number = errno;
    }
    (void)close(maps[0]); /* a pipe: at its end a first process without maps ends */
    (void)close(maps[1]);
    if (number != 0) {
        close_all(ret_pidfd, 1);
        *ret_pidfd = -1;
    }
    return number;
}
