/* A call of /execute as a request of Cella's.  See execute.h. */
#include "base/json_write.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/execute.h"
#include "front/serve/contracts/execute_code.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS             1000.0
#define WALL_LEAST_MS  0.001
#define WALL_DEFAULT   1e15 /* where a policy's cap is no number */
#define CHARACTERS_MAX 1e15

/* The languages that clients name, and what each is here.  NULL: it is not to be had. */
static const struct {
    const char *name, *cella;
} languages[] = {
    {"python", "python"}, {"python3", "python"}, {"ipython", "python"},
    {"pypy3", "pypy3"},   {"shell", "bash"},     {"lean4", NULL},
};
#define INTERACTIVE "ipython"

/* How tracebacks are told: IPython's own words for it. */
static const char *const verbosities[] = {"Plain", "Context", "Verbose", "Minimal"};

static int refuse(char refusal[EXECUTE_REFUSAL_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(char refusal[EXECUTE_REFUSAL_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(refusal, EXECUTE_REFUSAL_MAX, format, args); /* or cut */
    va_end(args);
    return -1;
}

/* ---- single fields ---- */

static const json_t *field_of(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);
    return json_is_null(value) ? NULL : value;
}

/* As Python prints it: 10, 0.5, 10.0. */
static void print_seconds(const json_t *value, char ret_text[EXECUTE_SECONDS_TEXT])
{
    if (json_is_integer(value)) {
        (void)snprintf(ret_text, EXECUTE_SECONDS_TEXT, "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
        return;
    }
    const double seconds = json_real_value(value);
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(ret_text, EXECUTE_SECONDS_TEXT, "%.*g", digits, seconds);
        if (strtod(ret_text, NULL) == seconds) {
            break;
        }
    }
    if (strpbrk(ret_text, ".en") == NULL) {
        const size_t size = strlen(ret_text);
        (void)snprintf(ret_text + size, EXECUTE_SECONDS_TEXT - size, ".0");
    }
}

static int read_timeout(const json_t *body, const json_t *policy, struct execute_call *call,
                        char refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *value = field_of(body, "timeout");
    double cap = WALL_DEFAULT;
    double seconds = EXECUTE_SECONDS;
    if (value != NULL && !json_is_number(value)) {
        return refuse(refusal, "timeout must be a number of seconds");
    }
    if (value != NULL) {
        seconds = json_number_value(value);
        print_seconds(value, call->seconds);
    } else {
        (void)snprintf(call->seconds, sizeof(call->seconds), "%d", EXECUTE_SECONDS);
    }
    (void)contract_cap(policy, CONTRACT_RUN, "wall_ms", &cap);
    call->has_time = seconds > 0;
    call->wall_ms = seconds * MS < cap ? seconds * MS : cap;
    call->wall_ms = call->wall_ms > WALL_LEAST_MS ? call->wall_ms : WALL_LEAST_MS;
    return 0;
}

static int read_characters(const json_t *body, struct execute_call *call,
                           char refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *value = field_of(body, "max_output_characters");
    const double number = json_number_value(value);
    call->characters = EXECUTE_NO_CHARACTERS;
    if (value == NULL) {
        return 0;
    }
    if (!json_is_number(value) || number < 0) {
        return refuse(refusal, "max_output_characters must be a number, and not below 0");
    }
    if (number < CHARACTERS_MAX) {
        call->characters = (uint64_t)number;
    }
    return 0;
}

/* Clients write it in any case. */
static bool is_word(const char *text, const char *word)
{
    for (; *word != '\0'; text++, word++) {
        if ((*text | 0x20) != (*word | 0x20)) {
            return false;
        }
    }
    return *text == '\0';
}

static int read_verbosity(const json_t *body, const char **ret_verbosity,
                          char refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *value = field_of(body, "traceback_verbosity");
    const char *text = json_string_value(value);
    *ret_verbosity = verbosities[0];
    if (value == NULL) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(verbosities) && text != NULL; i++) {
        if (is_word(text, verbosities[i])) {
            *ret_verbosity = verbosities[i];
            return 0;
        }
    }
    return refuse(refusal, "traceback_verbosity must be Plain, Context, Verbose or Minimal");
}

static int read_language(const json_t *body, struct execute_call *call,
                         char refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *value = field_of(body, "language");
    const char *name = value != NULL ? json_string_value(value) : "python";
    if (name == NULL) {
        return refuse(refusal, "language must be a string");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(languages); i++) {
        if (strcmp(languages[i].name, name) == 0) {
            call->language = languages[i].cella;
            call->is_interactive = strcmp(name, INTERACTIVE) == 0;
            return call->language != NULL
                       ? 0
                       : refuse(refusal,
                                "Execution of %s is not available on this server: Debian has no "
                                "package of it",
                                name);
        }
    }
    return refuse(refusal,
                  "Only python execution is supported, not '%.64s' (and ipython, python3, "
                  "pypy3, shell)",
                  name);
}

/* ---- the program ---- */

/* What gives another program to IPython (documents.S). */
extern const char serve_ipython_text[] __attribute__((visibility("hidden")));

/* Behind that text comes what it shall do. */
static void write_program(struct json_writer *json, const struct buffer *call)
{
    struct buffer program;
    buffer_init(&program, 0);
    const bool failed = buffer_add_string(&program, serve_ipython_text) < 0 ||
                        buffer_add(&program, call->data, call->size) < 0;
    json->failed = json->failed || failed;
    json_write_key(json, "code");
    json_write_text(json, program.data != NULL ? program.data : "", program.size);
    buffer_done(&program);
}

static void write_code(struct json_writer *json, const struct execute_call *call,
                       const struct buffer *code)
{
    struct buffer run;
    struct json_writer literal;
    const char *text = code->data != NULL ? code->data : "";
    if (!call->is_interactive) {
        json_write_key(json, "code");
        json_write_text(json, text, code->size);
        return;
    }
    buffer_init(&run, 0);
    bool failed = buffer_add_string(&run, "once(") < 0;
    json_write_init(&literal, &run);
    json_write_text(&literal, text, code->size); /* a string of JSON is one of Python */
    failed = buffer_add_format(&run, ", '%s')\n", call->verbosity) < 0 || failed || literal.failed;
    json->failed = json->failed || failed;
    write_program(json, &run);
    buffer_done(&run);
}

/* ---- the request ---- */

static int check_texts(const json_t *body, char refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *input = field_of(body, "std_input");
    const json_t *code = field_of(body, "generated_code");
    if (!json_is_object(body) || code == NULL) {
        return refuse(refusal, "Missing required field: generated_code");
    }
    if (!json_is_string(code)) {
        return refuse(refusal, "generated_code must be a string");
    }
    return input == NULL || json_is_string(input) ? 0
                                                  : refuse(refusal, "std_input must be a string");
}

static void write_limit(struct json_writer *json, const char *name, double value)
{
    json_write_key(json, name);
    json_write_thousandths(json, (uint64_t)(value * 1000 + 0.5));
}

static void begin_request(struct json_writer *json, struct buffer *request, const char *policy,
                          const char *language)
{
    json_write_init(json, request);
    json_write_open(json, '{');
    json_write_member(json, "language", language);
    json_write_member(json, "policy", policy);
    json_write_member(json, "text_errors", "replace");
}

int execute_request_write(const struct execute_call *call, const struct execute_texts *texts,
                          const char *policy_name, struct buffer *ret_request)
{
    struct json_writer json;
    begin_request(&json, ret_request, policy_name, call->language);
    if (call->has_input) {
        json_write_key(&json, "stdin");
        json_write_text(&json, texts->input.data != NULL ? texts->input.data : "",
                        texts->input.size);
    }
    json_write_key(&json, "limits");
    json_write_open(&json, '{');
    write_limit(&json, "wall_ms", call->wall_ms);
    json_write_close(&json, '}');
    write_code(&json, call, &texts->code);
    json_write_close(&json, '}');
    return json.failed ? -1 : 0;
}

int execute_session_write(const char *policy_name, const struct execute_session_limits *limits,
                          const char *word, struct buffer *ret_request)
{
    struct json_writer json;
    struct buffer run;
    buffer_init(&run, 0);
    begin_request(&json, ret_request, policy_name, "python");
    json_write_member(&json, "on_output_limit", "stop"); /* else its marks were lost */
    json_write_key(&json, "limits");
    json_write_open(&json, '{');
    write_limit(&json, "wall_ms", limits->wall_ms);
    json_write_key(&json, "memory_bytes");
    json_write_unsigned(&json, (uint64_t)limits->memory_bytes);
    json_write_close(&json, '}');
    json.failed = buffer_add_format(&run, "serve(b'%s')\n", word) < 0 || json.failed;
    write_program(&json, &run);
    json_write_close(&json, '}');
    buffer_done(&run);
    return json.failed ? -1 : 0;
}

/* ---- the call ---- */

void execute_texts_done(struct execute_texts *texts)
{
    buffer_done(&texts->code);
    buffer_done(&texts->input);
}

int execute_call_read(const json_t *body, const json_t *policy, struct execute_call *ret_call,
                      struct execute_texts *ret_texts, char ret_refusal[EXECUTE_REFUSAL_MAX])
{
    const json_t *code = json_object_get(body, "generated_code");
    const json_t *input = field_of(body, "std_input");
    struct execute_call call = {.has_input = input != NULL};
    call.is_later = call.has_input || field_of(body, "max_output_characters") != NULL ||
                    field_of(body, "traceback_verbosity") != NULL;
    if (check_texts(body, ret_refusal) < 0 || read_language(body, &call, ret_refusal) < 0 ||
        read_timeout(body, policy, &call, ret_refusal) < 0 ||
        read_characters(body, &call, ret_refusal) < 0 ||
        read_verbosity(body, &call.verbosity, ret_refusal) < 0) {
        return -1;
    }
    struct execute_texts texts;
    buffer_init(&texts.code, 0);
    buffer_init(&texts.input, 0);
    ret_refusal[0] = '\0';
    if (execute_code_find(json_string_value(code), json_string_length(code), &texts.code) < 0 ||
        (call.has_input &&
         buffer_add(&texts.input, json_string_value(input), json_string_length(input)) < 0)) {
        execute_texts_done(&texts);
        return -1;
    }
    *ret_call = call;
    *ret_texts = texts;
    return 0;
}
