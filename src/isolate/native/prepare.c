/*
 * The part of a sandbox that depends on no plan: see sandbox.h.
 *
 * How it works: the keeper leases a uid, makes pipes and a control group, and clones the first
 * process into new namespaces.  That process waits until the keeper has written its id maps, which
 * it learns by the arrival of struct init_build; what it does then is in child.c.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/sandbox.h"
#include "isolate/native/sys.h"
#include "isolate/uids.h"
#include "isolate/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* While a sandbox is being prepared: everything that must be undone on failure. */
struct start {
    struct sandbox_host *host;
    enum child_kind kind;
    uint64_t waived;
    struct sandbox sandbox;
    int inside[SANDBOX_INSIDE]; /* the sandbox's ends */
    int control_inside;
};

static int take_lease(struct start *start, struct cella_error *err);
static int make_pipes(struct start *start, struct cella_error *err);
static int make_cgroup(struct start *start, struct cella_error *err);
static int clone_child(struct start *start, struct cella_error *err);
static int write_maps(struct start *start, struct cella_error *err);

static const struct {
    enum step step;
    int (*run)(struct start *start, struct cella_error *err);
} host_steps[] = {
    {STEP_LEASE, take_lease},  {STEP_PIPES, make_pipes}, {STEP_CGROUP, make_cgroup},
    {STEP_CLONE, clone_child}, {STEP_MAPS, write_maps},
};

void sandbox_blank(struct sandbox *ret_sandbox)
{
    *ret_sandbox = (struct sandbox){.pid = -1,
                                    .pidfd = -1,
                                    .control = -1,
                                    .lease = {-1, UIDS_FIRST, 0},
                                    .streams = {-1, -1, -1, -1},
                                    .processor = -1,
                                    .program = -1};
}

int sandbox_prepare(struct sandbox_host *host, enum child_kind kind, uint64_t waived,
                    struct sandbox *ret_sandbox, enum step *ret_step, struct cella_error *err)
{
    struct start start = {
        .host = host,
        .kind = kind,
        .waived = waived & CHILD_AHEAD,
        .inside = {-1, -1, -1, -1},
        .control_inside = -1,
    };
    sandbox_blank(&start.sandbox);
    start.sandbox.waived = start.waived;
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(host_steps) && result == 0; i++) {
        *ret_step = host_steps[i].step;
        result = host_steps[i].step == host->fault
                     ? error_set(err, CELLA_ERROR_HOST, EIO, "injected fault")
                     : host_steps[i].run(&start, err);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(start.inside); i++) {
        if (start.inside[i] >= 0) {
            (void)close(start.inside[i]); /* the first process has its own */
        }
    }
    if (start.control_inside >= 0) {
        (void)close(start.control_inside); /* likewise */
    }
    if (result != 0) {
        sandbox_discard(&start.sandbox);
        return -1;
    }
    *ret_sandbox = start.sandbox;
    return 0;
}

static bool waives(const struct start *start, enum protection protection)
{
    return (start->waived & protection_bit(protection)) != 0;
}

/* How many uids there are in its user namespace. */
static uint32_t ids_of(const struct start *start)
{
    return start->kind == CHILD_NEST && start->host->privileged ? 1 + NEST_SANDBOXES_MAX : 1;
}

static int take_lease(struct start *start, struct cella_error *err)
{
    struct sandbox *sandbox = &start->sandbox;
    if (!start->host->privileged || waives(start, PROTECTION_RUN_UID)) {
        return 0; /* one uid serves all, and `protections` says so */
    }
    if (lease_take(ids_of(start), &sandbox->lease, err) != 0) {
        return -1;
    }
    sandbox->held |= protection_bit(PROTECTION_RUN_UID);
    return 0;
}

/* The run's uid on the host, as the keeper's user namespace counts. */
static uid_t run_uid(const struct start *start)
{
    return start->host->privileged ? start->sandbox.lease.uid : geteuid();
}

int sandbox_make_pipes(struct sandbox *sandbox, uid_t owner, int ret_inside[SANDBOX_INSIDE],
                       struct cella_error *err)
{
    struct sandbox_streams *streams = &sandbox->streams;
    int pair[2];
    struct {
        int *reader, *writer;
    } const pipes[] = {
        {&ret_inside[SANDBOX_STDIN], &streams->stdin_write},
        {&streams->stdout_read, &ret_inside[SANDBOX_STDOUT]},
        {&streams->stderr_read, &ret_inside[SANDBOX_STDERR]},
        {&streams->collected_read, &ret_inside[SANDBOX_COLLECTED]},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pipes); i++) {
        if (pipe2(pair, O_CLOEXEC) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a pipe");
        }
        *pipes[i].reader = pair[0];
        *pipes[i].writer = pair[1];
        /* Else the program could not open /dev/stdout, which is a pipe of the keeper's. */
        if (fchown(pair[0], owner, owner) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot give a pipe to the run's uid");
        }
    }
    return 0;
}

int sandbox_make_control(struct sandbox *sandbox, int *ret_inside, struct cella_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a socket");
    }
    sandbox->control = pair[0];
    *ret_inside = pair[1];
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set a socket's mode");
    }
    return 0;
}

static int make_pipes(struct start *start, struct cella_error *err)
{
    if (start->kind != CHILD_NEST && /* nobody hears what is said in a nest */
        sandbox_make_pipes(&start->sandbox, run_uid(start), start->inside, err) != 0) {
        return -1;
    }
    return sandbox_make_control(&start->sandbox, &start->control_inside, err);
}

static int make_cgroup(struct start *start, struct cella_error *err)
{
    struct sandbox_host *host = start->host;
    if (host->cgroups.mechanism == KEEPER_BY_SUPERVISION) {
        return 0;
    }
    /* In nests the programs of all are made. */
    return cgroup_create(&host->cgroups, host->prepared++,
                         start->kind == CHILD_RUN && host->standing_back, &start->sandbox.cgroup,
                         err);
}

/* In the new process.  Never returns. */
static NORETURN void enter_child(struct start *start)
{
    struct init_build build;
    struct child child = {
        .kind = start->kind,
        .fault = start->host->fault,
        .privileged = start->host->privileged,
        .cgroup = start->sandbox.cgroup.host != NULL ? &start->sandbox.cgroup : NULL,
        .init_program = start->host->init_program,
        .streams = {start->inside[0], start->inside[1], start->inside[2]},
        .control = start->control_inside,
        .collected = start->inside[3],
        .park = -1,
        .lease = start->sandbox.lease.fd,
    };
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        child.shares[i] = -1;
    }
    /* After a change of uid /proc/self would be root's, and we have something to write there. */
    IGNORE(sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); /* would be seen at the first such write */
    /* With the keeper's end open too we would never see it end. */
    (void)close(start->sandbox.control); /* a copy of the keeper's */
    if (recv(child.control, &build, sizeof(build), 0) != (ssize_t)sizeof(build)) {
        _exit(1); /* the keeper is gone */
    }
    child.waived = build.waived;
    child_main(&child);
}

/* A user namespace belongs to the effective uid of whoever makes it, and what is used up in it
 * (inotify instances, queued signals, namespaces) is charged to that uid too.  With root's uid one
 * run could use up what root's own services need.  The keeper's capabilities stay as they are
 * (SECBIT_NO_SETUID_FIXUP, host.c). */
int child_become(uid_t id, struct cella_error *err)
{
    if (syscall(SYS_setresgid, -1L, (long)id, -1L) != 0 ||
        syscall(SYS_setresuid, -1L, (long)id, -1L) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot change the effective uid");
    }
    return 0;
}

static int clone_child(struct start *start, struct cella_error *err)
{
    struct sandbox *sandbox = &start->sandbox;
    const int cgroup = sandbox->cgroup.host != NULL ? cgroup_clone_fd(&sandbox->cgroup) : -1;
    const bool own_ipc = !waives(start, PROTECTION_IPC_NS);
    const bool own_uts = !waives(start, PROTECTION_UTS_NS);
    const struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD |
                 (own_ipc ? CLONE_NEWIPC : 0) | (own_uts ? CLONE_NEWUTS : 0) |
                 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&sandbox->pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)(unsigned)cgroup : 0,
    };
    const bool leased = sandbox->lease.fd >= 0;
    if (leased && child_become(sandbox->lease.uid, err) != 0) {
        return -1;
    }
    const pid_t pid = sys_clone3(&args);
    const int clone_errno = errno;
    if (pid == 0) {
        enter_child(start);
    }
    sandbox->pid = pid;
    if (leased && child_become(0, err) != 0) {
        return -1;
    }
    if (pid < 0) {
        error_set(err, CELLA_ERROR_HOST, clone_errno, "cannot make the namespaces");
        return err->kind != CELLA_ERROR_HOST
                   ? -1
                   : error_set_hint(err, "`cella doctor` says which one this host lacks");
    }
    sandbox->held |= protection_bit(PROTECTION_USER_NS) | protection_bit(PROTECTION_PID_NS) |
                     protection_bit(PROTECTION_INIT_SEALED) |
                     (own_ipc ? protection_bit(PROTECTION_IPC_NS) : 0) |
                     (own_uts ? protection_bit(PROTECTION_UTS_NS) : 0);
    return 0;
}

static int write_map(const struct start *start, const char *file, struct cella_error *err)
{
    char path[48];
    char map[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)start->sandbox.pid, file);
    (void)snprintf(map, sizeof(map), "%d %u %u\n",
                   start->kind == CHILD_NEST ? NEST_OWN_ID : INIT_GUEST_ID, run_uid(start),
                   ids_of(start));
    if (sys_write_file(AT_FDCWD, path, map) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot write %s", file);
    }
    return 0;
}

static int write_maps(struct start *start, struct cella_error *err)
{
    const struct init_build build = {.waived = start->waived};
    if (write_map(start, "uid_map", err) != 0 || write_map(start, "gid_map", err) != 0) {
        return -1;
    }
    if (send(start->sandbox.control, &build, sizeof(build), MSG_NOSIGNAL) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the sandbox's first process has died");
    }
    return 0;
}
