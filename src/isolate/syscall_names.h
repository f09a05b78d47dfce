/* System calls by name and number, and the base sets, made at build time by tools/gen_filters.c. */
#ifndef ISOLATE_SYSCALL_NAMES_H
#define ISOLATE_SYSCALL_NAMES_H

/* Greater than every number that has a name. */
extern const unsigned syscall_numbers_end;

/* The name of a system call of this architecture, or NULL for an unknown number. */
const char *syscall_name(unsigned number);

/* The number of the call of that name, or -1. */
int syscall_number(const char *name);

/* What a base set says to a call where control groups count: more is more. */
enum syscall_verdict { SYSCALL_REFUSED, SYSCALL_BY_ARGUMENTS, SYSCALL_ALLOWED };
enum syscall_set { SYSCALL_SET_DEFAULT, SYSCALL_SET_STRICT };
enum syscall_verdict syscall_in_set(enum syscall_set set, unsigned number);

#endif
