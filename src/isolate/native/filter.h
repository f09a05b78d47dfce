/*
 * What the system call filters (made by tools/gen_filters.c, completed by seccomp.c) and init, who
 * answers for them, agree on.
 */
#ifndef ISOLATE_NATIVE_FILTER_H
#define ISOLATE_NATIVE_FILTER_H

#include <linux/audit.h>
#include <linux/sched.h>
#include <signal.h>

#if defined(__x86_64__)
#define FILTER_ARCHITECTURE    AUDIT_ARCH_X86_64
#define FILTER_FOREIGN_NUMBERS 0x40000000U /* x32: the same entry, other structures */
#elif defined(__aarch64__)
#define FILTER_ARCHITECTURE    AUDIT_ARCH_AARCH64
#define FILTER_FOREIGN_NUMBERS UINT32_MAX
#else
#error "add this architecture's constants"
#endif

#define FILTER_LENGTH_MAX 1024 /* instructions of a base set's program */

/* Flags of clone() that make namespaces, and CLONE_PARENT, whose child is a sibling that nobody
 * inside reaps. */
#define FILTER_CLONE_REFUSED                                                                       \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_PARENT)

#endif
