/*
 * The keeper's ceiling, and the file by which root widens it: every refusal with its words.
 */
#include "isolate/calls.h"
#include "isolate/protections.h"
#include "keeper/ceiling.h"
#include "scratch.h"

#include <asm/unistd.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- the file ---- */

static struct widening parsed(const char *text)
{
    struct widening widening;
    widening_parse(text, strlen(text), &widening);
    assert_true(widening.exists);
    return widening;
}

static void test_widening(void **state)
{
    (void)state;
    struct widening widening = parsed("# what runs of this host may see\n"
                                      "\n"
                                      "mount read_only /srv/data\n"
                                      "\tmount  writable\t/srv/out \n"
                                      "network host");
    assert_string_equal(widening.problem, "");
    assert_true(widening.network_host);
    assert_int_equal(widening.mount_count, 2);
    static const struct {
        const char *path;
        bool read_only, writable;
    } rows[] = {
        {"/srv/data", true, false}, {"/srv/data/x", true, false}, {"/srv/datax", false, false},
        {"/srv", false, false},     {"/srv/out", true, true},     {"/srv/out/deep/er", true, true},
        {"/home", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(widening_allows_mount(&widening, rows[i].path, false), rows[i].read_only);
        assert_int_equal(widening_allows_mount(&widening, rows[i].path, true), rows[i].writable);
    }
    assert_false(widening_allows_root(&widening, "/srv/out"));
    widening = parsed("mount writable_of_root /srv/out\nmount writable /srv/in");
    assert_true(widening_allows_mount(&widening, "/srv/out/x", true));
    assert_true(widening_allows_root(&widening, "/srv/out/x"));
    assert_false(widening_allows_root(&widening, "/srv/in"));
    widening = parsed("");
    assert_string_equal(widening.problem, "");
    assert_false(widening.network_host);
    assert_int_equal(widening.mount_count, 0);
}

/* What is wrong in one line lets no other count. */
static void bad(const char *text, const char *problem)
{
    struct widening widening = parsed(text);
    has_text(widening.problem, problem);
    assert_false(widening.network_host);
    assert_int_equal(widening.mount_count, 0);
    assert_false(widening_allows_mount(&widening, "/srv/data", false));
}

static void test_bad_widening(void **state)
{
    (void)state;
    static const char fixed[] = "must be 'mount read_only PATH', 'mount writable PATH' or "
                                "'network host'";
    char text[WIDENING_SIZE_MAX + 2];
    bad("network host\nnetworks host\n", "line 2: ");
    bad("network host\nnetworks host\n", fixed);
    bad("network none\n", fixed);
    bad("network\n", fixed);
    bad("network host please\n", fixed);
    bad("waive seccomp\n", fixed);
    bad("mount /srv/data\n", fixed);
    bad("mount read_only /srv/a /srv/b\n", fixed);
    bad("network host # all of it\n", fixed);
    bad("mount readonly /srv/data\n",
        "line 1: a mount is 'read_only', 'writable' or 'writable_of_root'");
    bad("mount read_only srv\n", "line 1: the path must be an absolute path");
    bad("mount read_only /\n", "must be an absolute path");
    bad("mount read_only /proc\n", "leads into the kernel");
    bad("mount read_only /etc/shadow\n", "tells of the host's accounts");
    bad("mount writable /usr/share\n", "is where the host's own programs");
    bad("mount read_only /srv/data\r\n", "line 1: a control character");
    memset(text, 'a', sizeof(text));
    memcpy(text, "mount read_only /", 17);
    text[17 + WIDENING_PATH_MAX] = '\0';
    bad(text, "line 1: the path is too long");
    memset(text, '#', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    bad(text, "it has more than 16384 bytes");
    size_t size = 0;
    for (int i = 0; i <= WIDENING_MOUNTS_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "mount writable /srv/%d\n", i);
    }
    bad(text, "line 65: more than 64 mounts");
}

/* ---- plans ---- */

static struct ceiling root_ceiling(const char *text)
{
    struct ceiling ceiling = {.privileged = true};
    widening_parse(text, strlen(text), &ceiling.widening);
    return ceiling;
}

static struct plan good_plan(void)
{
    struct plan plan = {.version = PLAN_VERSION};
    for (int i = 0; i < LIMIT_COUNT; i++) {
        plan.limits.value[i] = i == LIMIT_MEMORY ? 64 * LIMIT_MIB : 1000;
    }
    return plan;
}

static void add(struct plan *plan, enum plan_mount_kind kind, uint32_t flags, const char *source,
                const char *target)
{
    struct plan_mount *mount = &plan->mounts[plan->mount_count++];
    *mount = (struct plan_mount){.kind = (uint32_t)kind, .flags = flags};
    (void)snprintf(mount->source, sizeof(mount->source), "%s", source);
    (void)snprintf(mount->target, sizeof(mount->target), "%s", target);
}

static void passes(const struct ceiling *ceiling, const struct plan *plan)
{
    struct cella_error err;
    if (ceiling_check(ceiling, plan, &err) != 0) {
        fail_msg("refused: %s", err.text);
    }
}

static void refuses(const struct ceiling *ceiling, const struct plan *plan, const char *text,
                    const char *hint)
{
    struct cella_error err;
    assert_int_equal(ceiling_check(ceiling, plan, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_POLICY);
    has_text(err.text, text);
    has_text(err.hint, hint);
}

#define SHOWN (PLAN_MOUNT_ALONE)
#define WRITE (PLAN_MOUNT_ALONE | PLAN_MOUNT_WRITABLE)

static void test_mounts(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, flags;
        const char *source, *target;
        const char *root, *widened, *user; /* what each ceiling says; NULL: it passes */
    } rows[] = {
        {PLAN_MOUNT_BIND, 0, "/usr", "/usr", NULL, NULL, NULL},
        {PLAN_MOUNT_BIND, SHOWN, "/usr/share/x", "/data", NULL, NULL, NULL},
        {PLAN_MOUNT_BIND, SHOWN, "/srv/data", "/srv/data", "no run may see /srv/data", NULL, NULL},
        {PLAN_MOUNT_BIND, SHOWN, "/srv/data/x", "/data", "no run may see /srv/data/x", NULL, NULL},
        {PLAN_MOUNT_BIND, SHOWN, "/srv", "/data", "no run may see /srv", "no run may see /srv",
         NULL},
        {PLAN_MOUNT_BIND, WRITE, "/srv/data", "/data", "no run may write to /srv/data",
         "no run may write to /srv/data", NULL},
        {PLAN_MOUNT_BIND, WRITE, "/srv/out", "/data", "no run may write to /srv/out", NULL, NULL},
        {PLAN_MOUNT_BIND, 0, "/srv/data", "/data", "bring others along", "bring others along",
         "bring others along"},
        {PLAN_MOUNT_BIND, WRITE, "/usr/share", "/data", "host's own programs",
         "host's own programs", "host's own programs"},
        {PLAN_MOUNT_BIND, WRITE, "/opt/x", "/data", "no run may write to /opt/x",
         "no run may write to /opt/x", NULL},
        {PLAN_MOUNT_BIND, SHOWN, "/proc", "/data", "into the kernel", "into the kernel",
         "into the kernel"},
        {PLAN_MOUNT_BIND, SHOWN, "/", "/data", "absolute path", "absolute path", "absolute path"},
        {PLAN_MOUNT_BIND, SHOWN, "/etc/shadow", "/data", "host's accounts", "host's accounts",
         "host's accounts"},
        {PLAN_MOUNT_BIND, SHOWN, "/srv/data", "/workspace/x", "target is not a place",
         "target is not a place", "target is not a place"},
        {PLAN_MOUNT_BIND, SHOWN, "/srv/data", "/etc/passwd", "target is not a place",
         "target is not a place", "target is not a place"},
        {PLAN_MOUNT_BIND, 8, "/usr", "/usr", "unknown flags", "unknown flags", "unknown flags"},
        {PLAN_MOUNT_SYMLINK, 0, "usr/lib", "/lib", NULL, NULL, NULL},
        {PLAN_MOUNT_SYMLINK, 0, "usr/../etc", "/lib", "a link that is not", "a link that is not",
         "a link that is not"},
        {PLAN_MOUNT_SYMLINK, 0, "usr/lib", "/srv", "a link that is not", "a link that is not",
         "a link that is not"},
        {PLAN_MOUNT_SYMLINK, WRITE, "usr/lib", "/lib", "unknown flags", "unknown flags",
         "unknown flags"},
        {PLAN_MOUNT_HIDE, 0, "", "/usr/share/doc", NULL, NULL, NULL},
        {PLAN_MOUNT_HIDE, 0, "/srv", "/usr/share/doc", "a hidden place with a source",
         "a hidden place with a source", "a hidden place with a source"},
        {PLAN_MOUNT_HIDE, 0, "", "/proc/self", "target is not a place", "target is not a place",
         "target is not a place"},
        {9, 0, "/usr", "/usr", "unknown kind", "unknown kind", "unknown kind"},
    };
    const struct ceiling root = root_ceiling("");
    const struct ceiling widened = root_ceiling("mount read_only /srv/data\n"
                                                "mount writable /srv/out\n");
    const struct ceiling user = {.privileged = false};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct plan plan = good_plan();
        add(&plan, rows[i].kind, rows[i].flags, rows[i].source, rows[i].target);
        const struct {
            const struct ceiling *ceiling;
            const char *text;
        } cells[] = {{&root, rows[i].root}, {&widened, rows[i].widened}, {&user, rows[i].user}};
        for (size_t n = 0; n < ARRAY_LENGTH(cells); n++) {
            if (cells[n].text == NULL) {
                passes(cells[n].ceiling, &plan);
            } else {
                refuses(cells[n].ceiling, &plan, cells[n].text, "");
            }
        }
    }
}

static void test_lines_to_add(void **state)
{
    (void)state;
    const struct ceiling root = root_ceiling("");
    const struct ceiling broken = root_ceiling("network everywhere\n");
    struct plan plan = good_plan();
    plan.network = PLAN_NETWORK_HOST;
    refuses(&root, &plan, "the keeper refuses the plan: the host's network is given to no run",
            "add the line 'network host' to /etc/cella/ceiling.conf");
    refuses(&broken, &plan, "/etc/cella/ceiling.conf: line 1: must be", "cella doctor");
    const struct ceiling widened = root_ceiling("network host\n");
    passes(&widened, &plan);
    const struct ceiling user = {.privileged = false};
    passes(&user, &plan);
    plan.network = PLAN_NETWORK_NONE;
    passes(&broken, &plan); /* who needs nothing of the file is not kept from running */
    add(&plan, PLAN_MOUNT_BIND, SHOWN, "/srv/data", "/data");
    refuses(&root, &plan, "no run may see /srv/data", "'mount read_only /srv/data'");
    plan.mounts[0].flags = WRITE;
    refuses(&root, &plan, "no run may write to /srv/data", "'mount writable /srv/data'");
}

static void test_too_many_writable(void **state)
{
    (void)state;
    const struct ceiling user = {.privileged = false};
    struct plan plan = good_plan();
    for (int i = 0; i <= PLAN_WRITABLE_MAX; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/srv/%d", i);
        if (i == PLAN_WRITABLE_MAX) {
            passes(&user, &plan);
        }
        add(&plan, PLAN_MOUNT_BIND, WRITE, path, path);
    }
    refuses(&user, &plan, "too many writable mounts", "");
}

static void test_calls(void **state)
{
    (void)state;
    static const uint32_t never[] = {
        __NR_mount,  __NR_bpf,         __NR_unshare,     __NR_setns,          __NR_keyctl,
        __NR_clone,  __NR_kexec_load,  __NR_prctl,       __NR_ioctl,          __NR_seccomp,
        __NR_chroot, __NR_userfaultfd, __NR_add_key,     __NR_io_uring_setup, __NR_clone3,
        __NR_reboot, __NR_pivot_root,  __NR_init_module, __NR_socket,         __NR_shmget,
        100000};
    const struct ceiling root = root_ceiling("mount writable /srv/out\nnetwork host\n");
    struct plan plan = good_plan();
#define ADDED(name, what)                                                                          \
    plan.allowed_count = 1;                                                                        \
    plan.allowed_calls[0] = __NR_##name;                                                           \
    passes(&root, &plan);
    CALLS_ADDABLE(ADDED)
    for (size_t i = 0; i < ARRAY_LENGTH(never); i++) {
        plan.allowed_calls[0] = never[i];
        refuses(&root, &plan, "a system call that can be allowed to no run", "");
    }
    plan.allowed_count = 0;
    plan.denied_count = 1;
    plan.denied_calls[0] = __NR_socket;
    passes(&root, &plan);
#define OF_INIT(name)                                                                              \
    plan.denied_calls[0] = __NR_##name;                                                            \
    refuses(&root, &plan, "a system call is denied that every run needs", "");
    CALLS_OF_INIT(OF_INIT)
}

static void test_ranges(void **state)
{
    (void)state;
    const struct ceiling user = {.privileged = false};
    struct plan plan;
#define OUT_OF_RANGE(field, value, text)                                                           \
    plan = good_plan();                                                                            \
    passes(&user, &plan);                                                                          \
    plan.field = (value);                                                                          \
    refuses(&user, &plan, text, "")
    OUT_OF_RANGE(version, PLAN_VERSION + 1, "a field is out of range");
    OUT_OF_RANGE(mount_count, PLAN_MOUNTS_MAX + 1, "a field is out of range");
    OUT_OF_RANGE(allowed_count, PLAN_CALLS_MAX + 1, "a field is out of range");
    OUT_OF_RANGE(denied_count, PLAN_CALLS_MAX + 1, "a field is out of range");
    OUT_OF_RANGE(network, PLAN_NETWORK_HOST + 1, "a field is out of range");
    OUT_OF_RANGE(loopback, 2, "a field is out of range");
    OUT_OF_RANGE(stop_on_output, 2, "a field is out of range");
    OUT_OF_RANGE(one_processor, 2, "a field is out of range");
    OUT_OF_RANGE(files_apart, 2, "a field is out of range");
    OUT_OF_RANGE(syscalls, PLAN_SYSCALLS_STRICT + 1, "a field is out of range");
    OUT_OF_RANGE(control_groups, PLAN_CONTROL_GROUPS_REQUIRED + 1, "a field is out of range");
    OUT_OF_RANGE(waived, protection_bit(PROTECTION_PID_NS), "'pid_namespace' cannot be waived");
    OUT_OF_RANGE(limits.value[LIMIT_WALL], 0, "no value for wall_ms");
    OUT_OF_RANGE(limits.value[LIMIT_WALL], LIMIT_UNSET, "no value for wall_ms");
    OUT_OF_RANGE(limits.value[LIMIT_FILE], UINT64_C(1) << 53, "a limit that limits nothing");
    OUT_OF_RANGE(limits.value[LIMIT_CPUS], UINT64_C(1) << 51, "too many processors");
    OUT_OF_RANGE(limits.value[LIMIT_PROCESSES], 100001, "too many processes");
    OUT_OF_RANGE(limits.value[LIMIT_MEMORY], 1024, "at least 2 MiB of memory_bytes");
    plan = good_plan();
    add(&plan, PLAN_MOUNT_BIND, PLAN_MOUNT_ALONE | PLAN_MOUNT_WRITABLE, "/srv/out", "/workspace");
    refuses(&user, &plan, "files would lie in a directory of the host", "");
    plan.files_apart = 1;
    passes(&user, &plan);
    plan.mounts[0].flags |= PLAN_MOUNT_OF_ROOT;
    refuses(&user, &plan, "unknown flags of a mount", "");
    plan = good_plan();
    memset(plan.hostname, 'x', sizeof(plan.hostname));
    refuses(&user, &plan, "the host name has no end", "");
    plan = good_plan();
    add(&plan, PLAN_MOUNT_BIND, 0, "/usr", "/usr");
    memset(plan.mounts[0].source, 'x', sizeof(plan.mounts[0].source));
    refuses(&user, &plan, "a mount's path has no end", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widening),
        cmocka_unit_test(test_bad_widening),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_lines_to_add),
        cmocka_unit_test(test_too_many_writable),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
