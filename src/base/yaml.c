/*
 * YAML as a JSON tree: see yaml.h.
 *
 * How it works.  libyaml gives a stream of events.  A stack of open mappings and sequences turns
 * them into a tree; nothing recurses, so the depth of the text costs no stack.  The path of each
 * value ("limits.wall_ms", "run[2]") is noted with its line and column under the very form that
 * json_text_fail() gives a field, which is how yaml_text_place() finds it again.
 */
#include "base/yaml.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define PATH_SIZE sizeof(((struct cella_error *)NULL)->field)

struct place {
    char path[PATH_SIZE]; /* cut as an error's field is */
    size_t line;          /* from 1 */
    size_t column;        /* from 1 */
};

struct yaml_text {
    char *file;
    json_t *root;
    struct place *places;
    size_t place_count;
};

/* ---- scalars: the core schema ---- */

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
    size_t i = 0;
    while (i < count && strcmp(text, words[i]) != 0) {
        i++;
    }
    return i < count;
}

static const char digits[] = "0123456789";

/* [-+]? ( [0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+ ), without a sign before 0o and 0x.
 * *ret_digits are those to convert, with their sign. */
static bool is_integer(const char *text, int *ret_base, const char **ret_digits)
{
    const char *set = digits;
    const char *at = text + (*text == '-' || *text == '+');
    *ret_base = 10;
    *ret_digits = text;
    if (strncmp(text, "0o", 2) == 0 || strncmp(text, "0x", 2) == 0) {
        *ret_base = text[1] == 'o' ? 8 : 16;
        set = text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
        at = text + 2;
        *ret_digits = at;
    }
    size_t size = strspn(at, set);
    return size > 0 && at[size] == '\0';
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static bool is_real(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = strspn(at, digits);
    at += whole;
    size_t fraction = 0;
    if (*at == '.') {
        fraction = strspn(at + 1, digits);
        at += 1 + fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        size_t exponent = strspn(at, digits);
        at += exponent;
        return exponent > 0 && *at == '\0';
    }
    return *at == '\0';
}

/* The program's locale may write 1.5 as 1,5; files do not. */
static int real_value(const char *text, double *ret_value)
{
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return -1;
    }
    *ret_value = strtod_l(text, NULL, plain);
    freelocale(plain);
    return 0;
}

/* A plain scalar by its form.  Returns NULL with *ret_problem set when it has no value in JSON, and
 * with *ret_problem NULL when memory is short. */
static json_t *plain_scalar(const char *text, size_t size, const char **ret_problem)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    static const char *const odd_reals[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                            "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    int base;
    const char *number;
    *ret_problem = NULL;
    if (is_one_of(text, nulls, ARRAY_LENGTH(nulls))) {
        return json_null();
    }
    if (is_one_of(text, trues, ARRAY_LENGTH(trues))) {
        return json_true();
    }
    if (is_one_of(text, falses, ARRAY_LENGTH(falses))) {
        return json_false();
    }
    if (is_integer(text, &base, &number)) {
        errno = 0;
        long long value = strtoll(number, NULL, base);
        if (errno == ERANGE) {
            *ret_problem = "the number is too large";
            return NULL;
        }
        return json_integer(value);
    }
    double value = 0;
    if (is_one_of(text, odd_reals, ARRAY_LENGTH(odd_reals))) {
        *ret_problem = "the number must be finite";
        return NULL;
    }
    if (!is_real(text)) {
        return json_stringn(text, size);
    }
    if (real_value(text, &value) < 0) {
        return NULL;
    }
    if (!isfinite(value)) {
        *ret_problem = "the number is too large";
        return NULL;
    }
    return json_real(value);
}

/* ---- the tree ---- */

struct level { /* an open mapping or sequence */
    json_t *container;
    char path[PATH_SIZE];
    char key[YAML_TEXT_KEY_MAX + 1]; /* of the member whose value comes next; "" when a key does */
    yaml_mark_t key_mark;
    yaml_mark_t begin;
    bool is_flow; /* in brackets */
};

struct reader {
    struct yaml_text *yaml;
    struct level levels[YAML_TEXT_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    yaml_mark_t quote, quote_end; /* of the last text in quotes */
    struct cella_error *err;
};

static int fail_at(const struct reader *reader, yaml_mark_t mark, const char *problem)
{
    return error_set(reader->err, CELLA_ERROR_HOST, 0, "%s:%zu:%zu: %s", reader->yaml->file,
                     mark.line + 1, mark.column + 1, problem);
}

static struct level *top_of(struct reader *reader)
{
    return reader->depth == 0 ? NULL : &reader->levels[reader->depth - 1];
}

static bool wants_key(const struct level *level)
{
    return level != NULL && json_is_object(level->container) && level->key[0] == '\0';
}

static int read_key(struct reader *reader, struct level *level, const yaml_event_t *event)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (size == 0 || strspn(text, letters) != size) {
        return fail_at(reader, event->start_mark,
                       "a key is a word of letters, digits, '_' and '-'");
    }
    if (size > YAML_TEXT_KEY_MAX) {
        return fail_at(reader, event->start_mark, "the key is too long");
    }
    memcpy(level->key, text, size + 1);
    level->key_mark = event->start_mark;
    if (json_object_get(level->container, text) != NULL) {
        char problem[YAML_TEXT_KEY_MAX + 32];
        (void)snprintf(problem, sizeof(problem), "the key '%s' is there twice", text); /* fits */
        return fail_at(reader, event->start_mark, problem);
    }
    return 0;
}

/* The path of the value that comes next, and where it is: for a member, where its key is. */
static int note_place(struct reader *reader, const struct level *level, yaml_mark_t mark)
{
    struct yaml_text *yaml = reader->yaml;
    struct place *places = alloc_grow(yaml->places, yaml->place_count, sizeof(*places));
    if (places == NULL) {
        return error_set_memory(reader->err);
    }
    yaml->places = places;
    struct place *place = &places[yaml->place_count++];
    *place = (struct place){.path = ""};
    int length = 0;
    if (level != NULL && json_is_object(level->container)) {
        mark = level->key_mark;
        length = snprintf(place->path, PATH_SIZE, "%s%s%s", level->path,
                          level->path[0] == '\0' ? "" : ".", level->key);
    } else if (level != NULL) {
        length = snprintf(place->path, PATH_SIZE, "%s[%zu]", level->path,
                          json_array_size(level->container));
    }
    place->line = mark.line + 1;
    place->column = mark.column + 1;
    return length < 0 ? error_set_memory(reader->err) : 0; /* a cut path is still a path */
}

/* Puts a value into the tree; the reference is taken over, also on failure.  NULL: memory. */
static int add_value(struct reader *reader, json_t *value, yaml_mark_t mark)
{
    struct level *level = top_of(reader);
    if (value == NULL) {
        return error_set_memory(reader->err);
    }
    int added = ++reader->nodes > YAML_TEXT_NODES_MAX
                    ? fail_at(reader, mark, "the file has too many values")
                    : note_place(reader, level, mark);
    if (added < 0) {
        json_decref(value);
        return -1;
    }
    if (level == NULL) {
        reader->yaml->root = value;
        return 0;
    }
    bool is_member = json_is_object(level->container);
    added = is_member ? json_object_set_new(level->container, level->key, value)
                      : json_array_append_new(level->container, value);
    level->key[0] = '\0';
    return added < 0 ? error_set_memory(reader->err) : 0;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
    struct level *level = top_of(reader);
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL) {
        return fail_at(reader, event->start_mark, "anchors and tags are not allowed");
    }
    if (level == NULL) {
        return fail_at(reader, event->start_mark, "the file must be a mapping of names to values");
    }
    if (wants_key(level)) {
        return read_key(reader, level, event);
    }
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        reader->quote = event->start_mark;
        reader->quote_end = event->end_mark;
        return add_value(reader, json_stringn(text, size), event->start_mark);
    }
    const char *problem;
    json_t *value = plain_scalar(text, size, &problem);
    return problem != NULL ? fail_at(reader, event->start_mark, problem)
                           : add_value(reader, value, event->start_mark);
}

static int open_level(struct reader *reader, const yaml_event_t *event)
{
    struct level *parent = top_of(reader);
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor =
        is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (anchor != NULL || tag != NULL) {
        return fail_at(reader, event->start_mark, "anchors and tags are not allowed");
    }
    if (parent == NULL && !is_mapping) {
        return fail_at(reader, event->start_mark, "the file must be a mapping of names to values");
    }
    if (wants_key(parent)) {
        return fail_at(reader, event->start_mark, "a key must be a single word");
    }
    if (reader->depth == YAML_TEXT_DEPTH_MAX) {
        return fail_at(reader, event->start_mark, "the values are nested too deep");
    }
    json_t *container = is_mapping ? json_object() : json_array();
    if (add_value(reader, container, event->start_mark) < 0) {
        return -1;
    }
    struct level *level = &reader->levels[reader->depth++];
    *level = (struct level){
        .container = container,
        .begin = event->start_mark,
        .is_flow = is_mapping ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                              : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE};
    memcpy(level->path, reader->yaml->places[reader->yaml->place_count - 1].path, PATH_SIZE);
    return 0;
}

static int read_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(reader, event->start_mark, "aliases are not allowed");
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return open_level(reader, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        return reader->yaml->root == NULL
                   ? 0
                   : fail_at(reader, event->start_mark, "the file must have one document only");
    case YAML_STREAM_END_EVENT:
        return reader->yaml->root != NULL ? 0
                                          : fail_at(reader, event->start_mark, "the file is empty");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

/* ---- the text ---- */

/* What is not closed goes wrong somewhere behind it: then where it was opened is what helps. */
static int fail_unclosed(const struct reader *reader, const yaml_parser_t *parser)
{
    const struct level *level = reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;
    const yaml_mark_t mark = parser->problem_mark;
    char problem[160];
    if (parser->error == YAML_SCANNER_ERROR && parser->context != NULL &&
        strcmp(parser->context, "while scanning a quoted scalar") == 0 &&
        parser->context_mark.line < mark.line) {
        return fail_at(reader, parser->context_mark, "the quoted text that begins here has no end");
    }
    if (parser->error == YAML_PARSER_ERROR && reader->quote.line < mark.line &&
        reader->quote_end.line == mark.line) { /* by the beginning of the next one */
        (void)snprintf(
            problem, sizeof(problem),
            "the quoted text that begins here ends at line %zu, column %zu, and there %s",
            mark.line + 1, reader->quote_end.column, parser->problem); /* a cut is fine */
        return fail_at(reader, reader->quote, problem);
    }
    if (parser->error == YAML_PARSER_ERROR && level != NULL && level->is_flow &&
        level->begin.line < mark.line) {
        (void)snprintf(problem, sizeof(problem),
                       "what '%c' opens here goes wrong at line %zu, column %zu: %s",
                       json_is_object(level->container) ? '{' : '[', mark.line + 1, mark.column + 1,
                       parser->problem); /* a cut is fine */
        return fail_at(reader, level->begin, problem);
    }
    return fail_at(reader, mark, parser->problem);
}

static int fail_parser(const struct reader *reader, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return error_set_memory(reader->err);
    }
    if (parser->error == YAML_READER_ERROR) { /* bytes that are no text have an offset only */
        return error_set(reader->err, CELLA_ERROR_HOST, 0, "%s: byte %zu: %s", reader->yaml->file,
                         parser->problem_offset, parser->problem);
    }
    return fail_unclosed(reader, parser);
}

static int read_all(struct reader *reader, yaml_parser_t *parser)
{
    yaml_event_type_t last = YAML_NO_EVENT;
    while (last != YAML_STREAM_END_EVENT) { /* the text ends, so the events do */
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return fail_parser(reader, parser);
        }
        last = event.type;
        int status = read_event(reader, &event);
        yaml_event_delete(&event);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

static int parse_into(struct yaml_text *yaml, const char *text, size_t size,
                      struct cella_error *err)
{
    if (size > YAML_TEXT_SIZE_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0, "%s has %zu bytes, at most %u are allowed",
                         yaml->file, size, YAML_TEXT_SIZE_MAX);
    }
    struct reader reader = {.yaml = yaml, .err = err};
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return error_set_memory(err);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int status = read_all(&reader, &parser);
    yaml_parser_delete(&parser);
    return status;
}

int yaml_text_parse(const char *file, const char *text, size_t size, struct yaml_text **ret_yaml,
                    struct cella_error *err)
{
    struct yaml_text *yaml = calloc(1, sizeof(*yaml));
    if (yaml == NULL || (yaml->file = alloc_copy(file, strlen(file))) == NULL) {
        yaml_text_destroy(yaml);
        return error_set_memory(err);
    }
    if (parse_into(yaml, text, size, err) < 0) {
        yaml_text_destroy(yaml);
        return -1;
    }
    *ret_yaml = yaml;
    return 0;
}

void yaml_text_destroy(struct yaml_text *yaml)
{
    if (yaml != NULL) {
        json_decref(yaml->root);
        free(yaml->places);
        free(yaml->file);
        free(yaml);
    }
}

json_t *yaml_text_root(const struct yaml_text *yaml)
{
    return yaml->root;
}

bool yaml_text_find(const struct yaml_text *yaml, const char *path, size_t *ret_line,
                    size_t *ret_column)
{
    for (size_t i = 0; i < yaml->place_count; i++) {
        if (strcmp(yaml->places[i].path, path) == 0) {
            *ret_line = yaml->places[i].line;
            *ret_column = yaml->places[i].column;
            return true;
        }
    }
    return false;
}

int yaml_text_place(const struct yaml_text *yaml, struct cella_error *err)
{
    if (err->kind != CELLA_ERROR_CALLER) {
        return -1;
    }
    char hint[sizeof(err->hint)];
    memcpy(hint, err->hint, sizeof(hint));
    size_t i = 0;
    while (i + 1 < yaml->place_count && strcmp(yaml->places[i].path, err->field) != 0) {
        i++;
    }
    /* A field that is not in the text is a missing one: then the whole is meant. */
    bool found = strcmp(yaml->places[i].path, err->field) == 0;
    const struct place *place = &yaml->places[found ? i : 0];
    (void)error_set(err, CELLA_ERROR_HOST, 0, "%s:%zu:%zu: %s", yaml->file, place->line,
                    place->column, err->text);
    return error_set_hint(err, "%s", hint);
}
