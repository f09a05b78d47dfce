/*
 * The library as its users see it: requests and results, by <cella/cella.h> alone, against the real
 * keeper.  Programs are shell and Python one-liners; what is tested is the library, not them.
 */
#include "library.h"

#include <cella/policy.h>
#include <sched.h>

/* ---- results ---- */

static void a_program_runs(void **state)
{
    struct cella_request *request =
        parse("{\"language\": \"python\", \"code\": \"\", \"tag\": \"mine\"}");
    set(request, "code", "import sys; print(6*7); print('no', file=sys.stderr)");
    struct cella_result *result = run(*state, request);
    size_t size;
    assert_status(result, "ok");
    assert_stdout(result, "42\n");
    assert_string_equal(cella_result_stderr(result, &size), "no\n");
    assert_int_equal(cella_result_exit_code(result), 0);
    assert_int_equal(cella_result_signal(result), 0);
    assert_int_equal(cella_result_cli_code(result), 0);
    assert_non_null(strstr(cella_result_message(result), "exited with code 0 after "));
    assert_true(json_has(result, "\"stdout\":\"42\\n\""));
    assert_true(json_has(result, "\"tag\":\"mine\""));
    assert_true(json_has(result, "\"name\":\"python\",\"version\":\"3"));
    assert_true(json_has(result, "\"error\":null"));
    cella_result_destroy(result);
}

static void how_programs_end(void **state)
{
    static const struct {
        const char *script, *status;
        int exit_code, signal, cli_code;
    } rows[] = {
        {"exit 0", "ok", 0, 0, 0},
        {"exit 3", "exit", 3, 0, 3},
        {"kill -SEGV $$", "signal", -1, SIGSEGV, 128 + SIGSEGV},
        {"kill -XFSZ $$", "file_size", -1, SIGXFSZ, 123},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cella_result *result = run(*state, shell(rows[i].script));
        assert_status(result, rows[i].status);
        assert_int_equal(cella_result_exit_code(result), rows[i].exit_code);
        assert_int_equal(cella_result_signal(result), rows[i].signal);
        assert_int_equal(cella_result_cli_code(result), rows[i].cli_code);
        cella_result_destroy(result);
    }
}

static void limits_end_runs(void **state)
{
    static const struct {
        const char *script, *field, *value, *status, *message;
        int cli_code;
    } rows[] = {
        {"sleep 60", "limits.wall_ms", "200ms", "wall_time", "wall time limit of 200 ms hit", 124},
        {"while :; do :; done", "limits.cpu_ms", "200ms", "cpu_time",
         "processor time limit of 200 ms hit", 124},
        {"head -c 100000000 /dev/zero | tail", "limits.memory_bytes", "32m", "memory",
         "memory limit of 32 MiB hit", 137},
        {"head -c 2000000 /dev/zero > f", "limits.disk_bytes", "1m", "disk",
         "disk limit of 1 MiB hit", 123},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cella_request *request = shell(rows[i].script);
        set(request, rows[i].field, rows[i].value);
        struct cella_result *result = run(*state, request);
        assert_status(result, rows[i].status);
        assert_non_null(strstr(cella_result_message(result), rows[i].message));
        assert_int_equal(cella_result_cli_code(result), rows[i].cli_code);
        cella_result_destroy(result);
    }
}

static void output_at_and_over_its_limit(void **state)
{
    static const struct {
        const char *script;
        size_t kept;
        bool cut;
        const char *bytes;
    } rows[] = {
        {"printf 12345678", 8, false, "\"stdout_bytes\":8,"},
        {"printf 123456789", 8, true, "\"stdout_bytes\":9,"},
        {"head -c 1000000 /dev/zero", 8, true, "\"stdout_bytes\":1000000,"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cella_request *request = shell(rows[i].script);
        size_t size;
        set(request, "limits.stdout_bytes", "8");
        struct cella_result *result = run(*state, request);
        assert_status(result, "ok");
        (void)cella_result_stdout(result, &size);
        assert_int_equal(size, rows[i].kept);
        assert_true(json_has(result, rows[i].bytes));
        assert_int_equal(json_has(result, "\"stdout_truncated\":true"), rows[i].cut);
        assert_int_equal(json_has(result, "\"limits_hit\":[\"output\"]"), rows[i].cut);
        cella_result_destroy(result);
    }
}

static void output_may_end_a_run(void **state)
{
    struct cella_request *request = shell("yes");
    size_t size;
    set(request, "limits.stdout_bytes", "64k");
    set(request, "on_output_limit", "stop");
    struct cella_result *result = run(*state, request);
    assert_status(result, "output");
    (void)cella_result_stdout(result, &size);
    assert_int_equal(size, 64 * 1024);
    assert_int_equal(cella_result_cli_code(result), 123);
    assert_non_null(strstr(cella_result_message(result), "standard output limit of 64 KiB hit"));
    cella_result_destroy(result);

    /* At the limit there is nothing to end, and one byte more counts though the program is done. */
    request = shell("printf 12345678");
    set(request, "limits.stdout_bytes", "8");
    set(request, "on_output_limit", "stop");
    result = run(*state, request);
    assert_status(result, "ok");
    cella_result_destroy(result);
    request = shell("printf 123456789");
    set(request, "limits.stdout_bytes", "8");
    set(request, "on_output_limit", "stop");
    result = run(*state, request);
    assert_status(result, "output");
    cella_result_destroy(result);
}

static void interleaved_output_keeps_its_order(void **state)
{
    struct cella_request *request =
        parse("{\"command\": [\"/bin/sh\", \"-c\", "
              "\"echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c\"], \"interleave\": true}");
    struct cella_result *result = run(*state, request);
    char *json = NULL;
    size_t size;
    struct cella_error err;
    assert_status(result, "ok");
    assert_int_equal(cella_result_json(result, &json, &size, &err), 0);
    const char *output = strstr(json, "\"output\":[");
    assert_non_null(output);
    const char *a = strstr(output, "\"a\\n\""), *b = strstr(output, "\"b\\n\"");
    const char *c = strstr(output, "\"c\\n\"");
    assert_true(a != NULL && b != NULL && c != NULL && a < b && b < c);
    free(json);
    cella_result_destroy(result);
}

static void files_come_back(void **state)
{
    struct cella_request *request =
        shell("cat in > out.txt; : > empty.txt; chmod 750 out.txt; ln -s /etc/passwd link.txt");
    struct cella_error err;
    struct cella_file file;
    bool found[3] = {false};
    assert_int_equal(cella_request_add_file(request, "in", "data\0more", 9, 0, &err), 0);
    assert_int_equal(cella_request_add(request, "collect", "*.txt", &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "ok");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cella_result_file(result, i, &file), 1);
        if (strcmp(file.path, "out.txt") == 0) {
            found[0] = true;
            assert_int_equal(file.size, 9);
            assert_memory_equal(file.content, "data\0more", 9);
            assert_int_equal(file.mode, 0750);
            assert_null(file.skipped);
        } else if (strcmp(file.path, "empty.txt") == 0) {
            found[1] = true;
            assert_int_equal(file.size, 0);
            assert_non_null(file.content);
        } else if (strcmp(file.path, "link.txt") == 0) {
            found[2] = true;
            assert_null(file.content);
            assert_string_equal(file.skipped, "not a regular file");
        }
    }
    assert_true(found[0] && found[1] && found[2]);
    assert_int_equal(cella_result_file(result, 3, &file), 0);
    cella_result_destroy(result);
}

static void what_a_program_finds(void **state)
{
    struct cella_request *request = shell("pwd; env | sort");
    struct cella_error err;
    assert_int_equal(setenv("CELLA_TEST_SECRET", "leaked", 1), 0);
    assert_int_equal(cella_request_add(request, "env", "MINE=a=b", &err), 0);
    assert_int_equal(cella_request_add(request, "env", "LANG=de_DE", &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "ok");
    assert_stdout(result, "/workspace\n"
                          "HOME=/workspace\n"
                          "LANG=de_DE\n"
                          "MINE=a=b\n"
                          "PATH=/usr/local/bin:/usr/bin:/bin\n"
                          "PWD=/workspace\n");
    cella_result_destroy(result);
}

/* ---- programs by name ---- */

static void programs_are_found_inside(void **state)
{
    struct cella_error err;
    struct cella_request *request = parse("{\"command\": [\"echo\", \"by name\"]}");
    struct cella_result *result = run(*state, request);
    assert_stdout(result, "by name\n");
    cella_result_destroy(result);

    request = parse("{\"command\": [\"./tool\", \"x\"]}");
    assert_int_equal(cella_request_add_file(request, "tool", "#!/bin/sh\necho mine $1\n", 23,
                                            CELLA_FILE_EXECUTABLE, &err),
                     0);
    result = run(*state, request);
    assert_status(result, "ok");
    assert_stdout(result, "mine x\n");
    cella_result_destroy(result);

    result = run(*state, parse("{\"command\": [\"no-such-program\"]}"));
    assert_status(result, "refused");
    assert_int_equal(cella_result_cli_code(result), 127);
    assert_non_null(strstr(cella_result_message(result), "no-such-program"));
    assert_true(json_has(result, "\"kind\":\"runtime\""));
    cella_result_destroy(result);
}

/* ---- compiling ---- */

static void a_compiled_program_runs(void **state)
{
    struct cella_request *request =
        c_program("#include <stdio.h>\nint main(int c, char **v)\n"
                  "{ int n = 0; scanf(\"%d\", &n); printf(\"%s %d\", v[c - 1], n); return 5; }\n");
    struct cella_error err;
    set(request, "stdin", "17");
    assert_int_equal(cella_request_add(request, "args", "word", &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "exit");
    assert_int_equal(cella_result_exit_code(result), 5);
    assert_stdout(result, "word 17");
    assert_true(json_has(result, "\"compile\":{\"status\":\"ok\""));
    cella_result_destroy(result);
}

/* Told of another that has compiled it, while that one goes on; here nothing is kept for later. */
static const char *again_code;
static struct seen again;

static void start_again(void *context, struct cella_run *run)
{
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = &again, .output = on_output, .done = on_done};
    struct seen *seen = context;
    struct cella_error err;
    struct cella_request *request = c_program(again_code);
    assert_int_equal(cella_run_is_compiled(run), 1);
    assert_null(cella_run_result(run));
    set(request, "stdin", "x");
    again.engine = seen->engine;
    assert_int_equal(cella_run_start_compiled(run, request, 0, &callbacks, &again.run, &err), 0);
    cella_request_destroy(request);
}

static void check_compiled_once(void *engine, const char *first_code, const char *code, int cached)
{
    struct seen first = {.engine = engine};
    const struct cella_callbacks callbacks = {.size = sizeof(callbacks),
                                              .context = &first,
                                              .output = on_output,
                                              .done = on_done,
                                              .compiled = start_again};
    struct cella_error err;
    struct cella_request *request = c_program(first_code);
    memset(&again, 0, sizeof(again));
    again_code = code;
    assert_int_equal(cella_run_start(engine, request, 0, &callbacks, &first.run, &err), 0);
    cella_request_destroy(request);
    assert_int_equal(cella_run_is_compiled(first.run), 0);
    wait_done(&first, 1);
    cella_run_free(first.run);
    wait_done(&again, 1);
    assert_int_equal(cella_run_is_compiled(again.run), 1);
    const struct cella_result *result = cella_run_result(again.run);
    assert_status(result, "ok");
    assert_stdout(result, "x");
    assert_int_equal(json_has(result, "\"cached\":true"), cached);
    cella_run_free(again.run);
}

static void a_program_is_compiled_once_for_many_runs(void **state)
{
    static const char cat[] = "#include <stdio.h>\nint main(void) { putchar(getchar()); }";
    static const char date[] = "#include <stdio.h>\n"
                               "int main(void) { if (*__DATE__) putchar(getchar()); }";
    check_compiled_once(*state, cat, cat, 1);
    check_compiled_once(*state, date, date, 1); /* which no cache would have */
    check_compiled_once(*state, date, cat, 0);
}

static void a_compiler_refuses(void **state)
{
    struct cella_result *result = run(*state, c_program("int main(void) { return x; }"));
    assert_status(result, "compile_error");
    assert_int_equal(cella_result_exit_code(result), -1);
    assert_int_equal(cella_result_cli_code(result), 1);
    assert_non_null(strstr(cella_result_message(result), "the compiler exited with code 1"));
    assert_true(json_has(result, "undeclared"));
    cella_result_destroy(result);
}

static void a_compiler_that_makes_nothing(void **state)
{
    struct cella_request *request = c_program("int main(void) { return 0; }");
    struct cella_error err;
    assert_int_equal(cella_request_add(request, "compile.args", "-fsyntax-only", &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "compile_error");
    assert_non_null(strstr(cella_result_message(result), "the compiler gave no program to run"));
    cella_result_destroy(result);
}

static void a_limit_while_compiling(void **state)
{
    struct cella_request *request = c_program("int main(void) { return 0; }");
    set(request, "compile.limits.wall_ms", "1ms");
    set(request, "compile.limits.cpu_ms", "10s"); /* else it follows from the other */
    struct cella_result *result = run(*state, request);
    assert_status(result, "wall_time");
    assert_true(json_has(result, "\"stage\":\"compile\""));
    assert_non_null(strstr(cella_result_message(result), " while compiling"));
    assert_int_equal(cella_result_cli_code(result), 124);
    cella_result_destroy(result);
}

/* ---- why programs fail ---- */

static void failures_are_explained(void **state)
{
    struct cella_diagnosis diagnosis;
    struct cella_frame frame;
    struct cella_result *result = run(
        *state, parse("{\"language\": \"python\", \"code\": \"def f():\\n  x = pritn\\nf()\\n\"}"));
    assert_int_equal(cella_result_diagnosis(result, &diagnosis), 1);
    assert_string_equal(diagnosis.class_name, "NameError");
    assert_non_null(strstr(diagnosis.message, "name 'pritn' is not defined"));
    assert_string_equal(diagnosis.file, "main.py");
    assert_int_equal(diagnosis.line, 2);
    assert_int_equal(diagnosis.column, 7);
    assert_string_equal(diagnosis.hint, "did you mean 'print'?");
    assert_int_equal(diagnosis.frame_count, 2);
    assert_int_equal(cella_result_frame(result, 0, &frame), 1);
    assert_string_equal(frame.file, "main.py");
    assert_int_equal(frame.line, 2);
    assert_string_equal(frame.function, "f");
    assert_string_equal(frame.source, "  x = pritn");
    assert_int_equal(cella_result_frame(result, 1, &frame), 1);
    assert_int_equal(frame.line, 3);
    assert_int_equal(cella_result_frame(result, 2, &frame), 0);
    cella_result_destroy(result);

    result = run(*state, shell("kill -SEGV $$"));
    assert_int_equal(cella_result_diagnosis(result, &diagnosis), 1);
    assert_string_equal(diagnosis.class_name, "SIGSEGV");
    assert_null(diagnosis.file);
    assert_null(diagnosis.hint);
    assert_int_equal(diagnosis.frame_count, 0);
    cella_result_destroy(result);

    result = run(*state, shell("exit 3"));
    assert_int_equal(cella_result_diagnosis(result, &diagnosis), 0);
    assert_int_equal(cella_result_frame(result, 0, &frame), 0);
    cella_result_destroy(result);
}

/* ---- refusals ---- */

static void bad_requests_are_errors(void **state)
{
    struct cella_request *request = parse("{\"language\": \"pyton\", \"code\": \"1\"}");
    struct cella_result *result = NULL;
    struct cella_error err, unused;
    assert_int_equal(cella_run(*state, request, &result, &err), -1);
    assert_null(result);
    assert_int_equal(err.kind, CELLA_ERROR_RUNTIME);
    assert_string_equal(err.field, "language");
    assert_string_equal(err.hint, "did you mean 'python'?");
    cella_request_destroy(request);

    assert_int_equal(cella_result_refused(&err, &result, &unused), 0);
    assert_status(result, "refused");
    assert_int_equal(cella_result_cli_code(result), 127);
    assert_true(json_has(result, "\"field\":\"language\""));
    cella_result_destroy(result);

    request = shell("true");
    set(request, "limits.memory_bytes", "1024g");
    assert_int_equal(cella_run(*state, request, &result, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_POLICY);
    assert_string_equal(err.field, "limits.memory_bytes");
    cella_request_destroy(request);

    request = parse("{\"language\": \"python\", \"code\": \"1\"}");
    assert_int_equal(cella_request_add_file(request, "main.py", "2", 1, 0, &err), 0);
    assert_int_equal(cella_run(*state, request, &result, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.field, "files[0].path");
    cella_request_destroy(request);

    request = parse("{\"language\": \"python\", "
                    "\"files\": [{\"path\": \"x.py\", \"content\": \"\"}]}");
    assert_int_equal(cella_run(*state, request, &result, &err), -1);
    assert_string_equal(err.field, "code");
    cella_request_destroy(request);
}

static void bad_fields_are_errors(void **state)
{
    (void)state;
    struct cella_request *request = NULL;
    struct cella_error err;
    assert_int_equal(cella_request_create(&request, &err), 0);
    assert_int_equal(cella_request_set(request, "languge", "python", &err), -1);
    assert_string_equal(err.hint, "did you mean 'language'?");
    assert_int_equal(cella_request_set(request, "limits.wall", "1s", &err), -1);
    assert_string_equal(err.field, "limits.wall");
    assert_int_equal(cella_request_set(request, "limits.wall_ms", "soon", &err), -1);
    assert_string_equal(err.field, "limits.wall_ms");
    assert_int_equal(cella_request_set(request, "compile.limits.wall_ms", "soon", &err), -1);
    assert_string_equal(err.field, "compile.limits.wall_ms");
    assert_int_equal(cella_request_add(request, "env", "NO_VALUE", &err), -1);
    assert_string_equal(err.field, "env");
    assert_int_equal(cella_request_add(request, "argz", "x", &err), -1);
    assert_string_equal(err.hint, "did you mean 'args'?");
    assert_int_equal(cella_request_set_bytes(request, "cod", "x", 1, &err), -1);
    assert_string_equal(err.hint, "did you mean 'code'?");
    assert_int_equal(cella_request_add_file(request, "../up", "x", 1, 0, &err), -1);
    assert_int_equal(cella_request_add_file(request, "a", "x", 1, 4, &err), -1);
    assert_string_equal(err.text, "unknown flags of a file: 0x4");
    cella_request_destroy(request);
    cella_request_destroy(NULL);
}

static void a_plan_can_be_read(void **state)
{
    struct cella_request *request = c_program("int main(void) { return 0; }");
    struct cella_error err;
    char *text = NULL;
    assert_int_equal(cella_explain(*state, request, &text, &err), 0);
    assert_non_null(strstr(text, "memory_bytes"));
    assert_non_null(strstr(text, "/usr/bin/gcc"));
    assert_non_null(strstr(text, "seccomp"));
    free(text);
    cella_request_destroy(request);
}

/* ---- policies ---- */

struct told {
    size_t count;
    bool strict, refused_memory;
};

static void see_policy(void *context, const struct cella_policy *policy)
{
    struct told *told = context;
    told->count++;
    assert_string_equal(policy->problem, "");
    assert_int_equal(strlen(policy->digest), 64);
    told->strict = told->strict || (strcmp(policy->name, "strict") == 0 && policy->file[0] == '/');
}

static void see_decision(void *context, const struct cella_decision *decision)
{
    struct told *told = context;
    told->count++;
    if (strcmp(decision->what, "limits.memory_bytes") == 0) {
        assert_int_equal(decision->allowed, 0);
        assert_string_equal(decision->asked, "2 GiB");
        assert_string_equal(decision->key, "limits.memory_bytes.cap");
        assert_non_null(strstr(decision->file, "/strict.yaml"));
        assert_true(decision->line > 1 && decision->column > 1);
        told->refused_memory = true;
    }
}

static void policies_are_told(void **state)
{
    struct cella_request *request =
        parse("{\"command\": [\"/bin/true\"], \"limits\": {\"memory_bytes\": 2147483648}}");
    struct cella_error err;
    struct told told = {.count = 0};
    char *text = NULL;
    int allowed = 1;
    assert_int_equal(cella_policies(NULL, see_policy, &told, &err), 0);
    assert_true(told.count >= 5 && told.strict);
    assert_int_equal(cella_policies_json(NULL, &text, &err), 0);
    assert_non_null(strstr(text, "\"name\":\"judge\""));
    free(text);
    assert_int_equal(cella_policy_check(NULL, "strict", &err), 0);
    assert_int_equal(cella_policy_check(NULL, "strikt", &err), -1);
    assert_string_equal(err.hint, "did you mean 'strict'?");
    assert_int_equal(cella_policy_check(NULL, "./absent.yaml", &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_int_equal(cella_policy_show(NULL, "strict", CELLA_POLICY_YAML, &text, &err), 0);
    assert_non_null(strstr(text, "\ncontrol_groups: \"required\"\n"));
    free(text);
    assert_int_equal(cella_policy_show(NULL, "strict", CELLA_POLICY_JSON, &text, &err), 0);
    assert_non_null(strstr(text, "\"control_groups\":\"required\""));
    free(text);
    told = (struct told){.count = 0};
    assert_int_equal(
        cella_policy_test(*state, "strict", request, see_decision, &told, &allowed, &err), 0);
    assert_true(told.refused_memory);
    assert_int_equal(allowed, 0);
    assert_int_equal(cella_policy_test_json(*state, "default", request, &text, &allowed, &err), 0);
    assert_int_equal(allowed, 1);
    assert_non_null(strstr(text, "\"allowed\":true}"));
    free(text);
    assert_int_equal(cella_policy_test_json(*state, "strikt", request, &text, &allowed, &err), -1);
    cella_request_destroy(request);
}

/* One engine, and its spare sandboxes, for runs of several policies in turn. */
static void policies_do_not_mix(void **state)
{
    static const char *const policies[] = {"judge", "default", "judge", "strict", "default"};
    char processors[16];
    cpu_set_t usable;
    assert_int_equal(sched_getaffinity(0, sizeof(usable), &usable), 0);
    (void)snprintf(processors, sizeof(processors), "%d", CPU_COUNT(&usable));
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct cella_request *request = shell("nproc; echo $PYTHONHASHSEED.");
        struct cella_error err;
        struct cella_result *result = NULL;
        size_t size;
        assert_int_equal(cella_request_set(request, "policy", policies[i], &err), 0);
        if (cella_run(*state, request, &result, &err) < 0) {
            fail_msg("%s", err.text);
        }
        const bool judged = strcmp(policies[i], "judge") == 0;
        const bool no_groups = strcmp(cella_result_status(result), "internal") == 0 &&
                               strcmp(policies[i], "strict") == 0; /* it demands them */
        const char *text = cella_result_stdout(result, &size);
        if (!no_groups) {
            assert_non_null(strstr(text, judged ? "\n0.\n" : "\n.\n"));
            assert_int_equal(strncmp(text, judged ? "1" : processors, strcspn(text, "\n")), 0);
        }
        cella_result_destroy(result);
        cella_request_destroy(request);
    }
}

int main(void)
{
    const struct CMUnitTest requests[] = {
        cmocka_unit_test(a_program_runs),
        cmocka_unit_test(how_programs_end),
        cmocka_unit_test(limits_end_runs),
        cmocka_unit_test(output_at_and_over_its_limit),
        cmocka_unit_test(output_may_end_a_run),
        cmocka_unit_test(interleaved_output_keeps_its_order),
        cmocka_unit_test(files_come_back),
        cmocka_unit_test(what_a_program_finds),
        cmocka_unit_test(programs_are_found_inside),
        cmocka_unit_test(a_compiled_program_runs),
        cmocka_unit_test(a_program_is_compiled_once_for_many_runs),
        cmocka_unit_test(a_compiler_refuses),
        cmocka_unit_test(a_compiler_that_makes_nothing),
        cmocka_unit_test(a_limit_while_compiling),
        cmocka_unit_test(failures_are_explained),
        cmocka_unit_test(bad_requests_are_errors),
        cmocka_unit_test(bad_fields_are_errors),
        cmocka_unit_test(a_plan_can_be_read),
        cmocka_unit_test(policies_are_told),
        cmocka_unit_test(policies_do_not_mix),
    };
    return cmocka_run_group_tests_name("requests", requests, open_engine, close_engine);
}
