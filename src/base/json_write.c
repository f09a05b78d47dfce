/* Writing JSON as a stream: see json_write.h. */
#include "base/json_write.h"

#include "base/base64.h"
#include "base/units.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

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
static void add_escape(struct json_writer *writer, char character)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = character == '\0' ? NULL : strchr(plain, character);
    if (found != NULL) {
        char escape[2] = {'\\', letters[found - plain]};
        add(writer, escape, sizeof(escape));
    } else {
        static const char digits[] = "0123456789abcdef";
        char escape[6] = {'\\', 'u', '0', '0', digits[character >> 4 & 15], digits[character & 15]};
        add(writer, escape, sizeof(escape));
    }
}

/* Valid UTF-8. */
static void add_escaped(struct json_writer *writer, const char *data, size_t size)
{
    size_t plain = 0; /* where what needs no escape, and is not yet written, begins */
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            add(writer, data + plain, i - plain);
            add_escape(writer, data[i]);
            plain = i + 1;
        }
    }
    add(writer, data + plain, size - plain);
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
