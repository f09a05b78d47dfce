/* What a person should know of a result besides its verdict: see result_note(). */
#include "base/units.h"
#include "base/utf8.h"
#include "result/result.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a pattern in a note. */
#define NOTED_GLOB_MAX 128

/* Each writes its note, and says whether it applies. */
static bool note_supervision(const struct result *result, char note[RESULT_NOTE_MAX])
{
    (void)snprintf(note, RESULT_NOTE_MAX,
                   "no control group on this host: memory and processes are held by supervision "
                   "('cella doctor' says more)");
    return result->mechanism == RESULT_BY_SUPERVISION;
}

static bool note_cut(const struct result *result, enum result_stream stream, const char *name,
                     char note[RESULT_NOTE_MAX])
{
    const struct result_stream_data *data = &result->run.streams[stream];
    char kept[UNITS_TEXT_SIZE];
    char written[UNITS_TEXT_SIZE];
    units_format_size(data->kept.size, kept);
    units_format_size(data->total_bytes, written);
    (void)snprintf(note, RESULT_NOTE_MAX, "standard %s was cut after %s; the program wrote %s",
                   name, kept, written);
    return data->truncated;
}

static bool note_stdout_cut(const struct result *result, char note[RESULT_NOTE_MAX])
{
    return note_cut(result, RESULT_STDOUT, "output", note);
}

static bool note_stderr_cut(const struct result *result, char note[RESULT_NOTE_MAX])
{
    return note_cut(result, RESULT_STDERR, "error", note);
}

/* The verdict names another, or none; of output that was cut there is a note of its own. */
static bool note_limits_survived(const struct result *result, char note[RESULT_NOTE_MAX])
{
    const uint32_t told = status_hit_bit(result->run.status) | status_hit_bit(STATUS_OUTPUT) |
                          status_hit_bit(STATUS_HIT_STACK);
    const uint32_t survived = result->run.limits_hit & ~told;
    size_t length = 0;
    for (unsigned status = 0; status < STATUS_COUNT; status++) {
        const char *word = status_hit_word(status);
        if (word != NULL && (survived & status_hit_bit(status)) != 0) {
            length += (size_t)snprintf(
                note + length, RESULT_NOTE_MAX - length, "%s%s",
                length == 0 ? "a limit was reached, and the program went on: " : ", ", word);
        }
    }
    return length > 0;
}

static bool note_no_diagnosis(const struct result *result, char note[RESULT_NOTE_MAX])
{
    (void)snprintf(note, RESULT_NOTE_MAX, "no diagnosis: %s", result->diagnosis_problem);
    return result->diagnosis_problem[0] != '\0';
}

static bool note_pace(const struct result *result, char note[RESULT_NOTE_MAX])
{
    const struct result_timeout *timeout = &result->timeout;
    char took[UNITS_TEXT_SIZE], expected[UNITS_TEXT_SIZE];
    if (timeout->limit_us == 0 || timeout->samples == 0 || timeout->pace[0] == '\0' ||
        strcmp(timeout->pace, "normal") == 0) {
        return false;
    }
    units_format_time(result->run.usage.wall_us, took);
    units_format_time(timeout->expected_us, expected);
    (void)snprintf(note, RESULT_NOTE_MAX, "%s: it took %s, where %s was expected", timeout->pace,
                   took, expected);
    return true;
}

static bool note_attempts(const struct result *result, char note[RESULT_NOTE_MAX])
{
    (void)snprintf(note, RESULT_NOTE_MAX, "Cella lost it, and began it %u times", result->attempts);
    return result->attempts > 1;
}

static bool note_short(const struct result *result, char note[RESULT_NOTE_MAX])
{
    (void)snprintf(
        note, RESULT_NOTE_MAX,
        "this is the short form of a result that was too large to be kept: at most %zu KiB "
        "of each stream, and files without their contents",
        RESULT_SHORT_BYTES >> 10);
    return result->is_short;
}

/* One that somebody else made says what it has said there. */
static bool read_note(const struct result *result, size_t index, char ret_note[RESULT_NOTE_MAX])
{
    if (index >= result->notes.count) {
        return false;
    }
    (void)snprintf(ret_note, RESULT_NOTE_MAX, "%s", result->notes.items[index]);
    return true;
}

bool result_note(const struct result *result, size_t index, char ret_note[RESULT_NOTE_MAX])
{
    static bool (*const notes[])(const struct result *result, char note[RESULT_NOTE_MAX]) = {
        note_supervision,  note_stdout_cut, note_stderr_cut, note_limits_survived,
        note_no_diagnosis, note_pace,       note_attempts,   note_short};
    if (result->is_read) {
        return read_note(result, index, ret_note);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(notes); i++) {
        char note[RESULT_NOTE_MAX];
        if (notes[i](result, note) && index-- == 0) {
            (void)snprintf(ret_note, RESULT_NOTE_MAX, "%s", note);
            return true;
        }
    }
    if (index >= result->unmatched.count) {
        return false;
    }
    const char *glob = result->unmatched.items[index];
    (void)snprintf(ret_note, RESULT_NOTE_MAX, "no file matches '%.*s', which was to be collected",
                   (int)utf8_cut(glob, strnlen(glob, NOTED_GLOB_MAX)), glob);
    return true;
}
