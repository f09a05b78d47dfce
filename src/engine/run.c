/*
 * The way of a request, from top to bottom:
 *
 *   1 request    what was asked for, checked                                     request/
 *   2 policy     the language, what the operator allows: a plan for each stage   runtime/ policy/
 *   3 admission  a place in line, by what its plan may use; it goes on when there is room  sched/
 *   4 recipe     what is executed, with which files: a pack for each stage
 *   5 keeper     a sandbox by that plan with that pack in it                     keeper/client/
 *   6 isolate    the sandbox: the keeper's work and init's, not ours             isolate/
 *   7 supervise  what happens to it, until nothing of it is left                 supervise/
 *   8 result     what it did, and why it failed                        result/ diagnose/
 *
 * run_start() goes from 1 to 5, where a run that must wait stands still.  The rest comes as events:
 * admission.c goes on with who has room, stage.c tells the supervisor, and run_stage_done() goes on
 * to the next stage or completes the result.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "engine/engine.h"
#include "engine/recipe.h"
#include "isolate/syscall_names.h"
#include "policy/explain.h"
#include "policy/plan_limits.h"

#include <cella/wire.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pieces of output whose order is kept for `interleave`.  What comes after so many is added to the
 * last piece of its stream. */
#define RUN_CHUNKS_MAX 65536U

/* What is found out on the way and needed no more once the run is started. */
struct way {
    struct recipe recipe;
    struct policy *owned_policy; /* the recipe's, when it is ours to destroy */
    const struct cella_run *first;
};

static struct cella_run *run_create(struct cella_engine *engine,
                                    const struct cella_callbacks *callbacks);
static int take_request(struct cella_run *run, const struct spec *spec, unsigned flags,
                        struct cella_error *err);
static int find_language(struct cella_engine *engine, const struct spec *spec,
                         struct recipe *recipe, struct cella_error *err);
static int find_policy(struct cella_engine *engine, const struct spec *spec, struct way *way,
                       struct cella_error *err);
static int make_plans(struct cella_run *run, const struct way *way, struct cella_error *err);
static int get_in_line(struct cella_run *run, const struct spec *spec, struct cella_error *err);
static int make_packs(struct cella_run *run, const struct way *way, struct cella_error *err);
static void describe(struct cella_run *run, const struct way *way);

static void way_done(struct way *way)
{
    policy_destroy(way->owned_policy);
}

int run_start(struct cella_engine *engine, const struct spec *spec, const struct cella_run *first,
              unsigned flags, const struct cella_callbacks *callbacks, struct cella_run **ret_run,
              struct cella_error *err)
{
    CLEANUP(way_done) struct way way = {.first = first};
    struct cella_run *run = run_create(engine, callbacks);
    if (run == NULL) {
        return error_set_memory(err);
    }
    if (take_request(run, spec, flags, err) < 0 ||           /* 1 */
        find_language(engine, spec, &way.recipe, err) < 0 || /* 2 */
        find_policy(engine, spec, &way, err) < 0 ||          /* 2 */
        make_plans(run, &way, err) < 0 ||                    /* 2 */
        get_in_line(run, spec, err) < 0 ||                   /* 3 */
        make_packs(run, &way, err) < 0 ||                    /* 4 */
        admission_start(run->now, err) < 0) {                /* 5 */
        run_destroy(run);
        return -1;
    }
    describe(run, &way); /* while the sandbox is being made: it may cost a process */
    *ret_run = run;
    return 0;
}

/* ---- 1 request ---- */

static struct cella_run *run_create(struct cella_engine *engine,
                                    const struct cella_callbacks *callbacks)
{
    struct cella_run *run = calloc(1, sizeof(*run));
    struct result *result = result_create();
    if (run == NULL || result == NULL) {
        free(run);
        result_destroy(result);
        return NULL;
    }
    run->engine = engine;
    run->result.data = result;
    if (callbacks != NULL) { /* what the caller's struct is too old to have stays NULL */
        size_t size = callbacks->size < sizeof(*callbacks) ? callbacks->size : sizeof(*callbacks);
        memcpy(&run->callbacks, callbacks, size);
    }
    stage_init(&run->compile, run, NULL);
    stage_init(&run->run, run, &result->run);
    run->now = &run->run;
    TAILQ_INSERT_TAIL(&engine->runs, run, link);
    engine->run_count++;
    return run;
}

void run_destroy(struct cella_run *run)
{
    stage_done(&run->compile);
    stage_done(&run->run);
    compiled_done(&run->compiled);
    admission_part(run);
    diagnose_sources_done(&run->sources);
    result_destroy(run->result.data);
    TAILQ_REMOVE(&run->engine->runs, run, link);
    run->engine->run_count--;
    run->engine->abandoned_count -= run->abandoned;
    runtime_set_close(run->runtimes);
    free(run);
}

static int take_id(struct result *result, const struct spec *spec, struct cella_error *err)
{
    result->queued_at_ms = clock_realtime_ms();
    result->attempts = 1;
    if (spec->attempt == 0) {
        return id_make(result->queued_at_ms, result->id, err);
    }
    result->attempts = spec->attempt;
    (void)snprintf(result->id, sizeof(result->id), "%s", spec->id); /* fits */
    return id_time(spec->id, &result->queued_at_ms);                /* it is one: spec has it */
}

static int take_request(struct cella_run *run, const struct spec *spec, unsigned flags,
                        struct cella_error *err)
{
    struct result *result = run->result.data;
    if (run->engine->lost.kind != CELLA_ERROR_NONE) {
        *err = run->engine->lost;
        return -1;
    }
    if (spec_check(spec, err) < 0) {
        return -1;
    }
    run->queued_us = clock_monotonic_us();
    run->queued_unix_ms = clock_realtime_ms();
    result->text_errors = spec->text_errors;
    result->interleave = spec->interleave;
    if (take_id(result, spec, err) < 0) {
        return -1;
    }
    if (spec->tag != NULL && (result->tag = strdup(spec->tag)) == NULL) {
        return error_set_memory(err);
    }
    for (size_t i = 0; i < spec->collect.count; i++) {
        if (spec_strings_add(&result->unmatched, spec->collect.items[i]) < 0) {
            return error_set_memory(err);
        }
    }
    run->is_trial = (flags & CELLA_RUN_TRIAL) != 0;
    run->repeatable = (flags & CELLA_RUN_STDIN_OPEN) == 0; /* what was written is gone */
    if (feed_init(&run->run.feed, spec->stdin_bytes.data, spec->stdin_bytes.size,
                  (flags & CELLA_RUN_STDIN_OPEN) != 0) < 0) {
        return error_set_memory(err);
    }
    return 0;
}

/* ---- 2 policy ---- */

static int find_language(struct cella_engine *engine, const struct spec *spec,
                         struct recipe *recipe, struct cella_error *err)
{
    recipe->spec = spec;
    if (spec->language != NULL &&
        (runtime_find(engine->runtimes, spec->language, &recipe->runtime, err) < 0 ||
         runtime_locate(recipe->runtime, &recipe->path, err) < 0)) {
        return -1;
    }
    return recipe_check(recipe, err);
}

static int find_policy(struct cella_engine *engine, const struct spec *spec, struct way *way,
                       struct cella_error *err)
{
    const char *name = spec->policy != NULL ? spec->policy : POLICY_DEFAULT;
    return engine_policy(engine, name, &way->recipe.policy, &way->owned_policy, err);
}

static int make_plan(const struct way *way, enum policy_stage stage, struct plan **ret_plan,
                     struct cella_error *err)
{
    struct plan *plan = malloc(sizeof(*plan));
    if (plan == NULL) {
        return error_set_memory(err);
    }
    if (policy_plan(way->recipe.policy, way->recipe.spec, way->recipe.runtime, stage, plan, err) <
        0) {
        free(plan);
        return -1;
    }
    *ret_plan = plan;
    return 0;
}

/* Whether nothing that a program does by this plan outlasts its sandbox, or leaves it. */
static bool leaves_nothing(const struct plan *plan)
{
    return plan->network != PLAN_NETWORK_HOST && plan_writable_count(plan) == 0;
}

static int make_plans(struct cella_run *run, const struct way *way, struct cella_error *err)
{
    if (make_plan(way, POLICY_STAGE_RUN, &run->run.plan, err) < 0) {
        return -1;
    }
    run->keeps = (way->recipe.policy->history_code ? CELLA_KEEP_CODE : 0) |
                 (way->recipe.policy->history_output ? CELLA_KEEP_OUTPUT : 0);
    run->result.data->waived = run->run.plan->waived;
    digests_text(&run->engine->digests, run->run.plan, run->result.data->plan_digest);
    run->repeatable = run->repeatable && leaves_nothing(run->run.plan);
    if (plan_limits_are_adaptive(way->recipe.policy, way->recipe.spec)) {
        repeat_expect(run, &way->recipe.spec->past);
    }
    if (!runtime_is_compiled(way->recipe.runtime)) {
        return 0;
    }
    run->now = &run->compile;
    if (make_plan(way, POLICY_STAGE_COMPILE, &run->compile.plan, err) < 0) {
        return -1;
    }
    run->repeatable = run->repeatable && leaves_nothing(run->compile.plan);
    digests_text(&run->engine->digests, run->compile.plan, run->result.data->compile_plan_digest);
    return 0;
}

/* ---- 3 admission ---- */

static int get_in_line(struct cella_run *run, const struct spec *spec, struct cella_error *err)
{
    if (run->engine->run_count <= ENGINE_RUNS_MAX) { /* this one is counted already */
        if (admission_join(run, spec->tenant != NULL ? spec->tenant : "", err) < 0) {
            return -1;
        }
        stage_wait(run->now);
        return 0;
    }
    error_set(err, CELLA_ERROR_BUSY, 0, "the engine has %u runs, and no room for more",
              ENGINE_RUNS_MAX);
    return error_set_hint(err, "free runs that are done, or try again later");
}

/* ---- 4 recipe ---- */

static int make_pack(struct stage *stage, const struct recipe *recipe, enum policy_stage which,
                     struct cella_error *err)
{
    pack_writer_init(&stage->pack);
    return recipe_write(recipe, which, &stage->plan->limits, &stage->pack, err);
}

/* On to the program, whose pack has all that it needs. */
static void leave_compile(struct cella_run *run)
{
    stage_done(&run->compile);
    run->now = &run->run;
}

/* When it was compiled before. */
static int skip_compile(struct cella_run *run, const struct way *way, struct cella_error *err)
{
    const int found = compiled_find(run, &way->recipe, way->first, err);
    if (found > 0) {
        run->result.data->compile_cached = true;
        leave_compile(run);
        stage_wait(run->now);
    }
    return found < 0 ? -1 : 0;
}

/* The run's pack is written now, while the request is there; what compiling makes is added to it
 * before it is sealed. */
static int make_packs(struct cella_run *run, const struct way *way, struct cella_error *err)
{
    struct result *result = run->result.data;
    const struct recipe *recipe = &way->recipe;
    const char *entry = recipe->runtime != NULL ? runtime_entry(recipe->runtime, recipe->spec)
                                                : recipe->spec->entry;
    run->runtime = recipe->runtime;
    run->runtimes = runtime_set_hold(run->engine->runtimes);
    warm_choose(&run->run, recipe);
    if (diagnose_sources_init(&run->sources, recipe->spec, entry, err) < 0 ||
        make_pack(&run->run, recipe, POLICY_STAGE_RUN, err) < 0) {
        return -1;
    }
    if (!runtime_is_compiled(way->recipe.runtime)) {
        return 0;
    }
    result->compile = malloc(sizeof(*result->compile));
    if (result->compile == NULL) {
        return error_set_memory(err);
    }
    result_stage_init(result->compile);
    run->compile.outcome = result->compile;
    if (feed_init(&run->compile.feed, NULL, 0, false) < 0) {
        return error_set_memory(err);
    }
    return make_pack(&run->compile, recipe, POLICY_STAGE_COMPILE, err) < 0
               ? -1
               : skip_compile(run, way, err);
}

/* ---- 5 keeper: admission_start() and stage_begin(); 6 isolate is not ours ---- */

void run_begun(struct cella_run *run)
{
    if (!run->begun) {
        run->begun = true;
        if (run->callbacks.begun != NULL && !run->abandoned) {
            run->callbacks.begun(run->callbacks.context, run);
        }
    }
}

/* By which policy and language it goes, whatever comes of it. */
static void describe(struct cella_run *run, const struct way *way)
{
    struct result *result = run->result.data;
    const struct recipe *recipe = &way->recipe;
    (void)snprintf(result->policy_name, sizeof(result->policy_name), "%s", recipe->policy->name);
    (void)snprintf(result->policy_digest, sizeof(result->policy_digest), "%s",
                   recipe->policy->digest);
    if (recipe->runtime != NULL) {
        (void)snprintf(result->language_name, sizeof(result->language_name), "%s",
                       recipe->runtime->name);
        (void)snprintf(result->language_path, sizeof(result->language_path), "%s", recipe->path);
        runtime_version(recipe->runtime, recipe->path, result->language_version,
                        sizeof(result->language_version));
    }
}

/* ---- 7 supervise: output on the way, and the end of a stage ---- */

/* Order is for a person to read; without memory, or after too many pieces, it is kept less
 * exactly, and the streams themselves lose nothing. */
static void add_chunk(struct cella_run *run, enum result_stream stream, size_t offset, size_t size)
{
    struct result *result = run->result.data;
    size_t *last = &run->chunks_last[stream];
    struct result_chunk *chunks = NULL;
    if (result->chunk_count < RUN_CHUNKS_MAX || *last == 0) {
        chunks = alloc_grow(result->chunks, result->chunk_count, sizeof(*result->chunks));
    }
    if (chunks != NULL) {
        result->chunks = chunks;
        chunks[result->chunk_count++] =
            (struct result_chunk){stream, offset, size, stage_elapsed_us(&run->run)};
        *last = result->chunk_count;
    } else if (*last > 0) {
        result->chunks[*last - 1].size += size;
    }
}

/* What a compiler says is not the program's output. */
void run_output(struct cella_run *run, enum result_stream stream, size_t offset, size_t size)
{
    const struct cella_callbacks *callbacks = &run->callbacks;
    const bool compiles = run->now == &run->compile;
    if (!compiles && run->result.data->interleave) {
        add_chunk(run, stream, offset, size);
    }
    __typeof__(callbacks->output) tell = compiles ? callbacks->compiler_output : callbacks->output;
    if (tell != NULL && !run->abandoned) {
        tell(callbacks->context, run, stream == RESULT_STDOUT ? CELLA_STDOUT : CELLA_STDERR,
             run->now->outcome->streams[stream].kept.data + offset, size);
    }
}

static void complete(struct cella_run *run);

/* Adds what the compiler made to the program's pack.  Returns 0 when it made nothing to run. */
static int add_outputs(struct cella_run *run, struct cella_error *err)
{
    struct collect *collect = &run->compile.collect;
    int added = 0;
    for (size_t i = 0; i < collect->file_count; i++) {
        const struct result_file *file = &collect->files[i];
        if (file->skipped != NULL) {
            continue;
        }
        if (pack_writer_add_file(&run->run.pack, file->path, file->content.data, file->content.size,
                                 file->mode, err) < 0) {
            return -1;
        }
        added = 1;
    }
    return added;
}

/* The sentence for a person, cut when it does not fit. */
static PRINTF_LIKE(2, 3) void say(struct result_stage *outcome, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(outcome->message, sizeof(outcome->message), format, args);
    va_end(args);
}

static void fail_run(struct cella_run *run, const struct cella_error *error)
{
    struct result *result = run->result.data;
    result->error = *error;
    result->run.status = STATUS_INTERNAL;
    say(&result->run, "%s", error->text);
}

/* The compile stage ended the run: what it says becomes the run's. */
static void end_in_compile(struct cella_run *run)
{
    struct result *result = run->result.data;
    const struct result_stage *compile = result->compile;
    struct result_stage *outcome = &result->run;
    if (compile->status == STATUS_EXIT || compile->status == STATUS_SIGNAL) {
        outcome->status = STATUS_COMPILE_ERROR;
        say(outcome, "the compiler %s", compile->message);
        return;
    }
    outcome->status = compile->status;
    outcome->limit = compile->limit;
    outcome->limit_value = compile->limit_value;
    outcome->limits_hit = compile->limits_hit;
    result->limit_in_compile = compile->limit != LIMIT_COUNT;
    say(outcome, "%s%s", compile->message, result->limit_in_compile ? " while compiling" : "");
}

/* The compiler is done: on to the program, if there is one. */
static void compile_done(struct cella_run *run)
{
    struct cella_error error;
    if (run->result.data->compile->status != STATUS_OK) {
        run_diagnose(run, ERRORS_IN_COMPILE);
        end_in_compile(run);
        complete(run);
        return;
    }
    int added = add_outputs(run, &error);
    if (added == 0) {
        const struct collect *collect = &run->compile.collect;
        run->result.data->run.status = STATUS_COMPILE_ERROR;
        say(&run->result.data->run, "the compiler gave no program to run: %s",
            collect->file_count > 0 ? collect->files[0].skipped : "it wrote none");
        complete(run);
        return;
    }
    if (added > 0) {
        compiled_keep(run);
    }
    leave_compile(run);
    if (added < 0) {
        fail_run(run, &error);
        complete(run);
        return;
    }
    stage_wait(run->now);
    if (run->callbacks.compiled != NULL && !run->abandoned) {
        run->callbacks.compiled(run->callbacks.context, run);
    }
}

void run_stage_done(struct cella_run *run)
{
    if (run->now == &run->compile) {
        compile_done(run);
    } else {
        complete(run);
    }
}

/* ---- 8 result ---- */

static void name_refused_calls(struct result *result, const struct keeper_ended *ended)
{
    size_t count = ended->refused_call_count < KEEPER_REFUSED_CALLS_MAX ? ended->refused_call_count
                                                                        : KEEPER_REFUSED_CALLS_MAX;
    result->refused_calls = calloc(count + 1, sizeof(*result->refused_calls));
    for (size_t i = 0; i < count && result->refused_calls != NULL; i++) {
        struct result_refused_call *call = &result->refused_calls[i];
        const char *name = syscall_name(ended->refused_calls[i].number);
        if (name != NULL) {
            (void)snprintf(call->name, sizeof(call->name), "%s", name);
        } else {
            (void)snprintf(call->name, sizeof(call->name), "%u", ended->refused_calls[i].number);
        }
        call->count = ended->refused_calls[i].count;
        result->refused_call_count = i + 1;
    }
}

/* An error stands in the result exactly when it is what ended the run. */
static void settle_error(struct result *result)
{
    bool failed = result->run.status == STATUS_INTERNAL || result->run.status == STATUS_REFUSED;
    if (!failed) {
        result->error = (struct cella_error){.kind = CELLA_ERROR_NONE};
    } else if (result->error.kind == CELLA_ERROR_NONE) {
        error_set(&result->error, CELLA_ERROR_BUG, 0, "%s", result->run.message);
    }
}

/* Nothing of the run is left.  The callback may free it, so it is the last that happens. */
static void complete(struct cella_run *run)
{
    struct result *result = run->result.data;
    settle_error(result);
    repeat_settle(run);
    if (run->run.has_ended) {
        name_refused_calls(result, &run->run.ended);
        run_diagnose(run, ERRORS_IN_RUN);
    }
    collect_keep_unmatched(&run->run.collect, &result->unmatched);
    collect_take_files(&run->run.collect, &result->files, &result->file_count);
    result->finished_at_ms = clock_realtime_ms();
    run->done = true;
    stage_done(&run->compile);
    stage_done(&run->run);
    diagnose_sources_done(&run->sources); /* the caller may keep the result for long */
    if (run->callbacks.done != NULL && !run->abandoned) {
        run->callbacks.done(run->callbacks.context, run);
    }
}

void run_free(struct cella_run *run)
{
    if (run == NULL || run->abandoned) {
        return;
    }
    if (run->done && !run->engine->stepping) {
        run_destroy(run);
        return;
    }
    run->abandoned = true;
    run->engine->abandoned_count++;
    if (!run->done) {
        stage_cancel(run->now);
    }
}

int run_refused_result(const struct cella_error *error, struct result **ret_result,
                       struct cella_error *err)
{
    struct result *result = result_create();
    if (result == NULL) {
        return error_set_memory(err);
    }
    result->queued_at_ms = clock_realtime_ms();
    result->finished_at_ms = result->queued_at_ms;
    if (id_make(result->queued_at_ms, result->id, err) < 0) {
        result_destroy(result);
        return -1;
    }
    bool ours = error->kind == CELLA_ERROR_HOST || error->kind == CELLA_ERROR_BUG;
    result->error = *error;
    result->run.status = ours ? STATUS_INTERNAL : STATUS_REFUSED;
    say(&result->run, "%s", error->text);
    *ret_result = result;
    return 0;
}

/* The way up to the plans, and no further. */
int run_explain(struct cella_engine *engine, const struct spec *spec, char **ret_text,
                struct cella_error *err)
{
    CLEANUP(way_done) struct way way = {0};
    CLEANUP(buffer_done) struct buffer text;
    AUTO_FREE struct plan *run = NULL;
    AUTO_FREE struct plan *compile = NULL;
    buffer_init(&text, 0);
    if (spec_check(spec, err) < 0 || find_language(engine, spec, &way.recipe, err) < 0 ||
        find_policy(engine, spec, &way, err) < 0 ||
        make_plan(&way, POLICY_STAGE_RUN, &run, err) < 0) {
        return -1;
    }
    if (runtime_is_compiled(way.recipe.runtime) &&
        make_plan(&way, POLICY_STAGE_COMPILE, &compile, err) < 0) {
        return -1;
    }
    if (explain_text(way.recipe.policy, spec, way.recipe.runtime, compile, run, way.recipe.path,
                     &text, err) < 0) {
        return -1;
    }
    *ret_text = text.data;
    text.data = NULL; /* the caller's */
    return 0;
}
