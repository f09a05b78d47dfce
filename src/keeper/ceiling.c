/* See ceiling.h. */
#include "keeper/ceiling.h"

#include "base/error.h"
#include "isolate/calls.h"
#include "isolate/places.h"
#include "isolate/protections.h"

#include <asm/unistd.h>
#include <stdio.h>
#include <string.h>

#define PROCESSES_MAX 100000

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

void ceiling_open(struct ceiling *ceiling, bool privileged)
{
    *ceiling = (struct ceiling){.privileged = privileged};
    if (privileged) {
        widening_read(&ceiling->widening);
    }
}

/* ---- what only root can give ---- */

/* What root would have to write, or what is wrong with what root wrote. */
static int needs_line(const struct ceiling *ceiling, struct cella_error *err, const char *what,
                      const char *line)
{
    if (ceiling->widening.problem[0] != '\0') {
        error_set(err, CELLA_ERROR_POLICY, 0,
                  "the keeper refuses the plan: %s; " WIDENING_FILE ": %s", what,
                  ceiling->widening.problem);
        return error_set_hint(err, "mend the file; `cella doctor` reads it too");
    }
    above(err, what);
    return error_set_hint(
        err, "if root allows it for every run of this host: add the line '%s' to " WIDENING_FILE,
        line);
}

static int check_network(const struct ceiling *ceiling, const struct plan *plan,
                         struct cella_error *err)
{
    if (plan->network == PLAN_NETWORK_NONE || !ceiling->privileged ||
        ceiling->widening.network_host) {
        return 0;
    }
    return needs_line(ceiling, err, "the host's network is given to no run", "network host");
}

/* ---- mounts ---- */

static int check_source(const struct ceiling *ceiling, const struct plan_mount *mount,
                        struct cella_error *err)
{
    char line[WIDENING_PATH_MAX + 32];
    char what[WIDENING_PATH_MAX + 64];
    const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
    const bool alone = (mount->flags & PLAN_MOUNT_ALONE) != 0;
    if (!writable && places_is_plain(mount->source) && places_is_for_programs(mount->source)) {
        return 0;
    }
    const char *problem = places_source_problem(mount->source, writable);
    if (problem != NULL) {
        (void)snprintf(what, sizeof(what), "the mount's source %s", problem); /* fits */
        return above(err, what);
    }
    if (!alone) {
        return above(err, "a mount that would bring others along");
    }
    if (!ceiling->privileged ||
        widening_allows_mount(&ceiling->widening, mount->source, writable)) {
        return 0;
    }
    (void)snprintf(what, sizeof(what), "no run may %s %s", writable ? "write to" : "see",
                   mount->source); /* fits */
    (void)snprintf(line, sizeof(line), "mount %s %s", writable ? "writable" : "read_only",
                   mount->source); /* fits */
    return needs_line(ceiling, err, what, line);
}

static int check_target(const struct plan_mount *mount, struct cella_error *err)
{
    /* What we build ourselves (/proc, /dev, /tmp) is in neither. */
    const char *target = mount->target;
    const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
    return places_is_plain(target) && (places_is_for_programs(target) ||
                                       places_target_problem(target, writable) == NULL)
               ? 0
               : above(err, "a mount's target is not a place for the host's files");
}

/* As distributions have them: /lib leads to usr/lib, and nothing is mounted behind it. */
static int check_link(const struct plan_mount *mount, struct cella_error *err)
{
    return places_is_base(mount->target) && strchr(mount->target + 1, '/') == NULL &&
                   strncmp(mount->source + (mount->source[0] == '/'), "usr/", 4) == 0 &&
                   strstr(mount->source, "..") == NULL
               ? 0
               : above(err, "a link that is not one of the root into /usr");
}

static int check_mount(const struct ceiling *ceiling, const struct plan_mount *mount,
                       struct cella_error *err)
{
    const uint32_t known = PLAN_MOUNT_OPTIONAL | PLAN_MOUNT_WRITABLE | PLAN_MOUNT_ALONE;
    _Static_assert(PLAN_PATH_MAX == WIDENING_PATH_MAX, "every path of a plan can be allowed");
    if (!ends(mount->source, sizeof(mount->source)) ||
        !ends(mount->target, sizeof(mount->target))) {
        return above(err, "a mount's path has no end");
    }
    if ((mount->flags & ~known) != 0 || (mount->kind != PLAN_MOUNT_BIND && mount->flags != 0)) {
        return above(err, "unknown flags of a mount");
    }
    if (check_target(mount, err) != 0) {
        return -1;
    }
    switch ((enum plan_mount_kind)mount->kind) {
    case PLAN_MOUNT_BIND:
        return check_source(ceiling, mount, err);
    case PLAN_MOUNT_SYMLINK:
        return check_link(mount, err);
    case PLAN_MOUNT_HIDE:
        return mount->source[0] == '\0' ? 0 : above(err, "a hidden place with a source");
    }
    return above(err, "unknown kind of mount");
}

static int check_mounts(const struct ceiling *ceiling, const struct plan *plan,
                        struct cella_error *err)
{
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if (check_mount(ceiling, &plan->mounts[i], err) != 0) {
            return -1;
        }
    }
    if (plan_has_workspace(plan) && plan->files_apart == 0) {
        return above(err, "the request's files would lie in a directory of the host");
    }
    return plan_writable_count(plan) <= PLAN_WRITABLE_MAX ? 0
                                                          : above(err, "too many writable mounts");
}

/* ---- system calls ---- */

static bool is_among(uint32_t call, const uint32_t *calls, size_t count)
{
    size_t i = 0;
    while (i < count && calls[i] != call) {
        i++;
    }
    return i < count;
}

static int check_calls(const struct plan *plan, struct cella_error *err)
{
#define ADDABLE(name, what) __NR_##name,
#define OF_INIT(name)       __NR_##name,
    static const uint32_t addable[] = {CALLS_ADDABLE(ADDABLE)};
    static const uint32_t of_init[] = {CALLS_OF_INIT(OF_INIT)};
    for (uint32_t i = 0; i < plan->allowed_count; i++) {
        if (!is_among(plan->allowed_calls[i], addable, ARRAY_LENGTH(addable))) {
            return above(err, "a system call that can be allowed to no run");
        }
    }
    for (uint32_t i = 0; i < plan->denied_count; i++) {
        if (is_among(plan->denied_calls[i], of_init, ARRAY_LENGTH(of_init))) {
            return above(err, "a system call is denied that every run needs");
        }
    }
    return 0;
}

/* ---- the rest ---- */

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
    if (limits->value[LIMIT_CPUS] < LIMIT_CPUS_MIN) {
        return above(err, "less than a hundredth of a processor");
    }
    if (limits->value[LIMIT_CPUS] > CPUS_MAX) {
        return above(err, "too many processors");
    }
    if (limits->value[LIMIT_PROCESSES] > PROCESSES_MAX) {
        return above(err, "too many processes");
    }
    if (limits->value[LIMIT_MEMORY] < LIMIT_MEMORY_MIN) {
        return above(err, "a sandbox needs at least 2 MiB of memory_bytes");
    }
    return 0;
}

static int check_waivers(const struct plan *plan, struct cella_error *err)
{
#ifdef CELLA_TESTING
    const uint64_t waivable = ~STRUCTURAL;
#else
    const uint64_t waivable = WAIVABLE & ~STRUCTURAL;
#endif
    for (int i = 0; i < PROTECTION_COUNT; i++) {
        if ((plan->waived & ~waivable & protection_bit((enum protection)i)) != 0) {
            return error_set(err, CELLA_ERROR_POLICY, 0, "protection '%s' cannot be waived",
                             protection_table[i].name);
        }
    }
    return 0;
}

int ceiling_check(const struct ceiling *ceiling, const struct plan *plan, struct cella_error *err)
{
    if (plan->version != PLAN_VERSION || plan->mount_count > PLAN_MOUNTS_MAX ||
        plan->allowed_count > PLAN_CALLS_MAX || plan->denied_count > PLAN_CALLS_MAX ||
        plan->network > PLAN_NETWORK_HOST || plan->loopback > 1 || plan->stop_on_output > 1 ||
        plan->one_processor > 1 || plan->files_apart > 1 ||
        plan->terminal_rows > TERMINAL_SIZE_MAX || plan->terminal_columns > TERMINAL_SIZE_MAX ||
        (plan->terminal_rows == 0) != (plan->terminal_columns == 0) ||
        plan->syscalls > PLAN_SYSCALLS_STRICT ||
        plan->control_groups > PLAN_CONTROL_GROUPS_REQUIRED) {
        return above(err, "a field is out of range");
    }
    if (!ends(plan->hostname, sizeof(plan->hostname))) {
        return above(err, "the host name has no end");
    }
    if (check_network(ceiling, plan, err) != 0 || check_waivers(plan, err) != 0 ||
        check_mounts(ceiling, plan, err) != 0 || check_calls(plan, err) != 0) {
        return -1;
    }
    return check_limits(&plan->limits, err);
}

const struct plan *ceiling_mark(const struct ceiling *ceiling, const struct plan *plan)
{
    static struct plan marked; /* too large for comfort on a stack */
    marked = *plan;
    for (uint32_t i = 0; i < plan->mount_count && ceiling->privileged; i++) {
        if ((plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) != 0 &&
            widening_allows_root(&ceiling->widening, plan->mounts[i].source)) {
            marked.mounts[i].flags |= PLAN_MOUNT_OF_ROOT;
        }
    }
    return &marked;
}
