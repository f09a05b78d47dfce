/* A result of Cella's as /execute tells it.  See execute.h. */
#include "base/json_write.h"
#include "base/utf8.h"
#include "front/serve/contracts/execute.h"

#include <string.h>

#define CUT "<output cut>"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The size of so many characters at the beginning. */
static size_t size_of_characters(const char *text, size_t size, uint64_t characters)
{
    size_t at = 0;
    for (uint64_t i = 0; i < characters && at < size; i++) {
        uint32_t code = 0;
        const size_t one = utf8_decode(text + at, size - at, &code);
        at += one > 0 ? one : 1;
    }
    return at;
}

/* A stream, and behind it what there is to say, as one text that is cut where the client wants. */
static void write_stream(struct json_writer *json, const char *key, const struct buffer *text,
                         uint64_t characters)
{
    const char *data = text->data != NULL ? text->data : "";
    const size_t kept = size_of_characters(data, text->size, characters);
    struct buffer cut;
    json_write_key(json, key);
    if (kept == text->size) {
        json_write_text(json, data, text->size);
        return;
    }
    buffer_init(&cut, 0);
    json->failed =
        buffer_add(&cut, data, kept) < 0 || buffer_add_string(&cut, CUT) < 0 || json->failed;
    json_write_text(json, cut.data != NULL ? cut.data : "", cut.size);
    buffer_done(&cut);
}

static int write_answer(const char *status, const struct buffer *out, const struct buffer *err,
                        const struct execute_call *call, struct buffer *ret_answer)
{
    struct json_writer json;
    buffer_init(ret_answer, 0);
    json_write_init(&json, ret_answer);
    json_write_open(&json, '{');
    json_write_member(&json, "process_status", status);
    write_stream(&json, "stdout", out, call->characters);
    write_stream(&json, "stderr", err, call->characters);
    if (call->in_session) {
        json_write_key(&json, "new_session_created");
        json_write_bool(&json, call->is_new);
    }
    json_write_close(&json, '}');
    return json.failed ? -1 : 0;
}

static int add_stream(const json_t *result, const char *key, const char *truncated,
                      struct buffer *out)
{
    const json_t *text = json_object_get(result, key);
    const bool is_cut = json_is_true(json_object_get(result, truncated));
    buffer_init(out, 0);
    if (json_is_string(text) &&
        buffer_add(out, json_string_value(text), json_string_length(text)) < 0) {
        return -1;
    }
    return is_cut ? buffer_add_string(out, CUT) : 0;
}

/* On a line of its own. */
static int add_line(struct buffer *out, const char *text)
{
    if (out->size > 0 && out->data[out->size - 1] != '\n' && buffer_add(out, "\n", 1) < 0) {
        return -1;
    }
    return buffer_add_format(out, "%s\n", text);
}

static int add_timeout(struct buffer *err, const struct execute_call *call)
{
    char text[EXECUTE_SECONDS_TEXT + 64];
    (void)snprintf(text, sizeof(text), "Execution timed out after %s seconds", call->seconds);
    return add_line(err, call->is_later ? text : "Timed out");
}

/* What became of it, and the sentence that its standard error ends with where the program itself
 * has not said why. */
static const char *find_status(const json_t *result, const struct execute_call *call,
                               struct buffer *err, bool *failed)
{
    const char *status = text_of(result, "status");
    if (strcmp(status, "ok") == 0) {
        return "completed";
    }
    if (strcmp(status, "wall_time") == 0 || strcmp(status, "cpu_time") == 0) {
        *failed = add_timeout(err, call) < 0 || *failed;
        return "timeout";
    }
    if (strcmp(status, "exit") != 0 || (err->size == 0 && !call->is_interactive)) {
        *failed = add_line(err, text_of(result, "message")) < 0 || *failed;
    }
    return "error";
}

int execute_result_write(const json_t *result, const struct execute_call *call,
                         struct buffer *ret_answer)
{
    struct buffer out, err;
    bool failed = add_stream(result, "stdout", "stdout_truncated", &out) < 0;
    failed = add_stream(result, "stderr", "stderr_truncated", &err) < 0 || failed;
    const char *status = find_status(result, call, &err, &failed);
    failed = write_answer(status, &out, &err, call, ret_answer) < 0 || failed;
    buffer_done(&out);
    buffer_done(&err);
    return failed ? -1 : 0;
}

int execute_cell_write(enum execute_end end, const struct execute_output *output, const char *note,
                       const struct execute_call *call, struct buffer *ret_answer)
{
    static const char *const words[] = {"completed", "error", "timeout"};
    struct buffer streams[2];
    bool failed = false;
    for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
        buffer_init(&streams[i], 0);
        failed = buffer_add(&streams[i], output->data[i], output->size[i]) < 0 || failed;
    }
    struct buffer *err = &streams[CELLA_STDERR];
    if (end == EXECUTE_TIMEOUT) {
        failed = add_timeout(err, call) < 0 || failed;
    }
    if (note != NULL) {
        failed = add_line(err, note) < 0 || failed;
    }
    failed = write_answer(words[end], &streams[CELLA_STDOUT], err, call, ret_answer) < 0 || failed;
    buffer_done(&streams[CELLA_STDOUT]);
    buffer_done(err);
    return failed ? -1 : 0;
}

int execute_timeout_write(const struct execute_call *call, struct buffer *ret_answer)
{
    struct buffer out, err;
    buffer_init(&out, 0);
    buffer_init(&err, 0);
    bool failed = add_timeout(&err, call) < 0;
    failed = write_answer("timeout", &out, &err, call, ret_answer) < 0 || failed;
    buffer_done(&err);
    return failed ? -1 : 0;
}

int execute_error_write(const char *text, struct buffer *ret_answer)
{
    static const struct execute_call all = {.characters = EXECUTE_NO_CHARACTERS};
    struct buffer out, err;
    buffer_init(&out, 0);
    buffer_init(&err, 0);
    bool failed = buffer_add_string(&err, text) < 0;
    failed = write_answer("error", &out, &err, &all, ret_answer) < 0 || failed;
    buffer_done(&err);
    return failed ? -1 : 0;
}
