/* What a server and its clients tell each other: each form, there and back. */
#include "base/error.h"
#include "engine/engine.h"

#include <cella/host.h>
#include <cella/wire.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- requests ---- */

static char *json_of(const struct cella_request *request, size_t *ret_size)
{
    char *json = NULL;
    struct cella_error err;
    assert_int_equal(cella_request_json(request, &json, ret_size, &err), 0);
    assert_int_equal(json[*ret_size], '\0');
    return json;
}

static void test_a_request_goes_round(void **state)
{
    (void)state;
    static const char given[] =
        "{\"language\": \"python\", \"code\": \"a\\u0000\\u00e9\", \"entry\": \"m.py\","
        " \"files\": [{\"path\": \"d/x\", \"content\": \"AAH/\", \"encoding\": \"base64\","
        "   \"executable\": true}, {\"path\": \"y\", \"content\": \"\"}],"
        " \"args\": [\"\", \"-x\"], \"env\": {\"A\": \"1\", \"B\": \"\"},"
        " \"stdin\": {\"content\": \"/w==\", \"encoding\": \"base64\"}, \"policy\": \"strict\","
        " \"limits\": {\"wall_ms\": 1.5, \"memory_bytes\": 1048576, \"cpus\": 0.25,"
        "   \"swap_bytes\": 0},"
        " \"compile\": {\"args\": [\"-O3\"], \"limits\": {\"wall_ms\": 5000}},"
        " \"network\": {\"allow\": [\"example.org:443\"]}, \"collect\": [\"out/**\"],"
        " \"on_output_limit\": \"stop\", \"text_errors\": \"replace\", \"interleave\": true,"
        " \"adaptive_timeout\": true,"
        " \"tag\": \"t\"}";
    struct cella_request *request = NULL, *again = NULL;
    struct cella_error err;
    size_t size, size_again;
    assert_int_equal(cella_request_parse(given, strlen(given), &request, &err), 0);
    char *json = json_of(request, &size);
    assert_int_equal(cella_request_parse(json, size, &again, &err), 0);
    char *json_again = json_of(again, &size_again);
    assert_string_equal(json, json_again);
    assert_int_equal(size, size_again);
    const struct spec *spec = again->spec;
    assert_memory_equal(spec->code.data, "a\0\xc3\xa9", 5);
    assert_memory_equal(spec->files[0].content.data, "\0\x01\xff", 4);
    assert_true(spec->files[0].executable && !spec->files[1].executable);
    assert_int_equal(spec->limits.value[LIMIT_WALL], 1500);
    assert_int_equal(spec->limits.value[LIMIT_CPUS], 250);
    assert_int_equal(spec->limits.value[LIMIT_SWAP], 0);
    assert_true(spec->limits.value[LIMIT_DISK] == LIMIT_UNSET);
    assert_int_equal(spec->compile_limits.value[LIMIT_WALL], 5000000);
    assert_int_equal(spec->network, SPEC_NETWORK_ALLOW);
    assert_int_equal(spec->stdin_bytes.size, 1);
    cella_request_destroy(request);
    cella_request_destroy(again);
    free(json);
    free(json_again);
}

static void test_what_is_not_said_is_not_said(void **state)
{
    (void)state;
    struct cella_request *request = NULL;
    struct cella_error err;
    size_t size;
    assert_int_equal(cella_request_create(&request, &err), 0);
    char *json = json_of(request, &size);
    assert_string_equal(json, "{\"files\":[],\"env\":{},\"limits\":{},\"compile\":{\"limits\":{}},"
                              "\"network\":\"none\",\"text_errors\":\"base64\","
                              "\"interleave\":false}");
    free(json);
    cella_request_destroy(request);
}

static void test_code_that_is_not_text_is_refused(void **state)
{
    (void)state;
    struct cella_request *request = NULL;
    struct cella_error err;
    char *json = NULL;
    size_t size;
    assert_int_equal(cella_request_create(&request, &err), 0);
    assert_int_equal(cella_request_set_bytes(request, "code", "\xff", 1, &err), 0);
    assert_int_equal(cella_request_json(request, &json, &size, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
    assert_string_equal(err.text, "code is not valid UTF-8: JSON cannot say it");
    assert_string_equal(err.field, "code");
    assert_null(json);
    cella_request_destroy(request);
}

/* ---- results ---- */

static void add_file(struct result *result, const char *path, const char *content, size_t size,
                     const char *skipped)
{
    struct result_file *file = &result->files[result->file_count++];
    file->path = strdup(path);
    file->size = size;
    file->mode = 0755;
    file->skipped = skipped;
    if (content != NULL) {
        file->content.data = malloc(size + 1);
        assert_non_null(file->content.data);
        memcpy(file->content.data, content, size);
        file->content.size = size;
    }
}

/* One in which everything that fronts ask for is something. */
static struct result *full_result(void)
{
    struct result *result = result_create();
    assert_non_null(result);
    (void)snprintf(result->id, sizeof(result->id), "the-id");
    result->run.status = STATUS_SIGNAL;
    result->run.signal = SIGSEGV;
    (void)snprintf(result->run.message, sizeof(result->run.message), "killed");
    assert_int_equal(buffer_add(&result->run.streams[RESULT_STDOUT].kept, "\xff\0", 2), 0);
    assert_int_equal(buffer_add(&result->run.streams[RESULT_STDERR].kept, "text", 4), 0);
    result->run.streams[RESULT_STDERR].truncated = true;
    result->run.streams[RESULT_STDERR].total_bytes = 8;
    result->compile = malloc(sizeof(*result->compile));
    assert_non_null(result->compile);
    result_stage_init(result->compile);
    assert_int_equal(buffer_add(&result->compile->streams[RESULT_STDERR].kept, "warn", 4), 0);
    result->run.limit = LIMIT_WALL;
    result->run.limit_value = 1000;
    result->limit_in_compile = true;
    result->files = calloc(3, sizeof(*result->files));
    assert_non_null(result->files);
    add_file(result, "a", "\0\xfe", 2, NULL);
    add_file(result, "b", NULL, 77, "too large");
    result->diagnosis = calloc(1, sizeof(*result->diagnosis));
    assert_non_null(result->diagnosis);
    result->diagnosis->class = strdup("Error");
    result->diagnosis->message = strdup("");
    result->diagnosis->hint = strdup("do this");
    result->diagnosis->line = 3;
    result->diagnosis->frames = calloc(1, sizeof(*result->diagnosis->frames));
    assert_non_null(result->diagnosis->frames);
    result->diagnosis->frames[0].function = strdup("f");
    result->diagnosis->frame_count = 1;
    assert_int_equal(spec_strings_add(&result->unmatched, "*.png"), 0);
    return result;
}

/* Everything that <cella/cella.h> and <cella/host.h> say of the one they say of the other. */
static void same_for_fronts(const struct cella_result *one, const struct cella_result *other)
{
    size_t size, size_other;
    struct cella_file file, file_other;
    char note[CELLA_NOTE_MAX], note_other[CELLA_NOTE_MAX];
    assert_string_equal(cella_result_status(one), cella_result_status(other));
    assert_string_equal(cella_result_message(one), cella_result_message(other));
    assert_int_equal(cella_result_exit_code(one), cella_result_exit_code(other));
    assert_int_equal(cella_result_signal(one), cella_result_signal(other));
    assert_int_equal(cella_result_cli_code(one), cella_result_cli_code(other));
    const char *text = cella_result_stdout(one, &size);
    assert_memory_equal(text, cella_result_stdout(other, &size_other), size);
    assert_int_equal(size, size_other);
    text = cella_result_compiler_output(one, CELLA_STDERR, &size);
    assert_string_equal(text, cella_result_compiler_output(other, CELLA_STDERR, &size_other));
    for (size_t i = 0; i < 2; i++) {
        assert_true(cella_result_file(one, i, &file) && cella_result_file(other, i, &file_other));
        assert_string_equal(file.path, file_other.path);
        assert_int_equal(file.size, file_other.size);
        assert_int_equal(file.mode, file_other.mode);
        assert_int_equal(file.content == NULL, file_other.content == NULL);
        assert_string_equal(file.skipped != NULL ? file.skipped : "",
                            file_other.skipped != NULL ? file_other.skipped : "");
    }
    assert_false(cella_result_file(other, 2, &file_other));
    for (size_t i = 0; cella_result_note(one, i, note); i++) {
        assert_true(cella_result_note(other, i, note_other));
        assert_string_equal(note, note_other);
    }
}

static void test_a_result_goes_round(void **state)
{
    (void)state;
    struct cella_result made = {.data = full_result()};
    struct cella_result *read = NULL;
    struct cella_diagnosis diagnosis;
    struct cella_frame frame;
    struct cella_error err;
    char *json, *again, note[CELLA_NOTE_MAX];
    size_t size, size_again;
    assert_int_equal(cella_result_json(&made, &json, &size, &err), 0);
    assert_int_equal(cella_result_parse(json, size, &read, &err), 0);
    same_for_fronts(&made, read);
    assert_int_equal(cella_result_cli_code(read), 128 + SIGSEGV);
    assert_true(cella_result_diagnosis(read, &diagnosis));
    assert_string_equal(diagnosis.class_name, "Error");
    assert_string_equal(diagnosis.hint, "do this");
    assert_null(diagnosis.file);
    assert_int_equal(diagnosis.line, 3);
    assert_true(cella_result_frame(read, 0, &frame));
    assert_string_equal(frame.function, "f");
    assert_true(cella_result_note(read, 0, note));
    assert_string_equal(note, "standard error was cut after 4 bytes; the program wrote 8 bytes");
    assert_true(cella_result_note(read, 1, note));
    assert_string_equal(note, "no file matches '*.png', which was to be collected");
    assert_false(cella_result_note(read, 2, note));
    assert_int_equal(cella_result_json(read, &again, &size_again, &err), 0);
    assert_int_equal(size, size_again);
    assert_string_equal(json, again);
    free(json);
    free(again);
    cella_result_destroy(read);
    result_destroy(made.data);
}

/* The short form tells of all that it leaves out, and leaves the result as it is. */
static void test_the_short_form_of_a_result(void **state)
{
    (void)state;
    static char text[RESULT_SHORT_BYTES + 2];
    struct cella_result made = {.data = full_result()}, *read = NULL;
    struct result_chunk *chunks = calloc(2, sizeof(*chunks));
    struct buffer *out = &made.data->run.streams[RESULT_STDOUT].kept;
    struct cella_error err;
    struct cella_file file;
    char *whole, *json, *again, note[CELLA_NOTE_MAX];
    size_t size, text_size;
    memset(text, 'x', sizeof(text));
    memcpy(text + RESULT_SHORT_BYTES - 1, "\xE2\x82\xAC", 3); /* the cut is in a character */
    out->size = 0;
    assert_int_equal(buffer_add(out, text, sizeof(text)), 0);
    assert_int_equal(
        buffer_add(&made.data->compile->streams[RESULT_STDERR].kept, text, sizeof(text)), 0);
    chunks[0] = (struct result_chunk){.size = RESULT_SHORT_BYTES};
    chunks[1] = (struct result_chunk){.offset = RESULT_SHORT_BYTES, .size = 2};
    made.data->interleave = true;
    made.data->chunks = chunks;
    made.data->chunk_count = 2;
    assert_int_equal(cella_result_json(&made, &whole, &size, &err), 0);
    assert_int_equal(cella_result_short_json(&made, &json, &size, &err), 0);
    assert_non_null(strstr(json, "\"stdout_truncated\":true"));
    assert_null(strstr(json, "\xE2"));
    assert_int_equal(cella_result_parse(json, size, &read, &err), 0);
    (void)cella_result_stdout(read, &text_size);
    assert_int_equal(text_size, RESULT_SHORT_BYTES - 1);
    (void)cella_result_compiler_output(read, CELLA_STDERR, &text_size);
    assert_int_equal(text_size, RESULT_SHORT_BYTES);
    assert_true(cella_result_file(read, 0, &file) && file.content == NULL && file.size == 2);
    assert_string_equal(file.skipped, "the short form of the result has no contents of files");
    assert_true(cella_result_file(read, 1, &file));
    assert_string_equal(file.skipped, "too large");
    assert_true(cella_result_note(read, 2, note));
    assert_string_equal(note, "this is the short form of a result that was too large to be kept: "
                              "at most 16 KiB of each stream, and files without their contents");
    assert_int_equal(cella_result_json(&made, &again, &size, &err), 0);
    assert_string_equal(whole, again);
    free(whole);
    free(json);
    free(again);
    cella_result_destroy(read);
    result_destroy(made.data);
}

/* Part by part it is the same, made here or read. */
static void is_whole_in_parts(const struct cella_result *result)
{
    struct cella_result_parts *parts = NULL;
    struct cella_error err;
    struct buffer joined;
    char *json = NULL, *part = NULL;
    size_t size, part_size;
    buffer_init(&joined, 0);
    assert_int_equal(cella_result_json(result, &json, &size, &err), 0);
    assert_int_equal(cella_result_parts_open(result, &parts, &err), 0);
    unsigned count = 0;
    while (cella_result_parts_next(parts, &part, &part_size, &err) > 0) {
        assert_int_equal(buffer_add(&joined, part, part_size), 0);
        free(part);
        count++;
    }
    assert_true(count > 2);
    assert_int_equal(joined.size, size);
    assert_memory_equal(joined.data, json, size);
    cella_result_parts_close(parts);
    buffer_done(&joined);
    free(json);
}

static void test_a_result_comes_in_parts(void **state)
{
    (void)state;
    struct result *data = full_result();
    struct cella_result made = {.data = data};
    struct cella_result *read = NULL;
    struct buffer *out = &data->run.streams[RESULT_STDOUT].kept;
    struct cella_error err;
    char *json = NULL;
    size_t size;
    data->interleave = true;
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buffer_add_string(out, "\xe2\x82\xac"), 0);
    }
    data->chunks = calloc(1, sizeof(*data->chunks));
    assert_non_null(data->chunks);
    data->chunks[0] = (struct result_chunk){.stream = RESULT_STDOUT, .offset = 1, .size = 200000};
    data->chunk_count = 1;
    is_whole_in_parts(&made); /* base64: it begins with no text */
    data->text_errors = SPEC_TEXT_REPLACE;
    is_whole_in_parts(&made);
    assert_int_equal(cella_result_json(&made, &json, &size, &err), 0);
    assert_int_equal(cella_result_parse(json, size, &read, &err), 0);
    is_whole_in_parts(read);
    free(json);
    cella_result_destroy(read);
    result_destroy(data);
}

static void test_a_refusal_goes_round(void **state)
{
    (void)state;
    struct cella_error error, err;
    struct cella_result *made = NULL, *read = NULL;
    char *json;
    size_t size;
    (void)error_set(&error, CELLA_ERROR_RUNTIME, 0, "no such language");
    (void)error_set_hint(&error, "take another");
    assert_int_equal(cella_result_refused(&error, &made, &err), 0);
    assert_int_equal(cella_result_json(made, &json, &size, &err), 0);
    assert_int_equal(cella_result_parse(json, size, &read, &err), 0);
    assert_int_equal(cella_result_error(read)->kind, CELLA_ERROR_RUNTIME);
    assert_string_equal(cella_result_error(read)->hint, "take another");
    assert_int_equal(cella_result_cli_code(read), 127);
    free(json);
    cella_result_destroy(made);
    cella_result_destroy(read);
}

static void test_what_is_no_result_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
        const char *field;
    } cases[] = {
        {"[]", "this is no result of Cella", "status"},
        {"{\"status\": \"fine\"}", "this is no result of Cella", "status"},
        {"{\"status\": \"ok\", \"stdout\": \"?\", \"stdout_encoding\": \"base64\"}",
         "this is no result of Cella", "stdout"},
        {"{\"status\": \"ok\", \"files\": [1]}", "this is no result of Cella", "files"},
        {"{\"status\": \"ok\", \"files\": [{\"path\": \"a\"}]}", "this is no result of Cella",
         "files"},
        {"{\"status\": \"ok\", \"diagnosis\": {}}", "this is no result of Cella", "diagnosis"},
        {"{\"status\": ", "not valid JSON: line 1, column 11: unexpected token near end of file",
         ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cella_result *result = NULL;
        struct cella_error err;
        assert_int_equal(cella_result_parse(cases[i].json, strlen(cases[i].json), &result, &err),
                         -1);
        assert_string_equal(err.text, cases[i].text);
        assert_string_equal(err.field, cases[i].field);
        assert_null(result);
    }
}

/* ---- output, problems ---- */

static void test_pieces_of_output(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
        int more;
        size_t taken;
        const char *json;
    } cases[] = {
        {"hi", 2, 1, 2, "{\"data\":\"hi\",\"encoding\":\"utf-8\"}"},
        {"a\xc3", 2, 1, 1, "{\"data\":\"a\",\"encoding\":\"utf-8\"}"},
        {"a\xc3", 2, 0, 2, "{\"data\":\"YcM=\",\"encoding\":\"base64\"}"},
        {"\xf0\x9f\x98", 3, 1, 0, "{\"data\":\"\",\"encoding\":\"utf-8\"}"},
        {"a\xff", 2, 1, 2, "{\"data\":\"Yf8=\",\"encoding\":\"base64\"}"},
        {"\xff\xc3", 2, 1, 2, "{\"data\":\"/8M=\",\"encoding\":\"base64\"}"},
        {"a\n\0b", 4, 1, 4, "{\"data\":\"a\\n\\u0000b\",\"encoding\":\"utf-8\"}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *json, *data;
        size_t json_size, taken, size;
        struct cella_error err;
        assert_int_equal(cella_output_json(cases[i].data, cases[i].size, cases[i].more, &json,
                                           &json_size, &taken, &err),
                         0);
        assert_string_equal(json, cases[i].json);
        assert_int_equal(taken, cases[i].taken);
        assert_int_equal(cella_output_parse(json, json_size, &data, &size, &err), 0);
        assert_int_equal(size, taken);
        assert_memory_equal(data, cases[i].data, size);
        free(json);
        free(data);
    }
    struct cella_error err;
    char *data;
    size_t size;
    assert_int_equal(cella_output_parse("{\"data\":1}", 10, &data, &size, &err), -1);
    assert_string_equal(err.text, "this is no piece of output");
}

static void test_problems(void **state)
{
    (void)state;
    struct cella_error error, read, err;
    char *json;
    size_t size;
    (void)error_set(&error, CELLA_ERROR_POLICY, 0, "too much");
    (void)error_set_field(&error, "limits.wall_ms");
    (void)error_set_hint(&error, "ask for less");
    assert_int_equal(cella_problem_json(&error, NULL, 0, &json, &size, &err), 0);
    assert_string_equal(json, "{\"type\":\"urn:cella:error:policy\",\"title\":\"The policy forbids "
                              "it\",\"status\":403,\"detail\":\"too much\",\"field\":"
                              "\"limits.wall_ms\",\"hint\":\"ask for less\"}");
    assert_int_equal(cella_problem_parse(json, size, &read, &err), 0);
    assert_memory_equal(&read, &error, sizeof(read));
    free(json);
    (void)error_set(&error, CELLA_ERROR_CALLER, 0, "there is no /x");
    assert_int_equal(cella_problem_json(&error, "Not Found", 404, &json, &size, &err), 0);
    assert_string_equal(json, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                              "\"detail\":\"there is no /x\",\"field\":null,\"hint\":null}");
    assert_int_equal(cella_problem_parse(json, size, &read, &err), -1);
    assert_string_equal(err.text, "this is no problem of Cella's");
    free(json);
}

/* ---- an engine without a keeper ---- */

static void test_an_engine_without_a_keeper_runs_nothing(void **state)
{
    (void)state;
    struct cella_options options = {.size = sizeof(options), .without_keeper = 1};
    struct cella_engine *engine = NULL;
    struct cella_request *request = NULL;
    struct cella_result *result = NULL;
    char name[CELLA_LANGUAGE_NAME_MAX];
    struct cella_error err;
    assert_int_equal(cella_engine_open(&options, &engine, &err), 0);
    assert_int_equal(cella_language_guess(engine, "x.py", "", 0, name, &err), 0);
    assert_string_equal(name, "python");
    assert_int_equal(cella_request_create(&request, &err), 0);
    assert_int_equal(cella_request_add(request, "command", "/bin/true", &err), 0);
    assert_int_equal(cella_run(engine, request, &result, &err), -1);
    assert_string_equal(err.text, "this engine was opened without a keeper, and runs nothing");
    assert_int_equal(cella_engine_check(engine, &err), -1);
    assert_string_equal(err.text, "this engine was opened without a keeper, and runs nothing");
    cella_request_destroy(request);
    cella_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_goes_round),
        cmocka_unit_test(test_what_is_not_said_is_not_said),
        cmocka_unit_test(test_code_that_is_not_text_is_refused),
        cmocka_unit_test(test_a_result_goes_round),
        cmocka_unit_test(test_the_short_form_of_a_result),
        cmocka_unit_test(test_a_result_comes_in_parts),
        cmocka_unit_test(test_a_refusal_goes_round),
        cmocka_unit_test(test_what_is_no_result_is_refused),
        cmocka_unit_test(test_pieces_of_output),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_an_engine_without_a_keeper_runs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
