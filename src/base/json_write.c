/* Writing JSON as a stream: see json_write.h. */
#include "base/json_write.h"

#include "base/base64.h"
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

void json_write_string(struct json_writer *writer, const char *string)
{
    json_write_text(writer, string, strlen(string));
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
static void add_escaped(struct json_writer *writer, const char *data, size_t size)
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
        add(writer, block, used);
    }
}

void json_write_text(struct json_writer *writer, const char *data, size_t size)
{
    begin(writer);
    add(writer, "\"", 1);
    for (size_t offset = 0; offset < size && !writer->failed;) {
        size_t valid = utf8_valid_prefix(data + offset, size - offset);
        add_escaped(writer, data + offset, valid);
        offset += valid;
        if (offset < size) {
            add(writer, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
            offset += utf8_bad_length(data + offset, size - offset);
        }
    }
    add(writer, "\"", 1);
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

void json_write_base64(struct json_writer *writer, const char *data, size_t size)
{
    begin(writer);
    add(writer, "\"", 1);
    size_t encoded = base64_encoded_size(size);
    char *room = writer->failed ? NULL : buffer_reserve(writer->out, encoded);
    if (room == NULL) {
        writer->failed = true;
        return;
    }
    base64_encode(data, size, room);
    buffer_commit(writer->out, encoded);
    add(writer, "\"", 1);
}
