/* Requests: every field, every refusal with its field and words, every bound at, under, over. */
#include "base/buffer.h"
#include "request/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spec *parse(const char *json)
{
    struct spec *spec = NULL;
    struct cella_error err;
    if (spec_parse(json, strlen(json), &spec, &err) < 0) {
        fail_msg("%s: %s (%s)", json, err.text, err.field);
    }
    return spec;
}

static void refused(const char *json, const char *field, const char *text)
{
    struct spec *spec = NULL;
    struct cella_error err;
    if (spec_parse(json, strlen(json), &spec, &err) == 0) {
        fail_msg("%.200s was taken", json);
    }
    assert_null(spec);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, text);
    assert_string_equal(err.field, field);
}

static void refused_hint(const char *json, const char *hint)
{
    struct spec *spec = NULL;
    struct cella_error err;
    assert_int_equal(spec_parse(json, strlen(json), &spec, &err), -1);
    assert_string_equal(err.hint, hint);
}

/* ---- what is taken ---- */

static void test_every_field(void **state)
{
    (void)state;
    struct spec *spec = parse(
        "{\"language\": \"python\", \"code\": \"a\\u0000b\", \"entry\": \"src/m.py\","
        " \"files\": [{\"path\": \"d/x\", \"content\": \"AAH/\", \"encoding\": \"base64\","
        "   \"executable\": true}, {\"path\": \"y\", \"content\": \"\"}],"
        " \"args\": [\"\", \"-x\"], \"env\": {\"A\": \"1\", \"B\": \"\"},"
        " \"stdin\": {\"content\": \"aGk=\", \"encoding\": \"base64\"}, \"policy\": \"strict\","
        " \"limits\": {\"wall_ms\": 1.5, \"memory_bytes\": 1048576, \"cpus\": 0.5,"
        "   \"swap_bytes\": 0, \"processes\": null},"
        " \"compile\": {\"args\": [\"-O3\"], \"limits\": {\"wall_ms\": 5000}},"
        " \"network\": {\"allow\": [\"example.org:443\"]}, \"collect\": [\"out/**\"],"
        " \"on_output_limit\": \"stop\", \"text_errors\": \"replace\", \"interleave\": true,"
        " \"adaptive_timeout\": false,"
        " \"tag\": \"t1\"}");
    assert_string_equal(spec->language, "python");
    assert_int_equal(spec->code.size, 3);
    assert_memory_equal(spec->code.data, "a\0b", 4);
    assert_string_equal(spec->entry, "src/m.py");
    assert_int_equal(spec->file_count, 2);
    assert_string_equal(spec->files[0].path, "d/x");
    assert_int_equal(spec->files[0].content.size, 3);
    assert_memory_equal(spec->files[0].content.data, "\x00\x01\xFF", 4);
    assert_true(spec->files[0].executable);
    assert_int_equal(spec->files[1].content.size, 0);
    assert_false(spec->files[1].executable);
    assert_int_equal(spec->args.count, 2);
    assert_string_equal(spec->args.items[0], "");
    assert_string_equal(spec->args.items[1], "-x");
    assert_int_equal(spec->env_count, 2);
    assert_int_equal(spec->stdin_bytes.size, 2);
    assert_string_equal(spec->stdin_bytes.data, "hi");
    assert_string_equal(spec->policy, "strict");
    assert_int_equal(spec->limits.value[LIMIT_WALL], 1500);
    assert_int_equal(spec->limits.value[LIMIT_MEMORY], LIMIT_MIB);
    assert_int_equal(spec->limits.value[LIMIT_CPUS], 500);
    assert_int_equal(spec->limits.value[LIMIT_SWAP], 0);
    assert_true(spec->limits.value[LIMIT_PROCESSES] == LIMIT_UNSET);
    assert_int_equal(spec->compile_limits.value[LIMIT_WALL], 5000000);
    assert_string_equal(spec->compile_args.items[0], "-O3");
    assert_int_equal(spec->network, SPEC_NETWORK_ALLOW);
    assert_string_equal(spec->network_allow.items[0], "example.org:443");
    assert_string_equal(spec->collect.items[0], "out/**");
    assert_int_equal(spec->on_output_limit, SPEC_OUTPUT_STOP);
    assert_int_equal(spec->text_errors, SPEC_TEXT_REPLACE);
    assert_true(spec->interleave);
    assert_int_equal(spec->adaptive_timeout, SPEC_ADAPTIVE_OFF);
    assert_string_equal(spec->tag, "t1");
    spec_destroy(spec);
}

static void test_defaults_and_nulls(void **state)
{
    (void)state;
    struct spec *spec =
        parse("{\"command\": [\"/bin/true\"], \"language\": null, \"code\": null, \"entry\": null,"
              " \"files\": null, \"args\": null, \"env\": null, \"stdin\": null, \"policy\": null,"
              " \"limits\": null, \"compile\": null, \"network\": null, \"collect\": null,"
              " \"on_output_limit\": null, \"text_errors\": null, \"interleave\": null,"
              " \"adaptive_timeout\": null,"
              " \"tag\": null}");
    assert_null(spec->language);
    assert_null(spec->code.data);
    assert_null(spec->policy);
    assert_null(spec->tag);
    assert_int_equal(spec->network, SPEC_NETWORK_NONE);
    assert_int_equal(spec->on_output_limit, SPEC_OUTPUT_UNSET);
    assert_int_equal(spec->text_errors, SPEC_TEXT_BASE64);
    assert_false(spec->interleave);
    assert_int_equal(spec->adaptive_timeout, SPEC_ADAPTIVE_UNSET);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        assert_true(spec->limits.value[i] == LIMIT_UNSET);
    }
    spec_destroy(spec);
    spec_destroy(NULL);
}

static void test_network_none_in_every_form(void **state)
{
    (void)state;
    static const char *const forms[] = {"\"none\"", "null", "{}", "{\"allow\": []}",
                                        "{\"allow\": null}"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char json[128];
        (void)snprintf(json, sizeof(json), "{\"command\": [\"x\"], \"network\": %s}", forms[i]);
        struct spec *spec = parse(json);
        assert_int_equal(spec->network, SPEC_NETWORK_NONE);
        assert_int_equal(spec->network_allow.count, 0);
        spec_destroy(spec);
    }
    struct spec *spec = parse("{\"command\": [\"x\"], \"network\": \"host\"}");
    assert_int_equal(spec->network, SPEC_NETWORK_HOST);
    spec_destroy(spec);
}

static void test_stdin_as_text(void **state)
{
    (void)state;
    struct spec *spec = parse("{\"command\": [\"x\"], \"stdin\": \"\"}");
    assert_non_null(spec->stdin_bytes.data);
    assert_int_equal(spec->stdin_bytes.size, 0);
    spec_destroy(spec);
    spec = parse("{\"command\": [\"x\"], \"stdin\": {\"content\": \"z\"}}");
    assert_string_equal(spec->stdin_bytes.data, "z");
    spec_destroy(spec);
}

/* ---- what is refused ---- */

#define RUN "{\"command\": [\"x\"], "

static void test_names_of_fields(void **state)
{
    (void)state;
    refused("{\"langauge\": \"python\"}", "langauge", "langauge is not a field");
    refused_hint("{\"langauge\": \"python\"}", "did you mean 'language'?");
    refused(RUN "\"limits\": {\"memory\": 1}}", "limits.memory", "limits.memory is not a field");
    refused_hint(RUN "\"limits\": {\"memory_byte\": 1}}", "did you mean 'memory_bytes'?");
    refused(RUN "\"files\": [{\"path\": \"a\", \"content\": \"\"}, {\"pth\": \"b\"}]}",
            "files[1].pth", "files[1].pth is not a field");
    refused(RUN "\"compile\": {\"limits\": {\"wall\": 1}}}", "compile.limits.wall",
            "compile.limits.wall is not a field");
    refused(RUN "\"network\": {\"deny\": []}}", "network.deny", "network.deny is not a field");
    refused(RUN "\"stdin\": {\"content\": \"\", \"path\": \"\"}}", "stdin.path",
            "stdin.path is not a field");
}

static void test_types(void **state)
{
    (void)state;
    refused("[]", "", "the JSON must be an object, not an array");
    refused("\"python\"", "", "the JSON must be an object, not a string");
    refused("{\"language\": 3}", "language", "language must be a string, not a number");
    refused("{\"command\": \"ls\"}", "command", "command must be an array, not a string");
    refused("{\"command\": [1]}", "command[0]", "command[0] must be a string, not a number");
    refused(RUN "\"args\": {}}", "args", "args must be an array, not an object");
    refused(RUN "\"env\": []}", "env", "env must be an object of names and values");
    refused(RUN "\"env\": {\"A\": 1}}", "env.A", "env.A must be a string, not a number");
    refused(RUN "\"stdin\": []}", "stdin", "stdin must be a string or an object");
    refused(RUN "\"limits\": {\"wall_ms\": \"10s\"}}", "limits.wall_ms",
            "limits.wall_ms must be a number of milliseconds");
    refused(RUN "\"limits\": {\"processes\": 1.5}}", "limits.processes",
            "limits.processes must be a whole number");
    refused(RUN "\"limits\": {\"memory_bytes\": 0}}", "limits.memory_bytes",
            "limits.memory_bytes must be more than 0");
    refused(RUN "\"compile\": {\"limits\": {\"cpus\": -1}}}", "compile.limits.cpus",
            "compile.limits.cpus must not be negative");
    refused(RUN "\"adaptive_timeout\": \"yes\"}", "adaptive_timeout",
            "adaptive_timeout must be true or false, not a string");
    refused(RUN "\"interleave\": 1}", "interleave",
            "interleave must be true or false, not a number");
    refused(RUN "\"network\": true}", "network", "network must be a string, not a boolean");
}

static void test_words(void **state)
{
    (void)state;
    refused(RUN "\"network\": \"nat\"}", "network", "network must be 'none' or 'host'");
    refused(RUN "\"on_output_limit\": \"kill\"}", "on_output_limit",
            "on_output_limit must be 'truncate' or 'stop'");
    refused(RUN "\"text_errors\": \"ignore\"}", "text_errors",
            "text_errors must be 'base64' or 'replace'");
    refused(RUN "\"files\": [{\"path\": \"a\", \"content\": \"\", \"encoding\": \"latin1\"}]}",
            "files[0].encoding", "files[0].encoding must be 'utf-8' or 'base64'");
    refused(RUN "\"network\": {\"allow\": [\"a:1\", \"example.org\"]}}", "network.allow[1]",
            "network.allow[1] must be host:port");
    refused(RUN "\"network\": {\"allow\": [\"a:0\"]}}", "network.allow[0]",
            "network.allow[0] must be host:port");
    refused(RUN "\"network\": {\"allow\": [\"a:65536\"]}}", "network.allow[0]",
            "network.allow[0] must be host:port");
    refused(RUN "\"network\": {\"allow\": [\":1\"]}}", "network.allow[0]",
            "network.allow[0] must be host:port");
}

static void test_nul_and_controls(void **state)
{
    (void)state;
    refused("{\"command\": [\"a\\u0000\"]}", "command[0]", "command[0] must not contain NUL");
    refused(RUN "\"args\": [\"x\", \"\\u0000\"]}", "args[1]", "args[1] must not contain NUL");
    refused(RUN "\"env\": {\"A\": \"\\u0000\"}}", "env.A", "env.A must not contain NUL");
    refused(RUN "\"tag\": \"\\u0000\"}", "tag", "tag must not contain NUL");
    refused(RUN "\"tag\": \"a\\nb\"}", "tag", "tag contains a control character");
    refused("{\"language\": \"py\\n\"}", "language", "language contains a control character");
    refused(RUN "\"policy\": \"\"}", "policy", "policy is empty");
    refused(RUN "\"policy\": \"../x\"}", "policy", "policy contains a slash or begins with a dot");
    refused("{\"language\": \"a/b\"}", "language",
            "language contains a slash or begins with a dot");
    refused(RUN "\"files\": [{\"path\": \"a\\nb\", \"content\": \"\"}]}", "files[0].path",
            "files[0].path contains a control character");
    refused(RUN "\"files\": [{\"path\": \"a\\u0000b\", \"content\": \"\"}]}", "files[0].path",
            "files[0].path must not contain NUL");
    refused(RUN "\"collect\": [\"a\\tb\"]}", "collect[0]",
            "collect[0] contains a control character");
}

static void test_files(void **state)
{
    (void)state;
    refused(RUN "\"files\": [{\"content\": \"\"}]}", "files[0].path", "files[0].path is missing");
    refused(RUN "\"files\": [{\"path\": \"a\"}]}", "files[0].content",
            "files[0].content is missing");
    refused(RUN "\"files\": [{\"path\": \"../a\", \"content\": \"\"}]}", "files[0].path",
            "files[0].path has a part that is '.' or '..'");
    refused(RUN "\"files\": [{\"path\": \"/etc/passwd\", \"content\": \"\"}]}", "files[0].path",
            "files[0].path has an empty part, or begins or ends with a slash");
    refused(RUN "\"files\": [{\"path\": \"a\", \"content\": \"Zh==\", \"encoding\": \"base64\"}]}",
            "files[0].content", "files[0].content is not base64");
    refused(RUN "\"files\": [{\"path\": \"a\", \"content\": \"\"}, {\"path\": \"b\", \"content\":"
                " \"\"}, {\"path\": \"a\", \"content\": \"\"}]}",
            "files[2].path", "'a' is given twice");
    refused(RUN "\"files\": [{\"path\": \"a/b\", \"content\": \"\"}, {\"path\": \"a-b\","
                " \"content\": \"\"}, {\"path\": \"a\", \"content\": \"\"}]}",
            "files[2].path", "'a' is a file and a directory");
    refused(RUN "\"files\": [{\"path\": \"a\", \"content\": \"\"}, {\"path\": \"a!\", \"content\":"
                " \"\"}, {\"path\": \"a/b/c\", \"content\": \"\"}]}",
            "files[2].path", "'a' is a file and a directory");
    struct spec *spec = parse(RUN "\"files\": [{\"path\": \"a\", \"content\": \"\"}, {\"path\":"
                                  " \"A\", \"content\": \"\"}, {\"path\": \"a.b/c\", \"content\":"
                                  " \"\"}, {\"path\": \"ab\", \"content\": \"\"}]}");
    assert_int_equal(spec->file_count, 4);
    spec_destroy(spec);
}

static void test_what_runs(void **state)
{
    (void)state;
    refused("{}", "language", "the request says neither language nor command");
    refused("{\"command\": []}", "language", "the request says neither language nor command");
    refused("{\"command\": [\"\"]}", "command[0]", "command[0] is empty: it is the program");
    refused("{\"language\": \"c\", \"command\": [\"x\"]}", "command",
            "the request has both a language and a command");
    refused(RUN "\"code\": \"\"}", "code", "code needs a language, and the request has a command");
    refused(RUN "\"entry\": \"m\"}", "entry",
            "entry needs a language, and the request has a command");
    refused(RUN "\"args\": [\"a\"]}", "args",
            "args need a language, and the request has a command");
    refused("{\"language\": \"c\"}", "code", "the request has nothing to run");
    refused("{\"language\": \"c\", \"entry\": \"m.c\", \"files\": [{\"path\": \"x.c\","
            " \"content\": \"\"}]}",
            "entry", "the entry file 'm.c' is not among files");
    refused("{\"language\": \"c\", \"entry\": \"..\", \"code\": \"\"}", "entry",
            "entry has a part that is '.' or '..'");
    refused("{\"language\": \"c\", \"code\": \"\", \"entry\": \"m.c\", \"files\": [{\"path\":"
            " \"m.c\", \"content\": \"\"}]}",
            "files[0].path", "'m.c' and the entry file 'm.c' collide");
    refused("{\"language\": \"c\", \"code\": \"\", \"entry\": \"m/m.c\", \"files\": [{\"path\":"
            " \"m\", \"content\": \"\"}]}",
            "files[0].path", "'m' and the entry file 'm/m.c' collide");
    refused("{\"language\": \"c\", \"code\": \"\", \"entry\": \"m\", \"files\": [{\"path\":"
            " \"m/x\", \"content\": \"\"}]}",
            "files[0].path", "'m/x' and the entry file 'm' collide");
    struct spec *spec = parse("{\"language\": \"c\", \"entry\": \"m.c\", \"files\": [{\"path\":"
                              " \"m.c\", \"content\": \"\"}]}");
    spec_destroy(spec);
    spec = parse("{\"language\": \"c\", \"code\": \"\"}"); /* an empty program is a program */
    spec_destroy(spec);
}

static void test_environment(void **state)
{
    (void)state;
    refused(RUN "\"env\": {\"\": \"x\"}}", "env.", "env. has an empty name");
    refused(RUN "\"env\": {\"A=B\": \"x\"}}", "env.A=B", "env.A=B has a name with '=' in it");
    refused(RUN "\"env\": {\"A\": \"1\", \"A\": \"2\"}}", "env.A",
            "not valid JSON: line 1, column 40: duplicate object key near '\"A\"'");
    struct spec *spec = spec_create();
    struct cella_error err;
    assert_int_equal(spec_add_env(spec, "A", "1", &err), 0);
    assert_int_equal(spec_add_env(spec, "A", "2", &err), -1);
    assert_string_equal(err.text, "env.A is given twice");
    assert_int_equal(spec_add_env(spec, "B", "\xFF", &err), -1);
    assert_string_equal(err.text, "env.B has a value that is not valid UTF-8");
    spec_destroy(spec);
}

/* ---- bounds ---- */

/* A text of `size` bytes; free it. */
static char *filled(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    text[size] = '\0';
    return text;
}

static void test_bounds_of_texts(void **state)
{
    (void)state;
    struct spec *spec = spec_create();
    struct cella_error err;
    char *text = filled(SPEC_STDIN_MAX + 1);
    assert_int_equal(spec_set_code(spec, text, SPEC_CODE_MAX, &err), 0);
    assert_int_equal(spec_set_code(spec, text, SPEC_CODE_MAX + 1, &err), -1);
    assert_string_equal(err.text, "code may have at most 16777216 bytes");
    assert_string_equal(err.field, "code");
    assert_int_equal(spec->code.size, SPEC_CODE_MAX);
    assert_int_equal(spec_set_stdin(spec, text, SPEC_STDIN_MAX, &err), 0);
    assert_int_equal(spec_set_stdin(spec, text, SPEC_STDIN_MAX + 1, &err), -1);
    assert_string_equal(err.text, "stdin may have at most 67108864 bytes");
    text[SPEC_NAME_MAX] = '\0';
    assert_int_equal(spec_set_language(spec, text, &err), 0);
    assert_int_equal(spec_set_policy(spec, text, &err), 0);
    text[SPEC_NAME_MAX] = 'a';
    text[SPEC_NAME_MAX + 1] = '\0';
    assert_int_equal(spec_set_language(spec, text, &err), -1);
    assert_string_equal(err.text, "language is too long");
    assert_string_equal(err.hint, "at most 64 bytes are allowed");
    assert_int_equal(spec_set_policy(spec, text, &err), -1);
    text[SPEC_NAME_MAX + 1] = 'a';
    text[SPEC_TAG_MAX] = '\0';
    assert_int_equal(spec_set_tag(spec, text, &err), 0);
    text[SPEC_TAG_MAX] = 'a';
    text[SPEC_TAG_MAX + 1] = '\0';
    assert_int_equal(spec_set_tag(spec, text, &err), -1);
    assert_string_equal(err.field, "tag");
    text[SPEC_GLOB_MAX] = '\0';
    assert_int_equal(spec_add_collect(spec, text, &err), 0);
    text[SPEC_GLOB_MAX] = 'a';
    assert_int_equal(spec_add_collect(spec, text, &err), -1);
    assert_string_equal(err.text, "collect[1] is longer than 255 bytes");
    free(text);
    spec_destroy(spec);
}

static void test_bounds_of_counts(void **state)
{
    (void)state;
    struct spec *spec = spec_create();
    struct cella_error err;
    for (unsigned i = 0; i < SPEC_ARGS_MAX; i++) {
        assert_int_equal(spec_add_arg(spec, "x", &err), 0);
    }
    assert_int_equal(spec_add_arg(spec, "x", &err), -1);
    assert_string_equal(err.text, "args may have at most 1024 items");
    for (unsigned i = 0; i < SPEC_COLLECT_MAX; i++) {
        assert_int_equal(spec_add_collect(spec, "*", &err), 0);
    }
    assert_int_equal(spec_add_collect(spec, "*", &err), -1);
    assert_string_equal(err.text, "collect may have at most 64 patterns");
    for (unsigned i = 0; i <= SPEC_ENV_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "V%u", i);
        assert_int_equal(spec_add_env(spec, name, "", &err), i < SPEC_ENV_MAX ? 0 : -1);
    }
    assert_string_equal(err.text, "env may have at most 256 variables");
    for (unsigned i = 0; i <= SPEC_NETWORK_ALLOW_MAX; i++) {
        int expected = i < SPEC_NETWORK_ALLOW_MAX ? 0 : -1;
        assert_int_equal(spec_add_network_allow(spec, "a:1", &err), expected);
    }
    assert_string_equal(err.text, "network.allow may have at most 256 items");
    for (unsigned i = 0; i <= SPEC_FILES_MAX; i++) {
        char path[16];
        (void)snprintf(path, sizeof(path), "f%u", i);
        int expected = i < SPEC_FILES_MAX ? 0 : -1;
        assert_int_equal(spec_add_file(spec, path, "", 0, false, &err), expected);
    }
    assert_string_equal(err.text, "files may have at most 4096 files");
    spec_destroy(spec);
}

static void test_bounds_of_sums(void **state)
{
    (void)state;
    struct spec *spec = spec_create();
    struct cella_error err;
    char *text = filled(SPEC_FILES_BYTES_MAX);
    assert_int_equal(spec_add_file(spec, "a", text, SPEC_FILES_BYTES_MAX - 1, false, &err), 0);
    assert_int_equal(spec_add_file(spec, "b", text, 2, false, &err), -1);
    assert_string_equal(err.text, "files may have at most 67108864 bytes in all");
    assert_string_equal(err.field, "files");
    assert_int_equal(spec_add_file(spec, "b", text, 1, false, &err), 0);
    text[SPEC_ARGS_BYTES_MAX - 1 - 2] = '\0'; /* with its NUL, and "x" with its own: the bound */
    assert_int_equal(spec_add_arg(spec, "x", &err), 0);
    assert_int_equal(spec_add_arg(spec, text, &err), 0);
    assert_int_equal(spec_add_arg(spec, "", &err), -1);
    assert_string_equal(err.text, "args may have at most 98304 bytes in all");
    text[SPEC_ENV_BYTES_MAX - 3] = '\0'; /* "A=", the value, NUL: the bound */
    assert_int_equal(spec_add_env(spec, "A", text, &err), 0);
    assert_int_equal(spec_add_env(spec, "B", "", &err), -1);
    assert_string_equal(err.text, "env may have at most 65536 bytes in all");
    free(text);
    spec_destroy(spec);
}

/* ---- setters ---- */

static void test_setters(void **state)
{
    (void)state;
    struct spec *spec = spec_create();
    struct cella_error err;
    assert_int_equal(spec_set_limit(spec, LIMIT_MEMORY, "256m", &err), 0);
    assert_int_equal(spec->limits.value[LIMIT_MEMORY], 256 * LIMIT_MIB);
    assert_int_equal(spec_set_limit(spec, LIMIT_MEMORY, "lots", &err), -1);
    assert_string_equal(err.field, "limits.memory_bytes");
    assert_string_equal(err.text, "memory_bytes 'lots' is not a size such as 64k, 256m or 1.5g");
    assert_int_equal(spec->limits.value[LIMIT_MEMORY], 256 * LIMIT_MIB);
    assert_int_equal(spec_set_compile_limit(spec, LIMIT_WALL, "0", &err), -1);
    assert_string_equal(err.field, "compile.limits.wall_ms");
    assert_int_equal(spec_set_compile_limit(spec, LIMIT_WALL, "5s", &err), 0);
    assert_int_equal(spec->compile_limits.value[LIMIT_WALL], 5 * LIMIT_SECOND);
    assert_int_equal(spec_add_arg(spec, "\xFF", &err), -1);
    assert_string_equal(err.text, "args[0] is not valid UTF-8");
    assert_int_equal(spec_set_code(spec, "\xFF", 1, &err), 0); /* a program may be any bytes */
    assert_int_equal(spec_set_language(spec, "a", &err), 0);
    assert_int_equal(spec_set_language(spec, "b", &err), 0); /* the last one counts */
    assert_string_equal(spec->language, "b");
    assert_int_equal(spec_check(spec, &err), 0);
    assert_int_equal(spec_add_network_allow(spec, "a:1", &err), 0);
    assert_int_equal(spec_set_network(spec, "none", &err), 0);
    assert_int_equal(spec->network_allow.count, 0);
    spec_destroy(spec);
}

static void test_shared_contents(void **state)
{
    (void)state;
    static char text[SPEC_FILES_BYTES_MAX];
    struct cella_error err;
    struct spec *from = parse("{\"language\": \"python\", \"code\": \"a\\u0000b\", \"files\": ["
                              "{\"path\": \"x\", \"content\": \"one\"}]}");
    struct spec *spec = parse("{\"language\": \"python\", \"code\": \"\", \"files\": ["
                              "{\"path\": \"x\", \"content\": \"\"},"
                              "{\"path\": \"y\", \"content\": \"two\"}]}");
    assert_int_equal(spec_share_contents(spec, from, &err), 0);
    assert_ptr_equal(spec->code.data, from->code.data); /* and no copy */
    assert_int_equal(spec_share_contents(spec, from, &err), 0);
    spec_destroy(from);
    assert_int_equal(spec->code.size, 3);
    assert_memory_equal(spec->code.data, "a\0b", 4);
    assert_string_equal(spec->files[0].content.data, "one");
    assert_string_equal(spec->files[1].content.data, "two");
    assert_int_equal(spec_set_code(spec, "own", 3, &err), 0);
    assert_string_equal(spec->code.data, "own");

    from = spec_create();
    assert_int_equal(spec_add_file(from, "x", text, SPEC_FILES_BYTES_MAX - 2, false, &err), 0);
    assert_int_equal(spec_share_contents(spec, from, &err), -1);
    assert_string_equal(err.field, "files");
    assert_string_equal(spec->files[0].content.data, "one");
    assert_string_equal(spec->code.data, "own");
    spec_destroy(from);

    from = spec_create(); /* "one" is no content of y */
    assert_int_equal(spec_add_file(from, "y", "evil", 4, false, &err), 0);
    assert_int_equal(spec_share_contents(spec, from, &err), -1);
    assert_string_equal(spec->files[0].content.data, "one");
    assert_string_equal(spec->files[1].content.data, "two");
    spec_destroy(from);
    spec_destroy(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_defaults_and_nulls),
        cmocka_unit_test(test_network_none_in_every_form),
        cmocka_unit_test(test_stdin_as_text),
        cmocka_unit_test(test_names_of_fields),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_nul_and_controls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_runs),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_bounds_of_texts),
        cmocka_unit_test(test_bounds_of_counts),
        cmocka_unit_test(test_bounds_of_sums),
        cmocka_unit_test(test_setters),
        cmocka_unit_test(test_shared_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
