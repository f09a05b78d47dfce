/* UTF-8: every code point, every way to be wrong, every cut. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* By the definition, not by the code under test; surrogates and what is too large too. */
static size_t encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(leads[length] | code);
    return length;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        char text[4];
        size_t size = encode(code, text);
        bool good = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
        uint32_t decoded = UINT32_MAX;
        size_t length = utf8_decode(text, size, &decoded);
        assert_int_equal(length, good ? size : 0);
        assert_int_equal(decoded, good ? code : UINT32_MAX);
        assert_int_equal(utf8_is_valid(text, size), good);
        /* Cut short it is never valid, and utf8_cut() takes it away. */
        for (size_t cut = 1; good && cut < size; cut++) {
            assert_int_equal(utf8_valid_prefix(text, cut), 0);
            assert_int_equal(utf8_cut(text, cut), 0);
            assert_int_equal(utf8_boundary(text, size, cut), 0);
        }
        if (good) {
            assert_int_equal(utf8_cut(text, size), size);
            assert_int_equal(utf8_boundary(text, size, size), size);
        }
    }
}

static void test_bad_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad; /* bytes that one U+FFFD stands for */
    } cases[] = {
        {"\x80", 1},         {"\xFF", 1},         {"\xC0\x80", 1},         {"\xC1\xBF", 1},
        {"\xE0\x80\x80", 1}, {"\xE0\xA0", 2},     {"\xED\xA0\x80", 1},     {"\xE2\x82", 2},
        {"\xE2\x82!", 2},    {"\xF0\x80\x80", 1}, {"\xF0\x9F\x98", 3},     {"\xF4\x90\x80\x80", 1},
        {"\xF5\x80", 1},     {"\xC3(", 1},        {"\xF0\x9F\x98\xF0", 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].text);
        assert_false(utf8_is_valid(cases[i].text, size));
        assert_int_equal(utf8_bad_length(cases[i].text, size), cases[i].bad);
    }
}

static void test_long_texts(void **state)
{
    (void)state;
    char text[64];
    for (size_t position = 0; position < sizeof(text); position++) {
        memset(text, 'a', sizeof(text));
        text[position] = '\x80';
        assert_int_equal(utf8_valid_prefix(text, sizeof(text)), position);
    }
    assert_int_equal(utf8_valid_prefix("", 0), 0);
    assert_true(utf8_is_valid(NULL, 0));
}

static void test_cut_keeps_what_is_whole(void **state)
{
    (void)state;
    assert_int_equal(utf8_cut("abc", 3), 3);
    assert_int_equal(utf8_cut("a\xE2\x82\xAC", 4), 4);
    assert_int_equal(utf8_cut("a\xE2\x82", 3), 1);
    assert_int_equal(utf8_cut("a\xE2", 2), 1);
    assert_int_equal(utf8_cut("a\x80", 2), 2); /* no beginning of anything */
    assert_int_equal(utf8_cut("a\xFF", 2), 2);
    assert_int_equal(utf8_cut("", 0), 0);
    assert_int_equal(utf8_boundary("a\xE2\x82\xAC z", 6, 2), 1);
    assert_int_equal(utf8_boundary("a\xE2\x82\xAC z", 6, 3), 1);
    assert_int_equal(utf8_boundary("a\xE2\x82\xAC z", 6, 4), 4);
    assert_int_equal(utf8_boundary("\x80\x80\x80", 3, 2), 2);
}

static void test_controls(void **state)
{
    (void)state;
    assert_true(utf8_is_control(0));
    assert_true(utf8_is_control(0x1F));
    assert_false(utf8_is_control(0x20));
    assert_false(utf8_is_control(0x7E));
    assert_true(utf8_is_control(0x7F));
    assert_true(utf8_is_control(0x9F));
    assert_false(utf8_is_control(0xA0));
    assert_null(utf8_problem("", 0));
    assert_null(utf8_problem("a \xC3\xA9", 4));
    assert_string_equal(utf8_problem("a\n", 2), "contains a control character");
    assert_string_equal(utf8_problem("a\xC2\x85", 3), "contains a control character");
    assert_string_equal(utf8_problem("a\xC3", 2), "is not valid UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_bad_sequences),
        cmocka_unit_test(test_long_texts),       cmocka_unit_test(test_cut_keeps_what_is_whole),
        cmocka_unit_test(test_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
