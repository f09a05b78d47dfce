/* The result's memory and its exit code: see result.h.  Its JSON form is in result_json.c. */
#include "result/result.h"

#include "base/error.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result *result_create(void)
{
    struct result *result = calloc(1, sizeof(*result));
    if (result != NULL) {
        result_stage_init(&result->run);
        result->attempts = 1;
    }
    return result;
}

void result_stage_init(struct result_stage *stage)
{
    *stage = (struct result_stage){
        .status = STATUS_INTERNAL, /* until somebody knows better */
        .exit_code = -1,
        .limit = LIMIT_COUNT,
        .usage = {RESULT_UNKNOWN, RESULT_UNKNOWN, RESULT_UNKNOWN, RESULT_UNKNOWN, RESULT_UNKNOWN,
                  RESULT_UNKNOWN, RESULT_UNKNOWN, RESULT_UNKNOWN},
    };
}

static void stage_done(struct result_stage *stage)
{
    buffer_done(&stage->streams[RESULT_STDOUT].kept);
    buffer_done(&stage->streams[RESULT_STDERR].kept);
}

void result_free_files(struct result_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(files[i].path);
        free(files[i].content.data);
    }
    free(files);
}

void result_diagnosis_destroy(struct result_diagnosis *diagnosis)
{
    if (diagnosis == NULL) {
        return;
    }
    for (size_t i = 0; i < diagnosis->frame_count; i++) {
        free(diagnosis->frames[i].file);
        free(diagnosis->frames[i].function);
        free(diagnosis->frames[i].source);
    }
    free(diagnosis->frames);
    free(diagnosis->class);
    free(diagnosis->message);
    free(diagnosis->file);
    free(diagnosis->hint);
    free(diagnosis);
}

void result_destroy(struct result *result)
{
    if (result == NULL) {
        return;
    }
    stage_done(&result->run);
    if (result->compile != NULL) {
        stage_done(result->compile);
        free(result->compile);
    }
    free(result->chunks);
    result_free_files(result->files, result->file_count);
    spec_strings_done(&result->unmatched);
    spec_strings_done(&result->notes);
    spec_strings_done(&result->read_texts);
    free(result->refused_calls);
    result_diagnosis_destroy(result->diagnosis);
    free(result->tag);
    free(result);
}

void result_signal_name(int number, char ret_name[RESULT_SIGNAL_SIZE])
{
    const char *abbreviation = sigabbrev_np(number);
    if (abbreviation != NULL) {
        (void)snprintf(ret_name, RESULT_SIGNAL_SIZE, "SIG%s", abbreviation);
    } else if (number >= SIGRTMIN && number <= SIGRTMAX) {
        (void)snprintf(ret_name, RESULT_SIGNAL_SIZE, "SIGRTMIN+%d", number - SIGRTMIN);
    } else {
        (void)snprintf(ret_name, RESULT_SIGNAL_SIZE, "SIG%d", number);
    }
}

int result_exit_code(const struct result *result)
{
    const struct result_stage *run = &result->run;
    if (run->status == STATUS_SIGNAL) {
        return 128 + run->signal;
    }
    int code = status_table[run->status].exit_code;
    if (code < 0) {
        return run->exit_code;
    }
    /* The error knows more than the status: an unknown language is refused as well. */
    bool failed = run->status == STATUS_REFUSED || run->status == STATUS_INTERNAL;
    if (failed && result->error.kind != CELLA_ERROR_NONE) {
        return error_kind_info(result->error.kind)->exit_code;
    }
    return code;
}

static uint64_t cpu_us_of(const struct result_stage *stage)
{
    const struct result_usage *usage = &stage->usage;
    return (usage->user_us != RESULT_UNKNOWN ? usage->user_us : 0) +
           (usage->system_us != RESULT_UNKNOWN ? usage->system_us : 0);
}

uint64_t result_cpu_us(const struct result *result)
{
    const bool compiled = result->compile != NULL && !result->compile_cached;
    return cpu_us_of(&result->run) + (compiled ? cpu_us_of(result->compile) : 0);
}
