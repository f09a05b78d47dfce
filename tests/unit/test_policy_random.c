/*
 * For random policies and requests: no plan goes beyond its policy, whatever the request says; a
 * chain of policies that do not loosen never gives more than its beginning; and what `cella policy
 * show` prints is read back as the same policy.
 *
 * The cases are the same each time; CELLA_TEST_SEED gives others.
 */
#include "base/cpus.h"
#include "base/glob.h"
#include "isolate/protections.h"
#include "isolate/syscall_names.h"
#include "policy/policy.h"
#include "random_policy.h"
#include "scratch.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PLAN_ROUNDS    6000
#define CHAIN_ROUNDS   3000
#define CHAIN_REQUESTS 8
#define CHAIN_MAX      3

static int plan_of(const struct policy *policy, const struct request *request, struct plan *plan)
{
    struct cella_error err = {.kind = CELLA_ERROR_NONE};
    memset(plan, 0x55, sizeof(*plan));
    const int result =
        policy_plan(policy, request->spec, request->has_runtime ? &request->runtime : NULL,
                    request->stage, plan, &err);
    if (result < 0) {
        assert_true(err.kind == CELLA_ERROR_POLICY || err.kind == CELLA_ERROR_CALLER);
        assert_true(err.field[0] != '\0');
        assert_true(err.text[0] != '\0');
    }
    return result;
}

/* ---- no plan goes beyond its policy ---- */

static bool is_among(uint32_t number, const uint32_t *numbers, size_t count)
{
    size_t i = 0;
    while (i < count && numbers[i] != number) {
        i++;
    }
    return i < count;
}

static int verdict_in_plan(const struct plan *plan, uint32_t number)
{
    if (is_among(number, plan->denied_calls, plan->denied_count)) {
        return SYSCALL_REFUSED;
    }
    return is_among(number, plan->allowed_calls, plan->allowed_count)
               ? (int)SYSCALL_ALLOWED
               : (int)syscall_in_set((enum syscall_set)plan->syscalls, number);
}

static void check_calls(const struct policy *policy, const struct plan *plan)
{
    for (unsigned i = 0; i < syscall_numbers_end; i++) {
        int most = (int)syscall_in_set((enum syscall_set)policy->syscalls, i);
        if (is_among(i, policy->allowed_calls.numbers, policy->allowed_calls.count)) {
            most = SYSCALL_ALLOWED;
        }
        if (is_among(i, policy->denied_calls.numbers, policy->denied_calls.count)) {
            most = SYSCALL_REFUSED;
        }
        if (verdict_in_plan(plan, i) != most) {
            fail_msg("%s: %d instead of %d", syscall_name(i), verdict_in_plan(plan, i), most);
        }
    }
}

static const struct policy_mount *policy_mount_at(const struct policy *policy, const char *at)
{
    for (size_t i = 0; i < policy->mount_count; i++) {
        if (strcmp(policy->mounts[i].at, at) == 0) {
            return &policy->mounts[i];
        }
    }
    return NULL;
}

static void check_mount(const struct policy *policy, const struct request *request,
                        const struct plan *plan, const struct plan_mount *mount)
{
    const struct policy_mount *named = policy_mount_at(policy, mount->target);
    const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
    if (named == NULL) {
        /* The base's or the runtime's: at its own place, and never writable. */
        const bool network = strncmp(mount->target, "/etc/ssl", 8) == 0;
        assert_false(writable);
        assert_true(mount->kind == PLAN_MOUNT_SYMLINK ||
                    (mount->kind == PLAN_MOUNT_BIND && strcmp(mount->source, mount->target) == 0));
        assert_true(!network || plan->network == PLAN_NETWORK_HOST);
        assert_true(strcmp(mount->target, "/opt/x") != 0 || request->has_runtime);
        assert_true(strncmp(mount->target, "/srv", 4) != 0);
        return;
    }
    if (named->access == POLICY_ACCESS_NONE) {
        assert_int_equal(mount->kind, PLAN_MOUNT_HIDE);
        return;
    }
    assert_int_equal(mount->kind, PLAN_MOUNT_BIND);
    assert_string_equal(mount->source, named->path);
    assert_true((mount->flags & PLAN_MOUNT_ALONE) != 0);
    assert_int_equal(writable,
                     named->access == POLICY_ACCESS_WRITABLE && request->stage == POLICY_STAGE_RUN);
}

static void check_mounts(const struct policy *policy, const struct request *request,
                         const struct plan *plan)
{
    static const struct plan_mount none;
    size_t named = 0;
    assert_true(plan->mount_count <= PLAN_MOUNTS_MAX);
    for (uint32_t i = 0; i < PLAN_MOUNTS_MAX; i++) {
        if (i >= plan->mount_count) {
            assert_memory_equal(&plan->mounts[i], &none, sizeof(none));
            continue;
        }
        check_mount(policy, request, plan, &plan->mounts[i]);
        named += policy_mount_at(policy, plan->mounts[i].target) != NULL;
        for (uint32_t n = 0; n < i; n++) {
            assert_string_not_equal(plan->mounts[i].target, plan->mounts[n].target);
        }
    }
    assert_int_equal(named, policy->mount_count); /* each, and above all each that hides */
}

static bool list_has(const struct policy_list *list, const char *word)
{
    return list->all || spec_strings_have(&list->words, word);
}

static void check_request(const struct policy *policy, const struct request *request)
{
    const struct spec *spec = request->spec;
    if (request->has_runtime) {
        assert_true(list_has(&policy->languages, request->runtime.name));
    } else if (!policy->commands.all) {
        const char *path = spec->command.items[0];
        bool matched = false;
        for (size_t i = 0; i < policy->commands.words.count; i++) {
            matched = matched || glob_match(policy->commands.words.items[i] + 1, path + 1);
        }
        assert_true(matched && path[0] == '/' && strstr(path, "/../") == NULL);
    }
    for (size_t i = 0; i < spec->env_count; i++) {
        assert_true(list_has(&policy->env_allow, spec->env[i].name));
        for (size_t n = 0; n < policy->env_set_count; n++) {
            assert_string_not_equal(policy->env_set[n].name, spec->env[i].name);
        }
    }
    assert_true(spec->network != SPEC_NETWORK_HOST || policy->host_network);
}

static void check_plan(const struct policy *policy, const struct request *request,
                       const struct plan *plan)
{
    const bool runs = request->stage == POLICY_STAGE_RUN;
    const struct limits *caps = runs ? &policy->caps : &policy->compile_caps;
    const struct limits *asked = runs ? &request->spec->limits : &request->spec->compile_limits;
    char digest[POLICY_DIGEST_SIZE];
    for (enum limit i = 0; i < LIMIT_COUNT; i++) {
        uint64_t cap =
            caps->value[i] == LIMIT_DERIVED ? cpus_usable() * LIMIT_ONE_CPU : caps->value[i];
        if (plan->limits.value[i] > cap) {
            fail_msg("%s is %" PRIu64 ", over its cap of %" PRIu64, limit_table[i].name,
                     plan->limits.value[i], cap);
        }
        if (asked->value[i] != LIMIT_UNSET) {
            assert_int_equal(plan->limits.value[i], asked->value[i]);
        }
    }
    assert_int_equal(plan->version, PLAN_VERSION);
    assert_int_equal(plan->waived, policy->waived);
    assert_int_equal(plan->control_groups, policy->control_groups);
    assert_int_equal(plan->syscalls, policy->syscalls);
    assert_int_equal(plan->one_processor, policy->one_processor);
    assert_int_equal(plan->files_apart, policy_files_are_apart(policy));
    assert_int_equal(plan->network, runs && request->spec->network == SPEC_NETWORK_HOST
                                        ? PLAN_NETWORK_HOST
                                        : PLAN_NETWORK_NONE);
    assert_true(plan->network == PLAN_NETWORK_NONE || policy->host_network);
    assert_int_equal(plan->loopback, plan->network == PLAN_NETWORK_NONE && policy->loopback);
    assert_true(!runs || plan->stop_on_output == 1 || policy->on_output_limit != SPEC_OUTPUT_STOP);
    assert_string_equal(plan->hostname, "cella");
    for (size_t i = 0; i < PLAN_POLICY_SIZE; i++) {
        (void)snprintf(digest + 2 * i, 3, "%02x", plan->policy[i]);
    }
    assert_string_equal(digest, policy->digest);
    check_calls(policy, plan);
    check_mounts(policy, request, plan);
    check_request(policy, request);
}

static void test_never_beyond(void **state)
{
    (void)state;
    size_t plans = 0, requests = 0;
    struct plan plan;
    for (size_t i = 0; i < PLAN_ROUNDS; i++) {
        struct policy *policy = random_policy("p", NULL, 2);
        for (size_t n = 0; policy != NULL && n < 4; n++) {
            struct request request;
            fill_request(&request);
            requests++;
            if (plan_of(policy, &request, &plan) == 0) {
                check_plan(policy, &request, &plan);
                plans++;
            }
            spec_destroy(request.spec);
        }
        policy_destroy(policy);
    }
    /* Both ways must have been taken for this to say anything. */
    print_message("%zu plans of %zu requests\n", plans, requests);
    assert_true(requests > PLAN_ROUNDS);
    assert_in_range(plans, requests / 20, requests * 19 / 20);
}

/* ---- a chain never gives more than its beginning ---- */

static void compare_mounts(const struct plan *plan, const struct plan *base)
{
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        const struct plan_mount *mount = &plan->mounts[i];
        const struct plan_mount *theirs = NULL;
        for (uint32_t n = 0; n < base->mount_count; n++) {
            theirs = strcmp(base->mounts[n].target, mount->target) == 0 ? &base->mounts[n] : theirs;
        }
        if (mount->kind == PLAN_MOUNT_HIDE) {
            continue;
        }
        if (theirs == NULL || theirs->kind == PLAN_MOUNT_HIDE) {
            fail_msg("%s is seen that was not", mount->target);
            return;
        }
        assert_string_equal(mount->source, theirs->source);
        assert_true((mount->flags & PLAN_MOUNT_WRITABLE) <= (theirs->flags & PLAN_MOUNT_WRITABLE));
    }
    for (uint32_t n = 0; n < base->mount_count; n++) {
        if (base->mounts[n].kind == PLAN_MOUNT_HIDE) {
            uint32_t i = 0;
            while (i < plan->mount_count &&
                   strcmp(plan->mounts[i].target, base->mounts[n].target) != 0) {
                i++;
            }
            assert_true(i < plan->mount_count && plan->mounts[i].kind == PLAN_MOUNT_HIDE);
        }
    }
}

static void compare_plans(const struct plan *plan, const struct plan *base)
{
    for (enum limit i = 0; i < LIMIT_COUNT; i++) {
        if (plan->limits.value[i] > base->limits.value[i]) {
            fail_msg("%s is %" PRIu64 ", and %" PRIu64 " under the base", limit_table[i].name,
                     plan->limits.value[i], base->limits.value[i]);
        }
    }
    assert_int_equal(plan->waived & ~base->waived, 0);
    assert_true(plan->control_groups >= base->control_groups);
    assert_true(plan->one_processor >= base->one_processor);
    assert_true(plan->network <= base->network);
    assert_true(plan->loopback <= base->loopback);
    assert_true(plan->stop_on_output >= base->stop_on_output);
    for (unsigned i = 0; i < syscall_numbers_end; i++) {
        assert_true(verdict_in_plan(plan, i) <= verdict_in_plan(base, i));
    }
    compare_mounts(plan, base);
}

/* What is in no plan. */
static void compare_environments(const struct policy *policy, const struct policy *base)
{
    for (size_t i = 0; i < base->env_set_count; i++) {
        bool same = false;
        for (size_t n = 0; n < policy->env_set_count; n++) {
            same = same || (strcmp(policy->env_set[n].name, base->env_set[i].name) == 0 &&
                            strcmp(policy->env_set[n].value, base->env_set[i].value) == 0);
        }
        assert_true(same);
    }
    for (size_t i = 0; i < policy->env_pass.count; i++) {
        assert_true(spec_strings_have(&base->env_pass, policy->env_pass.items[i]));
    }
}

static size_t compare_requests(const struct policy *policy, const struct policy *base)
{
    size_t plans = 0;
    struct plan plan, theirs;
    compare_environments(policy, base);
    for (size_t i = 0; i < CHAIN_REQUESTS; i++) {
        struct request request;
        fill_request(&request);
        if (plan_of(policy, &request, &plan) == 0) {
            assert_int_equal(plan_of(base, &request, &theirs), 0);
            compare_plans(&plan, &theirs);
            plans++;
        }
        spec_destroy(request.spec);
    }
    return plans;
}

static void test_chains(void **state)
{
    (void)state;
    static const char *const names[CHAIN_MAX] = {"p0", "p1", "p2"};
    size_t chains = 0, refused = 0, plans = 0;
    for (size_t i = 0; i < CHAIN_ROUNDS; i++) {
        struct policy *base = random_policy(names[0], NULL, 2);
        bool goes_on = base != NULL;
        for (size_t n = 1; goes_on && n < CHAIN_MAX; n++) {
            struct policy *policy = random_policy(names[n], names[n - 1], 8);
            goes_on = policy != NULL;
            refused += policy == NULL;
            if (policy != NULL) {
                assert_int_equal(policy->source_count, n + 1);
                plans += compare_requests(policy, base);
                chains++;
            }
            policy_destroy(policy);
        }
        policy_destroy(base);
    }
    print_message("%zu chains, %zu refused, %zu plans\n", chains, refused, plans);
    assert_true(chains > CHAIN_ROUNDS / 10 && refused > CHAIN_ROUNDS / 10);
    assert_true(plans > chains / 4);
}

/* ---- what is shown is the policy ---- */

static void test_show_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        struct policy *policy = random_policy("p", NULL, 2);
        struct cella_error err;
        struct buffer shown;
        if (policy == NULL) {
            continue;
        }
        buffer_init(&shown, 0);
        assert_int_equal(policy_show(policy, POLICY_YAML, &shown, &err), 0);
        scratch_write(scratch, "q.yaml", shown.data, 0644);
        struct policy *again = policy_in(scratch, "q");
        assert_string_equal(again->digest, policy->digest);
        assert_string_equal(again->description, policy->description);
        assert_memory_equal(&again->caps, &policy->caps, sizeof(policy->caps));
        assert_memory_equal(&again->compile_defaults, &policy->compile_defaults,
                            sizeof(policy->compile_defaults));
        assert_int_equal(again->mount_count, policy->mount_count);
        assert_int_equal(policy_check_tighter(again, policy, &err), 0);
        assert_int_equal(policy_check_tighter(policy, again, &err), 0);
        buffer_done(&shown);
        policy_destroy(again);
        policy_destroy(policy);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_never_beyond), TEST(test_chains),
                                       TEST(test_show_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
