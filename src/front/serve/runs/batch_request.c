/*
 * See batch_request.h.  Divisions: the parts that are requests; tests; the whole; before any is
 * begun; making requests.
 *
 * What a test has in common with a request is checked by the library: it reads a request that has
 * nothing else.
 *
 * What is large, code and the contents of files, is read once: the request of each test is read
 * from JSON without it, and shares it.
 */
#include "front/serve/runs/batch_request.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request's own bounds hold besides. */
#define JSON_MAX ((size_t)192 << 20)
/* The rest of program and checker is read anew for each test, while everybody waits. */
#define READ_MAX ((size_t)1 << 30)
/* Tests with limits of their own that are held against the policy before any is begun. */
#define CHECKED_MAX  64U
#define TEST_NUMBERS "tests[%zu]"

/* What a checker finds, in the order in which its arguments name them: that of testlib. */
static const char *const checker_files[] = {"input", "output", "answer"};

#define READER(id)                                                                                 \
    static int read_##id(void *target, json_t *value, const struct json_where *where,              \
                         struct cella_error *err)
#define FIELD_ROW(id, name, type, max, meaning) {name, read_##id},

static int memory_is_short(struct cella_error *err)
{
    return error_set(err, CELLA_ERROR_HOST, 0, "memory is short");
}

/* ---- the parts that are requests ---- */

/* What the library makes of it. */
static int parse_request(const json_t *value, struct cella_request **ret_request,
                         struct cella_error *err)
{
    /* In which NUL is escaped; the library tells of what is no object. */
    AUTO_FREE char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) {
        return memory_is_short(err);
    }
    return cella_request_parse(text, strlen(text), ret_request, err);
}

/* An error about a field of a part is one about a field of the batch. */
static int fail_in(struct cella_error *err, const char *part)
{
    char field[sizeof(err->field)];
    memcpy(field, err->field, sizeof(field));
    return error_set_field(err, "%s%s%s", part, field[0] != '\0' ? "." : "", field);
}

static int check_request(const json_t *value, const char *part, struct cella_error *err)
{
    struct cella_request *request = NULL;
    if (parse_request(value, &request, err) < 0) {
        return fail_in(err, part);
    }
    cella_request_destroy(request);
    return 0;
}

/* Replaces members by those of a small copy. */
static int empty_files(json_t *request)
{
    const json_t *files = json_object_get(request, "files");
    json_t *copies = json_array();
    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *copy = json_copy(json_array_get(files, i));
        if (json_object_set_new(copy, "content", json_string("")) < 0 ||
            json_array_append(copies, copy) < 0) {
            json_decref(copy);
            json_decref(copies);
            return -1;
        }
        json_decref(copy);
    }
    return json_object_set_new(request, "files", copies);
}

/* The whole as the library reads it, and the JSON of what is not in *ret_whole's contents. */
static int read_part(json_t *value, const char *part, json_t **ret_small,
                     struct cella_request **ret_whole, struct cella_error *err)
{
    struct cella_request *whole = NULL;
    if (parse_request(value, &whole, err) < 0) {
        return fail_in(err, part);
    }
    json_t *small = json_copy(value);
    if (small == NULL ||
        (json_is_string(json_object_get(small, "code")) &&
         json_object_set_new(small, "code", json_string("")) < 0) ||
        (json_is_array(json_object_get(small, "files")) && empty_files(small) < 0)) {
        json_decref(small);
        cella_request_destroy(whole);
        return memory_is_short(err);
    }
    *ret_small = small;
    *ret_whole = whole;
    return 0;
}

/* And back. */
static int make_request(const json_t *small, const struct cella_request *whole,
                        struct cella_request **ret_request, struct cella_error *err)
{
    struct cella_request *made = NULL;
    if (parse_request(small, &made, err) < 0) {
        return -1;
    }
    if (cella_request_share_contents(made, whole, err) < 0) {
        cella_request_destroy(made);
        return -1;
    }
    *ret_request = made;
    return 0;
}

READER(program)
{
    struct batch_request *request = target;
    json_t *input = json_object_get(value, "stdin");
    if (read_part(value, where->key, &request->program, &request->program_whole, err) < 0) {
        return -1;
    }
    if (input != NULL && !json_is_null(input)) {
        const struct json_where here = {.parent = where, .key = "stdin"};
        if (batch_bytes_read(&request->input, input, &here, err) < 0) {
            return -1;
        }
    }
    (void)json_object_del(request->program, "stdin"); /* or there was none */
    return 0;
}

/* The names of its files come before the arguments that it has. */
READER(checker)
{
    struct batch_request *request = target;
    if (read_part(value, where->key, &request->checker, &request->checker_whole, err) < 0) {
        return -1;
    }
    json_t *args = json_array();
    json_t *own = json_object_get(value, "args");
    for (size_t i = 0; i < ARRAY_LENGTH(checker_files); i++) {
        (void)json_array_append_new(args, json_string(checker_files[i]));
    }
    if (json_is_array(own)) {
        (void)json_array_extend(args, own);
    }
    if (json_object_set_new(request->checker, "args", args) < 0) {
        return memory_is_short(err);
    }
    return check_request(request->checker, where->key, err);
}

/* ---- tests ---- */

READER(name)
{
    struct batch_test *test = target;
    const char *name;
    if (json_text_read_word(value, where, &name, err) < 0) {
        return -1;
    }
    if (strlen(name) > BATCH_NAME_MAX) {
        return json_text_fail(err, where, "has more than %u bytes", BATCH_NAME_MAX);
    }
    (void)snprintf(test->name, sizeof(test->name), "%s", name); /* fits */
    return 0;
}

READER(input)
{
    struct batch_test *test = target;
    return batch_bytes_read(&test->input, value, where, err);
}

READER(expected)
{
    struct batch_test *test = target;
    return batch_bytes_read(&test->expected, value, where, err);
}

/* Looked at together, when all are there. */
READER(change)
{
    (void)target;
    (void)value;
    (void)where;
    (void)err;
    return 0;
}
#define read_args   read_change
#define read_files  read_change
#define read_limits read_change

/* What a test changes of a request, in the order of its fields. */
static const char *const changes[] = {"args", "files", "limits"};

static bool is_there(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value != NULL && !json_is_null(value);
}

static int check_changes(json_t *value, size_t index, struct cella_error *err)
{
    AUTO_JSON json_t *alone = json_pack("{s:s, s:s}", "language", "any", "code", "");
    char part[40];
    if (alone == NULL) {
        return memory_is_short(err);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++) {
        if (is_there(value, changes[i])) {
            (void)json_object_set(alone, changes[i], json_object_get(value, changes[i]));
        }
    }
    if (json_object_size(alone) == 2) {
        return 0;
    }
    (void)snprintf(part, sizeof(part), TEST_NUMBERS, index); /* fits */
    return check_request(alone, part, err) < 0 ? -1 : 1;
}

READER(one_test)
{
    static const struct json_field fields[] = {BATCH_TEST_FIELDS(FIELD_ROW)};
    struct batch_request *request = target;
    struct batch_test *test = &request->tests[request->test_count];
    (void)snprintf(test->name, sizeof(test->name), "%zu", request->test_count + 1); /* fits */
    request->test_count++;
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), test, where, err) < 0) {
        return -1;
    }
    const int changed = check_changes(value, where->index, err);
    test->changes = changed > 0 ? value : NULL;
    return changed < 0 ? -1 : 0;
}

READER(tests)
{
    struct batch_request *request = target;
    const size_t count = json_array_size(value); /* 0 when it is none */
    if (json_is_array(value) && count == 0) {
        return json_text_fail(err, where, "has no test");
    }
    if (count > BATCH_TESTS_MAX) {
        return json_text_fail(err, where, "has more than %u tests", BATCH_TESTS_MAX);
    }
    request->tests = calloc(count + 1, sizeof(*request->tests));
    if (request->tests == NULL) {
        return memory_is_short(err);
    }
    return json_text_read_array(value, request, read_one_test, where, err);
}

/* ---- the whole ---- */

READER(mode)
{
    struct compare_rule *rule = target;
#define MODE_WORD(word, meaning) word,
    static const char *const words[] = {BATCH_MODES(MODE_WORD)};
    size_t index;
    if (json_text_read_choice(value, where, words, ARRAY_LENGTH(words),
                              "must be 'exact', 'whitespace', 'tokens' or 'numeric'", &index,
                              err) < 0) {
        return -1;
    }
    rule->mode = (enum compare_mode)index;
    return 0;
}

static int read_tolerance(double *ret_tolerance, json_t *value, const struct json_where *where,
                          struct cella_error *err)
{
    const double tolerance = json_number_value(value);
    if (!json_is_number(value) || !isfinite(tolerance) || tolerance < 0) {
        return json_text_fail(err, where, "must be a number, 0 or more");
    }
    *ret_tolerance = tolerance;
    return 0;
}

READER(absolute)
{
    struct compare_rule *rule = target;
    return read_tolerance(&rule->absolute, value, where, err);
}

READER(relative)
{
    struct compare_rule *rule = target;
    return read_tolerance(&rule->relative, value, where, err);
}

READER(comparison)
{
    static const struct json_field fields[] = {BATCH_COMPARISON_FIELDS(FIELD_ROW)};
    struct batch_request *request = target;
    struct compare_rule *rule = &request->rule;
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), rule, where, err) < 0) {
        return -1;
    }
    const bool has_absolute = is_there(value, "absolute");
    const bool has_relative = is_there(value, "relative");
    if ((has_absolute || has_relative) && rule->mode != COMPARE_NUMERIC) {
        const struct json_where here = {.parent = where,
                                        .key = has_absolute ? "absolute" : "relative"};
        (void)json_text_fail(err, &here, "is for numbers alone");
        return error_set_hint(err, "set comparison.mode to numeric");
    }
    /* Who says one of them means that one. */
    rule->absolute = has_absolute || !has_relative ? rule->absolute : 0;
    rule->relative = has_relative || !has_absolute ? rule->relative : 0;
    return 0;
}

READER(stop_on_failure)
{
    struct batch_request *request = target;
    return json_text_read_bool(value, where, &request->stop_on_failure, err);
}

READER(parallel)
{
    struct batch_request *request = target;
    const json_int_t count = json_integer_value(value);
    if (!json_is_integer(value) || count < 1 || count > BATCH_PARALLEL_MAX) {
        return json_text_fail(err, where, "must be a number from 1 to %u", BATCH_PARALLEL_MAX);
    }
    request->parallel = (unsigned)count;
    return 0;
}

static int check_whole(const struct batch_request *request, struct cella_error *err)
{
    if (request->program == NULL || request->tests == NULL) {
        const struct json_where here = {.key = request->program == NULL ? "program" : "tests"};
        return json_text_fail(err, &here, "is missing");
    }
    const size_t size = json_dumpb(request->program, NULL, 0, JSON_COMPACT) +
                        json_dumpb(request->checker, NULL, 0, JSON_COMPACT); /* of NULL 0 */
    if (size > READ_MAX / request->test_count) {
        const struct json_where here = {.key = "tests"};
        (void)json_text_fail(err, &here,
                             "has %zu tests with %zu bytes of a program beside its code and the "
                             "contents of its files, at most %zu",
                             request->test_count, size, READ_MAX / request->test_count);
        return error_set_hint(err, "divide the tests among several batches");
    }
    if (request->checker != NULL && is_there(request->json, "comparison")) {
        const struct json_where here = {.key = "checker"};
        (void)json_text_fail(err, &here, "stands beside a comparison, in whose place it is");
        return error_set_hint(err, "leave out one of them");
    }
    return 0;
}

int batch_request_parse(const char *json, size_t size, struct batch_request **ret_request,
                        struct cella_error *err)
{
    static const struct json_field fields[] = {BATCH_FIELDS(FIELD_ROW)};
    struct batch_request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        return memory_is_short(err);
    }
    request->rule = (struct compare_rule){COMPARE_WHITESPACE, COMPARE_TOLERANCE, COMPARE_TOLERANCE};
    if (json_text_parse_values(json, size, JSON_MAX, BATCH_JSON_VALUES_MAX, &request->json, err) <
            0 ||
        json_text_read_object(request->json, fields, ARRAY_LENGTH(fields), request, NULL, err) <
            0 ||
        check_whole(request, err) < 0) {
        batch_request_destroy(request);
        return -1;
    }
    *ret_request = request;
    return 0;
}

void batch_request_destroy(struct batch_request *request)
{
    if (request == NULL) {
        return;
    }
    for (size_t i = 0; i < request->test_count; i++) {
        free(request->tests[i].input.owned);
        free(request->tests[i].expected.owned);
    }
    free(request->tests);
    free(request->input.owned);
    json_decref(request->program);
    json_decref(request->checker);
    cella_request_destroy(request->program_whole);
    cella_request_destroy(request->checker_whole);
    json_decref(request->json);
    free(request);
}

/* ---- before any is begun ---- */

/* Members of both objects, or elements of both arrays; the second ones win. */
static json_t *joined(const json_t *base, json_t *change)
{
    json_t *both = base == NULL || json_is_null(base) ? NULL : json_deep_copy(base);
    if (both == NULL) {
        return json_incref(change);
    }
    if (json_is_array(both)) {
        for (size_t i = 0; i < json_array_size(change); i++) {
            (void)json_array_append(both, json_array_get(change, i));
        }
        return both;
    }
    const char *key;
    json_t *value;
    json_object_foreach(change, key, value)
    {
        if (!json_is_null(value)) { /* as if it were absent */
            (void)json_object_set(both, key, value);
        }
    }
    return both;
}

/* The compiler gets none of them: so it makes the same for each test. */
static json_t *for_run_only(const json_t *files)
{
    json_t *copies = json_array();
    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *copy = json_copy(json_array_get(files, i));
        (void)json_object_set_new(copy, "run_only", json_true());
        (void)json_array_append_new(copies, copy);
    }
    return copies;
}

static json_t *with_changes(json_t *program, json_t *test)
{
    json_t *request = json_copy(program);
    for (size_t i = 0; request != NULL && i < ARRAY_LENGTH(changes); i++) {
        json_t *change = json_object_get(test, changes[i]);
        if (change == NULL || json_is_null(change)) {
            continue;
        }
        AUTO_JSON json_t *files = strcmp(changes[i], "files") == 0 ? for_run_only(change) : NULL;
        const json_t *base =
            strcmp(changes[i], "args") == 0 ? NULL : json_object_get(program, changes[i]);
        (void)json_object_set_new(request, changes[i],
                                  joined(base, files != NULL ? files : change));
    }
    return request;
}

int batch_request_fail(const struct batch_request *request, size_t index, struct cella_error *err)
{
    char part[40];
    char member[sizeof(err->field)];
    (void)snprintf(part, sizeof(part), TEST_NUMBERS, index); /* fits */
    (void)snprintf(member, sizeof(member), "%.*s", (int)strcspn(err->field, ".["), err->field);
    const json_t *changed = request->tests[index].changes;
    return fail_in(err, changed != NULL && is_there(changed, member) ? part : "program");
}

int batch_request_check(const struct batch_request *request, struct cella_engine *engine,
                        struct cella_error *err)
{
    const json_t *last = NULL;
    unsigned checked = 0;
    for (size_t i = 0; i < request->test_count && checked < CHECKED_MAX; i++) {
        const struct batch_test *test = &request->tests[i];
        const json_t *limits = json_object_get(test->changes, "limits");
        if (limits == NULL || (last != NULL && json_equal(limits, last))) {
            continue;
        }
        AUTO_JSON json_t *small = with_changes(request->program, test->changes);
        AUTO_FREE char *text = NULL;
        struct cella_request *made = NULL;
        if (parse_request(small, &made, err) < 0) {
            return batch_request_fail(request, i, err);
        }
        const int code = cella_explain(engine, made, &text, err);
        cella_request_destroy(made);
        if (code < 0) {
            return batch_request_fail(request, i, err);
        }
        last = limits;
        checked++;
    }
    return 0;
}

/* ---- making requests ---- */

int batch_request_of_test(const struct batch_request *request, size_t index,
                          struct cella_request **ret_request, struct cella_error *err)
{
    const struct batch_test *test = &request->tests[index];
    const struct batch_bytes *input = test->input.data != NULL ? &test->input : &request->input;
    AUTO_JSON json_t *changed =
        test->changes != NULL ? with_changes(request->program, test->changes) : NULL;
    struct cella_request *made = NULL;
    if (make_request(changed != NULL ? changed : request->program, request->program_whole, &made,
                     err) < 0) {
        return -1;
    }
    if (input->data != NULL &&
        cella_request_set_bytes(made, "stdin", input->data, input->size, err) < 0) {
        cella_request_destroy(made);
        return -1;
    }
    *ret_request = made;
    return 0;
}

int batch_request_of_checker(const struct batch_request *request, size_t index,
                             struct compare_text output, struct cella_request **ret_request,
                             struct cella_error *err)
{
    const struct batch_test *test = &request->tests[index];
    const struct batch_bytes *input = test->input.data != NULL ? &test->input : &request->input;
    const struct compare_text files[] = {
        {input->data, input->size}, output, {test->expected.data, test->expected.size}};
    struct cella_request *made = NULL;
    if (make_request(request->checker, request->checker_whole, &made, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (cella_request_add_file(made, checker_files[i], files[i].size > 0 ? files[i].data : "",
                                   files[i].size, CELLA_FILE_RUN_ONLY, err) < 0) {
            cella_request_destroy(made);
            return -1;
        }
    }
    *ret_request = made;
    return 0;
}
