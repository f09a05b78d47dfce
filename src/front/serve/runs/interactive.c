/* See interactive.h. */
#include "front/serve/runs/interactive.h"

#include "base/base64.h"
#include "base/json.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/websocket.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <cella/wire.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_ENUM(id, ...) INPUT_##id,
enum input_type { INPUTS(INPUT_ENUM) INPUT_COUNT };
#undef INPUT_ENUM
#define INPUT_WORD(id, type, ...) type,
static const char *const input_types[] = {INPUTS(INPUT_WORD)};
#undef INPUT_WORD
#define INPUT_TYPES_TEXT "is none of: stdin, eof, signal, resize"

/* A frame; strings belong to its JSON. */
struct input {
    size_t type; /* INPUT_COUNT: none is given */
    const char *data;
    size_t size;
    size_t encoding; /* 1: base64 */
    const char *signal;
    unsigned rows, columns;
};

static int read_type(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct input *input = target;
    return json_text_read_choice(value, where, input_types, INPUT_COUNT, INPUT_TYPES_TEXT,
                                 &input->type, err);
}

static int read_data(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct input *input = target;
    return json_text_read_string(value, where, &input->data, &input->size, err);
}

static int read_encoding(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    static const char *const encodings[] = {"utf-8", "base64"};
    struct input *input = target;
    return json_text_read_choice(value, where, encodings, 2, "must be 'utf-8' or 'base64'",
                                 &input->encoding, err);
}

static int read_signal(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct input *input = target;
    return json_text_read_word(value, where, &input->signal, err);
}

static int read_size(json_t *value, const struct json_where *where, unsigned *ret_size,
                     struct cella_error *err)
{
    const json_int_t size = json_is_integer(value) ? json_integer_value(value) : -1;
    if (size < 0 || size > UINT16_MAX) {
        return json_text_fail(err, where, "must be a number of characters");
    }
    *ret_size = (unsigned)size; /* how many there may be, the library says */
    return 0;
}

static int read_rows(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    return read_size(value, where, &((struct input *)target)->rows, err);
}

static int read_columns(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    return read_size(value, where, &((struct input *)target)->columns, err);
}

int interactive_signal(const char *name)
{
    name += strncmp(name, "SIG", 3) == 0 ? 3 : 0;
    for (int number = 1; number < NSIG; number++) {
        const char *known = sigabbrev_np(number);
        if (known != NULL && strcmp(known, name) == 0) {
            return number;
        }
    }
    return 0;
}

static int take_signal(struct job *job, const char *name, struct cella_error *err)
{
    const int number = name != NULL ? interactive_signal(name) : 0;
    if (number == 0) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "'%.16s' is the name of no signal",
                         name != NULL ? name : "");
        return serve_hint(err, "give it as SIGINT or SIGTERM");
    }
    return job_signal(job, number, err);
}

static int take_stdin(struct job *job, const struct input *input, struct cella_error *err)
{
    if (input->data == NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "a frame of stdin has no data");
    }
    if (input->encoding == 0) {
        return job_write(job, input->data, input->size, err);
    }
    size_t size = base64_decoded_max(input->size);
    char *bytes = malloc(size + 1);
    if (bytes == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    const int result = base64_decode(input->data, input->size, bytes, &size) == 0
                           ? job_write(job, bytes, size, err)
                           : serve_fail(err, CELLA_ERROR_CALLER, "data is not strict base64");
    free(bytes);
    return result;
}

static int take_frame(struct job *job, const char *text, size_t size, struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"type", read_type},     {"data", read_data}, {"encoding", read_encoding},
        {"signal", read_signal}, {"rows", read_rows}, {"columns", read_columns}};
    struct input input = {.type = INPUT_COUNT};
    AUTO_JSON json_t *frame = NULL;
    if (json_text_parse(text, size, WEBSOCKET_NEXT_MAX, &frame, err) < 0 ||
        json_text_read_object(frame, fields, sizeof(fields) / sizeof(fields[0]), &input, NULL,
                              err) < 0) {
        return -1;
    }
    switch (input.type) {
    case INPUT_STDIN:
        return take_stdin(job, &input, err);
    case INPUT_EOF:
        job_close_stdin(job);
        return 0;
    case INPUT_SIGNAL:
        return take_signal(job, input.signal, err);
    case INPUT_RESIZE:
        return job_resize(job, input.rows, input.columns, err);
    default:
        break;
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER, "the frame has no type");
    return serve_hint(err, "its type " INPUT_TYPES_TEXT);
}

/* Its run, if it still has one, ends. */
void interactive_refuse(struct exchange *exchange, const struct cella_error *error)
{
    struct cella_error failure;
    char *problem = NULL;
    char *text = NULL;
    size_t size = 0;
    int text_size = -1;
    if (exchange->contract != NULL && exchange->contract->refuse_message != NULL) {
        exchange->contract->refuse_message(exchange, error);
        return;
    }
    if (cella_problem_json(error, NULL, cella_error_http_status(error->kind), &problem, &size,
                           &failure) == 0) {
        text_size = asprintf(&text, "{\"type\":\"problem\",\"problem\":%.*s}", (int)size, problem);
        free(problem);
    }
    exchange_leave(exchange);
    websocket_send(exchange, text_size > 0 ? text : NULL, text_size > 0 ? (size_t)text_size : 0);
    websocket_close(exchange,
                    error->kind == CELLA_ERROR_BUSY               ? WEBSOCKET_TRY_AGAIN
                    : cella_error_http_status(error->kind) >= 500 ? WEBSOCKET_INTERNAL_ERROR
                                                                  : WEBSOCKET_POLICY_VIOLATION,
                    "");
}

static void on_message(struct exchange *exchange, bool is_text, const char *data, size_t size)
{
    struct cella_error error;
    const char *id;
    int result;
    struct job *job = job_of(exchange);
    if (job != NULL) {
        result = is_text ? take_frame(job, data, size, &error) : job_write(job, data, size, &error);
    } else if (server_check_ready(exchange->server, &error) < 0) {
        result = -1; /* it was when the client asked for the WebSocket */
    } else if (is_text) {
        result = job_start(exchange, data, size, JOB_TALKS, NULL, &id, &error);
    } else {
        result = serve_fail(&error, CELLA_ERROR_CALLER, "the first message is no text");
        (void)serve_hint(&error, "send a request as JSON first");
    }
    if (result < 0) {
        interactive_refuse(exchange, &error);
    }
}

void interactive_get(struct exchange *exchange)
{
    static const struct websocket_events events = {.message = on_message,
                                                   .silent_ms = INTERACTIVE_FIRST_MS};
    struct cella_error error;
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return;
    }
    websocket_accept(exchange, &events);
}
