/* See decide.h. */
#include "policy/decide.h"

#include "base/error.h"
#include "base/glob.h"
#include "isolate/protections.h"
#include "isolate/syscall_names.h"
#include "policy/plan_limits.h"
#include "policy/read.h"
#include "request/limit_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_SIZE 96

struct deciding {
    const struct policy *policy;
    const struct spec *spec;
    const struct runtime *runtime;
    void (*row)(void *context, const struct policy_decision *decision);
    void *context;
    size_t source; /* of the policy's files, the first that may say what is told now */
    bool allowed;  /* everything so far */
};

/* ---- rows ---- */

static void give(struct deciding *deciding, const char *what, const char *asked, const char *key,
                 const struct cella_error *refused_or_null, const char *format, ...)
    PRINTF_LIKE(6, 7);

/* Of the key or, when nobody says that element, of the list. */
static bool find_place(const struct deciding *deciding, const char *key, struct policy_place *place)
{
    char shorter[KEY_SIZE];
    (void)snprintf(shorter, sizeof(shorter), "%s", key);
    while (!policy_find_key_from(deciding->policy, deciding->source, shorter, place)) {
        char *cut = strpbrk(shorter, ".[");
        for (char *next = cut; next != NULL; next = strpbrk(cut + 1, ".[")) {
            cut = next;
        }
        /* A list of which nobody says this element may be said; a mapping decides nothing. */
        if (cut == NULL || *cut == '.') {
            return false;
        }
        *cut = '\0';
    }
    return true;
}

static void give(struct deciding *deciding, const char *what, const char *asked, const char *key,
                 const struct cella_error *refused_or_null, const char *format, ...)
{
    char text[512];
    struct policy_place place;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a cut is fine */
    va_end(args);
    const bool found = find_place(deciding, key, &place);
    const struct policy_decision decision = {
        .what = what,
        .asked = asked,
        .allowed = refused_or_null == NULL,
        .text = refused_or_null != NULL ? refused_or_null->text : text,
        .key = key,
        .place = found ? &place : NULL,
    };
    deciding->allowed = deciding->allowed && decision.allowed;
    deciding->row(deciding->context, &decision);
}

/* The error when the check failed, else NULL. */
static const struct cella_error *failed(int result, const struct cella_error *err)
{
    return result < 0 ? err : NULL;
}

static void list_key(const struct policy_list *list, const char *key, size_t index,
                     char ret_key[KEY_SIZE])
{
    if (list->all || index >= list->words.count) {
        (void)snprintf(ret_key, KEY_SIZE, "%s", key);
    } else {
        (void)snprintf(ret_key, KEY_SIZE, "%s[%zu]", key, index);
    }
}

static size_t word_index(const struct policy_list *list, const char *word)
{
    size_t i = 0;
    while (i < list->words.count && strcmp(list->words.items[i], word) != 0) {
        i++;
    }
    return i;
}

/* ---- what runs ---- */

static void decide_program(struct deciding *deciding)
{
    const struct policy *policy = deciding->policy;
    struct cella_error err;
    char key[KEY_SIZE];
    if (deciding->runtime != NULL) {
        const char *name = deciding->runtime->name;
        const int result = policy_check_language(policy, deciding->runtime, &err);
        list_key(&policy->languages, "languages", word_index(&policy->languages, name), key);
        give(deciding, "language", name, key, failed(result, &err), "may be run");
        return;
    }
    const char *path = deciding->spec->command.items[0];
    size_t index = 0;
    while (index < policy->commands.words.count &&
           !(path[0] == '/' && glob_match(policy->commands.words.items[index] + 1, path + 1))) {
        index++;
    }
    const int result = policy_check_command(policy, deciding->spec, &err);
    list_key(&policy->commands, "commands", index, key);
    give(deciding, "command", path, key, failed(result, &err), "may be run");
}

/* ---- limits ---- */

static void decide_limit(struct deciding *deciding, enum limit limit, enum policy_stage stage)
{
    static const char *const reasons[] = {
        [PLAN_LIMIT_REQUEST] = "as asked",
        [PLAN_LIMIT_RUNTIME] = "which the language needs",
        [PLAN_LIMIT_POLICY] = "by default",
        [PLAN_LIMIT_DERIVED] = "from other limits",
        [PLAN_LIMIT_ADAPTIVE] = "from earlier runs of the same code",
    };
    const bool compiles = stage == POLICY_STAGE_COMPILE;
    const struct spec *spec = deciding->spec;
    const uint64_t asked = (compiles ? &spec->compile_limits : &spec->limits)->value[limit];
    struct plan_limit limits[LIMIT_COUNT];
    struct spec alone = {.code.data = NULL};
    struct cella_error err;
    char what[KEY_SIZE], key[KEY_SIZE + 16];
    char asked_text[UNITS_TEXT_SIZE] = "", value[UNITS_TEXT_SIZE], cap[UNITS_TEXT_SIZE];
    if (asked != LIMIT_UNSET) {
        limit_value_format(limit, asked, asked_text);
    }
    (void)snprintf(what, sizeof(what), "%slimits.%s", compiles ? "compile." : "",
                   limit_table[limit].name); /* fits */
    const int result = plan_limit_check(deciding->policy, spec, limit, stage, &err);
    (void)snprintf(key, sizeof(key), "%s.%s", what, asked != LIMIT_UNSET ? "cap" : "default");
    if (result < 0) {
        give(deciding, what, asked_text, key, &err, " ");
        return;
    }
    /* Others that are refused must not hide this one: those that are good decide what it is. */
    alone.adaptive_timeout = spec->adaptive_timeout;
    alone.past = spec->past;
    limits_init(&alone.limits);
    limits_init(&alone.compile_limits);
    for (enum limit i = 0; i < LIMIT_COUNT; i++) {
        if (plan_limit_check(deciding->policy, spec, i, stage, &err) == 0) {
            alone.limits.value[i] = spec->limits.value[i];
            alone.compile_limits.value[i] = spec->compile_limits.value[i];
        }
    }
    if (plan_limits(deciding->policy, &alone, deciding->runtime, stage, limits, &err) < 0) {
        give(deciding, what, asked_text, key, &err, " ");
        return;
    }
    limit_value_format(limit, limits[limit].value, value);
    limit_value_format(limit, limits[limit].cap, cap);
    give(deciding, what, asked_text, key, NULL, "%s, %s; at most %s", value,
         reasons[limits[limit].source], cap);
}

/* ---- network, environment, output ---- */

static void decide_network(struct deciding *deciding)
{
    static const char *const words[] = {
        [SPEC_NETWORK_NONE] = "none", [SPEC_NETWORK_HOST] = "host", [SPEC_NETWORK_ALLOW] = "allow"};
    const enum spec_network network = deciding->spec->network;
    struct cella_error err;
    const int result = policy_check_network(deciding->policy, deciding->spec, &err);
    const bool host = network == SPEC_NETWORK_HOST;
    give(deciding, "network", words[network],
         network == SPEC_NETWORK_NONE ? "network.loopback" : "network.host", failed(result, &err),
         "%s",
         host                         ? "the host's, if the keeper's ceiling allows it"
         : deciding->policy->loopback ? "none but an own loopback"
                                      : "none");
}

static void decide_variables(struct deciding *deciding)
{
    const struct policy *policy = deciding->policy;
    for (size_t i = 0; i < deciding->spec->env_count; i++) {
        const struct spec_variable *variable = &deciding->spec->env[i];
        struct cella_error err;
        struct policy_place unused;
        char what[KEY_SIZE], key[KEY_SIZE], set[KEY_SIZE];
        const int result = policy_check_variable(policy, variable->name, &err);
        (void)snprintf(what, sizeof(what), "env.%s", variable->name);   /* a cut is fine */
        (void)snprintf(set, sizeof(set), "env.set.%s", variable->name); /* likewise */
        list_key(&policy->env_allow, "env.allow", word_index(&policy->env_allow, variable->name),
                 key);
        give(deciding, what, variable->value, policy_find_key(policy, set, &unused) ? set : key,
             failed(result, &err), "as asked");
    }
    for (size_t i = 0; i < policy->env_set_count; i++) {
        char what[KEY_SIZE], key[KEY_SIZE];
        (void)snprintf(what, sizeof(what), "env.%s", policy->env_set[i].name);   /* fits */
        (void)snprintf(key, sizeof(key), "env.set.%s", policy->env_set[i].name); /* fits */
        give(deciding, what, "", key, NULL, "set to '%s'", policy->env_set[i].value);
    }
    for (size_t i = 0; i < policy->env_pass.count; i++) {
        char what[KEY_SIZE], key[KEY_SIZE];
        (void)snprintf(what, sizeof(what), "env.%s", policy->env_pass.items[i]); /* fits */
        (void)snprintf(key, sizeof(key), "env.pass[%zu]", i);                    /* fits */
        give(deciding, what, "", key, NULL, "passed on from whoever runs Cella");
    }
}

static void decide_output(struct deciding *deciding)
{
    const enum spec_on_output_limit asked = deciding->spec->on_output_limit;
    struct cella_error err;
    const int result = policy_check_output(deciding->policy, deciding->spec, &err);
    const bool stops =
        deciding->policy->on_output_limit == SPEC_OUTPUT_STOP || asked == SPEC_OUTPUT_STOP;
    give(deciding, "on_output_limit", request_choice_word(request_output_limits, (int)asked),
         "on_output_limit", failed(result, &err), "%s",
         stops ? "the run is ended" : "the rest is dropped");
}

/* ---- what no request says ---- */

static void tell_mounts(struct deciding *deciding)
{
    static const char *const words[] = {
        [POLICY_ACCESS_NONE] = "hidden",
        [POLICY_ACCESS_READ_ONLY] = "seen, if the keeper's ceiling allows it",
        [POLICY_ACCESS_WRITABLE] = "writable, if the keeper's ceiling allows it",
    };
    for (size_t i = 0; i < deciding->policy->mount_count; i++) {
        const struct policy_mount *mount = &deciding->policy->mounts[i];
        char what[PLAN_PATH_MAX + 8], key[KEY_SIZE];
        (void)snprintf(what, sizeof(what), "mount %s", mount->at);     /* fits */
        (void)snprintf(key, sizeof(key), "mounts[%zu]", mount->index); /* fits */
        deciding->source = mount->source;
        const bool moved = mount->path[0] != '\0' && strcmp(mount->path, mount->at) != 0;
        give(deciding, what, "", key, NULL, "%s%s%s", words[mount->access], moved ? ": " : "",
             moved ? mount->path : "");
    }
    deciding->source = 0;
}

/* Which file says it, into deciding->source, and which element of its list. */
static size_t find_call(struct deciding *deciding, const char *key, const char *name)
{
    for (size_t i = 0; i < deciding->policy->source_count; i++) {
        json_t *root = yaml_text_root(deciding->policy->sources[i]->definition.yaml);
        json_t *list = json_object_get(json_object_get(root, "syscalls"), key);
        for (size_t n = 0; n < json_array_size(list); n++) {
            if (strcmp(json_string_value(json_array_get(list, n)), name) == 0) {
                deciding->source = i;
                return n;
            }
        }
    }
    return 0; /* cannot be: a file said it */
}

static void tell_calls(struct deciding *deciding, const struct policy_call_list *calls,
                       const char *key, const char *text)
{
    for (size_t i = 0; i < calls->count; i++) {
        char what[KEY_SIZE];
        const char *name = syscall_name(calls->numbers[i]);
        char full_key[KEY_SIZE];
        (void)snprintf(what, sizeof(what), "system call %s", name); /* fits */
        (void)snprintf(full_key, sizeof(full_key), "syscalls.%s[%zu]", key,
                       find_call(deciding, key, name)); /* fits */
        give(deciding, what, "", full_key, NULL, "%s", text);
    }
    deciding->source = 0;
}

static void tell_rest(struct deciding *deciding)
{
    const struct policy *policy = deciding->policy;
    give(deciding, "system calls", "", "syscalls.set", NULL, "the set '%s'",
         request_choice_word(policy_syscalls_words, (int)policy->syscalls));
    tell_calls(deciding, &policy->allowed_calls, "allow", "allowed beside the set");
    tell_calls(deciding, &policy->denied_calls, "deny", "denied");
    tell_mounts(deciding);
    give(deciding, "files_apart", "", "files_apart", NULL, "%s",
         policy_files_are_apart(policy) ? "yes" : "no");
    give(deciding, "one_processor", "", "one_processor", NULL, "%s",
         policy->one_processor ? "yes" : "no");
    give(deciding, "cold_start", "", "cold_start", NULL, "%s", policy->cold_start ? "yes" : "no");
    give(deciding, "adaptive_timeout",
         deciding->spec->adaptive_timeout == SPEC_ADAPTIVE_UNSET ? ""
         : deciding->spec->adaptive_timeout == SPEC_ADAPTIVE_ON  ? "yes"
                                                                 : "no",
         "adaptive_timeout", NULL, "%s",
         plan_limits_are_adaptive(policy, deciding->spec) ? "yes" : "no");
    for (size_t i = 0; i < policy->preload_count; i++) {
        if (deciding->runtime != NULL &&
            strcmp(policy->preload[i].name, deciding->runtime->name) == 0) {
            give(deciding, "preload", "", "preload", NULL, "%s", policy->preload[i].value);
        }
    }
    give(deciding, "compile_cache", "", "compile_cache", NULL, "%s",
         policy_compile_cache_words[policy->compile_cache]);
    give(deciding, "history.code", "", "history.code", NULL, "%s",
         policy->history_code ? "kept" : "not kept");
    give(deciding, "history.output", "", "history.output", NULL, "%s",
         policy->history_output ? "kept" : "not kept");
    give(deciding, "control_groups", "", "control_groups", NULL, "%s",
         request_choice_word(policy_control_groups_words, (int)policy->control_groups));
    for (enum protection i = 0; i < PROTECTION_COUNT; i++) {
        if ((policy->waived & protection_bit(i)) != 0) {
            give(deciding, protection_table[i].name, "", "waive", NULL, "left out");
        }
    }
}

int policy_decide(const struct policy *policy, const struct spec *spec,
                  const struct runtime *runtime,
                  void (*row)(void *context, const struct policy_decision *decision), void *context,
                  bool *ret_allowed, struct cella_error *err)
{
    struct deciding deciding = {policy, spec, runtime, row, context, 0, true};
    const bool compiles = runtime_is_compiled(runtime);
    struct plan plan;
    decide_program(&deciding);
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        decide_limit(&deciding, limit, POLICY_STAGE_RUN);
    }
    for (enum limit limit = 0; compiles && limit < LIMIT_COUNT; limit++) {
        decide_limit(&deciding, limit, POLICY_STAGE_COMPILE);
    }
    decide_network(&deciding);
    decide_variables(&deciding);
    decide_output(&deciding);
    tell_rest(&deciding);
    /* What is told here and what a run would be told must be the same. */
    const bool planned =
        policy_plan(policy, spec, runtime, POLICY_STAGE_RUN, &plan, err) == 0 &&
        (!compiles || policy_plan(policy, spec, runtime, POLICY_STAGE_COMPILE, &plan, err) == 0);
    if (deciding.allowed && !planned) {
        return -1; /* of the host: a mount that leads astray */
    }
    *ret_allowed = deciding.allowed;
    return 0;
}
