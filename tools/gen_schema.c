/*
 * Writes the JSON Schemas of request, result, a result's summary in a list, problem and batch
 * (request.schema.json, ...) into a directory, from the tables that the parser and the writer use:
 * request/fields.h, result/fields.h, the limits, the statuses, the protections, the kinds of error.
 *
 *   gen_schema DIRECTORY
 *
 * Each row of those tables names a type; schema_<TYPE>() here describes its values.  The tool ends
 * at the first failure: it runs at build time only.
 */
#include "base/error.h"
#include "base/json.h"
#include "isolate/protections.h"
#include "request/fields.h"
#include "request/limit_value.h"
#include "result/fields.h"
#include "result/result.h"

#include <stdio.h>
#include <stdlib.h>

struct field {
    const char *name;
    json_t *(*schema)(const struct field *field);
    unsigned max; /* as in request/fields.h */
    const char *meaning;
};

#define REQUEST_ROW(id, name, type, max, meaning) {name, schema_##type, max, meaning},
#define RESULT_ROW(name, type, value, meaning)    {name, schema_##type, 0, meaning},

/* A schema: function of a type that needs nothing of its row but, perhaps, `max`. */
#define SCHEMA(type) static json_t *schema_##type(const struct field *field)

/* ---- building blocks ---- */

static json_t *must(json_t *json)
{
    if (json == NULL) {
        fputs("gen_schema: memory is short, or a format is wrong\n", stderr);
        exit(EXIT_FAILURE);
    }
    return json;
}

static void set(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, must(value)) < 0) {
        (void)must(NULL);
    }
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, must(value)) < 0) {
        (void)must(NULL);
    }
}

static json_t *of_type(const char *type)
{
    return must(json_pack("{s:s}", "type", type));
}

static json_t *array_of(json_t *items)
{
    return must(json_pack("{s:s, s:o}", "type", "array", "items", items));
}

/* The same, or null. */
static json_t *or_null(json_t *schema)
{
    json_t *type = json_object_get(schema, "type");
    if (type != NULL) {
        set(schema, "type", json_pack("[O, s]", type, "null"));
    }
    json_t *words = json_object_get(schema, "enum");
    if (words != NULL) {
        append(words, json_null());
    }
    json_t *alternatives = json_object_get(schema, "oneOf");
    if (alternatives != NULL) {
        append(alternatives, of_type("null"));
    }
    return schema;
}

static json_t *one_of_words(void)
{
    return must(json_pack("{s:[]}", "enum"));
}

static void add_word(json_t *schema, const char *word)
{
    append(json_object_get(schema, "enum"), json_string(word));
}

static json_t *choices(const struct request_choice list[REQUEST_CHOICES])
{
    return must(json_pack("{s:[s, s]}", "enum", list[0].word, list[1].word));
}

/* An object of these fields and no other.  The first `required` must be there; the others may be
 * absent, and null is the same as absent. */
static json_t *object_of(const struct field *fields, size_t count, size_t required)
{
    json_t *properties = must(json_object());
    json_t *names = must(json_array());
    for (size_t i = 0; i < count; i++) {
        json_t *schema = fields[i].schema(&fields[i]);
        if (i < required) {
            append(names, json_string(fields[i].name));
        } else {
            schema = or_null(schema);
        }
        set(schema, "description", json_string(fields[i].meaning));
        set(properties, fields[i].name, schema);
    }
    return must(json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
                          "required", names, "additionalProperties", 0));
}

/* ---- types of both ---- */

SCHEMA(TEXT)
{
    json_t *schema = of_type("string");
    if (field->max > 0) {
        set(schema, "maxLength", json_integer(field->max));
    }
    return schema;
}

SCHEMA(FLAG)
{
    (void)field;
    return of_type("boolean");
}

SCHEMA(ENCODING)
{
    (void)field;
    return choices(request_encodings);
}

/* ---- types of a request ---- */

SCHEMA(WORDS)
{
    json_t *schema = array_of(of_type("string"));
    set(schema, "maxItems", json_integer(field->max));
    return schema;
}

SCHEMA(ENV)
{
    return must(json_pack("{s:s, s:i, s:{s:s}}", "type", "object", "maxProperties", (int)field->max,
                          "additionalProperties", "type", "string"));
}

SCHEMA(BYTES)
{
    static const struct field fields[] = {REQUEST_BYTES_FIELDS(REQUEST_ROW)};
    json_t *object = object_of(fields, ARRAY_LENGTH(fields), 1);
    json_t *text = must(json_pack("{s:s, s:i}", "type", "string", "maxLength", (int)field->max));
    return must(json_pack("{s:[o, o]}", "oneOf", text, object));
}

SCHEMA(INPUT_FILES)
{
    static const struct field fields[] = {REQUEST_FILE_FIELDS(REQUEST_ROW)};
    json_t *schema = array_of(object_of(fields, ARRAY_LENGTH(fields), 2));
    set(schema, "maxItems", json_integer(field->max));
    return schema;
}

static json_t *limit_schema(enum limit limit)
{
    struct limit_range range = limit_value_range(limit);
    json_t *schema = of_type(range.steps == 1 ? "integer" : "number");
    set(schema, limit == LIMIT_SWAP ? "minimum" : "exclusiveMinimum", json_integer(0));
    set(schema, "maximum", json_integer((json_int_t)(range.max / range.steps)));
    set(schema, "description", json_string(limit_table[limit].help));
    return schema;
}

SCHEMA(LIMITS)
{
    (void)field;
    json_t *properties = must(json_object());
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        set(properties, limit_table[limit].name, or_null(limit_schema(limit)));
    }
    return must(json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
                          "additionalProperties", 0));
}

SCHEMA(COMPILER)
{
    static const struct field fields[] = {REQUEST_COMPILE_FIELDS(REQUEST_ROW)};
    (void)field;
    return object_of(fields, ARRAY_LENGTH(fields), 0);
}

SCHEMA(CHARACTERS)
{
    json_t *schema = of_type("integer");
    set(schema, "minimum", json_integer(1));
    set(schema, "maximum", json_integer(field->max));
    return schema;
}

SCHEMA(TERMINAL)
{
    static const struct field fields[] = {REQUEST_TERMINAL_FIELDS(REQUEST_ROW)};
    (void)field;
    return object_of(fields, ARRAY_LENGTH(fields), 0);
}

SCHEMA(NETWORK)
{
    static const struct field fields[] = {REQUEST_NETWORK_FIELDS(REQUEST_ROW)};
    (void)field;
    return must(json_pack("{s:[o, o]}", "oneOf", choices(request_networks),
                          object_of(fields, ARRAY_LENGTH(fields), 0)));
}

SCHEMA(OUTPUT_LIMIT)
{
    (void)field;
    return choices(request_output_limits);
}

SCHEMA(TEXT_ERRORS)
{
    (void)field;
    return choices(request_text_errors);
}

/* ---- types of a result: values ---- */

SCHEMA(TEXT_OR_NULL)
{
    return or_null(schema_TEXT(field));
}

SCHEMA(OUTPUT)
{
    return schema_TEXT(field);
}

SCHEMA(NOTES)
{
    return array_of(schema_TEXT(field));
}

SCHEMA(OUTPUT_OR_NULL)
{
    return or_null(schema_TEXT(field));
}

SCHEMA(ENCODING_OR_NULL)
{
    return or_null(schema_ENCODING(field));
}

SCHEMA(SIZE)
{
    (void)field;
    return must(json_pack("{s:s, s:i}", "type", "integer", "minimum", 0));
}

SCHEMA(FIGURE)
{
    return or_null(schema_SIZE(field));
}

SCHEMA(MS)
{
    (void)field;
    return or_null(must(json_pack("{s:s, s:i}", "type", "number", "minimum", 0)));
}

SCHEMA(MOMENT)
{
    (void)field;
    return or_null(must(json_pack("{s:s, s:s}", "type", "string", "format", "date-time")));
}

SCHEMA(EXIT_CODE)
{
    (void)field;
    return or_null(
        must(json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 0, "maximum", 255)));
}

SCHEMA(SIGNAL)
{
    (void)field;
    return or_null(must(json_pack("{s:s, s:s}", "type", "string", "pattern", "^SIG[A-Z0-9+]+$")));
}

SCHEMA(POSITION)
{
    (void)field;
    return or_null(must(json_pack("{s:s, s:i}", "type", "integer", "minimum", 1)));
}

SCHEMA(LIMIT_VALUE)
{
    return schema_MS(field);
}

/* ---- types of a result: words ---- */

SCHEMA(PACE)
{
    (void)field;
    return or_null(must(json_pack("{s:[s, s, s]}", "enum", "normal", "slow", "stuck")));
}

SCHEMA(STATUS)
{
    (void)field;
    json_t *schema = one_of_words();
    for (int status = 0; status < STATUS_COUNT; status++) {
        add_word(schema, status_table[status].word);
    }
    return schema;
}

SCHEMA(LIMITS_HIT)
{
    (void)field;
    json_t *schema = one_of_words();
    for (unsigned hit = 0; hit < STATUS_HIT_COUNT; hit++) {
        if (status_hit_word(hit) != NULL) {
            add_word(schema, status_hit_word(hit));
        }
    }
    return array_of(schema);
}

SCHEMA(STREAM)
{
    (void)field;
    return must(json_pack("{s:[s, s]}", "enum", "stdout", "stderr"));
}

SCHEMA(STAGE)
{
    (void)field;
    return must(json_pack("{s:[s, s]}", "enum", "run", "compile"));
}

SCHEMA(START)
{
    (void)field;
    return must(json_pack("{s:[s, s]}", "enum", "cold", "warm"));
}

SCHEMA(BACKEND)
{
    return schema_TEXT(field);
}

SCHEMA(LIMIT_NAME)
{
    (void)field;
    json_t *schema = one_of_words();
    for (int limit = 0; limit < LIMIT_COUNT; limit++) {
        add_word(schema, limit_table[limit].name);
    }
    return schema;
}

SCHEMA(PROTECTIONS)
{
    (void)field;
    json_t *schema = one_of_words();
    for (int protection = 0; protection < PROTECTION_COUNT; protection++) {
        add_word(schema, protection_table[protection].name);
    }
    return array_of(schema);
}

SCHEMA(ERROR_KIND)
{
    (void)field;
    json_t *schema = one_of_words();
    for (int kind = CELLA_ERROR_CALLER; kind <= CELLA_ERROR_BUG; kind++) {
        add_word(schema, error_kind_info((enum cella_error_kind)kind)->name);
    }
    return schema;
}

/* ---- types of a result: objects ---- */

/* A type that is an object by a table, or null. */
#define OBJECT_SCHEMA(type, table)                                                                 \
    SCHEMA(type)                                                                                   \
    {                                                                                              \
        static const struct field fields[] = {table(RESULT_ROW)};                                  \
        (void)field;                                                                               \
        return object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields));                      \
    }

OBJECT_SCHEMA(USAGE, RESULT_USAGE_FIELDS)
OBJECT_SCHEMA(one_chunk, RESULT_CHUNK_FIELDS)
OBJECT_SCHEMA(compile_stage, RESULT_COMPILE_FIELDS)
OBJECT_SCHEMA(one_limit, RESULT_LIMIT_FIELDS)
OBJECT_SCHEMA(one_timeout, RESULT_TIMEOUT_FIELDS)
OBJECT_SCHEMA(one_file, RESULT_FILE_FIELDS)
OBJECT_SCHEMA(one_frame, RESULT_FRAME_FIELDS)

SCHEMA(FRAMES)
{
    return array_of(schema_one_frame(field));
}

OBJECT_SCHEMA(one_diagnosis, RESULT_DIAGNOSIS_FIELDS)
OBJECT_SCHEMA(one_call, RESULT_REFUSED_CALL_FIELDS)
OBJECT_SCHEMA(one_language, RESULT_LANGUAGE_FIELDS)
OBJECT_SCHEMA(one_policy, RESULT_POLICY_FIELDS)
OBJECT_SCHEMA(one_error, RESULT_ERROR_FIELDS)

SCHEMA(CHUNKS)
{
    return or_null(array_of(schema_one_chunk(field)));
}

SCHEMA(COMPILE)
{
    return or_null(schema_compile_stage(field));
}

SCHEMA(LIMIT)
{
    return or_null(schema_one_limit(field));
}

SCHEMA(TIMEOUT)
{
    return or_null(schema_one_timeout(field));
}

SCHEMA(DIAGNOSIS)
{
    return or_null(schema_one_diagnosis(field));
}

SCHEMA(FILES)
{
    return array_of(schema_one_file(field));
}

SCHEMA(REFUSED_CALLS)
{
    return array_of(schema_one_call(field));
}

SCHEMA(MECHANISMS)
{
#define MECHANISM_ROW(id, by_group, otherwise) [LIMIT_##id] = {by_group, otherwise},
    static const struct {
        bool by_group;
        const char *otherwise;
    } table[LIMIT_COUNT] = {RESULT_MECHANISMS(MECHANISM_ROW)};
    (void)field;
    json_t *properties = must(json_object());
    json_t *required = must(json_array());
    for (int limit = 0; limit < LIMIT_COUNT; limit++) {
        json_t *schema = one_of_words();
        if (table[limit].by_group) {
            add_word(schema, RESULT_CGROUP_V2);
            add_word(schema, RESULT_CGROUP_V1);
        }
        if (table[limit].otherwise == NULL) {
            schema = or_null(schema);
        } else {
            add_word(schema, table[limit].otherwise);
        }
        if (limit == LIMIT_DISK || limit == LIMIT_INODES) {
            add_word(schema, RESULT_DISK_PARTLY);
        }
        set(properties, limit_table[limit].name, schema);
        append(required, json_string(limit_table[limit].name));
    }
    return or_null(must(json_pack("{s:s, s:o, s:b, s:o}", "type", "object", "properties",
                                  properties, "additionalProperties", 0, "required", required)));
}

SCHEMA(LANGUAGE)
{
    return or_null(schema_one_language(field));
}

SCHEMA(POLICY)
{
    return or_null(schema_one_policy(field));
}

SCHEMA(ERROR)
{
    return or_null(schema_one_error(field));
}

/* ---- the schemas ---- */

static json_t *whole(const char *title, json_t *schema)
{
    json_t *head = must(json_pack("{s:s, s:s}", "$schema",
                                  "https://json-schema.org/draft/2020-12/schema", "title", title));
    if (json_object_update(head, schema) < 0) {
        (void)must(NULL);
    }
    json_decref(schema);
    return head;
}

static json_t *request_schema(void)
{
    static const struct field fields[] = {REQUEST_FIELDS(REQUEST_ROW)};
    json_t *schema = object_of(fields, ARRAY_LENGTH(fields), 0);
    /* Exactly one of the two; null counts as absent. */
    set(schema, "oneOf",
        json_pack("[{s:[s], s:{s:{s:s}}}, {s:[s], s:{s:{s:s, s:i, s:{s:s}}}}]", "required",
                  "language", "properties", "language", "type", "string", "required", "command",
                  "properties", "command", "type", "array", "minItems", 1, "items", "type",
                  "string"));
    return whole("A request to Cella", schema);
}

static json_t *result_schema(void)
{
    static const struct field fields[] = {RESULT_FIELDS(RESULT_ROW)};
    return whole("A result of Cella",
                 object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields)));
}

static json_t *summary_schema(void)
{
    static const struct field fields[] = {RESULT_SUMMARY_FIELDS(RESULT_ROW)};
    json_t *schema = object_of(fields, ARRAY_LENGTH(fields), ARRAY_LENGTH(fields));
    (void)json_object_del(schema, "additionalProperties"); /* lists say more: schemas.json */
    return whole("What a list of runs says of one", schema);
}

#include "gen_schema_serve.h" /* it uses all of the above */

static int write_schema(const char *directory, const char *name, json_t *schema)
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = size < (int)sizeof(path) ? fopen(path, "we") : NULL;
    bool good = file != NULL && json_dumpf(schema, file, JSON_INDENT(2)) == 0;
    good = good && fputc('\n', file) != EOF;
    good = file != NULL && fclose(file) == 0 && good;
    json_decref(schema);
    if (!good) {
        fprintf(stderr, "gen_schema: cannot write %s\n", path);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: gen_schema DIRECTORY\n", stderr);
        return EXIT_FAILURE;
    }
    if (write_schema(argv[1], "request.schema.json", request_schema()) < 0 ||
        write_schema(argv[1], "result.schema.json", result_schema()) < 0 ||
        write_schema(argv[1], "summary.schema.json", summary_schema()) < 0 ||
        write_schema(argv[1], "problem.schema.json", problem_schema()) < 0 ||
        write_schema(argv[1], "batch.schema.json", batch_schema()) < 0 ||
        write_schema(argv[1], "batch_result.schema.json", batch_result_schema()) < 0) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
