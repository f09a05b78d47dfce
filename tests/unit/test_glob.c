/* Patterns: what matches, what does not, what is refused, and that none takes long. */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *pattern, const char *path, bool expected)
{
    if (glob_problem(pattern, strlen(pattern)) != NULL || glob_match(pattern, path) != expected) {
        fail_msg("'%s' with '%s': not %d", pattern, path, expected);
    }
}

static void test_names(void **state)
{
    (void)state;
    check("a", "a", true);
    check("a", "b", false);
    check("a", "ab", false);
    check("ab", "a", false);
    check("*", "anything", true);
    check("*", "a/b", false);
    check("*.txt", "a.txt", true);
    check("*.txt", "a.txt.gz", false);
    check("*.txt", ".txt", false); /* hidden */
    check(".*", ".txt", true);
    check("a*b*c", "aXbYbZc", true);
    check("a*b*c", "aXbYbZ", false);
    check("a**c", "abc", true); /* inside a name it is a star */
    check("?", "x", true);
    check("?", "\xE2\x82\xAC", true);
    check("?", "", false);
    check("?", "xy", false);
    check("?", ".", false);
    check("a?c", "abc", true);
    check("\xE2\x82\xAC*",
          "\xE2\x82\xAC"
          "5",
          true);
    check("?", "\xFF", true); /* a byte that is not UTF-8 counts as a character */
    check("\\*", "*", true);
    check("\\*", "a", false);
    check("\\[a]", "[a]", true);
}

static void test_sets(void **state)
{
    (void)state;
    check("[abc]", "b", true);
    check("[abc]", "d", false);
    check("[a-c]x", "bx", true);
    check("[!a-c]", "b", false);
    check("[!a-c]", "d", true);
    check("[^a-c]", "d", true);
    check("[]]", "]", true);
    check("[!]]", "a", true);
    check("[!]]", "]", false);
    check("[a-]", "-", true);
    check("[\xCE\xB1-\xCF\x89]", "\xCE\xB2", true); /* alpha to omega */
    check("[\xCE\xB1-\xCF\x89]", "b", false);
    check("[\\]]", "]", true);
    check("[c-a]", "b", false); /* an empty range */
    check("x[ab]*", "xbzz", true);
}

static void test_directories(void **state)
{
    (void)state;
    check("a/b", "a/b", true);
    check("a/*", "a/b", true);
    check("a/*", "a/b/c", false);
    check("*/b", "a/b", true);
    check("**", "a", true);
    check("**", "a/b/c", true);
    check("**", ".a", false);
    check("**", "a/.b/c", false);
    check("**/c", "c", true);
    check("**/c", "a/b/c", true);
    check("**/c", "a/b/cc", false);
    check("a/**", "a/b", true);
    check("a/**", "a/b/c", true);
    check("a/**", "b/c", false);
    check("a/**/d", "a/d", true);
    check("a/**/d", "a/b/c/d", true);
    check("a/**/d", "a/b/c/e", false);
    check("**/a/**/b", "x/a/y/a/z/b", true);
    check("**/a/*/b", "a/a/c/b", true);
    check("**/*.txt", "x/y/z.txt", true);
    check("**/.cache/*", "x/.cache/y", true);
    check("**/**", "a", true);
    check("a/b", "a", false);
    check("a", "a/b", false);
    check("**/a", "", false);
}

static void refused(const char *pattern, const char *problem)
{
    const char *found = glob_problem(pattern, strlen(pattern));
    assert_non_null(found);
    assert_string_equal(found, problem);
}

static void test_refuses(void **state)
{
    (void)state;
    const char *empty = "has an empty name, or begins or ends with a slash";
    refused("", "is empty");
    refused("/etc/passwd", empty);
    refused("a/", empty);
    refused("a//b", empty);
    refused("..", "has a name that is '.' or '..'");
    refused("a/../b", "has a name that is '.' or '..'");
    refused("./a", "has a name that is '.' or '..'");
    refused("[a", "has a '[' without its ']' in the same name");
    refused("[a/b]", "has a '[' without its ']' in the same name");
    refused("[]", "has a '[' without its ']' in the same name");
    refused("a\\", "ends a name with a backslash");
    refused("a\nb", "contains a control character");
    refused("\xFF", "is not valid UTF-8");
    assert_string_equal(glob_problem("a\0b", 3), "contains a control character");
}

/* The shapes that make naive matchers take for ever. */
static void test_no_explosion(void **state)
{
    (void)state;
    struct buffer stars, path, names, deep;
    buffer_init(&stars, 0);
    buffer_init(&path, 0);
    buffer_init(&names, 0);
    buffer_init(&deep, 0);
    for (int i = 0; i < 120; i++) {
        assert_int_equal(buffer_add_string(&stars, "*a"), 0);
        assert_int_equal(buffer_add_string(&names, "**"
                                                   "/a/"),
                         0);
    }
    for (int i = 0; i < 500; i++) {
        assert_int_equal(buffer_add_string(&path, "aa"), 0);
        assert_int_equal(buffer_add_string(&deep, "a/"), 0);
    }
    assert_int_equal(buffer_add_string(&stars, "b"), 0);
    assert_int_equal(buffer_add_string(&names, "b"), 0);
    assert_int_equal(buffer_add_string(&deep, "a"), 0);
    uint64_t before = clock_monotonic_us();
    check(stars.data, path.data, false);
    check(names.data, deep.data, false);
    assert_true(clock_monotonic_us() - before < 1000000);
    buffer_done(&stars);
    buffer_done(&path);
    buffer_done(&names);
    buffer_done(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_directories),  cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_no_explosion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
