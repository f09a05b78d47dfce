/*
 * The part of batch.h that runs the tests: what is compiled once, tests, and their checkers.
 *
 * Slots are taken and left here; which test comes next, and what follows from all of them, is
 * batch_pump()'s to say.
 */
#include "front/serve/http/exchange.h"
#include "front/serve/runs/batch_inside.h"
#include "front/serve/runs/job.h"

#include <cella/host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exit codes of a checker, as testlib has them. */
enum { CHECKER_ACCEPTS = 0, CHECKER_REJECTS = 1, CHECKER_SEES_LAYOUT = 2 };

static void begin_check(struct batch_slot *slot);

struct batch_outcome *batch_outcome_of(const struct batch_slot *slot)
{
    return &slot->batch->outcomes[slot->index];
}

void batch_say(struct batch_outcome *outcome, enum batch_verdict verdict, const char *text)
{
    outcome->verdict = verdict;
    (void)snprintf(outcome->message, sizeof(outcome->message), "%s", text);
}

/* ---- what is compiled once ---- */

static const struct cella_run *compiled_by(const struct batch_source *source)
{
    return source->first != NULL      ? source->first
           : source->compiler != NULL ? job_run(source->compiler)
                                      : NULL;
}

/* The run that was begun is perhaps the one that compiles. */
static void note_begun(struct batch_source *source, struct job *job)
{
    if (source->is_ready || source->compiler != NULL) {
        return;
    }
    source->is_ready = cella_run_is_compiled(job_run(job)) != 0;
    source->compiler = source->is_ready ? NULL : job;
}

/* A run has ended in its compile stage. */
static bool was_in_compiler(const struct cella_result *result)
{
    size_t size;
    return cella_result_compiler_output(result, CELLA_STDERR, &size) != NULL;
}

/* Its run, where somebody may still want it; else NULL. */
static struct cella_run *take_run(struct batch_source *source, struct job *job, bool wanted)
{
    if (source->compiler == job) {
        source->compiler = NULL;
        source->is_ready = true;
        source->first = job_take_run(job);
        return source->first;
    }
    if (wanted) {
        return job_take_run(job);
    }
    job_destroy(job);
    return NULL;
}

void batch_forget(struct batch_source *source)
{
    cella_run_free(source->first);
    source->first = NULL;
    source->is_ready = false;
}

/* ---- tests ---- */

static void on_program_compiled(void *context)
{
    struct batch_slot *slot = context;
    slot->batch->program.is_ready = true;
    batch_pump(slot->batch);
}

/* While one is ended others may be too: what follows from all of it is looked at in the end. */
static void hold(struct batch *batch)
{
    batch->is_pumping = true;
}

static void let_go(struct batch *batch)
{
    batch->is_pumping = false;
    batch_pump(batch);
}

static bool is_judged(const struct batch *batch, size_t index)
{
    return batch->request->checker != NULL || batch->request->tests[index].expected.data != NULL;
}

static void compare(struct batch *batch, size_t index, struct compare_text got)
{
    struct batch_outcome *outcome = &batch->outcomes[index];
    const struct batch_bytes *expected = &batch->request->tests[index].expected;
    struct compare_difference *difference = &outcome->difference;
    if (compare_equal(&batch->request->rule, (struct compare_text){expected->data, expected->size},
                      got, difference)) {
        return;
    }
    outcome->has_difference = true;
    memcpy(outcome->got, difference->got.data, difference->got.size);
    difference->got.data = outcome->got;
    outcome->verdict = BATCH_WRONG_ANSWER;
    (void)snprintf(outcome->message, sizeof(outcome->message),
                   "line %llu, column %llu is not what was expected",
                   (unsigned long long)difference->line, (unsigned long long)difference->column);
}

/* The verdict of that run is the batch's: no test has one. */
static void take_uncompiled(struct batch *batch, const struct batch_outcome *outcome)
{
    batch->is_stopped = true;
    batch->is_uncompiled = true;
    batch->verdict = outcome->verdict;
    (void)snprintf(batch->message, sizeof(batch->message), "%s", outcome->message);
    for (size_t i = 0; i < batch->test_count; i++) {
        batch_say(&batch->outcomes[i], BATCH_SKIPPED, "the program was not compiled");
    }
}

static void on_test_done(void *context, const struct cella_result *result)
{
    struct batch_slot *slot = context;
    struct batch *batch = slot->batch;
    struct batch_outcome *outcome = batch_outcome_of(slot);
    struct job *job = slot->job;
    hold(batch);
    slot->job = NULL;
    if (batch_outcome_take(outcome, result) < 0) {
        batch_say(outcome, BATCH_INTERNAL, "memory is short");
    }
    if (batch->program.compiler == job) {
        free(batch->compile); /* of an engine before */
        batch->compile = batch_compile_json(result);
        if (was_in_compiler(result)) {
            take_uncompiled(batch, outcome);
        }
    }
    const bool to_judge = outcome->verdict == BATCH_ACCEPTED && is_judged(batch, slot->index);
    const bool to_check = to_judge && batch->request->checker != NULL;
    if (to_judge && !to_check) {
        size_t size;
        const char *data = cella_result_stdout(result, &size);
        compare(batch, slot->index, (struct compare_text){data, size});
    }
    slot->judged = take_run(&batch->program, job, to_check);
    if (to_check) {
        begin_check(slot);
    } else {
        batch_end_test(slot);
    }
    let_go(batch);
}

/* Whose fault it is that one could not be begun. */
enum batch_verdict batch_verdict_of_error(const struct cella_error *error)
{
    return error->kind == CELLA_ERROR_HOST || error->kind == CELLA_ERROR_BUG ? BATCH_INTERNAL
                                                                             : BATCH_REFUSED;
}

int batch_begin_test(struct batch_slot *slot, struct cella_error *err)
{
    struct batch *batch = slot->batch;
    struct batch_source *program = &batch->program;
    const struct job_owner owner = {
        .tenant = batch->tenant,
        .compiled = program->is_ready ? NULL : on_program_compiled,
        .done = on_test_done,
        .context = slot,
    };
    struct cella_request *request;
    if (batch_request_of_test(batch->request, slot->index, &request, err) < 0 ||
        job_start_part(batch->server, &owner, &batch->record, request, compiled_by(program),
                       &slot->job, err) < 0) {
        return -1;
    }
    note_begun(program, slot->job);
    return 0;
}

struct batch_slot *batch_take_slot(struct batch *batch)
{
    struct batch_slot *slot = batch->slots;
    while (slot->is_taken) {
        slot++;
    }
    *slot = (struct batch_slot){.batch = batch, .index = batch->next++, .is_taken = true};
    batch->taken++;
    return slot;
}

void batch_leave_slot(struct batch_slot *slot)
{
    struct batch *batch = slot->batch;
    if (slot->judged != batch->program.first) {
        cella_run_free(slot->judged);
    }
    *slot = (struct batch_slot){.batch = batch};
    batch->taken--;
}

void batch_note_end(struct batch *batch, size_t index)
{
    batch->outcomes[index].has_ended = true;
    batch->told_order[batch->ended++] = index;
}

/* Whatever goes on is told to end; what becomes of its test is known already. */
void batch_leave_all(struct batch *batch, enum batch_verdict verdict, const char *text)
{
    batch->is_stopped = true;
    for (unsigned i = 0; i < batch->slot_count; i++) {
        struct batch_slot *slot = &batch->slots[i];
        if (!slot->is_taken) {
            continue;
        }
        job_leave(slot->job);
        slot->job = NULL;
        batch_say(batch_outcome_of(slot), verdict, text);
        batch_note_end(batch, slot->index);
        batch_leave_slot(slot);
    }
    batch->program.compiler = NULL;
    batch->checker.compiler = NULL;
}

void batch_end_test(struct batch_slot *slot)
{
    struct batch *batch = slot->batch;
    const bool failed = batch_outcome_of(slot)->verdict != BATCH_ACCEPTED;
    batch_note_end(batch, slot->index);
    batch_leave_slot(slot);
    if (failed && batch->request->stop_on_failure) {
        batch_leave_all(batch, BATCH_SKIPPED, BATCH_SKIPPED_TEXT);
    }
    if (batch->way == JOB_STREAMS) {
        exchange_resume(batch->exchange);
    }
}

/* ---- checkers ---- */

static void begin_waiting_checks(struct batch *batch)
{
    for (unsigned i = 0; i < batch->slot_count; i++) {
        if (batch->slots[i].waits) {
            batch->slots[i].waits = false;
            begin_check(&batch->slots[i]);
        }
    }
}

static void on_checker_compiled(void *context)
{
    struct batch_slot *slot = context;
    struct batch *batch = slot->batch;
    hold(batch);
    batch->checker.is_ready = true;
    begin_waiting_checks(batch);
    let_go(batch);
}

/* What the checker's end says of the test. */
static void take_check(struct batch_outcome *outcome, const struct cella_result *result)
{
    const char *status = cella_result_status(result);
    const bool ended = strcmp(status, "ok") == 0 || strcmp(status, "exit") == 0;
    size_t size, out_size;
    const char *said = cella_result_stderr(result, &size);
    const char *out = cella_result_stdout(result, &out_size);
    outcome->was_checked = true;
    outcome->checker_code = cella_result_exit_code(result);
    (void)batch_excerpt_take(&outcome->checker_said, size > 0 ? said : out,
                             size > 0 ? size : out_size); /* without it, it said nothing */
    if (ended && outcome->checker_code == CHECKER_ACCEPTS) {
        return;
    }
    if (ended && outcome->checker_code == CHECKER_REJECTS) {
        batch_say(outcome, BATCH_WRONG_ANSWER, "the checker does not accept what it wrote");
    } else if (ended && outcome->checker_code == CHECKER_SEES_LAYOUT) {
        batch_say(outcome, BATCH_PRESENTATION_ERROR, "the checker does not accept its layout");
    } else if (cella_result_error(result)->kind != CELLA_ERROR_NONE) {
        batch_say(outcome, BATCH_INTERNAL, cella_result_message(result));
    } else {
        outcome->verdict = BATCH_CHECKER_ERROR;
        (void)snprintf(outcome->message, sizeof(outcome->message), "the checker: %.*s",
                       (int)sizeof(outcome->message) - 16, cella_result_message(result));
    }
}

static void on_checked(void *context, const struct cella_result *result)
{
    struct batch_slot *slot = context;
    struct batch *batch = slot->batch;
    struct batch_source *checker = &batch->checker;
    struct batch_outcome *outcome = batch_outcome_of(slot);
    hold(batch);
    take_check(outcome, result);
    if (was_in_compiler(result)) {
        (void)snprintf(checker->broken, sizeof(checker->broken), "%s", outcome->message);
    }
    (void)take_run(checker, slot->job, false);
    slot->job = NULL;
    batch_end_test(slot);
    begin_waiting_checks(batch); /* or none can be, which they learn */
    let_go(batch);
}

static void begin_check(struct batch_slot *slot)
{
    struct batch *batch = slot->batch;
    struct batch_source *checker = &batch->checker;
    struct batch_outcome *outcome = batch_outcome_of(slot);
    const struct job_owner owner = {
        .tenant = batch->tenant,
        .compiled = checker->is_ready ? NULL : on_checker_compiled,
        .done = on_checked,
        .context = slot,
    };
    struct compare_text output;
    struct cella_request *request;
    struct cella_error err;
    if (checker->broken[0] != '\0') {
        batch_say(outcome, BATCH_CHECKER_ERROR, checker->broken);
        batch_end_test(slot);
        return;
    }
    if (!checker->is_ready && checker->compiler != NULL) {
        slot->waits = true;
        return;
    }
    output.data = cella_result_stdout(cella_run_result(slot->judged), &output.size);
    if (batch_request_of_checker(batch->request, slot->index, output, &request, &err) < 0 ||
        job_start_part(batch->server, &owner, &batch->record, request, compiled_by(checker),
                       &slot->job, &err) < 0) {
        outcome->verdict =
            batch_verdict_of_error(&err) == BATCH_REFUSED ? BATCH_CHECKER_ERROR : BATCH_INTERNAL;
        (void)snprintf(outcome->message, sizeof(outcome->message), "the checker: %.*s",
                       (int)sizeof(outcome->message) - 16, err.text);
        batch_end_test(slot);
        return;
    }
    note_begun(checker, slot->job);
}
