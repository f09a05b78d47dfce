/* See pace.h. */
#include "front/serve/tenants/pace.h"

#include <assert.h>

/* Of the mean the last time is such a part. */
#define PART 8U

void pace_take(struct pace *pace, uint64_t now_ms)
{
    if (pace->taken++ == 0) {
        pace->since_ms = now_ms;
    }
}

void pace_free(struct pace *pace, uint64_t now_ms)
{
    const uint64_t took_ms = now_ms - pace->since_ms;
    assert(pace->taken > 0);
    pace->taken--;
    pace->mean_ms =
        pace->mean_ms == 0 ? took_ms : ((PART - 1) * pace->mean_ms + took_ms + PART - 1) / PART;
    pace->since_ms = now_ms;
}

unsigned pace_seconds(const struct pace *pace, unsigned count, uint64_t now_ms)
{
    const uint64_t now_takes_ms = pace->taken > 0 ? now_ms - pace->since_ms : 0;
    const uint64_t each_ms = now_takes_ms > pace->mean_ms ? now_takes_ms : pace->mean_ms;
    const uint64_t most_ms = UINT64_C(1000) * PACE_SECONDS_MAX;
    if (each_ms >= most_ms || each_ms * count >= most_ms) {
        return PACE_SECONDS_MAX;
    }
    const uint64_t seconds = (each_ms * count + 999) / 1000;
    return seconds > 0 ? (unsigned)seconds : 1;
}
