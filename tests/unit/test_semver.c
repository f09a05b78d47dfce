/* Versions and their selectors, as npm's `semver` has them. */
#include "front/serve/contracts/semver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool takes(const char *selector, const char *version)
{
    const struct semver is = semver_of(version);
    return semver_satisfies(&is, selector);
}

static void test_versions_of_programs(void **state)
{
    (void)state;
    const struct semver ruby = semver_of("3.1.2p20"), two = semver_of("9.0"), none = semver_of("");
    assert_int_equal(ruby.part[2], 2);
    assert_int_equal(two.part[0], 9);
    assert_int_equal(two.part[2], 0);
    assert_int_equal(none.part[0], 0);
    assert_true(semver_compare(&two, &ruby) > 0);
    assert_true(semver_compare(&none, &ruby) < 0);
    assert_int_equal(semver_compare(&ruby, &ruby), 0);
}

static void test_selectors(void **state)
{
    static const struct {
        const char *selector, *taken, *refused;
    } rows[] = {
        {"*", "0.0.0", NULL},
        {"", "3.11.2", NULL},
        {"x", "3.11.2", NULL},
        {"3", "3.11.2", "4.0.0"},
        {"3.x", "3.11.2", "2.9.9"},
        {"3.X.X", "3.0.0", "4.0.0"},
        {"3.11", "3.11.9", "3.12.0"},
        {"3.11.*", "3.11.9", "3.10.9"},
        {"3.11.2", "3.11.2", "3.11.3"},
        {"v3.11.2", "3.11.2", "3.11.1"},
        {"=3.11.2", "3.11.2", "3.11.1"},
        {"= 3.11.2", "3.11.2", "3.11.1"},
        {"^3.10.0", "3.11.2", "4.0.0"},
        {"^3.10.0", "3.10.0", "3.9.9"},
        {"^0.2.3", "0.2.9", "0.3.0"},
        {"^0.0.3", "0.0.3", "0.0.4"},
        {"^0.0", "0.0.9", "0.1.0"},
        {"^0", "0.9.9", "1.0.0"},
        {"^0.x", "0.9.9", "1.0.0"},
        {"~3.11.1", "3.11.2", "3.12.0"},
        {"~3", "3.99.0", "4.0.0"},
        {"~>3.11", "3.11.5", "3.12.0"},
        {">=3", "3.0.0", "2.9.9"},
        {">3", "4.0.0", "3.99.99"},
        {">3.11.2", "3.11.3", "3.11.2"},
        {"<3", "2.99.0", "3.0.0"},
        {"<=3", "3.99.0", "4.0.0"},
        {"<=3.11.2", "3.11.2", "3.11.3"},
        {">=3 <3.12", "3.11.2", "3.12.0"},
        {">= 3.0.0  < 4", "3.11.2", "4.0.0"},
        {"1.2 - 3.11", "3.11.9", "3.12.0"},
        {"1.2.3 - 2.0.0", "2.0.0", "2.0.1"},
        {"2 || 3", "3.11.2", "4.0.0"},
        {"2||3", "2.0.0", "1.9.9"},
        {" 3.11.2 ", "3.11.2", "3.11.3"},
        {"3.11.2-rc1", "3.11.2", "3.11.3"},
        {"3.11.2+build", "3.11.2", "3.11.3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!takes(rows[i].selector, rows[i].taken)) {
            fail_msg("'%s' does not take %s", rows[i].selector, rows[i].taken);
        }
        if (rows[i].refused != NULL && takes(rows[i].selector, rows[i].refused)) {
            fail_msg("'%s' takes %s", rows[i].selector, rows[i].refused);
        }
    }
}

/* They select nothing, as in npm. */
static void test_no_selectors(void **state)
{
    static const char *const texts[] = {
        "latest",     "3.11.2.1", "three", "3..1", ">",    "^",  "~ ", "1 -",   "- 2",
        "|",          "3 |",      "3 | 3", "a||3", "<=>3", "3;", "-1", "3.11-", ".",
        "9999999999", "1e3",      "3 -4",  "\x01", "3,4",  "x1", "é",  "3.x1"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (takes(texts[i], "3.0.0")) {
            fail_msg("'%s' takes something", texts[i]);
        }
    }
}

static void test_exact(void **state)
{
    struct semver version;
    (void)state;
    assert_true(semver_is_exact("3.10.0", &version));
    assert_int_equal(version.part[1], 10);
    assert_true(semver_is_exact("v3.10.0", &version));
    assert_false(semver_is_exact("3.10", &version));
    assert_false(semver_is_exact("3.10.x", &version));
    assert_false(semver_is_exact("^3.10.0", &version));
    assert_false(semver_is_exact("3.10.0 || 2", &version));
    assert_false(semver_is_exact("", &version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_of_programs),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_no_selectors),
        cmocka_unit_test(test_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
