/*
 * A request in JSON (schema/request.schema.json), made into a spec.
 *
 * Each object is read by a table of its fields (fields.h); the readers check types and hand the
 * values to the setters of spec.c, which check the rest.
 */
#include "base/alloc.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "request/fields.h"
#include "request/limit_value.h"
#include "request/spec.h"

#include <stdlib.h>
#include <string.h>

/* Every reader has this form; `target` is the struct that its object fills. */
#define READER(id)                                                                                 \
    static int read_##id(void *target, json_t *value, const struct json_where *where,              \
                         struct cella_error *err)

#define FIELD_ROW(id, name, type, max, meaning) {name, read_##id},

/* A field whose whole work is a word and a setter. */
#define WORD_READER(id, setter)                                                                    \
    READER(id)                                                                                     \
    {                                                                                              \
        const char *word;                                                                          \
        return json_text_read_word(value, where, &word, err) < 0 ? -1 : setter(target, word, err); \
    }

WORD_READER(language, spec_set_language)
WORD_READER(entry, spec_set_entry)
WORD_READER(policy, spec_set_policy)
WORD_READER(tag, spec_set_tag)
WORD_READER(on_output_limit, spec_set_on_output_limit)
WORD_READER(text_errors, spec_set_text_errors)

/* Lists of words: one reader for an element, one for the array. */
#define WORDS_READER(id, setter)                                                                   \
    WORD_READER(one_of_##id, setter)                                                               \
    READER(id)                                                                                     \
    {                                                                                              \
        return json_text_read_array(value, target, read_one_of_##id, where, err);                  \
    }

WORDS_READER(command, spec_add_command_word)
WORDS_READER(args, spec_add_arg)
WORDS_READER(collect, spec_add_collect)
WORDS_READER(compile_args, spec_add_compile_arg)
WORDS_READER(allow, spec_add_network_allow)

READER(code)
{
    const char *text;
    size_t size;
    return json_text_read_string(value, where, &text, &size, err) < 0
               ? -1
               : spec_set_code(target, text, size, err);
}

READER(interleave)
{
    struct spec *spec = target;
    return json_text_read_bool(value, where, &spec->interleave, err);
}

READER(adaptive_timeout)
{
    struct spec *spec = target;
    bool adaptive;
    if (json_text_read_bool(value, where, &adaptive, err) < 0) {
        return -1;
    }
    spec->adaptive_timeout = adaptive ? SPEC_ADAPTIVE_ON : SPEC_ADAPTIVE_OFF;
    return 0;
}

READER(env)
{
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be an object of names and values");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        const char *name = json_object_iter_key(at);
        struct json_where here = {.parent = where, .key = name};
        const char *text;
        if (json_text_read_word(json_object_iter_value(at), &here, &text, err) < 0 ||
            spec_add_env(target, name, text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- bytes with an encoding: stdin, files ---- */

struct file_fields {
    const char *path;
    const char *content; /* the JSON's */
    size_t content_size;
    bool has_content;
    bool base64;
    bool executable;
    bool run_only;
};

READER(path)
{
    struct file_fields *file = target;
    return json_text_read_word(value, where, &file->path, err);
}

READER(content)
{
    struct file_fields *file = target;
    file->has_content = true;
    return json_text_read_string(value, where, &file->content, &file->content_size, err);
}

READER(encoding)
{
    struct file_fields *file = target;
    int is_base64;
    if (request_choice_read(value, where, request_encodings, &is_base64, err) < 0) {
        return -1;
    }
    file->base64 = is_base64 != 0;
    return 0;
}

READER(executable)
{
    struct file_fields *file = target;
    return json_text_read_bool(value, where, &file->executable, err);
}

READER(run_only)
{
    struct file_fields *file = target;
    return json_text_read_bool(value, where, &file->run_only, err);
}

/* Decodes the content if need be.  *ret_memory, to be freed, is NULL when there was no need. */
static int decode_content(struct file_fields *file, const struct json_where *where,
                          char **ret_memory, struct cella_error *err)
{
    struct json_where here = {.parent = where, .key = "content"};
    if (!file->has_content) {
        return json_text_fail(err, &here, "is missing");
    }
    if (!file->base64) {
        return 0;
    }
    AUTO_FREE char *memory = malloc(base64_decoded_max(file->content_size) + 1);
    if (memory == NULL) {
        return error_set_memory(err);
    }
    if (base64_decode(file->content, file->content_size, memory, &file->content_size) < 0) {
        return json_text_fail(err, &here, "is not base64");
    }
    file->content = memory;
    *ret_memory = memory;
    memory = NULL;
    return 0;
}

READER(one_file)
{
    static const struct json_field fields[] = {REQUEST_FILE_FIELDS(FIELD_ROW)};
    struct file_fields file = {0};
    AUTO_FREE char *memory = NULL;
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), &file, where, err) < 0) {
        return -1;
    }
    if (file.path == NULL) {
        struct json_where here = {.parent = where, .key = "path"};
        return json_text_fail(err, &here, "is missing");
    }
    if (decode_content(&file, where, &memory, err) < 0) {
        return -1;
    }
    struct spec *spec = target;
    if (spec_add_file(spec, file.path, file.content, file.content_size, file.executable, err) < 0) {
        return -1;
    }
    spec->files[spec->file_count - 1].run_only = file.run_only;
    return 0;
}

READER(files)
{
    return json_text_read_array(value, target, read_one_file, where, err);
}

READER(input)
{
    static const struct json_field fields[] = {REQUEST_BYTES_FIELDS(FIELD_ROW)};
    struct file_fields file = {0};
    AUTO_FREE char *memory = NULL;
    if (json_is_string(value)) {
        file.content = json_string_value(value);
        file.content_size = json_string_length(value);
    } else if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a string or an object");
    } else if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), &file, where, err) < 0 ||
               decode_content(&file, where, &memory, err) < 0) {
        return -1;
    }
    return spec_set_stdin(target, file.content, file.content_size, err);
}

/* ---- limits, compile, network ---- */

READER(limit)
{
    struct limits *limits = target;
    enum limit limit = limit_by_name(where->key);
    const char *problem = limit_value_from_json(limit, value, &limits->value[limit]);
    return problem == NULL ? 0 : json_text_fail(err, where, "%s", problem);
}

static int read_limits_into(struct limits *limits, json_t *value, const struct json_where *where,
                            struct cella_error *err)
{
#define LIMIT_FIELD(id, name, ...) {name, read_limit},
    static const struct json_field fields[] = { LIMITS(LIMIT_FIELD) };
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), limits, where, err);
}

READER(limits)
{
    struct spec *spec = target;
    return read_limits_into(&spec->limits, value, where, err);
}

READER(compile_limits)
{
    struct spec *spec = target;
    return read_limits_into(&spec->compile_limits, value, where, err);
}

READER(compile)
{
    static const struct json_field fields[] = {REQUEST_COMPILE_FIELDS(FIELD_ROW)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

static int read_size(json_t *value, const struct json_where *where, unsigned *ret_size,
                     struct cella_error *err)
{
    const json_int_t size = json_is_integer(value) ? json_integer_value(value) : 0;
    if (size < 1 || size > (json_int_t)TERMINAL_SIZE_MAX) {
        return json_text_fail(err, where, "must be a whole number from 1 to %u", TERMINAL_SIZE_MAX);
    }
    *ret_size = (unsigned)size;
    return 0;
}

READER(terminal_rows)
{
    return read_size(value, where, &((struct spec *)target)->terminal_rows, err);
}

READER(terminal_columns)
{
    return read_size(value, where, &((struct spec *)target)->terminal_columns, err);
}

READER(terminal)
{
    static const struct json_field fields[] = {REQUEST_TERMINAL_FIELDS(FIELD_ROW)};
    struct spec *spec = target;
    spec->terminal_rows = 24; /* as terminals were */
    spec->terminal_columns = 80;
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

READER(network)
{
    static const struct json_field fields[] = {REQUEST_NETWORK_FIELDS(FIELD_ROW)};
    if (json_is_object(value)) {
        return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
    }
    const char *word;
    return json_text_read_word(value, where, &word, err) < 0 ? -1
                                                             : spec_set_network(target, word, err);
}

/* ---- the whole ---- */

int spec_parse(const char *json, size_t size, struct spec **ret_spec, struct cella_error *err)
{
    static const struct json_field fields[] = {REQUEST_FIELDS(FIELD_ROW)};
    AUTO_JSON json_t *value = NULL;
    if (json_text_parse(json, size, SPEC_JSON_MAX, &value, err) < 0) {
        return -1;
    }
    struct spec *spec = spec_create();
    if (spec == NULL) {
        return error_set_memory(err);
    }
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), spec, NULL, err) < 0 ||
        spec_check(spec, err) < 0) {
        spec_destroy(spec);
        return -1;
    }
    *ret_spec = spec;
    return 0;
}
