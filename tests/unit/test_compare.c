/* What a program wrote against what was expected: each rule at its edges, and where they differ. */
#include "front/serve/runs/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGE ((size_t)10 << 20)

static struct compare_text text_of(const char *string)
{
    return (struct compare_text){string, strlen(string)};
}

static bool equal(enum compare_mode mode, const char *expected, const char *got)
{
    const struct compare_rule rule = {mode, COMPARE_TOLERANCE, COMPARE_TOLERANCE};
    struct compare_difference difference;
    return compare_equal(&rule, text_of(expected), text_of(got), &difference);
}

static void test_which_are_equal(void **state)
{
    (void)state;
    static const struct {
        const char *expected, *got;
        bool equal[COMPARE_MODES]; /* exact, whitespace, tokens, numeric */
    } cases[] = {
        {"", "", {1, 1, 1, 1}},
        {"42\n", "42\n", {1, 1, 1, 1}},
        {"42\n", "42", {0, 1, 1, 1}},
        {"42", "42\n\n \n", {0, 1, 1, 1}},
        {"", "\n \t\r\n", {0, 1, 1, 1}},
        {"a\nb\n", "a\r\nb\r\n", {0, 1, 1, 1}},
        {"a\nb\n", "a  \nb\v\f\n", {0, 1, 1, 1}},
        {"a b\n", "a  b\n", {0, 0, 1, 1}},
        {"a\nb\n", "a b", {0, 0, 1, 1}},
        {"a\nb\n", "a\n\nb\n", {0, 0, 1, 1}},
        {" a", "a", {0, 0, 1, 1}},
        {"ab", "a b", {0, 0, 0, 0}},
        {"a", "", {0, 0, 0, 0}},
        {"", "a", {0, 0, 0, 0}},
        {"1.0", "1", {0, 0, 0, 1}},
        {"1", "a", {0, 0, 0, 0}},
        {"1 x", "1.0 x", {0, 0, 0, 1}},
        {"1 x", "1.0 y", {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int mode = 0; mode < COMPARE_MODES; mode++) {
            if (equal((enum compare_mode)mode, cases[i].expected, cases[i].got) !=
                cases[i].equal[mode]) {
                fail_msg("case %zu, mode %d", i, mode);
            }
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *expected, *got;
        double absolute, relative;
        bool equal;
    } cases[] = {
        {"0.5", "0.625", 0.125, 0, true}, /* at, and over */
        {"0.5", "0.626", 0.125, 0, false},
        {"8", "9", 0, 0.125, true},
        {"8", "9.01", 0, 0.125, false},
        {"0", "1e-7", 0, 0.125, false}, /* nothing is near zero but by the absolute one */
        {"0", "1e-7", 1e-6, 0, true},
        {"0", "-0", 0, 0, true},
        {"1e3", "+1000.", 0, 0, true},
        {".5", "5E-1", 0, 0, true},
        {"nan", "NaN", 0, 0, true},
        {"nan", "1", 1e9, 1e9, false},
        {"1", "nan", 1e9, 1e9, false},
        {"inf", "Infinity", 0, 0, true},
        {"inf", "-inf", 1e9, 1e9, false},
        {"inf", "1e308", 1e9, 1e9, false},
        {"1e308", "-1e308", 1e9, 1, false},
        {"1e400", "1e400", 0, 0, true}, /* as words */
        {"1e400", "1e500", 1e9, 1e9, false},
        {"inf", "1e400", 1e9, 1e9, false},
        {"1e-400", "0", 1e-9, 0, true},
        {"0x10", "16", 1e9, 1e9, false},
        {"1,5", "1.5", 1e9, 1e9, false},
        {"1e", "1", 1e9, 1e9, false},
        {"--1", "-1", 1e9, 1e9, false},
        {"+", "0", 1e9, 1e9, false},
        {"nan(1)", "nan", 1e9, 1e9, false},
        {"1 2", "1", 1e9, 1e9, false},
        {"1", "1 2", 1e9, 1e9, false},
    };
    struct compare_difference difference;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct compare_rule rule = {COMPARE_NUMERIC, cases[i].absolute, cases[i].relative};
        if (compare_equal(&rule, text_of(cases[i].expected), text_of(cases[i].got), &difference) !=
            cases[i].equal) {
            fail_msg("case %zu: %s and %s", i, cases[i].expected, cases[i].got);
        }
    }
}

/* As many digits as a number may have, and one more: then it is a word. */
static void test_long_numbers(void **state)
{
    (void)state;
    char one[COMPARE_NUMBER_MAX + 2], other[COMPARE_NUMBER_MAX + 2];
    for (size_t size = COMPARE_NUMBER_MAX; size <= COMPARE_NUMBER_MAX + 1; size++) {
        (void)snprintf(one, sizeof(one), "0.%0*d", (int)size - 2, 1);
        (void)snprintf(other, sizeof(other), "0.%0*d", (int)size - 2, 2);
        assert_int_equal(strlen(one), size);
        assert_int_equal(equal(COMPARE_NUMERIC, one, other), size == COMPARE_NUMBER_MAX);
    }
}

static void check_place(enum compare_mode mode, const char *expected, const char *got,
                        uint64_t line, uint64_t column, const char *part_expected,
                        const char *part_got)
{
    const struct compare_rule rule = {mode, 0, 0};
    struct compare_difference difference;
    char parts[2][COMPARE_EXCERPT_MAX + 1];
    assert_false(compare_equal(&rule, text_of(expected), text_of(got), &difference));
    assert_int_equal(difference.line, line);
    assert_int_equal(difference.column, column);
    (void)snprintf(parts[0], sizeof(parts[0]), "%.*s", (int)difference.expected.size,
                   difference.expected.data);
    (void)snprintf(parts[1], sizeof(parts[1]), "%.*s", (int)difference.got.size,
                   difference.got.data);
    assert_string_equal(parts[0], part_expected);
    assert_string_equal(parts[1], part_got);
}

static void test_where_they_differ(void **state)
{
    (void)state;
    check_place(COMPARE_EXACT, "a\nbcd\ne", "a\nbxd\ne", 2, 2, "bcd\n", "bxd\n");
    check_place(COMPARE_EXACT, "42\n", "42", 1, 3, "42\n", "42");
    check_place(COMPARE_EXACT, "a\n", "a\nb", 2, 1, "", "b");
    check_place(COMPARE_EXACT, "\xc3\xa9x", "\xc3\xa9y", 1, 2, "\xc3\xa9x", "\xc3\xa9y");
    check_place(COMPARE_WHITESPACE, "a\nbcd  \n", "a\r\nbxd\r\n", 2, 2, "bcd", "bxd");
    check_place(COMPARE_WHITESPACE, "a\nb\nc\n", "a\nb", 3, 1, "c", "");
    check_place(COMPARE_WHITESPACE, "a\n\n\nb\n", "a", 4, 1, "b", "");
    check_place(COMPARE_WHITESPACE, "a\n", "a\n\n\nb\n", 4, 1, "", "b");
    check_place(COMPARE_TOKENS, "one  two", "one\ntow", 2, 2, "two", "tow");
    check_place(COMPARE_TOKENS, "one two", "one\n", 2, 1, "two", "");
    check_place(COMPARE_NUMERIC, "1 2.5", "1\n\n2.6", 3, 1, "2.5", "2.6");
}

/* Of a long line the part around the difference, in whole characters. */
static void test_excerpts(void **state)
{
    (void)state;
    static char expected[1001], got[1001];
    for (size_t i = 0; i < 1000; i += 2) {
        memcpy(expected + i, "\xc3\xa9", 2);
    }
    for (size_t at = 0; at < 1000; at += 2) {
        const struct compare_rule rule = {COMPARE_WHITESPACE, 0, 0};
        struct compare_difference difference;
        memcpy(got, expected, sizeof(got));
        memcpy(got + at, "\xc3\xa8", 2);
        assert_false(compare_equal(&rule, text_of(expected), text_of(got), &difference));
        assert_int_equal(difference.column, at / 2 + 1);
        assert_true(difference.got.size <= COMPARE_EXCERPT_MAX);
        assert_int_equal(difference.got.size % 2, 0);
        assert_ptr_not_equal(memmem(difference.got.data, difference.got.size, "\xc3\xa8", 2), NULL);
    }
}

static void test_large_and_binary(void **state)
{
    (void)state;
    char *expected = malloc(LARGE), *got = malloc(LARGE);
    assert_non_null(expected);
    assert_non_null(got);
    for (size_t i = 0; i < LARGE; i++) {
        expected[i] = (char)(i % 251);
    }
    memcpy(got, expected, LARGE);
    got[LARGE - 1] ^= 1;
    for (int mode = 0; mode < COMPARE_MODES; mode++) {
        const struct compare_rule rule = {(enum compare_mode)mode, 0, 0};
        struct compare_difference difference;
        assert_true(compare_equal(&rule, (struct compare_text){expected, LARGE},
                                  (struct compare_text){expected, LARGE}, &difference));
        assert_false(compare_equal(&rule, (struct compare_text){expected, LARGE},
                                   (struct compare_text){got, LARGE}, &difference));
        assert_true(difference.line > 1000);
    }
    free(expected);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_are_equal), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_long_numbers),    cmocka_unit_test(test_where_they_differ),
        cmocka_unit_test(test_excerpts),        cmocka_unit_test(test_large_and_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
