/*
 * From a command line to a request: what to run (one of the forms below), then its files, then the
 * options that go straight into a field of the request, limits among them.
 *
 *   --request FILE|-      everything from JSON; further options set fields on top of it
 *   -l command -- PROGRAM [ARGS...]
 *   -l LANG -c CODE
 *   FILE or -             language by -l, else by the file's extension or #! line
 */
#include "front/cli/request.h"

#include "front/cli/files.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <string.h>

/* The library refuses what is over its own bounds; these keep a wrong file from filling memory
 * before it can. */
#define REQUEST_MAX ((size_t)192 << 20)
#define CODE_MAX    ((size_t)16 << 20)
#define FILE_MAX    ((size_t)64 << 20)

#define AUTO_BYTES __attribute__((cleanup(file_bytes_done)))

static int take_source(const struct invocation *invocation, struct cella_engine *engine,
                       struct cella_request *request, struct cella_error *err);

static int parse_request_file(const char *path, struct cella_request **ret_request,
                              struct cella_error *err)
{
    AUTO_BYTES struct file_bytes json = {.data = NULL};
    if (file_read(path, REQUEST_MAX, &json, err) < 0) {
        return -1;
    }
    return cella_request_parse(json.data, json.size, ret_request, err);
}

static int no_other_program(const struct invocation *invocation, struct cella_error *err)
{
    if (invocation->operand_count > 0 || invocation->rest_count > 0 ||
        invocation_has(invocation, OPTION_CODE) || invocation_has(invocation, OPTION_LANGUAGE)) {
        return cli_fail(err, CELLA_ERROR_CALLER,
                        "put language, code and arguments into the request itself",
                        "--request says already what to run");
    }
    return 0;
}

static const char *without_dot(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2 + strspn(path + 2, "/");
    }
    return path;
}

/* Whether no part of a path is empty, '.' or '..'. */
static bool is_plain(const char *path)
{
    for (;;) {
        size_t size = strcspn(path, "/");
        if (size == 0 || (path[0] == '.' && (size == 1 || (size == 2 && path[1] == '.')))) {
            return false;
        }
        if (path[size] == '\0') {
            return true;
        }
        path += size + 1;
    }
}

/* What a file is called in the workspace when nobody says: a program finds its files where they lie
 * beside it, or below; what lies elsewhere has its last part for a name.  A program that is no file
 * is at the current directory. */
static const char *name_beside(const struct invocation *invocation, const char *path)
{
    const char *program = invocation->operand_count > 0 ? invocation->operands[0] : "";
    program = without_dot(program);
    path = without_dot(path);
    const char *slash = strrchr(program, '/');
    size_t size = slash != NULL ? (size_t)(slash + 1 - program) : 0;
    if (strncmp(program, path, size) == 0 && is_plain(path + size)) {
        return path + size;
    }
    slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int add_file(const struct invocation *invocation, struct cella_request *request,
                    const char *argument, struct cella_error *err)
{
    AUTO_BYTES struct file_bytes bytes = {.data = NULL};
    const char *equals = strchr(argument, '=');
    const char *path = equals != NULL ? equals + 1 : argument;
    const char *given = equals != NULL ? argument : name_beside(invocation, path);
    size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(given);
    char name[1024];
    if (length >= sizeof(name)) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "--file: the name is too long");
    }
    memcpy(name, given, length);
    name[length] = '\0';
    if (file_read(path, FILE_MAX, &bytes, err) < 0) {
        return -1;
    }
    return cella_request_add_file(request, name, bytes.data, bytes.size,
                                  bytes.executable ? CELLA_FILE_EXECUTABLE : 0, err);
}

/* Who has given --memory may not know that the field is memory_bytes. */
static int name_option(const struct option *option, struct cella_error *err)
{
    char rest[sizeof(err->text)];
    const size_t size = strlen(option->limit.name);
    if (strncmp(err->text, option->limit.name, size) == 0) {
        (void)snprintf(rest, sizeof(rest), "%s", err->text + size);
        (void)snprintf(err->text, sizeof(err->text), "--%s%.360s", option->name, rest);
        err->field[0] = '\0';
    }
    return -1;
}

/* What an option is in the request, by the table. */
static int take_field(const struct invocation *invocation, const struct option *option,
                      const char *value, struct cella_request *request, struct cella_error *err)
{
    char field[64];
    switch (option->use) {
    case OPTION_OWN:
        return option->id == OPTION_FILE ? add_file(invocation, request, value, err) : 0;
    case OPTION_ADDS:
        return cella_request_add(request, option->field, value, err);
    case OPTION_SETS:
        break;
    }
    if (option->id < OPTION_FIXED_COUNT) {
        return cella_request_set(request, option->field, value, err);
    }
    (void)snprintf(field, sizeof(field), "limits.%s", option->limit.name);
    return cella_request_set(request, field, value, err) < 0 ? name_option(option, err) : 0;
}

static int take_fields(const struct invocation *invocation, struct cella_request *request,
                       struct cella_error *err)
{
    struct option option;
    for (size_t i = 0; i < invocation->given_count; i++) {
        const struct given_option *given = &invocation->given[i];
        if (option_at(given->id, &option) &&
            take_field(invocation, &option, given->value, request, err) < 0) {
            return -1;
        }
    }
    return 0;
}

bool cli_passes_stdin(const struct invocation *invocation)
{
    bool is_code = invocation->operand_count == 1 && strcmp(invocation->operands[0], "-") == 0;
    return !is_code && !invocation_has(invocation, OPTION_REQUEST);
}

int cli_request_make(const struct invocation *invocation, struct cella_engine *engine,
                     struct cella_request **ret_request, struct cella_error *err)
{
    const char *file = invocation_value(invocation, OPTION_REQUEST);
    struct cella_request *request = NULL;
    int result;
    if (file != NULL) {
        result = no_other_program(invocation, err);
        if (result == 0) {
            result = parse_request_file(file, &request, err);
        }
    } else {
        result = cella_request_create(&request, err);
        if (result == 0) {
            result = take_source(invocation, engine, request, err);
        }
    }
    if (result == 0) {
        result = take_fields(invocation, request, err);
    }
    if (result < 0) {
        cella_request_destroy(request);
        return -1;
    }
    *ret_request = request;
    return 0;
}

static int take_command_words(const struct invocation *invocation, struct cella_request *request,
                              struct cella_error *err)
{
    if (invocation->operand_count > 0 || invocation_has(invocation, OPTION_CODE) ||
        invocation->rest_count == 0) {
        return cli_fail(err, CELLA_ERROR_CALLER, "cella run -l command -- PROGRAM [ARGS...]",
                        "'-l command' runs the program that is named after --");
    }
    for (size_t i = 0; i < invocation->rest_count; i++) {
        if (cella_request_add(request, "command", invocation->rest[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_file_source(const char *path, const char *language, struct cella_engine *engine,
                            struct cella_request *request, struct cella_error *err)
{
    AUTO_BYTES struct file_bytes code = {.data = NULL};
    char guessed[CELLA_LANGUAGE_NAME_MAX];
    bool named; /* by a name that tells the language, too */
    if (file_read(path, CODE_MAX, &code, err) < 0) {
        return -1;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (language == NULL) {
        if (cella_language_guess(engine, name, code.data, code.size, guessed, err) < 0) {
            return -1;
        }
        language = guessed;
        named = strcmp(path, "-") != 0;
    } else {
        named = cella_language_has_file(engine, language, name) != 0;
    }
    /* Messages of the program then speak of the caller's file.  A name that a workspace cannot have
     * is no reason to refuse: the runtime has one of its own. */
    struct cella_error ignored;
    if (named) {
        (void)cella_request_set(request, "entry", name, &ignored);
    }
    if (cella_request_set(request, "language", language, err) < 0) {
        return -1;
    }
    return cella_request_set_bytes(request, "code", code.data, code.size, err);
}

static int take_source(const struct invocation *invocation, struct cella_engine *engine,
                       struct cella_request *request, struct cella_error *err)
{
    const char *language = invocation_value(invocation, OPTION_LANGUAGE);
    const char *code = invocation_value(invocation, OPTION_CODE);
    if (language != NULL && strcmp(language, "command") == 0) {
        return take_command_words(invocation, request, err);
    }
    if (invocation->operand_count > (code != NULL ? 0U : 1U)) {
        return cli_fail(err, CELLA_ERROR_CALLER, "arguments of the program follow --",
                        "unexpected argument '%s'", invocation->operands[code != NULL ? 0 : 1]);
    }
    if (code == NULL && invocation->operand_count == 0) {
        return cli_fail(err, CELLA_ERROR_CALLER,
                        "give a FILE, - for standard input, or -l LANG -c CODE", "nothing to run");
    }
    if (code != NULL && language == NULL) {
        return cli_fail(err, CELLA_ERROR_CALLER, "cella run -l python -c 'print(6*7)'",
                        "-c needs a language: -l LANG");
    }
    int result = code != NULL
                     ? cella_request_set(request, "language", language, err)
                     : take_file_source(invocation->operands[0], language, engine, request, err);
    if (result == 0 && code != NULL) {
        result = cella_request_set_bytes(request, "code", code, strlen(code), err);
    }
    for (size_t i = 0; i < invocation->rest_count && result == 0; i++) {
        result = cella_request_add(request, "args", invocation->rest[i], err);
    }
    return result;
}
