/*
 * The part of a sandbox that is a plan's, and its end: see sandbox.h.
 */
#include "isolate/native/sandbox.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int limit_cgroup(const struct plan *plan, struct sandbox *sandbox, struct cella_error *err);
static int send_plan(const struct sandbox_host *host, const struct plan *plan, int pack,
                     const struct sandbox *sandbox, struct cella_error *err);

/* The one made ahead, if it is of the plan's kind. */
static int take_prepared(struct sandbox_host *host, const struct plan *plan,
                         struct sandbox *ret_sandbox, enum step *ret_step, struct cella_error *err)
{
    if (host->spare.pid > 0 && host->spare.waived == (plan->waived & CHILD_AHEAD)) {
        *ret_sandbox = host->spare;
        host->spare.pid = -1;
        return 0;
    }
    return sandbox_prepare(host, plan->waived, ret_sandbox, ret_step, err);
}

bool sandbox_next_report(const struct sandbox *sandbox, struct init_report *ret_report,
                         bool *ret_closed)
{
    ssize_t got = 0;
    do {
        /* A process that died with a message of ours unread leaves ECONNRESET, once, and behind it
         * what it had said. */
        got = recv(sandbox->control, ret_report, sizeof(*ret_report), 0);
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    *ret_closed = got >= 0 && got != (ssize_t)sizeof(*ret_report);
    return got == (ssize_t)sizeof(*ret_report);
}

/* A first process that cannot be written to has died; it may have said of what. */
static void tell_first_failure(const struct sandbox *sandbox, enum step *step,
                               struct cella_error *err)
{
    struct init_report report;
    bool closed = false;
    while (sandbox_next_report(sandbox, &report, &closed)) {
        if (report.type == INIT_FAILED && report.step < STEP_COUNT) {
            *step = (enum step)report.step;
            *err = report.error;
        }
    }
}

int sandbox_start(struct sandbox_host *host, const struct plan *plan, int pack,
                  struct sandbox *ret_sandbox, enum step *ret_step, struct cella_error *err)
{
    struct sandbox sandbox;
    if (take_prepared(host, plan, &sandbox, ret_step, err) != 0) {
        return -1;
    }
    *ret_step = STEP_LIMITS;
    int result = host->fault == STEP_LIMITS
                     ? error_set(err, CELLA_ERROR_HOST, EIO, "injected fault")
                     : limit_cgroup(plan, &sandbox, err);
    if (result == 0) {
        *ret_step = STEP_PLAN;
        result = send_plan(host, plan, pack, &sandbox, err);
        if (result != 0) {
            tell_first_failure(&sandbox, ret_step, err);
        }
    }
    if (result != 0) {
        sandbox_discard(&sandbox);
        return -1;
    }
    *ret_sandbox = sandbox;
    return 0;
}

static int limit_cgroup(const struct plan *plan, struct sandbox *sandbox, struct cella_error *err)
{
    uint64_t held = protection_bit(PROTECTION_MEMORY) | protection_bit(PROTECTION_PROCESSES);

    if (sandbox->cgroup.host != NULL) {
        if (cgroup_limit(&sandbox->cgroup, &plan->limits, plan->waived, err) != 0) {
            return -1;
        }
        held |= sandbox->cgroup.host->without_cpu ? 0 : protection_bit(PROTECTION_CPU);
    } else if (plan->control_groups == PLAN_CONTROL_GROUPS_REQUIRED) {
        error_set(err, CELLA_ERROR_HOST, 0,
                  "the policy demands control groups and this host gives us none");
        return error_set_hint(err, "`cella doctor` says how to get them");
    }
    sandbox->held |= held & ~plan->waived;
    return 0;
}

/* The plan with the pack's descriptor, and behind it what init will read after its exec. */
static int send_plan(const struct sandbox_host *host, const struct plan *plan, int pack,
                     const struct sandbox *sandbox, struct cella_error *err)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)plan, .iov_len = sizeof(*plan)};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof(control)};
    const struct init_start start = {.limits = plan->limits,
                                     .waived = plan->waived,
                                     .supervise = sandbox->cgroup.host == NULL,
                                     .fault_step = (uint32_t)host->fault};
    _Static_assert(sizeof(struct init_plan) == sizeof(struct plan), "sent as it is");

    memset(&control, 0, sizeof(control));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = (socklen_t)CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &pack, sizeof(pack));
    if (sendmsg(sandbox->control, &message, MSG_NOSIGNAL) < 0 ||
        send(sandbox->control, &start, sizeof(start), MSG_NOSIGNAL) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot send the plan to the sandbox");
    }
    return 0;
}

void sandbox_end(struct sandbox *sandbox, struct cgroup_usage *ret_usage, struct rusage *ret_rusage)
{
    *ret_usage = (struct cgroup_usage){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                       UINT64_MAX, UINT64_MAX, UINT64_MAX};
    *ret_rusage = (struct rusage){0};
    if (sandbox->pid > 0) {
        /* The kernel ends a PID namespace with its first process, and lets that one be waited for
         * only when all others are gone.  It may be dead already. */
        IGNORE(sys_pidfd_send_signal(sandbox->pidfd, SIGKILL));
        while (wait4(sandbox->pid, NULL, 0, ret_rusage) < 0 && errno == EINTR) {
        }
        sandbox->pid = -1;
    }
    if (sandbox->cgroup.host != NULL) {
        cgroup_measure(&sandbox->cgroup, ret_usage);
        cgroup_remove(&sandbox->cgroup);
    }
    fd_close(&sandbox->pidfd);
    fd_close(&sandbox->control);
    lease_release(&sandbox->lease);
}

void sandbox_discard(struct sandbox *sandbox)
{
    struct cgroup_usage usage;
    struct rusage rusage;
    fd_close(&sandbox->streams.stdin_write);
    fd_close(&sandbox->streams.stdout_read);
    fd_close(&sandbox->streams.stderr_read);
    fd_close(&sandbox->streams.collected_read);
    sandbox_end(sandbox, &usage, &rusage);
}
