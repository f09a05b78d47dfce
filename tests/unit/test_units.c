/* Durations, sizes, counts and processors as text. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef const char *(*parser)(const char *text, uint64_t *ret_value);
typedef void (*formatter)(uint64_t value, char ret_text[UNITS_TEXT_SIZE]);

static void good(parser parse, const char *text, uint64_t expected)
{
    uint64_t value = 12345;
    const char *problem = parse(text, &value);
    if (problem != NULL || value != expected) {
        fail_msg("'%s' is %llu (%s), not %llu", text, (unsigned long long)value,
                 problem == NULL ? "good" : problem, (unsigned long long)expected);
    }
}

static void bad(parser parse, const char *text, const char *expected)
{
    uint64_t value = 12345;
    const char *problem = parse(text, &value);
    if (problem == NULL || strcmp(problem, expected) != 0) {
        fail_msg("'%s': '%s', not '%s'", text, problem == NULL ? "good" : problem, expected);
    }
    assert_int_equal(value, 12345);
}

static void formatted(formatter format, uint64_t value, const char *expected)
{
    char text[UNITS_TEXT_SIZE];
    format(value, text);
    assert_string_equal(text, expected);
}

static void test_times(void **state)
{
    (void)state;
    const char *form = "is not a duration such as 10s, 1m30s or 250ms";
    good(units_parse_time, "0", 0);
    good(units_parse_time, "250", 250000);
    good(units_parse_time, "0.5", 500);
    good(units_parse_time, "250ms", 250000);
    good(units_parse_time, "10s", 10000000);
    good(units_parse_time, "1.5s", 1500000);
    good(units_parse_time, "1m30s", 90000000);
    good(units_parse_time, "1h2m3s4ms5us", 3723004005);
    good(units_parse_time, "277777h", UINT64_C(999997200000000));
    good(units_parse_time, "1000000000s", UNITS_TIME_MAX_US);
    bad(units_parse_time, "1000000000s1us", "is more than 31 years");
    bad(units_parse_time, "1000000001s", "is more than 31 years");
    bad(units_parse_time, "9999999999999999999", "has too many digits");
    bad(units_parse_time, "999999999999999999h", "is more than 31 years");
    bad(units_parse_time, "", form);
    bad(units_parse_time, "s", form);
    bad(units_parse_time, "-1s", form);
    bad(units_parse_time, " 1s", form);
    bad(units_parse_time, "1.s", form);
    bad(units_parse_time, "30s1m", form);
    bad(units_parse_time, "1s1s", form);
    bad(units_parse_time, "1m30", form);
    bad(units_parse_time, "1d", form);
    bad(units_parse_time, "1 s", form);
    bad(units_parse_time, "1S", form);
    bad(units_parse_time, "1.0000000001s", "has too many digits after the point");
}

static void test_sizes(void **state)
{
    (void)state;
    const char *form = "is not a size such as 64k, 256m or 1.5g";
    good(units_parse_size, "0", 0);
    good(units_parse_size, "1000", 1000);
    good(units_parse_size, "512b", 512);
    good(units_parse_size, "64k", 65536);
    good(units_parse_size, "64K", 65536);
    good(units_parse_size, "256m", UINT64_C(256) << 20);
    good(units_parse_size, "256MB", UINT64_C(256) << 20);
    good(units_parse_size, "256MiB", UINT64_C(256) << 20);
    good(units_parse_size, "1.5g", UINT64_C(3) << 29);
    good(units_parse_size, "1t", UINT64_C(1) << 40);
    good(units_parse_size, "1024t", UNITS_SIZE_MAX);
    bad(units_parse_size, "1025t", "is more than 1 PiB");
    bad(units_parse_size, "1125899906842625", "is more than 1 PiB");
    bad(units_parse_size, "999999999999999999t", "is more than 1 PiB");
    bad(units_parse_size, "1.5", "must be whole bytes");
    bad(units_parse_size, "1.5b", "must be whole bytes");
    bad(units_parse_size, "1x", form);
    bad(units_parse_size, "1kk", form);
    bad(units_parse_size, "1bb", form);
    bad(units_parse_size, "1 m", form);
    bad(units_parse_size, "1m ", form);
    bad(units_parse_size, "m", form);
    bad(units_parse_size, "0x10", form);
}

static void test_counts_and_processors(void **state)
{
    (void)state;
    good(units_parse_count, "64", 64);
    good(units_parse_count, "4294967295", 4294967295);
    bad(units_parse_count, "4294967296", "is more than 4294967295");
    bad(units_parse_count, "1.0", "is not a whole number");
    bad(units_parse_count, "64k", "is not a whole number");
    bad(units_parse_count, "+1", "is not a whole number");
    good(units_parse_cpus, "1", 1000);
    good(units_parse_cpus, "1.5", 1500);
    good(units_parse_cpus, "0.001", 1);
    good(units_parse_cpus, "1000", UNITS_CPUS_MAX);
    bad(units_parse_cpus, "1000.001", "is more than 1000");
    bad(units_parse_cpus, "1,5", "is not a number such as 2 or 0.5");
    bad(units_parse_cpus, "1e3", "is not a number such as 2 or 0.5");
}

static void test_formats(void **state)
{
    (void)state;
    formatted(units_format_time, 0, "0 ms");
    formatted(units_format_time, 400, "0.4 ms");
    formatted(units_format_time, 9900, "9.9 ms");
    formatted(units_format_time, 12345, "12 ms");
    formatted(units_format_time, 999999, "999 ms");
    formatted(units_format_time, 1000000, "1 s");
    formatted(units_format_time, 1234567, "1.2 s");
    formatted(units_format_time, 10000000, "10 s");
    formatted(units_format_time, 59999999, "59.9 s");
    formatted(units_format_time, 60000000, "1 min");
    formatted(units_format_time, 90000000, "1 min 30 s");
    formatted(units_format_time, 7500000000, "2 h 5 min");
    formatted(units_format_time, UINT64_MAX, "5124095576 h 1 min");
    formatted(units_format_size, 0, "0 bytes");
    formatted(units_format_size, 1, "1 byte");
    formatted(units_format_size, 1023, "1023 bytes");
    formatted(units_format_size, 1024, "1 KiB");
    formatted(units_format_size, UINT64_C(256) << 20, "256 MiB");
    formatted(units_format_size, UINT64_C(3) << 29, "1.5 GiB");
    formatted(units_format_size, (UINT64_C(256) << 20) + 1, "268435457 bytes");
    formatted(units_format_size, UINT64_C(1) << 40, "1 TiB");
    formatted(units_format_size, UINT64_MAX, "18446744073709551615 bytes");
    formatted(units_format_count, 64, "64");
    formatted(units_format_cpus, 1000, "1");
    formatted(units_format_cpus, 1500, "1.5");
    formatted(units_format_cpus, 1001, "1.001");
    formatted(units_format_cpus, 50, "0.05");
    formatted(units_format_cpus, 0, "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_counts_and_processors),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
