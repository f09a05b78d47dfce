/* The closest known name. */
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *closest(const char *word)
{
    static const char *const names[] = {"language", "limits", "memory_bytes", "python", "py",
                                        "c",        "stdin",  "stdout_bytes", "env"};
    struct names_guess guess;
    names_guess_init(&guess, word);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        names_guess_offer(&guess, names[i]);
    }
    return guess.best == NULL ? "" : guess.best;
}

static void test_close(void **state)
{
    (void)state;
    assert_string_equal(closest("langauge"), "language"); /* two letters swapped */
    assert_string_equal(closest("LANGUAGE"), "language");
    assert_string_equal(closest("langage"), "language");
    assert_string_equal(closest("limit"), "limits");
    assert_string_equal(closest("memory_byte"), "memory_bytes");
    assert_string_equal(closest("memoryBytes"), "memory_bytes");
    assert_string_equal(closest("pyhton"), "python");
    assert_string_equal(closest("evn"), "env");
    assert_string_equal(closest("C"), "c");
    assert_string_equal(closest("stdout"), "");
}

static void test_shortened(void **state)
{
    (void)state;
    static const char *const names[] = {"memory_bytes", "stdin", "stdout_bytes", "mems"};
    static const struct {
        const char *word;
        const char *best; /* NULL: none */
    } rows[] = {{"memory", "memory_bytes"},
                {"std", "stdin"},
                {"stdout", "stdout_bytes"},
                {"mem", "mems"}, /* closer than what only begins like it */
                {"me", NULL},
                {"", NULL},
                {"bytes", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct names_guess guess;
        names_guess_init(&guess, rows[i].word);
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            names_guess_offer_shortened(&guess, names[j]);
        }
        if (rows[i].best == NULL) {
            assert_null(guess.best);
        } else {
            assert_non_null(guess.best);
            assert_string_equal(guess.best, rows[i].best);
        }
    }
}

static void test_not_close(void **state)
{
    (void)state;
    assert_string_equal(closest(""), "");
    assert_string_equal(closest("x"), "");
    assert_string_equal(closest("completely"), "");
    char word[NAMES_LENGTH_MAX + 2];
    memset(word, 'a', sizeof(word));
    word[NAMES_LENGTH_MAX + 1] = '\0';
    struct names_guess guess;
    names_guess_init(&guess, word);
    names_guess_offer(&guess, word); /* one too long, even for itself */
    assert_null(guess.best);
    word[NAMES_LENGTH_MAX] = '\0';
    names_guess_init(&guess, word);
    names_guess_offer(&guess, word);
    assert_ptr_equal(guess.best, word);
    assert_int_equal(guess.distance, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_shortened),
        cmocka_unit_test(test_not_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
