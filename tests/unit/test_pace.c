/* When to come again: what is told of how often places become free. */
#include "front/serve/tenants/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START 1000000U /* on a clock that is not at its beginning */

static void without_any_it_is_a_second(void **state)
{
    (void)state;
    struct pace pace = {0};
    assert_int_equal(pace_seconds(&pace, 1, START), 1);
    pace_take(&pace, START);
    assert_int_equal(pace_seconds(&pace, 1, START), 1);
    assert_int_equal(pace_seconds(&pace, 500, START), 1); /* nothing is known of them yet */
}

static void it_follows_what_ends(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_take(&pace, START);
    pace_take(&pace, START);
    pace_free(&pace, START + 2000);
    assert_int_equal(pace_seconds(&pace, 1, START + 2000), 2);
    assert_int_equal(pace_seconds(&pace, 5, START + 2000), 10);
    pace_free(&pace, START + 4001);
    assert_int_equal(pace_seconds(&pace, 1, START + 4001), 3); /* rounded up */
    for (unsigned i = 0; i < 100; i++) {                       /* quick ones: the last count most */
        pace_take(&pace, START + 5000 + i * 10);
        pace_free(&pace, START + 5005 + i * 10);
    }
    assert_int_equal(pace_seconds(&pace, 1, START + 6000), 1);
    assert_in_range(pace_seconds(&pace, 1000, START + 6000), 5, 13);
}

static void what_takes_longer_now_counts(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_take(&pace, START);
    pace_free(&pace, START + 100);
    pace_take(&pace, START + 60000); /* that there was nobody is no wait of anybody's */
    assert_int_equal(pace_seconds(&pace, 1, START + 60000), 1);
    assert_int_equal(pace_seconds(&pace, 1, START + 67000), 7);
    assert_int_equal(pace_seconds(&pace, 2, START + 67000), 14);
    pace_free(&pace, START + 67000);
    assert_int_equal(pace_seconds(&pace, 1, START + 99000), 1);
}

static void it_is_bounded(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_take(&pace, START);
    assert_int_equal(pace_seconds(&pace, 1, START + 299000), 299);
    assert_int_equal(pace_seconds(&pace, 1, START + 299001), PACE_SECONDS_MAX);
    assert_int_equal(pace_seconds(&pace, UINT32_MAX, START + 299000), PACE_SECONDS_MAX);
    assert_int_equal(pace_seconds(&pace, 1, UINT64_MAX), PACE_SECONDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_it_is_a_second),
        cmocka_unit_test(it_follows_what_ends),
        cmocka_unit_test(what_takes_longer_now_counts),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
