/*
 * What doctor looks at, one function for each finding.  A function fills the row it is given; a row
 * that it leaves alone is fit, with nothing to say.
 */
#ifndef ENGINE_DOCTOR_H
#define ENGINE_DOCTOR_H

#include "base/attributes.h"

#include <cella/host.h>
#include <stdbool.h>
#include <stddef.h>

struct doctor_row {
    enum cella_fitness fitness;
    char found[256];
    char meaning[256];
    char remedy[256];
};

void doctor_found(struct doctor_row *row, const char *format, ...) PRINTF_LIKE(2, 3);
void doctor_gap(struct doctor_row *row, enum cella_fitness fitness, const char *meaning,
                const char *remedy);

/* The first line of a file of /proc or /sys, control characters replaced; false when there is no
 * such file. */
bool doctor_read_line(const char *path, char *ret_line, size_t size);

/* X(function, name): kernel features, in doctor_kernel.c */
#define DOCTOR_KERNEL(X)                                                                           \
    X(doctor_kernel, "kernel")                                                                     \
    X(doctor_user_namespaces, "user namespaces")                                                   \
    X(doctor_other_users, "user namespaces for ordinary users")                                    \
    X(doctor_namespaces, "other namespaces")                                                       \
    X(doctor_proc, "own /proc")                                                                    \
    X(doctor_system_calls, "system calls")                                                         \
    X(doctor_seccomp, "seccomp")                                                                   \
    X(doctor_notification, "seccomp notification")                                                 \
    X(doctor_landlock, "landlock")                                                                 \
    X(doctor_core_scheduling, "core scheduling")                                                   \
    X(doctor_speculation, "speculation control")

/* X(function, name): how the host is set up, in doctor_host.c */
#define DOCTOR_HOST(X)                                                                             \
    X(doctor_control_groups, "control groups")                                                     \
    X(doctor_swap, "swap accounting")                                                              \
    X(doctor_uids, "uids for runs")                                                                \
    X(doctor_ceiling, "ceiling of policies")                                                       \
    X(doctor_rlimits, "resource limits")                                                           \
    X(doctor_core_pattern, "core dumps")

#define DOCTOR_DECLARE(function, name) void function(struct doctor_row *row);
DOCTOR_KERNEL(DOCTOR_DECLARE)
DOCTOR_HOST(DOCTOR_DECLARE)
#undef DOCTOR_DECLARE

#endif
