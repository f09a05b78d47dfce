/*
 * Whether a policy gives nothing that another does not: for what one extends another and does not
 * say `loosen: true`.
 *
 * Each rule looks at one key and says of it what the base has.  They must together cover all that
 * policy_plan() and the checks of a request look at; tests/unit/test_policy_random.c holds that for
 * random chains: what a request gets under the one is never more than under the other.
 */
#include "base/error.h"
#include "base/glob.h"
#include "isolate/protections.h"
#include "policy/calls.h"
#include "policy/plan_limits.h"
#include "policy/policy.h"
#include "policy/read.h"
#include "request/limit_value.h"

#include <stdio.h>
#include <string.h>

/* "KEY gives more than ...": the text for whoever wrote the file, the key for finding it there. */
static int looser(const struct policy *base, const char *key, const char *has,
                  struct cella_error *err)
{
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s gives more than the policy '%s', which has %s",
                    key, base->name, has);
    (void)error_set_field(err, "%s", key);
    return error_set_hint(err, "give less, or say `loosen: true` if that is meant");
}

/* ---- limits ---- */

static void limit_text(enum limit limit, uint64_t value, char text[UNITS_TEXT_SIZE])
{
    if (value == LIMIT_DERIVED) {
        (void)snprintf(text, UNITS_TEXT_SIZE, "derived");
        return;
    }
    limit_value_format(limit, value, text);
}

/* A derived default moves with what a request asks for, so a number and a derived one cannot be
 * compared for all of them.  A derived cap is what the host has. */
static bool limit_is_looser(uint64_t value, uint64_t base, bool is_cap)
{
    if (is_cap) {
        value = plan_limit_cap(value);
        base = plan_limit_cap(base);
    }
    return value == LIMIT_DERIVED || base == LIMIT_DERIVED ? value != base : value > base;
}

static int check_limits(const struct limits *values, const struct limits *base_values,
                        const struct policy *base, const char *prefix, bool are_caps,
                        struct cella_error *err)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        char key[96];
        char has[UNITS_TEXT_SIZE];
        if (limit_is_looser(values->value[limit], base_values->value[limit], are_caps)) {
            (void)snprintf(key, sizeof(key), "%s.%s.%s", prefix, limit_table[limit].name,
                           are_caps ? "cap" : "default"); /* fits */
            limit_text(limit, base_values->value[limit], has);
            return looser(base, key, has, err);
        }
    }
    return 0;
}

static int check_all_limits(const struct policy *policy, const struct policy *base,
                            struct cella_error *err)
{
    return check_limits(&policy->caps, &base->caps, base, "limits", true, err) < 0 ||
                   check_limits(&policy->defaults, &base->defaults, base, "limits", false, err) <
                       0 ||
                   check_limits(&policy->compile_caps, &base->compile_caps, base, "compile.limits",
                                true, err) < 0 ||
                   check_limits(&policy->compile_defaults, &base->compile_defaults, base,
                                "compile.limits", false, err) < 0
               ? -1
               : 0;
}

/* ---- lists ---- */

/* A pattern is within another if it is the same, or a plain path that the other matches. */
static bool pattern_is_within(const char *pattern, const struct spec_strings *bases)
{
    const bool plain = strpbrk(pattern, "*?[\\") == NULL;
    for (size_t i = 0; i < bases->count; i++) {
        if (strcmp(bases->items[i] + 1, pattern + 1) == 0 ||
            (plain && glob_match(bases->items[i] + 1, pattern + 1))) {
            return true;
        }
    }
    return false;
}

static bool word_is_within(const char *word, const struct spec_strings *bases)
{
    return spec_strings_have(bases, word);
}

static int check_words(const struct spec_strings *words, const struct spec_strings *base_words,
                       bool (*is_within)(const char *word, const struct spec_strings *bases),
                       const struct policy *base, const char *key, struct cella_error *err)
{
    for (size_t i = 0; i < words->count; i++) {
        char field[64];
        if (!is_within(words->items[i], base_words)) {
            char has[256];
            (void)snprintf(has, sizeof(has), "no '%s'", words->items[i]); /* a cut is fine */
            (void)snprintf(field, sizeof(field), "%s[%zu]", key, i);      /* fits */
            return looser(base, field, has, err);
        }
    }
    return 0;
}

static int check_list(const struct policy_list *list, const struct policy_list *base_list,
                      bool (*is_within)(const char *word, const struct spec_strings *bases),
                      const struct policy *base, const char *key, struct cella_error *err)
{
    if (base_list->all) {
        return 0;
    }
    return list->all ? looser(base, key, "a list", err)
                     : check_words(&list->words, &base_list->words, is_within, base, key, err);
}

static int check_lists(const struct policy *policy, const struct policy *base,
                       struct cella_error *err)
{
    return check_list(&policy->languages, &base->languages, word_is_within, base, "languages",
                      err) < 0 ||
                   check_list(&policy->commands, &base->commands, pattern_is_within, base,
                              "commands", err) < 0 ||
                   check_list(&policy->env_allow, &base->env_allow, word_is_within, base,
                              "env.allow", err) < 0 ||
                   check_words(&policy->env_pass, &base->env_pass, word_is_within, base, "env.pass",
                               err) < 0
               ? -1
               : 0;
}

/* What the base sets stays set, to the same. */
static int check_variables(const struct policy *policy, const struct policy *base,
                           struct cella_error *err)
{
    for (size_t i = 0; i < base->env_set_count; i++) {
        const struct spec_variable *set = &base->env_set[i];
        size_t n = 0;
        while (n < policy->env_set_count && strcmp(policy->env_set[n].name, set->name) != 0) {
            n++;
        }
        if (n == policy->env_set_count || strcmp(policy->env_set[n].value, set->value) != 0) {
            char key[96];
            char has[256];
            (void)snprintf(key, sizeof(key), "env.set.%s", set->name);  /* fits */
            (void)snprintf(has, sizeof(has), "'%s' there", set->value); /* a cut is fine */
            return looser(base, key, has, err);
        }
    }
    return 0;
}

/* ---- choices ---- */

static int check_choices(const struct policy *policy, const struct policy *base,
                         struct cella_error *err)
{
    const struct {
        bool is_looser;
        const char *key, *has;
    } rows[] = {
        {policy->loopback && !base->loopback, "network.loopback", "false"},
        {policy->host_network && !base->host_network, "network.host", "false"},
        {!policy->one_processor && base->one_processor, "one_processor", "true"},
        {!policy->cold_start && base->cold_start, "cold_start", "true"},
        /* Each may give more time than the other. */
        {policy->adaptive_timeout != base->adaptive_timeout, "adaptive_timeout",
         base->adaptive_timeout ? "true" : "false"},
        {policy->compile_cache > base->compile_cache, "compile_cache",
         policy_compile_cache_words[base->compile_cache]},
        {policy->history_code && !base->history_code, "history.code", "false"},
        {policy->history_output && !base->history_output, "history.output", "false"},
        {policy->control_groups < base->control_groups, "control_groups", "'required'"},
        {policy->on_output_limit != SPEC_OUTPUT_STOP && base->on_output_limit == SPEC_OUTPUT_STOP,
         "on_output_limit", "'stop'"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].is_looser) {
            return looser(base, rows[i].key, rows[i].has, err);
        }
    }
    for (enum protection i = 0; i < PROTECTION_COUNT; i++) {
        if ((policy->waived & ~base->waived & protection_bit(i)) != 0) {
            char has[96];
            (void)snprintf(has, sizeof(has), "%s in force", protection_table[i].name); /* fits */
            return looser(base, "waive", has, err);
        }
    }
    return 0;
}

static int check_calls(const struct policy *policy, const struct policy *base,
                       struct cella_error *err)
{
    for (unsigned number = 0; number < syscall_numbers_end; number++) {
        if (policy_call_verdict(policy, number) <= policy_call_verdict(base, number)) {
            continue;
        }
        char has[96];
        (void)snprintf(has, sizeof(has), "no %s", syscall_name(number)); /* fits */
        const char *key = policy_calls_have(&policy->allowed_calls, number) ? "syscalls.allow"
                          : policy->syscalls < base->syscalls               ? "syscalls.set"
                                                                            : "syscalls.deny";
        return looser(base, key, has, err);
    }
    return 0;
}

/* ---- mounts ---- */

static const struct policy_mount *mount_at(const struct policy *policy, const char *at)
{
    for (size_t i = 0; i < policy->mount_count; i++) {
        if (strcmp(policy->mounts[i].at, at) == 0) {
            return &policy->mounts[i];
        }
    }
    return NULL;
}

static int check_mounts(const struct policy *policy, const struct policy *base,
                        struct cella_error *err)
{
    for (size_t i = 0; i < policy->mount_count; i++) {
        const struct policy_mount *mount = &policy->mounts[i];
        const struct policy_mount *theirs = mount_at(base, mount->at);
        if (mount->access == POLICY_ACCESS_NONE) {
            continue;
        }
        char key[32];
        (void)snprintf(key, sizeof(key), "mounts[%zu]", mount->index); /* fits */
        if (theirs == NULL) {
            return looser(base, key, "no mount at that place", err);
        }
        if (mount->access > theirs->access || strcmp(mount->path, theirs->path) != 0) {
            return looser(base, key,
                          theirs->access == POLICY_ACCESS_NONE ? "that place hidden"
                          : mount->access > theirs->access     ? "it read_only"
                                                               : "another path there",
                          err);
        }
    }
    for (size_t i = 0; i < base->mount_count; i++) {
        if (mount_at(policy, base->mounts[i].at) == NULL) {
            return looser(base, "mounts", base->mounts[i].at, err);
        }
    }
    return 0;
}

int policy_check_tighter(const struct policy *policy, const struct policy *base,
                         struct cella_error *err)
{
    return check_all_limits(policy, base, err) < 0 || check_lists(policy, base, err) < 0 ||
                   check_variables(policy, base, err) < 0 || check_choices(policy, base, err) < 0 ||
                   check_calls(policy, base, err) < 0 || check_mounts(policy, base, err) < 0
               ? -1
               : 0;
}
