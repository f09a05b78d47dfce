/* See nest.h. */
#include "isolate/native/nest.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/child.h"
#include "isolate/native/shares.h"
#include "isolate/native/sys.h"
#include "isolate/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Processes in the nest's own control group beside those of one run: the builder, and the first
 * processes and the zygote's children before they enter their own. */
#define NEST_PROCESSES (2 * NEST_SANDBOXES_MAX)

int nest_open(struct sandbox_host *host, const struct plan *plan, struct nest *nest,
              enum step *ret_step, struct cella_error *err)
{
    *nest = (struct nest){.host = host, .plan = *plan, .zygote = {-1, -1, -1, false, 0}};
    if (sandbox_prepare(host, CHILD_NEST, child_ahead(plan), &nest->base, ret_step, err) != 0) {
        return -1;
    }
    struct plan own = *plan;
    own.limits.value[LIMIT_PROCESSES] += NEST_PROCESSES;
    *ret_step = STEP_LIMITS;
    if (sandbox_limit(&own, &nest->base, 0, err) == 0) {
        *ret_step = STEP_PLAN;
        if (sys_send(nest->base.control, plan, sizeof(*plan), NULL, 0) == 0) {
            return 0;
        }
        error_set(err, CELLA_ERROR_HOST, errno, "cannot send the plan to the nest");
    }
    sandbox_discard(&nest->base);
    return -1;
}

static void end_if_empty(struct nest *nest)
{
    for (uint32_t slot = 0; slot < NEST_SANDBOXES_MAX; slot++) {
        if (nest->used[slot]) {
            return;
        }
    }
    zygote_end(&nest->zygote);
    sandbox_discard(&nest->base);
    free(nest);
}

void nest_retire(struct nest *nest)
{
    nest->retired = true;
    end_if_empty(nest);
}

bool nest_is_full(const struct nest *nest)
{
    for (uint32_t slot = 0; slot < NEST_SANDBOXES_MAX; slot++) {
        if (!nest->used[slot]) {
            return false;
        }
    }
    return true;
}

void nest_release(struct nest *nest, uint32_t slot)
{
    nest->used[slot] = false;
    if (nest->retired) {
        end_if_empty(nest);
    }
}

void nest_program_done(struct nest_program *program)
{
    for (size_t i = 0; i < ARRAY_LENGTH(program->streams); i++) {
        fd_close(&program->streams[i]);
    }
    fd_close(&program->park);
}

/* ---- a sandbox in it ---- */

/* While one is being asked for: everything that must be undone on failure. */
struct asking {
    struct nest *nest;
    uint64_t number;
    struct sandbox sandbox;
    int inside[SANDBOX_INSIDE];
    int control_inside;
    int park[2];                   /* init's end, the program's */
    int shares[PLAN_WRITABLE_MAX]; /* trees of writable mounts; -1: none */
};

static int take_slot(struct asking *asking, struct cella_error *err)
{
    struct nest *nest = asking->nest;
    for (uint32_t slot = 0; slot < NEST_SANDBOXES_MAX; slot++) {
        if (!nest->used[slot]) {
            nest->used[slot] = true;
            asking->sandbox.nest = nest;
            asking->sandbox.slot = slot;
            asking->sandbox.held |= nest->base.held & protection_bit(PROTECTION_RUN_UID);
            return 0;
        }
    }
    return error_set(err, CELLA_ERROR_BUSY, 0, "a nest has %d sandboxes already",
                     NEST_SANDBOXES_MAX);
}

/* Its uid, as the nest counts.  Where one uid serves all there is but one. */
static uid_t inner_uid(const struct sandbox *sandbox)
{
    return sandbox->nest->base.lease.count > 1 ? sandbox->slot + 1 : NEST_OWN_ID;
}

static int make_pipes(struct asking *asking, struct cella_error *err)
{
    const struct nest *nest = asking->nest;
    const uid_t owner =
        nest->base.lease.count > 1 ? nest->base.lease.uid + inner_uid(&asking->sandbox) : geteuid();
    if (sandbox_make_pipes(&asking->sandbox, owner, asking->inside, err) != 0 ||
        sandbox_make_control(&asking->sandbox, &asking->control_inside, err) != 0) {
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, asking->park) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a socket");
    }
    return 0;
}

static int make_cgroup(struct asking *asking, struct cella_error *err)
{
    struct sandbox_host *host = asking->nest->host;
    return host->cgroups.mechanism == KEEPER_BY_SUPERVISION
               ? 0
               : cgroup_create(&host->cgroups, host->prepared++, host->standing_back,
                               &asking->sandbox.cgroup, err);
}

static int limit(struct asking *asking, struct cella_error *err)
{
    return sandbox_limit(&asking->nest->plan, &asking->sandbox, asking->nest->zygote.held_bytes,
                         err);
}

static int choose_processor(struct asking *asking, struct cella_error *err)
{
    return sandbox_choose_processor(asking->nest->host, &asking->nest->plan, &asking->sandbox, err);
}

static int open_shares(struct asking *asking, struct cella_error *err)
{
    const struct nest *nest = asking->nest;
    return plan_writable_count(&nest->plan) == 0
               ? 0
               : shares_open(&nest->plan, nest->base.lease.uid + inner_uid(&asking->sandbox),
                             asking->shares, err);
}

static int ask_for_it(struct asking *asking, struct cella_error *err)
{
    struct sandbox *sandbox = &asking->sandbox;
    int descriptors[NEST_BUILD_DESCRIPTORS_MAX] = {
        [NEST_BUILD_CONTROL] = asking->control_inside,
        [NEST_BUILD_COLLECTED] = asking->inside[SANDBOX_COLLECTED],
        [NEST_BUILD_PARK] = asking->park[0],
    };
    struct nest_build build = {
        .number = asking->number, .uid = inner_uid(sandbox), .processor = sandbox->processor};
    const uint64_t waived = asking->nest->plan.waived;
    sandbox->held |=
        protection_bit(PROTECTION_USER_NS) | protection_bit(PROTECTION_PID_NS) |
        protection_bit(PROTECTION_INIT_SEALED) |
        (~waived & (protection_bit(PROTECTION_IPC_NS) | protection_bit(PROTECTION_UTS_NS)));
    if (sandbox->cgroup.host != NULL) {
        build.entry_count =
            (uint32_t)cgroup_entries(&sandbox->cgroup, descriptors + NEST_BUILD_ENTRIES);
    }
    uint32_t count = NEST_BUILD_ENTRIES + build.entry_count;
    while (build.share_count < PLAN_WRITABLE_MAX && asking->shares[build.share_count] >= 0) {
        descriptors[count++] = asking->shares[build.share_count++];
    }
    if (sys_send(asking->nest->base.control, &build, sizeof(build), descriptors, count) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the nest has died");
    }
    return sandbox_send_start(asking->nest->host, &asking->nest->plan, true, sandbox, err);
}

/* In the order of the table of steps. */
static const struct {
    enum step step;
    int (*run)(struct asking *asking, struct cella_error *err);
} asking_steps[] = {
    {STEP_LEASE, take_slot},  {STEP_PIPES, make_pipes},           {STEP_CGROUP, make_cgroup},
    {STEP_LIMITS, limit},     {STEP_PROCESSOR, choose_processor}, {STEP_SHARES, open_shares},
    {STEP_CLONE, ask_for_it},
};

int nest_build(struct nest *nest, uint64_t number, struct sandbox *ret_sandbox,
               struct nest_program *ret_program, enum step *ret_step, struct cella_error *err)
{
    struct asking asking = {.nest = nest,
                            .number = number,
                            .inside = {-1, -1, -1, -1},
                            .control_inside = -1,
                            .park = {-1, -1}};
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        asking.shares[i] = -1;
    }
    sandbox_blank(&asking.sandbox);
    int result = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(asking_steps) && result == 0; i++) {
        *ret_step = asking_steps[i].step;
        result = asking_steps[i].step == nest->host->fault
                     ? error_set(err, CELLA_ERROR_HOST, EIO, "injected fault")
                     : asking_steps[i].run(&asking, err);
    }
    fd_close(&asking.control_inside);
    fd_close(&asking.inside[SANDBOX_COLLECTED]);
    fd_close(&asking.park[0]);
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        fd_close(&asking.shares[i]); /* the sandbox has its own */
    }
    struct nest_program program = {
        .streams = {asking.inside[SANDBOX_STDIN], asking.inside[SANDBOX_STDOUT],
                    asking.inside[SANDBOX_STDERR]},
        .park = asking.park[1],
    };
    if (result != 0) {
        nest_program_done(&program);
        sandbox_discard(&asking.sandbox);
        return -1;
    }
    *ret_program = program;
    *ret_sandbox = asking.sandbox;
    return 0;
}

/* ---- what the first process says ---- */

bool nest_next(struct nest *nest, enum nest_event *ret_event, uint64_t *ret_number, int *ret_pidfd,
               struct cella_error *ret_error, bool *ret_closed)
{
    union {
        struct init_report report;
        struct nest_built built;
    } message;
    *ret_pidfd = -1;
    ssize_t got = sys_receive(nest->base.control, &message, sizeof(message), ret_pidfd, 1);
    if (got > 0 && got != (ssize_t)sizeof(message.built) &&
        got != (ssize_t)sizeof(message.report)) {
        fd_close(ret_pidfd); /* of a message that is none */
        got = 0;
    }
    *ret_closed = got == 0 || (got < 0 && errno != EAGAIN);
    if (got == (ssize_t)sizeof(message.built)) {
        *ret_event = NEST_BUILT;
        *ret_number = message.built.number;
        if (*ret_pidfd < 0) {
            error_set(ret_error, CELLA_ERROR_HOST, message.built.sys_errno,
                      "cannot make the namespaces");
        }
        return true;
    }
    if (got != (ssize_t)sizeof(message.report)) {
        return false;
    }
    if (message.report.type == INIT_CONFINED) {
        nest->base.held |= message.report.protections;
        nest->ready = true;
        *ret_event = NEST_READY;
    } else {
        *ret_error = message.report.error;
        *ret_event = NEST_FAILED;
    }
    return true;
}
