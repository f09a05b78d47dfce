/* Durations, sizes and fractions as text: see units.h. */
#include "base/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FRACTION_DIGITS_MAX 9
#define WHOLE_DIGITS_MAX    18

static const char not_a_time[] = "is not a duration such as 10s, 1m30s or 250ms";
static const char not_a_size[] = "is not a size such as 64k, 256m or 1.5g";
static const char not_a_count[] = "is not a whole number";
static const char not_a_fraction[] = "is not a number such as 2 or 0.5";

/* A decimal number: whole + fraction / scale. */
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits, perhaps a point and digits, and moves *text behind them.  `wrong` is said of what
 * does not begin like that. */
static const char *parse_decimal(const char **text, const char *wrong, struct decimal *ret_number)
{
    struct decimal number = {.scale = 1};
    const char *at = *text;
    if (!is_digit(*at)) {
        return wrong;
    }
    for (size_t digits = 0; is_digit(*at); at++, digits++) {
        if (digits == WHOLE_DIGITS_MAX) {
            return "has too many digits";
        }
        number.whole = number.whole * 10 + (uint64_t)(*at - '0');
    }
    if (*at == '.') {
        at++;
        if (!is_digit(*at)) {
            return wrong;
        }
        for (size_t digits = 0; is_digit(*at); at++, digits++) {
            if (digits == FRACTION_DIGITS_MAX) {
                return "has too many digits after the point";
            }
            number.fraction = number.fraction * 10 + (uint64_t)(*at - '0');
            number.scale *= 10;
        }
    }
    *text = at;
    *ret_number = number;
    return NULL;
}

/* number × unit, a fraction of the smallest step cut off; false when it is above `max`. */
static bool scale_decimal(const struct decimal *number, uint64_t unit, uint64_t max,
                          uint64_t *ret_value)
{
    uint64_t whole;
    uint64_t fraction;
    if (__builtin_mul_overflow(number->whole, unit, &whole) ||
        __builtin_mul_overflow(number->fraction, unit, &fraction) ||
        __builtin_add_overflow(whole, fraction / number->scale, &whole) || whole > max) {
        return false;
    }
    *ret_value = whole;
    return true;
}

const char *units_parse_time(const char *text, uint64_t *ret_us)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {
        {"h", UINT64_C(3600000000)}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1}};
    uint64_t total = 0;
    size_t next_unit = 0; /* "1m30s", never "30s1m" */
    do {
        struct decimal number;
        const char *problem = parse_decimal(&text, not_a_time, &number);
        if (problem != NULL) {
            return problem;
        }
        size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
        uint64_t us;
        if (letters == 0 && *text == '\0' && next_unit == 0) {
            return scale_decimal(&number, 1000, UNITS_TIME_MAX_US, ret_us) ? NULL
                                                                           : UNITS_TIME_TOO_MUCH;
        }
        size_t i = next_unit;
        while (i < ARRAY_LENGTH(units) &&
               (strlen(units[i].name) != letters || strncmp(units[i].name, text, letters) != 0)) {
            i++;
        }
        if (i == ARRAY_LENGTH(units)) {
            return not_a_time;
        }
        if (!scale_decimal(&number, units[i].us, UNITS_TIME_MAX_US, &us) ||
            total + us > UNITS_TIME_MAX_US) {
            return UNITS_TIME_TOO_MUCH;
        }
        total += us;
        next_unit = i + 1;
        text += letters;
    } while (*text != '\0');
    *ret_us = total;
    return NULL;
}

const char *units_parse_size(const char *text, uint64_t *ret_bytes)
{
    struct decimal number;
    const char *problem = parse_decimal(&text, not_a_size, &number);
    if (problem != NULL) {
        return problem;
    }
    /* Each letter, alone or as KB or KiB, is 1024 times the one before. */
    static const char letters[] = "bkmgt";
    uint64_t unit = 1;
    if (*text != '\0') {
        char letter = (char)(*text | 0x20); /* lower case; what is no letter is not found */
        const char *found = strchr(letters, letter);
        const char *rest = text + 1;
        if (found == NULL ||
            !(*rest == '\0' ||
              (letter != 'b' && (strcmp(rest, "b") == 0 || strcmp(rest, "B") == 0 ||
                                 strcmp(rest, "ib") == 0 || strcmp(rest, "iB") == 0)))) {
            return not_a_size;
        }
        unit = UINT64_C(1) << (10 * (found - letters));
    }
    if (unit == 1 && number.scale != 1) {
        return "must be whole bytes";
    }
    return scale_decimal(&number, unit, UNITS_SIZE_MAX, ret_bytes) ? NULL : UNITS_SIZE_TOO_MUCH;
}

const char *units_parse_count(const char *text, uint64_t *ret_count)
{
    struct decimal number;
    const char *problem = parse_decimal(&text, not_a_count, &number);
    if (problem != NULL) {
        return problem;
    }
    if (*text != '\0' || number.scale != 1) {
        return not_a_count;
    }
    return scale_decimal(&number, 1, UNITS_COUNT_MAX, ret_count) ? NULL : UNITS_COUNT_TOO_MUCH;
}

const char *units_parse_cpus(const char *text, uint64_t *ret_thousandths)
{
    struct decimal number;
    const char *problem = parse_decimal(&text, not_a_fraction, &number);
    if (problem != NULL) {
        return problem;
    }
    if (*text != '\0') {
        return not_a_fraction;
    }
    return scale_decimal(&number, 1000, UNITS_CPUS_MAX, ret_thousandths) ? NULL
                                                                         : UNITS_CPUS_TOO_MUCH;
}

/* `value` in tenths of a unit, without a needless ".0". */
static void format_tenths(uint64_t value, bool exact, const char *unit,
                          char ret_text[UNITS_TEXT_SIZE])
{
    if (exact && value % 10 == 0) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu %s", (unsigned long long)value / 10, unit);
    } else {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu.%llu %s", (unsigned long long)value / 10,
                       (unsigned long long)value % 10, unit);
    }
}

void units_format_time(uint64_t us, char ret_text[UNITS_TEXT_SIZE])
{
    if (us < 10000) { /* "0 ms", "0.4 ms", "9.9 ms" */
        format_tenths(us / 100, us % 1000 == 0, "ms", ret_text);
    } else if (us < 1000000) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%u ms", (unsigned)(us / 1000));
    } else if (us < 60000000) {
        format_tenths(us / 100000, us % 1000000 == 0, "s", ret_text);
    } else {
        uint64_t seconds = us / 1000000;
        const char *large = seconds < 3600 ? "min" : "h";
        const char *small = seconds < 3600 ? "s" : "min";
        uint64_t small_seconds = seconds < 3600 ? 1 : 60;
        unsigned long long above = seconds / (small_seconds * 60);
        unsigned long long below = seconds / small_seconds % 60;
        if (below == 0) {
            (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu %s", above, large);
        } else {
            (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu %s %llu %s", above, large, below,
                           small);
        }
    }
}

void units_format_size(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE])
{
    static const char *const names[] = {"TiB", "GiB", "MiB", "KiB"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        uint64_t unit = UINT64_C(1) << (40 - 10 * i);
        /* Exact to one decimal: bytes × 10 is a whole number of units. */
        if (bytes >= unit && bytes <= UINT64_MAX / 10 && bytes * 10 % unit == 0) {
            format_tenths(bytes * 10 / unit, true, names[i], ret_text);
            return;
        }
    }
    (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu byte%s", (unsigned long long)bytes,
                   bytes == 1 ? "" : "s");
}

void units_format_count(uint64_t count, char ret_text[UNITS_TEXT_SIZE])
{
    (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu", (unsigned long long)count);
}

void units_format_cpus(uint64_t thousandths, char ret_text[UNITS_TEXT_SIZE])
{
    unsigned long long whole = thousandths / 1000;
    unsigned fraction = (unsigned)(thousandths % 1000);
    int digits = 3;
    while (digits > 0 && fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    if (digits == 0) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu", whole);
    } else {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%llu.%0*u", whole, digits, fraction);
    }
}
