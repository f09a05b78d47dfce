/* A result of Cella's as Piston tells it.  See piston.h. */
#include "base/json_write.h"
#include "front/serve/contracts/piston.h"

#include <stdio.h>
#include <string.h>

/* What became of a stage, in Piston's words. */
struct ending {
    const char *status; /* NULL: it ended well */
    const char *signal;
    char message[256]; /* "": none */
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Of the signals that it may be, those that isolate names by number. */
static int signal_number(const char *name)
{
    static const char *const names[] = {
        "",        "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE",  "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
        "",        "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
    };
    for (size_t i = 1; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return 0;
}

static void say(struct ending *ending, const char *status, const char *signal, const char *message)
{
    ending->status = status;
    ending->signal = signal;
    (void)snprintf(ending->message, sizeof(ending->message), "%s", message); /* or cut */
}

/* A limit that Piston's own sandbox does not know, or an end that is nobody's fault: what the
 * program itself did is told, with our own sentence. */
static void say_other(struct ending *ending, const json_t *stage)
{
    const bool exited = json_is_integer(json_object_get(stage, "exit_code"));
    const char *signal = text_of(stage, "signal");
    say(ending, exited ? "RE" : "SG",
        exited              ? NULL
        : signal[0] != '\0' ? signal
                            : "SIGKILL",
        text_of(stage, "message"));
}

/* `limit` is the result's, which names the stream of an output that was too long. */
static void find_ending(const json_t *stage, const json_t *limit, struct ending *ret_ending)
{
    const char *status = text_of(stage, "status");
    const bool is_stderr = strcmp(text_of(limit, "name"), "stderr_bytes") == 0;
    struct ending *ending = ret_ending;
    *ending = (struct ending){.status = NULL};
    if (strcmp(status, "ok") == 0) {
        return;
    }
    if (strcmp(status, "wall_time") == 0) {
        say(ending, "TO", "SIGKILL", "Time limit exceeded (wall clock)");
    } else if (strcmp(status, "cpu_time") == 0) {
        say(ending, "TO", "SIGKILL", "Time limit exceeded");
    } else if (strcmp(status, "output") == 0) {
        say(ending, is_stderr ? "EL" : "OL", "SIGKILL",
            is_stderr ? "stderr length exceeded" : "stdout length exceeded");
    } else if (strcmp(status, "internal") == 0 || strcmp(status, "cancelled") == 0) {
        say(ending, "XX", NULL, text_of(stage, "message"));
    } else if (strcmp(status, "exit") == 0 || strcmp(status, "compile_error") == 0) {
        say_other(ending, stage);
        (void)snprintf(ending->message, sizeof(ending->message), "Exited with error status %lld",
                       (long long)json_integer_value(json_object_get(stage, "exit_code")));
    } else if (strcmp(status, "signal") == 0 && signal_number(text_of(stage, "signal")) > 0) {
        say_other(ending, stage);
        (void)snprintf(ending->message, sizeof(ending->message), "Caught fatal signal %d",
                       signal_number(text_of(stage, "signal")));
    } else {
        say_other(ending, stage);
    }
}

/* Both streams in the order in which they came, where that is known. */
static void write_output(struct json_writer *json, const json_t *stage)
{
    const json_t *pieces = json_object_get(stage, "output");
    struct buffer output;
    bool failed = false;
    buffer_init(&output, 0);
    if (json_is_array(pieces)) {
        for (size_t i = 0; i < json_array_size(pieces); i++) {
            const json_t *data = json_object_get(json_array_get(pieces, i), "data");
            failed = failed ||
                     buffer_add(&output, json_string_value(data), json_string_length(data)) < 0;
        }
    } else {
        const json_t *out = json_object_get(stage, "stdout"),
                     *err = json_object_get(stage, "stderr");
        failed = buffer_add(&output, json_string_value(out), json_string_length(out)) < 0 ||
                 buffer_add(&output, json_string_value(err), json_string_length(err)) < 0;
    }
    json_write_key(json, "output");
    json_write_text(json, output.data != NULL ? output.data : "", output.size);
    json->failed = json->failed || failed;
    buffer_done(&output);
}

/* A number that this host does not count is left out: clients take no null for one. */
static void write_number(struct json_writer *json, const char *key, const json_t *one,
                         const json_t *other)
{
    if (!json_is_number(one) || (other != NULL && !json_is_number(other))) {
        return;
    }
    const double sum = json_number_value(one) + (other != NULL ? json_number_value(other) : 0);
    json_write_key(json, key);
    json_write_thousandths(json, (uint64_t)(sum * 1000 + 0.5));
}

static void write_stage(struct json_writer *json, const char *key, const json_t *stage,
                        const json_t *limit)
{
    const json_t *usage = json_object_get(stage, "usage");
    const json_t *code = json_object_get(stage, "exit_code");
    struct ending ending;
    find_ending(stage, limit, &ending);
    json_write_key(json, key);
    json_write_open(json, '{');
    json_write_key(json, "stdout");
    json_write_text(json, text_of(stage, "stdout"),
                    json_string_length(json_object_get(stage, "stdout")));
    json_write_key(json, "stderr");
    json_write_text(json, text_of(stage, "stderr"),
                    json_string_length(json_object_get(stage, "stderr")));
    write_output(json, stage);
    json_write_key(json, "code");
    if (json_is_integer(code) && ending.signal == NULL) {
        json_write_integer(json, json_integer_value(code));
    } else {
        json_write_null(json);
    }
    json_write_key(json, "signal");
    json_write_string_or_null(json, ending.signal);
    json_write_key(json, "message");
    json_write_string_or_null(json, ending.message);
    json_write_key(json, "status");
    json_write_string_or_null(json, ending.status);
    write_number(json, "cpu_time", json_object_get(usage, "user_ms"),
                 json_object_get(usage, "system_ms"));
    write_number(json, "wall_time", json_object_get(usage, "wall_ms"), NULL);
    write_number(json, "memory", json_object_get(usage, "memory_peak_bytes"), NULL);
    json_write_close(json, '}');
}

bool piston_result_code(const json_t *stage, const json_t *limit, int64_t *ret_code,
                        const char **ret_signal)
{
    const json_t *code = json_object_get(stage, "exit_code");
    struct ending ending;
    find_ending(stage, limit, &ending);
    *ret_signal = ending.signal;
    *ret_code = json_integer_value(code);
    return json_is_integer(code) && ending.signal == NULL;
}

int piston_result_write(const json_t *result, const struct piston_language *language,
                        struct buffer *ret_answer)
{
    const json_t *compile = json_object_get(result, "compile");
    const json_t *limit = json_object_get(result, "limit");
    const bool is_compiled = json_is_object(compile);
    const bool is_run = !is_compiled || strcmp(text_of(compile, "status"), "ok") == 0;
    struct json_writer json;
    buffer_init(ret_answer, 0);
    json_write_init(&json, ret_answer);
    json_write_open(&json, '{');
    if (is_compiled) {
        write_stage(&json, "compile", compile, limit);
    }
    /* Where the second stage did not take place the first stands for it. */
    write_stage(&json, "run", is_run ? result : compile, limit);
    json_write_member(&json, "language", language->name);
    json_write_member(&json, "version", language->version);
    json_write_close(&json, '}');
    return json.failed ? -1 : 0;
}
