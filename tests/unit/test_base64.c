/* Base64: the RFC's vectors, every remainder, and everything that is not strict. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_vectors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xBF", "+/+/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32] = "";
        size_t size = strlen(cases[i][0]);
        base64_encode(cases[i][0], size, text);
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(base64_encoded_size(size), strlen(text));
        char data[32] = "";
        size_t decoded = 99;
        assert_true(base64_decoded_max(strlen(text)) >= size);
        assert_int_equal(base64_decode(text, strlen(text), data, &decoded), 0);
        assert_int_equal(decoded, size);
        assert_memory_equal(data, cases[i][0], size);
    }
}

static void test_every_byte_at_every_remainder(void **state)
{
    (void)state;
    unsigned char data[259];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char)i;
    }
    for (size_t size = 256; size <= sizeof(data); size++) {
        char text[400];
        unsigned char back[300];
        size_t decoded;
        base64_encode(data, size, text);
        assert_int_equal(base64_decode(text, base64_encoded_size(size), back, &decoded), 0);
        assert_int_equal(decoded, size);
        assert_memory_equal(back, data, size);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Z",      "Zg",       "Zg=",        "=",    "====", "Z===",  "Zh==",    "Zm9=",    "Zm 9",
        "Zg==\n", "Zg==Zg==", "Zm9v\nZm9v", "Zm-_", "Z=g=", "Zm8=A", "Zm9\xC3", "Zm9v===="};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char data[32];
        size_t size = 99;
        assert_int_equal(base64_decode(cases[i], strlen(cases[i]), data, &size), -1);
        assert_int_equal(size, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_byte_at_every_remainder),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
