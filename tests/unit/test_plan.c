/*
 * Plans: each limit at, under and over its cap, every other choice, mounts and digests.
 */
#include "policy/mounts.h"
#include "policy/policy.h"
#include "scratch.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- limits ---- */

static struct spec *new_spec(void)
{
    struct spec *spec = spec_create();
    struct cella_error err;
    assert_non_null(spec);
    assert_int_equal(spec_add_command_word(spec, "/bin/true", &err), 0);
    return spec;
}

static void planned(const struct policy *policy, const struct spec *spec,
                    const struct runtime *runtime, enum policy_stage stage, struct plan *ret_plan)
{
    struct cella_error err;
    if (policy_plan(policy, spec, runtime, stage, ret_plan, &err) < 0) {
        fail_msg("refused: %s", err.text);
    }
}

static void plan_refused(const struct policy *policy, const struct spec *spec,
                         enum policy_stage stage, enum cella_error_kind kind, const char *field,
                         const char *message)
{
    struct plan plan;
    struct plan before;
    struct cella_error err;
    memset(&plan, 0x55, sizeof(plan));
    memcpy(&before, &plan, sizeof(plan));
    assert_int_equal(policy_plan(policy, spec, NULL, stage, &plan, &err), -1);
    assert_memory_equal(&plan, &before, sizeof(plan));
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.field, field);
    has_text(err.text, message);
}

static uint64_t host_cpus(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return (uint64_t)CPU_COUNT(&set) * 1000;
}

static void test_plan_defaults(void **state)
{
    (void)state;
    struct policy *policy = shipped_policy("default");
    struct spec *spec = new_spec();
    struct plan plan;
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (i != LIMIT_CPU) {
            assert_int_equal(plan.limits.value[i], limit_table[i].default_value);
        }
    }
    assert_int_equal(plan.limits.value[LIMIT_CPU], 10 * LIMIT_SECOND);
    assert_int_equal(plan.version, PLAN_VERSION);
    assert_int_equal(plan.network, PLAN_NETWORK_NONE);
    assert_int_equal(plan.loopback, 1);
    assert_int_equal(plan.stop_on_output, 0);
    assert_int_equal(plan.waived, 0);
    assert_string_equal(plan.hostname, "cella");

    planned(policy, spec, NULL, POLICY_STAGE_COMPILE, &plan);
    assert_int_equal(plan.limits.value[LIMIT_WALL], 30 * LIMIT_SECOND);
    assert_int_equal(plan.limits.value[LIMIT_CPU], 30 * LIMIT_SECOND);
    assert_int_equal(plan.limits.value[LIMIT_MEMORY], LIMIT_GIB);
    spec_destroy(spec);
    policy_destroy(policy);
}

/* From earlier runs, up to what is asked for or else the cap; or what no earlier run says. */
static void test_plan_adaptive(void **state)
{
    static const struct {
        struct spec_past past;
        uint64_t asked, cap, wall;
    } cases[] = {
        {{0, 0}, LIMIT_UNSET, 300 * LIMIT_SECOND, 30 * LIMIT_SECOND},
        {{0, 0}, LIMIT_UNSET, 20 * LIMIT_SECOND, 20 * LIMIT_SECOND},
        {{0, 0}, 7 * LIMIT_SECOND, 300 * LIMIT_SECOND, 7 * LIMIT_SECOND},
        {{1000, 1}, LIMIT_UNSET, 300 * LIMIT_SECOND, 5 * LIMIT_SECOND},
        {{1000, 1}, LIMIT_UNSET, 2 * LIMIT_SECOND, 2 * LIMIT_SECOND},
        {{1000, 1}, 3 * LIMIT_SECOND, 300 * LIMIT_SECOND, 3 * LIMIT_SECOND},
        {{20 * LIMIT_SECOND, 50}, LIMIT_UNSET, 300 * LIMIT_SECOND, 60 * LIMIT_SECOND},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct policy *policy = shipped_policy("default");
        struct spec *spec = new_spec();
        struct plan plan;
        policy->caps.value[LIMIT_WALL] = cases[i].cap;
        policy->adaptive_timeout = i % 2 == 0;
        spec->adaptive_timeout = i % 2 == 0 ? SPEC_ADAPTIVE_UNSET : SPEC_ADAPTIVE_ON;
        spec->past = cases[i].past;
        spec->limits.value[LIMIT_WALL] = cases[i].asked;
        planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
        assert_int_equal(plan.limits.value[LIMIT_WALL], cases[i].wall);
        assert_int_equal(plan.limits.value[LIMIT_CPU], cases[i].wall);
        planned(policy, spec, NULL, POLICY_STAGE_COMPILE, &plan);
        assert_int_equal(plan.limits.value[LIMIT_WALL], 30 * LIMIT_SECOND);
        spec->adaptive_timeout = SPEC_ADAPTIVE_OFF;
        spec->limits.value[LIMIT_WALL] = LIMIT_SECOND;
        planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
        assert_int_equal(plan.limits.value[LIMIT_WALL], LIMIT_SECOND);
        spec_destroy(spec);
        policy_destroy(policy);
    }
}

static void test_every_cap(void **state)
{
    (void)state;
    struct policy *policy = shipped_policy("default");
    struct spec *spec = new_spec();
    struct plan plan;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        char field[64];
        uint64_t cap = limit == LIMIT_CPUS ? host_cpus() : limit_table[limit].default_cap;
        (void)snprintf(field, sizeof(field), "limits.%s", limit_table[limit].name);
        limits_init(&spec->limits);
        if (cap > 0) {
            spec->limits.value[limit] = cap - 1;
            planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
            assert_int_equal(plan.limits.value[limit], cap - 1);
        }
        spec->limits.value[limit] = cap;
        planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
        assert_int_equal(plan.limits.value[limit], cap);
        spec->limits.value[limit] = cap + 1;
        plan_refused(policy, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, field,
                     "policy 'default' allows at most ");
        /* It binds the stage it is asked for alone. */
        planned(policy, spec, NULL, POLICY_STAGE_COMPILE, &plan);
        spec->limits.value[limit] = LIMIT_DERIVED;
        plan_refused(policy, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, field, "allows at most");
        spec->limits.value[limit] = 0;
        if (limit == LIMIT_SWAP) {
            planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
        } else {
            plan_refused(policy, spec, POLICY_STAGE_RUN, CELLA_ERROR_CALLER, field,
                         "must be more than 0");
        }
    }
    spec_destroy(spec);
    policy_destroy(policy);
}

static void test_cap_messages(void **state)
{
    (void)state;
    struct policy *policy = shipped_policy("default");
    struct spec *spec = new_spec();
    spec->limits.value[LIMIT_MEMORY] = 20 * LIMIT_GIB;
    plan_refused(policy, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, "limits.memory_bytes",
                 "policy 'default' allows at most 10 GiB for memory_bytes; 20 GiB was asked for");
    spec->limits.value[LIMIT_MEMORY] = LIMIT_UNSET;
    spec->limits.value[LIMIT_WALL] = 300 * LIMIT_SECOND + 1; /* reads as the cap does */
    plan_refused(policy, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, "limits.wall_ms",
                 "at most 300000000 us for wall_ms; 300000001 us was asked for");
    spec->compile_limits.value[LIMIT_WALL] = 600 * LIMIT_SECOND;
    plan_refused(policy, spec, POLICY_STAGE_COMPILE, CELLA_ERROR_POLICY, "compile.limits.wall_ms",
                 "at most 5 min for wall_ms when compiling; 10 min was asked for");
    spec_destroy(spec);
    policy_destroy(policy);
}

static void test_derived(void **state)
{
    (void)state;
    struct policy *policy = policy_of("limits: {cpus: {default: 1.5, cap: 4},\n"
                                      "  cpu_ms: {default: derived, cap: 20s},\n"
                                      "  stack_bytes: {default: derived, cap: 1g}}\n");
    struct spec *spec = new_spec();
    struct plan plan;
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.limits.value[LIMIT_CPU], 15 * LIMIT_SECOND);
    assert_int_equal(plan.limits.value[LIMIT_STACK], 512 * LIMIT_MIB);
    spec->limits.value[LIMIT_WALL] = 30 * LIMIT_SECOND;
    spec->limits.value[LIMIT_MEMORY] = 2 * LIMIT_GIB;
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.limits.value[LIMIT_CPU], 20 * LIMIT_SECOND); /* cut at the caps */
    assert_int_equal(plan.limits.value[LIMIT_STACK], LIMIT_GIB);
    spec->limits.value[LIMIT_CPU] = 7;
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.limits.value[LIMIT_CPU], 7);
    spec_destroy(spec);
    policy_destroy(policy);
}

static void test_runtime_needs(void **state)
{
    (void)state;
    struct policy *policy = policy_of("limits: {memory_bytes: {default: 256m, cap: 1g}}\n");
    struct spec *spec = new_spec();
    struct runtime runtime = {0};
    struct plan plan;
    limits_init(&runtime.limits);
    limits_init(&runtime.compile_limits);
    static const uint64_t rows[][2] = {
        {128, 256}, {256, 256}, {512, 512}, {1024, 1024}, {4096, 1024}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        runtime.limits.value[LIMIT_MEMORY] = rows[i][0] * LIMIT_MIB;
        planned(policy, spec, &runtime, POLICY_STAGE_RUN, &plan);
        assert_int_equal(plan.limits.value[LIMIT_MEMORY], rows[i][1] * LIMIT_MIB);
    }
    /* What is asked for counts more than what the language would like. */
    spec->limits.value[LIMIT_MEMORY] = 64 * LIMIT_MIB;
    planned(policy, spec, &runtime, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.limits.value[LIMIT_MEMORY], 64 * LIMIT_MIB);
    runtime.compile_limits.value[LIMIT_WALL] = 60 * LIMIT_SECOND;
    planned(policy, spec, &runtime, POLICY_STAGE_COMPILE, &plan);
    assert_int_equal(plan.limits.value[LIMIT_WALL], 60 * LIMIT_SECOND);
    spec_destroy(spec);
    policy_destroy(policy);
}

/* ---- the other choices ---- */

static void test_network(void **state)
{
    (void)state;
    struct policy *closed = policy_of("network: {host: false}\n");
    struct policy *open = policy_of("network: {host: true, loopback: true}\n");
    struct policy *silent = policy_of("network: {loopback: false}\n");
    struct spec *spec = new_spec();
    struct plan plan;
    planned(silent, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.loopback, 0);
    planned(open, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.network, PLAN_NETWORK_NONE); /* it must be asked for */

    spec->network = SPEC_NETWORK_HOST;
    plan_refused(closed, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, "network",
                 "policy 'p' does not allow the host's network");
    plan_refused(closed, spec, POLICY_STAGE_COMPILE, CELLA_ERROR_POLICY, "network",
                 "does not allow");
    planned(open, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.network, PLAN_NETWORK_HOST);
    assert_int_equal(plan.loopback, 0);
    planned(open, spec, NULL, POLICY_STAGE_COMPILE, &plan);
    assert_int_equal(plan.network, PLAN_NETWORK_NONE);

    spec->network = SPEC_NETWORK_ALLOW;
    planned(open, spec, NULL, POLICY_STAGE_RUN, &plan); /* an empty list is none */
    assert_int_equal(plan.network, PLAN_NETWORK_NONE);
    assert_int_equal(spec_strings_add(&spec->network_allow, "example.org:443"), 0);
    plan_refused(open, spec, POLICY_STAGE_RUN, CELLA_ERROR_CALLER, "network.allow",
                 "not available in this version");
    spec_destroy(spec);
    policy_destroy(closed);
    policy_destroy(open);
    policy_destroy(silent);
}

static void test_on_output_limit(void **state)
{
    (void)state;
    struct policy *stop = policy_of("on_output_limit: stop\n");
    struct policy *truncate = policy_of("on_output_limit: truncate\n");
    struct spec *spec = new_spec();
    struct plan plan;
    planned(stop, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.stop_on_output, 1);
    planned(stop, spec, NULL, POLICY_STAGE_COMPILE, &plan);
    assert_int_equal(plan.stop_on_output, 0);
    spec->on_output_limit = SPEC_OUTPUT_TRUNCATE;
    plan_refused(stop, spec, POLICY_STAGE_RUN, CELLA_ERROR_POLICY, "on_output_limit",
                 "policy 'p' ends a run at its output limit");
    planned(truncate, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.stop_on_output, 0);
    spec->on_output_limit = SPEC_OUTPUT_STOP;
    planned(truncate, spec, NULL, POLICY_STAGE_RUN, &plan);
    assert_int_equal(plan.stop_on_output, 1);
    spec_destroy(spec);
    policy_destroy(stop);
    policy_destroy(truncate);
}

/* ---- mounts ---- */

static const struct plan_mount *mount_of(const struct plan *plan, const char *target)
{
    for (size_t i = 0; i < plan->mount_count; i++) {
        if (strcmp(plan->mounts[i].target, target) == 0) {
            return &plan->mounts[i];
        }
    }
    return NULL;
}

static void test_base_mounts(void **state)
{
    (void)state;
    struct policy *policy = policy_of("waive: []\n");
    struct spec *spec = new_spec();
    struct plan plan;
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    const struct plan_mount *usr = mount_of(&plan, "/usr");
    const struct plan_mount *alternatives = mount_of(&plan, "/etc/alternatives");
    if (usr == NULL || alternatives == NULL) {
        fail_msg("a mount is missing");
        return;
    }
    assert_int_equal(usr->kind, PLAN_MOUNT_BIND);
    assert_int_equal(usr->flags, 0);
    assert_int_equal(alternatives->flags, PLAN_MOUNT_OPTIONAL);
    static const char *const top[] = {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"};
    for (size_t i = 0; i < ARRAY_LENGTH(top); i++) {
        struct stat found;
        char text[PLAN_PATH_MAX] = "";
        const struct plan_mount *mount = mount_of(&plan, top[i]);
        if (lstat(top[i], &found) < 0 || mount == NULL) {
            assert_int_equal(access(top[i], F_OK), -1); /* left out because it is not there */
            assert_null(mount);
        } else if (S_ISLNK(found.st_mode)) {
            assert_true(readlink(top[i], text, sizeof(text) - 1) > 0);
            assert_int_equal(mount->kind, PLAN_MOUNT_SYMLINK);
            assert_string_equal(mount->source, text);
        } else {
            assert_int_equal(mount->kind, PLAN_MOUNT_BIND);
        }
    }
    static const char *const never[] = {"/",     "/home", "/root", "/var", "/run",
                                        "/proc", "/sys",  "/dev",  "/tmp", "/etc"};
    for (size_t i = 0; i < ARRAY_LENGTH(never); i++) {
        assert_null(mount_of(&plan, never[i]));
    }
    spec_destroy(spec);
    policy_destroy(policy);
}

static void bind(struct plan_mount *mount, const char *source, const char *target)
{
    *mount = (struct plan_mount){.kind = PLAN_MOUNT_BIND};
    (void)snprintf(mount->source, sizeof(mount->source), "%s", source);
    (void)snprintf(mount->target, sizeof(mount->target), "%s", target);
}

static void test_runtime_mounts(void **state)
{
    (void)state;
    struct plan base = {0};
    struct plan plan = {0};
    struct cella_error err;
    struct plan_mount more[PLAN_MOUNTS_MAX];
    assert_int_equal(mounts_fill(&base, NULL, 0, &err), 0);
    bind(&more[0], "/opt/x", "/opt/x");
    bind(&more[1], "/etc/alternatives", "/etc/alternatives"); /* there already */
    assert_int_equal(mounts_fill(&plan, more, 2, &err), 0);
    assert_int_equal(plan.mount_count, base.mount_count + 1);
    assert_string_equal(plan.mounts[base.mount_count].source, "/opt/x");

    /* As many as there is room for, and one more. */
    uint32_t room = PLAN_MOUNTS_MAX - base.mount_count;
    for (uint32_t i = 0; i <= room; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/opt/%u", i);
        bind(&more[i], path, path);
    }
    plan = (struct plan){0};
    assert_int_equal(mounts_fill(&plan, more, room, &err), 0);
    assert_int_equal(plan.mount_count, PLAN_MOUNTS_MAX);
    plan = (struct plan){0};
    assert_int_equal(mounts_fill(&plan, more, room + 1, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, "runtime and policy have too many mounts: a plan has room for 32");

    static const char *const bad[][2] = {{"/", "/opt"},
                                         {"/home/x", "/opt"},
                                         {"/opt", "/proc"},
                                         {"/opt", "/etc/passwd"},
                                         {"opt", "/x"}};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        bind(&more[0], bad[i][0], bad[i][1]);
        plan = (struct plan){0};
        assert_int_equal(mounts_fill(&plan, more, 1, &err), -1);
        has_text(err.text, "the runtime's mount ");
    }
    more[0].kind = PLAN_MOUNT_SYMLINK;
    assert_int_equal(mounts_fill(&plan, more, 1, &err), -1);
    has_text(err.text, "must be a bind");
}

/* ---- digests ---- */

static void test_plan_digest(void **state)
{
    (void)state;
    struct policy *policy = shipped_policy("default");
    struct spec *spec = new_spec();
    struct plan plan;
    struct plan again;
    char first[POLICY_DIGEST_SIZE];
    char second[POLICY_DIGEST_SIZE];
    memset(&plan, 0xff, sizeof(plan));
    memset(&again, 0, sizeof(again));
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &plan);
    planned(policy, spec, NULL, POLICY_STAGE_RUN, &again);
    plan_digest(&plan, first);
    plan_digest(&again, second);
    assert_int_equal(strlen(first), POLICY_DIGEST_SIZE - 1);
    assert_string_equal(first, second);
    /* Every byte counts. */
    unsigned char *bytes = (unsigned char *)&again;
    for (size_t i = 0; i < sizeof(again); i += 97) {
        bytes[i] ^= 1;
        plan_digest(&again, second);
        bytes[i] ^= 1;
        assert_string_not_equal(first, second);
    }
    memset(&again, 0, sizeof(again)); /* sha256sum of as many zeros */
    plan_digest(&again, second);
    assert_string_equal(second, "34c23da6049412436273bd1136ab7b5edf5f8782ac4e2d71bed3e876b419870e");
    spec_destroy(spec);
    policy_destroy(policy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plan_defaults),  TEST(test_plan_adaptive),   TEST(test_every_cap),
        TEST(test_cap_messages),   TEST(test_derived),         TEST(test_runtime_needs),
        TEST(test_network),        TEST(test_on_output_limit), TEST(test_base_mounts),
        TEST(test_runtime_mounts), TEST(test_plan_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
