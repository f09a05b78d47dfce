/* Checking a runtime file: everything that is wrong in it, at its place, and nothing else. */
#include "runtime/runtime.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define GOOD "package: p\npath: [/usr/bin/true]\nentry: main.x\nrun: [\"{path}\", \"{entry}\"]\n"

static char shipped[SCRATCH_PATH_SIZE];

static int set_up(void **state)
{
    scratch_source("runtimes", shipped);
    return scratch_set_up(state);
}

/* The problems, a line each. */
struct told {
    char text[8192];
    size_t size;
    size_t count;
};

static void tell(void *context, const struct cella_error *problem)
{
    struct told *told = context;
    assert_int_equal(problem->kind, CELLA_ERROR_HOST);
    int size = snprintf(told->text + told->size, sizeof(told->text) - told->size, "%s [%s]\n",
                        problem->text, problem->hint);
    assert_true(size > 0 && told->size + (size_t)size < sizeof(told->text));
    told->size += (size_t)size;
    told->count++;
}

static int check(const char *file, struct told *told)
{
    struct runtime_set *set = NULL;
    struct runtime *runtime = NULL;
    struct cella_error err;
    const struct runtime_problems problems = {tell, told};
    *told = (struct told){.text = ""};
    assert_int_equal(runtime_set_open(shipped, &set, &err), 0);
    int result = runtime_check(set, file, &problems, &runtime, &err);
    if (result < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(result, told->count > 0);
    assert_int_equal(runtime != NULL, result == 0);
    runtime_destroy(runtime);
    runtime_set_close(set);
    return result;
}

static void checked(const char *text, const char *const *problems, size_t count)
{
    char file[SCRATCH_PATH_SIZE];
    struct told told;
    scratch_write(scratch, "x.yaml", text, 0644);
    scratch_path(scratch, "x.yaml", file);
    (void)check(file, &told);
    for (size_t i = 0; i < count; i++) {
        has_text(told.text, problems[i]);
    }
    if (told.count != count) {
        fail_msg("%zu problems instead of %zu:\n%s", told.count, count, told.text);
    }
}
#define CHECKED(text, ...)                                                                         \
    checked(text, (const char *const[]){__VA_ARGS__},                                              \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_good(void **state)
{
    (void)state;
    checked(GOOD, NULL, 0);
    checked(GOOD "aliases: [new]\nextensions: [.new]\nshebangs: [new]\n", NULL, 0);
}

static void test_shipped(void **state)
{
    (void)state;
    struct runtime_set *set = NULL;
    const struct runtime *const *all;
    size_t count;
    struct cella_error err;
    assert_int_equal(runtime_set_open(shipped, &set, &err), 0);
    assert_int_equal(runtime_all(set, &all, &count, &err), 0);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        struct told told;
        if (check(all[i]->file, &told) != 0) {
            fail_msg("%s", told.text);
        }
    }
    runtime_set_close(set);
}

static void test_all_at_once(void **state)
{
    (void)state;
    CHECKED("package: p\npth: [/usr/bin/x]\npath: [/usr/bin/true, bin/x]\nentry: a\n"
            "run: ['{pth}', b, 'c{args}']\ncompile:\n  run: [a]\n  output: b\n  outputs: [/b]\n"
            "  limit: 3\nlimits: {memory_byte: 1g, wall_ms: 0, cpus: 2}\nenv: {A-B: x, C: y}\n",
            "x.yaml:2:1: pth is not a field [did you mean 'path'?]\n",
            "x.yaml:3:23: path[1] must be an absolute path []\n",
            "x.yaml:5:7: run[0] has an unknown name in braces []\n",
            "x.yaml:9:13: compile.outputs[0] ",
            "x.yaml:10:3: compile.limit is not a field [did you mean 'limits'?]\n",
            "x.yaml:11:10: limits.memory_byte is not a limit [did you mean 'memory_bytes'?]\n",
            "x.yaml:11:27: limits.wall_ms must be more than 0", "x.yaml:12:7: env.A-B must not");
    /* What is missing is told when nothing else is wrong. */
    CHECKED("package: p\nentry: a\n", "x.yaml:1:1: path is missing []\n");
    CHECKED(GOOD "compile: {run: [a]}\n", "x.yaml:1:1: compile.output is missing []\n");
    CHECKED(GOOD "compile: {run: [a], output: 3}\nlimits: 3\n", "compile.output must be a string",
            "limits must be a mapping");
    CHECKED("[a]\n", "x.yaml:1:1: ");
    CHECKED("package: [a\n", "x.yaml:1:10: what '[' opens here goes wrong at line 2");
}

static void test_beside_others(void **state)
{
    (void)state;
    CHECKED(GOOD "aliases: [x1, py, ruby]\nextensions: [.rb, .x1]\nshebangs: [bash]\n",
            "x.yaml:5:15: aliases[1] is 'py', which python has already [see ",
            "x.yaml:5:19: aliases[2] is 'ruby', which ruby has already [see ",
            "x.yaml:6:14: extensions[0] is '.rb', which ruby has already [see ",
            "x.yaml:7:12: shebangs[0] is 'bash', which bash has already [see ");
    /* A file of the same name takes the place of the other. */
    char file[SCRATCH_PATH_SIZE];
    struct told told;
    scratch_write(scratch, "ruby.yaml", GOOD "aliases: [rb]\nextensions: [.rb]\n", 0644);
    scratch_path(scratch, "ruby.yaml", file);
    assert_int_equal(check(file, &told), 0);
}

static void test_many(void **state)
{
    (void)state;
    char text[16384] = GOOD;
    size_t size = strlen(text);
    for (int i = 0; i < 200; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "wrong-%d: x\n", i);
    }
    char file[SCRATCH_PATH_SIZE];
    struct told told;
    scratch_write(scratch, "x.yaml", text, 0644);
    scratch_path(scratch, "x.yaml", file);
    assert_int_equal(check(file, &told), 1);
    assert_int_equal(told.count, 64);
}

static void refused(const char *file, const char *text, const char *hint)
{
    struct runtime_set *set = NULL;
    struct runtime *runtime = NULL;
    struct told told = {.text = ""};
    struct cella_error err;
    const struct runtime_problems problems = {tell, &told};
    assert_int_equal(runtime_set_open(shipped, &set, &err), 0);
    assert_int_equal(runtime_check(set, file, &problems, &runtime, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    has_text(err.text, text);
    assert_string_equal(err.hint, hint);
    assert_int_equal(told.count, 0);
    runtime_set_close(set);
}

static void test_no_such_file(void **state)
{
    (void)state;
    const char hint[] = "NAME.yaml, NAME of lower-case letters and digits";
    refused("/nonexistent/x.yaml", "/nonexistent/x.yaml cannot be opened: No such file", "");
    refused("/x/Upper.yaml", "/x/Upper.yaml is no name for a language's file", hint);
    refused("x.yml", "x.yml is no name for a language's file", hint);
    refused(".yaml", ".yaml is no name", hint);
    char file[SCRATCH_PATH_SIZE];
    struct told told;
    scratch_write(scratch, "open.yaml", GOOD, 0646);
    scratch_path(scratch, "open.yaml", file);
    assert_int_equal(check(file, &told), 1);
    has_text(told.text, "open.yaml can be written by everybody [chmod o-w ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),          TEST(test_shipped), TEST(test_all_at_once),
        TEST(test_beside_others), TEST(test_many),    TEST(test_no_such_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
