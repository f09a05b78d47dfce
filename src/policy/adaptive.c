/* See adaptive.h. */
#include "policy/adaptive.h"

#include "base/attributes.h"

#include <stdlib.h>

static const uint64_t steps_s[] = {5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300};

const char *adaptive_pace_word(enum adaptive_pace pace)
{
    static const char *const words[] = {
        [PACE_UNKNOWN] = "",
        [PACE_NORMAL] = "normal",
        [PACE_SLOW] = "slow",
        [PACE_STUCK] = "stuck",
    };
    return words[pace];
}

static int by_time(const void *one, const void *other)
{
    const uint64_t *first = one, *second = other;
    return *first < *second ? -1 : *first > *second;
}

uint64_t adaptive_expected(uint64_t *samples_us, size_t count)
{
    if (count == 0) {
        return 0;
    }
    qsort(samples_us, count, sizeof(*samples_us), by_time);
    return samples_us[(count * 9 + 9) / 10 - 1];
}

/* `value` in thousandths of it; no time is so long that this would not hold. */
static uint64_t scaled(uint64_t value, unsigned thousandths)
{
    uint64_t product;
    return __builtin_mul_overflow(value, thousandths, &product) ? UINT64_MAX : product / 1000;
}

uint64_t adaptive_limit(uint64_t expected_us)
{
    if (expected_us == 0) {
        return ADAPTIVE_UNKNOWN_US;
    }
    const uint64_t wanted = scaled(expected_us, ADAPTIVE_FACTOR);
    for (size_t i = 0; i < ARRAY_LENGTH(steps_s); i++) {
        if (wanted <= steps_s[i] * 1000000) {
            return steps_s[i] * 1000000;
        }
    }
    return ADAPTIVE_MOST_US;
}

enum adaptive_pace adaptive_pace(uint64_t wall_us, uint64_t expected_us)
{
    if (expected_us == 0) {
        return PACE_UNKNOWN;
    }
    return wall_us >= scaled(expected_us, ADAPTIVE_STUCK)  ? PACE_STUCK
           : wall_us >= scaled(expected_us, ADAPTIVE_SLOW) ? PACE_SLOW
                                                           : PACE_NORMAL;
}
