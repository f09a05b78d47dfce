/* Limits of time that follow what the same code took: each bound at its edge. */
#include "policy/adaptive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

static void test_what_is_expected(void **state)
{
    (void)state;
    uint64_t samples[ADAPTIVE_SAMPLES_MAX];
    assert_int_equal(adaptive_expected(samples, 0), 0);
    samples[0] = 7;
    assert_int_equal(adaptive_expected(samples, 1), 7);
    samples[0] = 9, samples[1] = 3;
    assert_int_equal(adaptive_expected(samples, 2), 9);
    for (size_t i = 0; i < 10; i++) {
        samples[i] = 10 - i;
    }
    assert_int_equal(adaptive_expected(samples, 10), 9);
    for (size_t i = 0; i < ADAPTIVE_SAMPLES_MAX; i++) {
        samples[i] = ADAPTIVE_SAMPLES_MAX - i;
    }
    assert_int_equal(adaptive_expected(samples, ADAPTIVE_SAMPLES_MAX), 45);
}

static void test_its_limit(void **state)
{
    (void)state;
    assert_int_equal(adaptive_limit(0), 30 * S);
    assert_int_equal(adaptive_limit(1), 5 * S);
    assert_int_equal(adaptive_limit(2 * S), 5 * S);
    assert_int_equal(adaptive_limit(2 * S + MS), 7 * S);
    assert_int_equal(adaptive_limit(4 * S), 10 * S);
    assert_int_equal(adaptive_limit(96 * S), 240 * S);
    assert_int_equal(adaptive_limit(120 * S), 300 * S);
    assert_int_equal(adaptive_limit(121 * S), 300 * S);
    assert_int_equal(adaptive_limit(UINT64_MAX), 300 * S);
}

/* It is never less than what was wanted, but at the most, and never much more. */
static void test_its_steps(void **state)
{
    (void)state;
    for (uint64_t expected = 10 * MS; expected < 200 * S; expected += 7 * MS) {
        const uint64_t wanted = expected * 5 / 2, limit = adaptive_limit(expected);
        assert_true(limit >= ADAPTIVE_LEAST_US && limit <= ADAPTIVE_MOST_US);
        assert_true(limit >= wanted || limit == ADAPTIVE_MOST_US);
        assert_true(limit <= wanted * 3 / 2 || limit == ADAPTIVE_LEAST_US);
    }
}

static void test_its_pace(void **state)
{
    (void)state;
    assert_int_equal(adaptive_pace(S, 0), PACE_UNKNOWN);
    assert_int_equal(adaptive_pace(1499 * MS, S), PACE_NORMAL);
    assert_int_equal(adaptive_pace(1500 * MS, S), PACE_SLOW);
    assert_int_equal(adaptive_pace(1999 * MS, S), PACE_SLOW);
    assert_int_equal(adaptive_pace(2000 * MS, S), PACE_STUCK);
    assert_int_equal(adaptive_pace(0, UINT64_MAX), PACE_NORMAL);
    assert_string_equal(adaptive_pace_word(PACE_SLOW), "slow");
    assert_string_equal(adaptive_pace_word(PACE_UNKNOWN), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_expected),
        cmocka_unit_test(test_its_limit),
        cmocka_unit_test(test_its_steps),
        cmocka_unit_test(test_its_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
