/*
 * A token bucket: so many requests in so many seconds, at once or one after the other.  Pure.
 *
 * What is kept is the moment at which the bucket would be full again: each token that is taken
 * moves it on by the time in which one comes back, and there is one while that moment is less than
 * the whole window away.
 */
#ifndef SERVE_BUCKET_H
#define SERVE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t full_ns; /* 0: it was never used */
};

struct bucket_rate {
    uint64_t count; /* at least 1, and not more than there are nanoseconds in `seconds` */
    uint64_t seconds;
};

/* Takes a token, if there is one. */
bool bucket_take(struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns);
/* How many there are. */
uint64_t bucket_left(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns);
/* In how many seconds, rounded up, there is one; and all of them. */
uint64_t bucket_next_seconds(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ns);
uint64_t bucket_full_seconds(const struct bucket *bucket, uint64_t now_ns);

#endif
