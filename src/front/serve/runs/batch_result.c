/*
 * The part of batch.h that says what has become of a batch and its tests.  Divisions: taking it
 * from a run's result; writing it.
 */
#include "front/serve/runs/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/utf8.h"

#include <cella/host.h>
#include <cella/wire.h>
#include <stdlib.h>
#include <string.h>

#define US_IN_MS 1000.0

/* By enum batch_verdict. */
#define VERDICT_WORD(id, word, meaning) word,
static const char *const verdict_words[] = {BATCH_VERDICTS(VERDICT_WORD)};

const char *batch_verdict_word(enum batch_verdict verdict)
{
    return verdict_words[verdict];
}

/* ---- taking ---- */

/* As much of the beginning as is shown, in whole characters. */
int batch_excerpt_take(struct batch_excerpt *excerpt, const char *data, size_t size)
{
    size_t part = size;
    if (size > BATCH_EXCERPT_MAX) {
        part = utf8_cut(data, BATCH_EXCERPT_MAX);
    }
    char *copy = alloc_copy(data, part);
    if (copy == NULL) {
        return -1;
    }
    free(excerpt->data);
    *excerpt = (struct batch_excerpt){.data = copy, .size = part, .total = size};
    return 0;
}

/* The verdict that a run's status is by itself; an end without a limit's word is the program's. */
static enum batch_verdict verdict_of(const char *status)
{
    for (enum batch_verdict verdict = 0; verdict < BATCH_VERDICT_COUNT; verdict++) {
        if (strcmp(verdict_words[verdict], status) == 0) {
            return verdict;
        }
    }
    return strcmp(status, "ok") == 0 ? BATCH_ACCEPTED : BATCH_RUNTIME_ERROR;
}

static uint64_t us_of(const json_t *usage, const char *name)
{
    const double ms = json_number_value(json_object_get(usage, name)); /* 0 for null */
    return ms > 0 ? (uint64_t)(ms * US_IN_MS) : 0;
}

static void take_usage(struct batch_outcome *outcome, const char *summary, size_t size)
{
    struct cella_error unused;
    AUTO_JSON json_t *run = NULL;
    if (json_text_parse(summary, size, size, &run, &unused) < 0) {
        return; /* it is ours: memory is short */
    }
    const json_t *usage = json_object_get(run, "usage");
    const json_int_t memory = json_integer_value(json_object_get(usage, "memory_peak_bytes"));
    outcome->wall_us = us_of(usage, "wall_ms");
    outcome->cpu_us = us_of(usage, "user_ms") + us_of(usage, "system_ms");
    outcome->memory_bytes = memory > 0 ? (uint64_t)memory : 0;
    const char *const names[] = {"stdout_bytes", "stderr_bytes"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const json_int_t bytes = json_integer_value(json_object_get(run, names[i]));
        outcome->streams[i].total = bytes > 0 ? (uint64_t)bytes : 0;
    }
}

int batch_outcome_take(struct batch_outcome *outcome, const struct cella_result *result)
{
    struct cella_error unused;
    size_t summary_size, size;
    const char *out = cella_result_stdout(result, &size);
    const size_t kept = size;
    if (batch_excerpt_take(&outcome->streams[0], out, size) < 0) {
        return -1;
    }
    out = cella_result_stderr(result, &size);
    if (batch_excerpt_take(&outcome->streams[1], out, size) < 0 ||
        cella_result_summary_json(result, &outcome->run, &summary_size, &unused) < 0) {
        return -1;
    }
    take_usage(outcome, outcome->run, summary_size);
    outcome->verdict = verdict_of(cella_result_status(result));
    (void)snprintf(outcome->message, sizeof(outcome->message), "%s", cella_result_message(result));
    if (outcome->verdict == BATCH_ACCEPTED && outcome->streams[0].total > kept) {
        outcome->verdict = BATCH_OUTPUT; /* the rest may have been right or wrong */
        (void)snprintf(outcome->message, sizeof(outcome->message),
                       "it wrote more to stdout than was kept");
    }
    return 0;
}

void batch_outcome_done(struct batch_outcome *outcome)
{
    free(outcome->streams[0].data);
    free(outcome->streams[1].data);
    free(outcome->checker_said.data);
    free(outcome->run);
}

char *batch_compile_json(const struct cella_result *result)
{
    struct cella_error unused;
    AUTO_FREE char *text = NULL;
    AUTO_JSON json_t *whole = NULL;
    size_t size;
    if (cella_result_json(result, &text, &size, &unused) < 0 ||
        json_text_parse(text, size, size, &whole, &unused) < 0) {
        return NULL;
    }
    const json_t *compile = json_object_get(whole, "compile");
    return json_is_object(compile) ? json_dumps(compile, JSON_COMPACT) : NULL;
}

/* ---- writing ---- */

struct figures {
    uint64_t total_us, max_us;
};

struct summary {
    uint64_t verdicts[BATCH_VERDICT_COUNT];
    struct figures wall, cpu;
    uint64_t memory_peak_bytes;
};

#define WRITE_FIELD(name, type, value, ...)                                                        \
    json_write_key(writer, name);                                                                  \
    write_##type(writer, value);

static void write_TEXT(struct json_writer *writer, const char *text)
{
    json_write_string(writer, text);
}

static void write_SIZE(struct json_writer *writer, uint64_t value)
{
    json_write_unsigned(writer, value);
}

static void write_MS(struct json_writer *writer, uint64_t us)
{
    json_write_thousandths(writer, us);
}

static void write_VERDICT(struct json_writer *writer, enum batch_verdict verdict)
{
    json_write_string(writer, verdict_words[verdict]);
}

static void write_EXIT_CODE(struct json_writer *writer, int code)
{
    if (code < 0) {
        json_write_null(writer);
    } else {
        json_write_integer(writer, code);
    }
}

/* JSON of the library's, as it is; or null. */
static void write_raw(struct json_writer *writer, const char *json)
{
    if (json == NULL) {
        json_write_null(writer);
    } else if (buffer_add(writer->out, json, strlen(json)) < 0) {
        writer->failed = true;
    } else {
        writer->comma = true;
    }
}

static void write_COMPILE_TEXT(struct json_writer *writer, const char *compile)
{
    write_raw(writer, compile);
}

static void write_RUN_TEXT(struct json_writer *writer, const struct batch_outcome *outcome)
{
    write_raw(writer, outcome->run);
}

static void write_PIECE(struct json_writer *writer, const struct compare_text *text)
{
    json_write_text(writer, text->size > 0 ? text->data : "", text->size);
}

static void write_EXCERPT(struct json_writer *writer, const struct batch_excerpt *excerpt)
{
    json_write_text(writer, excerpt->data != NULL ? excerpt->data : "", excerpt->size);
}

static void write_DIFFERENCE(struct json_writer *writer, const struct batch_outcome *outcome)
{
    const struct compare_difference *difference = &outcome->difference;
    if (!outcome->has_difference) {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    BATCH_DIFFERENCE_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_CHECKED(struct json_writer *writer, const struct batch_outcome *outcome)
{
    if (!outcome->was_checked) {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    BATCH_CHECKER_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_outcome(struct json_writer *writer, const struct batch_outcome *outcome)
{
    json_write_open(writer, '{');
    BATCH_OUTCOME_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_TEST_OUTCOMES(struct json_writer *writer, const struct batch *batch)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < batch->test_count; i++) {
        write_outcome(writer, &batch->outcomes[i]);
    }
    json_write_close(writer, ']');
}

static void write_FIGURES_MS(struct json_writer *writer, const struct figures *figures)
{
    json_write_open(writer, '{');
    BATCH_FIGURES_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_VERDICTS(struct json_writer *writer, const struct summary *summary)
{
    json_write_open(writer, '{');
    for (enum batch_verdict verdict = 0; verdict < BATCH_VERDICT_COUNT; verdict++) {
        if (summary->verdicts[verdict] > 0) {
            json_write_key(writer, verdict_words[verdict]);
            json_write_unsigned(writer, summary->verdicts[verdict]);
        }
    }
    json_write_close(writer, '}');
}

static void add_figure(struct figures *figures, uint64_t us)
{
    figures->total_us += us;
    figures->max_us = us > figures->max_us ? us : figures->max_us;
}

static void write_SUMMARY(struct json_writer *writer, const struct batch *batch)
{
    struct summary sums = {.memory_peak_bytes = 0};
    const struct summary *summary = &sums;
    for (size_t i = 0; i < batch->test_count; i++) {
        const struct batch_outcome *outcome = &batch->outcomes[i];
        sums.verdicts[outcome->verdict]++;
        add_figure(&sums.wall, outcome->wall_us);
        add_figure(&sums.cpu, outcome->cpu_us);
        if (outcome->memory_bytes > sums.memory_peak_bytes) {
            sums.memory_peak_bytes = outcome->memory_bytes;
        }
    }
    json_write_open(writer, '{');
    BATCH_SUMMARY_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

/* Gives the text away when all of it could be written. */
static int give(struct json_writer *writer, char **ret_json, size_t *ret_size,
                struct cella_error *err)
{
    if (writer->failed || buffer_add(writer->out, "\n", 1) < 0) {
        buffer_done(writer->out);
        return error_set(err, CELLA_ERROR_HOST, 0, "memory is short");
    }
    *ret_json = writer->out->data;
    *ret_size = writer->out->size;
    return 0;
}

int batch_result_json(const struct batch *batch, char **ret_json, size_t *ret_size,
                      struct cella_error *err)
{
    struct buffer out;
    struct json_writer json;
    struct json_writer *writer = &json;
    buffer_init(&out, 0);
    json_write_init(writer, &out);
    json_write_open(writer, '{');
    BATCH_RESULT_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
    return give(writer, ret_json, ret_size, err);
}

int batch_outcome_json(const struct batch *batch, size_t index, char **ret_json, size_t *ret_size,
                       struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    write_outcome(&writer, &batch->outcomes[index]);
    return give(&writer, ret_json, ret_size, err);
}
