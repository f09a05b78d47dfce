/*
 * JSON from outside, read strictly, and errors that name the field.  The only header that includes
 * jansson's.
 *
 * Strict: one value and nothing after it, valid UTF-8, no key twice in an object.  Bounded before
 * jansson sees it, in size, depth and number of values: an array of a million empty arrays is small
 * as text and large as a tree.  "\u0000" is allowed in values, so that code and input may hold NUL;
 * whoever wants a C string asks json_text_read_word().
 *
 * How it works.  Where a value lies is a chain of struct json_where on the stack of the readers,
 * turned into text ("files[3].path") only when there is an error.  An object is read by a table of
 * its fields, each with a function of its own; unknown names are refused with the closest known
 * one, and null is the same as absent.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/attributes.h"

#include <cella/error.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_TEXT_DEPTH_MAX  16
#define JSON_TEXT_VALUES_MAX 65536U /* values, and members of objects, in one text */

#define AUTO_JSON CLEANUP(json_text_done)
void json_text_done(json_t **value);

/* CELLA_ERROR_CALLER with line, column and, inside the value, the path when the text is not good
 * JSON or larger than `max` bytes; without a path when it only ends too early. */
int json_text_parse(const char *text, size_t size, size_t max, json_t **ret_value,
                    struct cella_error *err) MUST_CHECK;
/* Likewise with another bound of values than JSON_TEXT_VALUES_MAX. */
int json_text_parse_values(const char *text, size_t size, size_t max, size_t values_max,
                           json_t **ret_value, struct cella_error *err) MUST_CHECK;

struct json_where {
    const struct json_where *parent; /* NULL for the whole text */
    const char *key;                 /* the member of the parent; NULL: its element `index` */
    size_t index;
};

/* CELLA_ERROR_CALLER at that place, whose path begins the text ("files[3].path must be a string").
 * `where` is NULL for the whole.  Returns -1. */
int json_text_fail(struct cella_error *err, const struct json_where *where, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* One field of an object: its name and what reads its value into the `target` of the object. */
struct json_field {
    const char *name;
    int (*read)(void *target, json_t *value, const struct json_where *where,
                struct cella_error *err);
};
int json_text_read_object(json_t *value, const struct json_field *fields, size_t field_count,
                          void *target, const struct json_where *where,
                          struct cella_error *err) MUST_CHECK;

/* Each fails when the value is of another type.  Strings belong to the value. */
int json_text_read_bool(json_t *value, const struct json_where *where, bool *ret_bool,
                        struct cella_error *err) MUST_CHECK;
int json_text_read_string(json_t *value, const struct json_where *where, const char **ret_text,
                          size_t *ret_size, struct cella_error *err) MUST_CHECK;
/* A string without NUL inside. */
int json_text_read_word(json_t *value, const struct json_where *where, const char **ret_text,
                        struct cella_error *err) MUST_CHECK;
/* One of several words: its index.  `problem` says which there are. */
int json_text_read_choice(json_t *value, const struct json_where *where, const char *const *words,
                          size_t count, const char *problem, size_t *ret_index,
                          struct cella_error *err) MUST_CHECK;
/* Calls `read` with each element. */
int json_text_read_array(json_t *value, void *target,
                         int (*read)(void *target, json_t *value, const struct json_where *where,
                                     struct cella_error *err),
                         const struct json_where *where, struct cella_error *err) MUST_CHECK;

#endif
