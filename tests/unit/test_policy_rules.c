/*
 * The keys of a policy beside its limits, what a policy makes of one that it extends, every
 * loosening that is refused, and every refusal of a request.
 */
#include "isolate/syscall_names.h"
#include "policy/calls.h"
#include "policy/policy.h"
#include "runtime/definition.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void load_fails(const char *name, const char *message, const char *hint)
{
    struct policy *policy = NULL;
    struct cella_error err;
    assert_int_equal(policy_load(scratch, name, &policy, &err), -1);
    assert_null(policy);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, message);
    has_text(err.hint, hint);
}

static void refused(const char *text, const char *message, const char *hint)
{
    scratch_write(scratch, "p.yaml", text, 0644);
    load_fails("p", message, hint);
}

/* ---- keys ---- */

static void test_lists(void **state)
{
    (void)state;
    struct policy *policy = policy_of("languages: [python, c]\ncommands: ['/usr/bin/*', /bin/sh]\n"
                                      "env: {set: {A: '1', B: ''}, pass: [C], allow: []}\n");
    assert_false(policy->languages.all);
    assert_int_equal(policy->languages.words.count, 2);
    assert_false(policy->commands.all);
    assert_string_equal(policy->commands.words.items[0], "/usr/bin/*");
    assert_int_equal(policy->env_set_count, 2);
    assert_string_equal(policy->env_set[1].value, "");
    assert_string_equal(policy->env_pass.items[0], "C");
    assert_false(policy->env_allow.all);
    assert_int_equal(policy->env_allow.words.count, 0);
    policy_destroy(policy);

    policy = policy_of("languages: all\ncommands: none\n");
    assert_true(policy->languages.all);
    assert_false(policy->commands.all);
    assert_int_equal(policy->commands.words.count, 0);
    assert_true(policy->env_allow.all);
    policy_destroy(policy);

    refused("languages: python\n", "p.yaml:1:1: languages must be a list, or the word 'all'", "");
    refused("languages: [Python]\n", ":1:13: languages[0] must be of lower-case letters", "");
    refused("languages: [1]\n", "languages[0] must be a string", "");
    refused("languages:\n", ":1:1: languages has no value: write an empty one", "");
    refused("commands:\n", "commands has no value", "");
    refused("commands: some\n", "commands must be a list, or one of the words 'none' and 'all'",
            "");
    refused("commands: [ls]\n", "commands[0] must be an absolute path or a pattern of one", "");
    refused("commands: [/usr/../bin/ls]\n", "commands[0] must be an absolute path", "");
    refused("commands: ['/usr/[a']\n", "commands[0] must be an absolute path", "");
    refused("env: {allow: }\n", "env.allow has no value", "");
    refused("env: {pass: }\n", "env.pass has no value", "");
    refused("env: {set: }\n", "env.set has no value", "");
    refused("env: {set: [A]}\n", "env.set must be a mapping of names to values", "");
    refused("env: {set: {A: 1}}\n", ":1:13: env.set.A must be text: put it into quotes", "");
    refused("env: {set: {A-B: x}}\n", "env.set.A-B must be a name of letters, digits and '_'", "");
    refused("env: {set: {A: \"\\x01\"}}\n", "env.set.A has control characters", "");
    refused("env: {pass: ['A=B']}\n", "env.pass[0] must be a name of letters, digits and '_'", "");
    refused("env: {pass: ['LD_*']}\n", "env.pass[0] must be a name", "");
    refused("env: {allow: [1A]}\n", "env.allow[0] must be a name", "");
    refused("env: {allow: any}\n", "env.allow must be a list, or the word 'all'", "");
    refused("env: {allowed: []}\n", "env.allowed is not a field", "did you mean 'allow'?");
}

static void test_long_values(void **state)
{
    (void)state;
    char text[8192];
    (void)snprintf(text, sizeof(text), "env: {set: {A: '%*s'}}\n", POLICY_VALUE_MAX, "x");
    policy_destroy(policy_of(text));
    (void)snprintf(text, sizeof(text), "env: {set: {A: '%*s'}}\n", POLICY_VALUE_MAX + 1, "x");
    refused(text, "env.set.A has more than 1024 bytes", "");
    (void)snprintf(text, sizeof(text), "description: '%*s'\n", POLICY_DESCRIPTION_MAX, "x");
    policy_destroy(policy_of(text));
    (void)snprintf(text, sizeof(text), "description: '%*s'\n", POLICY_DESCRIPTION_MAX + 1, "x");
    refused(text, "description must be one line of at most 120 bytes", "");
    refused("description: \"a\\nb\"\n", "description must be one line", "");
    size_t size = (size_t)snprintf(text, sizeof(text), "env:\n  set:\n");
    for (int i = 0; i <= POLICY_VARIABLES_MAX; i++) {
        if (i == POLICY_VARIABLES_MAX) {
            policy_destroy(policy_of(text));
        }
        size += (size_t)snprintf(text + size, sizeof(text) - size, "    V%d: x\n", i);
    }
    refused(text, "env.set.V64 is one too many: at most 64 are allowed", "");
    size = (size_t)snprintf(text, sizeof(text), "languages: [");
    for (int i = 0; i <= DEFINITION_WORDS_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "l%d, ", i);
    }
    (void)snprintf(text + size, sizeof(text) - size, "]\n");
    refused(text, "languages[64] is one too many: at most 64 are allowed", "");
}

static void test_choices(void **state)
{
    (void)state;
    struct policy *policy = policy_of("one_processor: true\nnetwork: {allow: []}\n");
    assert_true(policy->one_processor);
    policy_destroy(policy);
    policy_destroy(policy_of("network: {allow: }\n"));
    refused("preload: [numpy]\n", "preload must be a mapping of languages to lists of modules", "");
    refused("preload: {python: ['a,b']}\n", "preload.python[0] must be the name of a module", "");
    refused("preload: {Python: [a]}\n", "preload.Python must be of lower-case letters", "");
    refused("compile_cache: all\n", "compile_cache must be 'none', 'tenant' or 'shared'", "");
    refused("cold_start: never\n", "cold_start must be true or false", "");
    refused("adaptive_timeout: 1\n", "adaptive_timeout must be true or false", "");
    refused("history: {code: 1}\n", "history.code must be true or false", "");
    refused("history: none\n", "history must be an object", "");
    refused("one_processor: 1\n", "one_processor must be true or false", "");
    refused("network: {allow: ['example.org:443']}\n",
            "network.allow must be empty: lists of allowed addresses are not available yet", "");
    refused("network: {allow: all}\n", "network.allow must be empty", "");
    refused("extends: 1\n", "extends must be a string", "");
    refused("loosen: maybe\n", "loosen must be true or false", "");
    refused("loosen: true\n", "loosen means nothing in a policy that extends no other", "");
    refused("waive:\n", "waive has no value", "");
}

static void test_calls(void **state)
{
    (void)state;
    struct policy *policy =
        policy_of("syscalls: {allow: [ptrace, read], deny: [socket, ptrace]}\n");
    const uint32_t ptrace = (uint32_t)syscall_number("ptrace");
    const uint32_t socket = (uint32_t)syscall_number("socket");
    assert_int_equal(policy_call_verdict(policy, ptrace), SYSCALL_REFUSED); /* deny wins */
    assert_int_equal(policy_call_verdict(policy, socket), SYSCALL_REFUSED);
    policy_destroy(policy);
    refused("syscalls: {allow: [ptrase]}\n", ":1:20: syscalls.allow[0] is no system call: 'ptrase'",
            "did you mean 'ptrace'?");
    refused("syscalls: {allow: [mount]}\n", "mount can never be allowed to a run", "");
    static const char *const never[] = {
        "bpf",         "unshare",         "setns",  "keyctl",         "kexec_load",
        "add_key",     "perf_event_open", "chroot", "io_uring_setup", "seccomp",
        "userfaultfd", "clone3"};
    for (size_t i = 0; i < ARRAY_LENGTH(never); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "syscalls: {allow: [%s]}\n", never[i]);
        refused(text, "can never be allowed to a run", "");
    }
    refused("syscalls: {allow: [clone]}\n", "clone is allowed by its arguments", "");
    refused("syscalls: {allow: [bind]}\n", "bind is in the set 'default' and cannot be added", "");
    refused("syscalls: {deny: [execve]}\n", "execve cannot be denied: no program could be started",
            "");
    refused("syscalls: {deny: [sokcet]}\n", "is no system call: 'sokcet'",
            "did you mean 'socket'?");
    refused("syscalls: {deny: socket}\n", "syscalls.deny must be a list of system calls", "");
    refused("syscalls: {deny: }\n", "syscalls.deny has no value", "");
    refused("syscalls: {allow: }\n", "syscalls.allow has no value", "");
    char text[1024];
    size_t size = (size_t)snprintf(text, sizeof(text), "syscalls: {deny: [");
    size_t count = 0;
    for (unsigned i = 0; count <= PLAN_CALLS_MAX; i++) {
        if (syscall_name(i) != NULL && policy_call_deny_problem(i) == NULL) {
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s, ", syscall_name(i));
            count++;
        }
    }
    (void)snprintf(text + size, sizeof(text) - size, "]}\n");
    refused(text, "syscalls.deny[32] is one too many: at most 32 are allowed", "");
}

static void test_mounts(void **state)
{
    (void)state;
    struct policy *policy = policy_of("mounts:\n"
                                      "  - {path: /srv/data}\n"
                                      "  - {path: /srv/out, at: /out, access: writable}\n"
                                      "  - {path: /usr/share/doc, access: none}\n");
    assert_int_equal(policy->mount_count, 3);
    assert_string_equal(policy->mounts[0].at, "/out"); /* sorted */
    assert_string_equal(policy->mounts[0].path, "/srv/out");
    assert_int_equal(policy->mounts[0].access, POLICY_ACCESS_WRITABLE);
    assert_int_equal(policy->mounts[0].index, 1);
    assert_string_equal(policy->mounts[1].at, "/srv/data");
    assert_int_equal(policy->mounts[1].access, POLICY_ACCESS_READ_ONLY);
    assert_int_equal(policy->mounts[2].access, POLICY_ACCESS_NONE);
    assert_string_equal(policy->mounts[2].path, "");
    policy_destroy(policy);

#define MOUNT(text) "mounts:\n  - {" text "}\n"
    refused("mounts: /srv\n", "mounts must be a list of mounts", "");
    refused("mounts:\n", "mounts has no value", "");
    refused("mounts: [/srv]\n", "mounts[0] must be an object", "");
    refused(MOUNT("at: /x"), "mounts[0].path is missing", "");
    refused(MOUNT("path: srv"), ":2:6: mounts[0].path must be an absolute path", "");
    refused(MOUNT("path: /proc/1"), "mounts[0].path leads into the kernel", "");
    refused(MOUNT("path: /etc/shadow"), "mounts[0].path tells of the host's accounts", "");
    refused(MOUNT("path: /usr/share, at: /x, access: writable"),
            "mounts[0].path is where the host's own programs", "");
    refused(MOUNT("path: /srv, at: /workspace/x"),
            "mounts[0].at is a place that the sandbox makes for itself", "");
    refused(MOUNT("path: /srv, at: /usr"), "mounts[0].at is a place that every sandbox has", "");
    refused(MOUNT("path: /usr"), "mounts[0].path is a place that every sandbox has", "");
    refused(MOUNT("path: /srv, at: /x, access: none"),
            "mounts[0].at means nothing where access is none", "");
    refused(MOUNT("path: /srv, access: write"),
            "mounts[0].access must be 'read_only', 'writable' or 'none'", "");
    refused(MOUNT("path: /srv, mode: ro"), "mounts[0].mode is not a field", "");
    refused(MOUNT("path: \"/srv/\\x07\""), "mounts[0].path has control characters", "");
    refused("mounts: [{path: /srv/a, at: /x}, {path: /srv/b, at: /x}]\n",
            "mounts[1] is at the same place as another: /x", "");
    refused("mounts: [{path: /srv/a, access: writable}, {path: /srv/a/b}]\n",
            ":1:44: the mount at /srv/a/b lies in /srv/a, which is writable", "");
    refused("mounts: [{path: /srv/a, access: none}, {path: /srv/a/b}]\n",
            "the mount at /srv/a/b lies in /srv/a, which is hidden", "");
    char text[8192];
    (void)snprintf(text, sizeof(text), MOUNT("path: %s, at: /x, access: writable"), scratch);
    refused(text, "would let runs write Cella's own configuration", "");
    (void)snprintf(text, sizeof(text), MOUNT("path: /srv/%0190d"), 0);
    refused(text, "mounts[0].path is too long", "");
    size_t size = (size_t)snprintf(text, sizeof(text), "mounts:\n");
    for (int i = 0; i <= POLICY_MOUNTS_MAX; i++) {
        if (i == POLICY_MOUNTS_MAX) {
            policy_destroy(policy_of(text));
        }
        size += (size_t)snprintf(text + size, sizeof(text) - size, "  - {path: /srv/%d}\n", i);
    }
    refused(text, "mounts[32] is one too many: at most 32 are allowed", "");
    size = (size_t)snprintf(text, sizeof(text), "mounts:\n");
    for (int i = 0; i <= PLAN_WRITABLE_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size,
                                 "  - {path: /srv/%d, access: writable}\n", i);
    }
    refused(text, "is one too many that are writable: at most 8", "");
}

/* ---- extends ---- */

static struct policy *extending(const char *base, const char *text)
{
    char whole[4096];
    scratch_write(scratch, "base.yaml", base, 0644);
    (void)snprintf(whole, sizeof(whole), "extends: base\n%s", text);
    return policy_of(whole);
}

static void loosening(const char *base, const char *text, const char *message)
{
    char whole[4096];
    scratch_write(scratch, "base.yaml", base, 0644);
    (void)snprintf(whole, sizeof(whole), "extends: base\n%s", text);
    refused(whole, message, "or say `loosen: true` if that is meant");
    (void)snprintf(whole, sizeof(whole), "extends: base\nloosen: true\n%s", text);
    policy_destroy(policy_of(whole));
}

static void test_extends(void **state)
{
    (void)state;
    struct policy *policy =
        extending("description: the base\n"
                  "limits: {memory_bytes: {default: 100m, cap: 200m}}\n"
                  "languages: [python, c]\n"
                  "syscalls: {deny: [socket]}\n"
                  "env: {set: {A: '1'}, pass: [P, Q]}\n"
                  "mounts: [{path: /srv/a, access: writable}, {path: /srv/b}]\n",
                  "limits: {memory_bytes: {cap: 50m}}\n"
                  "languages: [c]\n"
                  "syscalls: {deny: [bind]}\n"
                  "env: {set: {B: '2'}, pass: [Q]}\n"
                  "mounts: [{path: /srv/a}, {path: /usr/share/doc, access: none}]\n");
    assert_string_equal(policy->description, ""); /* what it is for is its own to say */
    assert_int_equal(policy->caps.value[LIMIT_MEMORY], 50 * LIMIT_MIB);
    assert_int_equal(policy->defaults.value[LIMIT_MEMORY], 50 * LIMIT_MIB); /* cut at the cap */
    assert_int_equal(policy->languages.words.count, 1);
    assert_int_equal(policy->denied_calls.count, 2); /* the base's, too */
    assert_int_equal(policy->env_set_count, 2);
    assert_int_equal(policy->env_pass.count, 1);
    assert_int_equal(policy->mount_count, 3);
    assert_int_equal(policy->mounts[0].access, POLICY_ACCESS_READ_ONLY);
    assert_int_equal(policy->mounts[1].source, 1); /* /srv/b comes from the base's file */
    assert_int_equal(policy->source_count, 2);
    struct policy_place place;
    assert_true(policy_find_key(policy, "limits.memory_bytes.cap", &place));
    has_text(place.file, "/p.yaml");
    assert_int_equal(place.line, 2);
    assert_true(policy_find_key(policy, "limits.memory_bytes.default", &place));
    has_text(place.file, "/base.yaml");
    assert_int_equal(place.line, 2);
    assert_false(policy_find_key(policy, "limits.wall_ms.cap", &place));
    policy_destroy(policy);
    /* The base may change its mind without the policy: nothing of it is left behind. */
    policy = extending("languages: [python]\n", "");
    assert_string_equal(policy->languages.words.items[0], "python");
    policy_destroy(policy);
}

static void test_bad_extends(void **state)
{
    (void)state;
    char name[16];
    char text[64];
    refused("extends: nobody\n", "p.yaml:1:1: extends an unknown policy 'nobody'; there is p", "");
    refused("extends: ../p\n", "extends an unknown policy '../p'", "");
    refused("extends: p\n", "p.yaml:1:1: extends 'p', which extends this one: a circle", "");
    scratch_write(scratch, "q.yaml", "extends: p\n", 0644);
    refused("extends: q\n", "/q.yaml:1:1: extends 'p', which extends this one: a circle", "");
    scratch_write(scratch, "q.yaml", "limits: {memory: {}}\n", 0644);
    refused("extends: q\n", "/q.yaml:1:10: limits.memory is not a limit", "");
    scratch_write(scratch, "c0.yaml", "languages: all\n", 0644);
    for (int i = 1; i <= POLICY_EXTENDS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c%d.yaml", i);
        (void)snprintf(text, sizeof(text), "extends: c%d\n", i - 1);
        scratch_write(scratch, name, text, 0644);
    }
    policy_destroy(policy_in(scratch, "c7"));
    load_fails("c8", "/c1.yaml:1:1: extends a policy on top of 7 others", "");
}

static void test_loosening(void **state)
{
    (void)state;
    loosening("limits: {memory_bytes: {default: 1m, cap: 1g}}\n",
              "limits: {memory_bytes: {cap: 2g}}\n",
              "p.yaml:2:25: limits.memory_bytes.cap gives more than the policy 'base', which has 1 "
              "GiB");
    loosening("limits: {memory_bytes: {default: 4m}}\n", "limits: {memory_bytes: {default: 5m}}\n",
              "limits.memory_bytes.default gives more than the policy 'base', which has 4 MiB");
    loosening("limits: {stack_bytes: {default: 1m}}\n",
              "limits: {stack_bytes: {default: derived}}\n",
              "limits.stack_bytes.default gives more than the policy 'base', which has 1 MiB");
    loosening("limits: {cpu_ms: {default: derived}}\n", "limits: {cpu_ms: {default: 1s}}\n",
              "limits.cpu_ms.default gives more than the policy 'base', which has derived");
    loosening(
        "compile: {limits: {wall_ms: {cap: 31s}}}\n", "compile: {limits: {wall_ms: {cap: 32s}}}\n",
        "p.yaml:2:30: compile.limits.wall_ms.cap gives more than the policy 'base', which has");
    loosening("compile: {limits: {wall_ms: {default: 3s}}}\n",
              "compile: {limits: {wall_ms: {default: 4s}}}\n",
              "compile.limits.wall_ms.default gives more");
    loosening("languages: [c]\n", "languages: [c, python]\n",
              "p.yaml:2:16: languages[1] gives more than the policy 'base', which has no 'python'");
    loosening("languages: [c]\n", "languages: all\n",
              "languages gives more than the policy 'base', which has a list");
    loosening("commands: ['/usr/bin/*']\n", "commands: ['/usr/*/x']\n",
              "commands[0] gives more than the policy 'base', which has no '/usr/*/x'");
    loosening("commands: none\n", "commands: [/bin/sh]\n", "commands[0] gives more");
    loosening("network: {loopback: false}\n", "network: {loopback: true}\n",
              "network.loopback gives more than the policy 'base', which has false");
    loosening("waive: []\n", "network: {host: true}\n", "network.host gives more");
    loosening("syscalls: {set: strict}\n", "syscalls: {set: default}\n",
              "syscalls.set gives more than the policy 'base', which has no ");
    loosening("waive: []\n", "syscalls: {allow: [ptrace]}\n",
              "syscalls.allow gives more than the policy 'base', which has no ptrace");
    loosening(
        "waive: []\n", "mounts: [{path: /srv/a}]\n",
        "p.yaml:2:10: mounts[0] gives more than the policy 'base', which has no mount at that "
        "place");
    loosening("mounts: [{path: /srv/a}]\n", "mounts: [{path: /srv/a, access: writable}]\n",
              "mounts[0] gives more than the policy 'base', which has it read_only");
    loosening("mounts: [{path: /srv/a, access: none}]\n", "mounts: [{path: /srv/a}]\n",
              "mounts[0] gives more than the policy 'base', which has that place hidden");
    loosening("mounts: [{path: /srv/a}]\n", "mounts: [{path: /srv/b, at: /srv/a}]\n",
              "mounts[0] gives more than the policy 'base', which has another path there");
    loosening("env: {set: {A: '1'}}\n", "env: {set: {A: '2'}}\n",
              "p.yaml:2:13: env.set.A gives more than the policy 'base', which has '1' there");
    loosening("waive: []\n", "env: {pass: [A]}\n",
              "env.pass[0] gives more than the policy 'base', which has no");
    loosening("env: {allow: [A]}\n", "env: {allow: [A, B]}\n", "env.allow[1] gives more");
    loosening("env: {allow: []}\n", "env: {allow: all}\n", "env.allow gives more");
    loosening("adaptive_timeout: true\n", "adaptive_timeout: false\n",
              "adaptive_timeout gives more than the policy 'base', which has true");
    loosening("adaptive_timeout: false\n", "adaptive_timeout: true\n",
              "adaptive_timeout gives more than the policy 'base', which has false");
    loosening("one_processor: true\n", "one_processor: false\n",
              "one_processor gives more than the policy 'base', which has true");
    loosening("compile_cache: none\n", "compile_cache: tenant\n",
              "compile_cache gives more than the policy 'base', which has none");
    loosening("compile_cache: tenant\n", "compile_cache: shared\n",
              "compile_cache gives more than the policy 'base', which has tenant");
    loosening("cold_start: true\n", "cold_start: false\n",
              "cold_start gives more than the policy 'base', which has true");
    loosening("history: {code: false}\n", "history: {code: true}\n",
              "history.code gives more than the policy 'base', which has false");
    loosening("history: {output: false}\n", "history: {code: false, output: true}\n",
              "history.output gives more than the policy 'base', which has false");
    loosening("control_groups: required\n", "control_groups: preferred\n",
              "control_groups gives more than the policy 'base', which has 'required'");
    loosening("on_output_limit: stop\n", "on_output_limit: truncate\n",
              "on_output_limit gives more than the policy 'base', which has 'stop'");
    loosening("waive: []\n", "waive: [seccomp]\n",
              "waive gives more than the policy 'base', which has seccomp in force");
}

/* What takes away needs no leave. */
static void test_tightening(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"waive: []\n", "languages: []\n"},
        {"waive: []\n", "commands: none\n"},
        {"commands: ['/usr/bin/*']\n", "commands: [/usr/bin/sort]\n"},
        {"commands: ['/usr/bin/*', '/opt/*']\n", "commands: ['/opt/*']\n"},
        {"waive: []\n", "network: {loopback: false}\n"},
        {"waive: []\n", "syscalls: {set: strict}\n"},
        {"syscalls: {allow: [ptrace]}\n", "syscalls: {allow: []}\n"},
        {"waive: []\n", "syscalls: {deny: [socket]}\n"},
        {"waive: []\n", "mounts: [{path: /usr/share/doc, access: none}]\n"},
        {"mounts: [{path: /srv/a, access: writable}]\n", "mounts: [{path: /srv/a}]\n"},
        {"waive: []\n", "env: {allow: [], set: {A: x}}\n"},
        {"env: {pass: [A]}\n", "env: {pass: []}\n"},
        {"waive: []\n", "one_processor: true\ncontrol_groups: required\non_output_limit: stop\n"},
        {"waive: []\n", "history: {code: false, output: false}\n"},
        {"history: {code: false}\n", "history: {output: false}\n"},
        {"waive: [seccomp, keyring]\n", "waive: [keyring]\n"},
        {"waive: []\n", "limits: {cpus: {cap: 1}}\n"},
        {"network: {host: true}\n", "network: {host: false}\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        policy_destroy(extending(rows[i][0], rows[i][1]));
    }
}

/* A list that is added to is replaced by who loosens. */
static void test_loosened_deny(void **state)
{
    (void)state;
    struct policy *policy =
        extending("syscalls: {deny: [socket]}\n", "loosen: true\nsyscalls: {deny: [bind]}\n");
    assert_int_equal(policy->denied_calls.count, 1);
    assert_int_equal(policy->denied_calls.numbers[0], syscall_number("bind"));
    policy_destroy(policy);
}

/* ---- requests ---- */

static struct spec *command_spec(const char *program)
{
    struct spec *spec = spec_create();
    struct cella_error err;
    assert_non_null(spec);
    assert_int_equal(spec_add_command_word(spec, program, &err), 0);
    return spec;
}

static void asks(const struct policy *policy, struct spec *spec, const char *field,
                 const char *message, const char *hint)
{
    struct plan plan;
    struct cella_error err;
    const int result = policy_plan(policy, spec, NULL, POLICY_STAGE_RUN, &plan, &err);
    if (message == NULL) {
        if (result < 0) {
            fail_msg("refused: %s", err.text);
        }
    } else {
        assert_int_equal(result, -1);
        assert_int_equal(err.kind, CELLA_ERROR_POLICY);
        assert_string_equal(err.field, field);
        has_text(err.text, message);
        has_text(err.hint, hint);
    }
    spec_destroy(spec);
}

static void test_commands(void **state)
{
    (void)state;
    struct policy *policy = policy_of("commands: ['/usr/bin/s*', '/opt/**', /workspace/run]\n");
    static const char *const good[] = {"/usr/bin/sort", "/opt/a/b/c", "/workspace/run"};
    static const char *const bad[] = {"/usr/bin/awk", "/usr/bin/sub/x", "/usr/bin/../../opt/x",
                                      "/workspace/other", "/bin/sort"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        asks(policy, command_spec(good[i]), "", NULL, "");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        asks(policy, command_spec(bad[i]), "command", "policy 'p' does not allow the command '/",
             "");
    }
    asks(policy, command_spec("sort"), "command", "policy 'p' does not allow the command 'sort'",
         "name the program by its absolute path");
    asks(policy, command_spec("./run"), "command", "does not allow the command './run'",
         "by its absolute path");
    policy_destroy(policy);
    policy = policy_of("commands: none\n");
    asks(policy, command_spec("/usr/bin/sort"), "command", "does not allow the command", "");
    policy_destroy(policy);
}

static void test_languages(void **state)
{
    (void)state;
    struct policy *policy = policy_of("languages: [python]\n");
    char python[] = "python", c[] = "c";
    struct runtime runtime = {.name = python};
    struct cella_error err;
    assert_int_equal(policy_check_language(policy, &runtime, &err), 0);
    assert_int_equal(policy_check_language(policy, NULL, &err), 0); /* a command is none */
    runtime.name = c;
    assert_int_equal(policy_check_language(policy, &runtime, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_POLICY);
    assert_string_equal(err.field, "language");
    assert_string_equal(err.text, "policy 'p' does not allow the language 'c'");
    policy_destroy(policy);
}

static void test_variables(void **state)
{
    (void)state;
    struct policy *policy = policy_of("env: {set: {SEED: '0'}, allow: [MODE, SEED]}\n");
    struct cella_error err;
    struct spec *spec = command_spec("/bin/true");
    assert_int_equal(spec_add_env(spec, "MODE", "x", &err), 0);
    asks(policy, spec, "", NULL, "");
    spec = command_spec("/bin/true");
    assert_int_equal(spec_add_env(spec, "LD_PRELOAD", "x", &err), 0);
    asks(policy, spec, "env.LD_PRELOAD",
         "policy 'p' does not let a request set the variable 'LD_PRELOAD'", "");
    spec = command_spec("/bin/true");
    assert_int_equal(spec_add_env(spec, "SEED", "1", &err), 0);
    asks(policy, spec, "env.SEED", "policy 'p' sets the variable 'SEED' itself", "");
    policy_destroy(policy);
}

/* ---- shown ---- */

static void test_show(void **state)
{
    (void)state;
    struct policy *policy = extending("languages: [python]\n", "env: {set: {A: \"x\\n\\\"'\"}}\n");
    struct buffer yaml, json;
    struct cella_error err;
    buffer_init(&yaml, 0);
    buffer_init(&json, 0);
    assert_int_equal(policy_show(policy, POLICY_YAML, &yaml, &err), 0);
    assert_int_equal(policy_show(policy, POLICY_JSON, &json, &err), 0);
    has_text(yaml.data, "\nlanguages: [\"python\"]\n");
    has_text(yaml.data, "  wall_ms: {\"default\":10000,\"cap\":300000}\n");
    has_text(yaml.data, "    A: \"x\\n\\\"'\"\n");
    assert_null(strstr(yaml.data, "extends"));
    has_text(json.data, "\"languages\":[\"python\"]");
    has_text(json.data, "\"cpu_ms\":{\"default\":\"derived\",\"cap\":300000}");
    buffer_done(&yaml);
    buffer_done(&json);
    policy_destroy(policy);
}

static void test_shipped_families(void **state)
{
    (void)state;
    struct policy *judge = shipped_policy("judge");
    struct policy *data = shipped_policy("data");
    struct policy *open = shipped_policy("open");
    assert_true(judge->one_processor);
    assert_false(judge->host_network);
    assert_true(judge->env_set_count > 0);
    assert_int_equal(data->source_count, 2);
    assert_false(data->host_network);
    assert_true(data->defaults.value[LIMIT_MEMORY] > 512 * LIMIT_MIB);
    assert_true(open->host_network);
    assert_int_equal(open->waived, 0);
    static const char *const closed[] = {"default", "strict"};
    for (size_t i = 0; i < ARRAY_LENGTH(closed); i++) {
        struct policy *policy = shipped_policy(closed[i]);
        assert_false(policy->host_network);
        assert_int_equal(policy->mount_count, 0);
        assert_int_equal(policy->allowed_calls.count, 0);
        assert_int_equal(policy->env_pass.count, 0);
        policy_destroy(policy);
    }
    policy_destroy(judge);
    policy_destroy(data);
    policy_destroy(open);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lists),         TEST(test_long_values), TEST(test_choices),
        TEST(test_calls),         TEST(test_mounts),      TEST(test_extends),
        TEST(test_bad_extends),   TEST(test_loosening),   TEST(test_tightening),
        TEST(test_loosened_deny), TEST(test_commands),    TEST(test_languages),
        TEST(test_variables),     TEST(test_show),        TEST(test_shipped_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
