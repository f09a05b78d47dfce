/* YAML from operators: what becomes of values, what is refused, where an error is said to be. */
#include "base/error.h"
#include "base/yaml.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct yaml_text *parsed(const char *text)
{
    struct yaml_text *yaml = NULL;
    struct cella_error err = {0};
    if (yaml_text_parse("test.yaml", text, strlen(text), &yaml, &err) < 0) {
        fail_msg("refused: %s", err.text);
    }
    return yaml;
}

static void refused_bytes(const char *text, size_t size, const char *message)
{
    struct yaml_text *yaml = NULL;
    struct cella_error err = {0};
    assert_int_equal(yaml_text_parse("test.yaml", text, size, &yaml, &err), -1);
    assert_null(yaml);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    if (strstr(err.text, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, err.text);
    }
}

static void refused(const char *text, const char *message)
{
    refused_bytes(text, strlen(text), message);
}

/* Far behind it: the place is where it was opened. */
static void test_what_is_not_closed(void **state)
{
    (void)state;
    refused("a: [1, 2\nb: 3\nc: 4\n",
            "test.yaml:1:4: what '[' opens here goes wrong at line 2, column 2: did not find "
            "expected ',' or ']'");
    refused("a: 1\nb: {c: 1\nd: 2\n", "test.yaml:2:4: what '{' opens here goes wrong at line 3");
    refused("a: [\n", "test.yaml:1:4: what '[' opens here goes wrong at line 2, column 1: did not "
                      "find expected node content");
    refused("a: [[1],\n [2\nb: 3\n", "test.yaml:2:2: what '[' opens here");
    refused("a: 1\nb: \"x\nc: y\n", "test.yaml:2:4: the quoted text that begins here has no end");
    refused("a: 'x\nb: y\n", "test.yaml:1:4: the quoted text that begins here has no end");
    refused(
        "a: \"x\nb: \"y\"\nc: 3\n",
        "test.yaml:1:4: the quoted text that begins here ends at line 2, column 4, and there did "
        "not find expected key");
    refused("a: [1}\n", "test.yaml:1:6: did not find expected ',' or ']'");
}

/* The value of `k: TEXT` as JSON. */
static void becomes(const char *text, const char *json)
{
    char document[256];
    (void)snprintf(document, sizeof(document), "k: %s\n", text);
    struct yaml_text *yaml = parsed(document);
    char *found = json_dumps(json_object_get(yaml_text_root(yaml), "k"),
                             JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_non_null(found);
    assert_string_equal(found, json);
    free(found);
    yaml_text_destroy(yaml);
}

static void test_core_schema(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "null"},
        {"~", "null"},
        {"null", "null"},
        {"NULL", "null"},
        {"nUll", "\"nUll\""},
        {"true", "true"},
        {"False", "false"},
        {"yes", "\"yes\""},
        {"no", "\"no\""},
        {"on", "\"on\""},
        {"0", "0"},
        {"-0", "0"},
        {"+12", "12"},
        {"-12", "-12"},
        {"012", "12"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"-0x1F", "\"-0x1F\""},
        {"0o8", "\"0o8\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.5", "1.5"},
        {".5", "0.5"},
        {"2.", "2.0"},
        {"-1.5e2", "-150.0"},
        {"1e3", "1000.0"},
        {"1e", "\"1e\""},
        {".", "\".\""},
        {"1_000", "\"1_000\""},
        {"1:30", "\"1:30\""},
        {"10s", "\"10s\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"'12'", "\"12\""},
        {"\"true\"", "\"true\""},
        {"''", "\"\""},
        {"\"a\\0b\"", "\"a\\u0000b\""},
        {"[1, a, {b: ~}]", "[1,\"a\",{\"b\":null}]"},
        {"|\n  two\n  lines", "\"two\\nlines\\n\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        becomes(rows[i][0], rows[i][1]);
    }
}

static void test_numbers_without_value(void **state)
{
    (void)state;
    refused("k: 9223372036854775808", "test.yaml:1:4: the number is too large");
    refused("k: -9223372036854775809", "the number is too large");
    refused("k: 0xffffffffffffffffff", "the number is too large");
    refused("k: 1e999", "the number is too large");
    refused("k: .inf", "must be finite");
    refused("k: -.INF", "must be finite");
    refused("k: .nan", "must be finite");
}

static void test_point_in_any_locale(void **state)
{
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        skip();
    }
    struct yaml_text *yaml = parsed("k: 1.5");
    double value = json_real_value(json_object_get(yaml_text_root(yaml), "k"));
    (void)setlocale(LC_NUMERIC, "C");
    assert_true(value > 1.49 && value < 1.51);
    yaml_text_destroy(yaml);
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "the file is empty");
    refused("# only a comment\n", "the file is empty");
    refused("just text", "test.yaml:1:1: the file must be a mapping");
    refused("- a\n- b\n", "must be a mapping");
    refused("a: 1\nb: 2\na: 3\n", "test.yaml:3:1: the key 'a' is there twice");
    refused("a:\n  b: ~\n  b: 1\n", "test.yaml:3:3: the key 'b' is there twice");
    refused("a: 1\n---\nb: 2\n", "test.yaml:2:1: the file must have one document only");
    refused("a: &x 1\n", "anchors and tags");
    refused("a: &x [1]\n", "anchors and tags");
    refused("a: &x {b: 1}\n", "anchors and tags");
    refused("a: *x\n", "test.yaml:1:4: aliases are not allowed");
    refused("<<: {a: 1}\n", "a key is a word");
    refused("a: !!str 1\n", "anchors and tags");
    refused("a: ! 1\n", "anchors and tags");
    refused("a: !!map {}\n", "anchors and tags");
    refused("[a]: 1\n", "test.yaml:1:1: a key must be a single word");
    refused("{a: 1}: 1\n", "a key must be a single word");
    refused("? \n: 1\n", "a key is a word");
    refused("a b: 1\n", "a key is a word");
    refused("\"a\\0b\": 1\n", "a key is a word");
    refused("a: [1\n", "test.yaml:");
    refused("a: \"open\n", "test.yaml:");
    refused("a: \tb\n\tc: d\n", "test.yaml:");
    refused("a: 1\n b: 2\n", "test.yaml:2:");
    refused("a: \"\\ud800\"\n", "test.yaml:1:");
    refused_bytes("a: \xff\n", 5, "test.yaml: byte 3");
    refused_bytes("a: b\0c\n", 7, "test.yaml: byte 4");
    refused("%YAML 3.0\n---\na: 1\n", "test.yaml:1:1");
}

/* `depth` values in each other: the root, then sequences. */
static void nested(size_t depth, char ret_text[64])
{
    (void)snprintf(ret_text, 64, "k: %.*s1%.*s", (int)(depth - 1), "[[[[[[[[[[[[[[[[",
                   (int)(depth - 1), "]]]]]]]]]]]]]]]]");
}

static void test_depth(void **state)
{
    (void)state;
    char text[64];
    nested(YAML_TEXT_DEPTH_MAX, text);
    yaml_text_destroy(parsed(text));
    nested(YAML_TEXT_DEPTH_MAX + 1, text);
    refused(text, "nested too deep");
}

static void test_key_length(void **state)
{
    (void)state;
    char text[YAML_TEXT_KEY_MAX + 8];
    (void)snprintf(text, sizeof(text), "%0*d: 1", (int)YAML_TEXT_KEY_MAX, 0);
    yaml_text_destroy(parsed(text));
    (void)snprintf(text, sizeof(text), "%0*d: 1", (int)YAML_TEXT_KEY_MAX + 1, 0);
    refused(text, "the key is too long");
}

static void test_size(void **state)
{
    (void)state;
    char *text = malloc(YAML_TEXT_SIZE_MAX + 1);
    assert_non_null(text);
    memset(text, '\n', YAML_TEXT_SIZE_MAX + 1);
    memcpy(text, "a: 1", 4);
    struct yaml_text *yaml = NULL;
    struct cella_error err;
    assert_int_equal(yaml_text_parse("f", text, YAML_TEXT_SIZE_MAX, &yaml, &err), 0);
    yaml_text_destroy(yaml);
    refused_bytes(text, YAML_TEXT_SIZE_MAX + 1, "has 65537 bytes, at most 65536 are allowed");
    free(text);
}

static void test_node_count(void **state)
{
    (void)state;
    /* The root, the sequence, and its elements. */
    size_t elements = YAML_TEXT_NODES_MAX - 2;
    char *text = malloc(2 * YAML_TEXT_NODES_MAX + 16);
    assert_non_null(text);
    for (size_t more = 0; more <= 1; more++) {
        size_t size = 0;
        memcpy(text, "k: [", 4);
        size = 4;
        for (size_t i = 0; i < elements + more; i++) {
            memcpy(text + size, "1,", 2);
            size += 2;
        }
        text[size++] = ']';
        if (more == 1) {
            refused_bytes(text, size, "too many values");
        } else {
            struct yaml_text *yaml = NULL;
            struct cella_error err;
            assert_int_equal(yaml_text_parse("f", text, size, &yaml, &err), 0);
            assert_int_equal(json_array_size(json_object_get(yaml_text_root(yaml), "k")), elements);
            yaml_text_destroy(yaml);
        }
    }
    free(text);
}

static void placed(const struct yaml_text *yaml, const char *field, const char *text)
{
    struct cella_error err;
    (void)error_set(&err, CELLA_ERROR_CALLER, 0, "%s is wrong", field);
    (void)error_set_field(&err, "%s", field);
    (void)error_set_hint(&err, "mend it");
    assert_int_equal(yaml_text_place(yaml, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_string_equal(err.text, text);
    assert_string_equal(err.hint, "mend it");
    assert_string_equal(err.field, "");
}

static void test_places(void **state)
{
    (void)state;
    struct yaml_text *yaml = parsed("# comment\n"
                                    "limits:\n"
                                    "    wall_ms: {cap: 5}\n"
                                    "run: [a,\n"
                                    "      b]\n"
                                    "list:\n"
                                    "  - x: 1\n"
                                    "    y: 2\n");
    placed(yaml, "limits", "test.yaml:2:1: limits is wrong");
    placed(yaml, "limits.wall_ms", "test.yaml:3:5: limits.wall_ms is wrong");
    placed(yaml, "limits.wall_ms.cap", "test.yaml:3:15: limits.wall_ms.cap is wrong");
    placed(yaml, "run[1]", "test.yaml:5:7: run[1] is wrong");
    placed(yaml, "list[0].y", "test.yaml:8:5: list[0].y is wrong");
    placed(yaml, "", "test.yaml:2:1:  is wrong");
    placed(yaml, "missing", "test.yaml:2:1: missing is wrong");
    struct cella_error err;
    (void)error_set_memory(&err);
    assert_int_equal(yaml_text_place(yaml, &err), -1);
    assert_string_equal(err.text, "memory is short: Cannot allocate memory");
    yaml_text_destroy(yaml);
    yaml_text_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_closed),
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_numbers_without_value),
        cmocka_unit_test(test_point_in_any_locale),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_key_length),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_node_count),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
