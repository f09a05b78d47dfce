/* Names of system calls by number, made at build time by tools/gen_filters.c. */
#ifndef ISOLATE_SYSCALL_NAMES_H
#define ISOLATE_SYSCALL_NAMES_H

/* The name of a system call of this architecture, or NULL for an unknown number. */
const char *syscall_name(unsigned number);

#endif
