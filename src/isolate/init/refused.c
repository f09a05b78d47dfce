/*
 * Refused system calls: the filter sends them here (seccomp user notification), and init answers
 * with an errno and counts.  The program is never killed for asking.
 *
 * Nothing that a program needs comes here: while it waits for an answer a signal wakes it, and
 * where its handler does not restart calls the call fails with EINTR, which no program expects of a
 * fork.
 */
#include "isolate/init/init.h"
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
        report->refused_calls[report->refused_call_count++] =
            (struct keeper_refused_call){.number = number};
    }
    if (report->refused_calls[i].count < UINT32_MAX) {
        report->refused_calls[i].count++;
    }
}

/* Whether the policy takes the call away; the filter asks about it for that alone. */
void init_answer_refused(struct init *init)
{
    /* The kernel demands zeros, and may have grown the structures: these are of our size. */
    struct seccomp_notif call;
    struct seccomp_notif_resp response;
    memset(&call, 0, sizeof(call));
    memset(&response, 0, sizeof(response));
    if (sys_ioctl(INIT_FD_LISTENER, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
        return; /* the caller was killed meanwhile */
    }
    const unsigned number = (unsigned)call.data.nr;
    if (number < FIRST_UNKNOWN_CALL) {
        count(&init->report, number);
    }
    response.id = call.id;
    response.error = -answer(number);
    IGNORE(sys_ioctl(INIT_FD_LISTENER, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0); /* killed */
}
