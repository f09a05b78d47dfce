/* The token bucket: what it holds, and when there is something again. */
#include "front/serve/tenants/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define START  (1000 * SECOND) /* on a clock that is not at its beginning */

static void it_holds_so_many_at_once(void **state)
{
    (void)state;
    const struct bucket_rate rate = {5, 10};
    struct bucket bucket = {0};
    assert_int_equal(bucket_left(&bucket, rate, START), 5);
    assert_int_equal(bucket_full_seconds(&bucket, START), 0);
    for (uint64_t left = 5; left > 0; left--) {
        assert_int_equal(bucket_left(&bucket, rate, START), left);
        assert_true(bucket_take(&bucket, rate, START));
    }
    assert_int_equal(bucket_left(&bucket, rate, START), 0);
    assert_false(bucket_take(&bucket, rate, START));
    assert_int_equal(bucket_next_seconds(&bucket, rate, START), 2);
    assert_int_equal(bucket_full_seconds(&bucket, START), 10);
}

static void tokens_come_back_one_by_one(void **state)
{
    (void)state;
    const struct bucket_rate rate = {5, 10};
    struct bucket bucket = {0};
    while (bucket_take(&bucket, rate, START)) {
    }
    assert_false(bucket_take(&bucket, rate, START + 2 * SECOND - 1));
    assert_true(bucket_take(&bucket, rate, START + 2 * SECOND)); /* when it was said */
    assert_false(bucket_take(&bucket, rate, START + 2 * SECOND));
    assert_int_equal(bucket_left(&bucket, rate, START + 7 * SECOND), 2);
    assert_int_equal(bucket_left(&bucket, rate, START + 100 * SECOND), 5); /* and no more */
}

/* Whoever comes when he was told to is never in vain, and earlier by a second always is. */
static void the_time_that_is_told_is_true(void **state)
{
    (void)state;
    static const struct bucket_rate rates[] = {{1, 1},    {3, 1},         {7, 60},     {1000, 60},
                                               {1, 3600}, {999983, 3600}, {1000000, 1}};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct bucket bucket = {0};
        uint64_t now = START, taken = 0;
        while (bucket_take(&bucket, rates[i], now)) {
            taken++;
            assert_true(taken <= rates[i].count);
        }
        assert_int_equal(taken, rates[i].count);
        for (int round = 0; round < 3; round++) {
            const uint64_t seconds = bucket_next_seconds(&bucket, rates[i], now);
            assert_true(seconds >= 1);
            struct bucket before = bucket;
            assert_false(seconds > 1 &&
                         bucket_take(&before, rates[i], now + (seconds - 1) * SECOND));
            now += seconds * SECOND;
            assert_true(bucket_take(&bucket, rates[i], now));
            while (bucket_take(&bucket, rates[i], now)) {
            }
        }
    }
}

/* Over a long time no more than the rate and one bucket. */
static void the_rate_is_held(void **state)
{
    (void)state;
    const struct bucket_rate rate = {7, 3};
    struct bucket bucket = {0};
    uint64_t taken = 0;
    for (uint64_t ms = 0; ms < 300000; ms++) {
        taken += bucket_take(&bucket, rate, START + ms * 1000000);
    }
    assert_in_range(taken, 700, 707);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_so_many_at_once),
        cmocka_unit_test(tokens_come_back_one_by_one),
        cmocka_unit_test(the_time_that_is_told_is_true),
        cmocka_unit_test(the_rate_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
