/*
 * What a request may not say under a policy: see policy.h.
 *
 * A command is matched by the path that the request gives, before anything is looked for: a bare
 * word is resolved inside the sandbox by a PATH that the request may set, so where the policy has a
 * list a command must be an absolute path.  What that program then executes is its own affair.
 */
#include "base/error.h"
#include "base/glob.h"
#include "isolate/places.h"
#include "policy/policy.h"

#include <string.h>

static int refuse(struct cella_error *err, const char *field)
{
    return error_set_field(err, "%s", field);
}

int policy_check_language(const struct policy *policy, const struct runtime *runtime,
                          struct cella_error *err)
{
    if (runtime == NULL) {
        return 0;
    }
    if (!policy->languages.all && !spec_strings_have(&policy->languages.words, runtime->name)) {
        (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' does not allow the language '%s'",
                        policy->name, runtime->name);
        return refuse(err, "language");
    }
    /* What compiling makes is the program, and it is executed where it was made. */
    if (runtime_is_compiled(runtime) && policy_files_are_apart(policy)) {
        (void)error_set(err, CELLA_ERROR_POLICY, 0,
                        "policy '%s' has a request's files apart from the workspace, where '%s' "
                        "needs them to be",
                        policy->name, runtime->name);
        return refuse(err, "language");
    }
    return 0;
}

int policy_check_command(const struct policy *policy, const struct spec *spec,
                         struct cella_error *err)
{
    const struct policy_list *commands = &policy->commands;
    if (spec->command.count == 0 || commands->all) {
        return 0;
    }
    const char *path = spec->command.items[0];
    for (size_t i = 0; places_is_plain(path) && i < commands->words.count; i++) {
        if (glob_match(commands->words.items[i] + 1, path + 1)) {
            return 0;
        }
    }
    (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' does not allow the command '%s'",
                    policy->name, path);
    (void)refuse(err, "command");
    return commands->words.count == 0 || path[0] == '/'
               ? -1
               : error_set_hint(err, "name the program by its absolute path");
}

int policy_check_variable(const struct policy *policy, const char *name, struct cella_error *err)
{
    for (size_t i = 0; i < policy->env_set_count; i++) {
        if (strcmp(policy->env_set[i].name, name) == 0) {
            (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' sets the variable '%s' itself",
                            policy->name, name);
            return error_set_field(err, "env.%s", name);
        }
    }
    if (policy->env_allow.all || spec_strings_have(&policy->env_allow.words, name)) {
        return 0;
    }
    (void)error_set(err, CELLA_ERROR_POLICY, 0,
                    "policy '%s' does not let a request set the variable '%s'", policy->name, name);
    return error_set_field(err, "env.%s", name);
}

int policy_check_network(const struct policy *policy, const struct spec *spec,
                         struct cella_error *err)
{
    if (spec->network == SPEC_NETWORK_ALLOW && spec->network_allow.count > 0) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0,
                        "lists of allowed addresses are not available in this version");
        (void)refuse(err, "network.allow");
        return error_set_hint(err, "leave the list empty: the program then has no network");
    }
    if (spec->network == SPEC_NETWORK_HOST && !policy->host_network) {
        (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' does not allow the host's network",
                        policy->name);
        (void)refuse(err, "network");
        return error_set_hint(err, "run it without, or under a policy that has `network: host`; "
                                   "`cella policy list` names them");
    }
    return 0;
}

int policy_check_output(const struct policy *policy, const struct spec *spec,
                        struct cella_error *err)
{
    if (spec->on_output_limit != SPEC_OUTPUT_TRUNCATE ||
        policy->on_output_limit != SPEC_OUTPUT_STOP) {
        return 0;
    }
    (void)error_set(err, CELLA_ERROR_POLICY, 0, "policy '%s' ends a run at its output limit",
                    policy->name);
    return refuse(err, "on_output_limit");
}
