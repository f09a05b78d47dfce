/*
 * See cgroup.h.  As root our groups lie in /cella at the top of a hierarchy; otherwise in the
 * keeper's own group, if it may write there.
 * Version 1: memory, pids, cpu and cpuacct are trees of their own (two may be one).
 * Version 2: a group with processes may have no children with controllers; so in a group that was
 * delegated to us whoever is in it moves into a leaf first.  A session's group is not delegated:
 * then systemd is asked for one that is (scope.h).
 */
#include "isolate/native/cgroup.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/scope.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CGROUP_ROOT           "/sys/fs/cgroup"
#define OWN_GROUPS_MAX        4096 /* of /proc/self/cgroup */
#define PATH_SIZE             1024
#define CPU_PERIOD_US         100000
#define PROCESSES_SIZE        4096 /* of cgroup.procs read at once */
#define LEAF_PASSES_MAX       16
#define KEEPER_LEAF           "keeper"
#define SCOPE_WAIT_MS         5000 /* many keepers at once ask one manager */
#define REMOVE_WAIT_MS        100
#define STAT_START_TIME_FIELD 22 /* of /proc/PID/stat, counted from 1 (proc(5)) */

static const char *const controller_names[CGROUP_CONTROLLERS] = {"memory", "pids", "cpu",
                                                                 "cpuacct"};

static bool open_version_2(struct cgroup_host *host, const char *own_groups);
/* /cella at the top of a hierarchy: the place for root's groups, whatever session or service the
 * keeper was started from, so that the next keeper finds what a killed one left. */
static int open_shared(const char *hierarchy)
{
    int fd = -1;
    int top = open(hierarchy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top >= 0 && (mkdirat(top, "cella", 0755) == 0 || errno == EEXIST)) {
        fd = openat(top, "cella", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (top >= 0) {
        (void)close(top); /* a directory */
    }
    if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) != 0) {
        (void)close(fd); /* a directory */
        fd = -1;
    }
    return fd;
}

static bool open_version_1(struct cgroup_host *host, const char *own_groups);
static uint64_t start_time(pid_t pid);
static int set_version_1(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err);
static int set_version_2(const struct cgroup *group, const struct limits *limits, uint64_t waived,
                         struct cella_error *err);

void cgroup_host_open(struct cgroup_host *host)
{
    char own_groups[OWN_GROUPS_MAX];

    *host = (struct cgroup_host){.mechanism = KEEPER_BY_SUPERVISION, .parents = {-1, -1, -1, -1}};
    (void)snprintf(host->prefix, sizeof(host->prefix), "cella-%d-%" PRIu64 "-", (int)getpid(),
                   start_time(getpid()));
    if (sys_read_file(AT_FDCWD, "/proc/self/cgroup", own_groups, sizeof(own_groups)) <= 0) {
        return;
    }
    if (open_version_2(host, own_groups)) {
        host->mechanism = KEEPER_BY_CGROUP_V2;
    } else if (open_version_1(host, own_groups)) {
        host->mechanism = KEEPER_BY_CGROUP_V1;
    } else {
        cgroup_host_close(host);
    }
}

void cgroup_host_close(struct cgroup_host *host)
{
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (host->parents[i] >= 0) {
            (void)close(host->parents[i]); /* a directory */
            host->parents[i] = -1;
        }
    }
    host->mechanism = KEEPER_BY_SUPERVISION;
}

/* The keeper's own group in the hierarchy of `controller` ("" for version 2): the rest of the line
 * "<number>:<controllers>:<path>" of /proc/self/cgroup. */
static bool own_group(const char *own_groups, const char *controller, char *path, size_t size)
{
    for (const char *line = own_groups; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *names = memchr(line, ':', (size_t)(end - line));
        const char *group = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
        for (const char *name = names ? names + 1 : end; group != NULL && name <= group;) {
            const size_t length = strcspn(name, ",:");
            if (length == strlen(controller) && strncmp(name, controller, length) == 0) {
                const int used = snprintf(path, size, "%.*s", (int)(end - group - 1), group + 1);
                return used > 0 && (size_t)used < size;
            }
            name += length + 1;
        }
        line = *end == '\n' ? end + 1 : end;
    }
    return false;
}

/* In a container the path may lie outside of what is mounted: then the mount's root is ours. */
static int open_own(const char *hierarchy, const char *own_path)
{
    char path[PATH_SIZE];
    const int used = snprintf(path, sizeof(path), "%s%s", hierarchy, own_path);
    if (used < 0 || (size_t)used >= sizeof(path)) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        fd = open(hierarchy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) != 0) {
        (void)close(fd); /* a directory */
        fd = -1;
    }
    return fd;
}

static bool open_version_1(struct cgroup_host *host, const char *own_groups)
{
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        char hierarchy[64];
        char own_path[PATH_SIZE];
        (void)snprintf(hierarchy, sizeof(hierarchy), CGROUP_ROOT "/%s", controller_names[i]);
        if (own_group(own_groups, controller_names[i], own_path, sizeof(own_path))) {
            host->parents[i] = open_shared(hierarchy);
            if (host->parents[i] < 0) {
                host->parents[i] = open_own(hierarchy, own_path);
            }
        }
    }
    struct stat cpu, cpuacct;
    if (host->parents[CGROUP_CPU] >= 0 && host->parents[CGROUP_CPUACCT] >= 0 &&
        fstat(host->parents[CGROUP_CPU], &cpu) == 0 &&
        fstat(host->parents[CGROUP_CPUACCT], &cpuacct) == 0 && cpu.st_dev == cpuacct.st_dev) {
        /* One tree for both, as systemd mounts it: the cpuacct directory serves for all. */
        (void)close(host->parents[CGROUP_CPU]); /* a directory */
        host->parents[CGROUP_CPU] = -1;
    }
    return host->parents[CGROUP_MEMORY] >= 0 && host->parents[CGROUP_PIDS] >= 0 &&
           host->parents[CGROUP_CPUACCT] >= 0;
}

/* Whether a version 2 group has the controller; a whole word, as there is "cpuset" too. */
static bool offers(int dir, const char *controller)
{
    char text[256];
    if (sys_read_file(dir, "cgroup.controllers", text, sizeof(text)) <= 0) {
        return false;
    }
    for (const char *word = text; *word != '\0';) {
        const size_t length = strcspn(word, " \n");
        if (length == strlen(controller) && strncmp(word, controller, length) == 0) {
            return true;
        }
        word += length + strspn(word + length, " \n");
    }
    return false;
}

static bool has_controllers(int dir)
{
    return offers(dir, "memory") && offers(dir, "pids");
}

static bool enable_controllers(int dir)
{
    if (!has_controllers(dir)) {
        return false;
    }
    /* cpu apart: it may be absent, and memory and pids are worth having without it. */
    IGNORE(sys_write_file(dir, "cgroup.subtree_control", "+cpu"));
    return sys_write_file(dir, "cgroup.subtree_control", "+memory +pids") == 0;
}

static bool enable_controllers_at(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool enabled = dir >= 0 && enable_controllers(dir);
    if (dir >= 0) {
        (void)close(dir); /* a directory */
    }
    return enabled;
}

/* Moves every process of the group into its leaf: us, and in a group that is shared the engine. */
static bool move_to_leaf(int dir)
{
    char processes[PROCESSES_SIZE];
    for (int pass = 0; pass < LEAF_PASSES_MAX; pass++) { /* more may have been forked meanwhile */
        const ssize_t got = sys_read_file(dir, "cgroup.procs", processes, sizeof(processes));
        if (got <= 0) {
            return got == 0;
        }
        for (char *pid = processes, *end; (end = strchr(pid, '\n')) != NULL; pid = end + 1) {
            *end = '\0';
            if (sys_write_file(dir, KEEPER_LEAF "/cgroup.procs", pid) != 0 && errno != ESRCH) {
                return false;
            }
        }
    }
    return false;
}

/* Whether others in the group may be moved: systemd marks a group that it leaves to whoever is in
 * it.  Without the mark one that we may write to is still the manager's, as any user's terminal. */
static bool is_marked_delegated(int dir)
{
    char mark[2];
    return fgetxattr(dir, "user.delegate", mark, sizeof(mark)) == 1 && mark[0] == '1';
}

/* A group that was delegated to us, divided into a leaf with whoever was in it, and one for each
 * run.  We are in the leaf already when another keeper of our engine's has done that. */
static int open_delegated(const char *own_path)
{
    char path[PATH_SIZE];
    char processes[64];
    (void)snprintf(path, sizeof(path), "%s", own_path);
    char *last = strrchr(path, '/');
    const bool in_leaf = last != NULL && strcmp(last, "/" KEEPER_LEAF) == 0;
    if (in_leaf) {
        *last = '\0';
    }
    int dir = open_own(CGROUP_ROOT, path);
    if (dir < 0) {
        return -1;
    }
    const ssize_t got = sys_read_file(dir, "cgroup.procs", processes, sizeof(processes));
    const bool alone = got > 0 && strchr(processes, '\n') == processes + got - 1;
    const bool ours =
        in_leaf || ((alone || is_marked_delegated(dir)) && has_controllers(dir) &&
                    (mkdirat(dir, KEEPER_LEAF, 0755) == 0 || errno == EEXIST) && move_to_leaf(dir));
    if (!ours || !enable_controllers(dir)) {
        (void)close(dir); /* a directory */
        return -1;
    }
    return dir;
}

static int open_top(void)
{
    int dir = enable_controllers_at(CGROUP_ROOT) ? open_shared(CGROUP_ROOT) : -1;
    if (dir >= 0 && !enable_controllers(dir)) {
        (void)close(dir); /* a directory */
        dir = -1;
    }
    return dir;
}

/* An ordinary user's systemd is asked, where it listens whatever the caller's environment says:
 * only root and this user can put anything there. */
static int open_own_scope(const struct cgroup_host *host)
{
    char manager[64];
    char name[CGROUP_NAME_MAX];
    char own_groups[OWN_GROUPS_MAX];
    char own_path[PATH_SIZE];
    (void)snprintf(manager, sizeof(manager), "/run/user/%u/systemd/private", (unsigned)geteuid());
    (void)snprintf(name, sizeof(name), "%.*s", (int)strlen(host->prefix) - 1, host->prefix);
    if (geteuid() != 0 && scope_enter(manager, name, SCOPE_WAIT_MS) &&
        sys_read_file(AT_FDCWD, "/proc/self/cgroup", own_groups, sizeof(own_groups)) > 0 &&
        own_group(own_groups, "", own_path, sizeof(own_path))) {
        return open_delegated(own_path);
    }
    return -1;
}

static bool open_version_2(struct cgroup_host *host, const char *own_groups)
{
    char own_path[PATH_SIZE];
    struct statfs root;
    if (statfs(CGROUP_ROOT, &root) != 0 || root.f_type != CGROUP2_SUPER_MAGIC ||
        !own_group(own_groups, "", own_path, sizeof(own_path))) {
        return false;
    }
    int dir = open_top();
    if (dir < 0) {
        dir = open_delegated(own_path);
    }
    if (dir < 0) {
        dir = open_own_scope(host);
    }
    host->parents[0] = dir;
    host->without_cpu = dir >= 0 && !offers(dir, "cpu");
    return dir >= 0;
}

/* Field 22 of /proc/PID/stat, in clock ticks since boot; 0 when there is no such process. */
static uint64_t start_time(pid_t pid)
{
    char path[32];
    char text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (sys_read_file(AT_FDCWD, path, text, sizeof(text)) <= 0) {
        return 0;
    }
    /* The second field is the name in brackets and may hold anything: count from its end. */
    const char *at = strrchr(text, ')');
    if (at != NULL && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)) {
        return 0; /* dead, and nobody has taken note: under a PID 1 that never does */
    }
    for (int field = 2; at != NULL && field < STAT_START_TIME_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

/* In every tree, the first one last: what is left is looked for there.  False: try again soon. */
static bool remove_everywhere(const struct cgroup_host *host, const char *name)
{
    for (int i = CGROUP_CONTROLLERS - 1; i >= 0; i--) {
        if (host->parents[i] >= 0 && unlinkat(host->parents[i], name, AT_REMOVEDIR) != 0 &&
            errno != ENOENT) {
            return errno != EBUSY;
        }
    }
    return true;
}

static void sweep_one(const struct cgroup_host *host, const char *name)
{
    int pid = 0;
    uint64_t started = 0;
    if (strncmp(name, host->prefix, strlen(host->prefix)) != 0 &&
        sscanf(name, "cella-%d-%" SCNu64 "-", &pid, &started) == 2 && start_time(pid) != started) {
        (void)remove_everywhere(host, name); /* or later */
    }
}

/* A group that is still dying is left for the next keeper. */
void cgroup_sweep(const struct cgroup_host *host)
{
    if (host->parents[0] < 0) {
        return;
    }
    int fd = openat(host->parents[0], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        sweep_one(host, entry->d_name);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    } else if (fd >= 0) {
        (void)close(fd); /* a directory */
    }
}

int cgroup_create(const struct cgroup_host *host, uint64_t number, struct cgroup *ret_group,
                  struct cella_error *err)
{
    struct cgroup group = {.host = host, .dirs = {-1, -1, -1, -1}, .entries = {-1, -1, -1, -1}};
    (void)snprintf(group.name, sizeof(group.name), "%.40s%" PRIu64, host->prefix, number);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (host->parents[i] < 0) {
            continue;
        }
        if (mkdirat(host->parents[i], group.name, 0755) != 0 ||
            (group.dirs[i] = openat(host->parents[i], group.name,
                                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0 ||
            (cgroup_clone_fd(&group) < 0 &&
             (group.entries[i] = openat(group.dirs[i], "tasks", O_WRONLY | O_CLOEXEC)) < 0)) {
            error_set(err, CELLA_ERROR_HOST, errno, "cannot make a control group for %s",
                      controller_names[i]);
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

void cgroup_free_cpu(const struct cgroup *group)
{
    /* What fails here leaves the group as slow as it was. */
    IGNORE(group->host->mechanism == KEEPER_BY_CGROUP_V2
               ? sys_write_file(group->dirs[0], "cpu.max", "max")
               : sys_write_file(cpu_directory(group), "cpu.cfs_quota_us", "-1"));
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
                             controller_names[i]);
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
    /* A process is seen to be dead a moment before it has left its group, or never seen. */
    for (int ms = 0; ms < REMOVE_WAIT_MS && !remove_everywhere(group->host, group->name); ms++) {
        IGNORE(poll(NULL, 0, 1) < 0); /* a signal may cut it short */
    }
    group->host = NULL;
}
