/*
 * Bounded searches: see pattern.h.
 *
 * How it works.  PCRE2 counts its steps anew at each place where a match could begin, so a search
 * through a long text is not bounded by that count.  Hence every expression is compiled with a
 * callout in front of it: it is called at each place that is tried at all, looks at the budget, and
 * remembers the place, so that the search can go on behind one that took too many steps.
 */
#include "base/pattern.h"

#include "base/clock.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLOUT "(?C1)"

/* Places that are tried before the budget is looked at again: the clock costs more than a try. */
#define PLACES_PER_LOOK 4U

/* Places that took too many steps before a search gives up. */
#define SLOW_PLACES_MAX 16

struct pattern {
    pcre2_code *code;
    pcre2_match_context *context;
    pcre2_match_data *match;
    const char *text;                    /* of the last match; NULL: there is none */
    const struct pattern_budget *budget; /* of the search that is going on */
    size_t place;                        /* that is being tried */
    unsigned places;                     /* that were tried */
};

/* ---- making ---- */

static int on_place(pcre2_callout_block *block, void *data);

void pattern_destroy(struct pattern *pattern)
{
    if (pattern == NULL) {
        return;
    }
    pcre2_match_data_free(pattern->match);
    pcre2_match_context_free(pattern->context);
    pcre2_code_free(pattern->code);
    free(pattern);
}

static int fail(char ret_problem[PATTERN_PROBLEM_SIZE], const char *problem)
{
    (void)snprintf(ret_problem, PATTERN_PROBLEM_SIZE, "%s", problem); /* ours, short */
    return -1;
}

static int fail_compile(char ret_problem[PATTERN_PROBLEM_SIZE], int code, size_t offset)
{
    PCRE2_UCHAR reason[PATTERN_PROBLEM_SIZE / 2] = "";
    IGNORE(pcre2_get_error_message(code, reason, sizeof(reason)) < 0); /* cut, or empty */
    (void)snprintf(ret_problem, PATTERN_PROBLEM_SIZE, "is no regular expression: at byte %zu: %s",
                   offset < sizeof(CALLOUT) ? (size_t)1 : offset + 2 - sizeof(CALLOUT),
                   (const char *)reason);
    return -1;
}

static int compile_code(const char *text, pcre2_code **ret_code,
                        char ret_problem[PATTERN_PROBLEM_SIZE])
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
    char marked[sizeof(CALLOUT) + PATTERN_TEXT_MAX];
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        return fail(ret_problem, "cannot be read: memory is short");
    }
    IGNORE(pcre2_set_newline(context, PCRE2_NEWLINE_LF) != 0);  /* a constant that it knows */
    (void)snprintf(marked, sizeof(marked), CALLOUT "%s", text); /* fits: the caller looked */
    *ret_code =
        pcre2_compile((PCRE2_SPTR)marked, PCRE2_ZERO_TERMINATED, options, &code, &offset, context);
    pcre2_compile_context_free(context);
    return *ret_code != NULL ? 0 : fail_compile(ret_problem, code, offset);
}

static int check_code(const pcre2_code *code, char ret_problem[PATTERN_PROBLEM_SIZE])
{
    uint32_t groups = 0;
    uint32_t may_be_empty = 0;
    /* Neither can fail for a compiled expression. */
    IGNORE(pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups) != 0);
    IGNORE(pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &may_be_empty) != 0);
    if (groups > PATTERN_GROUPS_MAX) {
        return fail(ret_problem, "has too many groups");
    }
    /* It would be found everywhere, and a search for the next one would not move. */
    return may_be_empty != 0 ? fail(ret_problem, "matches the empty text") : 0;
}

int pattern_compile(const char *text, struct pattern **ret_pattern,
                    char ret_problem[PATTERN_PROBLEM_SIZE])
{
    pcre2_code *code;
    if (strnlen(text, PATTERN_TEXT_MAX + 1) > PATTERN_TEXT_MAX) {
        return fail(ret_problem, "is too long for a regular expression");
    }
    if (compile_code(text, &code, ret_problem) < 0) {
        return -1;
    }
    if (check_code(code, ret_problem) < 0) {
        pcre2_code_free(code);
        return -1;
    }
    struct pattern *pattern = calloc(1, sizeof(*pattern));
    if (pattern == NULL) {
        pcre2_code_free(code);
        return fail(ret_problem, "cannot be read: memory is short");
    }
    pattern->code = code;
    pattern->context = pcre2_match_context_create(NULL);
    pattern->match = pcre2_match_data_create_from_pattern(code, NULL);
    if (pattern->context == NULL || pattern->match == NULL) {
        pattern_destroy(pattern);
        return fail(ret_problem, "cannot be read: memory is short");
    }
    IGNORE(pcre2_set_match_limit(pattern->context, PATTERN_STEPS_MAX) != 0); /* cannot fail */
    IGNORE(pcre2_set_depth_limit(pattern->context, PATTERN_DEPTH_MAX) != 0);
    IGNORE(pcre2_set_heap_limit(pattern->context, PATTERN_HEAP_MAX_KIB) != 0);
    IGNORE(pcre2_set_callout(pattern->context, on_place, pattern) != 0);
    *ret_pattern = pattern;
    return 0;
}

/* ---- searching ---- */

void pattern_budget_start(struct pattern_budget *budget)
{
    budget->end_us = clock_thread_us() + PATTERN_BUDGET_US;
}

static bool is_used_up(const struct pattern_budget *budget)
{
    return clock_thread_us() >= budget->end_us;
}

/* A callout of PCRE2: 0 goes on, an error ends the search. */
static int on_place(pcre2_callout_block *block, void *data)
{
    struct pattern *pattern = data;
    pattern->place = block->start_match;
    if (++pattern->places % PLACES_PER_LOOK == 0 && is_used_up(pattern->budget)) {
        return PCRE2_ERROR_CALLOUT;
    }
    return 0;
}

/* Where the character after the one at `offset` begins. */
static size_t next_character(const char *text, size_t size, size_t offset)
{
    do {
        offset++;
    } while (offset < size && ((unsigned char)text[offset] & 0xC0) == 0x80);
    return offset;
}

bool pattern_find(struct pattern *pattern, const char *text, size_t size, size_t from,
                  const struct pattern_budget *budget)
{
    pattern->text = NULL;
    pattern->budget = budget;
    for (int slow = 0; from <= size && slow < SLOW_PLACES_MAX && !is_used_up(budget); slow++) {
        int result = pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK,
                                 pattern->match, pattern->context);
        if (result > 0) {
            pattern->text = text;
            return true;
        }
        if (result != PCRE2_ERROR_MATCHLIMIT && result != PCRE2_ERROR_DEPTHLIMIT &&
            result != PCRE2_ERROR_HEAPLIMIT) {
            return false;
        }
        from = next_character(text, size, pattern->place);
    }
    return false;
}

static int group_number(const struct pattern *pattern, const char *name, size_t name_size)
{
    char copy[PATTERN_NAME_SIZE];
    if (name_size >= sizeof(copy)) {
        return -1;
    }
    memcpy(copy, name, name_size);
    copy[name_size] = '\0';
    return pcre2_substring_number_from_name(pattern->code, (PCRE2_SPTR)copy);
}

bool pattern_has_group(const struct pattern *pattern, const char *name, size_t name_size)
{
    return group_number(pattern, name, name_size) > 0;
}

struct pattern_piece pattern_group(const struct pattern *pattern, const char *name,
                                   size_t name_size)
{
    struct pattern_piece none = {NULL, 0};
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(pattern->match);
    int group = name_size == 0 ? 0 : group_number(pattern, name, name_size);
    if (pattern->text == NULL || group < 0) {
        return none;
    }
    size_t start = bounds[2 * group];
    size_t end = bounds[2 * group + 1];
    if (start == PCRE2_UNSET || end < start) { /* \K can turn the whole around */
        return none;
    }
    return (struct pattern_piece){pattern->text + start, end - start};
}
