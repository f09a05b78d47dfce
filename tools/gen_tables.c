/*
 * Prints a table of the sources as a Markdown table, for scripts/generate to put into docs/.
 *
 *   gen_tables limits|statuses|protections|steps|bounds|policy_keys|policy_calls
 */
#include "front/serve/records/audit.h"
#include "front/serve/records/metrics.h"
#include "isolate/calls.h"
#include "isolate/protections.h"
#include "isolate/steps.h"
#include "policy/keys.h"
#include "request/limit_value.h"
#include "request/spec.h"
#include "result/status.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A limit's default or cap, as a person reads it. */
static void print_value(enum limit limit, uint64_t value)
{
    char text[UNITS_TEXT_SIZE];
    if (value == LIMIT_DERIVED) {
        printf(" %s |", limit == LIMIT_CPU ? "wall × cpus" : "the host's");
        return;
    }
    limit_value_format(limit, value, text);
    printf(" %s |", text);
}

static void print_limits(void)
{
    printf("| name | flag | what is limited | default | cap | verdict |\n"
           "|---|---|---|---|---|---|\n");
    for (enum limit i = 0; i < LIMIT_COUNT; i++) {
        const struct limit_info *limit = &limit_table[i];
        printf("| `%s` | `--%s` | %s |", limit->name, limit->flag, limit->help);
        print_value(i, limit->default_value);
        print_value(i, limit->default_cap);
        printf(limit->verdict[0] == '\0' ? " |\n" : " `%s` |\n", limit->verdict);
    }
}

static void print_statuses(void)
{
    printf("| status | exit code of `cella run` | meaning |\n|---|---|---|\n");
    for (enum status i = 0; i < STATUS_COUNT; i++) {
        const struct status_info *status = &status_table[i];
        printf("| `%s` |", status->word);
        if (status->exit_code < 0) {
            printf(" %s |", i == STATUS_SIGNAL ? "128 + the signal's number" : "the program's own");
        } else {
            printf(" %d |", status->exit_code);
        }
        printf(" %s |\n", status->meaning);
    }
}

static void print_protections(void)
{
    printf("| name | need | what it does |\n|---|---|---|\n");
    for (enum protection i = 0; i < PROTECTION_COUNT; i++) {
        const struct protection_info *protection = &protection_table[i];
        printf("| `%s` | %s | %s |\n", protection->name,
               protection->need == PROTECTION_REQUIRED ? "required" : "where available",
               protection->what);
    }
}

static void print_steps(void)
{
    static const char *const places[] = {
        [STEP_PLACE_HOST] = "keeper, from outside",
        [STEP_PLACE_NEST] = "first process of a nest",
        [STEP_PLACE_SANDBOX] = "first process, inside",
        [STEP_PLACE_INIT] = "init, as PID 1",
        [STEP_PLACE_PROGRAM] = "the process that becomes the program",
    };
    printf("| | step | by | what it does |\n|---|---|---|---|\n");
    for (enum step i = 0; i < STEP_COUNT; i++) {
        printf("| %u | `%s` | %s | %s |\n", (unsigned)i + 1, step_table[i].name,
               places[step_table[i].place], step_table[i].what);
    }
}

/* The bounds of a request; over one of them it is refused. */
static void print_bounds(void)
{
    static const struct {
        const char *what;
        uint64_t max;
        bool bytes;
    } bounds[] = {
        {"the whole request as JSON", SPEC_JSON_MAX, true},
        {"`code`", SPEC_CODE_MAX, true},
        {"`stdin`", SPEC_STDIN_MAX, true},
        {"`files`", SPEC_FILES_MAX, false},
        {"contents of `files` together", SPEC_FILES_BYTES_MAX, true},
        {"words of `args`, `command` or `compile.args`", SPEC_ARGS_MAX, false},
        {"those words together", SPEC_ARGS_BYTES_MAX, true},
        {"variables of `env`", SPEC_ENV_MAX, false},
        {"`env` together", SPEC_ENV_BYTES_MAX, true},
        {"patterns of `collect`", SPEC_COLLECT_MAX, false},
        {"one pattern", SPEC_GLOB_MAX, true},
        {"`language`, `policy`", SPEC_NAME_MAX, true},
        {"`tag`", SPEC_TAG_MAX, true},
        {"entries of `network.allow`", SPEC_NETWORK_ALLOW_MAX, false},
    };
    printf("| what | at most |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++) {
        char text[UNITS_TEXT_SIZE];
        if (bounds[i].bytes) {
            units_format_size(bounds[i].max, text);
        } else {
            units_format_count(bounds[i].max, text);
        }
        printf("| %s | %s |\n", bounds[i].what, text);
    }
}

struct key {
    const char *name, *type, *fallback, *tighter, *meaning;
};

static void print_keys(const char *prefix, const struct key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct key *key = &keys[i];
        printf("| `%s%s` | %s | %s | %s | %s |\n", prefix, key->name, key->type, key->fallback,
               key->tighter, key->meaning);
    }
}

static void print_policy_keys(void)
{
#define KEY(id, name, type, fallback, tighter, meaning) {name, type, fallback, tighter, meaning},
#define KEYS(prefix, table)                                                                        \
    {                                                                                              \
        static const struct key keys[] = {table(KEY)};                                             \
        print_keys(prefix, keys, ARRAY_LENGTH(keys));                                              \
    }
    printf(
        "| key | value | when it is left out | what may stand there without `loosen` | meaning |\n"
        "|---|---|---|---|---|\n");
    POLICY_KEY_TABLES(KEYS)
}

/* Calls that a policy may add to a base set. */
static void print_policy_calls(void)
{
#define CALL(name, what) {#name, what},
    static const struct {
        const char *name, *what;
    } calls[] = {CALLS_ADDABLE(CALL)};
    printf("| call | what a run gets by it |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++) {
        printf("| `%s` | %s |\n", calls[i].name, calls[i].what);
    }
}

struct named {
    const char *name, *meaning;
};

static void print_named(const char *what, const struct named *rows, size_t count)
{
    printf("| %s | meaning |\n|---|---|\n", what);
    for (size_t i = 0; i < count; i++) {
        printf("| `%s` | %s |\n", rows[i].name, rows[i].meaning);
    }
}

static void print_audit_events(void)
{
#define EVENT(id, name, meaning) {name, meaning},
    static const struct named rows[] = {AUDIT_EVENTS(EVENT)};
    print_named("event", rows, ARRAY_LENGTH(rows));
}

static void print_audit_fields(void)
{
#define AUDIT_ROW(field, meaning) {#field, meaning},
    static const struct named rows[] = {AUDIT_FIELDS(AUDIT_ROW)};
    print_named("field", rows, ARRAY_LENGTH(rows));
}

static void print_metrics(void)
{
#define METRIC_ROW(id, name, type, help) {name, type, help},
    static const struct {
        const char *name, *type, *help;
    } rows[] = {METRICS(METRIC_ROW)};
    printf("| metric | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        printf("| `%s` | %s | %s |\n", rows[i].name, rows[i].type, rows[i].help);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } tables[] = {
        {"limits", print_limits},
        {"statuses", print_statuses},
        {"protections", print_protections},
        {"steps", print_steps},
        {"bounds", print_bounds},
        {"policy_keys", print_policy_keys},
        {"policy_calls", print_policy_calls},
        {"audit_events", print_audit_events},
        {"audit_fields", print_audit_fields},
        {"metrics", print_metrics},
    };
    for (size_t i = 0; argc == 2 && i < ARRAY_LENGTH(tables); i++) {
        if (strcmp(tables[i].name, argv[1]) == 0) {
            tables[i].print();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fputs("usage: gen_tables limits|statuses|protections|steps|bounds|policy_keys|policy_calls|"
          "audit_events|audit_fields|metrics\n",
          stderr);
    return 2;
}
