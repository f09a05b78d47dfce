/*
 * Random policies, as text that is loaded, and random requests: for test_policy_random.c.
 */
#ifndef TESTS_UNIT_RANDOM_POLICY_H
#define TESTS_UNIT_RANDOM_POLICY_H

#include "policy/policy.h"
#include "request/limit_value.h"
#include "scratch.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t random_state;

static uint64_t random_next(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static bool one_in(uint64_t n)
{
    return random_next() % n == 0;
}

static const char *one_of(const char *const *words, size_t count)
{
    return words[random_next() % count];
}
#define ONE_OF(words) one_of(words, ARRAY_LENGTH(words))

static int set_up(void **state)
{
    const char *given = getenv("CELLA_TEST_SEED");
    random_state = given != NULL ? strtoull(given, NULL, 10) * 2 + 1 : 20240229;
    return scratch_set_up(state);
}

/* ---- random policies, as text ---- */

static const char *const languages[] = {"aa", "bb", "cc", "dd"};
static const char *const commands[] = {"/usr/bin/true", "/usr/bin/t*", "/usr/**",
                                       "/opt/**",       "/opt/x/run",  "/usr/bin/.*/.*/opt/x/run"};
static const char *const variables[] = {"AA", "BB", "CC", "DD", "PYTHONHASHSEED"};
static const char *const addable[] = {"ptrace", "inotify_add_watch", "kcmp", "mq_open"};
static const char *const deniable[] = {"socket", "bind", "fork", "ptrace", "shmget", "unlink"};
static const char *const places[] = {"/srv/a", "/srv/b", "/srv/a/in", "/usr/share/doc", "/opt/x"};
static const char *const accesses[] = {"read_only", "writable", "none"};
static const char *const waivers[] = {"seccomp", "keyring", "cpu_limit", "landlock_files"};

static char text[32768];
static size_t text_size;

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_size += (size_t)vsnprintf(text + text_size, sizeof(text) - text_size, format, args);
    va_end(args);
    assert_true(text_size < sizeof(text));
}

static void say_list(const char *key, const char *const *words, size_t count)
{
    const char *separator = "";
    say("%s: [", key);
    for (size_t i = 0; i < count; i++) {
        if (one_in(2)) {
            say("%s'%s'", separator, words[i]);
            separator = ", ";
        }
    }
    say("]\n");
}

/* Values close to each other, so that a second one is as often above the first as below. */
static void say_limit(enum limit limit)
{
    const uint64_t cap = 1 + random_next() % 8;
    const uint64_t value = 1 + random_next() % cap;
    const char *unit = limit_table[limit].unit == UNIT_SIZE ? "m" : "";
    say("%s: {", limit_table[limit].name);
    if (one_in(2)) {
        const bool derives = (limit == LIMIT_CPU || limit == LIMIT_STACK) && one_in(3);
        say(derives ? "default: derived" : "default: %" PRIu64 "%s", value, unit);
        say(one_in(2) ? "}" : ", cap: %" PRIu64 "%s}", cap, unit);
    } else if (limit == LIMIT_CPUS && one_in(2)) {
        say("cap: derived}");
    } else {
        say("cap: %" PRIu64 "%s}", cap, unit);
    }
}

static void say_limits(const char *indent)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (one_in(4)) {
            say("%s  ", indent);
            say_limit(limit);
            say("\n");
        }
    }
}

static void say_mounts(void)
{
    say("mounts:\n");
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        if (one_in(3)) {
            const char *access = ONE_OF(accesses);
            const bool writable = strcmp(access, "writable") == 0;
            const bool moved = writable || (strcmp(access, "none") != 0 && one_in(2));
            say("  - {path: %s, access: %s", moved ? "/srv/other" : places[i], access);
            say(moved ? ", at: %s}\n" : "}\n", places[i]);
        }
    }
    say("  - {path: /usr/share/info, access: none}\n");
}

static void say_env(void)
{
    say("env:\n");
    if (one_in(2)) {
        say("  set: {%s: '%d'}\n", ONE_OF(variables), one_in(2));
    }
    if (one_in(2)) {
        say_list("  pass", variables, ARRAY_LENGTH(variables));
    }
    if (one_in(3)) {
        say("  allow: all\n");
    } else {
        say_list("  allow", variables, ARRAY_LENGTH(variables));
    }
}

static void say_syscalls(void)
{
    say("syscalls:\n  set: %s\n", one_in(2) ? "default" : "strict");
    if (one_in(2)) {
        say_list("  allow", addable, ARRAY_LENGTH(addable));
    }
    if (one_in(2)) {
        say_list("  deny", deniable, ARRAY_LENGTH(deniable));
    }
}

static void say_key(unsigned key)
{
    switch (key) {
    case 0:
        say("limits:\n");
        say_limits("");
        break;
    case 1:
        say("compile:\n  limits:\n");
        say_limits("  ");
        break;
    case 2:
        say_list("languages", languages, ARRAY_LENGTH(languages));
        break;
    case 3:
        say_list("commands", commands, ARRAY_LENGTH(commands));
        break;
    case 4:
        say("network: {loopback: %s, host: %s}\n", one_in(2) ? "true" : "false",
            one_in(2) ? "true" : "false");
        break;
    case 5:
        say_syscalls();
        break;
    case 6:
        say_mounts();
        break;
    case 7:
        say_env();
        break;
    case 8:
        say("files_apart: %s\n", one_in(4) ? "true" : "false");
        say("one_processor: %s\n", one_in(2) ? "true" : "false");
        say("cold_start: %s\n", one_in(2) ? "true" : "false");
        say("adaptive_timeout: %s\n", one_in(2) ? "true" : "false");
        say("preload: {%s}\n", one_in(2) ? "" : "python: [numpy, json], ruby: []");
        say("compile_cache: %s\n", one_in(3) ? "none" : one_in(2) ? "tenant" : "shared");
        break;
    case 9:
        say("control_groups: %s\n", one_in(2) ? "preferred" : "required");
        say("history: {code: %s, output: %s}\n", one_in(2) ? "true" : "false",
            one_in(2) ? "true" : "false");
        break;
    case 10:
        say("on_output_limit: %s\n", one_in(2) ? "truncate" : "stop");
        break;
    default:
        say_list("waive", waivers, ARRAY_LENGTH(waivers));
        break;
    }
}
#define KEYS 12U

/* NULL when what came out is no good policy: mounts in each other, or more than its base. */
static struct policy *random_policy(const char *name, const char *extends, uint64_t keys_in)
{
    struct policy *policy = NULL;
    struct cella_error err;
    char file[32];
    text_size = 0;
    if (extends != NULL) {
        say("extends: %s\n", extends);
    }
    say("description: random\n");
    for (unsigned key = 0; key < KEYS; key++) {
        if (one_in(keys_in)) {
            say_key(key);
        }
    }
    (void)snprintf(file, sizeof(file), "%s.yaml", name);
    scratch_forget(scratch, file); /* else its being cut short waits for the disk */
    scratch_write(scratch, file, text, 0644);
    if (policy_load(scratch, name, &policy, &err) < 0) {
        const bool expected = strstr(err.text, "gives more than") != NULL ||
                              strstr(err.text, "lies in") != NULL ||
                              strstr(err.text, "above its cap") != NULL;
        if (!expected) {
            fail_msg("%s\n%s", err.text, text);
        }
        return NULL;
    }
    return policy;
}

/* ---- random requests ---- */

struct request {
    struct spec *spec;
    struct runtime runtime;
    bool has_runtime;
    enum policy_stage stage;
    char name[8];
    struct plan_mount mount;
};

static uint64_t random_value(enum limit limit)
{
    const uint64_t steps = random_next() % 10;
    switch (limit_table[limit].unit) {
    case UNIT_SIZE:
        return steps * LIMIT_MIB + (one_in(4) ? 1 : 0);
    case UNIT_TIME:
    case UNIT_CPUS:
        return steps * 1000 + (one_in(4) ? 1 : 0);
    case UNIT_NUMBER:
        break;
    }
    return one_in(20) ? random_next() >> random_next() % 64 : steps;
}

static void random_limits(struct limits *limits, uint64_t in)
{
    limits_init(limits);
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (one_in(in)) {
            limits->value[limit] = random_value(limit);
        }
    }
}

static void fill_request(struct request *request)
{
    static const char *const programs[] = {"/usr/bin/true", "/usr/bin/touch", "/opt/x/run", "true",
                                           "/usr/bin/../../opt/x/run"};
    struct cella_error err;
    struct spec *spec = spec_create();
    assert_non_null(spec);
    *request = (struct request){.spec = spec, .has_runtime = one_in(2)};
    request->stage = request->has_runtime && one_in(2) ? POLICY_STAGE_COMPILE : POLICY_STAGE_RUN;
    random_limits(&spec->limits, 24);
    random_limits(&spec->compile_limits, 24);
    random_limits(&request->runtime.limits, 6);
    random_limits(&request->runtime.compile_limits, 6);
    (void)snprintf(request->name, sizeof(request->name), "%s", ONE_OF(languages));
    request->runtime.name = request->name;
    request->mount = (struct plan_mount){.kind = PLAN_MOUNT_BIND,
                                         .flags = PLAN_MOUNT_OPTIONAL,
                                         .source = "/opt/x",
                                         .target = "/opt/x"};
    request->runtime.mounts = &request->mount;
    request->runtime.mount_count = one_in(2);
    if (!request->has_runtime) {
        assert_int_equal(spec_add_command_word(spec, ONE_OF(programs), &err), 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        if (one_in(8)) {
            assert_int_equal(spec_add_env(spec, variables[i], "x", &err), 0);
        }
    }
    spec->network = (enum spec_network)(one_in(3) ? random_next() % 3 : 0);
    spec->on_output_limit = (enum spec_on_output_limit)(random_next() % 3);
}

#endif
