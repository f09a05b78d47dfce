/* Writing JSON as a stream: see json_write.h. */
#include "base/json_write.h"

#include "base/base64.h"
#include "base/json_parts.h"
#include "base/units.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

#define ESCAPE_SIZE   6   /* of the longest, \u00xx */
#define ESCAPED_BLOCK 512 /* bytes that are looked at together */

static void add(struct json_writer *writer, const char *data, size_t size)
{
    if (!writer->failed && buffer_add(writer->out, data, size) < 0) {
        writer->failed = true;
    }
}

/* What comes next is a value or a key. */
static void begin(struct json_writer *writer)
{
    if (writer->comma) {
        add(writer, ",", 1);
    }
    writer->comma = true;
}

static void add_value(struct json_writer *writer, const char *text)
{
    begin(writer);
    add(writer, text, strlen(text));
}

void json_write_init(struct json_writer *writer, struct buffer *out)
{
    *writer = (struct json_writer){.out = out};
}

void json_write_init_parts(struct json_writer *writer, struct json_parts *parts)
{
    *writer = (struct json_writer){.out = &parts->text, .parts = parts};
}

void json_write_open(struct json_writer *writer, char bracket)
{
    begin(writer);
    add(writer, &bracket, 1);
    writer->comma = false;
}

void json_write_close(struct json_writer *writer, char bracket)
{
    add(writer, &bracket, 1);
    writer->comma = true;
}

void json_write_key(struct json_writer *writer, const char *key)
{
    json_write_string(writer, key);
    add(writer, ":", 1);
    writer->comma = false;
}

void json_write_null(struct json_writer *writer)
{
    add_value(writer, "null");
}

void json_write_bool(struct json_writer *writer, bool value)
{
    add_value(writer, value ? "true" : "false");
}

void json_write_integer(struct json_writer *writer, int64_t value)
{
    begin(writer);
    if (!writer->failed && buffer_add_format(writer->out, "%" PRId64, value) < 0) {
        writer->failed = true;
    }
}

void json_write_unsigned(struct json_writer *writer, uint64_t value)
{
    begin(writer);
    if (!writer->failed && buffer_add_format(writer->out, "%" PRIu64, value) < 0) {
        writer->failed = true;
    }
}

void json_write_thousandths(struct json_writer *writer, uint64_t value)
{
    char text[UNITS_TEXT_SIZE];
    units_format_cpus(value, text);
    add_value(writer, text);
}

/* One character that JSON does not take as it is. */
/* Returns how many bytes it is, at most ESCAPE_SIZE. */
static size_t escape(char character, char ret_escape[ESCAPE_SIZE])
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    static const char digits[] = "0123456789abcdef";
    const char *found = character == '\0' ? NULL : strchr(plain, character);
    ret_escape[0] = '\\';
    if (found != NULL) {
        ret_escape[1] = letters[found - plain];
        return 2;
    }
    ret_escape[1] = 'u';
    ret_escape[2] = '0';
    ret_escape[3] = '0';
    ret_escape[4] = digits[character >> 4 & 15];
    ret_escape[5] = digits[character & 15];
    return ESCAPE_SIZE;
}

static bool needs_escape(char character)
{
    const unsigned char byte = (unsigned char)character;
    return byte < 0x20 || byte == '"' || byte == '\\';
}

/* Valid UTF-8, a block at a time: a hundred megabytes of what needs escapes are to be had too. */
static int add_escaped(struct buffer *out, const char *data, size_t size)
{
    char block[ESCAPED_BLOCK * ESCAPE_SIZE];
    for (size_t offset = 0; offset < size;) {
        const size_t left = size - offset;
        const size_t end = offset + (left < ESCAPED_BLOCK ? left : ESCAPED_BLOCK);
        size_t used = 0;
        for (; offset < end; offset++) {
            if (needs_escape(data[offset])) {
                used += escape(data[offset], block + used);
            } else {
                block[used++] = data[offset];
            }
        }
        if (buffer_add(out, block, used) < 0) {
            return -1;
        }
    }
    return 0;
}

int json_add_text(struct buffer *out, const char *data, size_t size)
{
    for (size_t offset = 0; offset < size;) {
        size_t valid = utf8_valid_prefix(data + offset, size - offset);
        if (add_escaped(out, data + offset, valid) < 0) {
            return -1;
        }
        offset += valid;
        if (offset < size) {
            if (buffer_add(out, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT)) < 0) {
                return -1;
            }
            offset += utf8_bad_length(data + offset, size - offset);
        }
    }
    return 0;
}

int json_add_base64(struct buffer *out, const char *data, size_t size)
{
    const size_t encoded = base64_encoded_size(size);
    char *room = buffer_reserve(out, encoded);
    if (room == NULL) {
        return -1;
    }
    base64_encode(data, size, room);
    buffer_commit(out, encoded);
    return 0;
}

enum string_form { STRING_TEXT, STRING_BASE64 };

/* Of a long one the quotes, between which it is written when its turn comes. */
static void write_string(struct json_writer *writer, enum string_form form, const char *data,
                         size_t size, bool may_be_long)
{
    const bool is_long = may_be_long && writer->parts != NULL && size >= JSON_LONG_MIN;
    begin(writer);
    add(writer, "\"", 1);
    if (!writer->failed) {
        const int added = is_long ? json_parts_add(writer->parts, data, size, form == STRING_BASE64)
                          : form == STRING_BASE64 ? json_add_base64(writer->out, data, size)
                                                  : json_add_text(writer->out, data, size);
        writer->failed = added < 0;
    }
    add(writer, "\"", 1);
}

void json_write_string(struct json_writer *writer, const char *string)
{
    write_string(writer, STRING_TEXT, string, strlen(string), false);
}

void json_write_text(struct json_writer *writer, const char *data, size_t size)
{
    write_string(writer, STRING_TEXT, data, size, true);
}

void json_write_base64(struct json_writer *writer, const char *data, size_t size)
{
    write_string(writer, STRING_BASE64, data, size, true);
}

void json_write_string_or_null(struct json_writer *writer, const char *string)
{
    if (string != NULL && string[0] != '\0') {
        json_write_string(writer, string);
    } else {
        json_write_null(writer);
    }
}

void json_write_member(struct json_writer *writer, const char *key, const char *string)
{
    json_write_key(writer, key);
    json_write_string_or_null(writer, string);
}
