/*
 * The key `errors` of a runtime's file: when it is read, what it may not say, one runtime like
 * another.
 */
#include "base/error.h"
#include "runtime/definition.h"
#include "runtime/errors.h"
#include "runtime/read.h"
#include "runtime/runtime.h"
#include "scratch.h"

#define GOOD  "package: p\npath: [/usr/bin/true]\nentry: main.x\nrun: [\"{path}\", \"{entry}\"]\n"
#define RULE  GOOD "errors:\n  rules:\n    - "
#define HINT  GOOD "errors:\n  hints:\n    - "
#define THIRD "\n      "

static int set_up(void **state)
{
    int result = scratch_set_up(state);
    scratch_mkdir(scratch, "r");
    return result;
}

static struct runtime_set *opened(void)
{
    char dir[SCRATCH_PATH_SIZE];
    struct runtime_set *set = NULL;
    struct cella_error err;
    scratch_path(scratch, "r", dir);
    assert_int_equal(runtime_set_open(dir, &set, &err), 0);
    return set;
}

static const struct runtime *found(struct runtime_set *set, const char *name)
{
    const struct runtime *runtime = NULL;
    struct cella_error err;
    if (runtime_find(set, name, &runtime, &err) < 0) {
        fail_msg("%s: %s", name, err.text);
    }
    return runtime;
}

static const struct errors *errors_of(struct runtime_set *set, const char *name)
{
    const struct errors *errors = NULL;
    struct cella_error err;
    if (runtime_errors(set, found(set, name), &errors, &err) < 0) {
        fail_msg("%s: %s", name, err.text);
    }
    return errors;
}

static void write_runtime(const char *name, const char *text)
{
    char file[64];
    (void)snprintf(file, sizeof(file), "r/%s.yaml", name);
    scratch_write(scratch, file, text, 0644);
}

/* ---- what it holds ---- */

static void test_read(void **state)
{
    (void)state;
    write_runtime("x", RULE "match: '^(?<class>\\w+)'" THIRD "stage: any" THIRD "take: last" THIRD
                            "exit_codes: [1, 255]\n"
                            "    - match: '(?<frames>x)'" THIRD "frame: 'y'" THIRD
                            "innermost: last" THIRD "stream: stdout" THIRD "functions: called" THIRD
                            "first_column: 0" THIRD "stage: compile" THIRD "file: '{entry}'\n"
                            "  hints:\n"
                            "    - {match: 'a(?<b>c)', hint: 'x {b} {closest}', closest: b}\n"
                            "    - {match: d, limit: stack}\n"
                            "    - {match: d, limit: memory, peak_percent: 0, hint: e}\n"
                            "  names: one two\n"
                            "  packages: |\n    a b\n    c d\n");
    struct runtime_set *set = opened();
    const struct errors *errors = errors_of(set, "x");
    assert_int_equal(errors->rule_count, 2);
    assert_int_equal(errors->rules[0].stages, ERRORS_IN_RUN | ERRORS_IN_COMPILE);
    assert_int_equal(errors->rules[0].take, ERRORS_TAKE_LAST);
    assert_int_equal(errors->rules[0].first_column, 1);
    assert_int_equal(errors->rules[0].exit_code_count, 2);
    assert_int_equal(errors->rules[0].exit_codes[1], 255);
    assert_null(errors->rules[0].frame);
    assert_int_equal(errors->rules[1].stages, ERRORS_IN_COMPILE);
    assert_int_equal(errors->rules[1].take, ERRORS_TAKE_FIRST);
    assert_int_equal(errors->rules[1].innermost, ERRORS_INNERMOST_LAST);
    assert_int_equal(errors->rules[1].stream, ERRORS_ON_STDOUT);
    assert_int_equal(errors->rules[1].functions, ERRORS_FUNCTIONS_CALLED);
    assert_int_equal(errors->rules[1].first_column, 0);
    assert_non_null(errors->rules[1].frame);
    assert_int_equal(errors->hint_count, 3);
    assert_string_equal(errors->hints[0].closest, "b");
    assert_int_equal(errors->hints[0].peak_percent, 50);
    assert_int_equal(errors->hints[1].limit, ERRORS_LIMIT_STACK);
    assert_null(errors->hints[1].hint);
    assert_int_equal(errors->hints[2].limit, ERRORS_LIMIT_MEMORY);
    assert_int_equal(errors->hints[2].peak_percent, 0);
    assert_string_equal(errors->names, "one two");
    assert_string_equal(errors->packages, "a b\nc d\n");
    assert_ptr_equal(errors_of(set, "x"), errors); /* kept */
    runtime_set_close(set);
}

static void test_none(void **state)
{
    (void)state;
    write_runtime("x", GOOD);
    write_runtime("y", GOOD "errors:\n");
    write_runtime("z", GOOD "errors: {}\n");
    struct runtime_set *set = opened();
    assert_null(errors_of(set, "x"));
    assert_null(errors_of(set, "y"));
    assert_int_equal(errors_of(set, "z")->rule_count, 0);
    runtime_set_close(set);
}

/* Those that are shipped are good in every part. */
static void test_shipped(void **state)
{
    (void)state;
    char dir[SCRATCH_PATH_SIZE];
    struct runtime_set *set;
    struct cella_error err;
    const struct runtime *const *all;
    size_t count;
    scratch_source("runtimes", dir);
    assert_int_equal(runtime_set_open(dir, &set, &err), 0);
    assert_int_equal(runtime_all(set, &all, &count, &err), 0);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(errors_of(set, all[i]->name));
    }
    runtime_set_close(set);
}

/* ---- when it is read ---- */

/* Nobody looks at it before a program has failed. */
static void test_read_late(void **state)
{
    (void)state;
    write_runtime("x", RULE "match: '('\n");
    struct runtime_set *set = opened();
    const struct runtime *runtime = found(set, "x");
    const struct errors *errors = NULL;
    struct cella_error err;
    for (int i = 0; i < 2; i++) { /* and a failure is not remembered as none */
        assert_int_equal(runtime_errors(set, runtime, &errors, &err), -1);
        assert_int_equal(err.kind, CELLA_ERROR_HOST);
        has_text(err.text, "r/x.yaml:7:7: errors.rules[0].match is no regular expression: at byte 2"
                           ": missing closing parenthesis");
    }
    runtime_set_close(set);
}

static void find_fails(const char *text, const char *message)
{
    write_runtime("x", text);
    struct runtime_set *set = opened();
    const struct runtime *runtime;
    struct cella_error err;
    assert_int_equal(runtime_find(set, "x", &runtime, &err), -1);
    has_text(err.text, message);
    runtime_set_close(set);
}

/* Where the key is not the last, or not as people write it, all of the file is read at once. */
static void test_read_early(void **state)
{
    (void)state;
    find_fails("errors:\n  rules:\n    - match: '('\n" GOOD, ":3:7: errors.rules[0].match is no");
    find_fails(GOOD "errors:\n  rules:\n    - match: '('\naliases: [x]\n",
               ":7:7: errors.rules[0].match is no");
    find_fails(GOOD "errors:\n  rules:\n    - match: '('\n...\n", ":7:7: errors.rules[0].match");
    find_fails(GOOD "errors : {rule: []}\n", ":5:11: errors.rule is not a field");
    find_fails(GOOD "errors:\n- a\n", ":5:1: errors must be an object, not an array");
    find_fails("version: [\"a\nerrors: b\n", "r/x.yaml:"); /* no key: part of a text */
    /* A key that only begins so is one that there is not. */
    find_fails(GOOD "errorsx: {}\n", ":5:1: errorsx is not a field");
    /* What stands before it is read as ever. */
    find_fails(GOOD "rnu: [a]\nerrors:\n  names: a\n", ":5:1: rnu is not a field");
}

static void test_comments_do_not_matter(void **state)
{
    (void)state;
    write_runtime("x", GOOD "errors: # how\r\n\n# a comment\n  names: a\n\n\n# the end");
    struct runtime_set *set = opened();
    assert_string_equal(errors_of(set, "x")->names, "a");
    runtime_set_close(set);
}

/* Whoever checks a file reads all of it. */
static void test_checked_whole(void **state)
{
    (void)state;
    struct paths_dirs dirs = {.count = 1};
    char dir[SCRATCH_PATH_SIZE];
    struct cella_error err;
    struct runtime *runtime = NULL;
    scratch_path(scratch, "r", dir);
    (void)snprintf(dirs.items[0], sizeof(dirs.items[0]), "%s", dir);
    write_runtime("x", RULE "match: '('\n");
    AUTO_DEFINITION struct definition definition = {0};
    assert_int_equal(definition_read(&dirs, "x", &definition, &err), 1);
    assert_int_equal(runtime_read("x", &definition, &runtime, &err), -1);
    has_text(err.text, "r/x.yaml:7:7: errors.rules[0].match is no regular expression");
}

/* ---- like another ---- */

static void test_like(void **state)
{
    (void)state;
    write_runtime("x", GOOD "errors:\n  like: y\n");
    write_runtime("y", GOOD "errors:\n  like: x\n  names: of-y\n");
    struct runtime_set *set = opened();
    const struct errors *x = errors_of(set, "x");
    const struct errors *y = errors_of(set, "y");
    assert_ptr_equal(x->like_errors, y);
    assert_ptr_equal(y->like_errors, x);
    assert_string_equal(x->like_errors->names, "of-y");
    runtime_set_close(set);
}

static void like_fails(const char *text, const char *message)
{
    write_runtime("x", text);
    struct runtime_set *set = opened();
    const struct errors *errors;
    struct cella_error err;
    assert_int_equal(runtime_errors(set, found(set, "x"), &errors, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    has_text(err.text, message);
    runtime_set_close(set);
}

static void test_like_nothing(void **state)
{
    (void)state;
    like_fails(GOOD "errors:\n  like: nobody\n",
               "r/x.yaml: errors.like is 'nobody', which is no runtime");
    like_fails(GOOD "errors:\n  like: ../x\n", ":6:3: errors.like must be the name of a runtime");
    write_runtime("bad", HINT "hint: x\n");
    like_fails(GOOD "errors:\n  like: bad\n", "r/bad.yaml:7:7: errors.hints[0] has no 'match'");
}

/* ---- what it may not say ---- */

static void test_refused_rules(void **state)
{
    (void)state;
    like_fails(RULE "take: last\n", ":7:7: errors.rules[0] has no 'match'");
    like_fails(RULE "match: 3\n", ":7:7: errors.rules[0].match must be a string");
    like_fails(RULE "match: 'x*'\n", "errors.rules[0].match matches the empty text");
    like_fails(RULE "{match: x, mach: y}\n", "errors.rules[0].mach is not a field");
    like_fails(RULE "{match: x, stage: both}\n", "].stage must be run, compile or any");
    like_fails(RULE "{match: x, take: all}\n", "].take must be first or last");
    like_fails(RULE "{match: x, innermost: up}\n", "].innermost must be first or last");
    like_fails(RULE "{match: x, stream: both}\n", "].stream must be stderr or stdout");
    like_fails(RULE "{match: x, functions: all}\n", "].functions must be inside or called");
    like_fails(RULE "{match: x, first_column: 2}\n",
               "].first_column must be a whole number from 0 to 1");
    like_fails(RULE "{match: x, exit_codes: [256]}\n",
               "].exit_codes[0] must be a whole number from 0 to 255");
    like_fails(RULE "{match: x, exit_codes: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}\n",
               "].exit_codes[16] is one too many: at most 16 are allowed");
    like_fails(RULE "{match: x, frame: y}\n",
               "].match has a group 'frames' exactly when there is a 'frame'");
    like_fails(RULE "{match: '(?<frames>x)'}\n",
               "].match has a group 'frames' exactly when there is a 'frame'");
    like_fails(RULE "{match: x, class: 'a {b}'}\n",
               "].class has in braces what is no group of match: {b}");
    like_fails(RULE "{match: x, message: '{line}'}\n",
               "].message has in braces what is no group of match: {line}");
    like_fails(RULE "{match: x, hint: '{closest}'}\n",
               "].hint has in braces what is no group of match: {closest}");
    like_fails(RULE "{match: x, file: main.c}\n", "].file must be {entry}");
    like_fails(GOOD "errors:\n  rules: x\n", ":6:3: errors.rules must be an array");
}

static void test_refused_hints(void **state)
{
    (void)state;
    like_fails(HINT "{match: x}\n", ":7:7: errors.hints[0] has neither 'hint' nor 'limit'");
    like_fails(HINT "{match: x, hint: ''}\n", "].hint must not be empty");
    like_fails(HINT "{match: x, hint: a, closest: b}\n", "].closest is no group of match");
    like_fails(HINT "{match: x, hint: a, package: b}\n", "].package is no group of match");
    like_fails(HINT "{match: '(?<b>x)', hint: '{package}', closest: b}\n",
               "].hint has in braces what is no group of match: {package}");
    like_fails(HINT "{match: x, limit: disk}\n", "].limit must be memory or stack");
    like_fails(HINT "{match: x, limit: memory, peak_percent: 101}\n",
               "].peak_percent must be a whole number from 0 to 100");
    like_fails(GOOD "errors:\n  packages: |\n    a\n",
               ":6:3: errors.packages must have lines of a module and its package");
    like_fails(GOOD "errors:\n  packages: 'a b c'\n",
               "errors.packages must have lines of a module and its package");
    char text[1024];
    (void)snprintf(text, sizeof(text), HINT "{match: x, hint: '%0*d'}\n", ERRORS_TEXT_MAX + 1, 0);
    like_fails(text, "].hint is longer than 512 bytes");
}

static void test_too_many(void **state)
{
    (void)state;
    char text[8192] = GOOD "errors:\n  rules:\n";
    size_t size = strlen(text);
    for (int i = 0; i <= ERRORS_ROWS_MAX; i++) {
        if (i == ERRORS_ROWS_MAX) { /* at the limit */
            write_runtime("x", text);
            struct runtime_set *set = opened();
            assert_int_equal(errors_of(set, "x")->rule_count, ERRORS_ROWS_MAX);
            runtime_set_close(set);
        }
        int more = snprintf(text + size, sizeof(text) - size, "    - match: x\n");
        size += (size_t)more;
    }
    like_fails(text, "errors.rules[64] is one too many: at most 64 are allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_none, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_shipped, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_read_late, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_read_early, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_comments_do_not_matter, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_checked_whole, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_like, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_like_nothing, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_refused_rules, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_refused_hints, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_too_many, set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
