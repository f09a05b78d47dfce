/*
 * Policies as files: those that are shipped, what is filled in, and what a file may not say.
 */
#include "isolate/protections.h"
#include "policy/policy.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- files ---- */

static void test_default(void **state)
{
    (void)state;
    struct policy *policy = shipped_policy("default");
    assert_string_equal(policy->name, "default");
    has_text(policy->file, "policies/default.yaml");
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (policy->defaults.value[i] != limit_table[i].default_value ||
            policy->caps.value[i] != limit_table[i].default_cap) {
            fail_msg("%s is not as in the table of limits", limit_table[i].name);
        }
    }
    assert_int_equal(policy->waived, 0);
    assert_int_equal(policy->control_groups, PLAN_CONTROL_GROUPS_PREFERRED);
    assert_int_equal(policy->syscalls, PLAN_SYSCALLS_DEFAULT);
    assert_int_equal(policy->on_output_limit, SPEC_OUTPUT_TRUNCATE);
    assert_true(policy->loopback);
    assert_false(policy->host_network);
    assert_int_equal(policy->compile_defaults.value[LIMIT_WALL], 30 * LIMIT_SECOND);
    assert_int_equal(policy->compile_defaults.value[LIMIT_MEMORY], LIMIT_GIB);
    assert_int_equal(policy->compile_defaults.value[LIMIT_PROCESSES], 256);
    assert_int_equal(policy->compile_defaults.value[LIMIT_DISK], LIMIT_GIB);
    policy_destroy(policy);
    policy_destroy(NULL);
}

static void test_shipped(void **state)
{
    (void)state;
    struct policy *strict = shipped_policy("strict");
    struct policy *judge = shipped_policy("judge");
    assert_int_equal(strict->control_groups, PLAN_CONTROL_GROUPS_REQUIRED);
    assert_int_equal(strict->syscalls, PLAN_SYSCALLS_STRICT);
    assert_false(strict->loopback);
    assert_int_equal(strict->waived, 0);
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (limit_table[i].default_cap != LIMIT_DERIVED) {
            assert_true(strict->caps.value[i] <= limit_table[i].default_cap);
        }
    }
    assert_int_equal(judge->on_output_limit, SPEC_OUTPUT_STOP);
    assert_int_equal(judge->defaults.value[LIMIT_STACK], LIMIT_DERIVED);
    assert_int_equal(judge->caps.value[LIMIT_CPUS], 1000);
    policy_destroy(strict);
    policy_destroy(judge);
}

/* An empty policy is the table's. */
static void test_left_out(void **state)
{
    (void)state;
    struct policy *empty = policy_of("limits:\n");
    struct policy *standard = shipped_policy("default");
    assert_memory_equal(&empty->defaults, &standard->defaults, sizeof(struct limits));
    assert_memory_equal(&empty->caps, &standard->caps, sizeof(struct limits));
    assert_memory_equal(&empty->compile_defaults, &standard->compile_defaults,
                        sizeof(struct limits));
    assert_memory_equal(&empty->compile_caps, &standard->compile_caps, sizeof(struct limits));
    assert_true(empty->loopback);
    assert_false(empty->host_network);
    policy_destroy(empty);
    policy_destroy(standard);
}

/* A cap given without a default lowers the usual default, and binds compiling too. */
static void test_cap_alone(void **state)
{
    (void)state;
    struct policy *policy = policy_of("limits: {memory_bytes: {cap: 100m}, wall_ms: {cap: 20s}}\n");
    assert_int_equal(policy->defaults.value[LIMIT_MEMORY], 100 * LIMIT_MIB);
    assert_int_equal(policy->defaults.value[LIMIT_WALL], 10 * LIMIT_SECOND);
    assert_int_equal(policy->compile_caps.value[LIMIT_MEMORY], 100 * LIMIT_MIB);
    assert_int_equal(policy->compile_defaults.value[LIMIT_MEMORY], 100 * LIMIT_MIB);
    assert_int_equal(policy->compile_defaults.value[LIMIT_WALL], 20 * LIMIT_SECOND);
    policy_destroy(policy);
}

static void test_units(void **state)
{
    (void)state;
    struct policy *policy = policy_of("limits:\n"
                                      "  wall_ms: {default: 1500, cap: 1m30s}\n"
                                      "  memory_bytes: {default: 1048576, cap: 1.5g}\n"
                                      "  cpus: {default: 0.5, cap: 2}\n"
                                      "  processes: {default: '7', cap: 8}\n");
    assert_int_equal(policy->defaults.value[LIMIT_WALL], 1500000);
    assert_int_equal(policy->caps.value[LIMIT_WALL], 90 * LIMIT_SECOND);
    assert_int_equal(policy->defaults.value[LIMIT_MEMORY], LIMIT_MIB);
    assert_int_equal(policy->caps.value[LIMIT_MEMORY], 1536 * LIMIT_MIB);
    assert_int_equal(policy->defaults.value[LIMIT_CPUS], 500);
    assert_int_equal(policy->caps.value[LIMIT_CPUS], 2000);
    assert_int_equal(policy->defaults.value[LIMIT_PROCESSES], 7);
    policy_destroy(policy);
}

static void refused(const char *text, const char *message, const char *hint)
{
    struct policy *policy = NULL;
    struct cella_error err;
    scratch_write(scratch, "p.yaml", text, 0644);
    assert_int_equal(policy_load(scratch, "p", &policy, &err), -1);
    assert_null(policy);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, "/p.yaml:");
    has_text(err.text, message);
    assert_string_equal(err.hint, hint);
}

static void test_refused_files(void **state)
{
    (void)state;
    refused("limit: {}\n", ":1:1: limit is not a field", "did you mean 'limits'?");
    refused("syscalls: {set: default, allow: [x]}\n",
            ":1:34: syscalls.allow[0] is no system call: 'x'", "");
    refused("syscalls: {set: all}\n", "syscalls.set must be 'default' or 'strict'", "");
    refused("syscalls: strict\n", "syscalls must be an object", "");
    refused("control_groups: yes\n", "must be 'preferred' or 'required'", "");
    refused("on_output_limit: cut\n", "must be 'truncate' or 'stop'", "");
    refused("network: {loopback: 1}\n", "network.loopback must be true or false", "");
    refused("network: {hosts: true}\n", "network.hosts is not a field", "did you mean 'host'?");
    refused("waive: [sekcomp]\n", ":1:9: waive[0] is no protection: 'sekcomp'",
            "did you mean 'seccomp'?");
    refused("waive: seccomp\n", "waive must be an array", "");
    refused("compile: {args: []}\n", "compile.args is not a field", "");
    refused("limits: {memory: {cap: 1}}\n", ":1:10: limits.memory is not a limit", "");
    refused("limits: {memory_bytes: 1g}\n", "limits.memory_bytes must be an object", "");
    refused("limits: {memory_bytes: {max: 1g}}\n", "limits.memory_bytes.max is not a field", "");
    refused("limits:\n  wall_ms: {default: 10s, cap: 9999}\n",
            ":2:3: limits.wall_ms has a default above its cap", "");
    refused("limits: {wall_ms: {default: 301s}}\n", "limits.wall_ms has a default above its cap",
            "");
    refused("compile: {limits: {wall_ms: {default: 301s}}}\n",
            "compile.limits.wall_ms has a default above its cap", "");
    refused("limits: {processes: {cap: 0}}\n", "limits.processes.cap must be more than 0", "");
    refused("limits: {processes: {cap: -1}}\n", "limits.processes.cap must not be negative", "");
    refused("limits: {processes: {cap: 1.5}}\n", "must be a whole number", "");
    refused("limits: {processes: {cap: [1]}}\n", "must be a number", "");
    refused("limits: {wall_ms: {cap: derived}}\n", "limits.wall_ms.cap cannot be derived", "");
    refused("limits: {wall_ms: {default: derived}}\n", "cannot be derived", "");
    refused("limits: {cpus: {default: derived}}\n", "cannot be derived", "");
    refused("limits: {cpu_ms: {cap: derived}}\n", "cannot be derived", "");
}

static void unknown(const char *name, const char *message, const char *hint)
{
    char shipped[SCRATCH_PATH_SIZE];
    struct policy *policy = NULL;
    struct cella_error err;
    scratch_source("policies", shipped);
    assert_int_equal(policy_load(shipped, name, &policy, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_POLICY);
    assert_string_equal(err.field, "policy");
    has_text(err.text, message);
    assert_string_equal(err.hint, hint);
}

static void test_unknown(void **state)
{
    (void)state;
    unknown(
        "strikt",
        "unknown policy 'strikt'; there are data, default, execute, judge, open, piston, strict",
        "did you mean 'strict'?");
    unknown("../default", "unknown policy '../default'", "did you mean 'default'?");
    unknown("/etc/passwd", "unknown policy '/etc/passwd'", "");
    unknown("Default", "unknown policy 'Default'", "did you mean 'default'?");
    unknown("", "unknown policy ''", "");
    unknown(".", "unknown policy '.'", "");
}

static void test_digest(void **state)
{
    (void)state;
    /* Of what results: how it is said, and what for, does not matter. */
    struct policy *policy = policy_of("waive: []\n");
    struct policy *same = policy_of("description: the same\nlimits: {memory_bytes: {cap: 10g}}\n");
    struct policy *other = policy_of("limits: {memory_bytes: {cap: 9g}}\n");
    assert_int_equal(strlen(policy->digest), POLICY_DIGEST_SIZE - 1);
    assert_string_equal(policy->digest, same->digest);
    assert_string_not_equal(policy->digest, other->digest);
    policy_destroy(policy);
    policy_destroy(same);
    policy_destroy(other);
}

static void test_waivers(void **state)
{
    (void)state;
    struct policy *policy = policy_of("waive: [cpu_limit, seccomp]\n");
    assert_int_equal(policy->waived,
                     protection_bit(PROTECTION_CPU) | protection_bit(PROTECTION_SECCOMP));
    policy_destroy(policy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_default),   TEST(test_shipped), TEST(test_left_out),
        TEST(test_cap_alone), TEST(test_units),   TEST(test_refused_files),
        TEST(test_unknown),   TEST(test_digest),  TEST(test_waivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
