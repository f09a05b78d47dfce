/* The supervisor: every event in every state, and every rule about what ended a run. */
#include "endings.h"
#include "supervise/supervise.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the machine ---- */

enum { STATES = SUPERVISE_DONE + 1, EVENTS = SUPERVISE_KEEPER_LOST + 1 };

static const char *const state_names[STATES] = {"creating", "running", "stopping", "done"};
static const char *const event_names[EVENTS] = {
    "started", "notice", "stdout", "stderr", "cancel", "failed", "ended", "refused", "lost",
};

/* A supervisor brought into a state by events; in STOPPING its cause is `cancelled`. */
static void bring_into(struct supervise *supervise, enum supervise_state state, bool stop_on_output)
{
    supervise_init(supervise, stop_on_output);
    if (state >= SUPERVISE_RUNNING) {
        assert_false(supervise_event(supervise, SUPERVISE_STARTED, 0));
    }
    if (state >= SUPERVISE_STOPPING) {
        assert_true(supervise_event(supervise, SUPERVISE_CANCEL, 0));
    }
    if (state >= SUPERVISE_DONE) {
        assert_false(supervise_event(supervise, SUPERVISE_ENDED, 0));
    }
    assert_int_equal(supervise->state, state);
}

/* What must come of an event: the state, the cause, whether the keeper is told to stop. */
struct expected {
    enum supervise_state state;
    enum status cause;
    bool stop;
};

#define CREATING SUPERVISE_CREATING
#define RUNNING  SUPERVISE_RUNNING
#define STOPPING SUPERVISE_STOPPING
#define DONE     SUPERVISE_DONE
#define NONE     STATUS_COUNT

/* With stop_on_output; NOTICE says memory, REFUSED says that the host failed. */
static const struct expected expected[STATES][EVENTS] = {
    {{RUNNING, NONE, false},
     {STOPPING, STATUS_MEMORY, false},
     {STOPPING, STATUS_OUTPUT, true},
     {STOPPING, STATUS_OUTPUT, true},
     {STOPPING, STATUS_CANCELLED, true},
     {STOPPING, STATUS_INTERNAL, true},
     {DONE, NONE, false},
     {DONE, STATUS_INTERNAL, false},
     {DONE, STATUS_INTERNAL, false}},
    {{RUNNING, NONE, false},
     {STOPPING, STATUS_MEMORY, false},
     {STOPPING, STATUS_OUTPUT, true},
     {STOPPING, STATUS_OUTPUT, true},
     {STOPPING, STATUS_CANCELLED, true},
     {STOPPING, STATUS_INTERNAL, true},
     {DONE, NONE, false},
     {DONE, STATUS_INTERNAL, false},
     {DONE, STATUS_INTERNAL, false}},
    /* The first cause stands, unless the keeper itself is lost. */
    {{STOPPING, STATUS_CANCELLED, false},
     {STOPPING, STATUS_CANCELLED, false},
     {STOPPING, STATUS_CANCELLED, false},
     {STOPPING, STATUS_CANCELLED, false},
     {STOPPING, STATUS_CANCELLED, false},
     {STOPPING, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_INTERNAL, false}},
    {{DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false},
     {DONE, STATUS_CANCELLED, false}},
};

static uint32_t detail_of(enum supervise_event event)
{
    return event == SUPERVISE_NOTICE    ? KEEPER_CAUSE_MEMORY
           : event == SUPERVISE_REFUSED ? CELLA_ERROR_HOST
                                        : 0;
}

static void every_event_in_every_state(void **unused)
{
    (void)unused;
    for (int state = 0; state < STATES; state++) {
        for (int event = 0; event < EVENTS; event++) {
            const struct expected *want = &expected[state][event];
            struct supervise supervise;
            bring_into(&supervise, (enum supervise_state)state, true);
            bool stop = supervise_event(&supervise, (enum supervise_event)event,
                                        detail_of((enum supervise_event)event));
            if (supervise.state != want->state || supervise.cause != want->cause ||
                stop != want->stop) {
                fail_msg("%s in %s: state %s, cause %d, stop %d", event_names[event],
                         state_names[state], state_names[supervise.state], supervise.cause, stop);
            }
        }
    }
}

static void output_that_is_only_cut_changes_nothing(void **unused)
{
    (void)unused;
    for (int state = CREATING; state <= STOPPING; state++) {
        struct supervise supervise;
        bring_into(&supervise, (enum supervise_state)state, false);
        enum status before = supervise.cause;
        assert_false(supervise_event(&supervise, SUPERVISE_STDOUT_LIMIT, 0));
        assert_false(supervise_event(&supervise, SUPERVISE_STDERR_LIMIT, 0));
        assert_int_equal(supervise.state, state);
        assert_int_equal(supervise.cause, before);
        assert_int_equal(supervise.limits_hit, 1U << STATUS_OUTPUT);
    }
}

static void output_names_its_stream(void **unused)
{
    (void)unused;
    struct supervise supervise;
    bring_into(&supervise, RUNNING, true);
    assert_true(supervise_event(&supervise, SUPERVISE_STDERR_LIMIT, 0));
    assert_false(supervise_event(&supervise, SUPERVISE_STDOUT_LIMIT, 0));
    assert_int_equal(supervise.cause_limit, LIMIT_STDERR);
}

static void refusals_say_who_must_act(void **unused)
{
    (void)unused;
    static const struct {
        enum cella_error_kind kind;
        enum status status;
    } rows[] = {
        {CELLA_ERROR_CALLER, STATUS_REFUSED},  {CELLA_ERROR_POLICY, STATUS_REFUSED},
        {CELLA_ERROR_RUNTIME, STATUS_REFUSED}, {CELLA_ERROR_BUSY, STATUS_REFUSED},
        {CELLA_ERROR_HOST, STATUS_INTERNAL},   {CELLA_ERROR_BUG, STATUS_INTERNAL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct supervise supervise;
        bring_into(&supervise, CREATING, false);
        assert_false(supervise_event(&supervise, SUPERVISE_REFUSED, rows[i].kind));
        assert_int_equal(supervise.cause, rows[i].status);
        bring_into(&supervise, RUNNING, false);
        assert_true(supervise_event(&supervise, SUPERVISE_FAILED, rows[i].kind));
        assert_int_equal(supervise.cause, rows[i].status);
    }
}

static void every_notice_has_its_verdict(void **unused)
{
    (void)unused;
    static const struct {
        enum keeper_cause cause;
        enum status status;
        enum limit limit;
    } rows[] = {
        {KEEPER_CAUSE_WALL, STATUS_WALL_TIME, LIMIT_WALL},
        {KEEPER_CAUSE_CPU, STATUS_CPU_TIME, LIMIT_CPU},
        {KEEPER_CAUSE_MEMORY, STATUS_MEMORY, LIMIT_MEMORY},
        {KEEPER_CAUSE_PROCESSES, STATUS_PROCESSES, LIMIT_PROCESSES},
        {KEEPER_CAUSE_DISK, STATUS_DISK, LIMIT_DISK},
        {KEEPER_CAUSE_FILE, STATUS_FILE_SIZE, LIMIT_FILE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct supervise supervise;
        bring_into(&supervise, RUNNING, false);
        assert_false(supervise_event(&supervise, SUPERVISE_NOTICE, rows[i].cause));
        assert_int_equal(supervise.cause, rows[i].status);
        assert_int_equal(supervise.cause_limit, rows[i].limit);
        assert_int_equal(supervise.limits_hit, 1U << rows[i].status);
    }
}

static void a_notice_without_a_cause_is_our_fault(void **unused)
{
    (void)unused;
    struct supervise supervise;
    bring_into(&supervise, RUNNING, false);
    assert_false(supervise_event(&supervise, SUPERVISE_NOTICE, 1U << 31));
    assert_int_equal(supervise.state, STOPPING);
    assert_int_equal(supervise.cause, STATUS_INTERNAL);
}

/* ---- the outcome ---- */

static void check_ending(const struct ending *row)
{
    struct limits limits = plan_limits();
    struct keeper_ended ended = row->ended;
    struct result_stage stage;
    struct supervise supervise;
    result_stage_init(&stage);
    ended.wall_us = 1200000;
    ended.memory_peak_bytes = 12345;
    bring_into(&supervise, RUNNING, row->stop_on_output);
    if (row->cut_output) {
        assert_int_equal(supervise_event(&supervise, SUPERVISE_STDOUT_LIMIT, 0),
                         row->stop_on_output);
    }
    if (row->cancelled) {
        assert_true(supervise_event(&supervise, SUPERVISE_CANCEL, 0));
    }
    if (row->notice != 0) {
        assert_false(supervise_event(&supervise, SUPERVISE_NOTICE, row->notice));
    }
    assert_false(supervise_event(&supervise, SUPERVISE_ENDED, 0));
    supervise_outcome(&supervise, &ended, &limits, &stage);
    if (stage.status != row->status || stage.limit != row->limit ||
        stage.limits_hit != row->limits_hit || strcmp(stage.message, row->message) != 0) {
        fail_msg("%s: status %s, limit %d, limits_hit %#x, \"%s\"", row->what,
                 status_table[stage.status].word, stage.limit, stage.limits_hit, stage.message);
    }
    assert_int_equal(stage.exit_code, row->exit_code);
    assert_int_equal(stage.signal, row->signal);
    assert_int_equal(stage.usage.wall_us, 1200000);
    assert_int_equal(stage.usage.memory_peak_bytes, 12345);
    if (row->limit != NO_LIMIT) {
        assert_int_equal(stage.limit_value, limits.value[row->limit]);
    }
}

static void every_ending_has_its_verdict(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        check_ending(&endings[i]);
    }
}

/* The derived limit of processor time is reached together with the clock. */
static void who_only_computes_runs_out_of_processor_time(void **unused)
{
    (void)unused;
    const struct {
        uint64_t cpu_limit_us, used_us;
        enum status status;
    } rows[] = {
        {20 * LIMIT_SECOND, LIMIT_SECOND * 19, STATUS_WALL_TIME},
        {20 * LIMIT_SECOND, LIMIT_SECOND * 19 + 1, STATUS_CPU_TIME},
        {20 * LIMIT_SECOND + 1, LIMIT_SECOND * 20, STATUS_WALL_TIME}, /* asked for by itself */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct limits limits = plan_limits();
        struct keeper_ended ended = {.status = SIGNALED(SIGKILL), .user_us = rows[i].used_us};
        struct result_stage stage;
        struct supervise supervise;
        limits.value[LIMIT_CPUS] = 2000;
        limits.value[LIMIT_CPU] = rows[i].cpu_limit_us;
        result_stage_init(&stage);
        bring_into(&supervise, RUNNING, false);
        assert_false(supervise_event(&supervise, SUPERVISE_NOTICE, KEEPER_CAUSE_WALL));
        assert_false(supervise_event(&supervise, SUPERVISE_ENDED, 0));
        supervise_outcome(&supervise, &ended, &limits, &stage);
        assert_int_equal(stage.status, rows[i].status);
    }
}

static void without_an_end_there_are_no_figures(void **unused)
{
    (void)unused;
    struct limits limits = plan_limits();
    struct result_stage stage;
    struct supervise supervise;

    result_stage_init(&stage);
    bring_into(&supervise, CREATING, false);
    assert_true(supervise_event(&supervise, SUPERVISE_CANCEL, 0));
    assert_false(supervise_event(&supervise, SUPERVISE_REFUSED, CELLA_ERROR_HOST));
    supervise_outcome(&supervise, NULL, &limits, &stage);
    assert_int_equal(stage.status, STATUS_CANCELLED);
    assert_string_equal(stage.message, "cancelled before it started");
    assert_int_equal(stage.exit_code, -1);
    assert_true(stage.usage.wall_us == RESULT_UNKNOWN);

    result_stage_init(&stage);
    bring_into(&supervise, RUNNING, false);
    assert_false(supervise_event(&supervise, SUPERVISE_KEEPER_LOST, 0));
    supervise_outcome(&supervise, NULL, &limits, &stage);
    assert_int_equal(stage.status, STATUS_INTERNAL);
    assert_int_equal(stage.limit, LIMIT_COUNT);
    assert_true(stage.usage.memory_peak_bytes == RESULT_UNKNOWN);
}

static void a_limit_that_was_told_becomes_the_verdict(void **unused)
{
    (void)unused;
    struct limits limits = plan_limits();
    struct keeper_ended ended = {.status = EXITED(1), .wall_us = 1200000};
    struct result_stage stage;
    struct supervise supervise;
    bring_into(&supervise, DONE, false);
    result_stage_init(&stage);
    supervise_outcome(&supervise, &ended, &limits, &stage);
    supervise_told(&stage, &limits, LIMIT_MEMORY);
    assert_int_equal(stage.status, STATUS_MEMORY);
    assert_int_equal(stage.limit_value, limits.value[LIMIT_MEMORY]);
    assert_int_equal(stage.exit_code, 1); /* its own */
    assert_string_equal(stage.message, "memory limit of 256 MiB hit after 1.2 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_state),
        cmocka_unit_test(output_that_is_only_cut_changes_nothing),
        cmocka_unit_test(output_names_its_stream),
        cmocka_unit_test(refusals_say_who_must_act),
        cmocka_unit_test(every_notice_has_its_verdict),
        cmocka_unit_test(a_notice_without_a_cause_is_our_fault),
        cmocka_unit_test(every_ending_has_its_verdict),
        cmocka_unit_test(who_only_computes_runs_out_of_processor_time),
        cmocka_unit_test(without_an_end_there_are_no_figures),
        cmocka_unit_test(a_limit_that_was_told_becomes_the_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
