/* The plan as text: everything that decides a run must be in it, as it is in the plan. */
#include "base/alloc.h"
#include "isolate/protections.h"
#include "isolate/steps.h"
#include "policy/explain.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scene { /* a request with all that its explanation is made from */
    struct policy *policy;
    struct runtime_set *set;
    const struct runtime *runtime;
    struct spec *spec;
    struct plan compile;
    struct plan run;
    struct buffer text;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->spec = spec_create();
    assert_non_null(scene->spec);
    buffer_init(&scene->text, 0);
    *state = scene;
    return scratch_set_up(NULL);
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    policy_destroy(scene->policy);
    runtime_set_close(scene->set);
    spec_destroy(scene->spec);
    buffer_done(&scene->text);
    free(scene);
    return scratch_tear_down(NULL);
}

static void has_line(const struct scene *scene, const char *line)
{
    char wanted[256];
    (void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (strstr(scene->text.data, wanted) == NULL) {
        fail_msg("no line '%s' in:\n%s", line, scene->text.data);
    }
}

static void lacks(const struct scene *scene, const char *part)
{
    if (strstr(scene->text.data, part) != NULL) {
        fail_msg("'%s' is in:\n%s", part, scene->text.data);
    }
}

static void explained(struct scene *scene, const char *policy, const char *language,
                      const char *program)
{
    struct cella_error err;
    char dir[SCRATCH_PATH_SIZE];
    scratch_write(scratch, "p.yaml", policy, 0644);
    assert_int_equal(policy_load(scratch, "p", &scene->policy, &err), 0);
    if (language != NULL) {
        scratch_source("runtimes", dir);
        assert_int_equal(runtime_set_open(dir, &scene->set, &err), 0);
        assert_int_equal(runtime_find(scene->set, language, &scene->runtime, &err), 0);
        assert_int_equal(spec_set_language(scene->spec, language, &err), 0);
    }
    bool compiles = scene->runtime != NULL && scene->runtime->compile.count > 0;
    assert_int_equal(policy_plan(scene->policy, scene->spec, scene->runtime, POLICY_STAGE_RUN,
                                 &scene->run, &err),
                     0);
    assert_int_equal(policy_plan(scene->policy, scene->spec, scene->runtime, POLICY_STAGE_COMPILE,
                                 &scene->compile, &err),
                     0);
    assert_int_equal(explain_text(scene->policy, scene->spec, scene->runtime,
                                  compiles ? &scene->compile : NULL, &scene->run, program,
                                  &scene->text, &err),
                     0);
}

static void test_python(void **state)
{
    struct scene *scene = *state;
    struct cella_error err;
    char digest[POLICY_DIGEST_SIZE];
    char line[160];
    assert_int_equal(spec_add_arg(scene->spec, "it's", &err), 0);
    assert_int_equal(spec_add_arg(scene->spec, "a b", &err), 0);
    assert_int_equal(spec_add_arg(scene->spec, "", &err), 0);
    assert_int_equal(spec_add_arg(scene->spec, "\x1b[2J", &err), 0);
    assert_int_equal(spec_add_arg(scene->spec,
                                  "\xc2\x9b"
                                  "2J\xc3\xa9\x7f",
                                  &err),
                     0);
    scene->spec->limits.value[LIMIT_WALL] = 20 * LIMIT_SECOND;
    explained(scene, "limits: {memory_bytes: {default: 256m, cap: 1g}, cpus: {cap: 2}}\n", "python",
              "/usr/bin/python3");
    has_line(scene, "  program    /usr/bin/python3");
    has_line(scene, "  run        /usr/bin/python3 main.py 'it'\\''s' 'a b' '' '?[2J' "
                    "'?2J\xc3\xa9?'");
    has_line(scene, "  wall_ms                20 s        5 min  request");
    has_line(scene, "  cpu_ms                 20 s        5 min  derived");
    has_line(scene, "  memory_bytes        256 MiB        1 GiB  policy");
    has_line(scene, "  cpus                      1            2  policy");
    has_line(scene, "  over an output limit the rest is dropped");
    has_line(scene, "Network          none but its own loopback");
    has_line(scene, "System calls     the set 'default'");
    has_line(scene, "  /usr");
    has_line(scene, "  /etc/alternatives        where the host has it");
    plan_digest(&scene->run, digest);
    (void)snprintf(line, sizeof(line), "  plan       %s", digest);
    has_line(scene, line);
    (void)snprintf(line, sizeof(line), "  digest     %s", scene->policy->digest);
    has_line(scene, line);
    lacks(scene, "compile");
    lacks(scene, "WAIVED");
    lacks(scene, "\x1b");
    lacks(scene, "\xc2\x9b");
    lacks(scene, "\x7f");
}

static void test_compiled(void **state)
{
    struct scene *scene = *state;
    struct cella_error err;
    assert_int_equal(spec_add_compile_arg(scene->spec, "-DX=1", &err), 0);
    scene->spec->compile_limits.value[LIMIT_MEMORY] = 100 * LIMIT_MIB;
    explained(scene, "waive: []\n", "c", "/usr/bin/gcc");
    has_line(scene,
             "  compile    /usr/bin/gcc -O2 -std=gnu17 -Wall -I. -o program main.c -DX=1 -lm");
    has_line(scene, "  run        /workspace/program");
    has_line(scene, "Limits when compiling");
    has_line(scene, "Limits when running");
    has_line(scene, "  memory_bytes        100 MiB       10 GiB  request");
    has_line(scene, "  memory_bytes        512 MiB       10 GiB  policy");
    has_line(scene, "  wall_ms                30 s        5 min  policy");
}

static void test_command(void **state)
{
    struct scene *scene = *state;
    struct cella_error err;
    assert_int_equal(spec_add_command_word(scene->spec, "/bin/ls", &err), 0);
    assert_int_equal(spec_add_command_word(scene->spec, "*", &err), 0);
    explained(scene,
              "waive: [cpu_limit]\nsyscalls: {set: strict}\ncontrol_groups: required\n"
              "network: {loopback: false}\non_output_limit: stop\n",
              NULL, NULL);
    has_line(scene, "  command    /bin/ls '*'");
    has_line(scene, "Network          none at all");
    has_line(scene, "System calls     the set 'strict'");
    has_line(scene, "Control groups   required: without them the run is refused");
    has_line(scene, "  over an output limit the program is ended");
    has_line(scene, "  cpu_limit          WAIVED           share of the processors limited");
    lacks(scene, "language");
}

static void test_host_network(void **state)
{
    struct scene *scene = *state;
    scene->spec->network = SPEC_NETWORK_HOST;
    explained(scene, "network: {host: true}\n", NULL, NULL);
    has_line(scene, "Network          the host's");
}

/* Every row of both tables, the steps in their order. */
static void test_tables(void **state)
{
    struct scene *scene = *state;
    char row[160];
    explained(scene, "waive: []\n", NULL, NULL);
    for (size_t i = 0; i < PROTECTION_COUNT; i++) {
        bool required = protection_table[i].need == PROTECTION_REQUIRED;
        (void)snprintf(row, sizeof(row), "  %-18s %-16s %s", protection_table[i].name,
                       required ? "required" : "where available", protection_table[i].what);
        has_line(scene, row);
    }
    const char *at = strstr(scene->text.data, "\nSet-up, in this order\n");
    assert_non_null(at);
    for (size_t i = 0; i < STEP_COUNT; i++) {
        (void)snprintf(row, sizeof(row), "\n  %2zu %-20s ", i + 1, step_table[i].name);
        at = strstr(at, row);
        if (at == NULL) {
            fail_msg("step %zu, %s, is not in its place", i + 1, step_table[i].name);
        }
    }
}

static void test_full(void **state)
{
    struct scene *scene = *state;
    struct cella_error err = {0};
    explained(scene, "waive: []\n", NULL, NULL);
    /* Room for less than all: an error, never a text that looks complete. */
    for (size_t max = 1; max < scene->text.size; max += 101) {
        struct buffer small;
        buffer_init(&small, max);
        assert_int_equal(
            explain_text(scene->policy, scene->spec, NULL, NULL, &scene->run, NULL, &small, &err),
            -1);
        assert_int_equal(err.kind, CELLA_ERROR_HOST);
        buffer_done(&small);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_python),       TEST(test_compiled), TEST(test_command),
        TEST(test_host_network), TEST(test_tables),   TEST(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
