/* JSON from outside: see json.h. */
#include "base/json.h"

#include "base/error.h"
#include "base/names.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- bounds and places: a scan of the text that knows strings and brackets only ---- */

struct scan_level {
    bool is_object;
    bool key_next;   /* the next string is a key */
    size_t index;    /* of the element, in an array */
    const char *key; /* the member's, as written in the text; NULL before the first */
    size_t key_size;
};

struct scan {
    struct scan_level levels[JSON_TEXT_DEPTH_MAX];
    size_t depth;  /* how many of them are open */
    size_t values; /* seen so far */
    size_t values_max;
};

enum scan_end { SCAN_DONE, SCAN_TOO_DEEP, SCAN_TOO_MANY };

/* The offset after the string that begins at `offset`, or `size` when it does not end. */
static size_t scan_string(const char *text, size_t size, size_t offset)
{
    for (offset++; offset < size; offset++) {
        if (text[offset] == '\\') {
            offset++;
        } else if (text[offset] == '"') {
            return offset + 1;
        }
    }
    return size;
}

/* Walks the first `size` bytes.  Text that is no JSON gives no sense, and no harm. */
static enum scan_end scan_text(struct scan *scan, const char *text, size_t size)
{
    scan->depth = 0;
    scan->values = 1;
    for (size_t offset = 0; offset < size;) {
        struct scan_level *level = scan->depth > 0 ? &scan->levels[scan->depth - 1] : NULL;
        char c = text[offset];
        if (c == '"') {
            size_t end = scan_string(text, size, offset);
            if (level != NULL && level->key_next) {
                level->key = text + offset + 1;
                level->key_size = end - offset >= 2 ? end - offset - 2 : 0;
                level->key_next = false;
            }
            offset = end;
            continue;
        }
        if ((c == '{' || c == '[' || c == ',') && ++scan->values > scan->values_max) {
            return SCAN_TOO_MANY;
        }
        if (c == '{' || c == '[') {
            if (scan->depth == JSON_TEXT_DEPTH_MAX) {
                return SCAN_TOO_DEEP;
            }
            scan->levels[scan->depth++] =
                (struct scan_level){.is_object = c == '{', .key_next = c == '{'};
        } else if ((c == '}' || c == ']') && level != NULL) {
            scan->depth--;
        } else if (c == ',' && level != NULL) {
            level->index++;
            level->key_next = level->is_object;
        }
        offset++;
    }
    return SCAN_DONE;
}

/* Where the scan stopped, as a path. */
static void set_scanned_field(const struct scan *scan, struct cella_error *err)
{
    char path[sizeof(err->field)] = "";
    size_t size = 0;
    for (size_t i = 0; i < scan->depth && size < sizeof(path); i++) {
        const struct scan_level *level = &scan->levels[i];
        int more = 0;
        if (!level->is_object) {
            more = snprintf(path + size, sizeof(path) - size, "[%zu]", level->index);
        } else if (level->key != NULL) {
            int key_size = level->key_size < sizeof(path) ? (int)level->key_size : 0;
            more = snprintf(path + size, sizeof(path) - size, "%s%.*s", size == 0 ? "" : ".",
                            key_size, level->key);
        }
        size += more > 0 ? (size_t)more : 0;
    }
    (void)error_set_field(err, "%s", path);
}

static int check_bounds(const char *text, size_t size, size_t max, size_t values_max,
                        struct cella_error *err)
{
    if (size > max) {
        return error_set(err, CELLA_ERROR_CALLER, 0,
                         "the JSON has %zu bytes, at most %zu are allowed", size, max);
    }
    struct scan scan = {.values_max = values_max};
    enum scan_end end = scan_text(&scan, text, size);
    if (end == SCAN_TOO_DEEP) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "the JSON is nested more than %d levels deep",
                        JSON_TEXT_DEPTH_MAX);
    } else if (end == SCAN_TOO_MANY) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "the JSON has more than %zu values",
                        values_max);
    }
    if (end != SCAN_DONE) {
        set_scanned_field(&scan, err);
        return -1;
    }
    return 0;
}

void json_text_done(json_t **value)
{
    json_decref(*value);
}

int json_text_parse(const char *text, size_t size, size_t max, json_t **ret_value,
                    struct cella_error *err)
{
    return json_text_parse_values(text, size, max, JSON_TEXT_VALUES_MAX, ret_value, err);
}

int json_text_parse_values(const char *text, size_t size, size_t max, size_t values_max,
                           json_t **ret_value, struct cella_error *err)
{
    if (check_bounds(text, size, max, values_max, err) < 0) {
        return -1;
    }
    json_error_t problem;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY;
    errno = 0;
    json_t *value = json_loadb(text, size, flags, &problem);
    if (value != NULL) {
        *ret_value = value;
        return 0;
    }
    /* jansson mostly reports a lack of memory as bad JSON; malloc() leaves its mark in errno. */
    if (errno == ENOMEM || json_error_code(&problem) == json_error_out_of_memory) {
        return error_set_memory(err);
    }
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "not valid JSON: line %d, column %d: %s",
                    problem.line, problem.column, problem.text);
    if (json_error_code(&problem) == json_error_premature_end_of_input) {
        return -1; /* whatever stands last is not what is wrong */
    }
    struct scan scan = {.values_max = values_max};
    size_t position = problem.position > 0 ? (size_t)problem.position : 0;
    if (scan_text(&scan, text, position < size ? position : size) == SCAN_DONE) {
        set_scanned_field(&scan, err);
    }
    return -1;
}

/* ---- errors ---- */

static void append_where(char *path, size_t capacity, const struct json_where *where)
{
    /* From the root down; the depth is bounded by the parser, and by the code for its own. */
    const struct json_where *chain[JSON_TEXT_DEPTH_MAX];
    size_t depth = 0;
    for (; where != NULL && depth < JSON_TEXT_DEPTH_MAX; where = where->parent) {
        chain[depth++] = where;
    }
    size_t size = 0;
    while (depth > 0 && size < capacity) {
        const struct json_where *step = chain[--depth];
        int more = step->key == NULL ? snprintf(path + size, capacity - size, "[%zu]", step->index)
                                     : snprintf(path + size, capacity - size, "%s%s",
                                                size == 0 ? "" : ".", step->key);
        size += more > 0 ? (size_t)more : 0;
    }
}

int json_text_fail(struct cella_error *err, const struct json_where *where, const char *format, ...)
{
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* error_set() mends a cut */
    va_end(args);
    char path[sizeof(err->field)] = "";
    append_where(path, sizeof(path), where);
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s %s", path[0] != '\0' ? path : "the JSON", text);
    return error_set_field(err, "%s", path);
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

static int fail_type(struct cella_error *err, const struct json_where *where, const char *wanted,
                     json_t *value)
{
    (void)json_text_fail(err, where, "must be %s, not %s", wanted, type_name(value));
    return -1;
}

/* ---- readers ---- */

static int fail_unknown(struct cella_error *err, const struct json_where *where, const char *name,
                        const struct json_field *fields, size_t field_count)
{
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (size_t i = 0; i < field_count; i++) {
        names_guess_offer_shortened(&guess, fields[i].name);
    }
    (void)json_text_fail(err, where, "is not a field");
    return names_guess_hint(&guess, err);
}

int json_text_read_object(json_t *value, const struct json_field *fields, size_t field_count,
                          void *target, const struct json_where *where, struct cella_error *err)
{
    if (!json_is_object(value)) {
        return fail_type(err, where, "an object", value);
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        const char *name = json_object_iter_key(at);
        json_t *member = json_object_iter_value(at);
        struct json_where here = {.parent = where, .key = name};
        size_t i = 0;
        while (i < field_count && strcmp(fields[i].name, name) != 0) {
            i++;
        }
        if (i == field_count) {
            return fail_unknown(err, &here, name, fields, field_count);
        }
        if (!json_is_null(member) && fields[i].read(target, member, &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int json_text_read_array(json_t *value, void *target,
                         int (*read)(void *target, json_t *value, const struct json_where *where,
                                     struct cella_error *err),
                         const struct json_where *where, struct cella_error *err)
{
    if (!json_is_array(value)) {
        return fail_type(err, where, "an array", value);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct json_where here = {.parent = where, .index = i};
        if (read(target, json_array_get(value, i), &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int json_text_read_bool(json_t *value, const struct json_where *where, bool *ret_bool,
                        struct cella_error *err)
{
    if (!json_is_boolean(value)) {
        return fail_type(err, where, "true or false", value);
    }
    *ret_bool = json_is_true(value);
    return 0;
}

int json_text_read_string(json_t *value, const struct json_where *where, const char **ret_text,
                          size_t *ret_size, struct cella_error *err)
{
    if (!json_is_string(value)) {
        return fail_type(err, where, "a string", value);
    }
    *ret_text = json_string_value(value);
    *ret_size = json_string_length(value);
    return 0;
}

int json_text_read_word(json_t *value, const struct json_where *where, const char **ret_text,
                        struct cella_error *err)
{
    const char *text;
    size_t size;
    if (json_text_read_string(value, where, &text, &size, err) < 0) {
        return -1;
    }
    if (strlen(text) != size) {
        (void)json_text_fail(err, where, "must not contain NUL");
        return -1;
    }
    *ret_text = text;
    return 0;
}

int json_text_read_choice(json_t *value, const struct json_where *where, const char *const *words,
                          size_t count, const char *problem, size_t *ret_index,
                          struct cella_error *err)
{
    const char *text;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_index = i;
            return 0;
        }
    }
    return json_text_fail(err, where, "%s", problem);
}
