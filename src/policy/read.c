/*
 * A policy's file into a policy: the readers of the table of keys (keys.h).
 *
 * Divisions: lists; limits; choices; system calls; environment; the whole.
 */
#include "policy/read.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/glob.h"
#include "base/names.h"
#include "base/utf8.h"
#include "isolate/protections.h"
#include "policy/calls.h"
#include "policy/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every reader has this form; `target` is the struct that its object fills. */
#define READER(id)                                                                                 \
    static int read_##id(void *target, json_t *value, const struct json_where *where,              \
                         struct cella_error *err)
#define FIELD(id, name, ...) {name, read_##id},

struct reading { /* target of every reader but those of one limit and one mount */
    struct policy *policy;
    struct policy_said *said;
    bool loosen;
};

bool policy_has_control(const char *text, bool may_have_lines)
{
    const size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        uint32_t code = 0;
        const size_t length = utf8_decode(text + at, size - at, &code);
        const bool line = may_have_lines && (code == '\n' || code == '\t');
        if (length == 0 || (utf8_is_control(code) && !line)) {
            return true;
        }
        at += length;
    }
    return false;
}

/* ---- lists ---- */

/* A list of words in place of the one that is there. */
static int read_words(json_t *value, const struct json_where *where,
                      const char *(*problem_of)(const char *word), struct spec_strings *words,
                      struct cella_error *err)
{
    spec_strings_done(words);
    return definition_read_checked_words(value, where, problem_of, words, err);
}

static bool is_text(json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* The same, or "all". */
static int read_list(json_t *value, const struct json_where *where,
                     const char *(*problem_of)(const char *word), struct policy_list *list,
                     struct cella_error *err)
{
    if (json_is_string(value) && !is_text(value, "all")) {
        return json_text_fail(err, where, "must be a list, or the word 'all'");
    }
    list->all = is_text(value, "all");
    if (list->all) {
        spec_strings_done(&list->words);
        return 0;
    }
    return read_words(value, where, problem_of, &list->words, err);
}

READER(languages)
{
    struct reading *reading = target;
    return read_list(value, where, definition_name_problem, &reading->policy->languages, err);
}

static const char *command_problem(const char *word)
{
    return word[0] != '/' || word[1] == '\0' || glob_problem(word + 1, strlen(word + 1)) != NULL
               ? "must be an absolute path or a pattern of one, without '.' and '..'"
               : NULL;
}

READER(commands)
{
    struct reading *reading = target;
    struct policy_list *commands = &reading->policy->commands;
    if (is_text(value, "none")) {
        spec_strings_done(&commands->words);
        *commands = (struct policy_list){.all = false};
        return 0;
    }
    if (json_is_string(value) && !is_text(value, "all")) {
        return json_text_fail(err, where, "must be a list, or one of the words 'none' and 'all'");
    }
    return read_list(value, where, command_problem, commands, err);
}

/* ---- limits ---- */

static const char derived[] = "derived";

enum bound { BOUND_DEFAULT, BOUND_CAP };

struct limit_target { /* what the fields of one limit are read into */
    enum limit limit;
    uint64_t *values[2]; /* by enum bound */
};

static bool may_be_derived(enum limit limit, enum bound bound)
{
    return bound == BOUND_CAP ? limit == LIMIT_CPUS : limit == LIMIT_CPU || limit == LIMIT_STACK;
}

static int read_bound(struct limit_target *target, enum bound bound, json_t *value,
                      const struct json_where *where, struct cella_error *err)
{
    if (is_text(value, derived)) {
        if (!may_be_derived(target->limit, bound)) {
            return json_text_fail(err, where, "cannot be derived");
        }
        *target->values[bound] = LIMIT_DERIVED;
        return 0;
    }
    return definition_read_limit(target->limit, value, where, target->values[bound], err);
}

READER(default)
{
    return read_bound(target, BOUND_DEFAULT, value, where, err);
}

READER(cap)
{
    return read_bound(target, BOUND_CAP, value, where, err);
}

static int read_limits_into(struct limits *defaults, struct limits *caps, json_t *value,
                            const struct json_where *where, struct cella_error *err)
{
    static const struct json_field fields[] = {POLICY_BOUND_KEYS(FIELD)};
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of limits to defaults and caps");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        struct json_where here = {.parent = where, .key = json_object_iter_key(at)};
        struct limit_target target;
        if (definition_limit_by_name(here.key, &here, &target.limit, err) < 0) {
            return -1;
        }
        target.values[BOUND_DEFAULT] = &defaults->value[target.limit];
        target.values[BOUND_CAP] = &caps->value[target.limit];
        if (json_text_read_object(json_object_iter_value(at), fields, ARRAY_LENGTH(fields), &target,
                                  &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

READER(limits)
{
    struct policy_said *said = ((struct reading *)target)->said;
    return read_limits_into(&said->defaults, &said->caps, value, where, err);
}

READER(compile_limits)
{
    struct policy_said *said = ((struct reading *)target)->said;
    return read_limits_into(&said->compile_defaults, &said->compile_caps, value, where, err);
}

READER(compile)
{
    static const struct json_field fields[] = {POLICY_COMPILE_KEYS(FIELD)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

/* ---- choices ---- */

READER(description)
{
    struct reading *reading = target;
    const char *text;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    if (strlen(text) > POLICY_DESCRIPTION_MAX || policy_has_control(text, false)) {
        return json_text_fail(err, where, "must be one line of at most %d bytes",
                              POLICY_DESCRIPTION_MAX);
    }
    free(reading->policy->description);
    reading->policy->description = alloc_copy(text, strlen(text));
    return reading->policy->description == NULL ? error_set_memory(err) : 0;
}

/* Read before everything else, by policy_read_base(). */
READER(extends)
{
    (void)target;
    (void)value;
    (void)where;
    (void)err;
    return 0;
}

READER(loosen)
{
    return read_extends(target, value, where, err);
}

READER(on_output_limit)
{
    struct reading *reading = target;
    int choice;
    if (request_choice_read(value, where, request_output_limits, &choice, err) < 0) {
        return -1;
    }
    reading->policy->on_output_limit = (enum spec_on_output_limit)choice;
    return 0;
}

const struct request_choice policy_control_groups_words[] = {
    {"preferred", PLAN_CONTROL_GROUPS_PREFERRED}, {"required", PLAN_CONTROL_GROUPS_REQUIRED}};

READER(control_groups)
{
    struct reading *reading = target;
    int choice;
    if (request_choice_read(value, where, policy_control_groups_words, &choice, err) < 0) {
        return -1;
    }
    reading->policy->control_groups = (enum plan_control_groups)choice;
    return 0;
}

READER(files_apart)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->files_apart, err);
}

READER(one_processor)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->one_processor, err);
}

READER(cold_start)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->cold_start, err);
}

READER(adaptive_timeout)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->adaptive_timeout, err);
}

const char *const policy_compile_cache_words[] = {
    [POLICY_CACHE_NONE] = "none",
    [POLICY_CACHE_TENANT] = "tenant",
    [POLICY_CACHE_SHARED] = "shared",
};

READER(compile_cache)
{
    struct reading *reading = target;
    size_t choice = 0;
    if (json_text_read_choice(value, where, policy_compile_cache_words,
                              ARRAY_LENGTH(policy_compile_cache_words),
                              "must be 'none', 'tenant' or 'shared'", &choice, err) < 0) {
        return -1;
    }
    reading->policy->compile_cache = (enum policy_compile_cache)choice;
    return 0;
}

READER(history_code)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->history_code, err);
}

READER(history_output)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->history_output, err);
}

READER(history)
{
    static const struct json_field fields[] = {POLICY_HISTORY_KEYS(FIELD)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

READER(loopback)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->loopback, err);
}

READER(host)
{
    struct reading *reading = target;
    return json_text_read_bool(value, where, &reading->policy->host_network, err);
}

READER(network_allow)
{
    (void)target;
    if (json_is_array(value) && json_array_size(value) == 0) {
        return 0;
    }
    return json_text_fail(err, where,
                          "must be empty: lists of allowed addresses are not available yet");
}

READER(network)
{
    static const struct json_field fields[] = {POLICY_NETWORK_KEYS(FIELD)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

static int read_waiver(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct policy *policy = target;
    const char *name;
    if (json_text_read_word(value, where, &name, err) < 0) {
        return -1;
    }
    enum protection protection = protection_by_name(name);
    if (protection != PROTECTION_COUNT) {
        policy->waived |= protection_bit(protection);
        return 0;
    }
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (size_t i = 0; i < PROTECTION_COUNT; i++) {
        names_guess_offer(&guess, protection_table[i].name);
    }
    (void)json_text_fail(err, where, "is no protection: '%s'", name);
    return names_guess_hint(&guess, err);
}

READER(waive)
{
    struct reading *reading = target;
    reading->policy->waived = 0;
    return json_text_read_array(value, reading->policy, read_waiver, where, err);
}

/* ---- system calls ---- */

const struct request_choice policy_syscalls_words[] = {{"default", PLAN_SYSCALLS_DEFAULT},
                                                       {"strict", PLAN_SYSCALLS_STRICT}};

READER(set)
{
    struct reading *reading = target;
    int choice;
    if (request_choice_read(value, where, policy_syscalls_words, &choice, err) < 0) {
        return -1;
    }
    reading->policy->syscalls = (enum plan_syscalls)choice;
    return 0;
}

static int read_calls(json_t *value, const struct json_where *where,
                      const char *(*problem_of)(uint32_t number), struct policy_call_list *list,
                      struct cella_error *err)
{
    if (!json_is_array(value)) {
        return json_text_fail(err, where, "must be a list of system calls");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct json_where here = {.parent = where, .index = i};
        const char *name;
        uint32_t number;
        if (json_text_read_word(json_array_get(value, i), &here, &name, err) < 0 ||
            policy_call_by_name(name, &here, &number, err) < 0) {
            return -1;
        }
        const char *problem = problem_of(number);
        if (problem != NULL) {
            return json_text_fail(err, &here, "%s %s", name, problem);
        }
        if (!policy_calls_add(list, number)) {
            return json_text_fail(err, &here, "is one too many: at most %d are allowed",
                                  PLAN_CALLS_MAX);
        }
    }
    return 0;
}

READER(allow_calls)
{
    struct policy_call_list *list = &((struct reading *)target)->policy->allowed_calls;
    list->count = 0;
    return read_calls(value, where, policy_call_allow_problem, list, err);
}

READER(deny_calls)
{
    struct reading *reading = target;
    struct policy_call_list *list = &reading->policy->denied_calls;
    if (reading->loosen) {
        list->count = 0;
    }
    return read_calls(value, where, policy_call_deny_problem, list, err);
}

READER(syscalls)
{
    static const struct json_field fields[] = {POLICY_SYSCALLS_KEYS(FIELD)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

READER(mounts)
{
    return policy_mounts_read(value, where, ((struct reading *)target)->policy, err);
}

/* ---- environment ---- */

static const char *variable_problem(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const size_t size = strlen(name);
    return size > 0 && size <= NAMES_LENGTH_MAX && strspn(name, first) > 0 &&
                   strspn(name, letters) == size
               ? NULL
               : "must be a name of letters, digits and '_'";
}

static int set_variable(struct policy *policy, const char *name, const char *text,
                        const struct json_where *where, struct cella_error *err)
{
    for (size_t i = 0; i < policy->env_set_count; i++) {
        if (strcmp(policy->env_set[i].name, name) == 0) {
            char *value = alloc_copy(text, strlen(text));
            if (value == NULL) {
                return error_set_memory(err);
            }
            free(policy->env_set[i].value);
            policy->env_set[i].value = value;
            return 0;
        }
    }
    if (policy->env_set_count == POLICY_VARIABLES_MAX) {
        return json_text_fail(err, where, "is one too many: at most %d are allowed",
                              POLICY_VARIABLES_MAX);
    }
    return spec_variables_add(&policy->env_set, &policy->env_set_count, name, text) < 0
               ? error_set_memory(err)
               : 0;
}

READER(env_set)
{
    struct reading *reading = target;
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of names to values");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        const char *name = json_object_iter_key(at);
        const struct json_where here = {.parent = where, .key = name};
        const char *text;
        if (!json_is_string(json_object_iter_value(at))) {
            return json_text_fail(err, &here, "must be text: put it into quotes");
        }
        if (json_text_read_word(json_object_iter_value(at), &here, &text, err) < 0) {
            return -1;
        }
        if (variable_problem(name) != NULL || strlen(text) > POLICY_VALUE_MAX) {
            return variable_problem(name) != NULL
                       ? json_text_fail(err, &here, "%s", variable_problem(name))
                       : json_text_fail(err, &here, "has more than %d bytes", POLICY_VALUE_MAX);
        }
        if (policy_has_control(text, true)) {
            return json_text_fail(err, &here, "has control characters");
        }
        if (set_variable(reading->policy, name, text, &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

READER(env_pass)
{
    struct reading *reading = target;
    return read_words(value, where, variable_problem, &reading->policy->env_pass, err);
}

READER(env_allow)
{
    struct reading *reading = target;
    return read_list(value, where, variable_problem, &reading->policy->env_allow, err);
}

READER(env)
{
    static const struct json_field fields[] = {POLICY_ENV_KEYS(FIELD)};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

READER(preload)
{
    return policy_preload_read(value, where, ((struct reading *)target)->policy, err);
}

/* ---- the whole ---- */

/* A key with nothing behind it would read as "as if it were not there", which for some lists is
 * everything, while an empty list is nothing. */
static int refuse_empty(json_t *root, struct cella_error *err)
{
    static const char *const lists[][2] = {
        {"languages", NULL},  {"commands", NULL},    {"mounts", NULL},
        {"waive", NULL},      {"syscalls", "allow"}, {"env", "pass"},
        {"syscalls", "deny"}, {"env", "allow"},      {"env", "set"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const struct json_where outer = {.key = lists[i][0]};
        const struct json_where inner = {.parent = &outer, .key = lists[i][1]};
        json_t *value = json_object_get(root, lists[i][0]);
        value = lists[i][1] == NULL ? value : json_object_get(value, lists[i][1]);
        if (json_is_null(value)) {
            return json_text_fail(err, lists[i][1] == NULL ? &outer : &inner,
                                  "has no value: write an empty one, or leave the line out");
        }
    }
    return 0;
}

int policy_read_base(json_t *root, const char **ret_extends, bool *ret_loosen,
                     struct cella_error *err)
{
    const struct json_where extends = {.key = "extends"};
    const struct json_where loosen = {.key = "loosen"};
    json_t *name = json_object_get(root, extends.key);
    json_t *loosens = json_object_get(root, loosen.key);
    *ret_extends = NULL;
    *ret_loosen = false;
    if (name != NULL && json_text_read_word(name, &extends, ret_extends, err) < 0) {
        return -1;
    }
    if (loosens != NULL && json_text_read_bool(loosens, &loosen, ret_loosen, err) < 0) {
        return -1;
    }
    return *ret_loosen && *ret_extends == NULL
               ? json_text_fail(err, &loosen, "means nothing in a policy that extends no other")
               : 0;
}

int policy_read_keys(json_t *root, bool loosen, struct policy *policy, struct policy_said *ret_said,
                     struct cella_error *err)
{
    static const struct json_field fields[] = {POLICY_KEYS(FIELD)};
    struct reading reading = {policy, ret_said, loosen};
    limits_init(&ret_said->defaults);
    limits_init(&ret_said->caps);
    limits_init(&ret_said->compile_defaults);
    limits_init(&ret_said->compile_caps);
    return refuse_empty(root, err) < 0
               ? -1
               : json_text_read_object(root, fields, ARRAY_LENGTH(fields), &reading, NULL, err);
}
