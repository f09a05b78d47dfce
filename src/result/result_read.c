/*
 * A result from the JSON that result_to_json() has made, here or in a server: see result_read().
 *
 * What is missing stays empty, what is of another type is refused: whoever made it speaks for a
 * program of ours, so this guards against mistakes and not against malice.  The JSON's bounds are
 * those of the largest result.
 */
#include "result/result.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A result holds up to 65536 pieces of output, 10000 files, and their fields. */
#define RESULT_JSON_VALUES_MAX ((size_t)1 << 20)
#define RESULT_JSON_MAX        BUFFER_MAX_DEFAULT
#define READ_MS_MAX            1e12 /* of a time: more is none */

static int wrong(struct cella_error *err, const char *field)
{
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "this is no result of Cella");
    return error_set_field(err, "%s", field);
}

/* The member's text; NULL when there is none. */
static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* An empty text stands for null. */
static int take_text(const json_t *object, const char *name, char **ret_text,
                     struct cella_error *err)
{
    const char *text = text_of(object, name);
    if (text != NULL && (*ret_text = strdup(text)) == NULL) {
        return error_set_memory(err);
    }
    return 0;
}

static void copy_text(const json_t *object, const char *name, char *ret_text, size_t capacity)
{
    const char *text = text_of(object, name);
    (void)snprintf(ret_text, capacity, "%s", text != NULL ? text : "");
}

static unsigned count_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 && value <= UINT32_MAX ? (unsigned)value : 0;
}

/* Bytes that stand as text or base64.  *ret_data, to be freed, stays NULL for null. */
static int take_bytes(const json_t *object, const char *name, const char *encoding_name,
                      char **ret_data, size_t *ret_size, struct cella_error *err)
{
    const json_t *value = json_object_get(object, name);
    const char *encoding = text_of(object, encoding_name);
    if (!json_is_string(value)) {
        return 0;
    }
    size_t size = json_string_length(value);
    bool is_base64 = encoding != NULL && strcmp(encoding, "base64") == 0;
    char *data = is_base64 ? malloc(base64_decoded_max(size) + 1)
                           : alloc_copy(json_string_value(value), size);
    if (data == NULL) {
        return error_set_memory(err);
    }
    if (is_base64 && base64_decode(json_string_value(value), size, data, &size) < 0) {
        free(data);
        return wrong(err, name);
    }
    *ret_data = data;
    *ret_size = size;
    return 0;
}

/* Milliseconds as microseconds; 0 for what is none. */
static uint64_t us_of(const json_t *object, const char *name)
{
    const double ms = json_number_value(json_object_get(object, name));
    return ms > 0 && ms < READ_MS_MAX ? (uint64_t)(ms * 1000 + 0.5) : 0;
}

/* ---- a stage ---- */

static enum status status_of(const char *word)
{
    for (enum status status = 0; word != NULL && status < STATUS_COUNT; status++) {
        if (strcmp(status_table[status].word, word) == 0) {
            return status;
        }
    }
    return STATUS_COUNT;
}

static int signal_of(const char *name)
{
    char known[RESULT_SIGNAL_SIZE];
    for (int number = 1; name != NULL && number < NSIG; number++) {
        result_signal_name(number, known);
        if (strcmp(known, name) == 0) {
            return number;
        }
    }
    return 0;
}

static int take_stream(const json_t *object, const char *name, struct result_stream_data *stream,
                       struct cella_error *err)
{
    char encoding[32];
    (void)snprintf(encoding, sizeof(encoding), "%s_encoding", name);
    int result = take_bytes(object, name, encoding, &stream->kept.data, &stream->kept.size, err);
    stream->kept.capacity = stream->kept.size;
    return result;
}

static int take_stage(const json_t *object, struct result_stage *stage, struct cella_error *err)
{
    const json_t *code = json_object_get(object, "exit_code");
    stage->status = status_of(text_of(object, "status"));
    if (stage->status == STATUS_COUNT) {
        return wrong(err, "status");
    }
    copy_text(object, "message", stage->message, sizeof(stage->message));
    stage->exit_code = json_is_integer(code) ? (int)(json_integer_value(code) & 255) : -1;
    stage->signal = signal_of(text_of(object, "signal"));
    stage->usage.user_us = us_of(json_object_get(object, "usage"), "user_ms");
    stage->usage.system_us = us_of(json_object_get(object, "usage"), "system_ms");
    if (take_stream(object, "stdout", &stage->streams[RESULT_STDOUT], err) < 0) {
        return -1;
    }
    return take_stream(object, "stderr", &stage->streams[RESULT_STDERR], err);
}

static int take_compile(const json_t *value, struct result *result, struct cella_error *err)
{
    const json_t *compile = json_object_get(value, "compile");
    if (!json_is_object(compile)) {
        return 0;
    }
    result->compile = malloc(sizeof(*result->compile));
    if (result->compile == NULL) {
        return error_set_memory(err);
    }
    result_stage_init(result->compile);
    const char *stage = text_of(json_object_get(value, "limit"), "stage");
    result->limit_in_compile = stage != NULL && strcmp(stage, "compile") == 0;
    return take_stage(compile, result->compile, err);
}

/* ---- files ---- */

static int take_file(const json_t *value, struct result *result, struct cella_error *err)
{
    struct result_file *file = &result->files[result->file_count];
    const char *skipped = text_of(value, "skipped");
    if (take_text(value, "path", &file->path, err) < 0) {
        return -1;
    }
    result->file_count++; /* from here on it is freed with the others */
    if (file->path == NULL) {
        return wrong(err, "files");
    }
    file->size = (uint64_t)json_integer_value(json_object_get(value, "size"));
    file->mode = count_of(value, "mode");
    if (skipped != NULL) {
        if (spec_strings_add(&result->read_texts, skipped) < 0) {
            return error_set_memory(err);
        }
        file->skipped = result->read_texts.items[result->read_texts.count - 1];
    }
    if (take_bytes(value, "content", "encoding", &file->content.data, &file->content.size, err) <
        0) {
        return -1;
    }
    return (file->content.data == NULL) == (file->skipped == NULL) ? wrong(err, "files") : 0;
}

static int take_files(const json_t *value, struct result *result, struct cella_error *err)
{
    const json_t *files = json_object_get(value, "files");
    size_t count = json_array_size(files);
    result->files = calloc(count + 1, sizeof(*result->files));
    if (result->files == NULL) {
        return error_set_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (take_file(json_array_get(files, i), result, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- diagnosis, notes, error ---- */

static int take_frames(const json_t *frames, struct result_diagnosis *diagnosis,
                       struct cella_error *err)
{
    size_t count = json_array_size(frames);
    diagnosis->frames = calloc(count + 1, sizeof(*diagnosis->frames));
    if (diagnosis->frames == NULL) {
        return error_set_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(frames, i);
        struct result_frame *frame = &diagnosis->frames[diagnosis->frame_count++];
        frame->line = count_of(value, "line");
        if (take_text(value, "file", &frame->file, err) < 0 ||
            take_text(value, "function", &frame->function, err) < 0 ||
            take_text(value, "source", &frame->source, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_diagnosis(const json_t *value, struct result *result, struct cella_error *err)
{
    const json_t *object = json_object_get(value, "diagnosis");
    if (!json_is_object(object)) {
        return 0;
    }
    struct result_diagnosis *diagnosis = calloc(1, sizeof(*diagnosis));
    if (diagnosis == NULL) {
        return error_set_memory(err);
    }
    result->diagnosis = diagnosis;
    diagnosis->line = count_of(object, "line");
    diagnosis->column = count_of(object, "column");
    if (take_text(object, "class", &diagnosis->class, err) < 0 ||
        take_text(object, "message", &diagnosis->message, err) < 0 ||
        take_text(object, "file", &diagnosis->file, err) < 0 ||
        take_text(object, "hint", &diagnosis->hint, err) < 0) {
        return -1;
    }
    if (diagnosis->class == NULL || diagnosis->message == NULL) {
        return wrong(err, "diagnosis");
    }
    return take_frames(json_object_get(object, "frames"), diagnosis, err);
}

static int take_notes(const json_t *value, struct result *result, struct cella_error *err)
{
    const json_t *notes = json_object_get(value, "notes");
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const char *note = json_string_value(json_array_get(notes, i));
        if (note != NULL && spec_strings_add(&result->notes, note) < 0) {
            return error_set_memory(err);
        }
    }
    return 0;
}

static void take_error(const json_t *value, struct result *result)
{
    const json_t *object = json_object_get(value, "error");
    if (json_is_object(object)) {
        result->error.kind = error_kind_by_name(text_of(object, "kind"));
        copy_text(object, "field", result->error.field, sizeof(result->error.field));
        copy_text(object, "text", result->error.text, sizeof(result->error.text));
        copy_text(object, "hint", result->error.hint, sizeof(result->error.hint));
    }
}

int result_read(const char *json, size_t size, struct result **ret_result, struct cella_error *err)
{
    AUTO_JSON json_t *value = NULL;
    if (json_text_parse_values(json, size, RESULT_JSON_MAX, RESULT_JSON_VALUES_MAX, &value, err) <
        0) {
        return -1;
    }
    struct result *result = result_create();
    if (result == NULL) {
        return error_set_memory(err);
    }
    result->is_read = true;
    const char *start = text_of(value, "start");
    result->warm = start != NULL && strcmp(start, "warm") == 0;
    copy_text(value, "id", result->id, sizeof(result->id));
    take_error(value, result);
    if (take_stage(value, &result->run, err) < 0 || take_compile(value, result, err) < 0 ||
        take_files(value, result, err) < 0 || take_diagnosis(value, result, err) < 0 ||
        take_notes(value, result, err) < 0) {
        result_destroy(result);
        return -1;
    }
    *ret_result = result;
    return 0;
}
