/*
 * Waiting for room, as users of the library see it: what is in sandboxes at one time stays within
 * the budget, everybody gets a turn, and whoever waits can be cancelled, freed and fed.
 */
#include "library.h"

#include <sys/resource.h>

#define ALONE 1U /* a budget that any stage is over */

static void *open_with(uint64_t memory_bytes, uint64_t millicpus)
{
    const struct cella_options options = {.size = sizeof(options),
                                          .budget_memory_bytes = memory_bytes,
                                          .budget_millicpus = millicpus,
                                          .pool_memory_bytes = CELLA_NO_POOLS};
    struct cella_engine *engine = NULL;
    struct cella_error err;
    if (cella_engine_open(&options, &engine, &err) < 0) {
        fail_msg("%s (%s)", err.text, err.hint);
    }
    return engine;
}

/* ---- within the budget ---- */

/* Sandboxes that are there, and at most one that the keeper has made ahead: each has one process
 * that is the keeper's child. */
static int count_sandboxes(pid_t keeper)
{
    char path[64];
    int count = 0, pid;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)keeper, (int)keeper);
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    while (fscanf(children, "%d", &pid) == 1) {
        count++;
    }
    (void)fclose(children);
    return count;
}

static void a_hundred_compiled_programs(void **state)
{
    (void)state;
    enum { RUNS = 100, FIT = 4, ENDING = 8, PREPARED = 1 };
    static struct seen seen[RUNS];
    int done = 0, most = 0;
    void *engine = open_with(2048ULL << 20, 1000000);
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < RUNS; i++) {
        struct cella_request *request =
            c_program("#include <stdio.h>\nint main(void) { puts(\"compiled\"); return 0; }");
        set(request, "limits.memory_bytes", "512m");
        set(request, "compile.limits.memory_bytes", "512m");
        (void)start(engine, request, 0, &seen[i]);
    }
    for (int turns = 0; done < RUNS && turns < 100000; turns++) {
        turn(engine);
        int up = count_sandboxes(keeper_pid());
        most = up > most ? up : most;
        done = 0;
        for (int i = 0; i < RUNS; i++) {
            done += seen[i].done;
        }
    }
    print_message("at most %d sandboxes at one time\n", most);
    /* Beside those that run there are some that have nothing left but their own end. */
    assert_in_range(most, 1, FIT + ENDING + PREPARED);
    for (int i = 0; i < RUNS; i++) {
        assert_status(cella_run_result(seen[i].run), "ok");
        assert_string_equal(seen[i].output[CELLA_STDOUT], "compiled\n");
        cella_run_free(seen[i].run);
    }
    cella_engine_close(engine);
}

/* Descriptors are a resource as well: each sandbox takes several, who waits takes none. */
static void few_descriptors_are_enough(void **state)
{
    (void)state;
    enum { RUNS = 60, DESCRIPTORS = 64 };
    static struct seen seen[RUNS];
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    void *engine = open_with(0, 1000000);
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < RUNS; i++) {
        (void)start(engine, shell("echo fine"), 0, &seen[i]);
    }
    for (int i = 0; i < RUNS; i++) {
        wait_done(&seen[i], 1);
        assert_status(cella_run_result(seen[i].run), "ok");
        cella_run_free(seen[i].run);
    }
    cella_engine_close(engine);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- alone, one after another ---- */

/* The milliseconds of a moment in the result, within its day; -1 when it is null. */
static long moment(const struct cella_result *result, const char *field)
{
    char *json = NULL;
    size_t size;
    struct cella_error err;
    int hours, minutes, seconds, ms;
    long at = -1;
    assert_int_equal(cella_result_json(result, &json, &size, &err), 0);
    const char *found = strstr(json, field);
    assert_non_null(found);
    if (sscanf(found + strlen(field), "\":\"%*d-%*d-%*dT%d:%d:%d.%dZ", &hours, &minutes, &seconds,
               &ms) == 4) {
        at = ((hours * 60L + minutes) * 60 + seconds) * 1000 + ms;
    }
    free(json);
    return at;
}

/* Each would run into its limit if waiting counted. */
static void waiting_is_not_in_the_wall_time(void **state)
{
    (void)state;
    enum { RUNS = 4, SLEEP_MS = 200 };
    struct seen seen[RUNS] = {0};
    void *engine = open_with(ALONE, 0);
    for (int i = 0; i < RUNS; i++) {
        struct cella_request *request = shell("sleep 0.2");
        set(request, "limits.wall_ms", "700ms");
        (void)start(engine, request, 0, &seen[i]);
    }
    for (int i = 0; i < RUNS; i++) {
        wait_done(&seen[i], 1);
        for (int later = i + 1; later < RUNS; later++) { /* first come, first served */
            assert_int_equal(seen[later].done, 0);
        }
        assert_status(cella_run_result(seen[i].run), "ok");
    }
    const struct cella_result *last = cella_run_result(seen[RUNS - 1].run);
    long waited = moment(last, "started_at") - moment(last, "queued_at");
    waited += waited < 0 ? 24L * 3600 * 1000 : 0; /* midnight */
    assert_true(waited >= (RUNS - 1) * SLEEP_MS);
    cella_engine_close(engine);
}

static void who_waits_can_be_cancelled(void **state)
{
    (void)state;
    struct seen first = {0}, second = {0}, compiled = {0}, last = {0};
    void *engine = open_with(ALONE, 0);
    (void)start(engine, shell("echo up; sleep 60"), 0, &first);
    (void)start(engine, shell("echo never"), 0, &second);
    (void)start(engine, c_program("int main(void) { return 0; }"), 0, &compiled);
    (void)start(engine, shell("echo last"), 0, &last);
    wait_output(&first);
    cella_run_cancel(second.run);
    cella_run_cancel(second.run);
    assert_int_equal(second.done, 0); /* never outside of a step */
    assert_null(cella_run_result(second.run));
    cella_run_cancel(compiled.run);
    wait_done(&second, 1);
    wait_done(&compiled, 1);
    const struct cella_run *cancelled[] = {second.run, compiled.run};
    for (size_t i = 0; i < 2; i++) {
        const struct cella_result *result = cella_run_result(cancelled[i]);
        assert_status(result, "cancelled");
        assert_string_equal(cella_result_message(result), "cancelled before it started");
        assert_int_equal(cella_result_cli_code(result), 130);
        assert_int_equal(moment(result, "started_at"), -1);
    }
    assert_int_equal(second.calls, 0);
    assert_int_equal(first.done + last.done, 0);
    cella_run_cancel(first.run);
    wait_done(&last, 1);
    assert_string_equal(last.output[CELLA_STDOUT], "last\n");
    assert_int_equal(second.done + compiled.done, 2);
    cella_engine_close(engine);
}

static void who_waits_can_be_freed(void **state)
{
    (void)state;
    struct seen first = {0}, second = {0}, last = {0};
    void *engine = open_with(ALONE, 0);
    (void)start(engine, shell("echo up; sleep 60"), 0, &first);
    (void)start(engine, shell("echo never"), 0, &second);
    (void)start(engine, shell("echo last"), 0, &last);
    cella_run_free(second.run);
    wait_output(&first);
    cella_run_free(first.run);
    wait_done(&last, 1);
    assert_string_equal(last.output[CELLA_STDOUT], "last\n");
    assert_int_equal(first.done + second.done + second.calls, 0);
    cella_run_free(last.run);

    /* Nobody is left behind it whose end would take it along. */
    (void)start(engine, shell("echo up; sleep 60"), 0, &first);
    (void)start(engine, shell("echo never"), 0, &second);
    cella_run_free(second.run);
    cella_run_cancel(first.run);
    wait_done(&first, 1);
    cella_run_free(first.run);
    (void)start(engine, shell("echo again"), 0, &last);
    wait_done(&last, 2);
    assert_status(cella_run_result(last.run), "ok");
    cella_engine_close(engine);
}

/* Of a callback that cancels and starts others: all of them get their end. */
static struct seen by_callback;

static void cancel_another(void *context, struct cella_run *run)
{
    (void)run;
    cella_run_cancel(by_callback.run);
    on_done(context, run);
}

static void callbacks_may_cancel_who_waits(void **state)
{
    (void)state;
    struct seen first = {.start_on_done = true};
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = &first, .output = on_output, .done = cancel_another};
    struct cella_error err;
    struct cella_run *run;
    void *engine = open_with(ALONE, 0);
    first.engine = engine;
    memset(&by_callback, 0, sizeof(by_callback));
    struct cella_request *request = shell("echo first");
    assert_int_equal(cella_run_start(engine, request, 0, &callbacks, &run, &err), 0);
    cella_request_destroy(request);
    (void)start(engine, shell("echo never"), 0, &by_callback);
    wait_done(&by_callback, 1);
    assert_status(cella_run_result(by_callback.run), "cancelled");
    wait_done(&first, 2);
    assert_string_equal(first.output[CELLA_STDOUT], "first\nsecond\n");
    cella_engine_close(engine);
}

static void who_waits_takes_input(void **state)
{
    (void)state;
    struct seen first = {0}, second = {0};
    struct cella_error err;
    size_t taken = 0;
    void *engine = open_with(ALONE, 0);
    (void)start(engine, shell("sleep 0.2"), 0, &first);
    (void)start(engine, shell("cat"), CELLA_RUN_STDIN_OPEN, &second);
    assert_int_equal(cella_run_write_stdin(second.run, "early", 5, &taken, &err), 0);
    assert_int_equal(taken, 5);
    cella_run_close_stdin(second.run);
    wait_done(&second, 1);
    assert_int_equal(first.done, 1);
    assert_string_equal(second.output[CELLA_STDOUT], "early");
    cella_engine_close(engine);
}

/* ---- the end of the engine ---- */

static void closing_with_some_that_wait(void **state)
{
    (void)state;
    size_t before = count_descriptors();
    struct seen seen = {0};
    void *engine = open_with(ALONE, 0);
    for (int i = 0; i < 5; i++) {
        (void)start(engine, shell("echo up; sleep 60"), 0, &seen);
    }
    (void)start(engine, c_program("int main(void) { return 0; }"), 0, &seen);
    wait_output(&seen);
    cella_run_cancel(seen.run);
    cella_engine_close(engine);
    assert_int_equal(seen.done, 0);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_keeper_that_dies_takes_along_who_waits(void **state)
{
    (void)state;
    struct seen first = {0}, second = {0}, third = {0};
    void *engine = open_with(ALONE, 0);
    (void)start(engine, shell("echo up; sleep 60"), 0, &first);
    (void)start(engine, shell("echo never"), 0, &second);
    (void)start(engine, c_program("int main(void) { return 0; }"), 0, &third);
    wait_output(&first);
    cella_run_cancel(third.run);
    assert_int_equal(kill(keeper_pid(), SIGKILL), 0);
    wait_done(&first, 1);
    wait_done(&second, 1);
    wait_done(&third, 1);
    assert_status(cella_run_result(second.run), "internal");
    assert_string_equal(cella_result_message(cella_run_result(second.run)),
                        "the keeper has ended unexpectedly, by signal SIGKILL");
    cella_engine_close(engine);
}

/* ---- tenants ---- */

/* Whoever has many waiting holds up nobody who has few. */
static void tenants_take_turns(void **state)
{
    (void)state;
    enum { MANY = 5 };
    static struct seen many[MANY], few;
    struct cella_error err;
    void *engine = open_with(ALONE, 0);
    memset(many, 0, sizeof(many));
    memset(&few, 0, sizeof(few));
    for (int i = 0; i < MANY; i++) {
        struct cella_request *request = shell("sleep 0.1");
        assert_int_equal(cella_request_set_tenant(request, "many", &err), 0);
        (void)start(engine, request, 0, &many[i]);
        assert_int_equal(many[i].begun, i == 0);
    }
    struct cella_request *request = shell("true");
    assert_int_equal(cella_request_set_tenant(request, "few", &err), 0);
    (void)start(engine, request, 0, &few);
    assert_int_equal(few.begun, 0);
    wait_done(&few, 1);
    assert_int_equal(few.begun, 1);
    assert_int_equal(many[0].done, 1);
    assert_int_equal(many[2].begun, 0);
    cella_run_cancel(many[4].run);
    for (int i = 0; i < MANY; i++) {
        wait_done(&many[i], 1);
        assert_int_equal(many[i].begun, i != 4);
        cella_run_free(many[i].run);
    }
    cella_run_free(few.run);
    cella_engine_close(engine);
}

/* With a second tenant a quarter of the room would be left to him. */
static void a_trial_makes_no_tenant(void **state)
{
    (void)state;
    enum { FIT = 4 };
    static struct seen trial, seen[FIT];
    struct cella_error err;
    void *engine = open_with(FIT * (64ULL << 20), 1000000);
    memset(&trial, 0, sizeof(trial));
    memset(seen, 0, sizeof(seen));
    (void)start(engine, shell("true"), CELLA_RUN_TRIAL, &trial);
    wait_done(&trial, 1);
    cella_run_free(trial.run);
    for (int i = 0; i < FIT; i++) {
        struct cella_request *request = shell("sleep 60");
        set(request, "limits.memory_bytes", "62m"); /* and 1 MiB of each stream */
        assert_int_equal(cella_request_set_tenant(request, "one", &err), 0);
        (void)start(engine, request, 0, &seen[i]);
        assert_int_equal(seen[i].begun, 1);
    }
    cella_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_compiled_programs),
        cmocka_unit_test(few_descriptors_are_enough),
        cmocka_unit_test(waiting_is_not_in_the_wall_time),
        cmocka_unit_test(who_waits_can_be_cancelled),
        cmocka_unit_test(who_waits_can_be_freed),
        cmocka_unit_test(callbacks_may_cancel_who_waits),
        cmocka_unit_test(who_waits_takes_input),
        cmocka_unit_test(closing_with_some_that_wait),
        cmocka_unit_test(a_keeper_that_dies_takes_along_who_waits),
        cmocka_unit_test(tenants_take_turns),
        cmocka_unit_test(a_trial_makes_no_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
