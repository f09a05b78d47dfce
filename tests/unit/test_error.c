/* Errors: texts, cuts, what stays out of them. */
#include "base/error.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_sets_everything(void **state)
{
    (void)state;
    struct cella_error err;
    memset(&err, 0x55, sizeof(err));
    errno = ENOTTY;
    assert_int_equal(error_set(&err, CELLA_ERROR_HOST, ENOENT, "cannot open %s", "x"), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_string_equal(err.text, "cannot open x: No such file or directory");
    assert_string_equal(err.field, "");
    assert_string_equal(err.hint, "");
    assert_int_equal(error_set_field(&err, "files[%d].path", 3), -1);
    assert_int_equal(error_set_hint(&err, "try %s", "again"), -1);
    assert_int_equal(errno, ENOTTY);
    assert_string_equal(err.field, "files[3].path");
    assert_string_equal(err.hint, "try again");
    /* Nothing of the memory's past crosses a socket with it. */
    for (size_t i = strlen(err.text); i < sizeof(err.text); i++) {
        assert_int_equal(err.text[i], 0);
    }
}

static void test_setting_again_clears(void **state)
{
    (void)state;
    struct cella_error err;
    (void)error_set(&err, CELLA_ERROR_CALLER, 0, "one");
    (void)error_set_field(&err, "f");
    (void)error_set_hint(&err, "h");
    (void)error_set(&err, CELLA_ERROR_BUG, 0, "two: %s", err.text); /* its own text as argument */
    assert_string_equal(err.text, "two: one");
    assert_string_equal(err.field, "");
    assert_string_equal(err.hint, "");
    assert_int_equal(err.sys_errno, 0);
}

/* One place for all who open something. */
static void test_running_out_of_descriptors_is_busy(void **state)
{
    (void)state;
    struct cella_error err;
    (void)error_set(&err, CELLA_ERROR_HOST, EMFILE, "cannot make a pipe");
    assert_int_equal(err.kind, CELLA_ERROR_BUSY);
    assert_string_equal(err.text, "cannot make a pipe: Too many open files");
    assert_string_equal(err.hint, "free runs that are done, try again later, or raise the limit on "
                                  "open files (`ulimit -n`)");
    (void)error_set(&err, CELLA_ERROR_HOST, ENFILE, "cannot make a pipe");
    assert_int_equal(err.kind, CELLA_ERROR_BUSY);
    assert_non_null(strstr(err.hint, "(fs.file-max)"));
    (void)error_set(&err, CELLA_ERROR_CALLER, EMFILE, "cannot open that file");
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.hint, "");
}

static void test_cut_at_a_character(void **state)
{
    (void)state;
    struct cella_error err;
    char text[600];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        size_t size = shift;
        while (size + 3 < sizeof(text)) {
            memcpy(text + size, "\xE2\x82\xAC", 3); /* the euro sign */
            size += 3;
        }
        text[size] = '\0';
        (void)error_set(&err, CELLA_ERROR_CALLER, EINVAL, "%s", text);
        size_t kept = strlen(err.text);
        assert_true(utf8_is_valid(err.text, kept));
        assert_in_range(kept, sizeof(err.text) - 3, sizeof(err.text) - 1);
        assert_memory_equal(err.text, text, kept - 2);
    }
    char exact[sizeof(err.hint)];
    memset(exact, 'h', sizeof(exact) - 1);
    exact[sizeof(exact) - 1] = '\0';
    (void)error_set_hint(&err, "%s", exact);
    assert_string_equal(err.hint, exact);
    (void)error_set_hint(&err, "%sh", exact);
    assert_string_equal(err.hint, exact);
}

static void test_nothing_steers_a_terminal(void **state)
{
    (void)state;
    struct cella_error err;
    (void)error_set(&err, CELLA_ERROR_CALLER, 0, "%s",
                    "a\x1b[31m\n\x7f\xC2\x9B!\xFF\xE2\x82 \xC3\xA9");
    assert_string_equal(err.text, "a?[31m??"
                                  "??"
                                  "!??"
                                  "? \xC3\xA9");
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(error_kind_info(CELLA_ERROR_CALLER)->exit_code, 126);
    assert_int_equal(error_kind_info(CELLA_ERROR_CALLER)->http_status, 400);
    assert_int_equal(error_kind_info(CELLA_ERROR_POLICY)->http_status, 403);
    assert_int_equal(error_kind_info(CELLA_ERROR_RUNTIME)->exit_code, 127);
    assert_int_equal(error_kind_info(CELLA_ERROR_BUSY)->http_status, 429);
    assert_int_equal(error_kind_info(CELLA_ERROR_HOST)->exit_code, 125);
    assert_int_equal(error_kind_info(CELLA_ERROR_BUG)->exit_code, 125);
    assert_string_equal(error_kind_info((enum cella_error_kind)99)->name, "bug");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_everything),
        cmocka_unit_test(test_setting_again_clears),
        cmocka_unit_test(test_running_out_of_descriptors_is_busy),
        cmocka_unit_test(test_cut_at_a_character),
        cmocka_unit_test(test_nothing_steers_a_terminal),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
