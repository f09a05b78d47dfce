/* What is found in what models write as a program. */
#include "front/serve/contracts/execute_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_code(const char *text, const char *expected)
{
    struct buffer code;
    buffer_init(&code, 0);
    /* Exactly as large as it is: a sanitizer sees what is read behind it. */
    char *exact = malloc(strlen(text) + 1);
    assert_non_null(exact);
    memcpy(exact, text, strlen(text) + 1);
    char *tight = realloc(exact, strlen(text) > 0 ? strlen(text) : 1);
    assert_non_null(tight);
    assert_int_equal(execute_code_find(tight, strlen(text), &code), 0);
    assert_string_equal(code.data != NULL ? code.data : "", expected);
    free(tight);
    buffer_done(&code);
}

static void test_forms(void **state)
{
    static const char *const rows[][2] = {
        /* as it is */
        {"", ""},
        {"print(1)", "print(1)"},
        {"python_x = 1\nprint(python_x)", "python_x = 1\nprint(python_x)"},
        {"python = 1", "python = 1"},
        {"\nif 1:\n  print(1)\n", "\nif 1:\n  print(1)\n"},
        {"x = '''\n```python\n'''", "x = '''\n```python\n'''"},
        {"{'a': 1}", "{'a': 1}"},
        {"{'generated_code'}", "{'generated_code'}"},
        {"{'generated_code': f(1)}", "{'generated_code': f(1)}"},
        {"{'generated_code': 'a'}['x']", "{'generated_code': 'a'}['x']"},
        {"{'generated_code': 'a", "{'generated_code': 'a"},
        {"{", "{"},
        {"{}", "{}"},
        /* literals */
        {"{'generated_code': 'print(1)'}", "print(1)"},
        {"{\"generated_code\": \"print(\\\"a\\\")\\nx\"}", "print(\"a\")\nx"},
        {" { 'generated_code' : 'a' , } \n", "a"},
        {"{'timeout': 10, 'generated_code': 'a', 'x': [1, {'y': ')'}]}", "a"},
        {"{'generated_code': 'a' 'b'\n \"c\"}", "abc"},
        {"{'generated_code': '''a'b\n''c'''}", "a'b\n''c"},
        {"{'generated_code': \"\"\"a\"\"\"}", "a"},
        {"{'generated_code': ''}", ""},
        {"{'generated_code': r'\\n'}", "\\n"},
        {"{'generated_code': 'it\\'s \\\\ \\x41\\u00e9\\U0001F600\\101\\q'}", "it's \\ Aé😀A\\q"},
        {"{\"generated_code\": \"\\ud83d\\ude00 \\ud83d \\/\"}", "😀 \xEF\xBF\xBD /"},
        {"{'generated_code': 'a\nb'}", "a\nb"},
        {"{'generated_code': 'python_x = 1'}", "python_x = 1"},
        /* blocks */
        {"```python\nprint(1)\n```", "print(1)\n"},
        {"```\nprint(1)\n```", "print(1)\n"},
        {"```py\nprint(1)```", "print(1)"},
        {"  ```Python3 \r\nprint(1)\n```  \n", "print(1)\n"},
        {"```python print(1)```", "print(1)"},
        {"```print(1)```", "print(1)"},
        {"```python_x = 1\nprint(python_x)\n```", "python_x = 1\nprint(python_x)\n"},
        {"```python\npython_x = 1\n```", "python_x = 1\n"},
        {"```x = 1\nprint(x)\n```", "x = 1\nprint(x)\n"},
        {"`print(1)`", "print(1)"},
        {"```python\nprint(1)", "print(1)"},
        {"```", ""},
        {"``````", ""},
        {"python\nprint(1)", "print(1)"},
        /* one in the other */
        {"{'generated_code': '```python\\nprint(1)\\n```'}", "print(1)\n"},
        {"```json\n{\"generated_code\": \"print(1)\"}\n```", "print(1)"},
        /* indentation */
        {" print(1)", "print(1)"},
        {"\n   a\n   if b:\n     c\n\n   d", "a\nif b:\n  c\n\nd"},
        {"   a\nb\n", "a\nb\n"},
        {"\ta\n\tb", "a\nb"},
        {"\n\n", "\n\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_code(rows[i][0], rows[i][1]);
    }
}

/* Whatever is cut off or nested: it ends, and reads nothing that is not there. */
static void test_anything(void **state)
{
    static const char whole[] = "```json\n{'a': [1, ({'b': 'c'})], \"generated_code\": "
                                "'''x\\u00e9\\ud83d\\ude00''' r'y\\z'}```";
    struct buffer code;
    (void)state;
    for (size_t from = 0; from < sizeof(whole); from++) {
        for (size_t size = 0; from + size < sizeof(whole); size++) {
            char *part = malloc(size + (size == 0));
            assert_non_null(part);
            memcpy(part, whole + from, size);
            buffer_init(&code, 0);
            assert_int_equal(execute_code_find(part, size, &code), 0);
            buffer_done(&code);
            free(part);
        }
    }
    enum { DEEP = 4000000 };
    char *deep = malloc(DEEP);
    assert_non_null(deep);
    memset(deep, '[', DEEP);
    memcpy(deep, "{'a': ", 6);
    buffer_init(&code, 0);
    assert_int_equal(execute_code_find(deep, DEEP, &code), 0);
    assert_int_equal(code.size, DEEP);
    buffer_done(&code);
    /* Strings without an end are looked for once. */
    memset(deep, '\'', DEEP);
    memcpy(deep, "{'a': 1,", 8);
    buffer_init(&code, 0);
    assert_int_equal(execute_code_find(deep, DEEP, &code), 0);
    buffer_done(&code);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
