/*
 * Regular expressions: what they are, what is refused, and that no text makes them slow.
 */
#include "base/clock.h"
#include "base/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGE ((size_t)1 << 20)

/* Far more than a budget, so that a busy or slow host does not matter. */
#define BOUNDED_US UINT64_C(5000000)

static struct pattern *compiled(const char *text)
{
    struct pattern *pattern = NULL;
    char problem[PATTERN_PROBLEM_SIZE];
    if (pattern_compile(text, &pattern, problem) < 0) {
        fail_msg("%s: %s", text, problem);
    }
    return pattern;
}

static bool found(struct pattern *pattern, const char *text, size_t size, size_t from)
{
    struct pattern_budget budget;
    pattern_budget_start(&budget);
    return pattern_find(pattern, text, size, from, &budget);
}

static void group_is(const struct pattern *pattern, const char *name, const char *expected)
{
    struct pattern_piece piece = pattern_group(pattern, name, strlen(name));
    if (expected == NULL) {
        assert_null(piece.data);
        return;
    }
    assert_non_null(piece.data);
    assert_int_equal(piece.size, strlen(expected));
    assert_memory_equal(piece.data, expected, piece.size);
}

static void refused(const char *text, const char *expected)
{
    struct pattern *pattern = NULL;
    char problem[PATTERN_PROBLEM_SIZE];
    assert_int_equal(pattern_compile(text, &pattern, problem), -1);
    assert_null(pattern);
    assert_string_equal(problem, expected);
}

static void test_groups(void **state)
{
    (void)state;
    static const char text[] = "one\nFile \"a.py\", line 3\nFile \"ü☃.py\"\nend";
    struct pattern *pattern = compiled("^File \"(?<file>[^\"]+)\"(, line (?<line>\\d+))?$");
    assert_true(found(pattern, text, strlen(text), 0));
    group_is(pattern, "", "File \"a.py\", line 3");
    group_is(pattern, "file", "a.py");
    group_is(pattern, "line", "3");
    group_is(pattern, "column", NULL); /* no such group */
    struct pattern_piece whole = pattern_group(pattern, "", 0);
    assert_true(found(pattern, text, strlen(text), (size_t)(whole.data - text) + whole.size));
    group_is(pattern, "file", "ü☃.py");
    group_is(pattern, "line", NULL); /* took no part */
    assert_false(found(pattern, text, strlen(text), strlen(text)));
    group_is(pattern, "file", NULL); /* nothing was found */
    assert_false(found(pattern, "", 0, 0));
    assert_true(pattern_has_group(pattern, "file", 4));
    assert_true(pattern_has_group(pattern, "fileX", 4));
    assert_false(pattern_has_group(pattern, "fil", 3));
    assert_false(
        pattern_has_group(pattern, "a name that is far longer than any can be at all", 48));
    pattern_destroy(pattern);
    pattern_destroy(NULL);
}

static void test_lines(void **state)
{
    (void)state;
    struct pattern *pattern = compiled("^b.$");
    assert_true(found(pattern, "a\nbc\nd", 6, 0));
    assert_false(found(pattern, "a\nb\nc\nd", 7, 0)); /* '.' is no newline */
    assert_true(found(pattern, "b☃", 4, 0));          /* and one character, not one byte */
    pattern_destroy(pattern);
    pattern = compiled("(?|x(?<a>\\d)|y(?<a>\\d))");
    assert_true(found(pattern, "y7", 2, 0));
    group_is(pattern, "a", "7");
    pattern_destroy(pattern);
}

static void test_refused(void **state)
{
    (void)state;
    refused("a(b", "is no regular expression: at byte 4: missing closing parenthesis");
    refused("(", "is no regular expression: at byte 2: missing closing parenthesis");
    refused("a[", "is no regular expression: at byte 3: missing terminating ] for character class");
    refused("\\C", "is no regular expression: at byte 3: using \\C is disabled by the application");
    refused("(?<x>a)(?<x>b)",
            "is no regular expression: at byte 13: two named subpatterns have the same name "
            "(PCRE2_DUPNAMES not set)");
    refused("a*", "matches the empty text");
    refused("", "matches the empty text");
    refused("(?<a>1)(?<b>1)(?<c>1)(?<d>1)(?<e>1)(?<f>1)(?<g>1)(?<h>1)(?<i>1)(?<j>1)(?<k>1)(?<l>1)"
            "(?<m>1)(?<n>1)(?<o>1)(?<p>1)(?<q>1)",
            "has too many groups");
    char *text = malloc(PATTERN_TEXT_MAX + 2);
    assert_non_null(text);
    memset(text, 'a', PATTERN_TEXT_MAX + 1);
    text[PATTERN_TEXT_MAX + 1] = '\0';
    refused(text, "is too long for a regular expression");
    text[PATTERN_TEXT_MAX] = '\0';
    pattern_destroy(compiled(text)); /* at the limit */
    free(text);
}

/* Expressions and texts that would take ages. */
static void test_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const char *unit; /* repeated up to LARGE bytes */
    } baits[] = {
        {"(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"},
        {"(a+)+$", "a"},
        {"(a|a)*b", "a"},
        {"(?:.*\\n)*x", "\n"},
        {"^(?:.*\\n)*x$", "ab\n"},
        {"(.*)(.*)(.*)(.*)(.*)z", "y"},
        {"(?<a>.)(?:.*\\n)*?.*\\g{a}\\g{a}\\g{a}", "ab\n"},
        {"([^x]|[^y])*z", "☃"},
        {"(?<r>a(?&r)b|c)d", "a"},
    };
    char *text = malloc(LARGE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(baits) / sizeof(baits[0]); i++) {
        size_t unit = strlen(baits[i].unit);
        size_t size = 0;
        for (; size + unit <= LARGE; size += unit) {
            memcpy(text + size, baits[i].unit, unit);
        }
        struct pattern *pattern = compiled(baits[i].expression);
        uint64_t started = clock_thread_us();
        (void)found(pattern, text, size, 0);
        assert_true(clock_thread_us() - started < BOUNDED_US);
        pattern_destroy(pattern);
    }
    free(text);
}

/* A place that takes too many steps is no match, and does not hide the one after it. */
static void test_goes_on(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof(text));
    memcpy(text + 100, "\nfine b\n", 8);
    struct pattern *pattern = compiled("^(a+)+b$|^fine b$");
    assert_true(found(pattern, text, sizeof(text), 0));
    group_is(pattern, "", "fine b");
    pattern_destroy(pattern);
}

static void test_budget(void **state)
{
    (void)state;
    struct pattern *pattern = compiled("b");
    struct pattern_budget used_up = {.end_us = 0};
    assert_false(pattern_find(pattern, "b", 1, 0, &used_up));
    assert_true(found(pattern, "b", 1, 0));
    pattern_destroy(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_goes_on), cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
