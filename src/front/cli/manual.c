/*
 * `cella manual`: the manual page, man/cella.1, as man(7) text.  Commands, options and limits come
 * from their tables; the tables here say what those cannot.
 */
#include "front/cli/manual.h"

#include "front/cli/options.h"

#include <stdio.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct manual_row exit_codes[] = {
    {"0 to 255", "the program's own, when it ended by itself"},
    {"128 + number", "a signal ended the program"},
    {"1", "the compiler refused the program; its words are on standard error"},
    {"123", "the limit on processes, output, file size or disk was hit"},
    {"124", "the limit on time or processor time was hit"},
    {"125", "Cella failed, or could not enforce the limits and protections"},
    {"126", "refused: a bad request, or against the policy"},
    {"127", "the language is unknown, or its interpreter is not installed"},
    {"130", "cancelled, by Ctrl-C for one"},
    {"137", "the limit on memory was hit"},
};

static const struct manual_row environment[] = {
    {"NO_COLOR", "when set and not empty, nothing is coloured"},
    {"TERM", "when not set or 'dumb', nothing is coloured"},
    {"XDG_CONFIG_HOME", "where the user's policies and runtimes are (~/.config)"},
    {"XDG_CACHE_HOME", "where the versions of interpreters are remembered (~/.cache)"},
    {"XDG_RUNTIME_DIR", "where the socket of an ordinary user's server is, in cella/serve.sock"},
    {"XDG_STATE_HOME", "where an ordinary user's server keeps its state (~/.local/state)"},
    {"CELLA_SOCKET",
     "path of the server's socket, for 'cella serve', 'cella run' and 'cella pool'"},
    {"CELLA_LISTEN, CELLA_STATE, CELLA_LOG, CELLA_POOL_MEMORY, CELLA_COMPILE_CACHE, "
     "CELLA_HISTORY, CELLA_HISTORY_DAYS, CELLA_SESSION_MEMORY, CELLA_SESSION_IDLE",
     "what 'cella serve' is not told by its options; several addresses with commas between them"},
    {"CELLA_KEEPER", "path of the program cella-keeper, when it is not where it was installed"},
};

static const struct manual_row files[] = {
    {"/etc/cella/ceiling.conf", "by how much root widens what any policy may give"},
    {"/etc/cella/policies.d/NAME.yaml", "policies of this host"},
    {"/etc/cella/runtimes.d/NAME.yaml", "languages of this host"},
    {"/etc/cella/serve.yaml", "settings of root's server"},
    {"/run/cella/serve.sock", "where root's server answers"},
    {"~/.config/cella/serve.yaml", "settings of a user's server"},
    {"~/.config/cella/policies/NAME.yaml", "policies of the user, looked at next"},
    {"~/.config/cella/runtimes/NAME.yaml", "languages of the user, looked at next"},
};

static const struct manual_row examples[] = {
    {"cella run -l python -c 'print(6*7)'", "A line of Python."},
    {"cella run solve.c < input.txt", "Compile and run a C program; it reads our input."},
    {"cella run --time 2s --memory 128m main.py -- one two", "Limits, and arguments."},
    {"cella run --file data.csv --collect '*.png' --output-dir out plot.py",
     "A file goes in, pictures come out."},
    {"cella run -l command -- /bin/ls -l /", "Any program of the host, without a shell."},
    {"cella run --json --request request.json", "A request as JSON, and the result as JSON."},
    {"cella policy test strict --request request.json",
     "What a policy makes of a request, and which line of which file decides."},
    {"cella serve --listen none", "A server for 'cella run' alone; see /usr/share/doc/cella."},
    {"cella doctor", "What this host lacks, and what to do about it."},
};

const struct manual_row *manual_exit_codes(size_t *ret_count)
{
    *ret_count = LENGTH(exit_codes);
    return exit_codes;
}

/* Text as troff takes it: no line begins with a control character, a dash is a dash. */
static void print_escaped(const char *text)
{
    if (*text == '.' || *text == '\'') {
        (void)fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            (void)fputs("\\e", stdout);
        } else if (*text == '-') {
            (void)fputs("\\-", stdout);
        } else if (*text == '\'') {
            (void)fputs("\\(aq", stdout);
        } else if (*text == '~') {
            (void)fputs("\\(ti", stdout);
        } else {
            (void)putchar(*text);
        }
    }
}

static void print_rows(const char *title, const struct manual_row *rows, size_t count)
{
    (void)printf(".SH %s\n", title);
    for (size_t i = 0; i < count; i++) {
        (void)printf(".TP\n.B ");
        print_escaped(rows[i].term);
        (void)putchar('\n');
        print_escaped(rows[i].text);
        (void)putchar('\n');
    }
}

static void print_option(const struct option *option)
{
    (void)printf(".TP\n");
    if (option->short_name != '\0') {
        (void)printf("\\fB\\-%c\\fR, ", option->short_name);
    }
    (void)printf("\\fB\\-\\-");
    print_escaped(option->name);
    (void)printf("\\fR");
    if (option->argument != NULL) {
        (void)printf(" \\fI");
        print_escaped(option->argument);
        (void)printf("\\fR");
    }
    (void)putchar('\n');
    print_escaped(option->help);
    if (option->limit.default_value[0] != '\0') {
        (void)printf(" (default: ");
        print_escaped(option->limit.default_value);
        (void)putchar(')');
    }
    (void)putchar('\n');
}

static void print_commands(void)
{
    (void)printf(".SH COMMANDS\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        (void)printf(".TP\n\\fBcella %s\\fR%s", command_table[command].name,
                     command_table[command].operands[0] != '\0' ? " " : "");
        print_escaped(command_table[command].operands);
        (void)putchar('\n');
        print_escaped(command_table[command].summary);
        (void)putchar('\n');
    }
}

static void print_options(void)
{
    struct option option;
    (void)printf(".SH OPTIONS\nOptions and operands may come in any order; what follows "
                 "\\fB\\-\\-\\fR belongs to the program.\n");
    for (size_t i = 0; i < OPTION_FIXED_COUNT && option_at(i, &option); i++) {
        print_option(&option);
    }
    (void)printf(".SS Limits\n"
                 "Within what the policy allows.\n"
                 "Times are written \\fB250ms\\fR, \\fB10s\\fR, \\fB1m30s\\fR; sizes \\fB64k\\fR, "
                 "\\fB256m\\fR, \\fB1g\\fR, in powers of 1024.\n");
    for (size_t i = OPTION_FIXED_COUNT; option_at(i, &option); i++) {
        print_option(&option);
    }
}

int command_manual(const struct invocation *invocation)
{
    (void)invocation;
    (void)printf(".\\\" Made by 'cella manual' from the program's own tables.\n"
                 ".TH CELLA 1 \"\" \"cella %s\" \"User Commands\"\n"
                 ".SH NAME\ncella \\- run code nobody vouches for\n"
                 ".SH SYNOPSIS\n.B cella run\n[\\fB\\-l\\fR \\fILANG\\fR] "
                 "[\\fIFILE\\fR | \\fB\\-\\fR | \\fB\\-c\\fR \\fICODE\\fR] "
                 "[\\fB\\-\\-\\fR \\fIARGS\\fR...]\n.br\n"
                 ".B cella run \\-l command \\-\\-\n\\fIPROGRAM\\fR [\\fIARGS\\fR...]\n.br\n"
                 ".B cella run \\-\\-request\n\\fIFILE\\fR\n.br\n"
                 ".B cella explain\n| \\fBlanguages\\fR | \\fBpolicy\\fR | \\fBserve\\fR | "
                 "\\fBdoctor\\fR | "
                 "\\fBversion\\fR | "
                 "\\fBhelp\\fR\n",
                 cella_version());
    (void)printf(".SH DESCRIPTION\n"
                 "Cella runs a program in a sandbox of its own, with limits on all that it may "
                 "use, and says exactly what it did.\n"
                 "The program finds its files in /workspace, a private /tmp, and nothing of the "
                 "caller's files, environment, processes or network.\n"
                 ".PP\n"
                 "Its output comes as it is written, its exit code becomes that of cella.\n"
                 "When a limit or a signal ended it, one line on standard error says which.\n"
                 "The language is known by \\fB\\-l\\fR, else by the file's extension or #! "
                 "line.\n"
                 ".PP\n"
                 "Standard input is passed on, but for \\fB\\-\\fR (then it is the code) and "
                 "\\fB\\-\\-request\\fR (then the input stands in the request).\n"
                 "Ctrl\\-C ends the program and still gives the verdict; the second one ends "
                 "cella at once.\n");
    print_commands();
    print_options();
    print_rows("EXIT STATUS", exit_codes, LENGTH(exit_codes));
    print_rows("ENVIRONMENT", environment, LENGTH(environment));
    print_rows("FILES", files, LENGTH(files));
    print_rows("EXAMPLES", examples, LENGTH(examples));
    return 0;
}
