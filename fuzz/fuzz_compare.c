/*
 * Any two texts, by every rule: a text is always equal to itself, what is equal by one rule is so
 * by every one that is less strict, and a difference lies where it says.  The first byte of the
 * input chooses the tolerance, the first byte 0xff parts the texts.
 */
#include "front/serve/runs/compare.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static void check_part(struct compare_text text, struct compare_text part)
{
    require(part.size <= COMPARE_EXCERPT_MAX);
    require(part.data >= text.data && part.data + part.size <= text.data + text.size);
}

static bool compare(const struct compare_rule *rule, struct compare_text expected,
                    struct compare_text got)
{
    struct compare_difference difference = {.line = 0};
    struct compare_difference none = {.line = 0};
    require(compare_equal(rule, expected, expected, &none) && none.line == 0);
    const bool equal = compare_equal(rule, expected, got, &difference);
    if (!equal) {
        require(difference.line >= 1 && difference.column >= 1);
        require(difference.column <= got.size + 1);
        require(difference.line <= got.size + expected.size + 1);
        check_part(expected, difference.expected);
        check_part(got, difference.got);
    }
    return equal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const double tolerances[] = {0, 1e-9, 1e-6, 0.5};
    if (size == 0) {
        return 0;
    }
    const double tolerance = tolerances[data[0] % 4];
    const char *text = (const char *)data + 1;
    const char *end = (const char *)data + size;
    const char *middle = memchr(text, 0xff, size - 1);
    middle = middle != NULL ? middle : end;
    const struct compare_text expected = {text, (size_t)(middle - text)};
    const char *rest = middle < end ? middle + 1 : end;
    const struct compare_text got = {rest, (size_t)(end - rest)};
    bool equal[COMPARE_MODES];
    for (int mode = 0; mode < COMPARE_MODES; mode++) {
        const struct compare_rule rule = {(enum compare_mode)mode, tolerance, tolerance};
        equal[mode] = compare(&rule, expected, got);
        require(mode == 0 || !equal[mode - 1] || equal[mode]);
    }
    return 0;
}
