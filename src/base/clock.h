/* Reading the clocks, and writing a moment as people and JSON do. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_RFC3339_SIZE 25 /* "2026-01-31T12:00:00.000Z" and a NUL */

/* Microseconds since some moment before the host's start: for durations and deadlines. */
uint64_t clock_monotonic_us(void);
/* Microseconds of processor time of this thread: what bounds work, however busy the host is. */
uint64_t clock_thread_us(void);
/* Milliseconds of Unix time: for people. */
int64_t clock_realtime_ms(void);
/* RFC 3339, UTC, with milliseconds.  Years outside 0000–9999 become the nearest moment inside. */
void clock_rfc3339(int64_t unix_ms, char ret_text[CLOCK_RFC3339_SIZE]);

#endif
