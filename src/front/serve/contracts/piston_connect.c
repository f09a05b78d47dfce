/*
 * Piston's jobs by WebSocket.  See piston.h.
 *
 *   client   {type: init, ...a job}, then {type: data, stream: stdin, data} and
 *            {type: signal, signal}
 *   server   runtime, then of each stage: stage, data as it comes, exit; or error; and the end,
 *            with a code of Piston's own
 */
#include "base/json_write.h"
#include "front/serve/api/languages.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/piston.h"
#include "front/serve/contracts/surrogates.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/websocket.h"
#include "front/serve/runs/interactive.h"
#include "front/serve/runs/job.h"

#include <cella/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INIT_MS 1000U /* that the first message may take */

enum close_code {
    CLOSE_ALREADY_INITIALIZED = 4000,
    CLOSE_INITIALIZATION_TIMEOUT = 4001,
    CLOSE_NOTIFIED_ERROR = 4002,
    CLOSE_NOT_INITIALIZED = 4003,
    CLOSE_ONLY_STDIN = 4004,
    CLOSE_INVALID_SIGNAL = 4005,
    CLOSE_COMPLETED = 4999,
};

/* Of one job. */
struct talk {
    struct piston_language language; /* a copy: languages may be read again meanwhile */
    bool is_compiled;                /* it is told that the first stage has ended well */
};

/* ---- what is sent ---- */

/* An object with its type and up to two members, of which a value NULL is null. */
static int write_message(const char *type, const char *const members[2][2], struct buffer *out)
{
    struct json_writer json;
    buffer_init(out, 0);
    json_write_init(&json, out);
    json_write_open(&json, '{');
    json_write_member(&json, "type", type);
    for (size_t i = 0; i < 2 && members[i][0] != NULL; i++) {
        json_write_key(&json, members[i][0]);
        json_write_text(&json, members[i][1], strlen(members[i][1]));
    }
    json_write_close(&json, '}');
    if (json.failed) {
        buffer_done(out);
        return -1;
    }
    return 0;
}

/* What was written, or not: then the connection is given up. */
static void send_written(struct exchange *exchange, int written, struct buffer *message)
{
    if (written < 0) {
        *message = (struct buffer){.data = NULL};
    }
    websocket_send(exchange, message->data, message->size);
}

static void send_message(struct exchange *exchange, const char *type,
                         const char *const members[2][2])
{
    struct buffer message;
    const int written = write_message(type, members, &message);
    send_written(exchange, written, &message);
}

/* `code` NULL: it has none. */
static int write_exit(const char *stage, const int64_t *code, const char *signal,
                      struct buffer *out)
{
    struct json_writer json;
    buffer_init(out, 0);
    json_write_init(&json, out);
    json_write_open(&json, '{');
    json_write_member(&json, "type", "exit");
    json_write_member(&json, "stage", stage);
    json_write_key(&json, "code");
    if (code != NULL) {
        json_write_integer(&json, *code);
    } else {
        json_write_null(&json);
    }
    json_write_key(&json, "signal");
    json_write_string_or_null(&json, signal);
    json_write_close(&json, '}');
    if (json.failed) {
        buffer_done(out);
        return -1;
    }
    return 0;
}

static void fail(struct exchange *exchange, const char *text)
{
    send_message(exchange, "error", (const char *const[2][2]){{"message", text}, {NULL, NULL}});
    websocket_close(exchange, CLOSE_NOTIFIED_ERROR, "Notified Error");
}

void piston_connect_refuse(struct exchange *exchange, const struct cella_error *error)
{
    exchange_leave(exchange);
    fail(exchange, error->text);
}

/* ---- what a job tells ---- */

/* Bytes that are no text are told as what they look like. */
static int write_data(const char *stream, const char *data, size_t size, struct buffer *out)
{
    struct json_writer json;
    buffer_init(out, 0);
    json_write_init(&json, out);
    json_write_open(&json, '{');
    json_write_member(&json, "type", "data");
    json_write_member(&json, "stream", stream);
    json_write_key(&json, "data");
    json_write_text(&json, data, size);
    json_write_close(&json, '}');
    if (json.failed) {
        buffer_done(out);
        return -1;
    }
    return 0;
}

/* What a stage has written, from the JSON that Cella's own clients get. */
static int write_output(const char *stream, const char *output, size_t output_size,
                        struct buffer *out)
{
    struct cella_error err;
    char *data = NULL;
    size_t size = 0;
    if (cella_output_parse(output, output_size, &data, &size, &err) < 0) {
        return -1;
    }
    const int written = write_data(stream, data, size, out);
    free(data);
    return written;
}

static int write_stage(const char *stage, struct buffer *out)
{
    return write_message("stage", (const char *const[2][2]){{"stage", stage}, {NULL, NULL}}, out);
}

/* The first stage has ended well, and all that it wrote is told. */
static int tell_compiled(struct exchange *exchange, void *context, char **ret_text,
                         size_t *ret_size)
{
    static const int64_t code = 0;
    struct talk *talk = context;
    struct buffer message;
    talk->is_compiled = true;
    int written = write_exit("compile", &code, NULL, &message);
    send_written(exchange, written, &message);
    written = write_stage("run", &message);
    *ret_text = message.data;
    *ret_size = message.size;
    return written;
}

static int write_end(struct exchange *exchange, const struct talk *talk, const json_t *result,
                     struct buffer *out)
{
    const json_t *compile = json_object_get(result, "compile");
    const char *status = json_string_value(json_object_get(compile, "status"));
    const bool has_failed = status != NULL && strcmp(status, "ok") != 0;
    const bool is_run = !talk->language.compiled || talk->is_compiled;
    const char *signal = NULL;
    int64_t code = 0;
    const bool has_code = piston_result_code(has_failed ? compile : result,
                                             json_object_get(result, "limit"), &code, &signal);
    websocket_close(exchange, CLOSE_COMPLETED, "Job Completed");
    return write_exit(is_run ? "run" : "compile", has_code ? &code : NULL, signal, out);
}

static int tell(struct exchange *exchange, enum event event, const char *json, size_t size,
                void *context, char **ret_text, size_t *ret_size)
{
    struct talk *talk = context;
    AUTO_JSON json_t *told = NULL;
    struct buffer message = {.data = NULL};
    struct cella_error err;
    int written = 0;
    if (event == EVENT_STARTED) {
        written = write_stage(talk->language.compiled ? "compile" : "run", &message);
    } else if (event != EVENT_RESULT) {
        written = write_output(event == EVENT_STDOUT ? "stdout" : "stderr", json, size, &message);
    } else if (contract_read_own(json, size, &told, &err) == 0) {
        written = write_end(exchange, talk, told, &message);
    } else {
        written = -1;
    }
    *ret_text = message.data;
    *ret_size = message.size;
    return written;
}

/* ---- what comes ---- */

static void init(struct exchange *exchange, const json_t *message)
{
    const struct piston_names *names = NULL;
    const struct piston_language *language = NULL;
    const json_t *policy = NULL;
    struct piston_refusal refusal = {NULL};
    struct buffer request;
    struct cella_error err;
    const char *id = NULL;
    const int named = piston_names_get(exchange->server, &names, &err);
    if (named > 0) { /* they were known when it was connected to, and it cannot wait any more */
        fail(exchange, "the languages are read again: connect once more");
        return;
    }
    if (named < 0 || server_check_ready(exchange->server, &err) < 0 || /* it was then, too */
        contract_read_policy(exchange->server, PISTON_POLICY, &policy, &err) < 0) {
        fail(exchange, err.text);
        return;
    }
    buffer_init(&request, 0);
    struct talk *talk = calloc(1, sizeof(*talk));
    if (talk == NULL ||
        piston_request_write(names, policy, message, true, &request, &language, &refusal) < 0) {
        fail(exchange, refusal.text != NULL ? refusal.text : "memory is short");
        free(refusal.text);
        free(talk);
        buffer_done(&request);
        return;
    }
    talk->language = *language;
    send_message(
        exchange, "runtime",
        (const char *const[2][2]){{"language", language->name}, {"version", language->version}});
    const struct job_form form = {
        .tell = tell, .compiled = language->compiled ? tell_compiled : NULL, .context = talk};
    if (job_start(exchange, request.data, request.size, JOB_TALKS, &form, &id, &err) < 0) {
        fail(exchange, err.text);
    }
    buffer_done(&request);
}

static void take_data(struct exchange *exchange, const json_t *message)
{
    const char *stream = json_string_value(json_object_get(message, "stream"));
    const json_t *data = json_object_get(message, "data");
    struct cella_error err;
    if (stream == NULL || strcmp(stream, "stdin") != 0) {
        websocket_close(exchange, CLOSE_ONLY_STDIN, "Can only write to stdin");
    } else if (!json_is_string(data)) {
        fail(exchange, "data is required as a string");
    } else if (job_write(job_of(exchange), json_string_value(data), json_string_length(data),
                         &err) < 0) {
        fail(exchange, err.text);
    }
}

static void take_signal(struct exchange *exchange, const json_t *message)
{
    const char *name = json_string_value(json_object_get(message, "signal"));
    const bool is_whole = name != NULL && strncmp(name, "SIG", 3) == 0;
    const int number = is_whole ? interactive_signal(name) : 0;
    struct cella_error err;
    if (number == 0) {
        websocket_close(exchange, CLOSE_INVALID_SIGNAL, "Invalid signal");
    } else if (job_signal(job_of(exchange), number, &err) < 0) {
        fail(exchange, err.text);
    }
}

static void take(struct exchange *exchange, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    const bool was_begun = exchange->run_id[0] != '\0';
    type = type != NULL ? type : "";
    if (strcmp(type, "init") == 0 && was_begun) {
        websocket_close(exchange, CLOSE_ALREADY_INITIALIZED, "Already Initialized");
    } else if (strcmp(type, "init") == 0) {
        init(exchange, message);
    } else if (strcmp(type, "data") == 0 || strcmp(type, "signal") == 0) { /* no others are */
        if (!was_begun) {
            websocket_close(exchange, CLOSE_NOT_INITIALIZED, "Not yet initialized");
        } else if (job_of(exchange) == NULL) {
            return; /* it has ended */
        } else if (type[0] == 'd') {
            take_data(exchange, message);
        } else {
            take_signal(exchange, message);
        }
    }
}

static void on_message(struct exchange *exchange, bool is_text, const char *data, size_t size)
{
    AUTO_JSON json_t *message = NULL;
    struct cella_error err;
    (void)is_text; /* the library of Piston reads both */
    char *text = malloc(size + 1);
    if (text == NULL) {
        fail(exchange, "memory is short");
        return;
    }
    memcpy(text, data, size);
    surrogates_mend(text, size);
    if (json_text_parse(text, size, EXCHANGE_BODY_MAX, &message, &err) < 0) {
        fail(exchange, err.text);
    } else {
        take(exchange, message);
    }
    free(text);
}

static void on_silent(struct exchange *exchange)
{
    websocket_close(exchange, CLOSE_INITIALIZATION_TIMEOUT, "Initialization Timeout");
}

void piston_connect(struct exchange *exchange)
{
    static const struct websocket_events events = {
        .message = on_message, .silent = on_silent, .silent_ms = INIT_MS};
    const struct piston_names *names = NULL;
    struct cella_error err;
    if (server_check_ready(exchange->server, &err) < 0) {
        answer_problem(exchange, 503, &err);
        return;
    }
    const int named = piston_names_get(exchange->server, &names, &err);
    if (named > 0) {
        languages_wait(exchange);
        return;
    }
    if (named < 0) {
        answer_problem(exchange, 500, &err);
        return;
    }
    websocket_accept(exchange, &events);
}
