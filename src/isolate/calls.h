/*
 * System calls beside the base sets (isolate/native/syscalls.h): which a policy may add, and which
 * it may not take away.  Plain tables, for the policy, which knows names, and the keeper, which
 * knows numbers and checks again.
 *
 * What is not in the first table can be added by nobody, nor can what kernels will bring one day:
 *   calls that a base set allows by their arguments (clone, prctl, ioctl, socket...): added whole,
 *     they would make namespaces, type into terminals, open any protocol;
 *   what makes or enters namespaces and mounts (unshare, setns, mount, pivot_root, chroot...);
 *   keys, seccomp, kernel programming and its attack surface (keyctl, bpf, perf_event_open,
 *     userfaultfd, and io_uring, which does what other calls do, past the filter);
 *   the machine itself (reboot, kexec_load, modules, swapon, clock_settime, sync, syslog...);
 *   memory that no process has (shmget, msgget, vmsplice...), which a base set allows where a
 *     control group counts it.
 */
#ifndef ISOLATE_CALLS_H
#define ISOLATE_CALLS_H

/* X(name, what a run gets by it) */
#define CALLS_ADDABLE(X)                                                                           \
    X(adjtimex, "reading the kernel's clock parameters")                                           \
    X(inotify_add_watch, "watching files; of /usr and mounts it also sees what others do")         \
    X(kcmp, "comparing its processes' kernel objects")                                             \
    X(mq_getsetattr, "POSIX message queues, within its own IPC namespace")                         \
    X(mq_notify, "likewise")                                                                       \
    X(mq_open, "likewise")                                                                         \
    X(mq_timedreceive, "likewise")                                                                 \
    X(mq_timedsend, "likewise")                                                                    \
    X(mq_unlink, "likewise")                                                                       \
    X(pidfd_getfd, "descriptors of its other processes")                                           \
    X(process_madvise, "advice on memory of its other processes")                                  \
    X(process_vm_readv, "memory of its other processes")                                           \
    X(process_vm_writev, "likewise")                                                               \
    X(ptrace, "tracing its other processes: debuggers")                                            \
    X(remap_file_pages, "an old way of mapping files")

/* X(name): init, or the process that becomes it, makes these itself under the same filter, and
 * would wait for its own answer. */
#if defined(__x86_64__)
#define CALLS_OF_INIT_ARCH(X) X(arch_prctl) X(dup2) X(open) X(poll)
#else
#define CALLS_OF_INIT_ARCH(X) X(dup3) X(ppoll)
#endif
/* clang-format off */
#define CALLS_OF_INIT(X)                                                                           \
    X(brk) X(chdir) X(clock_gettime) X(clone) X(close) X(close_range) X(execve) X(execveat)        \
    X(exit) X(exit_group) X(fcntl) X(fstat) X(fstatfs) X(getdents64) X(getrlimit) X(getrusage)     \
    X(ioctl) X(kill) X(lseek) X(madvise) X(mkdirat) X(mmap) X(mprotect) X(munmap) X(newfstatat)    \
    X(openat) X(openat2) X(prctl) X(pread64) X(prlimit64) X(read) X(recvfrom) X(recvmsg)           \
    X(rt_sigprocmask) X(sendmsg) X(sendto) X(set_tid_address) X(setrlimit) X(setsid) X(signalfd4)  \
    X(statfs) X(wait4) X(waitid) X(write)                                                          \
    CALLS_OF_INIT_ARCH(X)
/* clang-format on */

#endif
