/*
 * The system call filter: the base set's program, made at build time, and in front of it a few
 * instructions for what the plan takes away from the set, adds to it, or demands.
 *
 *     load the architecture; a foreign one: on to the base, which refuses it
 *     load the number;       x32's:         on to the base, which refuses it
 *     for each denied call:  equal? ask init, which answers EPERM and counts
 *     for each allowed call: equal? allow
 *     on to the base
 * The first that fits decides, so what is denied stays denied.  The base checks architecture and
 * number again: it is the same program with and without this.
 */
#include "base/error.h"
#include "filters.h" /* made at build time by tools/gen_filters.c */
#include "isolate/native/child.h"
#include "isolate/native/filter.h"
#include "isolate/native/sys.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHECKS_LENGTH     6 /* of architecture and number */
#define GUARD_LENGTH      6 /* that init may load the filter of file modes */
#define FRONT_MAX         (CHECKS_LENGTH + 2 * (2 * PLAN_CALLS_MAX + 1) + GUARD_LENGTH)
#define LOAD(offset)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define IF_EQUAL(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))

struct filter {
    size_t length;
    struct sock_filter code[FRONT_MAX + FILTER_LENGTH_MAX];
};

struct base_set {
    const struct sock_filter *code;
    size_t length;
};

#define BASE_SET(name)                                                                             \
    {                                                                                              \
        name, ARRAY_LENGTH(name)                                                                   \
    }
_Static_assert(ARRAY_LENGTH(filter_default) <= FILTER_LENGTH_MAX, "no room for the base set");

static void put(struct filter *filter, struct sock_filter instruction)
{
    filter->code[filter->length++] = instruction;
}

static void put_verdict(struct filter *filter, uint32_t number, uint32_t verdict)
{
    put(filter, (struct sock_filter)IF_EQUAL(number, 0, 1));
    put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

/* seccomp() for one filter more without a listener: init's child loads that of file modes
 * (isolate/init/modes.c), which refuses the call to whatever comes after. */
static void put_guard(struct filter *filter)
{
    const uint32_t operation = offsetof(struct seccomp_data, args);
    const uint32_t flags = operation + sizeof(uint64_t);
    put(filter, (struct sock_filter)IF_EQUAL(__NR_seccomp, 0, 5));
    put(filter, (struct sock_filter)LOAD(operation));
    put(filter, (struct sock_filter)IF_EQUAL(SECCOMP_SET_MODE_FILTER, 0, 3));
    put(filter, (struct sock_filter)LOAD(flags));
    put(filter, (struct sock_filter)IF_EQUAL(0, 0, 1));
    put(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* Where `to_base` is, a jump goes over all that follows up to `behind`. */
static void set_jump(struct filter *filter, size_t to_base, size_t behind)
{
    filter->code[to_base] =
        (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(behind - to_base - 1));
}

static void put_front(struct filter *filter, const struct child *child)
{
    const struct plan *plan = child->plan;
    const bool pinned = plan->one_processor != 0 && !child_waives(child, PROTECTION_PROCESSOR);
    const bool guarded = plan_writable_count(plan) > 0;
    if (plan->denied_count == 0 && plan->allowed_count == 0 && !pinned && !guarded) {
        return;
    }
    put(filter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
    put(filter, (struct sock_filter)IF_EQUAL(FILTER_ARCHITECTURE, 1, 0));
    const size_t foreign = filter->length++;
    put(filter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    put(filter,
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FILTER_FOREIGN_NUMBERS, 0, 1));
    const size_t other_numbers = filter->length++;
    for (uint32_t i = 0; i < plan->denied_count; i++) {
        put_verdict(filter, plan->denied_calls[i], SECCOMP_RET_USER_NOTIF);
    }
    if (pinned) {
        put_verdict(filter, __NR_sched_setaffinity, SECCOMP_RET_USER_NOTIF);
    }
    for (uint32_t i = 0; i < plan->allowed_count; i++) {
        put_verdict(filter, plan->allowed_calls[i], SECCOMP_RET_ALLOW);
    }
    if (guarded) {
        put_guard(filter);
    }
    set_jump(filter, foreign, filter->length);
    set_jump(filter, other_numbers, filter->length);
}

/* The listener, by which init answers and counts refused calls, goes to its agreed number.  Where
 * the kernel gives none (another filter with one is already in force), refused calls get ENOSYS
 * from the kernel itself and are not counted. */
static int load_filter(const struct sock_fprog *program)
{
    static const unsigned long attempts[] = {
        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        SECCOMP_FILTER_FLAG_NEW_LISTENER,
        0,
    };
    long result = -1;
    for (size_t i = 0; i < ARRAY_LENGTH(attempts) && result < 0; i++) {
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, attempts[i], program);
        if (result >= 0 && attempts[i] != 0 && result != INIT_FD_LISTENER) {
            const int listener = (int)result;
            result = dup2(listener, INIT_FD_LISTENER);
            (void)close(listener); /* its duplicate stays */
        } else if (result >= 0 && attempts[i] != 0) {
            /* Made close-on-exec; init needs it. */
            result = fcntl(INIT_FD_LISTENER, F_SETFD, 0);
        }
    }
    return result < 0 ? -1 : 0;
}

int child_load_seccomp(struct child *child, struct cella_error *err)
{
    static const struct base_set counted[] = {
        [PLAN_SYSCALLS_DEFAULT] = BASE_SET(filter_default),
        [PLAN_SYSCALLS_STRICT] = BASE_SET(filter_strict),
    };
    static const struct base_set supervised[] = {
        [PLAN_SYSCALLS_DEFAULT] = BASE_SET(filter_default_supervised),
        [PLAN_SYSCALLS_STRICT] = BASE_SET(filter_strict_supervised),
    };
    static struct filter filter; /* too large for comfort on a stack */
    if (child_waives(child, PROTECTION_SECCOMP)) {
        return 0;
    }
    const struct base_set *sets = child->cgroup != NULL ? counted : supervised;
    const struct base_set *base = &sets[child->plan->syscalls];
    filter.length = 0;
    put_front(&filter, child);
    memcpy(filter.code + filter.length, base->code, base->length * sizeof(filter.code[0]));
    filter.length += base->length;
    const struct sock_fprog program = {.len = (unsigned short)filter.length, .filter = filter.code};
    if (load_filter(&program) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot load the system call filter");
    }
    child_holds(child, PROTECTION_SECCOMP);
    return 0;
}
