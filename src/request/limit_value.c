/* Values of limits: see limit_value.h. */
#include "request/limit_value.h"

struct limit_range limit_value_range(enum limit limit)
{
    switch (limit_table[limit].unit) {
    case UNIT_TIME:
        return (struct limit_range){UNITS_TIME_MAX_US, 1000, UNITS_TIME_TOO_MUCH};
    case UNIT_SIZE:
        return (struct limit_range){UNITS_SIZE_MAX, 1, UNITS_SIZE_TOO_MUCH};
    case UNIT_CPUS:
        return (struct limit_range){UNITS_CPUS_MAX, 1000, UNITS_CPUS_TOO_MUCH};
    case UNIT_NUMBER:
        break;
    }
    return (struct limit_range){UNITS_COUNT_MAX, 1, UNITS_COUNT_TOO_MUCH};
}

static const char *check_zero(enum limit limit, uint64_t value)
{
    return value == 0 && limit != LIMIT_SWAP ? "must be more than 0" : NULL;
}

const char *limit_value_from_text(enum limit limit, const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *problem = NULL;
    switch (limit_table[limit].unit) {
    case UNIT_TIME:
        problem = units_parse_time(text, &value);
        break;
    case UNIT_SIZE:
        problem = units_parse_size(text, &value);
        break;
    case UNIT_CPUS:
        problem = units_parse_cpus(text, &value);
        break;
    case UNIT_NUMBER:
        problem = units_parse_count(text, &value);
        break;
    }
    if (problem == NULL) {
        problem = check_zero(limit, value);
    }
    if (problem == NULL) {
        *ret_value = value;
    }
    return problem;
}

const char *limit_value_from_json(enum limit limit, const json_t *number, uint64_t *ret_value)
{
    if (!json_is_number(number)) {
        return limit_table[limit].unit == UNIT_TIME   ? "must be a number of milliseconds"
               : limit_table[limit].unit == UNIT_SIZE ? "must be a number of bytes"
                                                      : "must be a number";
    }
    struct limit_range range = limit_value_range(limit);
    /* The largest values times their steps are below 2^53: a double holds them exactly. */
    double steps = json_number_value(number) * (double)range.steps;
    if (steps < 0) {
        return "must not be negative";
    }
    if (steps > (double)range.max) {
        return range.too_much;
    }
    uint64_t value = (uint64_t)(steps + 0.5); /* 1.001 × 1000 is a little less than 1001 */
    if (range.steps == 1 && (double)(uint64_t)steps < steps) {
        return "must be a whole number";
    }
    const char *problem = check_zero(limit, value);
    if (problem == NULL) {
        *ret_value = value;
    }
    return problem;
}

void limit_value_format(enum limit limit, uint64_t value, char ret_text[UNITS_TEXT_SIZE])
{
    switch (limit_table[limit].unit) {
    case UNIT_TIME:
        units_format_time(value, ret_text);
        return;
    case UNIT_SIZE:
        units_format_size(value, ret_text);
        return;
    case UNIT_CPUS:
        units_format_cpus(value, ret_text);
        return;
    case UNIT_NUMBER:
        units_format_count(value, ret_text);
        return;
    }
}
