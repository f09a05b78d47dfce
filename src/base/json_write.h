/*
 * Writing JSON as a stream into a buffer, so that large texts are never held twice.
 *
 * Every function may be called after a failure and then does nothing: the caller looks at `failed`
 * once, at the end.  Commas are put where they belong; keys and brackets are the caller's to match.
 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

struct json_parts;

struct json_writer {
    struct buffer *out;
    struct json_parts *parts; /* whose text `out` is: then long texts are theirs; NULL: none */
    bool failed;
    bool comma; /* the next value or key is not the first of its object or array */
};

void json_write_init(struct json_writer *writer, struct buffer *out);
/* For JSON that is given part by part. */
void json_write_init_parts(struct json_writer *writer, struct json_parts *parts);

void json_write_open(struct json_writer *writer, char bracket);  /* '{' or '[' */
void json_write_close(struct json_writer *writer, char bracket); /* '}' or ']' */
void json_write_key(struct json_writer *writer, const char *key);

void json_write_null(struct json_writer *writer);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_integer(struct json_writer *writer, int64_t value);
void json_write_unsigned(struct json_writer *writer, uint64_t value);
/* value / 1000 as an exact decimal: microseconds as milliseconds, say. */
void json_write_thousandths(struct json_writer *writer, uint64_t value);
void json_write_string(struct json_writer *writer, const char *string);
/* Any bytes; U+FFFD stands for what is not UTF-8. */
void json_write_text(struct json_writer *writer, const char *data, size_t size);
/* null for NULL and for an empty string; and the same as a member of an object. */
void json_write_string_or_null(struct json_writer *writer, const char *string);
void json_write_member(struct json_writer *writer, const char *key, const char *string);
/* The bytes in base64, as a string. */
void json_write_base64(struct json_writer *writer, const char *data, size_t size);

/* What json_write_text() and json_write_base64() put between the quotes.  -1 when memory is
 * short. */
int json_add_text(struct buffer *out, const char *data, size_t size) MUST_CHECK;
int json_add_base64(struct buffer *out, const char *data, size_t size) MUST_CHECK;

#endif
