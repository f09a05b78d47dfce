/*
 * The set-up of a sandbox, step by step, in the order in which it is done.  One table: the keeper
 * and the sandbox's first process walk it, `cella explain` prints it, a failure names its step, and
 * a test build fails each step in turn.
 *
 * HOST steps are done by the keeper, from outside; SANDBOX steps by the process that becomes PID 1,
 * inside its new namespaces; INIT steps by PID 1 after its exec, PROGRAM steps by the process that
 * becomes the program.  What stands before `ceiling` depends on no plan and is done ahead of need.
 * The order from `capabilities` on is the lock-down: nothing that the request brings is read before
 * `init`, when all of it holds.
 */
#ifndef ISOLATE_STEPS_H
#define ISOLATE_STEPS_H

enum step_place {
    STEP_PLACE_HOST,
    STEP_PLACE_NEST,
    STEP_PLACE_SANDBOX,
    STEP_PLACE_INIT,
    STEP_PLACE_PROGRAM
};

/* X(id, name, place, what it does) */
#define STEPS(X)                                                                                   \
    X(LEASE, "run_uid", HOST, "lease a host uid that nobody holds")                                \
    X(PIPES, "pipes", HOST, "make the standard streams and give them to that uid")                 \
    X(CGROUP, "control_group", HOST, "make a control group")                                       \
    X(CLONE, "namespaces", HOST, "start the first process in new namespaces")                      \
    X(MAPS, "id_maps", HOST, "map the one uid and gid")                                            \
    X(SCHEDULING, "scheduling", SANDBOX,                                                           \
      "no better priority than normal, memory score, core scheduling, speculation controls")       \
    X(JOIN, "join_control_group", SANDBOX, "enter the control group")                              \
    X(CGROUP_NS, "cgroup_namespace", SANDBOX, "hide where the control group lies")                 \
    X(TIME_NS, "time_namespace", SANDBOX, "start the clocks of uptime at zero")                    \
    X(IDENTITY, "identity", SANDBOX, "drop supplementary groups, become the run's uid and gid")    \
    X(TIE, "die_with_keeper", SANDBOX, "die when the keeper dies")                                 \
    X(KEYRING, "keyring", SANDBOX, "join a new empty session keyring")                             \
    X(ROOT, "root", SANDBOX, "mount an empty root")                                                \
    X(ETC, "etc", SANDBOX, "write passwd, group, hosts and the like")                              \
    X(DEV, "dev", SANDBOX, "make a minimal /dev")                                                  \
    X(PROC, "proc", SANDBOX, "mount an own /proc, read-only and masked")                           \
    X(CEILING, "ceiling", HOST, "check the plan against what the keeper may ever do")              \
    X(LIMITS, "control_group_limits", HOST, "set the control group's limits")                      \
    X(PROCESSOR, "processor", HOST, "keep it on one processor, where the policy says so")          \
    X(SHARES, "writable_mounts", HOST, "open writable mounts, map their owner to the run's uid")   \
    X(PLAN, "plan", SANDBOX, "receive the plan and the pack")                                      \
    X(UTS, "host_name", SANDBOX, "set the host name")                                              \
    X(TERMINAL, "terminal", SANDBOX, "mount an own /dev/pts, where the request has a terminal")    \
    X(BINDS, "binds", SANDBOX, "bind the host's files into it, make it read-only")                 \
    X(HIDE_PLACES, "hidden_places", SANDBOX, "cover what the policy hides")                        \
    X(SCRATCH, "scratch", SANDBOX, "mount the workspace, /tmp and /dev/shm, of limited size")      \
    X(PIVOT, "pivot", SANDBOX, "make it the root, let go of the host's")                           \
    X(NETWORK, "network_namespace", SANDBOX,                                                       \
      "enter a network namespace with nothing but a loopback interface, made meanwhile")           \
    X(LOOPBACK, "loopback", SANDBOX, "another without it, where the plan has none")                \
    X(DESCRIPTORS, "descriptors", SANDBOX, "close every descriptor that init does not need")       \
    X(BUILDER, "builder", NEST, "stay, and make the sandboxes of a zygote's runs")                 \
    X(CAPABILITIES, "capabilities", SANDBOX, "empty all five capability sets, lock securebits")    \
    X(NO_NEW_PRIVS, "no_new_privileges", SANDBOX, "no privilege by executing a program")           \
    X(LANDLOCK, "landlock", SANDBOX, "restrict files, network and scopes a second time")           \
    X(SECCOMP, "seccomp", SANDBOX, "load the system call filter")                                  \
    X(INIT, "init", SANDBOX, "execute the sealed init as PID 1")                                   \
    X(HIDE, "hide_init", INIT, "make PID 1 non-dumpable")                                          \
    X(PARK, "park", NEST, "wait for the program that a zygote has forked, where there is one")     \
    X(FILES, "files", INIT, "write the request's files into the workspace")                        \
    X(RLIMITS, "rlimits", PROGRAM, "set the resource limits")                                      \
    X(STREAMS, "streams", PROGRAM,                                                                 \
      "own terminal session, the three standard streams, nothing else open")                       \
    X(MODES, "file_modes", PROGRAM, "no set-uid files, where there are writable mounts")           \
    X(EXEC, "exec", PROGRAM, "execute the program")

#define STEP_ENUM(id, ...) STEP_##id,
enum step { STEPS(STEP_ENUM) STEP_COUNT };
#undef STEP_ENUM

struct step_info {
    const char *name;
    enum step_place place;
    const char *what;
};
extern const struct step_info step_table[STEP_COUNT];

#endif
