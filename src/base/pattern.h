/*
 * Regular expressions over hostile text: those of PCRE2, with bounds.  The only module that
 * includes PCRE2's header.
 *
 * The expression is the operator's and meant well; the text is a guest's and made to be slow, if
 * the guest likes.  So every attempt at one place of the text has limits on steps, depth and memory
 * (over one of them it is no match there), and all attempts that belong together share a budget of
 * processor time, after which nothing is found any more.  There is no just-in-time compiler: it
 * would want memory that can be written and executed.
 *
 * In an expression '^' and '$' are the ends of a line, '.' is any character but a newline, and only
 * groups with names capture.
 */
#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_TEXT_MAX     2048U /* bytes of an expression */
#define PATTERN_GROUPS_MAX   16U   /* that capture */
#define PATTERN_NAME_SIZE    33U   /* of a group's name, with a NUL: PCRE2's own limit */
#define PATTERN_PROBLEM_SIZE 256

/* Steps at one place of the text: a trace of two thousand lines takes some ten thousand. */
#define PATTERN_STEPS_MAX    30000U
#define PATTERN_DEPTH_MAX    5000U
#define PATTERN_HEAP_MAX_KIB 2048U

/* Processor time of all searches of one budget; what people call an error takes 0.05 ms. */
#define PATTERN_BUDGET_US 10000U

struct pattern;

/* -1 with what is wrong, and where, when the expression is not good. */
int pattern_compile(const char *text, struct pattern **ret_pattern,
                    char ret_problem[PATTERN_PROBLEM_SIZE]) MUST_CHECK;
void pattern_destroy(struct pattern *pattern);

/* Whether the expression has a group of that name. */
bool pattern_has_group(const struct pattern *pattern, const char *name, size_t name_size);

struct pattern_budget {
    uint64_t end_us; /* of this thread's processor time */
};
void pattern_budget_start(struct pattern_budget *budget);

struct pattern_piece {
    const char *data; /* in the text that was searched; NULL: the group took no part */
    size_t size;
};

/* The first match that begins at `from` or later.  `text` is valid UTF-8 and stays where it is as
 * long as groups are asked for; `from` is where a character begins. */
bool pattern_find(struct pattern *pattern, const char *text, size_t size, size_t from,
                  const struct pattern_budget *budget);

/* Of the last match that was found: a group by its name, or the whole without one (size 0). */
struct pattern_piece pattern_group(const struct pattern *pattern, const char *name,
                                   size_t name_size);

#endif
