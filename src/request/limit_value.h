/*
 * Values of limits, from outside and for people.  In JSON and YAML a number in the outside unit
 * (milliseconds, bytes, a fraction of processors), on the command line and in policies also text
 * such as "10s" or "256m".
 *
 * Each reader returns NULL, or what is wrong: static text that goes on from the field's name, as in
 * "must be more than 0".  Zero is a value of swap_bytes alone.
 */
#ifndef REQUEST_LIMIT_VALUE_H
#define REQUEST_LIMIT_VALUE_H

#include "base/json.h"
#include "base/units.h"
#include "request/limits.h"

const char *limit_value_from_text(enum limit limit, const char *text,
                                  uint64_t *ret_value) MUST_CHECK;
const char *limit_value_from_json(enum limit limit, const json_t *number,
                                  uint64_t *ret_value) MUST_CHECK;
/* "10 s", "256 MiB", "64", "1.5" */
void limit_value_format(enum limit limit, uint64_t value, char ret_text[UNITS_TEXT_SIZE]);

/* What the unit of a limit allows: the largest value, and how many steps of the inside are one of
 * the outside (a millisecond has 1000 microseconds). */
struct limit_range {
    uint64_t max;
    uint64_t steps;
    const char *too_much; /* said of a larger value */
};
struct limit_range limit_value_range(enum limit limit);

#endif
