/* The clocks: see clock.h. */
#include "base/clock.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MS_PER_DAY   INT64_C(86400000)
#define DAYS_PER_ERA 146097 /* 400 years, after which the calendar repeats */
#define FIRST_MS     (INT64_C(-62167219200) * 1000)     /* 0000-01-01T00:00:00.000Z */
#define LAST_MS      (INT64_C(253402300800) * 1000 - 1) /* 9999-12-31T23:59:59.999Z */

static struct timespec now(clockid_t clock)
{
    struct timespec time;
    int failed = clock_gettime(clock, &time);
    assert(failed == 0); /* these clocks exist everywhere */
    return time;
}

uint64_t clock_monotonic_us(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

uint64_t clock_thread_us(void)
{
    struct timespec time = now(CLOCK_THREAD_CPUTIME_ID);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

int64_t clock_realtime_ms(void)
{
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int clock_open_timer(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
}

void clock_set_timer(int timer, uint64_t at_us)
{
    const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_us / 1000000),
                                                 .tv_nsec = (long)(at_us % 1000000) * 1000}};
    IGNORE(timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) != 0); /* valid arguments */
}

void clock_clear_timer(int timer)
{
    uint64_t expirations;
    IGNORE(read(timer, &expirations, sizeof(expirations)) < 0); /* one that was set anew has none */
}

/* The calendar by hand, because gmtime_r() takes a lock and reads the time zone's file on its first
 * call.  A year begins in March here, so that the leap day is its last. */
void clock_rfc3339(int64_t unix_ms, char ret_text[CLOCK_RFC3339_SIZE])
{
    unix_ms = unix_ms < FIRST_MS ? FIRST_MS : unix_ms > LAST_MS ? LAST_MS : unix_ms;
    int64_t ms = unix_ms - FIRST_MS; /* from here on nothing is negative */
    unsigned ms_of_day = (unsigned)(ms % MS_PER_DAY);
    unsigned days = (unsigned)(ms / MS_PER_DAY) + DAYS_PER_ERA - 60; /* from March 1 of year -400 */
    unsigned era = days / DAYS_PER_ERA;
    unsigned day_of_era = days % DAYS_PER_ERA;
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153; /* 0 is March */
    unsigned day = day_of_year - (153 * march_month + 2) / 5 + 1;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    unsigned year = era * 400 + year_of_era + (month <= 2 ? 1 : 0) - 400;
    (void)snprintf(ret_text, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   year % 10000, month % 100, day % 100, ms_of_day / 3600000 % 100,
                   ms_of_day / 60000 % 60, ms_of_day / 1000 % 60, ms_of_day % 1000);
}
