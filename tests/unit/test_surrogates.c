/* Halves of characters in JSON: alone they are replaced, together they stay. */
#include "front/serve/contracts/surrogates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_mending(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"\"a\"", "\"a\""},
        {"\"\\ud83d\"", "\"\\ufffd\""},
        {"\"\\ude00\"", "\"\\ufffd\""},
        {"\"\\uD83D\\uDE00\"", "\"\\uD83D\\uDE00\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
        {"\"\\ud83dx\\ude00\"", "\"\\ufffdx\\ufffd\""},
        {"\"\\\\ud83d\"", "\"\\\\ud83d\""},
        {"\"\\\\\\ud83d\"", "\"\\\\\\ufffd\""},
        {"\"\\u00e9\\n\\ud83d\\n\"", "\"\\u00e9\\n\\ufffd\\n\""},
        {"\"\\ud83", "\"\\ud83"},
        {"\"\\ud83d", "\"\\ufffd"},
        {"\\", "\\"},
        {"\\u", "\\u"},
        {"\"\\ud83d\\ude0\"", "\"\\ufffd\\ude0\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%s", rows[i][0]);
        surrogates_mend(text, strlen(text));
        assert_string_equal(text, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mending)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
