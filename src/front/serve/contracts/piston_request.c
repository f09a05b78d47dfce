/*
 * A job of Piston's as a request of Cella's.  See piston.h.
 *
 * Checks come in the order of Piston's own, with its texts, so that a body with several faults is
 * told of the same one.
 */
#include "base/base64.h"
#include "base/hex.h"
#include "base/json_write.h"
#include "front/serve/contracts/contract.h"
#include "front/serve/contracts/piston.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_SIZE 4096U /* of a file's name; Cella takes less */
/* Larger numbers are no limit, whatever they are meant to limit. */
#define NUMBER_MAX 1e15

/* A limit of a job: its name here, the stage and the name in Cella, and in what it is counted. */
static const struct job_limit {
    const char *name;
    const char *limit;
    enum contract_stage stage;
    bool is_size;
} limits[] = {
    {"compile_memory_limit", "memory_bytes", CONTRACT_COMPILE, true},
    {"run_memory_limit", "memory_bytes", CONTRACT_RUN, true},
    {"compile_timeout", "wall_ms", CONTRACT_COMPILE, false},
    {"run_timeout", "wall_ms", CONTRACT_RUN, false},
    {"compile_cpu_time", "cpu_ms", CONTRACT_COMPILE, false},
    {"run_cpu_time", "cpu_ms", CONTRACT_RUN, false},
};

static int refuse(struct piston_refusal *refusal, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct piston_refusal *refusal, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vasprintf(&refusal->text, format, args) < 0) {
        refusal->text = NULL;
    }
    va_end(args);
    return -1;
}

/* A string that is a C string too, or NULL. */
static const char *word_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && strlen(text) == json_string_length(value) ? text : NULL;
}

static bool is_empty(const json_t *value)
{
    return !json_is_string(value) || json_string_length(value) == 0;
}

/* ---- checks ---- */

static bool is_text_file(const json_t *file)
{
    const char *encoding = json_string_value(json_object_get(file, "encoding"));
    return encoding == NULL || (strcmp(encoding, "base64") != 0 && strcmp(encoding, "hex") != 0);
}

static int check_files(const json_t *files, struct piston_refusal *refusal)
{
    if (!json_is_array(files)) {
        return refuse(refusal, "files is required as an array");
    }
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        const json_t *name = json_object_get(file, "name");
        if (!json_is_string(json_object_get(file, "content"))) {
            return refuse(refusal, "files[%zu].content is required as a string", i);
        }
        if (name != NULL && !json_is_null(name) && word_of(name) == NULL) {
            return refuse(refusal, "files[%zu].name must be a string", i);
        }
    }
    return 0;
}

static int check_text_file(const json_t *files, struct piston_refusal *refusal)
{
    for (size_t i = 0; i < json_array_size(files); i++) {
        if (is_text_file(json_array_get(files, i))) {
            return 0;
        }
    }
    return refuse(refusal, "files must include at least one utf8 encoded file");
}

/* What JavaScript takes for false is not given. */
static bool is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value) && !json_is_false(value) &&
           !(json_is_number(value) && json_number_value(value) == 0) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

/* -1 bytes is Piston's word for no limit of memory: then it is the policy's. */
static bool means_none(const struct job_limit *limit, double value)
{
    return limit->is_size && value == -1;
}

static int check_limit(const struct job_limit *limit, const json_t *policy, const json_t *value,
                       struct piston_refusal *refusal)
{
    double cap = 0;
    if (!is_given(value)) {
        return 0;
    }
    if (!json_is_number(value)) {
        return refuse(refusal, "If specified, %s must be a number", limit->name);
    }
    const double asked = json_number_value(value);
    if (means_none(limit, asked)) {
        return 0;
    }
    if (contract_cap(policy, limit->stage, limit->limit, &cap) && asked > cap) {
        return refuse(refusal, "%s cannot exceed the configured limit of %.15g", limit->name, cap);
    }
    return asked < 0 ? refuse(refusal, "%s must be non-negative", limit->name) : 0;
}

static int check_args(const json_t *args, struct piston_refusal *refusal)
{
    if (args == NULL || json_is_null(args)) {
        return 0;
    }
    for (size_t i = 0; i < json_array_size(args); i++) {
        if (word_of(json_array_get(args, i)) == NULL) {
            return refuse(refusal, "args[%zu] must be a string", i);
        }
    }
    return json_is_array(args) ? 0 : refuse(refusal, "args must be an array of strings");
}

/* What comes behind the language, which decides about nothing of it. */
static int check_rest(const json_t *policy, const json_t *body, struct piston_refusal *refusal)
{
    const json_t *stdin_text = json_object_get(body, "stdin");
    if (check_text_file(json_object_get(body, "files"), refusal) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        if (check_limit(&limits[i], policy, json_object_get(body, limits[i].name), refusal) < 0) {
            return -1;
        }
    }
    if (stdin_text != NULL && !json_is_null(stdin_text) && !json_is_string(stdin_text)) {
        return refuse(refusal, "stdin must be a string");
    }
    return check_args(json_object_get(body, "args"), refusal);
}

/* The language of a good body, or NULL. */
static const struct piston_language *check(const struct piston_names *names, const json_t *policy,
                                           const json_t *body, struct piston_refusal *refusal)
{
    const json_t *name = json_object_get(body, "language");
    const json_t *version = json_object_get(body, "version");
    const struct piston_language *language = NULL;
    if (is_empty(name)) {
        (void)refuse(refusal, "language is required as a string");
    } else if (is_empty(version)) {
        (void)refuse(refusal, "version is required as a string");
    } else if (check_files(json_object_get(body, "files"), refusal) == 0) {
        language =
            piston_names_find(names, policy, json_string_value(name), json_string_value(version));
        if (language == NULL) {
            (void)refuse(refusal, "%s-%s runtime is unknown", json_string_value(name),
                         json_string_value(version));
        }
    }
    return language != NULL && check_rest(policy, body, refusal) < 0 ? NULL : language;
}

/* ---- names of files ---- */

/* As Piston joins them to its own directory: "a/./b//c" and "/a/b/../c" are files below it. */
static int clean_path(const char *name, char ret_path[PATH_MAX_SIZE])
{
    size_t size = 0;
    ret_path[0] = '\0';
    while (*name != '\0') {
        const size_t part = strcspn(name, "/");
        if (part == 2 && strncmp(name, "..", 2) == 0) {
            if (size == 0) {
                return -1;
            }
            const char *slash = strrchr(ret_path, '/');
            size = slash != NULL ? (size_t)(slash - ret_path) : 0;
        } else if (part > 0 && !(part == 1 && name[0] == '.')) {
            if (size + part + 2 > PATH_MAX_SIZE) {
                return -1;
            }
            size += (size_t)snprintf(ret_path + size, PATH_MAX_SIZE - size, "%s%.*s",
                                     size > 0 ? "/" : "", (int)part, name);
        }
        ret_path[size] = '\0';
        name += part + (name[part] == '/');
    }
    return size > 0 ? 0 : -1;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* Compilers look at how a file's name ends, as Piston's packages do for them. */
static void add_extension(const struct piston_language *language, char path[PATH_MAX_SIZE])
{
    const char *slash = strrchr(path, '/');
    const bool has_one = strchr(slash != NULL ? slash : path, '.') != NULL;
    const bool is_general = ends_with(path, ".code");
    const size_t size = strlen(path);
    if (language->compiled && (!has_one || is_general) &&
        size + strlen(language->extension) < PATH_MAX_SIZE) {
        (void)snprintf(path + size, PATH_MAX_SIZE - size, "%s", language->extension);
    }
}

/* `is_entry`: it is the file that is run. */
static int make_path(const struct piston_language *language, const json_t *file, size_t index,
                     bool is_entry, char ret_path[PATH_MAX_SIZE], struct piston_refusal *refusal)
{
    const char *name = json_string_value(json_object_get(file, "name"));
    if (name == NULL || name[0] == '\0') {
        if (is_entry) {
            (void)snprintf(ret_path, PATH_MAX_SIZE, "%s", language->entry);
        } else {
            (void)snprintf(ret_path, PATH_MAX_SIZE, "file%zu.code", index);
        }
        return 0;
    }
    if (clean_path(name, ret_path) < 0) {
        return refuse(refusal, "File path \"%.200s\" tries to escape parent directory", name);
    }
    if (is_entry) {
        add_extension(language, ret_path);
    }
    return 0;
}

/* ---- contents ---- */

/* As node reads base64: whatever is no letter of it is passed over, padding is not asked for, and
 * '-' and '_' are letters too.  Returns the text that strict base64 has for the same bytes. */
static int write_base64(struct json_writer *json, const char *text, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    char *bytes = malloc(size / 4 * 3 + 3);
    size_t count = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    if (bytes == NULL) {
        return -1;
    }
    for (size_t i = 0; i < size && text[i] != '='; i++) {
        const char *found = text[i] != '\0' ? strchr(letters, text[i]) : NULL;
        if (found == NULL) {
            continue;
        }
        const uint32_t value = (uint32_t)(found - letters);
        bits = (bits << 6 | (value > 63 ? value - 2 : value)) & 0xFFFFFF;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[count++] = (char)(bits >> held & 0xFF);
        }
    }
    json_write_base64(json, bytes, count);
    free(bytes);
    return 0;
}

/* As node reads it: up to the first pair that is none. */
static int write_hex(struct json_writer *json, const char *text, size_t size)
{
    char *bytes = malloc(size / 2 + 1);
    size_t count = 0;
    if (bytes == NULL) {
        return -1;
    }
    while (2 * count + 1 < size && hex_value(text[2 * count]) >= 0 &&
           hex_value(text[2 * count + 1]) >= 0) {
        bytes[count] = (char)(hex_value(text[2 * count]) << 4 | hex_value(text[2 * count + 1]));
        count++;
    }
    json_write_base64(json, bytes, count);
    free(bytes);
    return 0;
}

static int write_content(struct json_writer *json, const json_t *file)
{
    const json_t *content = json_object_get(file, "content");
    const char *text = json_string_value(content);
    const size_t size = json_string_length(content);
    const char *encoding = json_string_value(json_object_get(file, "encoding"));
    json_write_key(json, "content");
    if (is_text_file(file)) {
        json_write_text(json, text, size);
        return 0;
    }
    const int written =
        encoding[0] == 'h' ? write_hex(json, text, size) : write_base64(json, text, size);
    json_write_member(json, "encoding", "base64");
    return written;
}

/* ---- the request ---- */

static int write_files(struct json_writer *json, const struct piston_language *language,
                       const json_t *files, struct piston_refusal *refusal)
{
    char path[PATH_MAX_SIZE], entry[PATH_MAX_SIZE] = "";
    json_write_key(json, "files");
    json_write_open(json, '[');
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        const bool is_entry = entry[0] == '\0' && is_text_file(file);
        if (make_path(language, file, i, is_entry, path, refusal) < 0) {
            return -1;
        }
        if (is_entry) {
            memcpy(entry, path, sizeof(entry));
        }
        json_write_open(json, '{');
        json_write_member(json, "path", path);
        json->failed = write_content(json, file) < 0 || json->failed;
        json_write_close(json, '}');
    }
    json_write_close(json, ']');
    json_write_member(json, "entry", entry);
    return 0;
}

/* `talking` is the policy where the output is told as it comes: then there may be as much as it
 * lets any run have. */
static void write_limits(struct json_writer *json, const json_t *body, enum contract_stage stage,
                         const json_t *talking)
{
    static const char *const streams[] = {"stdout_bytes", "stderr_bytes"};
    double cap = 0;
    json_write_key(json, "limits");
    json_write_open(json, '{');
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        const json_t *value = json_object_get(body, limits[i].name);
        if (limits[i].stage != stage || !is_given(value) ||
            means_none(&limits[i], json_number_value(value))) {
            continue;
        }
        const double number = json_number_value(value);
        const double asked = number < NUMBER_MAX ? number : NUMBER_MAX;
        json_write_key(json, limits[i].limit);
        if (limits[i].is_size) {
            json_write_unsigned(json, (uint64_t)asked);
        } else {
            json_write_thousandths(json, (uint64_t)(asked * 1000 + 0.999));
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(streams) && talking != NULL; i++) {
        if (contract_cap(talking, stage, streams[i], &cap)) {
            json_write_key(json, streams[i]);
            json_write_unsigned(json, (uint64_t)cap);
        }
    }
    json_write_close(json, '}');
}

/* Piston ends what a program reads with a line's end. */
static void write_stdin(struct json_writer *json, const json_t *text)
{
    const size_t size = json_string_length(text);
    char *line = malloc(size + 2);
    if (line == NULL) {
        json->failed = true;
        return;
    }
    if (size > 0) {
        memcpy(line, json_string_value(text), size);
    }
    const bool has_end = size > 0 && line[size - 1] == '\n';
    line[size] = '\n';
    json_write_key(json, "stdin");
    json_write_text(json, line, size + !has_end);
    free(line);
}

static void write_args(struct json_writer *json, const json_t *args)
{
    json_write_key(json, "args");
    json_write_open(json, '[');
    for (size_t i = 0; i < json_array_size(args); i++) {
        json_write_string(json, json_string_value(json_array_get(args, i)));
    }
    json_write_close(json, ']');
}

int piston_request_write(const struct piston_names *names, const json_t *policy, const json_t *body,
                         bool talks, struct buffer *ret_request,
                         const struct piston_language **ret_language,
                         struct piston_refusal *ret_refusal)
{
    const struct piston_language *language = check(names, policy, body, ret_refusal);
    struct json_writer json;
    if (language == NULL) {
        return -1;
    }
    json_write_init(&json, ret_request);
    json_write_open(&json, '{');
    json_write_member(&json, "language", language->cella);
    json_write_member(&json, "policy", PISTON_POLICY);
    if (write_files(&json, language, json_object_get(body, "files"), ret_refusal) < 0) {
        return -1;
    }
    if (!talks) {
        write_stdin(&json, json_object_get(body, "stdin"));
    }
    write_args(&json, json_object_get(body, "args"));
    json_write_key(&json, "env");
    json_write_open(&json, '{');
    json_write_member(&json, "PISTON_LANGUAGE", language->name);
    json_write_close(&json, '}');
    write_limits(&json, body, CONTRACT_RUN, talks ? policy : NULL);
    if (language->compiled) {
        json_write_key(&json, "compile");
        json_write_open(&json, '{');
        write_limits(&json, body, CONTRACT_COMPILE, NULL);
        json_write_close(&json, '}');
    }
    json_write_member(&json, "on_output_limit", "stop");
    json_write_member(&json, "text_errors", "replace");
    json_write_key(&json, "interleave");
    json_write_bool(&json, true);
    json_write_close(&json, '}');
    *ret_language = language;
    return json.failed ? refuse(ret_refusal, "memory is short") : 0;
}
