/*
 * `cella completion SHELL`: completion scripts for bash, zsh and fish, from the tables of commands
 * and options.  Names of languages and policies are asked of the program when they are needed.
 */
#include "front/cli/options.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <string.h>

static bool takes(const struct option *option, enum command command)
{
    return (option->commands & (1U << (unsigned)command)) != 0;
}

/* Text within single quotes, for every shell here; zsh takes [ ] : in a description as its own. */
static void print_quoted(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
        } else if (strchr(special, *text) != NULL) {
            (void)printf("\\%c", *text);
        } else {
            (void)putchar(*text);
        }
    }
}

static void print_command_names(void)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("%s%s", command > 0 ? " " : "", command_table[command].name);
    }
}

/* The words of bash's case that lead to one kind of completion: "--file|-f". */
static void bash_case(enum completion completion, const char *action)
{
    struct option option;
    const char *separator = "        ";
    for (size_t i = 0; option_at(i, &option); i++) {
        if (option.argument == NULL || option.completion != completion) {
            continue;
        }
        (void)printf("%s--%s", separator, option.name);
        separator = "|";
        if (option.short_name != '\0') {
            (void)printf("|-%c", option.short_name);
        }
    }
    (void)printf(") %s; return ;;\n", action);
}

static void print_bash(void)
{
    struct option option;
    (void)printf(
        "# bash completion for cella, made by 'cella completion bash'\n"
        "_cella() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local options=''\n"
        "    COMPREPLY=()\n"
        "    if (( COMP_CWORD == 1 )); then\n"
        "        COMPREPLY=($(compgen -W '");
    print_command_names();
    (void)printf("' -- \"$current\"))\n        return\n    fi\n    case $previous in\n");
    bash_case(COMPLETE_FILE, "COMPREPLY=($(compgen -f -- \"$current\"))");
    bash_case(COMPLETE_DIRECTORY, "COMPREPLY=($(compgen -d -- \"$current\"))");
    bash_case(COMPLETE_LANGUAGE,
              "COMPREPLY=($(compgen -W \"command $(cella languages --names 2>/dev/null)\" -- "
              "\"$current\"))");
    bash_case(COMPLETE_POLICY,
              "COMPREPLY=($(compgen -W \"$(cella policy list --names 2>/dev/null)\" -- "
              "\"$current\"))");
    bash_case(COMPLETE_NONE, ":");
    (void)printf("    esac\n    case ${COMP_WORDS[1]} in\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("        %s) options='", command_table[command].name);
        for (size_t i = 0; option_at(i, &option); i++) {
            if (takes(&option, command)) {
                (void)printf("--%s ", option.name);
            }
        }
        (void)printf("' ;;\n");
    }
    (void)printf("    esac\n"
                 "    case ${COMP_WORDS[1]}:$current in\n"
                 "        *:-*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
                 "        completion:*) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$current\")) "
                 ";;\n"
                 "        help:*) COMPREPLY=($(compgen -W '");
    print_command_names();
    (void)printf("' -- \"$current\")) ;;\n"
                 "        languages:*) if (( COMP_CWORD == 2 )); then COMPREPLY=($(compgen -W "
                 "check -- \"$current\")); else COMPREPLY=($(compgen -f -- \"$current\")); fi ;;\n"
                 "        policy:*) COMPREPLY=($(compgen -W 'list check show test' -- "
                 "\"$current\") $(compgen -W \"$(cella policy list --names 2>/dev/null)\" -- "
                 "\"$current\") $(compgen -f -- \"$current\")) ;;\n"
                 "        run:*|explain:*) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
                 "    esac\n"
                 "}\n"
                 "complete -o filenames -F _cella cella\n");
}

static void zsh_option(const struct option *option)
{
    static const char *const actions[] = {
        [COMPLETE_NONE] = " ",
        [COMPLETE_FILE] = "_files",
        [COMPLETE_DIRECTORY] = "_files -/",
        [COMPLETE_LANGUAGE] = "(command ${(f)\"$(cella languages --names 2>/dev/null)\"})",
        [COMPLETE_POLICY] = "(${(f)\"$(cella policy list --names 2>/dev/null)\"})",
    };
    const char *names[2] = {"", ""};
    char short_text[3] = "";
    char long_text[80];
    (void)snprintf(long_text, sizeof(long_text), "--%s", option->name);
    names[0] = long_text;
    if (option->short_name != '\0') {
        (void)snprintf(short_text, sizeof(short_text), "-%c", option->short_name);
        names[1] = short_text;
    }
    for (size_t i = 0; i < 2 && names[i][0] != '\0'; i++) {
        (void)printf(" \\\n                '*%s[", names[i]);
        print_quoted(option->help, "[]:\\");
        (void)putchar(']');
        if (option->argument != NULL) {
            (void)putchar(':');
            print_quoted(option->argument, "[]:\\");
            (void)printf(":%s", actions[option->completion]);
        }
        (void)putchar('\'');
    }
}

static void print_zsh(void)
{
    struct option option;
    (void)printf("#compdef cella\n# zsh completion for cella, made by 'cella completion zsh'\n"
                 "_cella() {\n"
                 "    local -a commands\n"
                 "    commands=(\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("        '%s:", command_table[command].name);
        print_quoted(command_table[command].summary, ":\\");
        (void)printf("'\n");
    }
    (void)printf("    )\n"
                 "    if (( CURRENT == 2 )); then\n"
                 "        _describe command commands\n"
                 "        return\n"
                 "    fi\n"
                 "    local command=$words[2]\n"
                 "    shift words\n"
                 "    (( CURRENT-- ))\n"
                 "    case $command in\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("        %s)\n            _arguments -s", command_table[command].name);
        for (size_t i = 0; option_at(i, &option); i++) {
            if (takes(&option, command)) {
                zsh_option(&option);
            }
        }
        if (command == COMMAND_RUN || command == COMMAND_EXPLAIN) {
            (void)printf(" \\\n                '*:file:_files'");
        } else if (command == COMMAND_LANGUAGES) {
            (void)printf(" \\\n                '1:action:(check)' '2:file:_files'");
        } else if (command == COMMAND_POLICY) {
            (void)printf(" \\\n                '1:action:(list check show test)'"
                         " \\\n                '*:file:_files'");
        } else if (command == COMMAND_COMPLETION) {
            (void)printf(" \\\n                '1:shell:(bash zsh fish)'");
        } else if (command == COMMAND_HELP) {
            (void)printf(" \\\n                '1:command:(");
            print_command_names();
            (void)printf(")'");
        }
        (void)printf(" ;;\n");
    }
    (void)printf("    esac\n}\n"
                 "if [[ $funcstack[1] == _cella ]]; then\n    _cella \"$@\"\n"
                 "else\n    compdef _cella cella\nfi\n");
}

static void fish_option(const struct option *option)
{
    static const char *const actions[] = {
        [COMPLETE_NONE] = " -x",
        [COMPLETE_FILE] = " -r -F",
        [COMPLETE_DIRECTORY] = " -x -a '(__fish_complete_directories)'",
        [COMPLETE_LANGUAGE] = " -x -a 'command (cella languages --names 2>/dev/null)'",
        [COMPLETE_POLICY] = " -x -a '(cella policy list --names 2>/dev/null)'",
    };
    (void)printf("complete -c cella -n '__fish_seen_subcommand_from");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (takes(option, command)) {
            (void)printf(" %s", command_table[command].name);
        }
    }
    (void)printf("' -l %s", option->name);
    if (option->short_name != '\0') {
        (void)printf(" -s %c", option->short_name);
    }
    if (option->argument != NULL) {
        (void)fputs(actions[option->completion], stdout);
    }
    (void)printf(" -d '");
    print_quoted(option->help, "\\");
    (void)printf("'\n");
}

static void print_fish(void)
{
    struct option option;
    (void)printf("# fish completion for cella, made by 'cella completion fish'\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf("complete -c cella -n __fish_use_subcommand -f -a %s -d '",
                     command_table[command].name);
        print_quoted(command_table[command].summary, "\\");
        (void)printf("'\n");
    }
    (void)printf("complete -c cella -n '__fish_seen_subcommand_from completion' -f "
                 "-a 'bash zsh fish'\n"
                 "complete -c cella -n '__fish_seen_subcommand_from languages' -a check\n"
                 "complete -c cella -n '__fish_seen_subcommand_from help' -f -a '");
    print_command_names();
    (void)printf("'\n"
                 "complete -c cella -n '__fish_seen_subcommand_from policy' "
                 "-a 'list check show test (cella policy list --names 2>/dev/null)'\n");
    for (size_t i = 0; option_at(i, &option); i++) {
        fish_option(&option);
    }
}

int command_completion(const struct invocation *invocation)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    const char *wanted = invocation->operand_count == 1 ? invocation->operands[0] : "";
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(wanted, shells[i].name) == 0) {
            shells[i].print();
            return 0;
        }
    }
    struct cella_error err;
    (void)cli_fail(&err, CELLA_ERROR_CALLER, "cella completion bash|zsh|fish",
                   "there is completion for bash, zsh and fish");
    return report_error(&err);
}
