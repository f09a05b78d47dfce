/*
 * Doctor: what the kernel can do for us.  What can be tried without a trace is tried, in a child
 * that ends at once; nothing is concluded from a version number.
 */
#include "engine/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* <linux/landlock.h> of the build host may be older than the kernel. */
#define LANDLOCK_VERSION_QUERY 1U

#define CONTAINER_REMEDY                                                                           \
    "in a container: start it with --security-opt seccomp=unconfined --security-opt "              \
    "apparmor=unconfined"

/* Runs `attempt` in a child.  Returns 0 when it returned 0, else the errno it returned. */
static int try_in_child(int (*attempt)(int argument), int argument)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(attempt(argument) & 0xff);
    }
    int status;
    pid_t waited;
    do {
        waited = pid < 0 ? -1 : waitpid(pid, &status, 0);
    } while (pid >= 0 && waited < 0 && errno == EINTR);
    if (waited < 0) {
        return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int attempt_unshare(int flags)
{
    return unshare(flags) == 0 ? 0 : errno;
}

/* AppArmor lets a user namespace be made and then takes its capabilities away: so use one. */
static int attempt_user_namespace(int uid)
{
    if (uid != 0 &&
        (syscall(SYS_setresgid, uid, uid, uid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)) {
        return errno;
    }
    if (unshare(CLONE_NEWUSER) < 0) {
        return errno;
    }
    return attempt_unshare(CLONE_NEWNS);
}

static int attempt_proc(int unused)
{
    (void)unused;
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0) {
        return errno;
    }
    pid_t pid = fork(); /* the first process of the new PID namespace */
    if (pid == 0) {
        _exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0
                                                                                          : errno);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

void doctor_kernel(struct doctor_row *row)
{
    struct utsname name;
    if (uname(&name) == 0) {
        doctor_found(row, "%s %s, %s", name.sysname, name.release, name.machine);
    }
}

/* The setting that refuses user namespaces, of those that are known. */
static const char *user_namespace_remedy(void)
{
    static const struct {
        const char *path;
        const char *closed; /* the value that refuses */
        const char *remedy;
    } settings[] = {
        {"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=65536"},
        {"/proc/sys/kernel/unprivileged_userns_clone", "0",
         "sysctl -w kernel.unprivileged_userns_clone=1"},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
         "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        char line[64];
        if (doctor_read_line(settings[i].path, line, sizeof(line)) &&
            strcmp(line, settings[i].closed) == 0) {
            return settings[i].remedy;
        }
    }
    return CONTAINER_REMEDY;
}

static void say_user_namespaces(struct doctor_row *row, int error, enum cella_fitness fitness,
                                const char *meaning)
{
    char most[64] = "unlimited";
    (void)doctor_read_line("/proc/sys/user/max_user_namespaces", most, sizeof(most));
    if (error == 0) {
        doctor_found(row, "work; at most %s", most);
        return;
    }
    doctor_found(row, "refused: %s", strerror(error));
    doctor_gap(row, fitness, meaning, user_namespace_remedy());
}

void doctor_user_namespaces(struct doctor_row *row)
{
    say_user_namespaces(row, try_in_child(attempt_user_namespace, 0), CELLA_UNFIT,
                        "nothing can be run: the sandbox stands on them");
}

void doctor_other_users(struct doctor_row *row)
{
    const int nobody = 65534;
    if (geteuid() != 0) {
        doctor_found(row, "see above: we are one");
        return;
    }
    say_user_namespaces(row, try_in_child(attempt_user_namespace, nobody), CELLA_PARTIAL,
                        "only root can run programs with Cella on this host");
}

void doctor_namespaces(struct doctor_row *row)
{
    static const struct {
        const char *name;
        int flag;
        enum cella_fitness without;
    } kinds[] = {
        {"pid", CLONE_NEWPID, CELLA_UNFIT},     {"mount", CLONE_NEWNS, CELLA_UNFIT},
        {"network", CLONE_NEWNET, CELLA_UNFIT}, {"ipc", CLONE_NEWIPC, CELLA_UNFIT},
        {"uts", CLONE_NEWUTS, CELLA_UNFIT},     {"cgroup", CLONE_NEWCGROUP, CELLA_PARTIAL},
        {"time", CLONE_NEWTIME, CELLA_PARTIAL},
    };
    char missing[128] = "";
    enum cella_fitness fitness = CELLA_FIT;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (try_in_child(attempt_unshare, CLONE_NEWUSER | kinds[i].flag) != 0) {
            size_t used = strlen(missing);
            (void)snprintf(missing + used, sizeof(missing) - used, " %s", kinds[i].name);
            fitness = kinds[i].without > fitness ? kinds[i].without : fitness;
        }
    }
    if (fitness == CELLA_FIT) {
        doctor_found(row, "pid, mount, network, ipc, uts, cgroup and time work");
        return;
    }
    doctor_found(row, "refused:%s", missing);
    doctor_gap(row, fitness,
               fitness == CELLA_UNFIT ? "nothing can be run"
                                      : "programs see a little more of the host",
               "sysctl -a --pattern 'user.max_.*_namespaces' shows a limit of 0, or the kernel is "
               "built without them");
}

void doctor_proc(struct doctor_row *row)
{
    int error = try_in_child(attempt_proc, 0);
    if (error == 0) {
        doctor_found(row, "can be mounted");
        return;
    }
    doctor_found(row, "refused: %s", strerror(error));
    doctor_gap(row, CELLA_UNFIT,
               "the kernel gives no new /proc where parts of the old one are hidden, as in a "
               "container",
               "start the container with --security-opt systempaths=unconfined");
}

void doctor_system_calls(struct doctor_row *row)
{
    static const struct {
        const char *name;
        long number;
    } calls[] = {
        {"clone3", SYS_clone3},           {"openat2", SYS_openat2},
        {"pidfd_open", SYS_pidfd_open},   {"mount_setattr", SYS_mount_setattr},
        {"close_range", SYS_close_range},
    };
    char missing[128] = "";
    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++) {
        /* With such arguments each says that they are wrong, and does nothing. */
        long result = syscall(calls[i].number, -1L, 0L, -1L, 0L, 0L);
        if (result < 0 && (errno == ENOSYS || errno == EPERM)) {
            size_t used = strlen(missing);
            (void)snprintf(missing + used, sizeof(missing) - used, " %s", calls[i].name);
        }
    }
    if (missing[0] == '\0') {
        doctor_found(row, "clone3, openat2, pidfd_open, mount_setattr, close_range are there");
        return;
    }
    doctor_found(row, "missing or refused:%s", missing);
    doctor_gap(row, CELLA_UNFIT,
               "a kernel before 5.12, or a container's filter: nothing can be run",
               CONTAINER_REMEDY);
}

static bool has_seccomp_action(uint32_t action)
{
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

void doctor_seccomp(struct doctor_row *row)
{
    if (has_seccomp_action(SECCOMP_RET_ERRNO)) {
        doctor_found(row, "filters work");
        return;
    }
    doctor_found(row, "no filters");
    doctor_gap(row, CELLA_UNFIT, "system calls cannot be restricted: nothing can be run",
               "a kernel built with CONFIG_SECCOMP_FILTER");
}

void doctor_notification(struct doctor_row *row)
{
    if (has_seccomp_action(SECCOMP_RET_USER_NOTIF)) {
        doctor_found(row, "works");
        return;
    }
    doctor_found(row, "not there");
    doctor_gap(row, CELLA_PARTIAL, "results cannot name the system calls that were refused",
               "a kernel from 5.0");
}

void doctor_landlock(struct doctor_row *row)
{
    const long complete = 6; /* with scopes for signals and abstract sockets */
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, LANDLOCK_VERSION_QUERY);
    if (version >= complete) {
        doctor_found(row, "ABI %ld: files, network, scopes", version);
        return;
    }
    if (version > 0) {
        doctor_found(row, "ABI %ld: files%s", version, version >= 4 ? ", network" : " only");
        doctor_gap(row, CELLA_PARTIAL, "the second layer over namespaces and seccomp is thinner",
                   "a kernel from 6.12");
        return;
    }
    doctor_found(row, "%s", errno == EOPNOTSUPP ? "switched off" : "not there");
    doctor_gap(row, CELLA_PARTIAL, "there is no second layer over namespaces and seccomp",
               "add landlock to the lsm= list on the kernel's command line");
}

void doctor_core_scheduling(struct doctor_row *row)
{
    char threads[16] = "";
    unsigned long long cookie;
    if (doctor_read_line("/sys/devices/system/cpu/smt/active", threads, sizeof(threads)) &&
        strcmp(threads, "0") == 0) {
        doctor_found(row, "not needed: no two threads share a core here");
    } else if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, &cookie) == 0) {
        doctor_found(row, "works");
    } else {
        doctor_found(row, "not there: %s", strerror(errno));
        doctor_gap(row, CELLA_PARTIAL,
                   "two runs may share a core at the same moment, and its side channels",
                   "a kernel built with CONFIG_SCHED_CORE, or: echo off > "
                   "/sys/devices/system/cpu/smt/control");
    }
}

void doctor_speculation(struct doctor_row *row)
{
    int state = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
    if (state == PR_SPEC_NOT_AFFECTED) {
        doctor_found(row, "not needed: the processor is not affected");
    } else if (state >= 0 &&
               ((unsigned)state & (PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE | PR_SPEC_DISABLE)) != 0) {
        doctor_found(row, "store bypass can be switched off for a run");
    } else {
        doctor_found(row, "store bypass cannot be switched off for a run");
        doctor_gap(row, CELLA_PARTIAL, "a run may use this side channel within its own processes",
                   "remove mitigations=off and spec_store_bypass_disable= from the kernel's "
                   "command line");
    }
}
