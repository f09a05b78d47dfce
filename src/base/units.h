/*
 * Durations, sizes and fractions as people write and read them: "1m30s", "256m", "1.5".
 *
 * Parsing is by whole numbers, never through floating point, and takes the whole text or nothing.
 * Each parser returns NULL when the text is good, else what is wrong with it (static text).
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/attributes.h"

#include <stddef.h>
#include <stdint.h>

/* The largest values taken, above which lie only mistakes, and what is then said. */
#define UNITS_TIME_MAX_US    UINT64_C(1000000000000000)
#define UNITS_TIME_TOO_MUCH  "is more than 31 years"
#define UNITS_SIZE_MAX       (UINT64_C(1) << 50)
#define UNITS_SIZE_TOO_MUCH  "is more than 1 PiB"
#define UNITS_COUNT_MAX      UINT64_C(4294967295)
#define UNITS_COUNT_TOO_MUCH "is more than 4294967295"
#define UNITS_CPUS_MAX       UINT64_C(1000000) /* thousandths */
#define UNITS_CPUS_TOO_MUCH  "is more than 1000"

#define UNITS_TEXT_SIZE 32 /* room for any formatted value */

/* "10s", "1m30s", "1.5h", "250ms", "40us"; a bare number is milliseconds.  In microseconds. */
const char *units_parse_time(const char *text, uint64_t *ret_us) MUST_CHECK;
/* "256m", "1.5g", "64k", "10MiB", "512b"; a bare number is bytes.  Powers of 1024. */
const char *units_parse_size(const char *text, uint64_t *ret_bytes) MUST_CHECK;
/* "64" */
const char *units_parse_count(const char *text, uint64_t *ret_count) MUST_CHECK;
/* "1.5" is 1500 thousandths. */
const char *units_parse_cpus(const char *text, uint64_t *ret_thousandths) MUST_CHECK;

/* "250 ms", "1.2 s", "1 min 30 s": to two or three figures. */
void units_format_time(uint64_t us, char ret_text[UNITS_TEXT_SIZE]);
/* "256 MiB", "1.5 GiB", else in bytes: always exact. */
void units_format_size(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE]);
void units_format_count(uint64_t count, char ret_text[UNITS_TEXT_SIZE]);
/* "1.5" */
void units_format_cpus(uint64_t thousandths, char ret_text[UNITS_TEXT_SIZE]);

#endif
