/* Words of a runtime with placeholders: each of them, and what is none. */
#include "runtime/expand.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct spec_strings words_of(const char *const *words, size_t count)
{
    struct spec_strings list = {0};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(spec_strings_add(&list, words[i]), 0);
    }
    return list;
}

static void test_expand(void **state)
{
    (void)state;
    const char *const args[] = {"{path}", "two words", ""};
    char entry[] = "-s.d/main.tar.x", output[] = "out", extension[] = ".x";
    char *extensions[] = {extension};
    struct spec_file files[] = {
        {.path = (char[]){"b.X"}}, {.path = (char[]){"@a.x"}}, {.path = (char[]){"a.y"}},
        {.path = entry},           {.path = (char[]){"s/.x"}}, {.path = (char[]){"s/a.x"}},
    };
    CLEANUP(spec_strings_done) struct spec_strings request = words_of(args, ARRAY_LENGTH(args));
    struct limits limits;
    limits_init(&limits);
    limits.value[LIMIT_MEMORY] = 256 * LIMIT_MIB + 1;
    limits.value[LIMIT_CPUS] = 1500;
    limits.value[LIMIT_STACK] = 8192;
    const struct runtime runtime = {
        .entry = extension, .output = output, .extensions = {extensions, 1}};
    const struct spec spec = {
        .entry = entry, .files = files, .file_count = ARRAY_LENGTH(files), .args = request};
    struct expand_values values = {&runtime, &spec, "/bin/x", &limits, NULL};
    const char *const words[] = {
        "{path}",
        "-m={memory_mib},{memory_bytes}",
        "{cpus}{stack_bytes}",
        "{entry}",
        "{entry_stem}",
        "{compile_args}",
        "{args}",
        "/w/{output}",
        "{sources}",
        "{memory_mib:75} {memory_bytes:1} {stack_bytes:100}",
    };
    CLEANUP(spec_strings_done)
    struct spec_strings template = words_of(words, ARRAY_LENGTH(words));
    const char *const expected[] = {"/bin/x",
                                    "-m=256,268435457",
                                    "18192",
                                    "./-s.d/main.tar.x",
                                    "./-s.d/main.tar",
                                    "{path}",
                                    "two words",
                                    "",
                                    "/w/out",
                                    "b.X",
                                    "./@a.x",
                                    "s/a.x",
                                    "./-s.d/main.tar.x",
                                    "192 2684354 8192"};
    CLEANUP(spec_strings_done) struct spec_strings expanded = {0};
    struct cella_error err;
    assert_int_equal(expand_words(&template, &values, &expanded, &err), 0);
    assert_int_equal(expanded.count, ARRAY_LENGTH(expected));
    for (size_t i = 0; i < expanded.count; i++) {
        assert_string_equal(expanded.items[i], expected[i]);
    }
    limits.value[LIMIT_CPUS] = 100; /* less than one is still one to count by */
    AUTO_FREE char *text = NULL;
    assert_int_equal(expand_text("{cpus} { {} {A} {x {x:1", &values, &text, &err), 0);
    assert_string_equal(text, "1 { {} {A} {x {x:1");
    /* Outside of a run there are no arguments, and the largest limits have parts too. */
    values.spec = NULL;
    spec_strings_done(&expanded);
    assert_int_equal(expand_words(&template, &values, &expanded, &err), 0);
    assert_string_equal(expanded.items[3], ".x");
    assert_string_equal(expanded.items[4], ".x");
    assert_string_equal(expanded.items[6], ".x");
    AUTO_FREE char *most = NULL;
    limits.value[LIMIT_MEMORY] = UINT64_MAX;
    assert_int_equal(expand_text("{memory_bytes:50}", &values, &most, &err), 0);
    assert_string_equal(most, "9223372036854775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_expand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
