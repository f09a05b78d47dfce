/*
 * Diagnoses of output and sources that were made to be awkward: everything stays within its bounds.
 */
#include "base/clock.h"
#include "base/utf8.h"
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>

#define LARGE ((size_t)1 << 20)

/* Far more than it may take, so that a busy or slow host does not matter. */
#define BOUNDED_US UINT64_C(5000000)

static void text_is_good(const char *text, size_t max)
{
    if (text == NULL) {
        return;
    }
    size_t size = strlen(text);
    assert_true(size <= max);
    assert_true(utf8_is_valid(text, size));
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        assert_true((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t');
    }
}

static void is_bounded(const struct result_diagnosis *diagnosis)
{
    if (diagnosis == NULL) {
        return;
    }
    text_is_good(diagnosis->class, DIAGNOSE_CLASS_MAX);
    text_is_good(diagnosis->message, DIAGNOSE_MESSAGE_MAX);
    text_is_good(diagnosis->file, DIAGNOSE_FILE_MAX);
    text_is_good(diagnosis->hint, DIAGNOSE_HINT_MAX);
    assert_true(diagnosis->frame_count <= DIAGNOSE_FRAMES_MAX);
    for (size_t i = 0; i < diagnosis->frame_count; i++) {
        text_is_good(diagnosis->frames[i].file, DIAGNOSE_FILE_MAX);
        text_is_good(diagnosis->frames[i].function, DIAGNOSE_FUNCTION_MAX);
        text_is_good(diagnosis->frames[i].source, DIAGNOSE_SOURCE_MAX);
    }
}

/* Everything that has a bound, at it and over it, in characters of three bytes that it cuts. */
static void test_long_texts(void **state)
{
    (void)state;
    char code[4096];
    char text[16384] = "";
    size_t size = 0;
    for (size_t i = 0; i + 4 < sizeof(code); i += 3) {
        memcpy(code + i, "☃", 4);
    }
    struct trial trial;
    trial_init(&trial,
               "rules: [{match: '^(?<class>☃+)\\|(?<message>☃+)\\|(?<file>☃+)\\|(?<line>\\d+)\\|"
               "(?<function>☃+)\\|(?<cause>☃+)\\|', file: '{entry}'}]\n",
               code);
    static const char *const parts[] = {"class", "message", "file", "9", "function", "cause"};
    for (size_t part = 0; part < ARRAY_LENGTH(parts); part++) {
        for (int i = 0; i < 800 && parts[part][0] != '9'; i++) {
            memcpy(text + size, "☃", 3);
            size += 3;
        }
        if (parts[part][0] == '9') {
            text[size++] = '1';
        }
        text[size++] = '|';
    }
    text[size] = '\0';
    const struct result_diagnosis *diagnosis = made_of(&trial, text);
    assert_non_null(diagnosis);
    is_bounded(diagnosis);
    assert_int_equal(strlen(diagnosis->class), DIAGNOSE_CLASS_MAX - DIAGNOSE_CLASS_MAX % 3);
    assert_int_equal(strlen(diagnosis->message), DIAGNOSE_MESSAGE_MAX - DIAGNOSE_MESSAGE_MAX % 3);
    assert_int_equal(strlen(diagnosis->frames[0].function),
                     DIAGNOSE_FUNCTION_MAX - DIAGNOSE_FUNCTION_MAX % 3);
    assert_true(strlen(diagnosis->hint) > DIAGNOSE_HINT_MAX - 4);
    trial_done(&trial);
}

static void test_numbers(void **state)
{
    (void)state;
    struct trial trial;
    trial_init(&trial, "rules: [{match: '^(?<file>\\S+):(?<line>.*):(?<column>.*)$'}]\n", "one");
    place_is(made_of(&trial, "main.x:1:999999999\n"), "main.x", 1, 999999999);
    place_is(made_of(&trial, "main.x:1:99999999999999999999999\n"), "main.x", 1, 0);
    place_is(made_of(&trial, "main.x:4294967297:1\n"), "main.x", 0, 1);
    place_is(made_of(&trial, "main.x:-1:1x\n"), "main.x", 0, 0);
    place_is(made_of(&trial, "main.x::\n"), "main.x", 0, 0);
    trial_done(&trial);
}

static void test_unclean_text(void **state)
{
    (void)state;
    static const char text[] = "Bad\x1B[31m\xFF\x00\xC3: a\r\nnext\xE2\x98\n\xC2\x80\x7F";
    struct trial trial;
    trial_init(&trial, "rules: [{match: '^(?<class>.+): (?<message>(?:.|\\n)*)'}]\n", "a\x01\xFF");
    write_bytes(&trial, RESULT_STDERR, text, sizeof(text) - 1);
    words_are(made(&trial),
              "Bad" UTF8_REPLACEMENT "[31m" UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT,
              "a\nnext" UTF8_REPLACEMENT "\n" UTF8_REPLACEMENT UTF8_REPLACEMENT);
    trial_done(&trial);
    trial_init(&trial, "rules: [{match: '^(?<file>\\S+):(?<line>.*)$'}]\n", "a\x01\xFF\tb");
    frame_is(made_of(&trial, "main.x:1\n"), 0, "main.x", 1, NULL,
             "a" UTF8_REPLACEMENT UTF8_REPLACEMENT "\tb");
    trial_done(&trial);
}

/* Of much output, the beginning and the end are looked at. */
static void test_windows(void **state)
{
    (void)state;
    char *text = malloc(LARGE);
    assert_non_null(text);
    struct trial trial;
    trial_init(&trial, "rules: [{match: '^(?<class>\\w+)!$', take: last}]\n", "");
    static const struct {
        size_t offset;
        bool seen;
    } rows[] = {
        {0, true},
        {DIAGNOSE_HEAD_MAX - 8, true},
        {DIAGNOSE_HEAD_MAX, false},
        {LARGE / 2, false},
        {LARGE - DIAGNOSE_TAIL_MAX - 8, false},
        {LARGE - DIAGNOSE_TAIL_MAX, true},
        {LARGE - 8, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        memset(text, 'x', LARGE);
        memcpy(text + rows[i].offset, "\nFound!\n", 8);
        trial.stage.streams[RESULT_STDERR].kept.size = 0;
        write_bytes(&trial, RESULT_STDERR, text, LARGE);
        assert_int_equal(made(&trial) != NULL, rows[i].seen);
    }
    free(text);
    trial_done(&trial);
}

/* What a request's files may be as large as they like, or no text. */
static void test_sources(void **state)
{
    (void)state;
    struct cella_error err;
    struct diagnose_sources sources;
    struct spec *spec = spec_create();
    char *large = calloc(1, DIAGNOSE_SOURCES_MAX + 1);
    assert_non_null(large);
    memset(large, 'x', DIAGNOSE_SOURCES_MAX + 1);
    assert_int_equal(spec_add_file(spec, "over", large, DIAGNOSE_SOURCES_MAX + 1, false, &err), 0);
    assert_int_equal(spec_add_file(spec, "nul", "a\0b", 3, false, &err), 0);
    assert_int_equal(spec_add_file(spec, "empty", "", 0, false, &err), 0);
    assert_int_equal(spec_add_file(spec, "at", large, DIAGNOSE_SOURCES_MAX, false, &err), 0);
    assert_int_equal(spec_add_file(spec, "one", "1", 1, false, &err), 0);
    assert_int_equal(diagnose_sources_init(&sources, spec, NULL, &err), 0);
    assert_int_equal(sources.count, 5);
    assert_null(sources.entry);
    assert_string_equal(sources.files[0].path, "over");
    assert_null(sources.files[0].data);
    assert_null(sources.files[1].data);
    assert_int_equal(sources.files[2].size, 0);
    assert_non_null(sources.files[2].data);
    assert_int_equal(sources.files[3].size, DIAGNOSE_SOURCES_MAX);
    assert_null(sources.files[4].data); /* no room left */
    diagnose_sources_done(&sources);
    spec_destroy(spec);
    free(large);
}

/* A megabyte of what each rule takes for the beginning of something, and of what is nothing. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const units[] = {
        "Oops!\n",
        "Oops!\n at f main.x:1\n",
        " at f main.x:1\n",
        "\n",
        "a",
        "main.x:1:1:\n",
        "\xFF",
        "\r",
        "\xE2\x98",
        "\x1B[0m",
        "☃",
        "{closest}",
        "Name: countr ",
        "  ",
        "Name: countr\n",
    };
    char *text = malloc(LARGE);
    assert_non_null(text);
    for (size_t unit = 0; unit < ARRAY_LENGTH(units); unit++) {
        struct trial trial;
        size_t unit_size = strlen(units[unit]);
        size_t size = 0;
        for (; size + unit_size <= LARGE; size += unit_size) {
            memcpy(text + size, units[unit], unit_size);
        }
        trial_init(&trial,
                   "rules:\n"
                   "  - match: '^(?<class>\\w+)!(?<frames>(?:\\n at .*)*)(?:(.*)(.*)x|(a+)+b)?$'\n"
                   "    frame: ' at (?<function>.*) (?<file>.*):(?<line>.*)'\n"
                   "    take: last\n"
                   "  - {match: '^(?<class>\\w+): (?<message>(.|\\n)*)$'}\n"
                   "hints: [{match: '(?<name>\\w+)', closest: name, hint: '{closest}'}]\n",
                   "counter");
        write_bytes(&trial, RESULT_STDERR, text, size);
        uint64_t started = clock_thread_us();
        is_bounded(made(&trial));
        assert_true(clock_thread_us() - started < BOUNDED_US);
        trial_done(&trial);
    }
    free(text);
}

/* A source of nothing but names that are nearly the one that is looked for. */
static void test_hostile_source(void **state)
{
    (void)state;
    char *code = malloc(LARGE + 64);
    assert_non_null(code);
    size_t size = 0;
    for (unsigned i = 0; size < LARGE / 4; i++) {
        size += (size_t)snprintf(code + size, 64, "a_rather_long_name_that_is_near_%08x ", i);
    }
    struct trial trial;
    trial_init(
        &trial,
        "rules: [{match: '^(?<class>\\w+): (?<message>.*)$'}]\n"
        "hints: [{match: '^Name: (?<name>\\w+)', closest: name, hint: \"not '{closest}'?\"}]\n",
        code);
    uint64_t started = clock_thread_us();
    hint_is(made_of(&trial, "Name: a_rather_long_name_that_is_naer_0000000\n"),
            "not 'a_rather_long_name_that_is_near_00000000'?");
    assert_true(clock_thread_us() - started < BOUNDED_US);
    trial_done(&trial);
    free(code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_texts),     cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_unclean_text),   cmocka_unit_test(test_windows),
        cmocka_unit_test(test_sources),        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_hostile_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
