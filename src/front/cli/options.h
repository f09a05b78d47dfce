/*
 * The commands and options of `cella`, declared once: the parser, --help, the manual and the shell
 * completions are all made from these two tables.  The flags of limits are not written here; they
 * come from the library's table of limits and follow the last row of OPTIONS.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "front/settings.h"

#include <cella/host.h>
#include <cella/policy.h>
#include <stdbool.h>
#include <stddef.h>

/* X(id, name, operands, summary)
 * The function that carries out a command is command_ and its name. */
#define COMMANDS(X)                                                                                \
    X(RUN, run, "[FILE | - | -c CODE] [-- ARGS...]", "run a program in a sandbox")                 \
    X(EXPLAIN, explain, "[FILE | - | -c CODE] [-- ARGS...]",                                       \
      "print the plan for a program without running it")                                           \
    X(LANGUAGES, languages, "[check FILE]",                                                        \
      "list the languages and where each comes from, or check the file of one")                    \
    X(POLICY, policy,                                                                              \
      "list | check FILE | show NAME | test NAME [FILE | - | -c CODE] [-- ARGS...]",               \
      "list policies, check one, print what it says, or what it makes of a program")               \
    X(SERVE, serve, "", "run programs for others on this host, over HTTP")                         \
    X(KEY, key, "create NAME | list | revoke NAME",                                                \
      "make, list and revoke the keys by which others may use a server")                           \
    X(POOL, pool, "", "print what a server has made ahead of need")                                \
    X(DOCTOR, doctor, "", "print what this host offers, what is missing and how to get it")        \
    X(VERSION, version, "", "print the version")                                                   \
    X(HELP, help, "[COMMAND]", "print help for a command")                                         \
    X(COMPLETION, completion, "bash|zsh|fish", "print the completion script for a shell")          \
    X(MANUAL, manual, "", "print the manual page, cella.1")

#define COMMAND_ENUM(id, ...) COMMAND_##id,
enum command { COMMANDS(COMMAND_ENUM) COMMAND_COUNT };
#undef COMMAND_ENUM

struct invocation;

struct command_info {
    const char *name;
    const char *operands;
    const char *summary;
    int (*carry_out)(const struct invocation *invocation); /* returns the exit code */
};
extern const struct command_info command_table[COMMAND_COUNT];

#define ON(command) (1U << (unsigned)COMMAND_##command)
#define ON_RUNS     (ON(RUN) | ON(EXPLAIN))
#define ON_PLANS    (ON_RUNS | ON(POLICY)) /* also `cella policy test` */
#define ON_ALL      (~0U)

/* What a shell offers for an option's argument. */
enum completion {
    COMPLETE_NONE,
    COMPLETE_FILE,
    COMPLETE_DIRECTORY,
    COMPLETE_LANGUAGE,
    COMPLETE_POLICY
};

/* What becomes of the argument: _OWN options are looked at by the command, the others go into the
 * request's field of that name. */
enum option_use { OPTION_OWN, OPTION_SETS, OPTION_ADDS };

/* A setting of the server is an option of `cella serve`; its default stands in brackets. */
#define OPTION_OF_SETTING(X, id, name, field, kind, fallback, min, max, change, argument,          \
                          completion, help)                                                        \
    X(id, name, 0, argument, completion, ON(SERVE), OPTION_OWN, "",                                \
      sizeof(fallback) > 1 ? help " (" fallback ")" : help)

/* X(id, name, short, argument, completion, commands, use, field, help) */
#define OPTIONS(X)                                                                                 \
    X(LANGUAGE, "language", 'l', "LANG", LANGUAGE, ON_PLANS, OPTION_OWN, "",                       \
      "language of the program; 'command': run PROGRAM ARGS given after --")                       \
    X(CODE, "code", 'c', "CODE", NONE, ON_PLANS, OPTION_OWN, "", "the program's text")             \
    X(REQUEST, "request", 0, "FILE", FILE, ON_PLANS, OPTION_OWN, "",                               \
      "take the whole request as JSON from FILE, or from standard input when it is -")             \
    X(FILE, "file", 'f', "[NAME=]PATH", FILE, ON_PLANS, OPTION_OWN, "",                            \
      "put a file into the workspace, as NAME or by its path from the program on (repeatable)")    \
    X(STDIN, "stdin", 0, "FILE", FILE, ON(RUN), OPTION_OWN, "",                                    \
      "the program's standard input, instead of ours")                                             \
    X(ENV, "env", 'e', "NAME=VALUE", NONE, ON_PLANS, OPTION_ADDS, "env",                           \
      "set an environment variable of the program (repeatable)")                                   \
    X(COMPILE_ARG, "compile-arg", 0, "ARG", NONE, ON_PLANS, OPTION_ADDS, "compile.args",           \
      "one more argument for the compiler (repeatable)")                                           \
    X(COLLECT, "collect", 0, "GLOB", NONE, ON_PLANS, OPTION_ADDS, "collect",                       \
      "bring back the files of the workspace that match (repeatable)")                             \
    X(OUTPUT_DIR, "output-dir", 'o', "DIR", DIRECTORY, ON(RUN), OPTION_OWN, "",                    \
      "write the collected files into DIR, which is made when it is not there")                    \
    X(FORCE, "force", 0, NULL, NONE, ON(RUN), OPTION_OWN, "",                                      \
      "let --output-dir replace files that exist")                                                 \
    X(POLICY, "policy", 'p', "NAME", POLICY, ON_RUNS, OPTION_SETS, "policy",                       \
      "the operator's policy to run under (default)")                                              \
    X(NETWORK, "network", 0, "MODE", NONE, ON_PLANS, OPTION_SETS, "network",                       \
      "none: no network but an own loopback; host: the host's, where the policy allows it (none)") \
    X(EXPLAIN, "explain", 0, NULL, NONE, ON(RUN), OPTION_OWN, "",                                  \
      "print the plan instead of running")                                                         \
    X(NO_SERVER, "no-server", 0, NULL, NONE, ON_RUNS, OPTION_OWN, "",                              \
      "run in this process, never by a server that is there")                                      \
    X(NO_COMPILE_CACHE, "no-compile-cache", 0, NULL, NONE, ON_RUNS, OPTION_OWN, "",                \
      "compile anew in this process, and keep nothing of it")                                      \
    X(CONFIG, "config", 0, "FILE", FILE, ON(SERVE) | ON(KEY), OPTION_OWN, "",                      \
      "read settings from FILE, or 'none' (/etc/cella/serve.yaml for root, else "                  \
      "cella/serve.yaml below $XDG_CONFIG_HOME, where it is there)")                               \
    X(CHECK, "check", 0, NULL, NONE, ON(SERVE), OPTION_OWN, "",                                    \
      "start nothing: say what is wrong with the settings, or print those in force")               \
    SETTINGS(OPTION_OF_SETTING, X)                                                                 \
    X(KEY_STATE, "state", 0, "DIR", DIRECTORY, ON(KEY), OPTION_OWN, "",                            \
      "the server's state directory (that which 'cella serve' would have by its configuration)")   \
    X(POOL_SOCKET, "socket", 0, "PATH", FILE, ON(POOL), OPTION_OWN, "",                            \
      "the server's socket ($CELLA_SOCKET, else where this user's server has it)")                 \
    X(KEY_POLICY, "key-policy", 0, "NAME", POLICY, ON(KEY), OPTION_OWN, "",                        \
      "a policy that the key may use; the first is its default (default; repeatable)")             \
    X(RATE, "rate", 0, "COUNT", NONE, ON(KEY), OPTION_OWN, "",                                     \
      "requests a second, as 10; or a minute or an hour, as 100/m or 1000/h (no limit)")           \
    X(CONCURRENCY, "concurrency", 0, "COUNT", NONE, ON(KEY), OPTION_OWN, "",                       \
      "runs at one time, those that wait included (no limit)")                                     \
    X(CPU_SECONDS, "cpu-seconds-per-day", 0, "COUNT", NONE, ON(KEY), OPTION_OWN, "",               \
      "processor seconds that runs may take in a day, UTC (no limit)")                             \
    X(METRICS, "metrics", 0, NULL, NONE, ON(KEY), OPTION_OWN, "",                                  \
      "the key may read /metrics and /v1/pools too, which tell of everybody's runs")               \
    X(QUIET, "quiet", 'q', NULL, NONE, ON(RUN), OPTION_OWN, "",                                    \
      "no verdict and no notes on standard error")                                                 \
    X(JSON, "json", 0, NULL, NONE,                                                                 \
      ON(RUN) | ON(LANGUAGES) | ON(POLICY) | ON(POOL) | ON(DOCTOR) | ON(KEY), OPTION_OWN, "",      \
      "print the result as JSON and nothing else")                                                 \
    X(NAMES, "names", 0, NULL, NONE, ON(LANGUAGES) | ON(POLICY), OPTION_OWN, "",                   \
      "print the names alone")                                                                     \
    X(HELP, "help", 'h', NULL, NONE, ON_ALL, OPTION_OWN, "", "print help")

#define OPTION_ENUM(id, ...) OPTION_##id,
enum option_id { OPTIONS(OPTION_ENUM) OPTION_FIXED_COUNT };
#undef OPTION_ENUM

struct option {
    size_t id; /* enum option_id, or OPTION_FIXED_COUNT and the limit's index */
    const char *name;
    const char *argument; /* NULL: a switch */
    const char *help;
    unsigned commands; /* those that take it, by ON() */
    enum completion completion;
    enum option_use use;
    char short_name;          /* 0: none */
    const char *field;        /* "" for OPTION_OWN, and for a limit, whose name says it */
    struct cella_limit limit; /* of a limit's flag; else empty */
};

/* Row `index` of fixed options and limits together.  False behind the last. */
bool option_at(size_t index, struct option *ret_option);

/* ---- a command line, taken apart ---- */

struct given_option {
    size_t id;
    const char *value; /* NULL for a switch */
};

struct invocation {
    enum command command;
    struct given_option *given; /* in the order given */
    size_t given_count;
    const char **operands; /* before "--" */
    size_t operand_count;
    char *const *rest; /* after "--" */
    size_t rest_count;
};

/* `argv` and `argc` are main's, and must outlive the invocation. */
int invocation_parse(int argc, char *const *argv, struct invocation *ret_invocation,
                     struct cella_error *err) __attribute__((warn_unused_result));
void invocation_done(struct invocation *invocation);

bool invocation_has(const struct invocation *invocation, enum option_id id);
/* The last value given, or NULL. */
const char *invocation_value(const struct invocation *invocation, enum option_id id);

/* What a server is told can stand in the environment too: "CELLA_LISTEN" for --listen.  False for
 * other options. */
#define OPTION_VARIABLE_SIZE 40
bool option_variable(const struct option *option, char ret_name[OPTION_VARIABLE_SIZE]);

/* ---- the commands ---- */

#define COMMAND_DECLARE(id, name, ...) int command_##name(const struct invocation *invocation);
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
