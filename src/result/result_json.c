/*
 * A result as JSON (schema/result.schema.json): the tables of fields.h, walked.
 *
 * Each table row names a type, and write_<TYPE>() here writes a value of it.  Texts go straight
 * from the result into the buffer: a hundred megabytes of output are not held a third time.
 */
#include "result/fields.h"
#include "result/result.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "isolate/protections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_FIELD(name, type, value, meaning)                                                    \
    json_write_key(writer, name);                                                                  \
    write_##type(writer, value);

/* Bytes as they will be written. */
struct text_view {
    const char *data; /* NULL: there are none, not even an empty text */
    size_t size;
    bool base64; /* else text, in which U+FFFD will stand for what is not UTF-8 */
};

/* ---- plain values ---- */

static void write_TEXT(struct json_writer *writer, const char *text)
{
    json_write_string(writer, text);
}

static void write_TEXT_OR_NULL(struct json_writer *writer, const char *text)
{
    json_write_string_or_null(writer, text);
}

static void write_START(struct json_writer *writer, const char *word)
{
    json_write_string(writer, word);
}

static void write_BACKEND(struct json_writer *writer, const char *word)
{
    json_write_string(writer, word);
}

static void write_FLAG(struct json_writer *writer, bool value)
{
    json_write_bool(writer, value);
}

static void write_SIZE(struct json_writer *writer, uint64_t value)
{
    json_write_unsigned(writer, value);
}

static void write_FIGURE(struct json_writer *writer, uint64_t value)
{
    if (value == RESULT_UNKNOWN) {
        json_write_null(writer);
    } else {
        json_write_unsigned(writer, value);
    }
}

static void write_MS(struct json_writer *writer, uint64_t us)
{
    if (us == RESULT_UNKNOWN) {
        json_write_null(writer);
    } else {
        json_write_thousandths(writer, us);
    }
}

static void write_MOMENT(struct json_writer *writer, int64_t unix_ms)
{
    if (unix_ms == 0) {
        json_write_null(writer);
        return;
    }
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(unix_ms, text);
    json_write_string(writer, text);
}

static void write_STATUS(struct json_writer *writer, enum status status)
{
    json_write_string(writer, status_table[status].word);
}

static void write_LIMITS_HIT(struct json_writer *writer, uint32_t set)
{
    json_write_open(writer, '[');
    for (unsigned hit = 0; hit < STATUS_HIT_COUNT; hit++) {
        if ((set & status_hit_bit(hit)) != 0 && status_hit_word(hit) != NULL) {
            json_write_string(writer, status_hit_word(hit));
        }
    }
    json_write_close(writer, ']');
}

static void write_EXIT_CODE(struct json_writer *writer, int exit_code)
{
    if (exit_code < 0) {
        json_write_null(writer);
    } else {
        json_write_integer(writer, exit_code);
    }
}

static void write_SIGNAL(struct json_writer *writer, int number)
{
    if (number == 0) {
        json_write_null(writer);
        return;
    }
    char name[RESULT_SIGNAL_SIZE];
    result_signal_name(number, name);
    json_write_string(writer, name);
}

static void write_ENCODING(struct json_writer *writer, bool base64)
{
    json_write_string(writer, base64 ? "base64" : "utf-8");
}

static void write_OUTPUT(struct json_writer *writer, const struct text_view *view)
{
    if (view->base64) {
        json_write_base64(writer, view->data, view->size);
    } else {
        json_write_text(writer, view->data, view->size);
    }
}

static void write_OUTPUT_OR_NULL(struct json_writer *writer, const struct text_view *view)
{
    if (view->data == NULL) {
        json_write_null(writer);
    } else {
        write_OUTPUT(writer, view);
    }
}

static void write_ENCODING_OR_NULL(struct json_writer *writer, const struct text_view *view)
{
    if (view->data == NULL) {
        json_write_null(writer);
    } else {
        write_ENCODING(writer, view->base64);
    }
}

/* ---- stages ---- */

/* What a stream looks like: text cut at a character's boundary, or base64 of all of it. */
static struct text_view view_stream(const struct result_stream_data *stream,
                                    enum spec_text_errors text_errors)
{
    struct text_view view = {.data = stream->kept.data, .size = stream->kept.size};
    size_t text_size = stream->truncated ? utf8_cut(view.data, view.size) : view.size;
    const size_t known = stream->valid_bytes; /* none of a character that the end cuts */
    view.base64 = text_errors == SPEC_TEXT_BASE64 && text_size > known &&
                  !utf8_is_valid(view.data + known, text_size - known);
    if (!view.base64) {
        view.size = text_size;
    }
    return view;
}

static void write_USAGE(struct json_writer *writer, const struct result_usage *usage)
{
    json_write_open(writer, '{');
    RESULT_USAGE_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_COMPILE(struct json_writer *writer, const struct result *result)
{
    const struct result_stage *stage = result->compile;
    if (stage == NULL) {
        json_write_null(writer);
        return;
    }
    struct text_view views[] = {view_stream(&stage->streams[RESULT_STDOUT], result->text_errors),
                                view_stream(&stage->streams[RESULT_STDERR], result->text_errors)};
    json_write_open(writer, '{');
    RESULT_COMPILE_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

/* ---- chunks of output ---- */

static void write_STREAM(struct json_writer *writer, enum result_stream stream)
{
    json_write_string(writer, stream == RESULT_STDOUT ? "stdout" : "stderr");
}

/* The chunk's part of its stream's text.  A character that two chunks share goes to the second, so
 * that each is text and together they are the stream. */
static struct text_view view_chunk(const struct result_chunk *chunk, const struct text_view *whole)
{
    size_t start = chunk->offset;
    size_t end = chunk->offset + chunk->size;
    if (!whole->base64) {
        start = utf8_boundary(whole->data, whole->size, start);
        end = utf8_boundary(whole->data, whole->size, end);
    }
    end = end < whole->size ? end : whole->size;
    start = start < end ? start : end;
    return (struct text_view){whole->data + start, end - start, whole->base64};
}

static void write_CHUNKS(struct json_writer *writer, const struct result *result)
{
    if (!result->interleave) {
        json_write_null(writer);
        return;
    }
    const struct result_stream_data *streams = result->run.streams;
    struct text_view views[] = {view_stream(&streams[RESULT_STDOUT], result->text_errors),
                                view_stream(&streams[RESULT_STDERR], result->text_errors)};
    json_write_open(writer, '[');
    for (size_t i = 0; i < result->chunk_count; i++) {
        const struct result_chunk *chunk = &result->chunks[i];
        struct text_view piece = view_chunk(chunk, &views[chunk->stream]);
        if (piece.size == 0) {
            continue; /* all of it went to the next one */
        }
        json_write_open(writer, '{');
        RESULT_CHUNK_FIELDS(WRITE_FIELD)
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

/* ---- the limit ---- */

static void write_LIMIT_NAME(struct json_writer *writer, const struct limit_info *limit)
{
    json_write_string(writer, limit->name);
}

static void write_LIMIT_VALUE(struct json_writer *writer, const struct result_stage *stage)
{
    enum limit_unit unit = limit_table[stage->limit].unit;
    if (unit == UNIT_TIME || unit == UNIT_CPUS) {
        json_write_thousandths(writer, stage->limit_value);
    } else {
        json_write_unsigned(writer, stage->limit_value);
    }
}

static void write_STAGE(struct json_writer *writer, bool compile)
{
    json_write_string(writer, compile ? "compile" : "run");
}

static void write_LIMIT(struct json_writer *writer, const struct result *result)
{
    const struct result_stage *stage = &result->run;
    if (stage->limit == LIMIT_COUNT) {
        json_write_null(writer);
        return;
    }
    const struct limit_info *limit = &limit_table[stage->limit];
    json_write_open(writer, '{');
    RESULT_LIMIT_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_PACE(struct json_writer *writer, const char *pace)
{
    json_write_string_or_null(writer, pace);
}

static void write_TIMEOUT(struct json_writer *writer, const struct result *result)
{
    const struct result_timeout *timeout = &result->timeout;
    if (timeout->limit_us == 0) {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    RESULT_TIMEOUT_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

/* ---- files and refused calls ---- */

static void write_FILES(struct json_writer *writer, const struct result *result)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < result->file_count; i++) {
        const struct result_file *file = &result->files[i];
        struct text_view view = {.data = file->content.data, .size = file->content.size};
        view.base64 = view.data != NULL && !utf8_is_valid(view.data, view.size);
        json_write_open(writer, '{');
        RESULT_FILE_FIELDS(WRITE_FIELD)
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

static void write_REFUSED_CALLS(struct json_writer *writer, const struct result *result)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < result->refused_call_count; i++) {
        const struct result_refused_call *call = &result->refused_calls[i];
        json_write_open(writer, '{');
        RESULT_REFUSED_CALL_FIELDS(WRITE_FIELD)
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

/* ---- what held it ---- */

static void write_PROTECTIONS(struct json_writer *writer, uint64_t set)
{
    json_write_open(writer, '[');
    for (enum protection protection = 0; protection < PROTECTION_COUNT; protection++) {
        if ((set & protection_bit(protection)) != 0) {
            json_write_string(writer, protection_table[protection].name);
        }
    }
    json_write_close(writer, ']');
}

static void write_MECHANISMS(struct json_writer *writer, const struct result *result)
{
#define MECHANISM_ROW(id, by_group, otherwise) [LIMIT_##id] = {by_group, otherwise},
    static const struct {
        bool by_group;
        const char *otherwise;
    } table[LIMIT_COUNT] = {RESULT_MECHANISMS(MECHANISM_ROW)};
    if (result->mechanism == RESULT_BY_NOTHING) {
        json_write_null(writer);
        return;
    }
    const char *group = result->mechanism == RESULT_BY_CGROUP_V2   ? RESULT_CGROUP_V2
                        : result->mechanism == RESULT_BY_CGROUP_V1 ? RESULT_CGROUP_V1
                                                                   : NULL;
    /* Not every control group has the controller that shares out the processors. */
    bool shared = (result->protections & protection_bit(PROTECTION_CPU)) != 0;
    json_write_open(writer, '{');
    for (int limit = 0; limit < LIMIT_COUNT; limit++) {
        json_write_key(writer, limit_table[limit].name);
        bool by_group = table[limit].by_group && group != NULL && (limit != LIMIT_CPUS || shared);
        const bool of_disk = limit == LIMIT_DISK || limit == LIMIT_INODES;
        write_TEXT_OR_NULL(writer, by_group                        ? group
                                   : result->has_shares && of_disk ? RESULT_DISK_PARTLY
                                                                   : table[limit].otherwise);
    }
    json_write_close(writer, '}');
}

/* ---- the diagnosis ---- */

static void write_POSITION(struct json_writer *writer, uint32_t position)
{
    if (position == 0) {
        json_write_null(writer);
    } else {
        json_write_unsigned(writer, position);
    }
}

static void write_FRAMES(struct json_writer *writer, const struct result_diagnosis *diagnosis)
{
    json_write_open(writer, '[');
    for (size_t i = 0; i < diagnosis->frame_count; i++) {
        const struct result_frame *frame = &diagnosis->frames[i];
        json_write_open(writer, '{');
        RESULT_FRAME_FIELDS(WRITE_FIELD)
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

static void write_DIAGNOSIS(struct json_writer *writer, const struct result *result)
{
    const struct result_diagnosis *diagnosis = result->diagnosis;
    if (diagnosis == NULL) {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    RESULT_DIAGNOSIS_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_NOTES(struct json_writer *writer, const struct result *result)
{
    char note[RESULT_NOTE_MAX];
    json_write_open(writer, '[');
    for (size_t i = 0; result_note(result, i, note); i++) {
        json_write_string(writer, note);
    }
    json_write_close(writer, ']');
}

/* ---- language, policy, error ---- */

static void write_LANGUAGE(struct json_writer *writer, const struct result *result)
{
    if (result->language_name[0] == '\0') {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    RESULT_LANGUAGE_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_POLICY(struct json_writer *writer, const struct result *result)
{
    if (result->policy_name[0] == '\0') {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    RESULT_POLICY_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

static void write_ERROR_KIND(struct json_writer *writer, enum cella_error_kind kind)
{
    json_write_string(writer, error_kind_info(kind)->name);
}

static void write_ERROR(struct json_writer *writer, const struct cella_error *error)
{
    if (error->kind == CELLA_ERROR_NONE) {
        json_write_null(writer);
        return;
    }
    json_write_open(writer, '{');
    RESULT_ERROR_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
}

/* ---- the whole ---- */

static int end_result(struct json_writer *writer, struct cella_error *err)
{
    json_write_close(writer, '}');
    if (writer->failed) {
        return error_set(err, CELLA_ERROR_HOST, ENOMEM, "the result does not fit into memory");
    }
    return 0;
}

static int write_result(struct json_writer *writer, const struct result *result,
                        struct cella_error *err)
{
    const struct result_stage *stage = &result->run;
    struct text_view views[] = {view_stream(&stage->streams[RESULT_STDOUT], result->text_errors),
                                view_stream(&stage->streams[RESULT_STDERR], result->text_errors)};
    json_write_open(writer, '{');
    RESULT_FIELDS(WRITE_FIELD)
    return end_result(writer, err);
}

int result_to_json(const struct result *result, struct buffer *out, struct cella_error *err)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    return write_result(&writer, result, err);
}

int result_to_parts(const struct result *result, struct json_parts *parts, struct cella_error *err)
{
    struct json_writer writer;
    json_write_init_parts(&writer, parts);
    return write_result(&writer, result, err);
}

/* ---- the short form ---- */

static void shorten_stage(struct result_stage *stage)
{
    for (enum result_stream i = RESULT_STDOUT; i <= RESULT_STDERR; i++) {
        struct result_stream_data *stream = &stage->streams[i];
        if (stream->kept.size > RESULT_SHORT_BYTES) {
            stream->kept.size = RESULT_SHORT_BYTES;
            stream->truncated = true;
        }
    }
}

int result_short_to_json(const struct result *result, struct buffer *out, struct cella_error *err)
{
    struct result brief = *result; /* whose texts are still the result's */
    struct result_stage compile;
    AUTO_FREE struct result_file *files = NULL;
    brief.is_short = true;
    shorten_stage(&brief.run);
    if (result->compile != NULL) {
        compile = *result->compile;
        shorten_stage(&compile);
        brief.compile = &compile;
    }
    if (result->file_count > 0) {
        files = calloc(result->file_count, sizeof(*files));
        if (files == NULL) {
            return error_set_memory(err);
        }
        memcpy(files, result->files, result->file_count * sizeof(*files));
        brief.files = files;
    }
    for (size_t i = 0; i < result->file_count; i++) {
        if (files[i].content.data != NULL) {
            files[i].content = (struct spec_bytes){.data = NULL};
            files[i].skipped = "the short form of the result has no contents of files";
        }
    }
    return result_to_json(&brief, out, err);
}

int result_summary_to_json(const struct result *result, struct buffer *out, struct cella_error *err)
{
    const struct result_stage *stage = &result->run;
    struct json_writer json;
    struct json_writer *writer = &json;
    json_write_init(writer, out);
    json_write_open(writer, '{');
    RESULT_SUMMARY_FIELDS(WRITE_FIELD)
    return end_result(writer, err);
}
