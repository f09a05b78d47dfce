/*
 * The tables of the library as its fronts see them, and what a result says besides its verdict.
 */
#include "base/error.h"
#include "base/names.h"
#include "base/units.h"
#include "base/utf8.h"
#include "engine/engine.h"
#include "request/limit_value.h"
#include "request/limits.h"

#include <cella/host.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a pattern in a note. */
#define NOTED_GLOB_MAX 128

static const char *const unit_arguments[] = {
    [UNIT_TIME] = "TIME", [UNIT_SIZE] = "SIZE", [UNIT_NUMBER] = "COUNT", [UNIT_CPUS] = "NUMBER"};

int cella_limit(size_t index, struct cella_limit *ret_limit)
{
    if (index >= LIMIT_COUNT) {
        return 0;
    }
    const struct limit_info *info = &limit_table[index];
    *ret_limit = (struct cella_limit){
        .name = info->name,
        .flag = info->flag,
        .argument = unit_arguments[info->unit],
        .help = info->help,
    };
    if (info->default_value != LIMIT_DERIVED) {
        char text[UNITS_TEXT_SIZE];
        limit_value_format((enum limit)index, info->default_value, text);
        (void)snprintf(ret_limit->default_value, sizeof(ret_limit->default_value), "%s", text);
    }
    return 1;
}

int cella_error_exit_code(enum cella_error_kind kind)
{
    return error_kind_info(kind)->exit_code;
}

const char *cella_closest_name(const char *word, const char *const *names, size_t count)
{
    struct names_guess guess;
    names_guess_init(&guess, word);
    for (size_t i = 0; i < count; i++) {
        names_guess_offer_shortened(&guess, names[i]);
    }
    return guess.best;
}

/* Each writes its note when it applies. */
static bool note_supervision(const struct result *result, char note[CELLA_NOTE_MAX])
{
    (void)snprintf(note, CELLA_NOTE_MAX,
                   "no control group on this host: memory and processes are held by supervision "
                   "('cella doctor' says more)");
    return result->mechanism == RESULT_BY_SUPERVISION;
}

static bool note_cut(const struct result *result, enum result_stream stream, const char *name,
                     char note[CELLA_NOTE_MAX])
{
    const struct result_stream_data *data = &result->run.streams[stream];
    char kept[UNITS_TEXT_SIZE];
    char written[UNITS_TEXT_SIZE];
    units_format_size(data->kept.size, kept);
    units_format_size(data->total_bytes, written);
    (void)snprintf(note, CELLA_NOTE_MAX, "standard %s was cut after %s; the program wrote %s", name,
                   kept, written);
    return data->truncated;
}

static bool note_stdout_cut(const struct result *result, char note[CELLA_NOTE_MAX])
{
    return note_cut(result, RESULT_STDOUT, "output", note);
}

static bool note_stderr_cut(const struct result *result, char note[CELLA_NOTE_MAX])
{
    return note_cut(result, RESULT_STDERR, "error", note);
}

static bool note_no_diagnosis(const struct result *result, char note[CELLA_NOTE_MAX])
{
    (void)snprintf(note, CELLA_NOTE_MAX, "no diagnosis: %s", result->diagnosis_problem);
    return result->diagnosis_problem[0] != '\0';
}

int cella_result_note(const struct cella_result *result, size_t index,
                      char ret_note[CELLA_NOTE_MAX])
{
    static bool (*const notes[])(const struct result *result, char note[CELLA_NOTE_MAX]) = {
        note_supervision, note_stdout_cut, note_stderr_cut, note_no_diagnosis};
    for (size_t i = 0; i < ARRAY_LENGTH(notes); i++) {
        char note[CELLA_NOTE_MAX];
        if (notes[i](result->data, note) && index-- == 0) {
            (void)snprintf(ret_note, CELLA_NOTE_MAX, "%s", note);
            return 1;
        }
    }
    if (index >= result->data->unmatched.count) {
        return 0;
    }
    const char *glob = result->data->unmatched.items[index];
    (void)snprintf(ret_note, CELLA_NOTE_MAX, "no file matches '%.*s', which was to be collected",
                   (int)utf8_cut(glob, strnlen(glob, NOTED_GLOB_MAX)), glob);
    return 1;
}

const char *cella_result_compiler_output(const struct cella_result *result,
                                         enum cella_stream stream, size_t *ret_size)
{
    const struct result *data = result->data;
    bool ended_there = data->run.status == STATUS_COMPILE_ERROR || data->limit_in_compile;
    if (data->compile == NULL || !ended_there) {
        return NULL;
    }
    const struct buffer *kept = &data->compile->streams[stream].kept;
    *ret_size = kept->size;
    return kept->data != NULL ? kept->data : "";
}
