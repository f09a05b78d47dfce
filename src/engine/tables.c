/*
 * The tables of the library as its fronts see them, and what a result says besides its verdict.
 */
#include "base/error.h"
#include "base/names.h"
#include "engine/engine.h"
#include "request/limit_value.h"
#include "request/limits.h"
#include "result/status.h"

#include <cella/host.h>
#include <stdio.h>
#include <string.h>

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

const char *cella_status_name(size_t index)
{
    return index < STATUS_COUNT ? status_table[index].word : NULL;
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

_Static_assert(CELLA_NOTE_MAX == RESULT_NOTE_MAX, "the same note");

int cella_result_note(const struct cella_result *result, size_t index,
                      char ret_note[CELLA_NOTE_MAX])
{
    return result_note(result->data, index, ret_note);
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
