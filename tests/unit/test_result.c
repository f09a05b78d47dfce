/* Results: the JSON form, read back, and the exit code. */
#include "base/error.h"
#include "base/json.h"
#include "isolate/protections.h"
#include "result/fields.h"
#include "result/result.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The result's JSON, read back by jansson; free it with json_decref(). */
static json_t *round_trip(const struct result *result)
{
    struct buffer buffer;
    struct cella_error err;
    buffer_init(&buffer, 0);
    assert_int_equal(result_to_json(result, &buffer, &err), 0);
    json_error_t problem;
    json_t *json =
        json_loadb(buffer.data, buffer.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
    if (json == NULL) {
        fail_msg("%s in %s", problem.text, buffer.data);
    }
    buffer_done(&buffer);
    return json;
}

/* The member at a path of object keys and array indexes, "usage.wall_ms", "files.0.path". */
static json_t *at(json_t *json, const char *path)
{
    char copy[128];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = copy; part != NULL && json != NULL;) {
        char *dot = strchr(part, '.');
        if (dot != NULL) {
            *dot = '\0';
        }
        json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        part = dot == NULL ? NULL : dot + 1;
    }
    if (json == NULL) {
        fail_msg("there is no %s", path);
    }
    return json;
}

static void is_text(json_t *json, const char *path, const char *expected)
{
    json_t *value = at(json, path);
    if (!json_is_string(value)) {
        fail_msg("%s is no string", path);
    }
    assert_string_equal(json_string_value(value), expected);
}

static void is_number(json_t *json, const char *path, double expected)
{
    json_t *value = at(json, path);
    if (!json_is_number(value) || json_number_value(value) < expected ||
        json_number_value(value) > expected) {
        fail_msg("%s is %f, not %f", path, json_number_value(value), expected);
    }
}

static void is_null(json_t *json, const char *path)
{
    if (!json_is_null(at(json, path))) {
        fail_msg("%s is not null", path);
    }
}

static void set_output(struct result *result, enum result_stream stream, const char *data,
                       size_t size, uint64_t total)
{
    struct result_stream_data *output = &result->run.streams[stream];
    assert_int_equal(buffer_add(&output->kept, data, size), 0);
    output->total_bytes = total;
    output->truncated = total > size;
}

static void test_empty(void **state)
{
    (void)state;
    struct result *result = result_create();
    json_t *json = round_trip(result);
#define FIELD_NAME(name, ...) name,
    static const char *const names[] = {RESULT_FIELDS(FIELD_NAME)};
    assert_int_equal(json_object_size(json), sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)at(json, names[i]); /* fails when it is not there */
    }
    is_text(json, "status", "internal");
    is_null(json, "exit_code");
    is_null(json, "signal");
    is_text(json, "stdout", "");
    is_text(json, "stdout_encoding", "utf-8");
    is_number(json, "stdout_bytes", 0);
    is_null(json, "output");
    is_null(json, "compile");
    is_null(json, "limit");
    is_null(json, "diagnosis");
    is_null(json, "usage.wall_ms");
    is_null(json, "usage.memory_peak_bytes");
    is_null(json, "mechanisms");
    is_null(json, "language");
    is_null(json, "policy");
    is_null(json, "queued_at");
    is_null(json, "error");
    is_null(json, "tag");
    assert_true(json_string_length(at(json, "version")) > 0);
    assert_int_equal(json_array_size(at(json, "limits_hit")), 0);
    assert_int_equal(json_array_size(at(json, "files")), 0);
    assert_int_equal(json_array_size(at(json, "protections")), 0);
    json_decref(json);
    result_destroy(result);
    result_destroy(NULL);
}

static void fill_plain(struct result *result)
{
    (void)snprintf(result->id, sizeof(result->id), "01ARYZ6S41ABCDEFGHJKMNPQRS");
    struct result_stage *run = &result->run;
    run->status = STATUS_MEMORY;
    (void)snprintf(run->message, sizeof(run->message), "memory limit of 256 MiB hit after 1.2 s");
    run->signal = SIGKILL;
    run->limit = LIMIT_MEMORY;
    run->limit_value = 256 * LIMIT_MIB;
    run->limits_hit = 1U << STATUS_MEMORY | 1U << STATUS_OUTPUT;
    run->usage.wall_us = 1234567;
    run->usage.user_us = 1000;
    run->usage.memory_peak_bytes = 268435456;
    result->protections = protection_bit(PROTECTION_SECCOMP) | protection_bit(PROTECTION_CPU);
    result->waived = protection_bit(PROTECTION_KEYRING);
    result->mechanism = RESULT_BY_CGROUP_V1;
    (void)snprintf(result->language_name, sizeof(result->language_name), "python");
    (void)snprintf(result->language_path, sizeof(result->language_path), "/usr/bin/python3");
    (void)snprintf(result->policy_name, sizeof(result->policy_name), "default");
    result->queued_at_ms = 1;
    result->tag = strdup("mine");
}

static void test_values(void **state)
{
    (void)state;
    struct result *result = result_create();
    fill_plain(result);
    json_t *json = round_trip(result);
    is_text(json, "id", "01ARYZ6S41ABCDEFGHJKMNPQRS");
    is_text(json, "status", "memory");
    is_text(json, "message", "memory limit of 256 MiB hit after 1.2 s");
    is_text(json, "signal", "SIGKILL");
    is_text(json, "limit.name", "memory_bytes");
    is_number(json, "limit.value", 268435456);
    is_text(json, "limit.stage", "run");
    assert_int_equal(json_array_size(at(json, "limits_hit")), 2);
    is_text(json, "limits_hit.0", "memory");
    is_text(json, "limits_hit.1", "output");
    is_number(json, "usage.wall_ms", 1234.567);
    is_number(json, "usage.user_ms", 1);
    is_null(json, "usage.system_ms");
    is_number(json, "usage.memory_peak_bytes", 268435456);
    assert_int_equal(json_array_size(at(json, "protections")), 2);
    is_text(json, "protections.0", "seccomp");
    is_text(json, "waived.0", "keyring");
    is_text(json, "mechanisms.memory_bytes", "cgroup v1");
    is_text(json, "mechanisms.cpus", "cgroup v1");
    is_text(json, "mechanisms.disk_bytes", "tmpfs");
    is_text(json, "mechanisms.open_files", "rlimit");
    is_text(json, "mechanisms.wall_ms", "timer");
    is_text(json, "language.name", "python");
    is_null(json, "language.version");
    is_text(json, "policy.name", "default");
    is_text(json, "queued_at", "1970-01-01T00:00:00.001Z");
    is_text(json, "tag", "mine");
    is_text(json, "start", "cold");
    is_text(json, "backend", "native");
    json_decref(json);
    result_destroy(result);
}

static void test_mechanisms(void **state)
{
    (void)state;
    struct result *result = result_create();
    result->mechanism = RESULT_BY_SUPERVISION;
    result->has_shares = true;
    json_t *json = round_trip(result);
    assert_int_equal(json_object_size(at(json, "mechanisms")), LIMIT_COUNT);
    is_text(json, "mechanisms.memory_bytes", "supervision");
    is_text(json, "mechanisms.processes", "rlimit");
    is_text(json, "mechanisms.disk_bytes", "tmpfs, and supervision of writable mounts");
    is_text(json, "mechanisms.inodes", "tmpfs, and supervision of writable mounts");
    is_null(json, "mechanisms.cpus");
    is_null(json, "mechanisms.swap_bytes");
    json_decref(json);
    result->mechanism = RESULT_BY_CGROUP_V2;
    result->has_shares = false;
    result->protections = protection_bit(PROTECTION_DISK);
    json = round_trip(result);
    is_text(json, "mechanisms.disk_bytes", "tmpfs");
    is_text(json, "mechanisms.inodes", "tmpfs");
    is_text(json, "mechanisms.processes", "cgroup v2");
    is_null(json, "mechanisms.cpus"); /* no controller for them: the protection does not hold */
    json_decref(json);
    result_destroy(result);
}

/* docs/verdicts.md has a section for each status, in the order of the table, and none besides. */
static void test_every_status_is_explained(void **state)
{
    (void)state;
    char line[512];
    enum status next = 0;
    FILE *page = fopen(CELLA_SOURCE_DIR "/docs/verdicts.md", "re");
    if (page == NULL) {
        fail_msg("there is no page");
        return;
    }
    while (fgets(line, sizeof(line), page) != NULL) {
        if (strncmp(line, "## ", 3) == 0) {
            char heading[64];
            assert_true(next < STATUS_COUNT);
            (void)snprintf(heading, sizeof(heading), "## `%s`\n", status_table[next++].word);
            assert_string_equal(line, heading);
        }
    }
    (void)fclose(page); /* only read */
    assert_int_equal(next, STATUS_COUNT);
}

static void test_limit_values(void **state)
{
    (void)state;
    struct result *result = result_create();
    result->run.limit = LIMIT_WALL;
    result->run.limit_value = 1500500;
    result->limit_in_compile = true;
    json_t *json = round_trip(result);
    is_text(json, "limit.name", "wall_ms");
    is_number(json, "limit.value", 1500.5);
    is_text(json, "limit.stage", "compile");
    json_decref(json);
    result_destroy(result);
}

static void check_output(const char *data, size_t size, bool truncated,
                         enum spec_text_errors text_errors, const char *text, const char *encoding)
{
    struct result *result = result_create();
    result->text_errors = text_errors;
    set_output(result, RESULT_STDOUT, data, size, truncated ? size + 1 : size);
    json_t *json = round_trip(result);
    json_t *output = at(json, "stdout");
    if (json_string_length(output) != strlen(text)) {
        fail_msg("'%s', not '%s'", json_string_value(output), text);
    }
    is_text(json, "stdout", text);
    is_text(json, "stdout_encoding", encoding);
    assert_int_equal(json_is_true(at(json, "stdout_truncated")), truncated);
    json_decref(json);
    result_destroy(result);
}

static void test_output(void **state)
{
    (void)state;
    const enum spec_text_errors base64 = SPEC_TEXT_BASE64;
    const enum spec_text_errors replace = SPEC_TEXT_REPLACE;
    check_output("hello\n", 6, false, base64, "hello\n", "utf-8");
    check_output("\xE2\x82\xAC", 3, false, base64, "\xE2\x82\xAC", "utf-8");
    /* A cut falls on a character's boundary ... */
    check_output("a\xE2\x82", 3, true, base64, "a", "utf-8");
    check_output("a\xE2\x82", 3, true, replace, "a", "utf-8");
    /* ... but what the program itself left incomplete is not UTF-8. */
    check_output("a\xE2\x82", 3, false, base64, "YeKC", "base64");
    check_output("a\xE2\x82", 3, false, replace, "a\xEF\xBF\xBD", "utf-8");
    check_output("\xFF\xFE", 2, true, base64, "//4=", "base64");
    check_output("\xFFx\xE2", 3, true, base64, "/3ji", "base64"); /* not cut: no text */
    check_output("\xFFx\xE2", 3, true, replace, "\xEF\xBF\xBDx", "utf-8");
}

static void test_nul_survives(void **state)
{
    (void)state;
    struct result *result = result_create();
    set_output(result, RESULT_STDERR, "a\0b", 3, 3);
    json_t *json = round_trip(result);
    assert_int_equal(json_string_length(at(json, "stderr")), 3);
    assert_memory_equal(json_string_value(at(json, "stderr")), "a\0b", 3);
    json_decref(json);
    result_destroy(result);
}

static void add_chunk(struct result *result, enum result_stream stream, size_t offset, size_t size)
{
    size_t count = result->chunk_count;
    struct result_chunk *chunks = realloc(result->chunks, (count + 1) * sizeof(*chunks));
    assert_non_null(chunks);
    chunks[count] = (struct result_chunk){stream, offset, size, count * 1500};
    result->chunks = chunks;
    result->chunk_count = count + 1;
}

static void test_chunks(void **state)
{
    (void)state;
    struct result *result = result_create();
    result->interleave = true;
    set_output(result, RESULT_STDOUT,
               "a\xE2\x82\xAC"
               "b\xF0\x9F",
               7, 9); /* cut in a character */
    set_output(result, RESULT_STDERR, "\xFF!", 2, 2);
    add_chunk(result, RESULT_STDOUT, 0, 2); /* "a" and a third of the euro sign */
    add_chunk(result, RESULT_STDERR, 0, 1);
    add_chunk(result, RESULT_STDOUT, 2, 1); /* another third: nothing of its own */
    add_chunk(result, RESULT_STDOUT, 3, 4);
    add_chunk(result, RESULT_STDERR, 1, 1);
    json_t *json = round_trip(result);
    is_text(json, "stdout",
            "a\xE2\x82\xAC"
            "b");
    assert_int_equal(json_array_size(at(json, "output")), 4);
    is_text(json, "output.0.data", "a");
    is_text(json, "output.0.stream", "stdout");
    is_text(json, "output.0.encoding", "utf-8");
    is_number(json, "output.0.at_ms", 0);
    is_text(json, "output.1.data", "/w==");
    is_text(json, "output.1.stream", "stderr");
    is_text(json, "output.1.encoding", "base64");
    is_number(json, "output.1.at_ms", 1.5);
    is_text(json, "output.2.data",
            "\xE2\x82\xAC"
            "b");
    is_number(json, "output.2.at_ms", 4.5);
    is_text(json, "output.3.data", "IQ==");
    json_decref(json);
    result->interleave = false;
    json = round_trip(result);
    is_null(json, "output");
    json_decref(json);
    result_destroy(result);
}

static void test_timeout(void **state)
{
    (void)state;
    char note[RESULT_NOTE_MAX];
    struct result *result = result_create();
    json_t *json = round_trip(result);
    is_null(json, "timeout");
    is_number(json, "attempts", 1);
    json_decref(json);
    result->attempts = 3;
    result->run.usage.wall_us = 3000000;
    result->timeout = (struct result_timeout){
        .limit_us = 5000000, .expected_us = 1500000, .samples = 7, .pace = "stuck"};
    json = round_trip(result);
    is_number(json, "attempts", 3);
    is_number(json, "timeout.limit_ms", 5000);
    is_number(json, "timeout.expected_ms", 1500);
    is_number(json, "timeout.samples", 7);
    is_text(json, "timeout.pace", "stuck");
    json_decref(json);
    assert_true(result_note(result, 0, note));
    assert_string_equal(note, "stuck: it took 3 s, where 1.5 s was expected");
    assert_true(result_note(result, 1, note));
    assert_string_equal(note, "Cella lost it, and began it 3 times");
    assert_false(result_note(result, 2, note));
    result->timeout =
        (struct result_timeout){.limit_us = 5000000, .expected_us = RESULT_UNKNOWN, .pace = ""};
    json = round_trip(result);
    is_null(json, "timeout.expected_ms");
    is_null(json, "timeout.pace");
    json_decref(json);
    result_destroy(result);
}

static void test_files_and_calls(void **state)
{
    (void)state;
    struct result *result = result_create();
    result->files = calloc(3, sizeof(*result->files));
    result->file_count = 3;
    result->files[0] = (struct result_file){
        .path = strdup("out/a"), .size = 2, .mode = 0755, .content = {strdup("hi"), 2}};
    result->files[1] = (struct result_file){
        .path = strdup("b"), .size = 1, .mode = 0644, .content = {strdup("\xFF"), 1}};
    result->files[2] = (struct result_file){
        .path = strdup("c"), .size = UINT64_C(1) << 40, .skipped = "over the limit collect_bytes"};
    result->refused_calls = calloc(1, sizeof(*result->refused_calls));
    result->refused_call_count = 1;
    (void)snprintf(result->refused_calls[0].name, 32, "mount");
    result->refused_calls[0].count = UINT32_MAX;
    result->text_errors = SPEC_TEXT_REPLACE; /* of output alone: files stay what they are */
    json_t *json = round_trip(result);
    is_text(json, "files.0.path", "out/a");
    is_text(json, "files.0.content", "hi");
    is_text(json, "files.0.encoding", "utf-8");
    is_number(json, "files.0.mode", 0755);
    is_null(json, "files.0.skipped");
    is_text(json, "files.1.content", "/w==");
    is_text(json, "files.1.encoding", "base64");
    is_number(json, "files.2.size", 1099511627776.0);
    is_null(json, "files.2.content");
    is_null(json, "files.2.encoding");
    is_text(json, "files.2.skipped", "over the limit collect_bytes");
    is_text(json, "refused_calls.0.name", "mount");
    is_number(json, "refused_calls.0.count", UINT32_MAX);
    json_decref(json);
    result_destroy(result);
}

static void test_compile_and_error(void **state)
{
    (void)state;
    struct result *result = result_create();
    result->run.status = STATUS_COMPILE_ERROR;
    result->compile = calloc(1, sizeof(*result->compile));
    assert_non_null(result->compile);
    result_stage_init(result->compile);
    result->compile->status = STATUS_EXIT;
    result->compile->exit_code = 1;
    assert_int_equal(buffer_add_string(&result->compile->streams[RESULT_STDERR].kept, "no"), 0);
    json_t *json = round_trip(result);
    is_text(json, "status", "compile_error");
    is_null(json, "exit_code");
    is_text(json, "compile.status", "exit");
    is_number(json, "compile.exit_code", 1);
    is_text(json, "compile.stderr", "no");
    assert_true(json_is_false(at(json, "compile.cached")));
    json_decref(json);
    assert_int_equal(result_exit_code(result), 1);

    (void)error_set(&result->error, CELLA_ERROR_POLICY, 0, "too much");
    (void)error_set_field(&result->error, "limits.memory_bytes");
    json = round_trip(result);
    is_text(json, "error.kind", "policy");
    is_text(json, "error.field", "limits.memory_bytes");
    is_text(json, "error.text", "too much");
    is_null(json, "error.hint");
    json_decref(json);
    result_destroy(result);
}

static void test_signals(void **state)
{
    (void)state;
    struct result *result = result_create();
    static const struct {
        int number;
        const char *name;
    } cases[] = {{SIGSEGV, "SIGSEGV"}, {SIGTERM, "SIGTERM"}, {32, "SIG32"}, {64, "SIGRTMIN+30"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        result->run.status = STATUS_SIGNAL;
        result->run.signal = cases[i].number;
        json_t *json = round_trip(result);
        is_text(json, "signal", cases[i].name);
        json_decref(json);
        assert_int_equal(result_exit_code(result), 128 + cases[i].number);
    }
    result_destroy(result);
}

static void test_exit_codes(void **state)
{
    (void)state;
    struct result *result = result_create();
    static const struct {
        enum status status;
        int code;
    } cases[] = {{STATUS_COMPILE_ERROR, 1}, {STATUS_WALL_TIME, 124}, {STATUS_CPU_TIME, 124},
                 {STATUS_MEMORY, 137},      {STATUS_PROCESSES, 123}, {STATUS_OUTPUT, 123},
                 {STATUS_FILE_SIZE, 123},   {STATUS_DISK, 123},      {STATUS_CANCELLED, 130},
                 {STATUS_REFUSED, 126},     {STATUS_INTERNAL, 125}};
    result->run.exit_code = 3; /* its own counts only when it ended by itself */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        result->run.status = cases[i].status;
        assert_int_equal(result_exit_code(result), cases[i].code);
    }
    result->run.status = STATUS_EXIT;
    assert_int_equal(result_exit_code(result), 3);
    result->run.status = STATUS_OK;
    result->run.exit_code = 0;
    assert_int_equal(result_exit_code(result), 0);
    result->run.status = STATUS_REFUSED;
    result->error.kind = CELLA_ERROR_RUNTIME;
    assert_int_equal(result_exit_code(result), 127);
    result->error.kind = CELLA_ERROR_CALLER;
    assert_int_equal(result_exit_code(result), 126);
    result->run.status = STATUS_INTERNAL;
    result->error.kind = CELLA_ERROR_HOST;
    assert_int_equal(result_exit_code(result), 125);
    result_destroy(result);
}

static void test_does_not_fit(void **state)
{
    (void)state;
    struct result *result = result_create();
    struct buffer buffer;
    struct cella_error err;
    buffer_init(&buffer, 0);
    assert_int_equal(result_to_json(result, &buffer, &err), 0);
    size_t size = buffer.size;
    buffer_done(&buffer);
    buffer_init(&buffer, size);
    assert_int_equal(result_to_json(result, &buffer, &err), 0);
    buffer_done(&buffer);
    buffer_init(&buffer, size - 1);
    assert_int_equal(result_to_json(result, &buffer, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    buffer_done(&buffer);
    result_destroy(result);
}

static void test_diagnosis(void **state)
{
    (void)state;
    struct result *result = result_create();
    struct result_diagnosis *diagnosis = calloc(1, sizeof(*diagnosis));
    result->diagnosis = diagnosis;
    diagnosis->class = strdup("NameError");
    diagnosis->message = strdup("");
    json_t *json = round_trip(result);
    is_text(json, "diagnosis.class", "NameError");
    is_text(json, "diagnosis.message", "");
    is_null(json, "diagnosis.file");
    is_null(json, "diagnosis.line");
    is_null(json, "diagnosis.column");
    is_null(json, "diagnosis.hint");
    assert_int_equal(json_array_size(at(json, "diagnosis.frames")), 0);
    json_decref(json);
    diagnosis->file = strdup("main.py");
    diagnosis->line = 3;
    diagnosis->column = 4;
    diagnosis->hint = strdup("did you mean \"x\"?");
    diagnosis->frames = calloc(2, sizeof(*diagnosis->frames));
    diagnosis->frame_count = 2;
    diagnosis->frames[0] =
        (struct result_frame){strdup("main.py"), 3, strdup("f"), strdup("\tprint(x)")};
    json = round_trip(result);
    is_text(json, "diagnosis.file", "main.py");
    is_number(json, "diagnosis.line", 3);
    is_number(json, "diagnosis.column", 4);
    is_text(json, "diagnosis.hint", "did you mean \"x\"?");
    is_text(json, "diagnosis.frames.0.file", "main.py");
    is_number(json, "diagnosis.frames.0.line", 3);
    is_text(json, "diagnosis.frames.0.function", "f");
    is_text(json, "diagnosis.frames.0.source", "\tprint(x)");
    is_null(json, "diagnosis.frames.1.file");
    is_null(json, "diagnosis.frames.1.line");
    is_null(json, "diagnosis.frames.1.function");
    is_null(json, "diagnosis.frames.1.source");
    json_decref(json);
    result_destroy(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),           cmocka_unit_test(test_values),
        cmocka_unit_test(test_mechanisms),      cmocka_unit_test(test_every_status_is_explained),
        cmocka_unit_test(test_limit_values),    cmocka_unit_test(test_output),
        cmocka_unit_test(test_nul_survives),    cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_timeout),         cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_files_and_calls), cmocka_unit_test(test_compile_and_error),
        cmocka_unit_test(test_diagnosis),       cmocka_unit_test(test_signals),
        cmocka_unit_test(test_exit_codes),      cmocka_unit_test(test_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
