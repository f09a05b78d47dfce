/*
 * A limit of wall-clock time that follows what the same code took before.  Pure.
 *
 * Expected is what nine in ten of its last runs did not outlast; one that was stopped at its limit
 * counts with that, so that code which has become slower gets more the next time.  The limit is
 * ADAPTIVE_FACTOR times as much, rounded up to a step: runs that have the same limits share what is
 * made ahead of them.
 */
#ifndef POLICY_ADAPTIVE_H
#define POLICY_ADAPTIVE_H

#include <stddef.h>
#include <stdint.h>

#define ADAPTIVE_SAMPLES_MAX 50U                /* of one code; older ones do not count */
#define ADAPTIVE_UNKNOWN_US  UINT64_C(30000000) /* the limit of code that was never run */
#define ADAPTIVE_LEAST_US    UINT64_C(5000000)
#define ADAPTIVE_MOST_US     UINT64_C(300000000)
/* In thousandths of what was expected. */
#define ADAPTIVE_FACTOR 2500U
#define ADAPTIVE_SLOW   1500U
#define ADAPTIVE_STUCK  2000U

enum adaptive_pace { PACE_UNKNOWN, PACE_NORMAL, PACE_SLOW, PACE_STUCK };
/* "" for PACE_UNKNOWN. */
const char *adaptive_pace_word(enum adaptive_pace pace);

/* `samples` are put in order.  0 without any. */
uint64_t adaptive_expected(uint64_t *samples_us, size_t count);
/* Of code that is expected to take so long; 0: nobody knows. */
uint64_t adaptive_limit(uint64_t expected_us);
/* Of one that took so long. */
enum adaptive_pace adaptive_pace(uint64_t wall_us, uint64_t expected_us);

#endif
