/* Hexadecimal digits. */
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_letter_has_its_value(void **state)
{
    (void)state;
    for (int letter = 0; letter < 256; letter++) {
        const char text[] = {(char)letter, '\0'};
        char *end;
        const long value = strtol(text, &end, 16); /* which passes over spaces and signs */
        assert_int_equal(hex_value((char)letter), end == text ? -1 : value);
    }
}

static void bytes_become_two_digits_each(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x00, 0x0f, 0xa5, 0xff};
    char text[sizeof(bytes) * 2 + 1] = "????????";
    hex_write(bytes, sizeof(bytes), text);
    assert_string_equal(text, "000fa5ff");
    hex_write(bytes, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_letter_has_its_value),
        cmocka_unit_test(bytes_become_two_digits_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
