/* See cgroup.h. */
#include "isolate/native/cgroup.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000

static int set_version_1(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err);
static int set_version_2(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err);

int cgroup_create(struct cgroup_host *host, uint64_t number, bool stands_back,
                  struct cgroup *ret_group, struct cella_error *err)
{
    char name[CGROUP_NAME_MAX];
    struct cgroup group = {.host = host,
                           .number = number,
                           .stands_back = stands_back && cgroup_host_has_back(host),
                           .dirs = {-1, -1, -1, -1},
                           .entries = {-1, -1, -1, -1}};
    cgroup_name(host, number, name);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        const bool back = group.stands_back && host->backs[i] >= 0;
        const int parent = back ? host->backs[i] : host->parents[i];
        if (parent < 0) {
            continue;
        }
        if (mkdirat(parent, name, 0755) != 0 ||
            (group.dirs[i] =
                 openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0 ||
            (cgroup_clone_fd(&group) < 0 &&
             (group.entries[i] = openat(group.dirs[i], "tasks", O_WRONLY | O_CLOEXEC)) < 0)) {
            error_set(err, CELLA_ERROR_HOST, errno, "cannot make a control group for %s",
                      cgroup_controller_names[i]);
            cgroup_remove(&group);
            return -1;
        }
    }
    *ret_group = group;
    return 0;
}

int cgroup_limit(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                 struct cella_error *err)
{
    return group->host->mechanism == KEEPER_BY_CGROUP_V2
               ? set_version_2(group, limits, waived, err)
               : set_version_1(group, limits, waived, err);
}

/* Our init counts as one process of the group, and is not the program's. */
static uint64_t tasks_max(const struct limits *limits)
{
    return limits->value[LIMIT_PROCESSES] + 1;
}

/* Whether a limit on processors limits anything on this host. */
static bool limits_cpu(const struct limits *limits)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    const long online = sched_getaffinity(0, sizeof(set), &set) == 0
                            ? CPU_COUNT(&set)
                            : sysconf(_SC_NPROCESSORS_ONLN);
    return limits->value[LIMIT_CPUS] < (uint64_t)online * 1000;
}

static int set_number(int dir, const char *file, uint64_t number, struct cella_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    if (sys_write_file(dir, file, text) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot set %s to %s", file, text);
    }
    return 0;
}

static int cpu_directory(const struct cgroup *group)
{
    const int own = group->dirs[CGROUP_CPU];
    return own >= 0 ? own : group->dirs[CGROUP_CPUACCT];
}

static int set_version_1(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err)
{
    const uint64_t memory = limits->value[LIMIT_MEMORY];
    const int memory_dir = group->dirs[CGROUP_MEMORY];
    const int cpu_dir = cpu_directory(group);
    char text[24];

    if ((waived & protection_bit(PROTECTION_MEMORY)) == 0) {
        if (set_number(memory_dir, "memory.limit_in_bytes", memory, err) != 0) {
            return -1;
        }
        /* What TCP holds is not in the above.  Absent in kernels that are built without it. */
        (void)snprintf(text, sizeof(text), "%" PRIu64, memory);
        IGNORE(sys_write_file(memory_dir, "memory.kmem.tcp.limit_in_bytes", text) != 0);
        /* Absent where the kernel does not count swap: then it must have none to give. */
        if (faccessat(memory_dir, "memory.memsw.limit_in_bytes", W_OK, AT_EACCESS) == 0 &&
            set_number(memory_dir, "memory.memsw.limit_in_bytes",
                       memory + limits->value[LIMIT_SWAP], err) != 0) {
            return -1;
        }
    }
    if ((waived & protection_bit(PROTECTION_PROCESSES)) == 0 &&
        set_number(group->dirs[CGROUP_PIDS], "pids.max", tasks_max(limits), err) != 0) {
        return -1;
    }
    if ((waived & protection_bit(PROTECTION_CPU)) == 0 && limits_cpu(limits) &&
        (set_number(cpu_dir, "cpu.cfs_period_us", CPU_PERIOD_US, err) != 0 ||
         set_number(cpu_dir, "cpu.cfs_quota_us", limits->value[LIMIT_CPUS] * CPU_PERIOD_US / 1000,
                    err) != 0)) {
        return -1;
    }
    return 0;
}

static int set_version_2(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err)
{
    const int dir = group->dirs[0];
    if ((waived & protection_bit(PROTECTION_MEMORY)) == 0) {
        if (set_number(dir, "memory.max", limits->value[LIMIT_MEMORY], err) != 0) {
            return -1;
        }
        if (faccessat(dir, "memory.swap.max", W_OK, AT_EACCESS) == 0 &&
            set_number(dir, "memory.swap.max", limits->value[LIMIT_SWAP], err) != 0) {
            return -1;
        }
    }
    if ((waived & protection_bit(PROTECTION_PROCESSES)) == 0 &&
        set_number(dir, "pids.max", tasks_max(limits), err) != 0) {
        return -1;
    }
    if ((waived & protection_bit(PROTECTION_CPU)) == 0 && !group->host->without_cpu &&
        limits_cpu(limits)) {
        char text[48];
        (void)snprintf(text, sizeof(text), "%" PRIu64 " %d",
                       limits->value[LIMIT_CPUS] * CPU_PERIOD_US / 1000, CPU_PERIOD_US);
        if (sys_write_file(dir, "cpu.max", text) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot set cpu.max to %s", text);
        }
    }
    return 0;
}

void cgroup_free_cpu(const struct cgroup *group, const struct limits *limits)
{
    const bool version_2 = group->host->mechanism == KEEPER_BY_CGROUP_V2;
    const int dir = version_2 ? group->dirs[0] : cpu_directory(group);
    /* One process, as init is, is never held up by a whole processor and more, unless others have
     * used that up.  To set it takes the kernel the longer the more groups the host has
     * (tg_set_bandwidth(), kernel/sched/core.c): with a thousand 0.3 ms were seen. */
    if (limits->value[LIMIT_CPUS] >= LIMIT_ONE_CPU &&
        sys_read_number(dir, "cpu.stat", "nr_throttled") == 0) {
        return;
    }
    /* What fails here leaves the group as slow as it was. */
    IGNORE(
        sys_write_file(dir, version_2 ? "cpu.max" : "cpu.cfs_quota_us", version_2 ? "max" : "-1"));
}

int cgroup_set_idle(const struct cgroup *group, bool idle)
{
    const bool version_2 = group->host->mechanism == KEEPER_BY_CGROUP_V2;
    const int dir = version_2 ? group->dirs[0] : cpu_directory(group);
    if (!group->host->apart || dir < 0) {
        return -1;
    }
    return sys_write_file(dir, "cpu.idle", idle ? "1" : "0");
}

int cgroup_clone_fd(const struct cgroup *group)
{
    return group->host->mechanism == KEEPER_BY_CGROUP_V2 ? group->dirs[0] : -1;
}

size_t cgroup_entries(struct cgroup *group, int *ret_entries)
{
    size_t count = 0;
    if (cgroup_clone_fd(group) >= 0 && group->entries[0] < 0) {
        group->entries[0] = openat(group->dirs[0], "cgroup.procs", O_WRONLY | O_CLOEXEC);
    }
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (group->entries[i] >= 0) {
            ret_entries[count++] = group->entries[i];
        }
    }
    return count;
}

/* By "tasks" and "0", not by "cgroup.procs" and a pid: for one thread that moves itself the kernel
 * need not stop every fork of the host, which waits for an RCU grace period (10 ms when idle). */
int cgroup_enter(const struct cgroup *group, struct cella_error *err)
{
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (group->entries[i] >= 0 && write(group->entries[i], "0", 1) != 1) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot enter the control group for %s",
                             cgroup_controller_names[i]);
        }
    }
    return 0;
}

uint64_t cgroup_cpu_us(const struct cgroup *group)
{
    if (group->host->mechanism == KEEPER_BY_CGROUP_V2) {
        return sys_read_number(group->dirs[0], "cpu.stat", "usage_usec");
    }
    const uint64_t ns = sys_read_number(group->dirs[CGROUP_CPUACCT], "cpuacct.usage", NULL);
    return ns == UINT64_MAX ? ns : ns / 1000;
}

void cgroup_measure(const struct cgroup *group, struct cgroup_usage *ret_usage)
{
    struct cgroup_usage usage = {.cpu_us = cgroup_cpu_us(group)};
    int pids_dir = group->dirs[0];
    if (group->host->mechanism == KEEPER_BY_CGROUP_V2) {
        const int dir = group->dirs[0];
        usage.memory_peak_bytes = sys_read_number(dir, "memory.peak", NULL);
        usage.memory_kills = sys_read_number(dir, "memory.events", "oom_kill");
    } else {
        const int memory = group->dirs[CGROUP_MEMORY];
        pids_dir = group->dirs[CGROUP_PIDS];
        usage.memory_peak_bytes = sys_read_number(memory, "memory.max_usage_in_bytes", NULL);
        usage.memory_kills = sys_read_number(memory, "memory.oom_control", "oom_kill");
    }
    const uint64_t peak = sys_read_number(pids_dir, "pids.peak", NULL);
    usage.processes_peak = peak == UINT64_MAX || peak == 0 ? peak : peak - 1; /* not our init */
    usage.forks_refused = cgroup_refused_forks(group);
    *ret_usage = usage;
}

int cgroup_open_fork_events(const struct cgroup *group)
{
    if (group->host->mechanism != KEEPER_BY_CGROUP_V2) {
        return -1;
    }
    return openat(group->dirs[0], "pids.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

uint64_t cgroup_refused_forks(const struct cgroup *group)
{
    const int dir =
        group->host->mechanism == KEEPER_BY_CGROUP_V2 ? group->dirs[0] : group->dirs[CGROUP_PIDS];
    return sys_read_number(dir, "pids.events", "max");
}

void cgroup_remove(struct cgroup *group)
{
    if (group->host == NULL) {
        return;
    }
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        fd_close(&group->dirs[i]);
        fd_close(&group->entries[i]); /* each write was checked */
    }
    cgroup_host_remove(group->host, group->number);
    group->host = NULL;
}
