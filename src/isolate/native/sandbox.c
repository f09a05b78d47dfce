/*
 * The part of a sandbox that is a plan's, and its end: see sandbox.h.
 */
#include "isolate/native/sandbox.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/child.h"
#include "isolate/native/nest.h"
#include "isolate/native/shares.h"
#include "isolate/native/strays.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A sandbox ends sooner, unless a stray is in it. */
#define STRAYS_CHECK_MS 5

/* While a prepared sandbox is made that of a plan. */
struct making {
    struct sandbox_host *host;
    const struct plan *plan;
    bool ahead;
    int shares[PLAN_WRITABLE_MAX]; /* trees of writable mounts; -1: none */
    struct sandbox sandbox;
};

static int limit(struct making *making, struct cella_error *err);
static int keep_on_processor(struct making *making, struct cella_error *err);
static int open_shares(struct making *making, struct cella_error *err);
static int send_plan(struct making *making, struct cella_error *err);

/* In the order of the table of steps. */
static const struct {
    enum step step;
    int (*run)(struct making *making, struct cella_error *err);
} making_steps[] = {
    {STEP_LIMITS, limit},
    {STEP_PROCESSOR, keep_on_processor},
    {STEP_SHARES, open_shares},
    {STEP_PLAN, send_plan},
};

/* The one made ahead, if it is of the plan's kind. */
static int take_prepared(struct sandbox_host *host, const struct plan *plan,
                         struct sandbox *ret_sandbox, enum step *ret_step, struct cella_error *err)
{
    if (host->spare.pid > 0 && host->spare.waived == child_ahead(plan)) {
        *ret_sandbox = host->spare;
        host->spare.pid = -1;
        return 0;
    }
    return sandbox_prepare(host, CHILD_RUN, child_ahead(plan), ret_sandbox, ret_step, err);
}

bool sandbox_next_report(const struct sandbox *sandbox, struct init_report *ret_report,
                         bool *ret_closed)
{
    const ssize_t got = sys_receive(sandbox->control, ret_report, sizeof(*ret_report), NULL, 0);
    *ret_closed = got >= 0 && got != (ssize_t)sizeof(*ret_report);
    return got == (ssize_t)sizeof(*ret_report);
}

void sandbox_tell_failure(const struct sandbox *sandbox, enum step *step, struct cella_error *err)
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

int sandbox_start(struct sandbox_host *host, const struct plan *plan, bool ahead,
                  struct sandbox *ret_sandbox, enum step *ret_step, struct cella_error *err)
{
    struct making making = {.host = host, .plan = plan, .ahead = ahead};
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        making.shares[i] = -1;
    }
    if (take_prepared(host, plan, &making.sandbox, ret_step, err) != 0) {
        return -1;
    }
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(making_steps) && result == 0; i++) {
        *ret_step = making_steps[i].step;
        /* The step `plan` is the first process's to fail. */
        result = host->fault == *ret_step && *ret_step != STEP_PLAN
                     ? error_set(err, CELLA_ERROR_HOST, EIO, "injected fault")
                     : making_steps[i].run(&making, err);
    }
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        fd_close(&making.shares[i]); /* the first process has its own */
    }
    if (result != 0) {
        if (*ret_step == STEP_PLAN) {
            sandbox_tell_failure(&making.sandbox, ret_step, err);
        }
        sandbox_discard(&making.sandbox);
        return -1;
    }
    *ret_sandbox = making.sandbox;
    return 0;
}

/* What a zygote holds already counts for the run, as it would if that had loaded it itself. */
int sandbox_limit(const struct plan *plan, struct sandbox *sandbox, uint64_t memory_held,
                  struct cella_error *err)
{
    uint64_t held = protection_bit(PROTECTION_MEMORY) | protection_bit(PROTECTION_PROCESSES);

    if (sandbox->cgroup.host != NULL) {
        struct limits limits = plan->limits;
        uint64_t *memory = &limits.value[LIMIT_MEMORY];
        *memory = *memory > memory_held ? *memory - memory_held : 1;
        if (cgroup_limit(&sandbox->cgroup, &limits, plan->waived, err) != 0) {
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

static int limit(struct making *making, struct cella_error *err)
{
    return sandbox_limit(making->plan, &making->sandbox, 0, err);
}

/* Its first process is put on one processor, from outside, while it waits; everything that it
 * starts stays there, because the filter lets nobody change it.  The first run of a keeper gets the
 * one that the kernel has put the keeper on, so that many keepers use many; then each the next. */
int sandbox_choose_processor(struct sandbox_host *host, const struct plan *plan,
                             struct sandbox *sandbox, struct cella_error *err)
{
    int *last = &host->processor_last;
    cpu_set_t usable;
    sandbox->processor = -1;
    if (plan->one_processor == 0 || (plan->waived & protection_bit(PROTECTION_PROCESSOR)) != 0) {
        return 0;
    }
    if (sched_getaffinity(0, sizeof(usable), &usable) != 0 || CPU_COUNT(&usable) == 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot see which processors are ours");
    }
    const int running_on = sched_getcpu();
    size_t chosen = *last >= 0 ? (size_t)*last + 1 : running_on >= 0 ? (size_t)running_on : 0;
    while (!CPU_ISSET(chosen % CPU_SETSIZE, &usable)) { /* one is set */
        chosen++;
    }
    *last = (int)(chosen % CPU_SETSIZE);
    sandbox->processor = *last;
    if ((plan->waived & protection_bit(PROTECTION_SECCOMP)) == 0) {
        sandbox->held |= protection_bit(PROTECTION_PROCESSOR); /* else it can be left */
    }
    return 0;
}

static int keep_on_processor(struct making *making, struct cella_error *err)
{
    struct sandbox *sandbox = &making->sandbox;
    if (sandbox_choose_processor(making->host, making->plan, sandbox, err) != 0) {
        return -1;
    }
    return sys_keep_on_processor(sandbox->pid, sandbox->processor) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot keep the run on one processor");
}

static int open_shares(struct making *making, struct cella_error *err)
{
    return making->host->privileged && plan_writable_count(making->plan) > 0
               ? shares_open(making->plan, making->sandbox.lease.uid, making->shares, err)
               : 0;
}

/* What init will read after its exec. */
int sandbox_send_start(const struct sandbox_host *host, const struct plan *plan, bool ahead,
                       const struct sandbox *sandbox, struct cella_error *err)
{
    struct init_start start = {.limits = plan->limits,
                               .waived = plan->waived,
                               .supervise = sandbox->cgroup.host == NULL,
                               .fault_step = (uint32_t)host->fault,
                               .guard_modes = plan_writable_count(plan) > 0,
                               .ahead = ahead,
                               .terminal_rows = (uint16_t)plan->terminal_rows,
                               .terminal_columns = (uint16_t)plan->terminal_columns,
                               .denied_count = plan->denied_count};
    memcpy(start.denied_calls, plan->denied_calls, sizeof(start.denied_calls));
    for (uint32_t i = 0; i < plan->mount_count && start.share_count < PLAN_WRITABLE_MAX; i++) {
        if ((plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) != 0) {
            memcpy(start.shares[start.share_count++], plan->mounts[i].target, PLAN_PATH_MAX);
        }
    }
    return sys_send(sandbox->control, &start, sizeof(start), NULL, 0) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot send the plan to the sandbox");
}

/* The plan with its descriptors, and what is for init behind it. */
static int send_plan(struct making *making, struct cella_error *err)
{
    size_t count = 0;
    while (count < PLAN_WRITABLE_MAX && making->shares[count] >= 0) {
        count++;
    }
    _Static_assert(sizeof(struct init_plan) == sizeof(struct plan), "sent as it is");
    if (sys_send(making->sandbox.control, making->plan, sizeof(*making->plan), making->shares,
                 count) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot send the plan to the sandbox");
    }
    return sandbox_send_start(making->host, making->plan, making->ahead, &making->sandbox, err);
}

int sandbox_run(const struct sandbox *sandbox, int pack, struct cella_error *err)
{
    const struct init_order order = {.type = INIT_ORDER_RUN};
    return sys_send(sandbox->control, &order, sizeof(order), &pack, 1) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot send the pack to the sandbox");
}

int sandbox_start_one_shot(const struct sandbox_host *host, const struct sandbox *sandbox, int pack,
                           struct cella_error *err)
{
    const struct init_order order = {.type = INIT_ORDER_PREPARE};
    const int descriptors[] = {pack, host->guest_library};
    return sys_send(sandbox->control, &order, sizeof(order), descriptors,
                    ARRAY_LENGTH(descriptors)) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot send the pack to the sandbox");
}

/* A program that is the keeper's child: its sandbox cannot end before it has been waited for. */
static void reap_program(struct sandbox *sandbox)
{
    if (sandbox->program >= 0) {
        IGNORE(sys_pidfd_send_signal(sandbox->program, SIGKILL));  /* it may be dead */
        IGNORE(sys_wait_pidfd(sandbox->program, NULL, NULL) != 0); /* or waited for */
        fd_close(&sandbox->program);
    }
}

/* What we and every process that we have waited for have written. */
static uint64_t written_bytes(const struct sandbox_host *host)
{
    char text[512];
    const ssize_t got = host->io_file >= 0 ? pread(host->io_file, text, sizeof(text) - 1, 0) : -1;
    if (got <= 0) {
        return 0;
    }
    text[got] = '\0';
    const char *line = strstr(text, "wchar: ");
    return line == NULL ? 0 : strtoull(line + strlen("wchar: "), NULL, 10);
}

int sandbox_wait_program(struct sandbox *sandbox, int *ret_status, struct rusage *ret_usage,
                         uint64_t *ret_written)
{
    const struct sandbox_host *host = sandbox->nest->host;
    const uint64_t before = written_bytes(host);
    if (!sys_can_wait(sandbox->program) && sys_is_child(sandbox->program)) {
        return 1;
    }
    const int result = sys_wait_pidfd(sandbox->program, ret_status, ret_usage);
    if (result == 0) {
        *ret_written = written_bytes(host) - before;
    }
    return result;
}

void sandbox_measure(const struct sandbox *sandbox, struct cgroup_usage *ret_usage)
{
    *ret_usage = (struct cgroup_usage){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    if (sandbox->cgroup.host != NULL) {
        cgroup_measure(&sandbox->cgroup, ret_usage);
    }
}

void sandbox_end(struct sandbox *sandbox, struct cgroup_usage *ret_usage, struct rusage *ret_rusage)
{
    *ret_rusage = (struct rusage){0};
    if (sandbox->pidfd >= 0) {
        /* First, and with it all in its namespace: whoever of these traces the program keeps it
         * from being waited for.  It may be dead already. */
        IGNORE(sys_pidfd_send_signal(sandbox->pidfd, SIGKILL));
    }
    reap_program(sandbox);
    if (sandbox->pidfd >= 0) {
        /* The kernel ends a PID namespace with its first process, and lets that one be waited for
         * only when all others are gone. */
        while (!sys_dies_within(sandbox->pidfd, STRAYS_CHECK_MS)) {
            strays_reap();
        }
        IGNORE(sys_wait_pidfd(sandbox->pidfd, NULL, ret_rusage) != 0); /* a nest's is not ours */
        sandbox->pid = -1;
    }
    if (ret_usage != NULL) {
        sandbox_measure(sandbox, ret_usage);
    }
    fd_close(&sandbox->pidfd);
    if (sandbox->control >= 0) {
        /* Of that a first process dies that we have not yet seen, whoever holds a copy of it. */
        IGNORE(shutdown(sandbox->control, SHUT_RDWR) != 0);
        fd_close(&sandbox->control);
    }
    if (sandbox->cgroup.host != NULL) {
        cgroup_remove(&sandbox->cgroup);
    }
    lease_release(&sandbox->lease);
    if (sandbox->nest != NULL) {
        nest_release(sandbox->nest, sandbox->slot);
        sandbox->nest = NULL;
    }
}

void sandbox_discard(struct sandbox *sandbox)
{
    struct rusage unused;
    fd_close(&sandbox->streams.stdin_write);
    fd_close(&sandbox->streams.stdout_read);
    fd_close(&sandbox->streams.stderr_read);
    fd_close(&sandbox->streams.collected_read);
    sandbox_end(sandbox, NULL, &unused);
}
