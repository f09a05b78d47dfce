/*
 * The public functions of cella.h: thin, each one call into the engine, the request or the result.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "engine/engine.h"

#include <cella/cella.h>
#include <cella/wire.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const char *cella_version(void)
{
    return CELLA_VERSION;
}

/* ---- engine ---- */

int cella_engine_open(const struct cella_options *options, struct cella_engine **ret_engine,
                      struct cella_error *err)
{
    return engine_open(options, ret_engine, err);
}

void cella_engine_close(struct cella_engine *engine)
{
    engine_close(engine);
}

int cella_engine_check(const struct cella_engine *engine, struct cella_error *err)
{
    if (engine->lost.kind == CELLA_ERROR_NONE) {
        return 0;
    }
    *err = engine->lost;
    return -1;
}

int cella_engine_ping(struct cella_engine *engine, struct cella_error *err)
{
    return engine_ping(engine, err);
}

int cella_engine_fd(const struct cella_engine *engine)
{
    return engine->epoll_fd;
}

int cella_engine_process(struct cella_engine *engine, struct cella_error *err)
{
    return engine_step(engine, 0, err);
}

/* ---- request ---- */

static int wrap_request(struct spec *spec, struct cella_request **ret_request,
                        struct cella_error *err)
{
    struct cella_request *request = malloc(sizeof(*request));
    if (spec == NULL || request == NULL) {
        spec_destroy(spec);
        free(request);
        return error_set_memory(err);
    }
    request->spec = spec;
    *ret_request = request;
    return 0;
}

int cella_request_create(struct cella_request **ret_request, struct cella_error *err)
{
    return wrap_request(spec_create(), ret_request, err);
}

int cella_request_parse(const char *json, size_t size, struct cella_request **ret_request,
                        struct cella_error *err)
{
    struct spec *spec;
    return spec_parse(json, size, &spec, err) < 0 ? -1 : wrap_request(spec, ret_request, err);
}

void cella_request_destroy(struct cella_request *request)
{
    if (request != NULL) {
        spec_destroy(request->spec);
        free(request);
    }
}

static int set_code(struct spec *spec, const char *value, struct cella_error *err)
{
    return spec_set_code(spec, value, strlen(value), err);
}

static int set_stdin(struct spec *spec, const char *value, struct cella_error *err)
{
    return spec_set_stdin(spec, value, strlen(value), err);
}

/* "NAME=value" */
static int add_variable(struct spec *spec, const char *value, struct cella_error *err)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL) {
        error_set(err, CELLA_ERROR_CALLER, 0, "'%s' has no '='", value);
        error_set_field(err, "env");
        return error_set_hint(err, "a variable is given as NAME=value");
    }
    AUTO_FREE char *name = alloc_copy(value, (size_t)(equals - value));
    return name == NULL ? error_set_memory(err) : spec_add_env(spec, name, equals + 1, err);
}

/* The fields that are text, and those that are lists of it. */
struct text_field {
    const char *name;
    int (*put)(struct spec *spec, const char *value, struct cella_error *err);
};

static const struct text_field settable[] = {
    {"language", spec_set_language},
    {"code", set_code},
    {"entry", spec_set_entry},
    {"stdin", set_stdin},
    {"policy", spec_set_policy},
    {"tag", spec_set_tag},
    {"network", spec_set_network},
    {"on_output_limit", spec_set_on_output_limit},
    {"text_errors", spec_set_text_errors},
};

static const struct text_field addable[] = {
    {"command", spec_add_command_word},
    {"args", spec_add_arg},
    {"env", add_variable},
    {"collect", spec_add_collect},
    {"compile.args", spec_add_compile_arg},
    {"network.allow", spec_add_network_allow},
};

static int unknown_field(const char *name, const struct text_field *fields, size_t count,
                         struct cella_error *err)
{
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (size_t i = 0; i < count; i++) {
        names_guess_offer_shortened(&guess, fields[i].name);
    }
    error_set(err, CELLA_ERROR_CALLER, 0, "there is no field '%s' that takes this", name);
    error_set_field(err, "%s", name);
    return names_guess_hint(&guess, err);
}

static int put_field(struct spec *spec, const struct text_field *fields, size_t count,
                     const char *name, const char *value, struct cella_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].put(spec, value, err);
        }
    }
    return unknown_field(name, fields, count, err);
}

static int unknown_limit(const char *name, const char *field, struct cella_error *err)
{
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        names_guess_offer_shortened(&guess, limit_table[limit].name);
    }
    error_set(err, CELLA_ERROR_CALLER, 0, "there is no limit '%s'", name);
    error_set_field(err, "%s", field);
    return names_guess_hint(&guess, err);
}

int cella_request_set(struct cella_request *request, const char *field, const char *value,
                      struct cella_error *err)
{
    static const struct {
        const char *prefix;
        int (*set)(struct spec *spec, enum limit limit, const char *text, struct cella_error *err);
    } limits[] = {
        {"limits.", spec_set_limit},
        {"compile.limits.", spec_set_compile_limit},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        size_t size = strlen(limits[i].prefix);
        if (strncmp(field, limits[i].prefix, size) == 0) {
            enum limit limit = limit_by_name(field + size);
            return limit == LIMIT_COUNT ? unknown_limit(field + size, field, err)
                                        : limits[i].set(request->spec, limit, value, err);
        }
    }
    return put_field(request->spec, settable, ARRAY_LENGTH(settable), field, value, err);
}

int cella_request_set_tenant(struct cella_request *request, const char *tenant,
                             struct cella_error *err)
{
    return spec_set_tenant(request->spec, tenant, err);
}

const char *cella_request_policy(const struct cella_request *request)
{
    return request->spec->policy;
}

int cella_request_set_bytes(struct cella_request *request, const char *field, const void *data,
                            size_t size, struct cella_error *err)
{
    static const struct text_field bytes[] = {{"code", NULL}, {"stdin", NULL}};
    if (strcmp(field, "code") == 0) {
        return spec_set_code(request->spec, data, size, err);
    }
    if (strcmp(field, "stdin") == 0) {
        return spec_set_stdin(request->spec, data, size, err);
    }
    return unknown_field(field, bytes, ARRAY_LENGTH(bytes), err);
}

int cella_request_add(struct cella_request *request, const char *field, const char *value,
                      struct cella_error *err)
{
    return put_field(request->spec, addable, ARRAY_LENGTH(addable), field, value, err);
}

int cella_request_add_file(struct cella_request *request, const char *path, const void *data,
                           size_t size, unsigned flags, struct cella_error *err)
{
    struct spec *spec = request->spec;
    if ((flags & ~(CELLA_FILE_EXECUTABLE | CELLA_FILE_RUN_ONLY)) != 0) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "unknown flags of a file: %#x", flags);
    }
    if (spec_add_file(spec, path, data, size, (flags & CELLA_FILE_EXECUTABLE) != 0, err) < 0) {
        return -1;
    }
    spec->files[spec->file_count - 1].run_only = (flags & CELLA_FILE_RUN_ONLY) != 0;
    return 0;
}

int cella_request_share_contents(struct cella_request *request, const struct cella_request *from,
                                 struct cella_error *err)
{
    return spec_share_contents(request->spec, from->spec, err);
}

/* ---- run ---- */

static int start(struct cella_engine *engine, const struct cella_run *first,
                 const struct cella_request *request, unsigned flags,
                 const struct cella_callbacks *callbacks, struct cella_run **ret_run,
                 struct cella_error *err)
{
    if ((flags & ~(CELLA_RUN_STDIN_OPEN | CELLA_RUN_TRIAL)) != 0) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "unknown flags of a run: %#x", flags);
    }
    if (callbacks != NULL && callbacks->size < sizeof(callbacks->size)) {
        error_set(err, CELLA_ERROR_CALLER, 0, "the callbacks have no size");
        return error_set_hint(err, "set .size to sizeof(struct cella_callbacks)");
    }
    return run_start(engine, request->spec, first, flags, callbacks, ret_run, err);
}

int cella_run_start(struct cella_engine *engine, const struct cella_request *request,
                    unsigned flags, const struct cella_callbacks *callbacks,
                    struct cella_run **ret_run, struct cella_error *err)
{
    return start(engine, NULL, request, flags, callbacks, ret_run, err);
}

int cella_run_start_compiled(const struct cella_run *first, const struct cella_request *request,
                             unsigned flags, const struct cella_callbacks *callbacks,
                             struct cella_run **ret_run, struct cella_error *err)
{
    return start(first->engine, first, request, flags, callbacks, ret_run, err);
}

int cella_run_is_compiled(const struct cella_run *run)
{
    return run->now == &run->run;
}

int cella_run_write_stdin(struct cella_run *run, const void *data, size_t size, size_t *ret_taken,
                          struct cella_error *err)
{
    struct feed *feed = &run->run.feed;
    if (run->done) {
        *ret_taken = size; /* nobody reads it any more */
        return 0;
    }
    if (!feed->stay_open) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "standard input of this run is not open");
    }
    /* What is left over must wait for the pipe, and not for nothing: the engine has news of a pipe
     * only when that was full. */
    size_t taken = 0, more;
    do {
        stage_feed(&run->run);
        more = feed_take(feed, (const char *)data + taken, size - taken);
        taken += more;
    } while (more > 0 && taken < size);
    if (taken < size && feed_is_empty(feed)) {
        return error_set_memory(err);
    }
    if (more > 0) {
        stage_feed(&run->run);
    }
    *ret_taken = taken;
    return 0;
}

void cella_run_close_stdin(struct cella_run *run)
{
    run->run.feed.stay_open = false;
    stage_feed(&run->run);
}

/* Now, or when it runs; what came last counts. */
static void tell(struct cella_run *run)
{
    if (!run->done && run->now == &run->run && run->run.number != 0) {
        engine_send(run->engine, &run->run);
    }
}

int cella_run_signal(struct cella_run *run, int signal, struct cella_error *err)
{
    if (signal < 1 || signal >= NSIG) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "%d is no signal", signal);
    }
    run->run.tell.signal = signal;
    tell(run);
    return 0;
}

int cella_run_resize(struct cella_run *run, unsigned rows, unsigned columns,
                     struct cella_error *err)
{
    if (rows < 1 || rows > TERMINAL_SIZE_MAX || columns < 1 || columns > TERMINAL_SIZE_MAX) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "a terminal has 1 to %u rows and columns",
                         TERMINAL_SIZE_MAX);
    }
    if (run->run.plan == NULL || run->run.plan->terminal_rows == 0) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "the program has no terminal");
    }
    run->run.tell.rows = rows;
    run->run.tell.columns = columns;
    tell(run);
    return 0;
}

void cella_run_cancel(struct cella_run *run)
{
    if (!run->done) {
        stage_cancel(run->now);
    }
}

const struct cella_result *cella_run_result(const struct cella_run *run)
{
    return run->done && run->result.data != NULL ? &run->result : NULL;
}

void cella_run_free(struct cella_run *run)
{
    run_free(run);
}

static int wrap_result(struct result *data, struct cella_result **ret_result,
                       struct cella_error *err)
{
    struct cella_result *result = calloc(1, sizeof(*result));
    if (result == NULL) {
        return error_set_memory(err);
    }
    result->data = data;
    *ret_result = result;
    return 0;
}

int cella_run_take_result(struct cella_run *run, struct cella_result **ret_result,
                          struct cella_error *err)
{
    if (cella_run_result(run) == NULL) {
        return error_set(err, CELLA_ERROR_CALLER, 0, "the run has no result that could be taken");
    }
    if (wrap_result(run->result.data, ret_result, err) < 0) {
        return -1;
    }
    run->result.data = NULL;
    return 0;
}

int cella_run(struct cella_engine *engine, const struct cella_request *request,
              struct cella_result **ret_result, struct cella_error *err)
{
    struct cella_run *run;
    if (engine->stepping) { /* it would wait for itself */
        return error_set(err, CELLA_ERROR_CALLER, 0, "cella_run() cannot be used in a callback");
    }
    if (run_start(engine, request->spec, NULL, 0, NULL, &run, err) < 0) {
        return -1;
    }
    int result = 0;
    while (result == 0 && !run->done) { /* its limits of time end it */
        result = engine_step(engine, -1, err);
    }
    if (result == 0) {
        result = cella_run_take_result(run, ret_result, err);
    }
    run_free(run);
    return result;
}

int cella_explain(struct cella_engine *engine, const struct cella_request *request, char **ret_text,
                  struct cella_error *err)
{
    return run_explain(engine, request->spec, ret_text, err);
}

/* ---- result ---- */

int cella_result_refused(const struct cella_error *error, struct cella_result **ret_result,
                         struct cella_error *err)
{
    struct result *data;
    if (run_refused_result(error, &data, err) < 0) {
        return -1;
    }
    if (wrap_result(data, ret_result, err) < 0) {
        result_destroy(data);
        return -1;
    }
    return 0;
}

int cella_result_json(const struct cella_result *result, char **ret_json, size_t *ret_size,
                      struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer json;
    buffer_init(&json, 0);
    if (result->json != NULL) {
        if (buffer_add(&json, result->json, result->json_size) < 0) {
            return error_set_memory(err);
        }
    } else if (result_to_json(result->data, &json, err) < 0) {
        return -1;
    }
    *ret_json = json.data;
    *ret_size = json.size;
    json.data = NULL; /* the caller's */
    return 0;
}

const char *cella_result_status(const struct cella_result *result)
{
    return status_table[result->data->run.status].word;
}

const char *cella_result_message(const struct cella_result *result)
{
    return result->data->run.message;
}

const struct cella_error *cella_result_error(const struct cella_result *result)
{
    return &result->data->error;
}

int cella_result_exit_code(const struct cella_result *result)
{
    return result->data->run.exit_code;
}

int cella_result_signal(const struct cella_result *result)
{
    return result->data->run.signal;
}

static const char *kept_bytes(const struct cella_result *result, enum result_stream stream,
                              size_t *ret_size)
{
    const struct buffer *kept = &result->data->run.streams[stream].kept;
    *ret_size = kept->size;
    return kept->data != NULL ? kept->data : "";
}

const char *cella_result_stdout(const struct cella_result *result, size_t *ret_size)
{
    return kept_bytes(result, RESULT_STDOUT, ret_size);
}

const char *cella_result_stderr(const struct cella_result *result, size_t *ret_size)
{
    return kept_bytes(result, RESULT_STDERR, ret_size);
}

uint64_t cella_result_cpu_us(const struct cella_result *result)
{
    return result_cpu_us(result->data);
}

int cella_result_is_warm(const struct cella_result *result)
{
    return result->data->warm;
}

int cella_result_cli_code(const struct cella_result *result)
{
    return result_exit_code(result->data);
}

int cella_result_file(const struct cella_result *result, size_t index, struct cella_file *ret_file)
{
    if (index >= result->data->file_count) {
        return 0;
    }
    const struct result_file *file = &result->data->files[index];
    *ret_file = (struct cella_file){
        .path = file->path,
        .content = file->content.data,
        .size = (size_t)file->size,
        .mode = file->mode,
        .skipped = file->skipped,
    };
    return 1;
}

size_t cella_result_bytes(const struct cella_result *result)
{
    struct cella_file file;
    size_t size = 0, errors_size = 0;
    (void)cella_result_stdout(result, &size);
    (void)cella_result_stderr(result, &errors_size);
    size += errors_size;
    for (size_t i = 0; cella_result_file(result, i, &file) != 0; i++) {
        size += file.content != NULL ? file.size : 0;
    }
    return size;
}

int cella_result_diagnosis(const struct cella_result *result, struct cella_diagnosis *ret_diagnosis)
{
    const struct result_diagnosis *diagnosis = result->data->diagnosis;
    if (diagnosis == NULL) {
        return 0;
    }
    *ret_diagnosis = (struct cella_diagnosis){
        .class_name = diagnosis->class,
        .message = diagnosis->message,
        .file = diagnosis->file,
        .line = diagnosis->line,
        .column = diagnosis->column,
        .hint = diagnosis->hint,
        .frame_count = diagnosis->frame_count,
    };
    return 1;
}

int cella_result_frame(const struct cella_result *result, size_t index,
                       struct cella_frame *ret_frame)
{
    const struct result_diagnosis *diagnosis = result->data->diagnosis;
    if (diagnosis == NULL || index >= diagnosis->frame_count) {
        return 0;
    }
    const struct result_frame *frame = &diagnosis->frames[index];
    *ret_frame = (struct cella_frame){frame->file, frame->line, frame->function, frame->source};
    return 1;
}

void cella_result_destroy(struct cella_result *result)
{
    if (result != NULL) {
        result_destroy(result->data);
        free(result->json);
        free(result);
    }
}
