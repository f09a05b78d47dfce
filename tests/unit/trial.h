/*
 * For the tests of diagnoses: a case with rules of its own, and what is made of it.
 */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include "base/error.h"
#include "base/yaml.h"
#include "diagnose/diagnose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY_MAX (UINT64_C(100) << 20)

struct trial {
    struct yaml_text *yaml;
    struct errors *errors;
    struct spec *spec;
    struct diagnose_sources sources;
    struct result_stage stage;
    struct diagnose_case it;
    struct result_diagnosis *diagnosis;
    enum errors_limit limit;
};

static inline void trial_init(struct trial *trial, const char *rules, const char *code)
{
    struct cella_error err;
    *trial = (struct trial){.yaml = NULL};
    if (yaml_text_parse("rules", rules, strlen(rules), &trial->yaml, &err) < 0 ||
        errors_read(yaml_text_root(trial->yaml), NULL, &trial->errors, &err) < 0) {
        fail_msg("%s", err.text);
    }
    trial->spec = spec_create();
    assert_int_equal(spec_set_code(trial->spec, code, strlen(code), &err), 0);
    assert_int_equal(spec_add_file(trial->spec, "lib/util.x", "first\nsecond\n", 13, false, &err),
                     0);
    assert_int_equal(diagnose_sources_init(&trial->sources, trial->spec, "main.x", &err), 0);
    result_stage_init(&trial->stage);
    trial->stage.status = STATUS_EXIT;
    trial->stage.exit_code = 1;
    trial->it = (struct diagnose_case){
        .errors = trial->errors,
        .sources = &trial->sources,
        .stage = &trial->stage,
        .which = ERRORS_IN_RUN,
        .memory_max_bytes = MEMORY_MAX,
    };
}

static inline void trial_done(struct trial *trial)
{
    result_diagnosis_destroy(trial->diagnosis);
    buffer_done(&trial->stage.streams[RESULT_STDOUT].kept);
    buffer_done(&trial->stage.streams[RESULT_STDERR].kept);
    diagnose_sources_done(&trial->sources);
    spec_destroy(trial->spec);
    errors_destroy(trial->errors);
    yaml_text_destroy(trial->yaml);
}

static inline void write_bytes(struct trial *trial, enum result_stream stream, const char *data,
                               size_t size)
{
    assert_int_equal(buffer_add(&trial->stage.streams[stream].kept, data, size), 0);
}

static inline const struct result_diagnosis *made(struct trial *trial)
{
    result_diagnosis_destroy(trial->diagnosis);
    trial->diagnosis = diagnose(&trial->it, &trial->limit);
    return trial->diagnosis;
}

/* The diagnosis of a program that wrote this on standard error. */
static inline const struct result_diagnosis *made_of(struct trial *trial, const char *text)
{
    trial->stage.streams[RESULT_STDERR].kept.size = 0;
    write_bytes(trial, RESULT_STDERR, text, strlen(text));
    return made(trial);
}

static inline void words_are(const struct result_diagnosis *diagnosis, const char *class,
                             const char *message)
{
    assert_non_null(diagnosis);
    assert_string_equal(diagnosis->class, class);
    assert_string_equal(diagnosis->message, message);
}

static inline void place_is(const struct result_diagnosis *diagnosis, const char *file,
                            unsigned line, unsigned column)
{
    assert_non_null(diagnosis);
    if (file == NULL) {
        assert_null(diagnosis->file);
    } else {
        assert_non_null(diagnosis->file);
        assert_string_equal(diagnosis->file, file);
    }
    assert_int_equal(diagnosis->line, line);
    assert_int_equal(diagnosis->column, column);
}

static inline void frame_is(const struct result_diagnosis *diagnosis, size_t index,
                            const char *file, unsigned line, const char *function,
                            const char *source)
{
    assert_true(index < diagnosis->frame_count);
    const struct result_frame *frame = &diagnosis->frames[index];
    const char *const pairs[][2] = {
        {frame->file, file}, {frame->function, function}, {frame->source, source}};
    assert_int_equal(frame->line, line);
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        if (pairs[i][1] == NULL) {
            assert_null(pairs[i][0]);
        } else {
            assert_non_null(pairs[i][0]);
            assert_string_equal(pairs[i][0], pairs[i][1]);
        }
    }
}

static inline void hint_is(const struct result_diagnosis *diagnosis, const char *hint)
{
    assert_non_null(diagnosis);
    if (hint == NULL) {
        assert_null(diagnosis->hint);
    } else {
        assert_non_null(diagnosis->hint);
        assert_string_equal(diagnosis->hint, hint);
    }
}

#endif
