/*
 * The host's budget: see budget.h.
 *
 * What cannot be read limits nothing: a host without control groups, a version that is not there.
 * The groups' paths are looked for where systemd mounts the hierarchies.  In a container the path
 * may not exist below the mount, whose root is then our group: so the way up always ends there.
 */
#include "engine/budget.h"

#include "base/attributes.h"
#include "base/cpus.h"
#include "base/fd.h"
#include "request/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define TEXT_SIZE  8192 /* of any file read here; what is looked for comes early in each */
#define PATH_SIZE  4096
#define LEVELS_MAX 64 /* of groups, on the way up */

#define KIB UINT64_C(1024)

/* From here on a limit of version 1 is none. */
#define UNLIMITED (UINT64_C(1) << 62)

/* The limit on one resource, in one version's files. */
struct group_limit {
    enum sched_resource resource;
    const char *mount;
    const char *controller;  /* in /proc/self/cgroup; "" for version 2 */
    const char *max;         /* of processors: the quota */
    const char *used;        /* of processors: the period; NULL: it stands behind the quota */
    const char *reclaimable; /* in memory.stat: used, but given back when it is needed */
};

#define V2     "/sys/fs/cgroup"
#define V1     "/sys/fs/cgroup/memory"
#define V1_CPU "/sys/fs/cgroup/cpu"

static const struct group_limit group_limits[] = {
    {SCHED_MEMORY, V2, "", "memory.max", "memory.current", "inactive_file"},
    {SCHED_SWAP, V2, "", "memory.swap.max", "memory.swap.current", NULL},
    {SCHED_CPUS, V2, "", "cpu.max", NULL, NULL},
    {SCHED_MEMORY, V1, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file"},
    /* Memory and swap together: an upper bound for swap. */
    {SCHED_SWAP, V1, "memory", "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", NULL},
    {SCHED_CPUS, V1_CPU, "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us", NULL},
};

/* What is found out, and where. */
struct look {
    const char *root;
    char own_groups[TEXT_SIZE]; /* /proc/self/cgroup */
    struct sched_amounts room;
};

static void look_at_host(const char *root, struct sched_amounts *ret_budget);
static void look_at_memory(struct look *look);
static void look_at_processors(struct look *look);
static void look_at_groups(struct look *look);
static uint64_t descriptor_limit(void);

static uint64_t share_of(uint64_t amount)
{
    return amount / 4 * 3;
}

static uint64_t at_least_one(uint64_t amount)
{
    return amount > 0 ? amount : 1;
}

static void lower(uint64_t *amount, uint64_t limit)
{
    *amount = limit < *amount ? limit : *amount;
}

void budget_of_host(const char *root, const struct sched_amounts *given,
                    struct sched_amounts *ret_budget)
{
    const uint64_t memory = given->of[SCHED_MEMORY], cpus = given->of[SCHED_CPUS];
    struct sched_amounts budget = {.of = {0}};
    budget.of[SCHED_SWAP] = UINT64_MAX;
    if (memory == 0 || cpus == 0) {
        look_at_host(root, &budget);
    }
    budget.of[SCHED_MEMORY] = memory != 0 ? memory : at_least_one(budget.of[SCHED_MEMORY]);
    budget.of[SCHED_CPUS] = cpus != 0 ? cpus : at_least_one(budget.of[SCHED_CPUS]);
    budget.of[SCHED_DESCRIPTORS] = at_least_one(share_of(descriptor_limit()));
    *ret_budget = budget;
}

static void look_at_host(const char *root, struct sched_amounts *ret_budget)
{
    struct look look = {.root = root};
    look_at_memory(&look);
    look_at_processors(&look);
    look_at_groups(&look);
    look.room.of[SCHED_MEMORY] = share_of(look.room.of[SCHED_MEMORY]);
    look.room.of[SCHED_SWAP] = share_of(look.room.of[SCHED_SWAP]);
    *ret_budget = look.room;
}

/* ---- files ---- */

/* The text of a small file of the kernel's; false, and an empty text, when there is none. */
static bool read_text(const char *path, char text[TEXT_SIZE])
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : fd_read_full(fd, text, TEXT_SIZE - 1);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static bool read_below(const char *dir, const char *name, char text[TEXT_SIZE])
{
    char path[PATH_SIZE];
    int size = snprintf(path, sizeof(path), "%s/%s", dir, name);
    text[0] = '\0';
    return size > 0 && (size_t)size < sizeof(path) && read_text(path, text);
}

/* False when it is no number, as "max" and "-1" are none. */
static bool parse_number(const char *text, uint64_t *ret_number)
{
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *ret_number = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool read_number(const char *dir, const char *name, uint64_t *ret_number)
{
    char text[TEXT_SIZE];
    return read_below(dir, name, text) && parse_number(text, ret_number);
}

/* The number in the line that starts with `key`; 0 when there is none. */
static uint64_t number_of_line(const char *text, const char *key)
{
    uint64_t number = 0;
    size_t size = strlen(key);
    while (text != NULL && !(strncmp(text, key, size) == 0 && strchr(": ", text[size]) != NULL)) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    if (text != NULL) {
        text += size + strspn(text + size, ": ");
        number = parse_number(text, &number) ? number : 0;
    }
    return number;
}

/* ---- the host ---- */

static void look_at_memory(struct look *look)
{
    char text[TEXT_SIZE];
    struct sysinfo info;
    if (read_below(look->root, "proc/meminfo", text)) {
        look->room.of[SCHED_MEMORY] = number_of_line(text, "MemAvailable") * KIB;
        look->room.of[SCHED_SWAP] = number_of_line(text, "SwapFree") * KIB;
    } else if (sysinfo(&info) == 0) {
        look->room.of[SCHED_MEMORY] = (uint64_t)info.freeram * info.mem_unit;
    }
}

static void look_at_processors(struct look *look)
{
    look->room.of[SCHED_CPUS] = cpus_usable() * LIMIT_ONE_CPU;
}

static uint64_t descriptor_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* ---- control groups ---- */

/* "<number>:<controllers>:<path>": whether `controller` is one of them; "" is version 2's line. */
static const char *path_of_line(const char *line, const char *controller)
{
    size_t size = strlen(controller);
    const char *name = strchr(line, ':');
    const char *path = name != NULL ? strchr(name + 1, ':') : NULL;
    while (path != NULL && name < path) {
        name++;
        if (strncmp(name, controller, size) == 0 && (name[size] == ':' || name[size] == ',')) {
            return path + 1;
        }
        name += strcspn(name, ",:");
    }
    return NULL;
}

/* The directory of the group that we are in; of the whole hierarchy, when there is no saying. */
static bool own_group(const struct look *look, const struct group_limit *limit,
                      char ret_dir[PATH_SIZE])
{
    const char *path = NULL;
    for (const char *line = look->own_groups; *line != '\0' && path == NULL;) {
        path = path_of_line(line, limit->controller);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    int length = path == NULL ? 0 : (int)strcspn(path, "\n");
    length -= length == 1; /* "/" is the mount itself */
    int size = snprintf(ret_dir, PATH_SIZE, "%s%s%.*s", look->root, limit->mount, length,
                        path == NULL ? "" : path);
    return size > 0 && size < PATH_SIZE;
}

/* To the group above; false at the top. */
static bool go_up(const struct look *look, const struct group_limit *limit, char dir[PATH_SIZE])
{
    char *below_top = dir + strlen(look->root) + strlen(limit->mount);
    char *slash = strrchr(below_top, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return true;
}

static void look_at_amount(struct look *look, const struct group_limit *limit, const char *dir)
{
    char stat[TEXT_SIZE] = "";
    uint64_t max = 0, used = 0, reclaimable = 0;
    /* What is used may cost to find out: not where there is no limit. */
    if (!read_number(dir, limit->max, &max) || max >= UNLIMITED ||
        !read_number(dir, limit->used, &used)) {
        return;
    }
    if (limit->reclaimable != NULL && read_below(dir, "memory.stat", stat)) {
        reclaimable = number_of_line(stat, limit->reclaimable);
    }
    used -= reclaimable < used ? reclaimable : used;
    lower(&look->room.of[limit->resource], max > used ? max - used : 0);
}

static void look_at_quota(struct look *look, const struct group_limit *limit, const char *dir)
{
    char text[TEXT_SIZE];
    uint64_t quota = 0, period = 0, scaled = 0;
    if (!read_below(dir, limit->max, text) || !parse_number(text, &quota)) {
        return; /* not limited */
    }
    if (limit->used != NULL) {
        IGNORE(read_number(dir, limit->used, &period)); /* then it is 0 */
    } else if (strchr(text, ' ') != NULL) {
        IGNORE(parse_number(strchr(text, ' ') + 1, &period)); /* likewise */
    }
    if (period > 0 && !__builtin_mul_overflow(quota, LIMIT_ONE_CPU, &scaled)) {
        lower(&look->room.of[SCHED_CPUS], scaled / period);
    }
}

static void look_at_groups(struct look *look)
{
    char dir[PATH_SIZE];
    if (!read_below(look->root, "proc/self/cgroup", look->own_groups)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(group_limits); i++) {
        const struct group_limit *limit = &group_limits[i];
        bool more = own_group(look, limit, dir);
        for (int level = 0; more && level < LEVELS_MAX; level++) {
            if (limit->resource == SCHED_CPUS) {
                look_at_quota(look, limit, dir);
            } else {
                look_at_amount(look, limit, dir);
            }
            more = go_up(look, limit, dir);
        }
    }
}
