/*
 * Taking a command line apart by the tables of options.h.  Options and operands may come in any
 * order up to "--"; what follows "--" is the program's.
 */
#include "front/cli/options.h"

#include "front/cli/report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_ROW(id, name, operands, summary) {#name, operands, summary, command_##name},
const struct command_info command_table[COMMAND_COUNT] = {COMMANDS(COMMAND_ROW)};

#define OPTION_ROW(id_, name_, short_, argument_, completion_, commands_, use_, field_, help_)     \
    {.id = OPTION_##id_,                                                                           \
     .name = (name_),                                                                              \
     .argument = (argument_),                                                                      \
     .help = (help_),                                                                              \
     .commands = (commands_),                                                                      \
     .completion = COMPLETE_##completion_,                                                         \
     .use = (use_),                                                                                \
     .short_name = (short_),                                                                       \
     .field = (field_)},
static const struct option fixed_options[OPTION_FIXED_COUNT] = {OPTIONS(OPTION_ROW)};

#define NAMES_MAX 64 /* commands or options, for finding the closest one */

static int take_command(const char *word, enum command *ret_command, struct cella_error *err);
static int take_long(struct invocation *invocation, int argc, char *const *argv, int *index,
                     struct cella_error *err);
static int take_short(struct invocation *invocation, int argc, char *const *argv, int *index,
                      struct cella_error *err);

/* How many operands the others take is for them to say. */
static int check_operands(const struct invocation *invocation, struct cella_error *err)
{
    const struct command_info *command = &command_table[invocation->command];
    const char *first = invocation->operand_count > 0 ? invocation->operands[0]
                        : invocation->rest_count > 0  ? invocation->rest[0]
                                                      : NULL;
    if (command->operands[0] != '\0' || first == NULL) {
        return 0;
    }
    return cli_fail(err, CELLA_ERROR_CALLER, NULL, "'cella %s' takes no argument '%s'",
                    command->name, first);
}

int invocation_parse(int argc, char *const *argv, struct invocation *ret_invocation,
                     struct cella_error *err)
{
    if (argc < 2) {
        return cli_fail(err, CELLA_ERROR_CALLER, "cella help", "no command given");
    }
    struct invocation invocation = {.command = COMMAND_HELP};
    if (take_command(argv[1], &invocation.command, err) < 0) {
        return -1;
    }
    /* A bundle of switches ("-qh") gives more options than words, but never more than letters. */
    size_t room = 0;
    for (int i = 2; i < argc; i++) {
        room += strlen(argv[i]) + 1;
    }
    invocation.given = calloc(room + 1, sizeof(*invocation.given));
    invocation.operands = calloc((size_t)argc, sizeof(*invocation.operands));
    if (invocation.given == NULL || invocation.operands == NULL) {
        invocation_done(&invocation);
        return cli_fail(err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    int result = 0;
    for (int i = 2; i < argc && result == 0; i++) {
        if (strcmp(argv[i], "--") == 0) {
            invocation.rest = argv + i + 1;
            invocation.rest_count = (size_t)(argc - i - 1);
            break;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            result = take_long(&invocation, argc, argv, &i, err);
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            result = take_short(&invocation, argc, argv, &i, err);
        } else {
            invocation.operands[invocation.operand_count++] = argv[i];
        }
    }
    if (result == 0) {
        result = check_operands(&invocation, err);
    }
    if (result < 0) {
        invocation_done(&invocation);
        return -1;
    }
    *ret_invocation = invocation;
    return 0;
}

void invocation_done(struct invocation *invocation)
{
    free(invocation->given);
    free(invocation->operands);
    *invocation = (struct invocation){.command = COMMAND_HELP};
}

bool option_at(size_t index, struct option *ret_option)
{
    if (index < OPTION_FIXED_COUNT) {
        *ret_option = fixed_options[index];
        return true;
    }
    struct cella_limit limit;
    if (!cella_limit(index - OPTION_FIXED_COUNT, &limit)) {
        return false;
    }
    *ret_option = (struct option){
        .id = index,
        .name = limit.flag,
        .argument = limit.argument,
        .help = limit.help,
        .commands = ON_PLANS,
        .use = OPTION_SETS,
        .field = "",
        .limit = limit,
    };
    return true;
}

bool invocation_has(const struct invocation *invocation, enum option_id id)
{
    for (size_t i = 0; i < invocation->given_count; i++) {
        if (invocation->given[i].id == (size_t)id) {
            return true;
        }
    }
    return false;
}

const char *invocation_value(const struct invocation *invocation, enum option_id id)
{
    const char *value = NULL;
    for (size_t i = 0; i < invocation->given_count; i++) {
        if (invocation->given[i].id == (size_t)id) {
            value = invocation->given[i].value;
        }
    }
    return value;
}

bool option_variable(const struct option *option, char ret_name[OPTION_VARIABLE_SIZE])
{
    if ((option->commands & ON(SERVE)) == 0 || option->argument == NULL) {
        return false;
    }
    (void)snprintf(ret_name, OPTION_VARIABLE_SIZE, "CELLA_%s", option->name);
    for (char *at = ret_name; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
        if (*at == '-') {
            *at = '_';
        }
    }
    return true;
}

static int take_command(const char *word, enum command *ret_command, struct cella_error *err)
{
    const char *names[COMMAND_COUNT];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        *ret_command = COMMAND_VERSION;
        return 0;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        *ret_command = COMMAND_HELP;
        return 0;
    }
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        names[command] = command_table[command].name;
        if (strcmp(word, names[command]) == 0) {
            *ret_command = command;
            return 0;
        }
    }
    const char *closest = cella_closest_name(word, names, COMMAND_COUNT);
    char hint[sizeof(err->hint)] = "'cella help' lists the commands";
    if (closest != NULL) {
        (void)snprintf(hint, sizeof(hint), "did you mean 'cella %s'?", closest);
    }
    return cli_fail(err, CELLA_ERROR_CALLER, hint, "unknown command '%s'", word);
}

static int unknown_option(const struct invocation *invocation, const char *name,
                          struct cella_error *err)
{
    struct option option;
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; option_at(i, &option) && count < NAMES_MAX; i++) {
        if (option.commands & (1U << (unsigned)invocation->command)) {
            names[count++] = option.name;
        }
    }
    const char *command = command_table[invocation->command].name;
    const char *closest = cella_closest_name(name, names, count);
    char hint[sizeof(err->hint)];
    if (closest != NULL) {
        (void)snprintf(hint, sizeof(hint), "did you mean --%s?", closest);
    } else {
        (void)snprintf(hint, sizeof(hint), "'cella help %s' lists its options", command);
    }
    return cli_fail(err, CELLA_ERROR_CALLER, hint, "'cella %s' has no option --%s", command, name);
}

static void give(struct invocation *invocation, size_t id, const char *value)
{
    invocation->given[invocation->given_count++] = (struct given_option){id, value};
}

/* The argument of an option: what is attached to it, else the next word. */
static int take_argument(int argc, char *const *argv, int *index, const char *attached,
                         const char *option_text, const struct option *option,
                         const char **ret_value, struct cella_error *err)
{
    if (attached != NULL) {
        *ret_value = attached;
        return 0;
    }
    /* Limits have no values that look like an option: it is one, and the value is missing. */
    if (*index + 1 >= argc || (option->id >= OPTION_FIXED_COUNT && argv[*index + 1][0] == '-' &&
                               strspn(argv[*index + 1] + 1, "0123456789.") == 0)) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "%s needs a value: %s", option_text,
                        option->argument);
    }
    *index += 1;
    *ret_value = argv[*index];
    return 0;
}

static int take_long(struct invocation *invocation, int argc, char *const *argv, int *index,
                     struct cella_error *err)
{
    const char *name = argv[*index] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    char text[64]; /* longer than any option, so what is cut is unknown anyway */
    (void)snprintf(text, sizeof(text), "--%.*s", (int)(length < 60 ? length : 60), name);

    struct option option;
    for (size_t i = 0; option_at(i, &option); i++) {
        if (strcmp(option.name, text + 2) != 0 ||
            !(option.commands & (1U << (unsigned)invocation->command))) {
            continue;
        }
        const char *value = NULL;
        if (option.argument == NULL && equals != NULL) {
            return cli_fail(err, CELLA_ERROR_CALLER, NULL, "%s takes no value", text);
        }
        if (option.argument != NULL &&
            take_argument(argc, argv, index, equals != NULL ? equals + 1 : NULL, text, &option,
                          &value, err) < 0) {
            return -1;
        }
        give(invocation, option.id, value);
        return 0;
    }
    return unknown_option(invocation, text + 2, err);
}

static bool find_short(enum command command, char letter, struct option *ret_option)
{
    struct option option;
    for (size_t i = 0; option_at(i, &option); i++) {
        if (option.short_name == letter && (option.commands & (1U << (unsigned)command))) {
            *ret_option = option;
            return true;
        }
    }
    return false;
}

/* Switches may be bundled; the first option with an argument takes what is left of the word. */
static int take_short(struct invocation *invocation, int argc, char *const *argv, int *index,
                      struct cella_error *err)
{
    for (const char *letter = argv[*index] + 1; *letter != '\0'; letter++) {
        struct option option;
        char text[] = {'-', *letter, '\0'};
        if (!find_short(invocation->command, *letter, &option)) {
            return cli_fail(err, CELLA_ERROR_CALLER, "arguments of the program follow --",
                            "'cella %s' has no option -%c", command_table[invocation->command].name,
                            *letter);
        }
        if (option.argument == NULL) {
            give(invocation, option.id, NULL);
            continue;
        }
        const char *value = NULL;
        if (take_argument(argc, argv, index, letter[1] != '\0' ? letter + 1 : NULL, text, &option,
                          &value, err) < 0) {
            return -1;
        }
        give(invocation, option.id, value);
        return 0;
    }
    return 0;
}
