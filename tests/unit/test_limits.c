/* The table of limits, and values of limits from text and from JSON. */
#include "request/limit_value.h"
#include "result/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_status(const char *word)
{
    enum status status = 0;
    while (status < STATUS_COUNT && strcmp(status_table[status].word, word) != 0) {
        status++;
    }
    return status < STATUS_COUNT;
}

static void test_table(void **state)
{
    (void)state;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        const struct limit_info *info = &limit_table[limit];
        assert_int_equal(limit_by_name(info->name), limit);
        for (enum limit other = 0; other < limit; other++) {
            assert_string_not_equal(limit_table[other].flag, info->flag);
        }
        if (info->verdict[0] != '\0') {
            assert_true(is_status(info->verdict));
        }
        if (info->default_value != LIMIT_DERIVED && info->default_cap != LIMIT_DERIVED) {
            assert_true(info->default_value <= info->default_cap);
        }
    }
    assert_int_equal(limit_by_name("memory"), LIMIT_COUNT);
    assert_int_equal(limit_by_name(""), LIMIT_COUNT);
    struct limits limits;
    limits_init(&limits);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        assert_true(limits.value[i] == LIMIT_UNSET);
    }
}

static void test_text(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_null(limit_value_from_text(LIMIT_WALL, "1m30s", &value));
    assert_int_equal(value, 90000000);
    assert_null(limit_value_from_text(LIMIT_MEMORY, "256m", &value));
    assert_int_equal(value, 256 * LIMIT_MIB);
    assert_null(limit_value_from_text(LIMIT_PROCESSES, "64", &value));
    assert_int_equal(value, 64);
    assert_null(limit_value_from_text(LIMIT_CPUS, "1.5", &value));
    assert_int_equal(value, 1500);
    assert_null(limit_value_from_text(LIMIT_SWAP, "0", &value));
    assert_int_equal(value, 0);
    value = 7;
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        const char *problem = limit_value_from_text(limit, "0", &value);
        if (limit != LIMIT_SWAP) {
            assert_string_equal(problem, "must be more than 0");
        }
    }
    value = 7;
    assert_non_null(limit_value_from_text(LIMIT_PROCESSES, "64k", &value));
    assert_string_equal(limit_value_from_text(LIMIT_CPUS, "0.0001", &value), "must be more than 0");
    assert_int_equal(value, 7);
}

static const char *from_json(enum limit limit, const char *text, uint64_t *ret_value)
{
    json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(number);
    const char *problem = limit_value_from_json(limit, number, ret_value);
    json_decref(number);
    return problem;
}

static void good(enum limit limit, const char *text, uint64_t expected)
{
    uint64_t value = 7;
    assert_null(from_json(limit, text, &value));
    assert_int_equal(value, expected);
}

static void bad(enum limit limit, const char *text, const char *expected)
{
    uint64_t value = 7;
    assert_string_equal(from_json(limit, text, &value), expected);
    assert_int_equal(value, 7);
}

static void test_json(void **state)
{
    (void)state;
    good(LIMIT_WALL, "10000", 10000000);
    good(LIMIT_WALL, "0.5", 500);
    good(LIMIT_WALL, "1000000000000", UNITS_TIME_MAX_US);
    bad(LIMIT_WALL, "1000000000001", UNITS_TIME_TOO_MUCH);
    bad(LIMIT_WALL, "0", "must be more than 0");
    bad(LIMIT_WALL, "0.0001", "must be more than 0");
    bad(LIMIT_WALL, "-1", "must not be negative");
    bad(LIMIT_WALL, "1e300", UNITS_TIME_TOO_MUCH);
    bad(LIMIT_WALL, "\"10s\"", "must be a number of milliseconds");
    bad(LIMIT_WALL, "true", "must be a number of milliseconds");
    good(LIMIT_MEMORY, "268435456", 256 * LIMIT_MIB);
    good(LIMIT_MEMORY, "268435456.0", 256 * LIMIT_MIB);
    good(LIMIT_MEMORY, "1125899906842624", UNITS_SIZE_MAX);
    bad(LIMIT_MEMORY, "1125899906842625", UNITS_SIZE_TOO_MUCH);
    bad(LIMIT_MEMORY, "9223372036854775807", UNITS_SIZE_TOO_MUCH);
    bad(LIMIT_MEMORY, "1.5", "must be a whole number");
    good(LIMIT_PROCESSES, "1", 1);
    good(LIMIT_PROCESSES, "4294967295", UNITS_COUNT_MAX);
    bad(LIMIT_PROCESSES, "4294967296", UNITS_COUNT_TOO_MUCH);
    bad(LIMIT_PROCESSES, "0.5", "must be a whole number");
    good(LIMIT_SWAP, "0", 0);
    bad(LIMIT_SWAP, "-0.5", "must not be negative");
    good(LIMIT_CPUS, "1.5", 1500);
    good(LIMIT_CPUS, "1.001", 1001); /* not exact in binary */
    good(LIMIT_CPUS, "0.29", 290);
    good(LIMIT_CPUS, "1000", UNITS_CPUS_MAX);
    bad(LIMIT_CPUS, "1000.5", UNITS_CPUS_TOO_MUCH);
}

static void test_format(void **state)
{
    (void)state;
    char text[UNITS_TEXT_SIZE];
    limit_value_format(LIMIT_WALL, 10 * LIMIT_SECOND, text);
    assert_string_equal(text, "10 s");
    limit_value_format(LIMIT_MEMORY, 256 * LIMIT_MIB, text);
    assert_string_equal(text, "256 MiB");
    limit_value_format(LIMIT_PROCESSES, 64, text);
    assert_string_equal(text, "64");
    limit_value_format(LIMIT_CPUS, 1500, text);
    assert_string_equal(text, "1.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
