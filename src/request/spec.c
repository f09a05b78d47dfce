/*
 * The spec: making, filling and checking it (see spec.h).  Its JSON form is in spec_parse.c, the
 * check of the whole in spec_check.c.
 *
 * Every refusal names the field as the JSON form has it, whichever way the value came.
 */
#include "request/spec.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/glob.h"
#include "base/utf8.h"
#include "isolate/pack.h"
#include "request/fields.h"
#include "request/limit_value.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes that several specs may have ---- */

struct shared {
    size_t owners;
    char bytes[]; /* what a struct spec_bytes points to, and a NUL */
};

static struct shared *shared_of(char *data)
{
    return (struct shared *)(void *)(data - offsetof(struct shared, bytes));
}

/* A copy; NULL when memory is short. */
static char *make_bytes(const void *data, size_t size)
{
    struct shared *shared = malloc(sizeof(*shared) + size + 1);
    if (shared == NULL) {
        return NULL;
    }
    shared->owners = 1;
    if (size > 0) {
        memcpy(shared->bytes, data, size);
    }
    shared->bytes[size] = '\0';
    return shared->bytes;
}

static void leave_bytes(const struct spec_bytes *bytes)
{
    if (bytes->data != NULL && --shared_of(bytes->data)->owners == 0) {
        free(shared_of(bytes->data));
    }
}

static void share_bytes(struct spec_bytes *bytes, const struct spec_bytes *from)
{
    shared_of(from->data)->owners++;
    leave_bytes(bytes);
    *bytes = *from;
}

/* ---- making and freeing ---- */

struct spec *spec_create(void)
{
    struct spec *spec = calloc(1, sizeof(*spec));
    if (spec != NULL) {
        limits_init(&spec->limits);
        limits_init(&spec->compile_limits);
    }
    return spec;
}

int spec_strings_add(struct spec_strings *strings, const char *string)
{
    char **items = alloc_grow(strings->items, strings->count, sizeof(*items));
    if (items == NULL) {
        return -1;
    }
    strings->items = items;
    char *copy = alloc_copy(string, strlen(string));
    if (copy == NULL) {
        return -1;
    }
    items[strings->count++] = copy;
    return 0;
}

bool spec_strings_have(const struct spec_strings *strings, const char *string)
{
    size_t i = 0;
    while (i < strings->count && strcmp(strings->items[i], string) != 0) {
        i++;
    }
    return i < strings->count;
}

void spec_strings_done(struct spec_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++) {
        free(strings->items[i]);
    }
    free(strings->items);
    *strings = (struct spec_strings){0};
}

int spec_variables_add(struct spec_variable **variables, size_t *count, const char *name,
                       const char *value)
{
    struct spec_variable *items = alloc_grow(*variables, *count, sizeof(*items));
    if (items == NULL) {
        return -1;
    }
    *variables = items;
    const struct spec_variable copy = {alloc_copy(name, strlen(name)),
                                       alloc_copy(value, strlen(value))};
    if (copy.name == NULL || copy.value == NULL) {
        free(copy.name);
        free(copy.value);
        return -1;
    }
    items[(*count)++] = copy;
    return 0;
}

void spec_variables_free(struct spec_variable *variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(variables[i].name);
        free(variables[i].value);
    }
    free(variables);
}

void spec_destroy(struct spec *spec)
{
    if (spec == NULL) {
        return;
    }
    free(spec->language);
    spec_strings_done(&spec->command);
    leave_bytes(&spec->code);
    free(spec->entry);
    for (size_t i = 0; i < spec->file_count; i++) {
        free(spec->files[i].path);
        leave_bytes(&spec->files[i].content);
    }
    free(spec->files);
    spec_strings_done(&spec->args);
    spec_variables_free(spec->env, spec->env_count);
    leave_bytes(&spec->stdin_bytes);
    free(spec->policy);
    spec_strings_done(&spec->compile_args);
    spec_strings_done(&spec->network_allow);
    spec_strings_done(&spec->collect);
    free(spec->tag);
    free(spec->tenant);
    free(spec);
}

/* ---- refusing ---- */

/* "<field> <problem>", with the field.  Returns -1. */
static int refuse(struct cella_error *err, const char *field, const char *problem)
{
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s %s", field, problem);
    return error_set_field(err, "%s", field);
}

static int refuse_item(struct cella_error *err, const char *field, size_t index, const char *member,
                       const char *problem)
{
    char path[sizeof(err->field)];
    (void)snprintf(path, sizeof(path), "%s[%zu]%s", field, index, member); /* always fits */
    return refuse(err, path, problem);
}

static int refuse_many(struct cella_error *err, const char *field, size_t max, const char *what)
{
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s may have at most %zu %s", field, max, what);
    return error_set_field(err, "%s", field);
}

/* ---- single texts ---- */

/* A name or mark: it will stand in messages, logs and results. */
static const char *name_problem(const char *text, size_t max)
{
    size_t size = strlen(text);
    if (size == 0) {
        return "is empty";
    }
    if (size > max) {
        return "is too long";
    }
    return utf8_problem(text, size);
}

static int set_text(char **field, const char *text, struct cella_error *err)
{
    char *copy = alloc_copy(text, strlen(text));
    if (copy == NULL) {
        return error_set_memory(err);
    }
    free(*field);
    *field = copy;
    return 0;
}

static int set_name(char **field, const char *field_name, const char *text, size_t max,
                    struct cella_error *err)
{
    const char *problem = name_problem(text, max);
    if (problem == NULL) {
        return set_text(field, text, err);
    }
    (void)refuse(err, field_name, problem);
    if (strlen(text) > max) {
        (void)error_set_hint(err, "at most %zu bytes are allowed", max);
    }
    return -1;
}

/* A name that will be looked up as a file's: it may not lead anywhere else. */
static int set_file_name(char **field, const char *field_name, const char *text,
                         struct cella_error *err)
{
    if (strchr(text, '/') != NULL || text[0] == '.') {
        return refuse(err, field_name, "contains a slash or begins with a dot");
    }
    return set_name(field, field_name, text, SPEC_NAME_MAX, err);
}

int spec_set_language(struct spec *spec, const char *language, struct cella_error *err)
{
    return set_file_name(&spec->language, "language", language, err);
}

int spec_set_policy(struct spec *spec, const char *policy, struct cella_error *err)
{
    return set_file_name(&spec->policy, "policy", policy, err);
}

int spec_set_tenant(struct spec *spec, const char *tenant, struct cella_error *err)
{
    return set_name(&spec->tenant, "tenant", tenant, SPEC_NAME_MAX, err);
}

int spec_set_tag(struct spec *spec, const char *tag, struct cella_error *err)
{
    return set_name(&spec->tag, "tag", tag, SPEC_TAG_MAX, err);
}

int spec_set_entry(struct spec *spec, const char *entry, struct cella_error *err)
{
    const char *problem = pack_path_problem(entry, strlen(entry));
    return problem != NULL ? refuse(err, "entry", problem) : set_text(&spec->entry, entry, err);
}

/* ---- bytes ---- */

static int set_bytes(struct spec_bytes *bytes, const char *field, const void *data, size_t size,
                     size_t max, struct cella_error *err)
{
    if (size > max) {
        return refuse_many(err, field, max, "bytes");
    }
    char *copy = make_bytes(data, size);
    if (copy == NULL) {
        return error_set_memory(err);
    }
    leave_bytes(bytes);
    *bytes = (struct spec_bytes){copy, size};
    return 0;
}

int spec_set_code(struct spec *spec, const void *data, size_t size, struct cella_error *err)
{
    return set_bytes(&spec->code, "code", data, size, SPEC_CODE_MAX, err);
}

int spec_set_stdin(struct spec *spec, const void *data, size_t size, struct cella_error *err)
{
    return set_bytes(&spec->stdin_bytes, "stdin", data, size, SPEC_STDIN_MAX, err);
}

/* ---- lists of words ---- */

static size_t strings_bytes(const struct spec_strings *strings)
{
    size_t bytes = 0;
    for (size_t i = 0; i < strings->count; i++) {
        bytes += strlen(strings->items[i]) + 1; /* with its NUL, as the kernel counts argv */
    }
    return bytes;
}

static int add_word(struct spec_strings *words, const char *field, const char *word,
                    struct cella_error *err)
{
    size_t size = strlen(word);
    if (words->count == SPEC_ARGS_MAX) {
        return refuse_many(err, field, SPEC_ARGS_MAX, "items");
    }
    if (size >= SPEC_ARGS_BYTES_MAX || strings_bytes(words) + size + 1 > SPEC_ARGS_BYTES_MAX) {
        return refuse_many(err, field, SPEC_ARGS_BYTES_MAX, "bytes in all");
    }
    if (!utf8_is_valid(word, size)) {
        return refuse_item(err, field, words->count, "", "is not valid UTF-8");
    }
    return spec_strings_add(words, word) < 0 ? error_set_memory(err) : 0;
}

int spec_add_command_word(struct spec *spec, const char *word, struct cella_error *err)
{
    if (spec->command.count == 0 && word[0] == '\0') {
        return refuse(err, "command[0]", "is empty: it is the program");
    }
    return add_word(&spec->command, "command", word, err);
}

int spec_add_arg(struct spec *spec, const char *arg, struct cella_error *err)
{
    return add_word(&spec->args, "args", arg, err);
}

int spec_add_compile_arg(struct spec *spec, const char *arg, struct cella_error *err)
{
    return add_word(&spec->compile_args, "compile.args", arg, err);
}

_Static_assert(SPEC_GLOB_MAX == 255, "the text below says 255");

int spec_add_collect(struct spec *spec, const char *glob, struct cella_error *err)
{
    size_t index = spec->collect.count;
    if (index == SPEC_COLLECT_MAX) {
        return refuse_many(err, "collect", SPEC_COLLECT_MAX, "patterns");
    }
    size_t size = strlen(glob);
    const char *problem =
        size > SPEC_GLOB_MAX ? "is longer than 255 bytes" : glob_problem(glob, size);
    if (problem != NULL) {
        return refuse_item(err, "collect", index, "", problem);
    }
    return spec_strings_add(&spec->collect, glob) < 0 ? error_set_memory(err) : 0;
}

/* ---- environment ---- */

static const char *variable_problem(const struct spec *spec, const char *name, const char *value)
{
    if (name[0] == '\0') {
        return "has an empty name";
    }
    if (strchr(name, '=') != NULL) {
        return "has a name with '=' in it";
    }
    if (name_problem(name, SPEC_ENV_BYTES_MAX) != NULL) {
        return "has a name that is too long, not UTF-8 or with control characters";
    }
    if (!utf8_is_valid(value, strlen(value))) {
        return "has a value that is not valid UTF-8";
    }
    for (size_t i = 0; i < spec->env_count; i++) {
        if (strcmp(spec->env[i].name, name) == 0) {
            return "is given twice";
        }
    }
    return NULL;
}

int spec_add_env(struct spec *spec, const char *name, const char *value, struct cella_error *err)
{
    const char *problem = variable_problem(spec, name, value);
    if (problem != NULL) {
        char field[sizeof(err->field)];
        (void)snprintf(field, sizeof(field), "env.%s", name); /* a cut is fine */
        return refuse(err, field, problem);
    }
    if (spec->env_count == SPEC_ENV_MAX) {
        return refuse_many(err, "env", SPEC_ENV_MAX, "variables");
    }
    size_t bytes = strlen(name) + strlen(value) + 2; /* "NAME=value" and a NUL */
    for (size_t i = 0; i < spec->env_count; i++) {
        bytes += strlen(spec->env[i].name) + strlen(spec->env[i].value) + 2;
    }
    if (bytes > SPEC_ENV_BYTES_MAX) {
        return refuse_many(err, "env", SPEC_ENV_BYTES_MAX, "bytes in all");
    }
    return spec_variables_add(&spec->env, &spec->env_count, name, value) < 0 ? error_set_memory(err)
                                                                             : 0;
}

/* ---- files ---- */

int spec_add_file(struct spec *spec, const char *path, const void *data, size_t size,
                  bool executable, struct cella_error *err)
{
    if (spec->file_count == SPEC_FILES_MAX) {
        return refuse_many(err, "files", SPEC_FILES_MAX, "files");
    }
    const char *problem = pack_path_problem(path, strlen(path));
    if (problem != NULL) {
        return refuse_item(err, "files", spec->file_count, ".path", problem);
    }
    size_t bytes = 0;
    for (size_t i = 0; i < spec->file_count; i++) {
        bytes += spec->files[i].content.size;
    }
    if (size > SPEC_FILES_BYTES_MAX - bytes) {
        return refuse_many(err, "files", SPEC_FILES_BYTES_MAX, "bytes in all");
    }
    struct spec_file *files = alloc_grow(spec->files, spec->file_count, sizeof(*files));
    if (files == NULL) {
        return error_set_memory(err);
    }
    spec->files = files;
    struct spec_file file = {.path = alloc_copy(path, strlen(path)),
                             .content = {make_bytes(data, size), size},
                             .executable = executable};
    if (file.path == NULL || file.content.data == NULL) {
        free(file.path);
        leave_bytes(&file.content);
        return error_set_memory(err);
    }
    files[spec->file_count++] = file;
    return 0;
}

int spec_share_contents(struct spec *spec, const struct spec *from, struct cella_error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < from->file_count; i++) {
        if (i >= spec->file_count || strcmp(spec->files[i].path, from->files[i].path) != 0) {
            return error_set(err, CELLA_ERROR_CALLER, 0, "the requests do not have the same files");
        }
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct spec_file *file = i < from->file_count ? &from->files[i] : &spec->files[i];
        bytes += file->content.size;
    }
    if (bytes > SPEC_FILES_BYTES_MAX) {
        return refuse_many(err, "files", SPEC_FILES_BYTES_MAX, "bytes in all");
    }
    if (spec->code.data != NULL && from->code.data != NULL) {
        share_bytes(&spec->code, &from->code);
    }
    for (size_t i = 0; i < from->file_count; i++) {
        share_bytes(&spec->files[i].content, &from->files[i].content);
    }
    return 0;
}

/* ---- limits and choices ---- */

static int set_limit(struct limits *limits, const char *prefix, enum limit limit, const char *text,
                     struct cella_error *err)
{
    /* A bare number is milliseconds in a request; who writes one as text means seconds. */
    const bool no_unit = limit_table[limit].unit == UNIT_TIME && text[0] != '\0' &&
                         strspn(text, "0123456789.") == strlen(text);
    const char *problem =
        no_unit ? "has no unit" : limit_value_from_text(limit, text, &limits->value[limit]);
    if (problem == NULL) {
        return 0;
    }
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s '%s' %s", limit_table[limit].name, text,
                    problem);
    if (no_unit) {
        (void)error_set_hint(err, "10s is ten seconds, 10ms are milliseconds");
    }
    return error_set_field(err, "%s%s", prefix, limit_table[limit].name);
}

int spec_set_limit(struct spec *spec, enum limit limit, const char *text, struct cella_error *err)
{
    return set_limit(&spec->limits, "limits.", limit, text, err);
}

int spec_set_compile_limit(struct spec *spec, enum limit limit, const char *text,
                           struct cella_error *err)
{
    return set_limit(&spec->compile_limits, "compile.limits.", limit, text, err);
}

/* The value of that word, or -1 with the error. */
static int choose(const struct request_choice choices[REQUEST_CHOICES], const char *field,
                  const char *word, struct cella_error *err)
{
    int value = request_choice_value(choices, word);
    if (value < 0) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s must be '%s' or '%s'", field,
                        choices[0].word, choices[1].word);
        return error_set_field(err, "%s", field);
    }
    return value;
}

int spec_set_network(struct spec *spec, const char *mode, struct cella_error *err)
{
    int network = choose(request_networks, "network", mode, err);
    if (network < 0) {
        return -1;
    }
    spec_strings_done(&spec->network_allow);
    spec->network = (enum spec_network)network;
    return 0;
}

int spec_set_on_output_limit(struct spec *spec, const char *what, struct cella_error *err)
{
    int value = choose(request_output_limits, "on_output_limit", what, err);
    if (value < 0) {
        return -1;
    }
    spec->on_output_limit = (enum spec_on_output_limit)value;
    return 0;
}

int spec_set_text_errors(struct spec *spec, const char *what, struct cella_error *err)
{
    int value = choose(request_text_errors, "text_errors", what, err);
    if (value < 0) {
        return -1;
    }
    spec->text_errors = (enum spec_text_errors)value;
    return 0;
}

static const char *host_port_problem(const char *host_port)
{
    const char *problem = name_problem(host_port, SPEC_GLOB_MAX);
    if (problem != NULL) {
        return problem;
    }
    const char *colon = strrchr(host_port, ':');
    uint64_t port = 0;
    if (colon == NULL || colon == host_port || units_parse_count(colon + 1, &port) != NULL ||
        port == 0 || port > UINT16_MAX) {
        return "must be host:port";
    }
    return NULL;
}

int spec_add_network_allow(struct spec *spec, const char *host_port, struct cella_error *err)
{
    size_t index = spec->network_allow.count;
    if (index == SPEC_NETWORK_ALLOW_MAX) {
        return refuse_many(err, "network.allow", SPEC_NETWORK_ALLOW_MAX, "items");
    }
    const char *problem = host_port_problem(host_port);
    if (problem != NULL) {
        return refuse_item(err, "network.allow", index, "", problem);
    }
    if (spec_strings_add(&spec->network_allow, host_port) < 0) {
        return error_set_memory(err);
    }
    spec->network = SPEC_NETWORK_ALLOW;
    return 0;
}
