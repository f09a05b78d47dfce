/* See ceiling.h. */
#include "keeper/ceiling.h"

#include "base/error.h"
#include "isolate/protections.h"

#include <stdbool.h>
#include <string.h>

/* A sandbox itself needs some hundred KiB before the program has any. */
#define MEMORY_MIN_BYTES (UINT64_C(2) * 1024 * 1024)
#define PROCESSES_MAX    100000

/* Those of which nothing would be left without them; not even a test may run so. */
#define STRUCTURAL                                                                                 \
    (protection_bit(PROTECTION_USER_NS) | protection_bit(PROTECTION_PID_NS) |                      \
     protection_bit(PROTECTION_MOUNT_NS) | protection_bit(PROTECTION_INIT_SEALED))

/* Those that an operator may waive: each leaves a wall behind it. */
#define WAIVABLE                                                                                   \
    (protection_bit(PROTECTION_SECCOMP) | protection_bit(PROTECTION_LANDLOCK_FILES) |              \
     protection_bit(PROTECTION_LANDLOCK_NET) | protection_bit(PROTECTION_LANDLOCK_SCOPE) |         \
     protection_bit(PROTECTION_PROC_MASKED) | protection_bit(PROTECTION_TIME_NS) |                 \
     protection_bit(PROTECTION_CGROUP_NS) | protection_bit(PROTECTION_KEYRING) |                   \
     protection_bit(PROTECTION_CPU) | protection_bit(PROTECTION_CORE_SCHED) |                      \
     protection_bit(PROTECTION_SPECULATION))

/* Where programs and their files live.  Homes, /var, /run and the kernel's file systems are not
 * here and cannot be; of /var one exception, GHC's list of its libraries, without which Debian's
 * does nothing. */
static const char *const mount_sources[] = {
    "/usr",         "/bin",    "/sbin", "/lib",  "/lib32",
    "/lib64",       "/libx32", "/opt",  "/etc/", /* something below it, never all of it */
    "/var/lib/ghc",
};

/* The sandbox has its own of these, or they tell of the host's accounts and keys. */
static const char *const closed_sources[] = {
    "/etc/passwd", "/etc/shadow",   "/etc/group",         "/etc/gshadow",     "/etc/hosts",
    "/etc/ssh",    "/etc/hostname", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/ssl/private",
};

/* No limit makes sense above these, and sums of two must not wrap. */
#define LIMIT_VALUE_MAX (UINT64_C(1) << 52)
#define CPUS_MAX        (UINT64_C(1000) * 65536) /* thousandths */

static int above(struct cella_error *err, const char *what)
{
    error_set(err, CELLA_ERROR_POLICY, 0, "the keeper refuses the plan: %s", what);
    return -1;
}

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/* Absolute, and no "." or ".." or empty part. */
static bool is_plain_path(const char *path)
{
    const char *part = path;
    while (*part == '/') {
        const size_t length = strcspn(part + 1, "/");
        if (length == 0 || (length == 1 && part[1] == '.') ||
            (length == 2 && part[1] == '.' && part[2] == '.')) {
            return false;
        }
        part += 1 + length;
    }
    return part != path && *part == '\0';
}

static bool is_source(const char *path)
{
    for (size_t i = 0; i < ARRAY_LENGTH(closed_sources); i++) {
        const size_t length = strlen(closed_sources[i]);
        if (strncmp(path, closed_sources[i], length) == 0 &&
            (path[length] == '\0' || path[length] == '/')) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(mount_sources); i++) {
        const size_t length = strlen(mount_sources[i]);
        const bool below_only = mount_sources[i][length - 1] == '/';
        if (strncmp(path, mount_sources[i], length) == 0 &&
            (below_only || path[length] == '\0' || path[length] == '/')) {
            return true;
        }
    }
    return false;
}

static int check_mount(const struct plan_mount *mount, struct cella_error *err)
{
    if (!ends(mount->source, sizeof(mount->source)) ||
        !ends(mount->target, sizeof(mount->target))) {
        return above(err, "a mount's path has no end");
    }
    /* What we build ourselves (/proc, /dev, /tmp, /workspace) is no place of a program's files, so
     * the same list serves for both ends. */
    if (!is_plain_path(mount->target) || !is_source(mount->target)) {
        return above(err, "a mount's target is not a place for programs");
    }
    switch ((enum plan_mount_kind)mount->kind) {
    case PLAN_MOUNT_BIND:
        return is_plain_path(mount->source) && is_source(mount->source)
                   ? 0
                   : above(err, "a mount's source is not a place for programs");
    case PLAN_MOUNT_SYMLINK:
        /* As distributions have them: /lib leads to usr/lib, and nothing is mounted behind it. */
        return strchr(mount->target + 1, '/') == NULL &&
                       strncmp(mount->source + (mount->source[0] == '/'), "usr/", 4) == 0 &&
                       strstr(mount->source, "..") == NULL
                   ? 0
                   : above(err, "a link that is not one of the root into /usr");
    }
    return above(err, "unknown kind of mount");
}

static int check_limits(const struct limits *limits, struct cella_error *err)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const uint64_t value = limits->value[i];
        if (value >= LIMIT_DERIVED || (value == 0 && i != LIMIT_SWAP)) {
            error_set(err, CELLA_ERROR_POLICY, 0, "the keeper refuses the plan: no value for %s",
                      limit_table[i].name);
            return -1;
        }
        if (value > LIMIT_VALUE_MAX) {
            return above(err, "a limit that limits nothing");
        }
    }
    if (limits->value[LIMIT_CPUS] > CPUS_MAX) {
        return above(err, "too many processors");
    }
    if (limits->value[LIMIT_PROCESSES] > PROCESSES_MAX) {
        return above(err, "too many processes");
    }
    if (limits->value[LIMIT_MEMORY] < MEMORY_MIN_BYTES) {
        above(err, "a sandbox needs at least 2 MiB of memory_bytes");
        return error_set_field(err, "limits.memory_bytes");
    }
    return 0;
}

int ceiling_check(const struct plan *plan, struct cella_error *err)
{
#ifdef CELLA_TESTING
    const uint64_t waivable = ~STRUCTURAL;
#else
    const uint64_t waivable = WAIVABLE & ~STRUCTURAL;
#endif
    if (plan->version != PLAN_VERSION || plan->mount_count > PLAN_MOUNTS_MAX ||
        plan->loopback > 1 || plan->stop_on_output > 1 || plan->syscalls > PLAN_SYSCALLS_STRICT ||
        plan->control_groups > PLAN_CONTROL_GROUPS_REQUIRED) {
        return above(err, "a field is out of range");
    }
    if (plan->network != PLAN_NETWORK_NONE) {
        return above(err, "the host's network is given to no run");
    }
    if (!ends(plan->hostname, sizeof(plan->hostname))) {
        return above(err, "the host name has no end");
    }
    for (int i = 0; i < PROTECTION_COUNT; i++) {
        if ((plan->waived & ~waivable & protection_bit((enum protection)i)) != 0) {
            return error_set(err, CELLA_ERROR_POLICY, 0, "protection '%s' cannot be waived",
                             protection_table[i].name);
        }
    }
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if (check_mount(&plan->mounts[i], err) != 0) {
            return -1;
        }
    }
    return check_limits(&plan->limits, err);
}
