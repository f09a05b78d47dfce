/*
 * The library as its users see it: the life of runs and engines, standard input on the way, events,
 * cancelling, freeing, a keeper that dies.  By <cella/cella.h> alone, against the real keeper.
 */
#include "library.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define MIB ((size_t)1024 * 1024)

/* ---- standard input ---- */

static void a_large_input_arrives_whole(void **state)
{
    struct cella_request *request = shell("cat");
    struct cella_error err;
    char *data = malloc(MIB);
    size_t size;
    assert_non_null(data);
    for (size_t i = 0; i < MIB; i++) {
        data[i] = (char)(i * 31 + i / 251);
    }
    assert_int_equal(cella_request_set_bytes(request, "stdin", data, MIB, &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "ok");
    const char *out = cella_result_stdout(result, &size);
    assert_int_equal(size, MIB);
    assert_memory_equal(out, data, MIB);
    free(data);
    cella_result_destroy(result);
}

/* SIGPIPE is as the caller left it, and still never comes. */
static void input_that_nobody_reads(void **state)
{
    struct cella_request *request = shell("exec 0<&-; sleep 0.2");
    struct cella_error err;
    struct sigaction action;
    char *data = calloc(1, MIB);
    assert_non_null(data);
    assert_int_equal(cella_request_set_bytes(request, "stdin", data, MIB, &err), 0);
    struct cella_result *result = run(*state, request);
    assert_status(result, "ok");
    free(data);
    cella_result_destroy(result);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
}

static void input_while_it_runs(void **state)
{
    struct seen seen = {0};
    struct cella_error err;
    size_t taken = 0;
    struct cella_request *request =
        shell("read a; echo got $a; read b; echo got $b; cat; echo end");
    set(request, "stdin", "first\n");
    struct cella_run *run = start(*state, request, CELLA_RUN_STDIN_OPEN, &seen);
    wait_output(&seen);
    assert_string_equal(seen.output[CELLA_STDOUT], "got first\n");
    assert_null(cella_run_result(run));
    assert_int_equal(cella_run_write_stdin(run, "second\nrest", 11, &taken, &err), 0);
    assert_int_equal(taken, 11);
    cella_run_close_stdin(run);
    wait_done(&seen, 1);
    assert_string_equal(seen.output[CELLA_STDOUT], "got first\ngot second\nrestend\n");
    assert_status(cella_run_result(run), "ok");
    assert_int_equal(cella_run_write_stdin(run, "late", 4, &taken, &err), 0);
    assert_int_equal(taken, 4);
    cella_run_free(run);
}

/* Bytes that are not taken are always waited for by the engine: here, as the pipe is emptied all
 * the time, by the next call, and again and again. */
static void input_of_any_size_gets_through(void **state)
{
    enum { BLOCK = 256 * 1024, TOTAL = 64 * 1024 * 1024 };
    struct seen seen = {0};
    struct cella_error err;
    static char block[BLOCK];
    size_t taken, sent = 0;
    struct cella_run *run = start(*state, shell("wc -c"), CELLA_RUN_STDIN_OPEN, &seen);
    while (sent < TOTAL) {
        assert_int_equal(cella_run_write_stdin(run, block, BLOCK, &taken, &err), 0);
        sent += taken;
        if (taken < BLOCK) {
            turn(*state); /* fails when nothing comes */
        }
    }
    cella_run_close_stdin(run);
    wait_done(&seen, 1);
    assert_status(cella_run_result(run), "ok");
    (void)snprintf(block, sizeof(block), "%zu\n", sent);
    assert_string_equal(seen.output[CELLA_STDOUT], block);
    cella_run_free(run);
}

static void input_has_an_end_of_room(void **state)
{
    struct seen seen = {0};
    struct cella_error err;
    size_t taken = 1, total = 0;
    static char block[64 * 1024];
    struct cella_run *run = start(*state, shell("sleep 60"), CELLA_RUN_STDIN_OPEN, &seen);
    for (int i = 0; i < 100 && taken > 0; i++) {
        assert_int_equal(cella_run_write_stdin(run, block, sizeof(block), &taken, &err), 0);
        total += taken;
    }
    assert_int_equal(taken, 0);
    assert_true(total >= sizeof(block) && total <= 4 * sizeof(block));
    cella_run_cancel(run);
    wait_done(&seen, 1);
    cella_run_free(run);

    /* Input that was not left open takes nothing. */
    run = start(*state, shell("sleep 60"), 0, &seen);
    assert_int_equal(cella_run_write_stdin(run, "x", 1, &taken, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, "standard input of this run is not open");
    cella_run_free(run);
}

/* ---- the life of a run ---- */

static void a_run_can_be_cancelled(void **state)
{
    struct seen seen = {0};
    struct cella_run *run = start(*state, shell("echo up; sleep 60"), 0, &seen);
    wait_output(&seen);
    cella_run_cancel(run);
    cella_run_cancel(run);
    wait_done(&seen, 1);
    assert_status(cella_run_result(run), "cancelled");
    assert_stdout(cella_run_result(run), "up\n");
    assert_int_equal(cella_result_cli_code(cella_run_result(run)), 130);
    cella_run_cancel(run);
    cella_run_free(run);

    run = start(*state, shell("sleep 60"), 0, &seen);
    cella_run_cancel(run); /* before the keeper has even seen it */
    wait_done(&seen, 2);
    assert_status(cella_run_result(run), "cancelled");
    cella_run_free(run);

    struct cella_request *request = c_program("int main(void) { for (;;) { } }");
    run = start(*state, request, 0, &seen); /* while it compiles */
    cella_run_cancel(run);
    wait_done(&seen, 3);
    assert_status(cella_run_result(run), "cancelled");
    cella_run_free(run);
}

static void a_run_can_be_freed_at_any_time(void **state)
{
    struct seen seen = {0}, later = {0};
    struct cella_run *run = start(*state, shell("echo up; sleep 60"), 0, &seen);
    cella_run_free(run);
    run = start(*state, shell("echo up; sleep 60"), 0, &seen);
    wait_output(&seen);
    cella_run_free(run);
    assert_int_equal(seen.calls, 1);
    seen.free_on_output = true;
    (void)start(*state, shell("echo up; sleep 0.1; echo more; sleep 60"), 0, &seen);
    while (seen.calls == 1) {
        turn(*state);
    }
    run = start(*state, shell("sleep 0.3"), 0, &later);
    wait_done(&later, 1);
    cella_run_free(run);
    assert_int_equal(seen.calls, 2); /* nothing is said of a run that was freed */
    assert_int_equal(seen.done, 0);
    cella_run_free(NULL);
}

static void callbacks_may_start_but_not_wait(void **state)
{
    struct seen seen = {.process_on_output = true, .start_on_done = true};
    struct cella_run *first = start(*state, shell("echo first"), 0, &seen);
    wait_done(&seen, 2);
    assert_string_equal(seen.output[CELLA_STDOUT], "first\nsecond\n");
    assert_string_equal(seen.err.text, "the engine is at work: this is a callback");
    assert_ptr_not_equal(first, seen.run);
    cella_run_free(first);
    cella_run_free(seen.run);
}

/* Each says what it has inherited, while others are being launched: its streams, the directory that
 * the shell lists, and a clean environment. */
static void what_a_compiler_writes(void **state)
{
    struct seen seen = {.engine = *state};
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = &seen, .done = on_done, .compiler_output = on_output};
    /* With that word in it, it is compiled each time. */
    struct cella_request *request = c_program("#include <stdio.h>\n#warning careful __DATE__\n"
                                              "int main(void) { return puts(\"out\") < 0; }");
    assert_int_equal(cella_run_start(*state, request, 0, &callbacks, &seen.run, &seen.err), 0);
    cella_request_destroy(request);
    wait_done(&seen, 1);
    assert_stdout(cella_run_result(seen.run), "out\n");
    assert_non_null(strstr(seen.output[CELLA_STDERR], "#warning careful"));
    assert_int_equal(seen.size[CELLA_STDOUT], 0);
    cella_run_free(seen.run);
}

static void many_runs_at_once(void **state)
{
    enum { RUNS = 200 };
    static struct seen seen[RUNS];
    static struct cella_run *runs[RUNS];
    int done = 0;
    char text[160];
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < RUNS; i++) {
        (void)snprintf(text, sizeof(text),
                       "sleep 0.1; set -- /proc/self/fd/*; echo run %d $# $(env | cut -d= -f1 | "
                       "sort); exit %d",
                       i, i % 3);
        runs[i] = start(*state, shell(text), 0, &seen[i]);
    }
    for (int turns = 0; done < RUNS && turns < 100000; turns++) {
        turn(*state);
        done = 0;
        for (int i = 0; i < RUNS; i++) {
            done += seen[i].done;
        }
    }
    for (int i = 0; i < RUNS; i++) {
        (void)snprintf(text, sizeof(text), "run %d 4 HOME LANG PATH PWD\n", i);
        assert_int_equal(seen[i].done, 1);
        assert_string_equal(seen[i].output[CELLA_STDOUT], text);
        assert_int_equal(cella_result_exit_code(cella_run_result(runs[i])), i % 3);
        cella_run_free(runs[i]);
    }
}

static void nothing_is_left_open(void **state)
{
    size_t before = count_descriptors();
    for (int i = 0; i < 20; i++) {
        cella_result_destroy(run(*state, shell(i % 2 == 0 ? "exit 1" : "kill -9 $$")));
    }
    assert_int_equal(count_descriptors(), before);
}

/* ---- engines ---- */

static void an_engine_without_a_keeper(void **state)
{
    (void)state;
    const struct cella_options options = {.size = sizeof(options), .keeper_path = "/nonexistent"};
    struct cella_engine *engine = NULL;
    struct cella_error err;
    assert_int_equal(cella_engine_open(&options, &engine, &err), -1);
    assert_null(engine);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_non_null(strstr(err.text, "/nonexistent"));
    cella_engine_close(NULL);
}

static void structs_without_a_size(void **state)
{
    const struct cella_options options = {.keeper_path = "/nonexistent"};
    const struct cella_callbacks callbacks = {.context = NULL};
    struct cella_engine *engine = NULL;
    struct cella_run *run = NULL;
    struct cella_error err;
    assert_int_equal(cella_engine_open(&options, &engine, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, "the options have no size");
    struct cella_request *request = shell("true");
    assert_int_equal(cella_run_start(*state, request, 0, &callbacks, &run, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, "the callbacks have no size");
    cella_request_destroy(request);
}

static void closing_ends_everything(void **state)
{
    (void)state;
    size_t before = count_descriptors();
    void *engine = NULL;
    struct seen seen = {0};
    assert_int_equal(open_engine(&engine), 0);
    (void)start(engine, shell("echo up; sleep 60"), CELLA_RUN_STDIN_OPEN, &seen);
    (void)start(engine, shell("sleep 60"), 0, &seen);
    wait_output(&seen);
    cella_engine_close(engine);
    assert_int_equal(seen.done, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a zombie */
    assert_int_equal(errno, ECHILD);
    assert_int_equal(count_descriptors(), before);
}

static void a_keeper_that_dies(void **state)
{
    (void)state;
    void *engine = NULL;
    struct cella_run *run;
    struct cella_error err;
    struct seen seen = {0};
    assert_int_equal(open_engine(&engine), 0);
    struct cella_run *first = start(engine, shell("echo up; sleep 60"), 0, &seen);
    struct cella_run *second = start(engine, shell("sleep 60"), 0, &seen);
    wait_output(&seen);
    assert_int_equal(kill(keeper_pid(), SIGKILL), 0);
    wait_done(&seen, 2);
    assert_status(cella_run_result(first), "internal");
    assert_status(cella_run_result(second), "internal");
    assert_stdout(cella_run_result(first), "up\n");
    assert_string_equal(cella_result_message(cella_run_result(first)),
                        "the keeper has ended unexpectedly, by signal SIGKILL");
    assert_int_equal(cella_result_cli_code(cella_run_result(first)), 125);
    assert_true(json_has(cella_run_result(first), "\"kind\":\"host\""));
    cella_run_free(first);
    cella_run_free(second);

    /* It is of no use any more, says so, and does not spin. */
    struct cella_request *request = shell("true");
    assert_int_equal(cella_run_start(engine, request, 0, NULL, &run, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_non_null(strstr(err.text, "the keeper has ended unexpectedly"));
    cella_request_destroy(request);
    struct pollfd ready = {.fd = cella_engine_fd(engine), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    cella_engine_close(engine);
}

/* A keeper of ours, with so many descriptors (0: as many as we), and its socket. */
static pid_t start_keeper(rlim_t descriptors, int *ret_socket)
{
    char path[4096];
    int pair[2];
    const struct rlimit limit = {descriptors, descriptors};
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 16);
    assert_true(size > 0);
    path[size] = '\0';
    memcpy(strrchr(path, '/') + 1, "cella-keeper", sizeof("cella-keeper"));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(pair[1], 3) == 3 && (descriptors == 0 || setrlimit(RLIMIT_NOFILE, &limit) == 0)) {
            (void)execl(path, "cella-keeper", (char *)NULL);
        }
        _exit(127);
    }
    assert_true(pid > 0);
    close(pair[1]);
    *ret_socket = pair[0];
    return pid;
}

static void a_keeper_that_the_caller_started(void **state)
{
    (void)state;
    void *engine = NULL;
    struct cella_error err;
    struct cella_options options = {.size = sizeof(options)};
    options.keeper_pid = start_keeper(0, &options.keeper_socket);
    assert_int_equal(cella_engine_open(&options, (struct cella_engine **)&engine, &err), 0);
    struct cella_result *result = run(engine, shell("echo by it"));
    assert_stdout(result, "by it\n");
    cella_result_destroy(result);
    cella_engine_close(engine);
    assert_int_equal(waitpid(options.keeper_pid, NULL, 0), -1); /* reaped */
    assert_int_equal(fcntl(options.keeper_socket, F_GETFD), -1);
}

/* One that is given to an engine that wants none is ended and reaped all the same. */
static void a_keeper_that_is_not_wanted(void **state)
{
    (void)state;
    struct cella_engine *engine = NULL;
    struct cella_error err;
    struct cella_options options = {.size = sizeof(options), .without_keeper = 1};
    options.keeper_pid = start_keeper(0, &options.keeper_socket);
    assert_int_equal(cella_engine_open(&options, &engine, &err), 0);
    assert_int_equal(waitpid(options.keeper_pid, NULL, 0), -1);
    assert_int_equal(cella_engine_check(engine, &err), -1);
    cella_engine_close(engine); /* with what it has opened meanwhile in that place */
    assert_int_equal(fcntl(options.keeper_socket, F_GETFD), -1);
}

/* Nor is one left behind by an engine that cannot be opened. */
static void a_keeper_of_an_engine_that_fails(void **state)
{
    (void)state;
    struct cella_engine *engine = NULL;
    struct cella_error err;
    struct cella_options options = {.size = sizeof(options)};
    options.keeper_pid = start_keeper(0, &options.keeper_socket);
    const int none = dup(0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {(rlim_t)none + 1, before.rlim_max}; /* one: for the keeper's */
    (void)close(none);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const int opened = cella_engine_open(&options, &engine, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(opened, -1);
    assert_int_equal(waitpid(options.keeper_pid, NULL, 0), -1);
    assert_int_equal(fcntl(options.keeper_socket, F_GETFD), -1);
}

/* ---- descriptors run out ---- */

/* A run that went well, or that says: later. */
static bool runs_or_is_busy(struct cella_engine *engine)
{
    struct cella_request *request = shell("echo fine");
    struct cella_result *result = NULL;
    struct cella_error err;
    const struct cella_error *said = &err;
    bool ok = false;
    if (cella_run(engine, request, &result, &err) == 0) {
        ok = strcmp(cella_result_status(result), "ok") == 0;
        said = cella_result_error(result);
        assert_status(result, ok ? "ok" : "refused");
        assert_int_equal(cella_result_cli_code(result), ok ? 0 : 125);
    }
    if (!ok && said->kind != CELLA_ERROR_BUSY) {
        fail_msg("kind %d: %s", said->kind, said->text);
    }
    if (!ok) {
        assert_int_equal(said->sys_errno, EMFILE);
        assert_non_null(strstr(said->hint, "try again later"));
    }
    cella_result_destroy(result);
    cella_request_destroy(request);
    return ok;
}

/* Wherever the engine meets the end of its descriptors. */
static void an_engine_without_descriptors_is_busy(void **state)
{
    (void)state;
    void *engine = NULL;
    struct rlimit before, few;
    int busy = 0;
    assert_int_equal(open_engine(&engine), 0);
    assert_true(runs_or_is_busy(engine)); /* so that it knows its policy and its budget */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    int next = dup(0);
    assert_true(next > 0);
    close(next);
    for (int more = 0; more < 8; more++) {
        few.rlim_cur = (rlim_t)(next + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        busy += !runs_or_is_busy(engine);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(busy > 0);
    assert_true(runs_or_is_busy(engine));
    cella_engine_close(engine);
}

/* Likewise the keeper, which goes on. */
static void a_keeper_without_descriptors_is_busy(void **state)
{
    (void)state;
    void *engine = NULL;
    struct rlimit before, few;
    int busy = 0;
    assert_int_equal(open_engine(&engine), 0);
    assert_true(runs_or_is_busy(engine));
    pid_t keeper = keeper_pid();
    if (prlimit(keeper, RLIMIT_NOFILE, NULL, &before) != 0) {
        skip(); /* an ordinary user's keeper is in a user namespace of its own */
    }
    few = before;
    for (rlim_t limit = 5; limit < 100; limit++) {
        few.rlim_cur = limit;
        assert_int_equal(prlimit(keeper, RLIMIT_NOFILE, &few, NULL), 0);
        busy += !runs_or_is_busy(engine);
    }
    assert_true(busy > 0 && busy < 95);
    assert_int_equal(prlimit(keeper, RLIMIT_NOFILE, &before, NULL), 0);
    assert_true(runs_or_is_busy(engine));
    assert_int_equal(keeper_pid(), keeper);
    cella_engine_close(engine);
}

/* It takes no more than it has descriptors for, whatever an engine asks. */
static void a_keeper_of_few_descriptors_takes_few_runs(void **state)
{
    (void)state;
    enum { DESCRIPTORS = 100, FIT = 6, RUNS = 8 };
    void *engine = NULL;
    struct cella_error err;
    struct seen seen[RUNS] = {0};
    struct cella_options options = {.size = sizeof(options), .budget_millicpus = 1000000};
    options.keeper_pid = start_keeper(DESCRIPTORS, &options.keeper_socket);
    assert_int_equal(cella_engine_open(&options, (struct cella_engine **)&engine, &err), 0);
    for (int i = 0; i < RUNS; i++) {
        (void)start(engine, shell("echo up; sleep 60"), 0, &seen[i]);
    }
    for (int i = 0; i < FIT; i++) {
        wait_output(&seen[i]);
    }
    for (int i = FIT; i < RUNS; i++) {
        wait_done(&seen[i], 1);
        const struct cella_result *result = cella_run_result(seen[i].run);
        assert_status(result, "refused");
        assert_int_equal(cella_result_error(result)->kind, CELLA_ERROR_BUSY);
        assert_string_equal(cella_result_message(result), "6 runs are going already");
    }
    cella_run_free(seen[0].run);
    cella_run_cancel(seen[1].run);
    wait_done(&seen[1], 1);
    cella_result_destroy(run(engine, shell("true")));
    cella_engine_close(engine);
}

static void engines_are_independent(void **state)
{
    (void)state;
    void *one = NULL, *two = NULL;
    struct seen seen = {0};
    assert_int_equal(open_engine(&one), 0);
    assert_int_equal(open_engine(&two), 0);
    (void)start(one, shell("sleep 60"), 0, &seen);
    struct cella_result *result = run(two, shell("echo two"));
    assert_stdout(result, "two\n");
    cella_result_destroy(result);
    cella_engine_close(one);
    result = run(two, shell("echo still"));
    assert_stdout(result, "still\n");
    cella_result_destroy(result);
    cella_engine_close(two);
}

int main(void)
{
    const struct CMUnitTest runs[] = {
        cmocka_unit_test(a_large_input_arrives_whole),
        cmocka_unit_test(input_that_nobody_reads),
        cmocka_unit_test(input_while_it_runs),
        cmocka_unit_test(input_of_any_size_gets_through),
        cmocka_unit_test(input_has_an_end_of_room),
        cmocka_unit_test(a_run_can_be_cancelled),
        cmocka_unit_test(a_run_can_be_freed_at_any_time),
        cmocka_unit_test(callbacks_may_start_but_not_wait),
        cmocka_unit_test(what_a_compiler_writes),
        cmocka_unit_test(many_runs_at_once),
        cmocka_unit_test(nothing_is_left_open),
        cmocka_unit_test(structs_without_a_size),
    };
    const struct CMUnitTest engines[] = {
        cmocka_unit_test(an_engine_without_a_keeper),
        cmocka_unit_test(closing_ends_everything),
        cmocka_unit_test(a_keeper_that_dies),
        cmocka_unit_test(a_keeper_that_the_caller_started),
        cmocka_unit_test(a_keeper_that_is_not_wanted),
        cmocka_unit_test(a_keeper_of_an_engine_that_fails),
        cmocka_unit_test(an_engine_without_descriptors_is_busy),
        cmocka_unit_test(a_keeper_without_descriptors_is_busy),
        cmocka_unit_test(a_keeper_of_few_descriptors_takes_few_runs),
        cmocka_unit_test(engines_are_independent),
    };
    int failed = cmocka_run_group_tests_name("runs", runs, open_engine, close_engine);
    return failed + cmocka_run_group_tests_name("engines", engines, NULL, NULL);
}
