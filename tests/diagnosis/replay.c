/*
 * Makes the diagnosis of recorded cases (LANGUAGE/NAME.json) again, without running anything, and
 * compares it with the one that stands there.
 *
 *   replay RUNTIMES FILE...           compares; exit 1 when one differs
 *   replay --print RUNTIMES FILE...   prints {"diagnosis": …, "limit": …} for each, one a line
 *
 * It ends at the first thing that it cannot read: it is for files of the tree.
 */
#include "base/error.h"
#include "base/json.h"
#include "diagnose/diagnose.h"
#include "runtime/runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX       (1U << 20)
#define CALLS_MAX      16
#define MEMORY_DEFAULT (UINT64_C(512) << 20)

static void die(const char *file, const char *what)
{
    fprintf(stderr, "replay: %s: %s\n", file, what);
    exit(EXIT_FAILURE);
}

/* ---- reading a case ---- */

static json_t *read_json(const char *path)
{
    struct cella_error err;
    json_t *value = NULL;
    FILE *file = fopen(path, "rbe");
    char *text = malloc(FILE_MAX);
    if (file == NULL || text == NULL) {
        die(path, "cannot be read");
    }
    size_t size = fread(text, 1, FILE_MAX, file);
    (void)fclose(file); /* only read from */
    if (json_text_parse(text, size, FILE_MAX, &value, &err) < 0) {
        die(path, err.text);
    }
    free(text);
    return value;
}

/* The lines of a list as one text. */
static void join(json_t *lines, struct buffer *out)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        json_t *line = json_array_get(lines, i);
        if ((i > 0 && buffer_add(out, "\n", 1) < 0) ||
            buffer_add(out, json_string_value(line), json_string_length(line)) < 0) {
            abort();
        }
    }
}

static json_t *joined(json_t *lines)
{
    struct buffer text;
    buffer_init(&text, 0);
    join(lines, &text);
    json_t *value = json_stringn(text.data, text.size);
    buffer_done(&text);
    return value;
}

/* The request as it is sent. */
static struct spec *read_request(const char *path, json_t *request)
{
    struct cella_error err;
    struct spec *spec = NULL;
    json_t *whole = json_deep_copy(request);
    json_object_set_new(whole, "code", joined(json_object_get(request, "code")));
    json_t *files = json_object_get(whole, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *file = json_array_get(files, i);
        json_object_set_new(file, "content", joined(json_object_get(file, "content")));
    }
    char *text = json_dumps(whole, 0);
    if (text == NULL || spec_parse(text, strlen(text), &spec, &err) < 0) {
        die(path, err.text);
    }
    free(text);
    json_decref(whole);
    return spec;
}

static enum status status_of(const char *path, const char *word)
{
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (word != NULL && strcmp(status_table[status].word, word) == 0) {
            return (enum status)status;
        }
    }
    die(path, "recorded.status is no status");
    return STATUS_INTERNAL;
}

static int signal_of(const char *name)
{
    for (int number = 1; name != NULL && number < SIGRTMIN; number++) {
        const char *abbreviation = sigabbrev_np(number);
        if (abbreviation != NULL && strcmp(abbreviation, name + strlen("SIG")) == 0) {
            return number;
        }
    }
    return 0;
}

static void read_stage(const char *path, json_t *recorded, struct result_stage *stage)
{
    json_t *exit_code = json_object_get(recorded, "exit_code");
    json_t *peak = json_object_get(recorded, "memory_peak_bytes");
    json_t *hits = json_object_get(recorded, "limits_hit");
    stage->status = status_of(path, json_string_value(json_object_get(recorded, "status")));
    stage->exit_code = json_is_integer(exit_code) ? (int)json_integer_value(exit_code) : -1;
    stage->signal = signal_of(json_string_value(json_object_get(recorded, "signal")));
    if (json_is_integer(peak)) {
        stage->usage.memory_peak_bytes = (uint64_t)json_integer_value(peak);
    }
    for (size_t i = 0; i < json_array_size(hits); i++) {
        bool stack = strcmp(json_string_value(json_array_get(hits, i)), "stack") == 0;
        stage->limits_hit |= stack ? UINT32_C(1) << STATUS_HIT_STACK : 0;
    }
    join(json_object_get(recorded, "stdout"), &stage->streams[RESULT_STDOUT].kept);
    join(json_object_get(recorded, "stderr"), &stage->streams[RESULT_STDERR].kept);
}

static size_t read_calls(json_t *names, struct result_refused_call calls[CALLS_MAX])
{
    size_t count = json_array_size(names) < CALLS_MAX ? json_array_size(names) : CALLS_MAX;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(calls[i].name, sizeof(calls[i].name), "%s",
                       json_string_value(json_array_get(names, i)));
        calls[i].count = 1;
    }
    return count;
}

/* ---- making the diagnosis ---- */

static const struct errors *find_errors(const char *path, struct runtime_set *set,
                                        const struct spec *spec, const char **ret_entry)
{
    struct cella_error err;
    const struct runtime *runtime = NULL;
    const struct errors *errors = NULL;
    if (runtime_find(set, spec->language, &runtime, &err) < 0 ||
        runtime_errors(set, runtime, &errors, &err) < 0) {
        die(path, err.text);
    }
    *ret_entry = spec->entry != NULL ? spec->entry : runtime->entry;
    return errors;
}

/* Taken from the JSON of a whole result, so that this too is what callers see. */
static json_t *diagnosis_json(struct result *result)
{
    struct cella_error err;
    struct buffer text;
    json_t *whole = NULL;
    buffer_init(&text, 0);
    if (result_to_json(result, &text, &err) < 0 ||
        json_text_parse(text.data, text.size, text.size, &whole, &err) < 0) {
        die("a result", err.text);
    }
    json_t *diagnosis = json_incref(json_object_get(whole, "diagnosis"));
    json_decref(whole);
    buffer_done(&text);
    return diagnosis;
}

static json_t *replay(const char *path, struct runtime_set *set, json_t *whole)
{
    static const char *const limits[] = {NULL, "memory", "stack"};
    struct cella_error err;
    struct result_refused_call calls[CALLS_MAX];
    struct diagnose_sources sources;
    const char *entry;
    enum errors_limit limit;
    json_t *recorded = json_object_get(whole, "recorded");
    const char *stage = json_string_value(json_object_get(recorded, "stage"));
    struct spec *spec = read_request(path, json_object_get(whole, "request"));
    struct result *result = result_create();
    const struct errors *errors = find_errors(path, set, spec, &entry);
    if (result == NULL || diagnose_sources_init(&sources, spec, entry, &err) < 0) {
        abort();
    }
    read_stage(path, recorded, &result->run);
    const uint64_t memory = spec->limits.value[LIMIT_MEMORY];
    const struct diagnose_case it = {
        .errors = errors,
        .sources = &sources,
        .stage = &result->run,
        .which = stage != NULL && strcmp(stage, "compile") == 0 ? ERRORS_IN_COMPILE : ERRORS_IN_RUN,
        .memory_max_bytes = memory == LIMIT_UNSET ? MEMORY_DEFAULT : memory,
        .refused_calls = calls,
        .refused_call_count = read_calls(json_object_get(recorded, "refused_calls"), calls),
    };
    result->diagnosis = diagnose(&it, &limit);
    json_t *made =
        json_pack("{s:o, s:s?}", "diagnosis", diagnosis_json(result), "limit", limits[limit]);
    diagnose_sources_done(&sources);
    result_destroy(result);
    spec_destroy(spec);
    return made;
}

static bool compare(const char *path, json_t *whole, json_t *made)
{
    json_t *wanted = json_pack("{s:O, s:O}", "diagnosis", json_object_get(whole, "diagnosis"),
                               "limit", json_object_get(whole, "limit"));
    bool same = wanted != NULL && json_equal(wanted, made);
    if (!same) {
        char *one = json_dumps(wanted, JSON_INDENT(1));
        char *other = json_dumps(made, JSON_INDENT(1));
        printf("%s: expected %s\nmade %s\n", path, one == NULL ? "nothing" : one, other);
        free(one);
        free(other);
    }
    json_decref(wanted);
    return same;
}

int main(int argc, char **argv)
{
    struct cella_error err;
    struct runtime_set *set;
    int first = 1;
    int failed = 0;
    bool print = argc > 1 && strcmp(argv[1], "--print") == 0;
    first += print;
    if (argc <= first || runtime_set_open(argv[first], &set, &err) < 0) {
        die("arguments", argc <= first ? "no directory of runtimes" : err.text);
    }
    for (int i = first + 1; i < argc; i++) {
        json_t *whole = read_json(argv[i]);
        json_t *made = replay(argv[i], set, whole);
        if (print) {
            char *text = json_dumps(made, JSON_COMPACT);
            printf("%s\n", text);
            free(text);
        } else {
            failed += !compare(argv[i], whole, made);
        }
        json_decref(made);
        json_decref(whole);
    }
    runtime_set_close(set);
    if (!print) {
        printf("%d cases, %d of them differ\n", argc - first - 1, failed);
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
