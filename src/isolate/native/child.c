/*
 * See child.h.
 *
 * This code runs in a copy of the keeper's memory with every capability in the new user namespace
 * and none on the host.  It reads nothing that a guest could have made: the first such bytes (the
 * pack) are read by init, after the last step here.  No allocation, no stdio stream.
 */
#include "isolate/native/child.h"

#include "base/error.h"
#include "isolate/native/sys.h"
#include "isolate/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The kernel's memory killer, when the whole host is short, takes sandboxes before services, and
 * before the keeper, whatever score its caller has given it. */
#define MEMORY_SCORE         500
#define MEMORY_SCORE_TO_KEEP 100 /* above the keeper's */
#define MEMORY_SCORE_MAX     1000

/* Of ioprio_set(2), which no header of the library has. */
#define IO_WHO_PROCESS    1
#define IO_CLASS_SHIFT    13
#define IO_CLASS_REALTIME 1
#define IO_CLASS_BEST     2
#define IO_LEVEL_NORMAL   4
#define IO_BY_NICENESS    0L

/* Where descriptors wait while the low numbers are given out; above every INIT_FD_*. */
#define DESCRIPTOR_PARKING 64

static int separate(struct child *child, struct cella_error *err);
static int enter_cgroup(struct child *child, struct cella_error *err);
static int hide_cgroup(struct child *child, struct cella_error *err);
static int start_clocks(struct child *child, struct cella_error *err);
static int set_host_name(struct child *child, struct cella_error *err);
static int become_guest(struct child *child, struct cella_error *err);
static int tie_to_keeper(struct child *child, struct cella_error *err);
static int join_keyring(struct child *child, struct cella_error *err);
static int receive_plan(struct child *child, struct cella_error *err);
static int place_descriptors(struct child *child, struct cella_error *err);
static int execute_init(struct child *child, struct cella_error *err);
static int build(struct child *child, struct cella_error *err);

#define EVERY  (CHILD_RUN | CHILD_NEST | CHILD_NESTED)
#define OUTER  (CHILD_RUN | CHILD_NEST)
#define GUESTS (CHILD_RUN | CHILD_NESTED)

/* In the order of the table of steps.  A nest keeps the host's clocks: those of a sandbox in it
 * start at zero.  Priority and memory score a sandbox has from its nest. */
static const struct child_step {
    enum step step;
    unsigned kinds;
    int (*run)(struct child *child, struct cella_error *err);
} child_steps[] = {
    /* A real-time process is refused by some groups. */
    {STEP_SCHEDULING, OUTER, child_set_scheduling},
    {STEP_SCHEDULING, CHILD_NESTED, separate},
    {STEP_JOIN, EVERY, enter_cgroup},
    {STEP_CGROUP_NS, EVERY, hide_cgroup},
    {STEP_TIME_NS, GUESTS, start_clocks},
    {STEP_IDENTITY, EVERY, become_guest},
    {STEP_TIE, EVERY, tie_to_keeper},
    {STEP_KEYRING, EVERY, join_keyring},
    {STEP_ROOT, OUTER, child_mount_root},
    {STEP_ETC, OUTER, child_write_etc},
    {STEP_DEV, OUTER, child_make_dev},
    {STEP_PROC, EVERY, child_mount_proc},
    {STEP_PLAN, OUTER, receive_plan},
    {STEP_UTS, EVERY, set_host_name},
    {STEP_TERMINAL, OUTER, child_make_terminal},
    {STEP_BINDS, OUTER, child_bind_files},
    {STEP_BINDS, CHILD_NESTED, child_bind_shares},
    {STEP_HIDE_PLACES, OUTER, child_hide_places},
    {STEP_SCRATCH, EVERY, child_mount_scratch},
    {STEP_PIVOT, OUTER, child_pivot},
    {STEP_NETWORK, EVERY, child_enter_network},
    {STEP_LOOPBACK, EVERY, child_set_loopback},
    {STEP_DESCRIPTORS, EVERY, place_descriptors},
    {STEP_BUILDER, CHILD_NEST, build},
    {STEP_CAPABILITIES, GUESTS, child_drop_capabilities},
    {STEP_NO_NEW_PRIVS, GUESTS, child_set_no_new_privs},
    {STEP_LANDLOCK, GUESTS, child_load_landlock},
    {STEP_SECCOMP, GUESTS, child_load_seccomp},
    {STEP_INIT, GUESTS, execute_init},
};

static void report(const struct child *child, const struct init_report *report)
{
    /* With the keeper gone there is nobody to tell; the exit below ends the sandbox. */
    (void)send(child->control, report, sizeof(*report), MSG_NOSIGNAL);
}

NORETURN void child_main(struct child *child)
{
    struct init_report failure = {.type = INIT_FAILED};

    child_begin_network(child);
    for (size_t i = 0; i < ARRAY_LENGTH(child_steps); i++) {
        if ((child_steps[i].kinds & child->kind) == 0) {
            continue;
        }
        failure.step = child_steps[i].step;
        if (child->fault == child_steps[i].step) {
            error_set(&failure.error, CELLA_ERROR_HOST, EIO, "injected fault");
            break;
        }
        if (child_steps[i].run(child, &failure.error) != 0) {
            break;
        }
    }
    report(child, &failure);
    _exit(1);
}

static int separate(struct child *child, struct cella_error *err)
{
    (void)err; /* where the kernel can */
    child_separate(child);
    return 0;
}

static int enter_cgroup(struct child *child, struct cella_error *err)
{
    return child->cgroup != NULL ? cgroup_enter(child->cgroup, err) : 0;
}

static int hide_cgroup(struct child *child, struct cella_error *err)
{
    (void)err;
    /* Only now: the root of the new namespace is the group that we have just been put into. */
    if (child->cgroup != NULL && !child_waives(child, PROTECTION_CGROUP_NS) &&
        unshare(CLONE_NEWCGROUP) == 0) {
        child_holds(child, PROTECTION_CGROUP_NS);
    }
    return 0;
}

/* The offsets must be set before the namespace has a member, so it cannot be made by clone(). */
static int start_clocks(struct child *child, struct cella_error *err)
{
    enum { NEW_TIME = 0x80 }; /* CLONE_NEWTIME, which shares a bit with the exit signal mask */
    if (child_waives(child, PROTECTION_TIME_NS) || unshare(NEW_TIME) != 0) {
        return 0;
    }
    struct timespec monotonic, boot;
    char offsets[128];
    if (clock_gettime(CLOCK_MONOTONIC, &monotonic) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot read the clocks");
    }
    (void)snprintf(offsets, sizeof(offsets), "monotonic -%lld 0\nboottime -%lld 0\n",
                   (long long)monotonic.tv_sec, (long long)boot.tv_sec);
    if (sys_write_file(AT_FDCWD, "/proc/self/timens_offsets", offsets) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the time namespace's offsets");
    }
    int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, NEW_TIME) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot enter the time namespace");
    }
    (void)close(fd); /* a namespace */
    child_holds(child, PROTECTION_TIME_NS);
    return 0;
}

static int set_host_name(struct child *child, struct cella_error *err)
{
    if (child_waives(child, PROTECTION_UTS_NS)) {
        return 0;
    }
    const char *name = child->plan->hostname;
    if (sethostname(name, strlen(name)) != 0 || setdomainname("", 0) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the host name");
    }
    return 0;
}

/* Too little for a core file.  The host's handler of core dumps, which a core_pattern with a pipe
 * starts as root whatever the limit is, is left alone for this one number (see core(5)).  Here and
 * not with the other limits: the filter lets nobody set it. */
static int forbid_core_dumps(struct cella_error *err)
{
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_max = core.rlim_max > 0 ? 1 : 0; /* above a hard limit nobody goes */
        core.rlim_cur = core.rlim_max;
        if (setrlimit(RLIMIT_CORE, &core) == 0) {
            return 0;
        }
    }
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot limit core dumps");
}

/* What the keeper's caller has that is better than normal is not for guests; what is worse they
 * share.  By raw system calls: musl's functions for the scheduler do nothing. */
static int lower_priority(struct cella_error *err)
{
    const struct sched_param none = {.sched_priority = 0};
    const long policy = syscall(SYS_sched_getscheduler, 0) & ~(long)SCHED_RESET_ON_FORK;
    if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE &&
        syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot leave the real-time scheduler");
    }
    if (getpriority(PRIO_PROCESS, 0) < 0 && setpriority(PRIO_PROCESS, 0, 0) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the niceness");
    }
    const long io = syscall(SYS_ioprio_get, IO_WHO_PROCESS, 0); /* -1: a kernel without disks */
    const long class = io < 0 ? 0 : io >> IO_CLASS_SHIFT;
    const bool better =
        class == IO_CLASS_REALTIME || (class == IO_CLASS_BEST && (io & 7) < IO_LEVEL_NORMAL);
    if (better && syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_BY_NICENESS) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set the priority of reads");
    }
    return 0;
}

/* Never below the keeper's own, which the kernel would refuse as well. */
static int raise_memory_score(struct cella_error *err)
{
    static const char file[] = "/proc/self/oom_score_adj";
    char text[16];
    if (sys_read_file(AT_FDCWD, file, text, sizeof(text)) <= 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot read oom_score_adj");
    }
    long score = strtol(text, NULL, 10) + MEMORY_SCORE_TO_KEEP;
    score = score < MEMORY_SCORE ? MEMORY_SCORE : score;
    score = score > MEMORY_SCORE_MAX ? MEMORY_SCORE_MAX : score;
    (void)snprintf(text, sizeof(text), "%ld", score);
    if (sys_write_file(AT_FDCWD, file, text) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set oom_score_adj");
    }
    return 0;
}

int child_set_scheduling(struct child *child, struct cella_error *err)
{
    if (!child_waives(child, PROTECTION_RLIMITS) && forbid_core_dumps(err) != 0) {
        return -1;
    }
    if (lower_priority(err) != 0 || raise_memory_score(err) != 0) {
        return -1;
    }
    child_separate(child);
    return 0;
}

/* The ids change by raw system calls: the library's would look for threads of the keeper's. */
static int become_guest(struct child *child, struct cella_error *err)
{
    const long id = child->kind == CHILD_NEST ? NEST_OWN_ID : INIT_GUEST_ID;
    if (child->privileged && !child_waives(child, PROTECTION_GROUPS)) {
        if (syscall(SYS_setgroups, 0, NULL) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot drop supplementary groups");
        }
        child_holds(child, PROTECTION_GROUPS);
    }
    if (syscall(SYS_setresgid, id, id, id) != 0 || syscall(SYS_setresuid, id, id, id) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot take on the run's uid and gid");
    }
    return 0;
}

/* After the uid: changing it clears the setting. */
static int tie_to_keeper(struct child *child, struct cella_error *err)
{
    if (child_waives(child, PROTECTION_DIES_WITH_KEEPER)) {
        return 0;
    }
    if (sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot tie the sandbox to the keeper");
    }
    child_holds(child, PROTECTION_DIES_WITH_KEEPER);
    return 0;
}

static int join_keyring(struct child *child, struct cella_error *err)
{
    (void)err;
    /* Kernels without keys have none to protect. */
    if (!child_waives(child, PROTECTION_KEYRING) &&
        syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) {
        child_holds(child, PROTECTION_KEYRING);
    }
    return 0;
}

static int receive_plan(struct child *child, struct cella_error *err)
{
    static struct init_plan message; /* too large for comfort on a stack */
    const ssize_t got =
        sys_receive(child->control, &message, sizeof(message), child->shares, PLAN_WRITABLE_MAX);
    if (got == 0) {
        _exit(0); /* the keeper has no use for us */
    }
    if (got != (ssize_t)sizeof(message) || child_ahead(&message.plan) != child->waived) {
        return error_set(err, CELLA_ERROR_BUG, 0, "the sandbox was sent no plan of its kind");
    }
    child->plan = &message.plan;
    child->waived |= message.plan.waived;
    return 0;
}

/* Every descriptor first moves out of the way, so that no dup2 hits one that is still needed. */
static int place_descriptors(struct child *child, struct cella_error *err)
{
    int *const places[INIT_FD_COUNT] = {
        &child->streams[0],
        &child->streams[1],
        &child->streams[2],
        [INIT_FD_CONTROL] = &child->control,
        [INIT_FD_PACK] = NULL, /* comes with the order to run */
        [INIT_FD_COLLECTED] = &child->collected,
        [INIT_FD_LEASE] = &child->lease,
        [INIT_FD_LISTENER] = NULL,
        [INIT_FD_PARK] = &child->park,
        [INIT_FD_PROGRAM] = &child->init_program,
    };
    for (int i = 0; i < INIT_FD_COUNT; i++) {
        if (places[i] != NULL && *places[i] >= 0) {
            const int moved = fcntl(*places[i], F_DUPFD, DESCRIPTOR_PARKING);
            if (moved < 0) { /* by the control socket, still where it was, this is told */
                /* EINVAL: the limit on descriptors is below the place asked for. */
                return error_set(err, CELLA_ERROR_HOST, errno == EINVAL ? EMFILE : errno,
                                 "cannot move a descriptor");
            }
            *places[i] = moved;
        }
    }
    for (int i = 0; i < INIT_FD_COUNT; i++) {
        (void)close(i); /* may not be open */
        if (places[i] != NULL && *places[i] >= 0) {
            if (dup2(*places[i], i) < 0) {
                return error_set(err, CELLA_ERROR_HOST, errno, "cannot place a descriptor");
            }
            *places[i] = i;
        }
    }
    if (sys_close_range(INIT_FD_COUNT, ~0U, 0) != 0 ||
        fcntl(INIT_FD_PROGRAM, F_SETFD, FD_CLOEXEC) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot close the keeper's descriptors");
    }
    return 0;
}

static int build(struct child *child, struct cella_error *err)
{
    (void)err;
    child_build(child);
}

static int execute_init(struct child *child, struct cella_error *err)
{
    char name[] = "cella-init";
    char *const argv[] = {name, NULL};
    char *const envp[] = {NULL};
    const struct init_report confined = {.type = INIT_CONFINED, .protections = child->held};

    report(child, &confined);
    IGNORE(sys_execveat(child->init_program, argv, envp)); /* returns on failure alone */
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot execute init");
}
