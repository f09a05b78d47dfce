/*
 * See cgroup_host.h.  As root our groups lie in /cella at the top of a hierarchy; otherwise in the
 * keeper's own group, if it may write there.
 * Version 1: memory, pids, cpu and cpuacct are trees of their own (two may be one).
 * Version 2: a group with processes may have no children with controllers; so in a group that was
 * delegated to us whoever is in it moves into a leaf first.  A session's group is not delegated:
 * then systemd is asked for one that is (scope.h).
 */
#include "isolate/native/cgroup_host.h"

#include "base/attributes.h"
#include "base/fd.h"
#include "isolate/native/scope.h"
#include "isolate/native/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
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
#define PROCESSES_SIZE        4096 /* of cgroup.procs read at once */
#define LEAF_PASSES_MAX       16
#define KEEPER_LEAF           "keeper"
#define BACK                  "back"
#define SCOPE_WAIT_MS         5000 /* many keepers at once ask one manager */
#define REMOVE_WAIT_MS        100  /* for one, when too many are dying */
#define CLOSE_WAIT_MS         5000 /* for all that are dying, at the end */
#define STAT_START_TIME_FIELD 22   /* of /proc/PID/stat, counted from 1 (proc(5)) */

const char *const cgroup_controller_names[CGROUP_CONTROLLERS] = {"memory", "pids", "cpu",
                                                                 "cpuacct"};

static bool open_version_1(struct cgroup_host *host, const char *own_groups);
static bool open_version_2(struct cgroup_host *host, const char *own_groups);
static void open_back(struct cgroup_host *host);
static uint64_t start_time(pid_t pid);
static bool wait_for_dying(struct cgroup_host *host, size_t left, int wait_ms);

void cgroup_host_open(struct cgroup_host *host)
{
    char own_groups[OWN_GROUPS_MAX];

    *host = (struct cgroup_host){
        .mechanism = KEEPER_BY_SUPERVISION, .parents = {-1, -1, -1, -1}, .backs = {-1, -1, -1, -1}};
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
    if (host->apart) {
        open_back(host);
    }
}

void cgroup_host_close(struct cgroup_host *host)
{
    IGNORE(wait_for_dying(host, 0, CLOSE_WAIT_MS)); /* what is left then is the next keeper's */
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (host->parents[i] >= 0) {
            (void)close(host->parents[i]); /* a directory */
            host->parents[i] = -1;
        }
        fd_close(&host->backs[i]);
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
        (void)snprintf(hierarchy, sizeof(hierarchy), CGROUP_ROOT "/%s", cgroup_controller_names[i]);
        if (own_group(own_groups, cgroup_controller_names[i], own_path, sizeof(own_path))) {
            host->parents[i] = open_shared(hierarchy);
            const bool apart = host->parents[i] >= 0;
            if (!apart) {
                host->parents[i] = open_own(hierarchy, own_path);
            }
            if (i == CGROUP_CPU) {
                host->apart = apart;
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
    host->apart = dir >= 0;
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

/* The tree that shares out processors: with version 1 that of cpuacct may be it too. */
static enum cgroup_controller cpu_tree(const struct cgroup_host *host)
{
    const bool version_2 = host->mechanism == KEEPER_BY_CGROUP_V2;
    return version_2 ? 0 : host->parents[CGROUP_CPU] >= 0 ? CGROUP_CPU : CGROUP_CPUACCT;
}

/* Where it cannot be, nothing is lost but time. */
static void open_back(struct cgroup_host *host)
{
    const enum cgroup_controller tree = cpu_tree(host);
    const int parent = host->parents[tree];
    int dir = -1;
    if (parent >= 0 && (mkdirat(parent, BACK, 0755) == 0 || errno == EEXIST)) {
        dir = openat(parent, BACK, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (dir >= 0 && (sys_write_file(dir, "cpu.idle", "1") != 0 ||
                     (host->mechanism == KEEPER_BY_CGROUP_V2 && !enable_controllers(dir)))) {
        (void)close(dir); /* a directory */
        dir = -1;
    }
    host->backs[tree] = dir;
}

bool cgroup_host_has_back(const struct cgroup_host *host)
{
    return host->backs[cpu_tree(host)] >= 0;
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

void cgroup_name(const struct cgroup_host *host, uint64_t number, char *ret_name)
{
    (void)snprintf(ret_name, CGROUP_NAME_MAX, "%.40s%" PRIu64, host->prefix, number);
}

static bool is_removed(int parent, const char *name)
{
    return parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* In every tree, the first one last: what is left is looked for there.  False: try again soon. */
static bool remove_everywhere(const struct cgroup_host *host, const char *name)
{
    for (int i = CGROUP_CONTROLLERS - 1; i >= 0; i--) {
        if (!is_removed(host->backs[i], name) || !is_removed(host->parents[i], name)) {
            return errno != EBUSY;
        }
    }
    return true;
}

bool cgroup_host_remove_dying(struct cgroup_host *host)
{
    size_t left = 0;
    for (size_t i = 0; i < host->dying_count; i++) {
        char name[CGROUP_NAME_MAX];
        cgroup_name(host, host->dying[i], name);
        if (!remove_everywhere(host, name)) {
            host->dying[left++] = host->dying[i];
        }
    }
    host->dying_count = left;
    return left == 0;
}

/* Until at most `left` of them are left.  False when there are more at the end. */
static bool wait_for_dying(struct cgroup_host *host, size_t left, int wait_ms)
{
    for (int ms = 0; host->dying_count > left && ms < wait_ms; ms++) {
        if (!cgroup_host_remove_dying(host)) {
            IGNORE(poll(NULL, 0, 1) < 0); /* a signal may cut it short */
        }
    }
    return host->dying_count <= left;
}

void cgroup_host_remove(struct cgroup_host *host, uint64_t number)
{
    char name[CGROUP_NAME_MAX];
    cgroup_name(host, number, name);
    if (!remove_everywhere(host, name) &&
        wait_for_dying(host, CGROUP_DYING_MAX - 1, REMOVE_WAIT_MS)) {
        host->dying[host->dying_count++] = number;
    } /* else it is left for the next keeper */
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

static void sweep_in(const struct cgroup_host *host, int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* A group that is still dying is left for the next keeper. */
void cgroup_sweep(const struct cgroup_host *host)
{
    if (host->parents[0] >= 0) {
        sweep_in(host, host->parents[0]);
    }
    if (host->backs[0] >= 0) { /* with version 1 all have a directory in the former */
        sweep_in(host, host->backs[0]);
    }
}
