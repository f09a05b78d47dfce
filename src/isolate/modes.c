/*
 * Where a run may write to a directory of the host, what it makes there belongs to that directory's
 * owner.  With a set-uid bit on it, whoever else on the host can reach it would execute the guest's
 * program as that owner; the mount's `nosuid` holds inside only.  So no file can be made with such
 * a bit: this filter, beside the run's own, looks at the mode of every call that has one.
 *
 * openat2() and fchmodat2() have theirs, or may in time, where no filter can look; programs have
 * another way when these do not exist.  Init uses openat2() itself: that is why this is loaded by
 * the process that becomes the program, and not together with the other filter.
 */
#include "isolate/modes.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FCHMODAT2 452 /* newer than the build's headers; the same everywhere */

#define LOAD(offset)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define ARGUMENT(n)       (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#define IF_EQUAL(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define IF_SOME(k, t, f)  BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (t), (f))
#define RETURN(verdict)   BPF_STMT(BPF_RET | BPF_K, (verdict))

/* These see the number in the accumulator, and leave it there when it is another's. */
#define REFUSE(number, code) IF_EQUAL((number), 0, 1), RETURN(SECCOMP_RET_ERRNO | (code))
#define CHECK_MODE(number, argument)                                                               \
    IF_EQUAL((number), 0, 4), LOAD(ARGUMENT(argument)), IF_SOME(S_ISUID | S_ISGID, 0, 1),          \
        RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW)
/* Without these flags the mode means nothing, and may be anything. */
#define CREATES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
#define CHECK_OPEN(number, flags, argument)                                                        \
    IF_EQUAL((number), 0, 6), LOAD(ARGUMENT(flags)), IF_SOME(CREATES, 0, 3),                       \
        LOAD(ARGUMENT(argument)), IF_SOME(S_ISUID | S_ISGID, 0, 1),                                \
        RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW)

int modes_guard(void)
{
    static const struct sock_filter code[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        CHECK_OPEN(__NR_openat, 2, 3),
        REFUSE(__NR_openat2, ENOSYS),
        REFUSE(FCHMODAT2, ENOSYS),
        REFUSE(__NR_seccomp, EPERM), /* this was the last one */
        CHECK_MODE(__NR_fchmod, 1),
        CHECK_MODE(__NR_fchmodat, 2),
        CHECK_MODE(__NR_mknodat, 2),
#if defined(__x86_64__)
        CHECK_OPEN(__NR_open, 1, 2),
        CHECK_MODE(__NR_creat, 1),
        CHECK_MODE(__NR_chmod, 1),
        CHECK_MODE(__NR_mknod, 1),
#endif
        RETURN(SECCOMP_RET_ALLOW),
    };
    /* The kernel copies the filter; its type has no const. */
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]),
                                       .filter = (struct sock_filter *)(uintptr_t)code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL, &program);
}
