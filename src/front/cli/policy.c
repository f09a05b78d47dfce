/*
 * `cella policy list | check | show | test`.
 */
#include "front/cli/early.h"
#include "front/cli/options.h"
#include "front/cli/report.h"
#include "front/cli/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_REFUSED 126 /* as `cella run` has it */

static int policy_list(const struct invocation *invocation);
static int policy_check(const struct invocation *invocation);
static int policy_show(const struct invocation *invocation);
static int policy_test(const struct invocation *invocation);

/* `arguments`: operands that it takes behind its own name; the last one may take more. */
static const struct action {
    const char *name;
    size_t arguments;
    bool takes_program; /* and options of `cella run`, which say of what request */
    const char *usage;
    int (*carry_out)(const struct invocation *invocation);
} actions[] = {
    {"list", 0, false, "cella policy list", policy_list},
    {"check", 1, false, "cella policy check FILE", policy_check},
    {"show", 1, false, "cella policy show NAME", policy_show},
    {"test", 1, true, "cella policy test NAME --request FILE", policy_test},
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static const struct action *find_action(const struct invocation *invocation,
                                        struct cella_error *err)
{
    const char *names[ACTIONS];
    const char *word = invocation->operand_count > 0 ? invocation->operands[0] : "";
    for (size_t i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
        if (strcmp(names[i], word) == 0) {
            return &actions[i];
        }
    }
    const char *closest = cella_closest_name(word, names, ACTIONS);
    char hint[sizeof(err->hint)] = "cella policy list, check FILE, show NAME, or test NAME ...";
    if (closest != NULL) {
        (void)snprintf(hint, sizeof(hint), "did you mean 'cella policy %s'?", closest);
    }
    (void)cli_fail(err, CELLA_ERROR_CALLER, hint,
                   word[0] == '\0' ? "which of them?%s" : "there is no 'cella policy %s'", word);
    return NULL;
}

/* Options that say what to run are for `test` alone. */
static int check_usage(const struct invocation *invocation, const struct action *action,
                       struct cella_error *err)
{
    const size_t given = invocation->operand_count - 1;
    if (given < action->arguments || (given > action->arguments && !action->takes_program)) {
        return cli_fail(err, CELLA_ERROR_CALLER, action->usage, "'cella policy %s' takes %s",
                        action->name, action->arguments == 0 ? "nothing more" : "one name or file");
    }
    for (size_t i = 0; !action->takes_program && i < invocation->given_count; i++) {
        struct option option;
        const size_t id = invocation->given[i].id;
        const bool shows = (id == OPTION_JSON && action->carry_out != policy_check) ||
                           (id == OPTION_NAMES && action->carry_out == policy_list);
        if (!shows && option_at(id, &option)) {
            return cli_fail(err, CELLA_ERROR_CALLER, NULL, "'cella policy %s' has no option --%s",
                            action->name, option.name);
        }
    }
    if (action->takes_program && invocation_has(invocation, OPTION_NAMES)) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "'cella policy test' has no option --names");
    }
    return 0;
}

int command_policy(const struct invocation *invocation)
{
    struct cella_error err;
    const struct action *action = find_action(invocation, &err);
    if (action == NULL || check_usage(invocation, action, &err) < 0) {
        return report_error(&err);
    }
    return action->carry_out(invocation);
}

static int print_text(char *text, const char *end)
{
    (void)printf("%s%s", text, end);
    free(text);
    return 0;
}

/* ---- list ---- */

static void print_name(void *context, const struct cella_policy *policy)
{
    (void)context;
    (void)puts(policy->name);
}

static void print_policy(void *context, const struct cella_policy *policy)
{
    (void)context;
    if (policy->problem[0] != '\0') {
        (void)printf("%-12s wrong: %s\n", policy->name, policy->problem);
        return;
    }
    (void)printf("%-12s %s\n             %s\n", policy->name, policy->description, policy->file);
}

static int policy_list(const struct invocation *invocation)
{
    struct cella_error err;
    char *json;
    if (invocation_has(invocation, OPTION_JSON)) {
        return cella_policies_json(NULL, &json, &err) < 0 ? report_error(&err)
                                                          : print_text(json, "\n");
    }
    const bool names = invocation_has(invocation, OPTION_NAMES);
    return cella_policies(NULL, names ? print_name : print_policy, NULL, &err) < 0
               ? report_error(&err)
               : 0;
}

/* ---- check and show ---- */

/* 0 when the file is good, 1 when it is not. */
static int policy_check(const struct invocation *invocation)
{
    struct cella_error err;
    if (cella_policy_check(NULL, invocation->operands[1], &err) < 0) {
        const int code = report_error(&err);
        return err.kind == CELLA_ERROR_HOST ? 1 : code;
    }
    (void)puts("ok");
    return 0;
}

static int policy_show(const struct invocation *invocation)
{
    struct cella_error err;
    char *text;
    const bool json = invocation_has(invocation, OPTION_JSON);
    return cella_policy_show(NULL, invocation->operands[1],
                             json ? CELLA_POLICY_JSON : CELLA_POLICY_YAML, &text, &err) < 0
               ? report_error(&err)
               : print_text(text, json ? "\n" : "");
}

/* ---- test ---- */

/* A value is the request's: of it nothing steers a terminal, neither C0 and DEL nor C1, whose two
 * bytes of UTF-8 begin with 0xC2. */
static void make_printable(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7F) {
            *at = '?';
        } else if (*at == 0xC2 && at[1] < 0xA0) { /* also where the text was cut between them */
            *at = '?';
            at[1] = at[1] == '\0' ? '\0' : '?';
        }
    }
}

/* "WHAT = ASKED", what comes of it, and who says so. */
static void print_decision(void *context, const struct cella_decision *decision)
{
    char what[128];
    (void)context;
    (void)snprintf(what, sizeof(what), "%s%s%s", decision->what,
                   decision->asked[0] != '\0' ? " = " : "", decision->asked); /* a cut is fine */
    make_printable(what);
    (void)printf("%-8s %-34s %s\n", decision->allowed ? "ok" : "refused", what, decision->text);
    if (decision->file[0] != '\0') {
        (void)printf("         %34s %s, %s:%zu:%zu\n", "", decision->key, decision->file,
                     decision->line, decision->column);
    } else {
        (void)printf("         %34s %s, by default\n", "", decision->key);
    }
}

static int test_request(const struct invocation *invocation, struct cella_engine *engine,
                        const struct cella_request *request, struct cella_error *err)
{
    const char *policy = invocation->operands[1];
    int allowed;
    if (invocation_has(invocation, OPTION_JSON)) {
        char *json;
        if (cella_policy_test_json(engine, policy, request, &json, &allowed, err) < 0) {
            return report_error(err);
        }
        (void)print_text(json, "\n");
    } else {
        if (cella_policy_test(engine, policy, request, print_decision, NULL, &allowed, err) < 0) {
            return report_error(err);
        }
        (void)puts(allowed ? "allowed" : "refused");
    }
    return allowed ? 0 : EXIT_REFUSED;
}

static int policy_test(const struct invocation *invocation)
{
    struct cella_options options = {.size = sizeof(options)};
    struct cella_engine *engine = NULL;
    struct cella_request *request = NULL;
    struct invocation program = *invocation; /* without "test" and the policy */
    struct cella_error err;
    program.operands += 2;
    program.operand_count -= 2;
    early_take(&options);
    int code;
    if (cella_engine_open(&options, &engine, &err) < 0 ||
        cli_request_make(&program, engine, &request, &err) < 0) {
        code = report_error(&err);
    } else {
        code = test_request(invocation, engine, request, &err);
    }
    cella_request_destroy(request);
    cella_engine_close(engine);
    return code;
}
