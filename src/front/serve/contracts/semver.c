/*
 * See semver.h.
 *
 * Every selector is one or more ranges with "||" between, and every range a number of comparisons
 * that must all hold.  A comparison is an interval [from, below): what is written with '^', '~',
 * 'x' or a missing part stands for one.
 */
#include "front/serve/contracts/semver.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 999999999U /* of one part; a larger one is no version */

/* A version as it is written, of which parts at the end may be left open. */
struct partial {
    struct semver version;
    unsigned given; /* of its parts */
};

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t");
}

/* Behind the digits, or NULL when they are too many. */
static const char *read_number(const char *at, uint32_t *ret_number)
{
    uint64_t number = 0;
    while (is_digit(*at) && number <= NUMBER_MAX) {
        number = number * 10 + (uint64_t)(*at++ - '0');
    }
    *ret_number = (uint32_t)number;
    return number <= NUMBER_MAX ? at : NULL;
}

struct semver semver_of(const char *text)
{
    struct semver version = {{0}};
    const char *at = text;
    for (size_t i = 0; i < SEMVER_PARTS && at != NULL && is_digit(*at); i++) {
        uint32_t number = 0;
        at = read_number(at, &number);
        version.part[i] = number;
        at = at != NULL && *at == '.' ? at + 1 : NULL;
    }
    return version;
}

int semver_compare(const struct semver *left, const struct semver *right)
{
    for (size_t i = 0; i < SEMVER_PARTS; i++) {
        if (left->part[i] != right->part[i]) {
            return left->part[i] < right->part[i] ? -1 : 1;
        }
    }
    return 0;
}

/* "3", "3.x", "v3.11.2-rc1", "*".  Behind it, or NULL when there is none. */
static const char *read_partial(const char *at, struct partial *ret_partial)
{
    struct partial partial = {.given = 0};
    bool is_open = false;
    at += *at == 'v' || *at == 'V' || *at == '=';
    for (size_t i = 0; i < SEMVER_PARTS; i++) {
        if (*at == 'x' || *at == 'X' || *at == '*') {
            is_open = true;
            at++;
        } else if (is_digit(*at)) {
            at = read_number(at, &partial.version.part[i]);
            if (at == NULL) {
                return NULL;
            }
            if (is_open) {
                partial.version.part[i] = 0; /* nothing behind an open part counts */
            } else {
                partial.given++;
            }
        } else {
            return NULL;
        }
        if (*at != '.') {
            break;
        }
        at++;
    }
    if (partial.given == SEMVER_PARTS && (*at == '-' || *at == '+')) {
        at += strcspn(at, " \t|");
    }
    *ret_partial = partial;
    return *at == '\0' || *at == ' ' || *at == '\t' || *at == '|' ? at : NULL;
}

/* The first version behind those that agree with `version` in their first parts.  `parts` 0: none
 * is behind all of them. */
static bool behind(const struct semver *version, unsigned parts, struct semver *ret_version)
{
    struct semver next = {{0}};
    if (parts == 0) {
        return false;
    }
    memcpy(next.part, version->part, parts * sizeof(next.part[0]));
    next.part[parts - 1]++;
    *ret_version = next;
    return true;
}

/* How many parts must stay as they are for '^': up to the first that is not 0. */
static unsigned fixed_parts(const struct partial *partial)
{
    for (unsigned i = 0; i < partial->given; i++) {
        if (partial->version.part[i] != 0) {
            return i + 1;
        }
    }
    return partial->given;
}

static unsigned min_of(unsigned left, unsigned right)
{
    return left < right ? left : right;
}

/* Whether the version lies between the partial one and what is behind those that agree with it in
 * `parts` parts. */
static bool lies_in(const struct semver *version, const struct partial *from, unsigned parts)
{
    struct semver end;
    return semver_compare(version, &from->version) >= 0 &&
           (!behind(&from->version, parts, &end) || semver_compare(version, &end) < 0);
}

static bool compares(const struct semver *version, const char *operation, size_t size,
                     const struct partial *partial)
{
    struct semver end;
    const bool has_end = behind(&partial->version, partial->given, &end);
    const bool is_below = semver_compare(version, &partial->version) < 0;
    const bool is_above = has_end && semver_compare(version, &end) >= 0;
    if (size == 0 || operation[0] == '=') {
        return !is_below && !is_above;
    }
    if (operation[0] == '^') {
        return lies_in(version, partial, fixed_parts(partial));
    }
    if (operation[0] == '~') {
        return lies_in(version, partial, min_of(partial->given, 2));
    }
    if (operation[0] == '>') {
        return size == 2 ? !is_below : is_above;
    }
    return size == 2 ? !is_above : is_below;
}

/* The operation that a comparison begins with: its size. */
static size_t operation_size(const char *at)
{
    if (at[0] == '<' || at[0] == '>') {
        return at[1] == '=' ? 2 : 1;
    }
    if (at[0] == '~') {
        return at[1] == '>' ? 2 : 1;
    }
    return at[0] == '^' || at[0] == '=' ? 1 : 0;
}

/* One comparison, or "A - B".  Behind it, or NULL when it cannot be read. */
static const char *read_comparison(const struct semver *version, const char *at, bool *holds)
{
    struct partial first, last;
    const size_t size = operation_size(at);
    const char *operation = at;
    at = read_partial(skip_spaces(at + size), &first);
    if (at == NULL) {
        return NULL;
    }
    const char *next = skip_spaces(at);
    if (size > 0 || next == at || next[0] != '-' || (next[1] != ' ' && next[1] != '\t')) {
        *holds = *holds && compares(version, operation, size, &first);
        return at;
    }
    at = read_partial(skip_spaces(next + 1), &last);
    *holds = *holds && at != NULL && compares(version, ">=", 2, &first) &&
             compares(version, "<=", 2, &last);
    return at;
}

bool semver_satisfies(const struct semver *version, const char *selector)
{
    const char *at = skip_spaces(selector);
    bool any = false;
    for (;;) {
        bool holds = true; /* a range with nothing in it takes all */
        while (*at != '\0' && *at != '|') {
            at = read_comparison(version, at, &holds);
            if (at == NULL) {
                return false;
            }
            at = skip_spaces(at);
        }
        any = any || holds;
        if (*at == '\0') {
            return any;
        }
        if (at[1] != '|') {
            return false;
        }
        at = skip_spaces(at + 2);
    }
}

bool semver_is_exact(const char *selector, struct semver *ret_version)
{
    struct partial partial;
    const char *end = read_partial(skip_spaces(selector), &partial);
    if (end == NULL || *skip_spaces(end) != '\0' || partial.given < SEMVER_PARTS) {
        return false;
    }
    *ret_version = partial.version;
    return true;
}
