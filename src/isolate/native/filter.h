/*
 * What the system call filter (tools/gen_filters.c) and init, which answers for it, agree on.
 */
#ifndef ISOLATE_NATIVE_FILTER_H
#define ISOLATE_NATIVE_FILTER_H

#include <linux/sched.h>
#include <signal.h>

/* Flags of clone() that make namespaces, and CLONE_PARENT, whose child is a sibling that nobody
 * inside reaps. */
#define FILTER_CLONE_REFUSED                                                                       \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_PARENT)

/* With these flags init starts the program.  It is under the same filter and cannot ask itself, so
 * they are let through where forks are counted.  A guest that uses them goes uncounted, up to
 * RLIMIT_NPROC, which refuses it at the same number. */
#define FILTER_BIRTH_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_UNTRACED | SIGCHLD)

#endif
