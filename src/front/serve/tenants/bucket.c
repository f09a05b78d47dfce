/* See bucket.h. */
#include "front/serve/tenants/bucket.h"

#define SECOND_NS UINT64_C(1000000000)

/* In which one token comes back.  Rounded down: the window holds at least `count` of them. */
static uint64_t step_of(struct bucket_rate rate)
{
    return rate.seconds * SECOND_NS / rate.count;
}

static uint64_t full_at(const struct bucket *bucket, uint64_t now_ns)
{
    return bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
}

uint64_t bucket_left(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns)
{
    const uint64_t step = step_of(rate);
    const uint64_t missing = (full_at(bucket, now_ns) - now_ns + step - 1) / step;
    return missing < rate.count ? rate.count - missing : 0;
}

bool bucket_take(struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns)
{
    if (bucket_left(bucket, rate, now_ns) == 0) {
        return false;
    }
    bucket->full_ns = full_at(bucket, now_ns) + step_of(rate);
    return true;
}

static uint64_t seconds_until(uint64_t moment_ns, uint64_t now_ns)
{
    return moment_ns > now_ns ? (moment_ns - now_ns + SECOND_NS - 1) / SECOND_NS : 0;
}

uint64_t bucket_next_seconds(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns)
{
    const uint64_t window = step_of(rate) * (rate.count - 1);
    const uint64_t full = full_at(bucket, now_ns);
    return seconds_until(full > window ? full - window : 0, now_ns);
}

uint64_t bucket_full_seconds(const struct bucket *bucket, uint64_t now_ns)
{
    return seconds_until(bucket->full_ns, now_ns);
}
