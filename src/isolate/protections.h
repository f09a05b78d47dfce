/*
 * The table of protections: everything that holds a run in.
 *
 * The native backend applies them, `protections` in a result lists those that held, a policy may
 * waive one by its name, `cella explain` and the documentation print this table, and the tests try
 * each attack with each of them off.
 *
 * REQUIRED: when it cannot be applied the run is refused.  AVAILABLE: applied where the kernel has
 * it, and absent from `protections` where not.
 */
#ifndef ISOLATE_PROTECTIONS_H
#define ISOLATE_PROTECTIONS_H

#include <stdint.h>

enum protection_need { PROTECTION_REQUIRED, PROTECTION_AVAILABLE };

/* X(id, name, need, what it does) */
#define PROTECTIONS(X)                                                                             \
    X(USER_NS, "user_namespace", REQUIRED, "own user namespace with one id mapped")                \
    X(RUN_UID, "run_uid", AVAILABLE, "a host uid and gid that no other run has at the same time")  \
    X(GROUPS, "no_groups", AVAILABLE, "no supplementary groups")                                   \
    X(PID_NS, "pid_namespace", REQUIRED, "sees and signals its own processes only")                \
    X(MOUNT_NS, "built_root", REQUIRED, "an empty root with the runtime's files and nothing else") \
    X(READ_ONLY, "read_only_files", REQUIRED,                                                      \
      "the host's files are bound read-only, but for writable mounts")                             \
    X(ROOT_READ_ONLY, "read_only_root", REQUIRED, "the built root itself cannot be written")       \
    X(PROC_MASKED, "proc_masked", REQUIRED, "/proc read-only, its host-wide files hidden")         \
    X(NET_NS, "network_namespace", REQUIRED, "no network interface but its own loopback")          \
    X(IPC_NS, "ipc_namespace", REQUIRED, "own System V and POSIX message queues and memory")       \
    X(UTS_NS, "uts_namespace", REQUIRED, "own host name")                                          \
    X(CGROUP_NS, "cgroup_namespace", AVAILABLE, "does not see where its control group lies")       \
    X(TIME_NS, "time_namespace", AVAILABLE, "does not see how long the host has been up")          \
    X(KEYRING, "keyring", AVAILABLE, "own empty session keyring")                                  \
    X(CAPABILITIES, "no_capabilities", REQUIRED, "all five capability sets empty")                 \
    X(SECUREBITS, "securebits", REQUIRED, "uid 0 gives no capability, locked")                     \
    X(NO_NEW_PRIVS, "no_new_privileges", REQUIRED, "set-uid programs and file capabilities inert") \
    X(SECCOMP, "seccomp", REQUIRED, "system calls by allow-list")                                  \
    X(LANDLOCK_FILES, "landlock_files", AVAILABLE, "second layer over what may be opened")         \
    X(LANDLOCK_NET, "landlock_network", AVAILABLE, "no TCP at all, where there is no loopback")    \
    X(LANDLOCK_SCOPE, "landlock_scope", AVAILABLE, "no signal or abstract socket leaves the run")  \
    X(INIT_SEALED, "sealed_init", REQUIRED, "PID 1 is a sealed copy, not the program on disk")     \
    X(INIT_HIDDEN, "hidden_init", REQUIRED,                                                        \
      "PID 1 is not dumpable: no trace, no /proc/1 contents")                                      \
    X(NO_TERMINAL, "no_terminal", REQUIRED, "own terminal session; no terminal but its own")       \
    X(DESCRIPTORS, "no_descriptors", REQUIRED, "no open file but the three standard streams")      \
    X(RLIMITS, "rlimits", REQUIRED, "open files, file size, stack, processes; no core dumps")      \
    X(MEMORY, "memory_limit", REQUIRED, "memory of the whole run limited")                         \
    X(PROCESSES, "process_limit", REQUIRED, "processes and threads of the whole run limited")      \
    X(CPU, "cpu_limit", AVAILABLE, "share of the processors limited")                              \
    X(DISK, "disk_limit", REQUIRED,                                                                \
      "workspace, /tmp and /dev/shm of limited size, and what a writable mount grows is watched")  \
    X(PROCESSOR, "one_processor", AVAILABLE, "where the policy says so: one processor, for good")  \
    X(DIES_WITH_KEEPER, "dies_with_keeper", REQUIRED, "the kernel ends the run when Cella dies")   \
    X(CORE_SCHED, "core_scheduling", AVAILABLE, "shares no processor core with others")            \
    X(SPECULATION, "speculation", AVAILABLE, "speculative store bypass and indirect branches off")

#define PROTECTION_ENUM(id, ...) PROTECTION_##id,
enum protection { PROTECTIONS(PROTECTION_ENUM) PROTECTION_COUNT };
#undef PROTECTION_ENUM

struct protection_info {
    const char *name;
    enum protection_need need;
    const char *what;
};
extern const struct protection_info protection_table[PROTECTION_COUNT];

/* A set of protections is a uint64_t with one bit for each. */
static inline uint64_t protection_bit(enum protection protection)
{
    return UINT64_C(1) << (unsigned)protection;
}

/* The protection of that name, or PROTECTION_COUNT. */
enum protection protection_by_name(const char *name);

#endif
