/*
 * Refused system calls: the filter sends them here (seccomp user notification), and init answers
 * with an errno and counts.  The program is never killed for asking.
 *
 * Where no control group counts processes, forks come here too, and those within the limit are let
 * through.  That is safe for them alone: what a fork does is in its registers, which nobody can
 * change any more, while a call with pointers could have its arguments exchanged afterwards.
 */
#include "isolate/init/init.h"
#include "isolate/native/filter.h"
#include "isolate/native/sys.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include <string.h>

/* Numbers from here on are calls that the tables of this build do not know. */
#define FIRST_UNKNOWN_CALL (__NR_futex_waitv + 1)

/* What a program expects to hear when a thing is not to be had. */
static int answer(unsigned number)
{
    switch (number) {
    case __NR_socket:
        return EAFNOSUPPORT;
    case __NR_io_uring_setup:
    case __NR_io_uring_enter:
    case __NR_io_uring_register:
        return ENOSYS; /* libuv and others fall back on this */
    default:
        return number >= FIRST_UNKNOWN_CALL ? ENOSYS : EPERM;
    }
}

static void count(struct init_report *report, unsigned number)
{
    uint32_t i = 0;
    while (i < report->refused_call_count && report->refused_calls[i].number != number) {
        i++;
    }
    if (i == KEEPER_REFUSED_CALLS_MAX) {
        return; /* a result names the first so many */
    }
    if (i == report->refused_call_count) {
        report->refused_calls[report->refused_call_count++].number = number;
    }
    if (report->refused_calls[i].count < UINT32_MAX) {
        report->refused_calls[i].count++;
    }
}

/* Whether the policy takes the call away; the filter asks about it for that alone. */
static bool is_denied(const struct init_start *start, unsigned number)
{
    for (uint32_t i = 0; i < start->denied_count && i < PLAN_CALLS_MAX; i++) {
        if (start->denied_calls[i] == number) {
            return true;
        }
    }
    return false;
}

static bool is_fork(const struct seccomp_notif *call)
{
    const int number = call->data.nr;
    return number == __NR_fork || number == __NR_vfork ||
           (number == __NR_clone && (call->data.args[0] & FILTER_CLONE_REFUSED) == 0);
}

/* Counting costs a walk through /proc, so it is done only when the count may have been reached. */
static bool may_fork(struct init *init)
{
    const uint64_t max = init->start.limits.value[LIMIT_PROCESSES];
    if (init->tasks_at_most >= max) {
        init->tasks_at_most = init_count_tasks(init);
    }
    if (init->tasks_at_most >= max) {
        return false;
    }
    init->tasks_at_most++;
    return true;
}

uint32_t init_answer_refused(struct init *init)
{
    /* The kernel demands zeros, and may have grown the structures: these are of our size. */
    struct seccomp_notif call;
    struct seccomp_notif_resp response;
    uint32_t cause = 0;
    memset(&call, 0, sizeof(call));
    memset(&response, 0, sizeof(response));
    if (sys_ioctl(INIT_FD_LISTENER, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
        return 0; /* the caller was killed meanwhile */
    }
    const unsigned number = (unsigned)call.data.nr;
    response.id = call.id;
    if (!is_fork(&call) || is_denied(&init->start, number)) {
        if (number < FIRST_UNKNOWN_CALL) {
            count(&init->report, number);
        }
        response.error = -answer(number);
    } else if (may_fork(init)) {
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        response.error = -EAGAIN;
        init->report.causes |= KEEPER_CAUSE_PROCESSES;
        init->refused_forks++;
        cause = init->refused_forks >= INIT_REFUSED_FORKS_MAX ? KEEPER_CAUSE_PROCESSES : 0U;
    }
    IGNORE(sys_ioctl(INIT_FD_LISTENER, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0); /* killed */
    return cause;
}
