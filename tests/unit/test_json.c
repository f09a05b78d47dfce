/* JSON from outside: what is refused and where, and JSON written: what a reader gets back. */
#include "base/json.h"
#include "base/json_parts.h"
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX 1000000

static void refused(const char *text, size_t size, const char *field, const char *message)
{
    json_t *value = NULL;
    struct cella_error err;
    assert_int_equal(json_text_parse(text, size, MAX, &value, &err), -1);
    assert_null(value);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    if (strstr(err.text, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, err.text);
    }
    assert_string_equal(err.field, field);
}

static void refused_text(const char *text, const char *field, const char *message)
{
    refused(text, strlen(text), field, message);
}

static void test_refuses(void **state)
{
    (void)state;
    refused_text("", "", "not valid JSON: line 1, column 0");
    refused_text("{", "", "line 1, column 1");
    refused_text("{\"a\": 1,\n \"b\": \"x\"", "",
                 "line 2, column 9: '}' expected near end of file");
    refused_text("{\"a\": \"x", "", "line 1, column 8: premature end of input");
    refused_text("{\"a\": [1, ", "", "near end of file");
    refused_text("{}x", "", "end of file expected");
    refused_text("{} {}", "", "end of file expected");
    refused_text("{\n \"a\": 1,\n \"b\": tru\n}", "b", "line 3, column 9");
    refused_text("{\"a\": [1, 2, {\"b\": nope}]}", "a[2].b", "invalid token");
    refused_text("{\"a\": \"\xFF\"}", "a", "unable to decode byte 0xff");
    refused_text("{\"a\": \"\\ud800\"}", "a", "invalid Unicode");
    refused_text("{\"a\": \"\\udc00\"}", "a", "invalid Unicode");
    refused_text("[1e999]", "[0]", "real number overflow");
    refused_text("[99999999999999999999]", "[0]", "too big integer");
    refused_text("[01]", "[0]", "invalid token");
    refused_text("[1,]", "", "unexpected token");
    refused_text("{'a': 1}", "", "expected");
    refused_text("// no comments\n{}", "", "invalid token");
    refused("{\"a\0b\": 1}", 10, "", "control character");
    refused_text("{\"a\\u0000b\": 1}", "a\\u0000b", "NUL byte in object key");
}

static void test_a_key_twice(void **state)
{
    (void)state;
    refused_text("{\"a\": 1, \"a\": 2}", "a", "duplicate object key");
    refused_text("{\"x\": [0, {\"b\": {\"c\": 1, \"c\": 1}}]}", "x[1].b.c", "duplicate object key");
    refused_text("{\"a\": 1, \"\\u0061\": 2}", "\\u0061", "duplicate object key");
}

/* `count` opening brackets, then as many closing. */
static char *nested(size_t count)
{
    char *text = calloc(2 * count + 1, 1);
    assert_non_null(text);
    memset(text, '[', count);
    memset(text + count, ']', count);
    return text;
}

static void test_bounds(void **state)
{
    (void)state;
    json_t *value = NULL;
    struct cella_error err;
    char *deep = nested(JSON_TEXT_DEPTH_MAX);
    assert_int_equal(json_text_parse(deep, strlen(deep), MAX, &value, &err), 0);
    json_decref(value);
    free(deep);
    deep = nested(JSON_TEXT_DEPTH_MAX + 1);
    refused_text(deep, "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]", "more than 16 levels");
    free(deep);

    /* Zeros: one value for the array, and one for each. */
    struct buffer many;
    buffer_init(&many, 0);
    assert_int_equal(buffer_add_string(&many, "[0"), 0);
    for (size_t i = 2; i < JSON_TEXT_VALUES_MAX; i++) {
        assert_int_equal(buffer_add_string(&many, ",0"), 0);
    }
    assert_int_equal(buffer_add_string(&many, "]"), 0);
    assert_int_equal(json_text_parse(many.data, many.size, MAX, &value, &err), 0);
    assert_int_equal(json_array_size(value), JSON_TEXT_VALUES_MAX - 1);
    json_decref(value);
    many.data[many.size - 1] = ',';
    assert_int_equal(buffer_add_string(&many, "0]"), 0);
    refused(many.data, many.size, "[65534]", "more than 65536 values");
    buffer_done(&many);

    assert_int_equal(json_text_parse("[ ]", 3, 3, &value, &err), 0);
    json_decref(value);
    assert_int_equal(json_text_parse("[  ]", 4, 3, &value, &err), -1);
    assert_string_equal(err.text, "the JSON has 4 bytes, at most 3 are allowed");
}

/* Brackets and commas inside strings are not counted. */
static void test_strings_hide_brackets(void **state)
{
    (void)state;
    json_t *value = NULL;
    struct cella_error err;
    const char *text = "[\"[[[[[[[[[[[[[[[[[[[[\", \"\\\"[[[[[[[[[[[[[[[[[[[\", \"\\\\\"]";
    assert_int_equal(json_text_parse(text, strlen(text), MAX, &value, &err), 0);
    assert_int_equal(json_array_size(value), 3);
    json_decref(value);
}

/* ---- reading by tables ---- */

struct sample {
    bool flag;
    const char *word;
    size_t sum;
};

static int read_flag(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct sample *sample = target;
    return json_text_read_bool(value, where, &sample->flag, err);
}

static int read_word(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct sample *sample = target;
    return json_text_read_word(value, where, &sample->word, err);
}

static int read_size(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct sample *sample = target;
    const char *text;
    size_t size;
    if (json_text_read_string(value, where, &text, &size, err) < 0) {
        return -1;
    }
    sample->sum += size;
    return 0;
}

static int read_list(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    return json_text_read_array(value, target, read_size, where, err);
}

static int read_sample(const char *text, struct sample *sample, struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"flag", read_flag}, {"word", read_word}, {"list", read_list}};
    json_t *value = NULL;
    assert_int_equal(json_text_parse(text, strlen(text), MAX, &value, err), 0);
    int result = json_text_read_object(value, fields, 3, sample, NULL, err);
    json_decref(value);
    return result;
}

static void test_reads(void **state)
{
    (void)state;
    struct sample sample = {.word = "untouched"};
    struct cella_error err;
    assert_int_equal(
        read_sample("{\"flag\": true, \"list\": [\"a\", \"b\\u0000c\"], \"word\": null}", &sample,
                    &err),
        0);
    assert_true(sample.flag);
    assert_int_equal(sample.sum, 4);
    assert_string_equal(sample.word, "untouched"); /* null is absent */
}

static void misread(const char *text, const char *field, const char *message, const char *hint)
{
    struct sample sample = {0};
    struct cella_error err;
    assert_int_equal(read_sample(text, &sample, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.field, field);
    assert_string_equal(err.text, message);
    assert_string_equal(err.hint, hint);
}

static void test_misreads(void **state)
{
    (void)state;
    misread("[]", "", "the JSON must be an object, not an array", "");
    misread("{\"flga\": 1}", "flga", "flga is not a field", "did you mean 'flag'?");
    misread("{\"other\": 1}", "other", "other is not a field", "");
    misread("{\"flag\": 1}", "flag", "flag must be true or false, not a number", "");
    misread("{\"flag\": \"true\"}", "flag", "flag must be true or false, not a string", "");
    misread("{\"list\": {}}", "list", "list must be an array, not an object", "");
    misread("{\"list\": [\"\", 1.5]}", "list[1]", "list[1] must be a string, not a number", "");
    misread("{\"list\": [null]}", "list[0]", "list[0] must be a string, not null", "");
    misread("{\"word\": \"a\\u0000\"}", "word", "word must not contain NUL", "");
    misread("{\"word\": false}", "word", "word must be a string, not a boolean", "");
}

/* ---- writing ---- */

static void test_writes(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 0);
    json_write_init(&writer, &buffer);
    json_write_open(&writer, '{');
    json_write_key(&writer, "a");
    json_write_open(&writer, '[');
    json_write_null(&writer);
    json_write_bool(&writer, true);
    json_write_bool(&writer, false);
    json_write_integer(&writer, INT64_MIN);
    json_write_unsigned(&writer, UINT64_MAX);
    json_write_thousandths(&writer, 1500);
    json_write_open(&writer, '{');
    json_write_close(&writer, '}');
    json_write_close(&writer, ']');
    json_write_key(&writer, "b\n");
    json_write_base64(&writer, "foob", 4);
    json_write_key(&writer, "c");
    json_write_text(&writer, "\"\\\b\f\n\r\t\0\x1f\x7f/\xE2\x82\xAC", 14);
    json_write_close(&writer, '}');
    assert_false(writer.failed);
    assert_string_equal(buffer.data,
                        "{\"a\":[null,true,false,-9223372036854775808,18446744073709551615,1.5,"
                        "{}],\"b\\n\":\"Zm9vYg==\",\"c\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"
                        "\x7f/\xE2\x82\xAC\"}");
    buffer_done(&buffer);
}

static void test_replaces_what_is_no_text(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 0);
    json_write_init(&writer, &buffer);
    json_write_text(&writer,
                    "a\xFF"
                    "b\xE2\x82"
                    "c\xF0\x9F\x98",
                    9);
    assert_string_equal(buffer.data, "\"a\xEF\xBF\xBD"
                                     "b\xEF\xBF\xBD"
                                     "c\xEF\xBF\xBD\"");
    buffer_done(&buffer);
}

/* Every byte, and every pair with a byte that is no character alone, comes back as text. */
static void test_any_bytes_give_good_json(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair += 7) {
        char text[2] = {(char)(pair >> 8), (char)(pair & 255)};
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, 0);
        json_write_init(&writer, &buffer);
        json_write_text(&writer, text, sizeof(text));
        assert_false(writer.failed);
        json_t *value =
            json_loadb(buffer.data, buffer.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_is_string(value));
        json_decref(value);
        buffer_done(&buffer);
    }
}

static void test_a_full_buffer(void **state)
{
    (void)state;
    for (size_t max = 1; max <= 22; max++) {
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, max);
        json_write_init(&writer, &buffer);
        json_write_open(&writer, '[');
        json_write_text(&writer, "abc\n", 4);
        json_write_base64(&writer, "foo", 3);
        json_write_integer(&writer, 12);
        json_write_unsigned(&writer, 3);
        json_write_close(&writer, ']');
        assert_int_equal(writer.failed, max < 21); /* ["abc\n","Zm9v",12,3] */
        buffer_done(&buffer);
    }
}

/* Texts of all sizes around those of parts, and bytes that are none, at every place near a cut. */
static void write_many(struct json_writer *writer, const char *data, size_t shift)
{
    json_write_open(writer, '{');
    json_write_key(writer, "short");
    json_write_text(writer, data, JSON_LONG_MIN - 1);
    json_write_key(writer, "text");
    json_write_text(writer, data + shift, 3 * JSON_PART_SIZE);
    json_write_key(writer, "list");
    json_write_open(writer, '[');
    json_write_text(writer, data + shift, JSON_PART_SIZE + 1);
    json_write_text(writer, data + shift, JSON_PART_SIZE);
    json_write_text(writer, data, JSON_LONG_MIN);
    json_write_close(writer, ']');
    json_write_key(writer, "bytes");
    json_write_base64(writer, data + shift, 2 * JSON_PART_SIZE + shift);
    json_write_close(writer, '}');
}

static void test_parts_are_the_whole(void **state)
{
    static const char *const patterns[] = {
        "a",    "\"\n",     "\xc3\xa4",     "\xe2\x82\xac",    "\xf0\x9f\x98\x80",
        "\x80", "\xe2\x82", "\xf0\x9f\x98", "\xe2\x82\xac\xff"};
    static char data[4 * JSON_PART_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        for (size_t k = 0; k < sizeof(data); k++) {
            data[k] = patterns[i][k % strlen(patterns[i])];
        }
        for (size_t shift = 0; shift < 4; shift++) {
            struct buffer whole, joined;
            struct json_parts parts;
            struct json_writer writer;
            int more;
            buffer_init(&whole, 0);
            buffer_init(&joined, 0);
            json_parts_init(&parts);
            json_write_init(&writer, &whole);
            write_many(&writer, data, shift);
            assert_false(writer.failed);
            json_write_init_parts(&writer, &parts);
            write_many(&writer, data, shift);
            assert_false(writer.failed);
            assert_true(parts.text.size < 2 * JSON_LONG_MIN * 6);
            do {
                const size_t before = joined.size;
                more = json_parts_next(&parts, &joined);
                assert_true(more >= 0 && joined.size - before <= (size_t)6 * JSON_PART_SIZE);
                assert_true(more == 0 || joined.size > before);
            } while (more > 0);
            assert_int_equal(joined.size, whole.size);
            assert_memory_equal(joined.data, whole.data, whole.size);
            json_parts_done(&parts);
            buffer_done(&joined);
            buffer_done(&whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_a_key_twice),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_strings_hide_brackets),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_misreads),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_replaces_what_is_no_text),
        cmocka_unit_test(test_any_bytes_give_good_json),
        cmocka_unit_test(test_a_full_buffer),
        cmocka_unit_test(test_parts_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
