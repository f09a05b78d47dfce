/*
 * `cella help` and --help, from the tables of commands and options.
 */
#include "front/cli/manual.h"
#include "front/cli/options.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 28 /* where the help of an option begins */

static void print_overview(void)
{
    (void)printf("Cella runs code nobody vouches for, and says exactly what it did.\n\n"
                 "Usage: cella COMMAND [OPTIONS]\n\nCommands:\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("  %-12s %s\n", command_table[command].name, command_table[command].summary);
    }
    (void)printf("\nExamples:\n"
                 "  cella run -l python -c 'print(6*7)'\n"
                 "  cella run --time 2s --memory 128m solve.py < input.txt\n"
                 "  cella run -l command -- /bin/ls -l\n\n"
                 "'cella help COMMAND' says more, and 'man cella' everything.\n");
}

static void print_option(const struct option *option)
{
    char short_text[8] = "    ";
    char left[96];
    char variable[OPTION_VARIABLE_SIZE];
    if (option->short_name != '\0') {
        (void)snprintf(short_text, sizeof(short_text), "-%c, ", option->short_name);
    }
    (void)snprintf(left, sizeof(left), "  %s--%s%s%s", short_text, option->name,
                   option->argument != NULL ? " " : "",
                   option->argument != NULL ? option->argument : "");
    if (strlen(left) >= COLUMN) {
        (void)printf("%s\n%*s", left, COLUMN, "");
    } else {
        (void)printf("%-*s", COLUMN, left);
    }
    (void)printf("%s", option->help);
    if (option->limit.default_value[0] != '\0') {
        (void)printf(" (%s)", option->limit.default_value);
    }
    if (option_variable(option, variable)) {
        (void)printf(" [%s]", variable);
    }
    (void)putchar('\n');
}

static void print_command(enum command command)
{
    const struct command_info *info = &command_table[command];
    struct option option;
    bool limits_begun = false;
    (void)printf("Usage: cella %s [OPTIONS]%s%s\n\n%s\n\nOptions:\n", info->name,
                 info->operands[0] != '\0' ? " " : "", info->operands, info->summary);
    for (size_t i = 0; option_at(i, &option); i++) {
        if (!(option.commands & (1U << (unsigned)command))) {
            continue;
        }
        if (option.id >= OPTION_FIXED_COUNT && !limits_begun) {
            (void)printf("\nLimits, within what the policy allows (10s, 1m30s; 256m, 1g; default "
                         "in brackets):\n");
            limits_begun = true;
        }
        print_option(&option);
    }
    if (command == COMMAND_RUN) {
        size_t count;
        const struct manual_row *codes = manual_exit_codes(&count);
        (void)printf("\nExit code:\n");
        for (size_t i = 0; i < count; i++) {
            (void)printf("  %-15s %s\n", codes[i].term, codes[i].text);
        }
    }
}

/* Serves --help of every command, too: then `command` is that command. */
int command_help(const struct invocation *invocation)
{
    if (invocation->command != COMMAND_HELP) {
        print_command(invocation->command);
        return 0;
    }
    if (invocation->operand_count == 0) {
        print_overview();
        return 0;
    }
    const char *names[COMMAND_COUNT];
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        names[command] = command_table[command].name;
        if (strcmp(invocation->operands[0], names[command]) == 0) {
            print_command(command);
            return 0;
        }
    }
    struct cella_error err;
    const char *closest = cella_closest_name(invocation->operands[0], names, COMMAND_COUNT);
    (void)cli_fail(&err, CELLA_ERROR_CALLER, "'cella help' lists the commands",
                   "unknown command '%s'", invocation->operands[0]);
    if (closest != NULL) {
        (void)snprintf(err.hint, sizeof(err.hint), "did you mean 'cella help %s'?", closest);
    }
    return report_error(&err);
}
