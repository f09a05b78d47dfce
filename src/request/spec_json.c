/*
 * A spec as JSON that spec_parse() makes the same spec of: what a front sends to a server.
 *
 * Each row of the table of fields has a writer here, which writes nothing for a field that was not
 * given.  JSON carries text, and bytes in base64 where a field has an encoding; code has none, so
 * code that is not UTF-8 is refused.
 */
#include "base/error.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "request/fields.h"
#include "request/limit_value.h"
#include "request/spec.h"

#define WRITE_FIELD(id, name, ...) write_##id(writer, name, spec);

/* Every writer has this form. */
#define WRITER(id)                                                                                 \
    static void write_##id(struct json_writer *writer, const char *name, const struct spec *spec)

static void write_text(struct json_writer *writer, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_write_member(writer, name, text);
    }
}

static void write_words(struct json_writer *writer, const char *name,
                        const struct spec_strings *words)
{
    if (words->count == 0) {
        return;
    }
    json_write_key(writer, name);
    json_write_open(writer, '[');
    for (size_t i = 0; i < words->count; i++) {
        json_write_string(writer, words->items[i]);
    }
    json_write_close(writer, ']');
}

/* As the members `content` and `encoding` of an object that is open. */
static void write_bytes(struct json_writer *writer, const struct spec_bytes *bytes)
{
    bool is_text = utf8_is_valid(bytes->data, bytes->size);
    json_write_key(writer, "content");
    if (is_text) {
        json_write_text(writer, bytes->data, bytes->size);
    } else {
        json_write_base64(writer, bytes->data, bytes->size);
    }
    json_write_key(writer, "encoding");
    json_write_string(writer, request_choice_word(request_encodings, !is_text));
}

static void write_limits_of(struct json_writer *writer, const char *name,
                            const struct limits *limits)
{
    json_write_key(writer, name);
    json_write_open(writer, '{');
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (limits->value[limit] == LIMIT_UNSET) {
            continue;
        }
        json_write_key(writer, limit_table[limit].name);
        if (limit_value_range(limit).steps == 1) {
            json_write_unsigned(writer, limits->value[limit]);
        } else {
            json_write_thousandths(writer, limits->value[limit]);
        }
    }
    json_write_close(writer, '}');
}

/* ---- one for each row ---- */

#define TEXT_WRITER(id, value)                                                                     \
    WRITER(id)                                                                                     \
    {                                                                                              \
        write_text(writer, name, value);                                                           \
    }
TEXT_WRITER(language, spec->language)
TEXT_WRITER(entry, spec->entry)
TEXT_WRITER(policy, spec->policy)
TEXT_WRITER(tag, spec->tag)
TEXT_WRITER(on_output_limit, request_choice_word(request_output_limits, (int)spec->on_output_limit))
TEXT_WRITER(text_errors, request_choice_word(request_text_errors, (int)spec->text_errors))

#define WORDS_WRITER(id, value)                                                                    \
    WRITER(id)                                                                                     \
    {                                                                                              \
        write_words(writer, name, value);                                                          \
    }
WORDS_WRITER(command, &spec->command)
WORDS_WRITER(args, &spec->args)
WORDS_WRITER(collect, &spec->collect)

WRITER(code)
{
    if (spec->code.data != NULL) {
        json_write_key(writer, name);
        json_write_text(writer, spec->code.data, spec->code.size);
    }
}

WRITER(files)
{
    json_write_key(writer, name);
    json_write_open(writer, '[');
    for (size_t i = 0; i < spec->file_count; i++) {
        json_write_open(writer, '{');
        write_text(writer, "path", spec->files[i].path);
        write_bytes(writer, &spec->files[i].content);
        json_write_key(writer, "executable");
        json_write_bool(writer, spec->files[i].executable);
        if (spec->files[i].run_only) {
            json_write_key(writer, "run_only");
            json_write_bool(writer, true);
        }
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
}

WRITER(env)
{
    json_write_key(writer, name);
    json_write_open(writer, '{');
    for (size_t i = 0; i < spec->env_count; i++) {
        json_write_key(writer, spec->env[i].name);
        json_write_string(writer, spec->env[i].value);
    }
    json_write_close(writer, '}');
}

WRITER(input)
{
    if (spec->stdin_bytes.data != NULL) {
        json_write_key(writer, name);
        json_write_open(writer, '{');
        write_bytes(writer, &spec->stdin_bytes);
        json_write_close(writer, '}');
    }
}

WRITER(limits)
{
    write_limits_of(writer, name, &spec->limits);
}

WRITER(compile)
{
    json_write_key(writer, name);
    json_write_open(writer, '{');
    write_words(writer, "args", &spec->compile_args);
    write_limits_of(writer, "limits", &spec->compile_limits);
    json_write_close(writer, '}');
}

WRITER(network)
{
    json_write_key(writer, name);
    if (spec->network == SPEC_NETWORK_ALLOW) {
        json_write_open(writer, '{');
        write_words(writer, "allow", &spec->network_allow);
        json_write_close(writer, '}');
    } else {
        json_write_string(writer, request_choice_word(request_networks, (int)spec->network));
    }
}

WRITER(terminal)
{
    if (spec->terminal_rows > 0) {
        json_write_key(writer, name);
        json_write_open(writer, '{');
        json_write_key(writer, "rows");
        json_write_unsigned(writer, spec->terminal_rows);
        json_write_key(writer, "columns");
        json_write_unsigned(writer, spec->terminal_columns);
        json_write_close(writer, '}');
    }
}

WRITER(adaptive_timeout)
{
    if (spec->adaptive_timeout != SPEC_ADAPTIVE_UNSET) {
        json_write_key(writer, name);
        json_write_bool(writer, spec->adaptive_timeout == SPEC_ADAPTIVE_ON);
    }
}

WRITER(interleave)
{
    json_write_key(writer, name);
    json_write_bool(writer, spec->interleave);
}

int spec_to_json(const struct spec *spec, struct buffer *out, struct cella_error *err)
{
    if (spec->code.data != NULL && !utf8_is_valid(spec->code.data, spec->code.size)) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "code is not valid UTF-8: JSON cannot say it");
        return error_set_field(err, "code");
    }
    struct json_writer json;
    struct json_writer *writer = &json;
    json_write_init(writer, out);
    json_write_open(writer, '{');
    REQUEST_FIELDS(WRITE_FIELD)
    json_write_close(writer, '}');
    return json.failed ? error_set_memory(err) : 0;
}
