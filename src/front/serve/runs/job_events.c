/* The part of job.h that makes events, as the client takes them. */
#include "front/serve/api/events.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Output in one event, at most. */
#define EVENT_BYTES_MAX ((size_t)32 << 10)

/* How an event is written, around the JSON of what it tells. */
struct event_form {
    const char *before_name;
    const char *behind_name;
    const char *end;
    size_t skipped; /* of the JSON: its brace, where the head has one */
};

/* JSON from the library has no line breaks outside of strings, and in them they are escaped. */
static const struct event_form sse_form = {EVENT_SSE_NAME, EVENT_SSE_DATA, EVENT_SSE_END, 0};
static const struct event_form message_form = {"{\"type\":\"", "\",", "", 1};
static const struct event_form result_form = {"{\"type\":\"", "\",\"result\":", "}", 0};

static const struct event_form *form_of(const struct job *job)
{
    return job->way == JOB_STREAMS ? &sse_form
           : job->step == JOB_OVER ? &result_form
                                   : &message_form;
}

/* In the place of `json`, which is malloc'ed: a result may be large. */
static int make_event(const struct job *job, enum event event, char *json, size_t size,
                      char **ret_text, size_t *ret_size)
{
#define EVENT_NAME(id, name, ...) [EVENT_##id] = (name),
    static const char *const names[] = {EVENTS(EVENT_NAME)};
#undef EVENT_NAME
    if (job->way == JOB_TALKS && job->form.tell != NULL) {
        const int told =
            job->form.tell(job->exchange, event, json, size, job->form.context, ret_text, ret_size);
        free(json);
        return told;
    }
    const struct event_form *form = form_of(job);
    char head[40];
    const size_t head_size = (size_t)snprintf(head, sizeof(head), "%s%s%s", form->before_name,
                                              names[event], form->behind_name);
    const size_t end_size = strlen(form->end);
    const size_t told = size - form->skipped;
    char *text = realloc(json, head_size + size + end_size);
    if (text == NULL) {
        free(json);
        return -1;
    }
    memmove(text + head_size, text + form->skipped, told);
    memcpy(text, head, head_size);
    memcpy(text + head_size + told, form->end, end_size);
    *ret_text = text;
    *ret_size = head_size + told + end_size;
    return 0;
}

/* ---- output of a stage ---- */

static const char *kept_of(const struct job *job, const struct job_output *output,
                           enum cella_stream stream, size_t *ret_size)
{
    return output == &job->compiler ? cella_run_compiler_output(job->run, stream, ret_size)
                                    : cella_run_output(job->run, stream, ret_size);
}

/* The stream that has waited for longest; the one that has nothing waits for ever. */
static enum cella_stream oldest(const struct job_output *output)
{
    return output->since[CELLA_STDOUT] - 1 <= output->since[CELLA_STDERR] - 1 ? CELLA_STDOUT
                                                                              : CELLA_STDERR;
}

/* What comes next of a stream; nothing when the rest may yet become a character. */
static int make_piece(struct job *job, struct job_output *output, bool is_over, char **ret_text,
                      size_t *ret_size)
{
    const enum cella_stream stream = oldest(output);
    const enum event event = stream == CELLA_STDOUT ? EVENT_STDOUT : EVENT_STDERR;
    struct cella_error err;
    char *json = NULL;
    size_t size, json_size, taken;
    const char *kept = kept_of(job, output, stream, &size);
    size_t left = size - output->told[stream];
    size_t part = left < EVENT_BYTES_MAX ? left : EVENT_BYTES_MAX;
    if (cella_output_json(kept + output->told[stream], part, !is_over || part < left, &json,
                          &json_size, &taken, &err) < 0) {
        return -1;
    }
    output->told[stream] += taken;
    if (taken == left || taken == 0) {
        output->since[stream] = 0;
    }
    if (taken == 0) {
        free(json);
        return 0;
    }
    return make_event(job, event, json, json_size, ret_text, ret_size);
}

/* A character that was cut is told at the end as what it is; and what no callback told of. */
static void tell_rests(struct job *job, struct job_output *output)
{
    for (int stream = CELLA_STDOUT; job->run != NULL && stream <= CELLA_STDERR; stream++) {
        size_t size;
        (void)kept_of(job, output, (enum cella_stream)stream, &size);
        if (output->since[stream] == 0 && output->told[stream] < size) {
            output->since[stream] = ++job->pieces;
        }
    }
}

/* `is_over`: it writes no more. */
static int make_output(struct job *job, struct job_output *output, bool is_over, char **ret_text,
                       size_t *ret_size)
{
    int result = 0;
    if (is_over) {
        tell_rests(job, output);
    }
    while (result == 0 && *ret_size == 0 &&
           (output->since[CELLA_STDOUT] > 0 || output->since[CELLA_STDERR] > 0)) {
        result = make_piece(job, output, is_over, ret_text, ret_size);
    }
    return result;
}

/* ---- one after the other ---- */

static int make_started(struct job *job, char **ret_text, size_t *ret_size)
{
    char *json = NULL;
    int size = asprintf(&json, "{\"id\":\"%s\"}", job->id);
    return size < 0 ? -1 : make_event(job, EVENT_STARTED, json, (size_t)size, ret_text, ret_size);
}

static int make_text(const char *text, char **ret_text, size_t *ret_size)
{
    *ret_text = strdup(text);
    *ret_size = strlen(text);
    return *ret_text != NULL ? 0 : -1;
}

/* A message of a WebSocket is one piece. */
static bool is_in_parts(const struct job *job)
{
    return job->way == JOB_STREAMS && cella_result_bytes(job->result) >= JOB_LARGE_MIN;
}

static int make_next_part(struct job *job, char **ret_text, size_t *ret_size)
{
    struct cella_error unused;
    const int more = cella_result_parts_next(job->parts, ret_text, ret_size, &unused);
    if (more != 0) {
        return more < 0 ? -1 : 0;
    }
    job->step = JOB_OVER;
    return make_text(sse_form.end, ret_text, ret_size);
}

static int make_result(struct job *job, char **ret_text, size_t *ret_size)
{
    struct cella_error err;
    char *json;
    size_t size;
    if (is_in_parts(job)) {
        job->step = JOB_RESULT;
        return cella_result_parts_open(job->result, &job->parts, &err) < 0
                   ? -1
                   : make_text(EVENT_SSE_NAME "result" EVENT_SSE_DATA, ret_text, ret_size);
    }
    job->step = JOB_OVER;
    if (cella_result_json(job->result, &json, &size, &err) < 0) {
        return -1;
    }
    return make_event(job, EVENT_RESULT, json, size, ret_text, ret_size);
}

/* What the compiler writes, then that it has; or it has ended the run. */
static int make_of_compiler(struct job *job, char **ret_text, size_t *ret_size)
{
    const bool is_compiled = job->run != NULL && cella_run_is_compiled(job->run);
    const int result =
        make_output(job, &job->compiler, is_compiled || job->is_done, ret_text, ret_size);
    if (result < 0 || *ret_size > 0 || !is_compiled) {
        return result;
    }
    job->step = JOB_OUTPUT;
    return job->form.compiled(job->exchange, job->form.context, ret_text, ret_size);
}

static int make_next(struct job *job, char **ret_text, size_t *ret_size)
{
    int result = 0;
    if (job->step == JOB_STARTED) {
        job->step = job->form.compiled != NULL ? JOB_COMPILER : JOB_OUTPUT;
        return make_started(job, ret_text, ret_size);
    }
    if (job->step == JOB_RESULT) {
        return make_next_part(job, ret_text, ret_size);
    }
    if (job->step == JOB_COMPILER) {
        result = make_of_compiler(job, ret_text, ret_size);
    } else {
        result = make_output(job, &job->program, job->is_done, ret_text, ret_size);
    }
    if (result == 0 && *ret_size == 0 && job->is_done) {
        result = make_result(job, ret_text, ret_size);
    }
    return result;
}

void job_wait_for_reader(struct job *job)
{
    size_t out = 0, error = 0;
    (void)cella_result_stdout(job->result, &out);
    (void)cella_result_stderr(job->result, &error);
    job->waiting_bytes = out + error;
    exchange_count_waiting(job->server, job->tenant, 0, job->waiting_bytes);
}

int job_next(struct job *job, char **ret_text, size_t *ret_size)
{
    *ret_text = NULL;
    *ret_size = 0;
    /* Without memory the events end early, which their reader sees. */
    if (job->step == JOB_OVER || make_next(job, ret_text, ret_size) < 0) {
        job_destroy(job);
        return 0;
    }
    return 1;
}
