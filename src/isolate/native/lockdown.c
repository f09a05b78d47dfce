/*
 * The lock-down: capabilities, no-new-privileges, Landlock, and in seccomp.c the filter, in this
 * order.  What is set here is inherited by init and by everything that init starts, and nothing
 * gives it back.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock rights by the ABI that brought them; the build's header may be older than the kernel. */
#define RIGHTS_ABI_1                                                                               \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |                                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define RIGHT_REFER     (UINT64_C(1) << 13) /* ABI 2 */
#define RIGHT_TRUNCATE  (UINT64_C(1) << 14) /* ABI 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define NET_BIND_TCP    (UINT64_C(1) << 0)  /* ABI 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT  (UINT64_C(1) << 0) /* ABI 6 */
#define SCOPE_SIGNAL    (UINT64_C(1) << 1)

#define RIGHTS_LOOK  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_RUN   (RIGHTS_LOOK | LANDLOCK_ACCESS_FS_EXECUTE)
#define RIGHTS_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
/* What a rule on something else than a directory may name. */
#define RIGHTS_OF_FILES                                                                            \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | RIGHTS_WRITE | RIGHT_IOCTL_DEV)
/* In the run's own places: everything but device files. */
#define RIGHTS_OWN                                                                                 \
    ((RIGHTS_ABI_1 | RIGHT_REFER | RIGHT_TRUNCATE) &                                               \
     ~(UINT64_C(0) + LANDLOCK_ACCESS_FS_MAKE_CHAR + LANDLOCK_ACCESS_FS_MAKE_BLOCK))

#define RIGHTS_TERMINAL (LANDLOCK_ACCESS_FS_READ_FILE | RIGHTS_WRITE | RIGHT_IOCTL_DEV)

/* In a writable mount, which is somebody's on the host: no links, which would lead whoever looks
 * there astray, no pipes and sockets, at which he would wait. */
#define RIGHTS_SHARED                                                                              \
    (RIGHTS_OWN & ~(UINT64_C(0) + LANDLOCK_ACCESS_FS_MAKE_SYM + LANDLOCK_ACCESS_FS_MAKE_FIFO +     \
                    LANDLOCK_ACCESS_FS_MAKE_SOCK))

/* As of Linux 6.10; the header may describe fewer members. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

static int keep_capabilities(struct cella_error *err);

static int failed(struct cella_error *err, const char *what)
{
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot %s", what);
}

void child_separate(struct child *child)
{
    if (!child_waives(child, PROTECTION_CORE_SCHED) &&
        sys_prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) ==
            0) {
        child_holds(child, PROTECTION_CORE_SCHED);
    }
    if (!child_waives(child, PROTECTION_SPECULATION) &&
        sys_prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE, 0, 0) ==
            0 &&
        sys_prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0) ==
            0) {
        child_holds(child, PROTECTION_SPECULATION);
    }
}

static int lock_securebits(struct child *child, struct cella_error *err)
{
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (child_waives(child, PROTECTION_SECUREBITS)) {
        return 0;
    }
    if (sys_prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) {
        return failed(err, "lock the securebits");
    }
    child_holds(child, PROTECTION_SECUREBITS);
    return 0;
}

int child_drop_capabilities(struct child *child, struct cella_error *err)
{
    if (child_waives(child, PROTECTION_CAPABILITIES)) {
        if (keep_capabilities(err) != 0) {
            return -1;
        }
        return lock_securebits(child, err);
    }
    /* While CAP_SETPCAP is still there. */
    if (lock_securebits(child, err) != 0) {
        return -1;
    }
    unsigned long capability = 0;
    while (sys_prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) {
        capability++;
    }
    if (errno != EINVAL || capability == 0) { /* EINVAL: behind the last that this kernel has */
        return failed(err, "empty the bounding set");
    }
    if (sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        return failed(err, "empty the ambient set");
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capset, &header, none) != 0) {
        return failed(err, "empty the capability sets");
    }
    child_holds(child, PROTECTION_CAPABILITIES);
    return 0;
}

/* Only where a test build waives no_capabilities: an exec as another uid than 0 keeps ambient
 * capabilities alone. */
static int keep_capabilities(struct cella_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) != 0) {
        return failed(err, "read the capability sets");
    }
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets[i].inheritable = sets[i].permitted;
    }
    if (syscall(SYS_capset, &header, sets) != 0) {
        return failed(err, "keep the capability sets");
    }
    for (unsigned long capability = 0; sys_prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++) {
        /* Those the keeper lacks itself cannot be raised, nor need they be. */
        IGNORE(sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
    }
    return 0;
}

int child_set_no_new_privs(struct child *child, struct cella_error *err)
{
    if (child_waives(child, PROTECTION_NO_NEW_PRIVS)) {
        return 0;
    }
    if (sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return failed(err, "set no-new-privileges");
    }
    child_holds(child, PROTECTION_NO_NEW_PRIVS);
    return 0;
}

static int allow_beneath(int ruleset, const char *path, uint64_t rights, uint64_t handled,
                         struct cella_error *err)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & handled};
    rule.parent_fd = sys_open_path(path); /* a link would lead the rule to another place */
    if (rule.parent_fd < 0) {
        /* Left out of the root, as an optional bind may be: then there is nothing to allow. */
        return errno == ENOENT ? 0 : failed(err, "open a place for Landlock");
    }
    struct stat place;
    if (fstat(rule.parent_fd, &place) == 0 && !S_ISDIR(place.st_mode)) {
        rule.allowed_access &= RIGHTS_OF_FILES;
    }
    const long added =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    const int add_errno = errno;
    (void)close(rule.parent_fd); /* O_PATH */
    errno = add_errno;
    return added == 0 ? 0 : failed(err, "add a Landlock rule");
}

static int allow_files(const struct child *child, int ruleset, uint64_t handled,
                       struct cella_error *err)
{
    static const struct {
        const char *path;
        uint64_t rights;
    } rules[] = {
        {INIT_PROGRAM, RIGHTS_OWN}, /* where there is one */
        {INIT_TEMPORARY, RIGHTS_OWN},
        {INIT_SHARED_MEMORY, RIGHTS_OWN & ~(UINT64_C(0) + LANDLOCK_ACCESS_FS_EXECUTE)},
        {"/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | RIGHTS_WRITE},
        {"/dev/zero", LANDLOCK_ACCESS_FS_READ_FILE | RIGHTS_WRITE},
        {"/dev/full", LANDLOCK_ACCESS_FS_READ_FILE | RIGHTS_WRITE},
        {"/dev/pts", RIGHTS_TERMINAL}, /* where there is a terminal */
        {"/dev/tty", RIGHTS_TERMINAL},
        {"/", RIGHTS_LOOK}, /* the root holds what was built, nothing else */
    };
    const struct plan *plan = child->plan;

    /* Where it is a mount it has that mount's rule. */
    if (!plan_has_workspace(plan) &&
        allow_beneath(ruleset, INIT_WORKSPACE, RIGHTS_OWN, handled, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        if (allow_beneath(ruleset, rules[i].path, rules[i].rights, handled, err) != 0) {
            return -1;
        }
    }
    /* The init of a sandbox in a nest has no program to start there, and nothing to read. */
    const uint32_t mount_count = child->kind == CHILD_NESTED ? 0 : plan->mount_count;
    for (uint32_t i = 0; i < mount_count; i++) {
        const struct plan_mount *mount = &plan->mounts[i];
        const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
        const bool settings = strncmp(mount->target, "/etc/", 5) == 0 && !writable;
        if (mount->kind == PLAN_MOUNT_BIND && !settings &&
            allow_beneath(ruleset, mount->target, writable ? RIGHTS_SHARED : RIGHTS_RUN, handled,
                          err) != 0) {
            return -1;
        }
    }
    return 0;
}

static struct ruleset wanted_rules(const struct child *child, long abi)
{
    struct ruleset rules = {0, 0, 0};
    if (!child_waives(child, PROTECTION_LANDLOCK_FILES)) {
        rules.files = RIGHTS_ABI_1 | (abi >= 2 ? RIGHT_REFER : 0) |
                      (abi >= 3 ? RIGHT_TRUNCATE : 0) | (abi >= 5 ? RIGHT_IOCTL_DEV : 0);
    }
    /* Landlock knows ports, not addresses: with a loopback to talk over, TCP stays possible, and
     * the network namespace alone keeps it inside. */
    if (abi >= 4 && child->plan->loopback == 0 && child->plan->network == PLAN_NETWORK_NONE &&
        !child_waives(child, PROTECTION_LANDLOCK_NET)) {
        rules.network = NET_BIND_TCP | NET_CONNECT_TCP;
    }
    if (abi >= 6 && !child_waives(child, PROTECTION_LANDLOCK_SCOPE)) {
        /* The init of a sandbox in a nest must be able to end its program, which is a zygote's
         * child and has rules of its own. */
        rules.scoped = SCOPE_ABSTRACT | (child->kind == CHILD_NESTED ? 0 : SCOPE_SIGNAL);
    }
    return rules;
}

int child_load_landlock(struct child *child, struct cella_error *err)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const struct ruleset rules = wanted_rules(child, abi);
    if (abi < 1 || (rules.files | rules.network | rules.scoped) == 0) {
        return 0; /* this kernel has none, or nothing is asked of it */
    }
    const size_t size = abi >= 6   ? sizeof(rules)
                        : abi >= 4 ? 2 * sizeof(uint64_t)
                                   : sizeof(uint64_t);
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) {
        return failed(err, "make a Landlock ruleset");
    }
    if (rules.files != 0 && allow_files(child, ruleset, rules.files, err) != 0) {
        return -1;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        return failed(err, "enforce Landlock");
    }
    (void)close(ruleset); /* enforced; no longer needed */
    if (rules.files != 0) {
        child_holds(child, PROTECTION_LANDLOCK_FILES);
    }
    if (rules.network != 0) {
        child_holds(child, PROTECTION_LANDLOCK_NET);
    }
    if (rules.scoped != 0) {
        child_holds(child, PROTECTION_LANDLOCK_SCOPE);
    }
    return 0;
}
