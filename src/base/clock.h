/* Reading the clocks, being told of a moment, and writing one as people and JSON do. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/attributes.h"

#include <stdint.h>

#define CLOCK_RFC3339_SIZE 25 /* "2026-01-31T12:00:00.000Z" and a NUL */

/* Microseconds since some moment before the host's start: for durations and deadlines. */
uint64_t clock_monotonic_us(void);
static inline uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}
/* Microseconds of processor time of this thread: what bounds work, however busy the host is. */
uint64_t clock_thread_us(void);
/* Milliseconds of Unix time: for people. */
int64_t clock_realtime_ms(void);

/* A descriptor that can be read from when a moment of the monotonic clock has come, or -1.  It
 * never blocks. */
int clock_open_timer(void) MUST_CHECK;
/* Which moment; 0: none. */
void clock_set_timer(int timer, uint64_t at_us);
/* Forgets that it has come. */
void clock_clear_timer(int timer);

/* RFC 3339, UTC, with milliseconds.  Years outside 0000–9999 become the nearest moment inside. */
void clock_rfc3339(int64_t unix_ms, char ret_text[CLOCK_RFC3339_SIZE]);

#endif
