/*
 * The public functions of policy.h.
 */
#include "base/error.h"
#include "base/json_write.h"
#include "base/names.h"
#include "engine/engine.h"
#include "policy/decide.h"
#include "runtime/definition.h"

#include <cella/policy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void policy_done(struct policy **policy)
{
    policy_destroy(*policy);
}
#define AUTO_POLICY CLEANUP(policy_done)

static bool is_file(const char *policy)
{
    return strchr(policy, '/') != NULL || definition_is_file_name(policy);
}

static int load(const char *policies_dir, const char *name, struct policy **ret_policy,
                struct cella_error *err)
{
    return is_file(name) ? policy_load_file(policies_dir, name, ret_policy, err)
                         : policy_load(policies_dir, name, ret_policy, err);
}

/* ---- the list ---- */

int cella_policies(const struct cella_options *options,
                   void (*row)(void *context, const struct cella_policy *policy), void *context,
                   struct cella_error *err)
{
    CLEANUP(spec_strings_done) struct spec_strings names = {0};
    struct cella_options known;
    if (engine_options(options, &known, err) < 0 ||
        policy_list_names(known.policies_dir, &names, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        AUTO_POLICY struct policy *policy = NULL;
        struct cella_error problem = {.kind = CELLA_ERROR_NONE};
        struct cella_policy given = {names.items[i], "", "", "", ""};
        if (policy_load(known.policies_dir, names.items[i], &policy, &problem) < 0) {
            given.problem = problem.text;
        } else {
            given.description = policy->description;
            given.file = policy->file;
            given.digest = policy->digest;
        }
        row(context, &given);
    }
    return 0;
}

static void write_policy(void *context, const struct cella_policy *policy)
{
    struct json_writer *writer = context;
    json_write_open(writer, '{');
    json_write_member(writer, "name", policy->name);
    json_write_member(writer, "description", policy->description);
    json_write_member(writer, "file", policy->file);
    json_write_member(writer, "digest", policy->digest);
    json_write_member(writer, "problem", policy->problem);
    json_write_close(writer, '}');
}

/* Gives the text to the caller, if it came about. */
static int take_text(struct buffer *text, int result, bool failed, char **ret_text,
                     struct cella_error *err)
{
    if (result == 0 && failed) {
        result = error_set_memory(err);
    }
    if (result < 0) {
        buffer_done(text);
        return -1;
    }
    *ret_text = text->data;
    return 0;
}

int cella_policies_json(const struct cella_options *options, char **ret_json,
                        struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    json_write_open(&writer, '{');
    json_write_key(&writer, "policies");
    json_write_open(&writer, '[');
    const int result = cella_policies(options, write_policy, &writer, err);
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    return take_text(&out, result, writer.failed, ret_json, err);
}

/* ---- one policy ---- */

/* "FILE:LINE:COLUMN: languages[1] ...", for a name that no runtime has. */
static int fail_language(const struct policy *policy, size_t index,
                         const struct runtime *const *runtimes, size_t count,
                         struct cella_error *err)
{
    const char *word = policy->languages.words.items[index];
    char key[64];
    struct policy_place place = {policy->file, 1, 1};
    struct names_guess guess;
    (void)snprintf(key, sizeof(key), "languages[%zu]", index); /* fits */
    (void)policy_find_key(policy, key, &place);                /* it is there: it was read */
    names_guess_init(&guess, word);
    for (size_t i = 0; i < count; i++) {
        names_guess_offer(&guess, runtimes[i]->name);
        if (spec_strings_have(&runtimes[i]->aliases, word)) {
            (void)error_set(err, CELLA_ERROR_HOST, 0, "%s:%zu:%zu: %s is another name of '%s'",
                            place.file, place.line, place.column, key, runtimes[i]->name);
            return error_set_hint(err, "write '%s'", runtimes[i]->name);
        }
    }
    (void)error_set(err, CELLA_ERROR_HOST, 0, "%s:%zu:%zu: %s is no language: '%s'", place.file,
                    place.line, place.column, key, word);
    return names_guess_hint(&guess, err);
}

static int check_languages(const struct policy *policy, const char *runtimes_dir,
                           struct cella_error *err)
{
    struct runtime_set *set;
    const struct runtime *const *runtimes;
    size_t count;
    if (policy->languages.words.count == 0) {
        return 0;
    }
    if (runtime_set_open(runtimes_dir, &set, err) < 0) {
        return -1;
    }
    int result = runtime_all(set, &runtimes, &count, err);
    for (size_t i = 0; result == 0 && i < policy->languages.words.count; i++) {
        size_t n = 0;
        while (n < count && strcmp(runtimes[n]->name, policy->languages.words.items[i]) != 0) {
            n++;
        }
        result = n == count ? fail_language(policy, i, runtimes, count, err) : 0;
    }
    runtime_set_close(set);
    return result;
}

int cella_policy_check(const struct cella_options *options, const char *policy,
                       struct cella_error *err)
{
    AUTO_POLICY struct policy *loaded = NULL;
    struct cella_options known;
    return engine_options(options, &known, err) < 0 ||
                   load(known.policies_dir, policy, &loaded, err) < 0
               ? -1
               : check_languages(loaded, known.runtimes_dir, err);
}

int cella_policy_show(const struct cella_options *options, const char *policy,
                      enum cella_policy_format format, char **ret_text, struct cella_error *err)
{
    AUTO_POLICY struct policy *loaded = NULL;
    struct cella_options known;
    struct buffer out;
    buffer_init(&out, 0);
    if (engine_options(options, &known, err) < 0 ||
        load(known.policies_dir, policy, &loaded, err) < 0) {
        return -1;
    }
    const int result =
        policy_show(loaded, format == CELLA_POLICY_JSON ? POLICY_JSON : POLICY_YAML, &out, err);
    return take_text(&out, result, false, ret_text, err);
}

/* ---- a request under it ---- */

struct decisions {
    void (*row)(void *context, const struct cella_decision *decision);
    void *context;
};

static void give_decision(void *context, const struct policy_decision *decision)
{
    const struct decisions *decisions = context;
    const struct policy_place *place = decision->place;
    const struct cella_decision given = {
        .what = decision->what,
        .asked = decision->asked,
        .allowed = decision->allowed,
        .text = decision->text,
        .key = decision->key,
        .file = place != NULL ? place->file : "",
        .line = place != NULL ? place->line : 0,
        .column = place != NULL ? place->column : 0,
    };
    decisions->row(decisions->context, &given);
}

int cella_policy_test(struct cella_engine *engine, const char *policy,
                      const struct cella_request *request,
                      void (*row)(void *context, const struct cella_decision *decision),
                      void *context, int *ret_allowed, struct cella_error *err)
{
    AUTO_POLICY struct policy *loaded = NULL;
    const struct spec *spec = request->spec;
    const struct runtime *runtime = NULL;
    struct decisions decisions = {row, context};
    bool allowed;
    if (spec_check(spec, err) < 0 || load(engine->policies_dir, policy, &loaded, err) < 0 ||
        (spec->language != NULL &&
         runtime_find(engine->runtimes, spec->language, &runtime, err) < 0)) {
        return -1;
    }
    if (policy_decide(loaded, spec, runtime, give_decision, &decisions, &allowed, err) < 0) {
        return -1;
    }
    *ret_allowed = allowed;
    return 0;
}

static void write_decision(void *context, const struct cella_decision *decision)
{
    struct json_writer *writer = context;
    json_write_open(writer, '{');
    json_write_member(writer, "what", decision->what);
    json_write_member(writer, "asked", decision->asked);
    json_write_key(writer, "allowed");
    json_write_bool(writer, decision->allowed != 0);
    json_write_member(writer, "text", decision->text);
    json_write_member(writer, "key", decision->key);
    json_write_member(writer, "file", decision->file);
    json_write_key(writer, "line");
    json_write_unsigned(writer, decision->line);
    json_write_key(writer, "column");
    json_write_unsigned(writer, decision->column);
    json_write_close(writer, '}');
}

int cella_policy_test_json(struct cella_engine *engine, const char *policy,
                           const struct cella_request *request, char **ret_json, int *ret_allowed,
                           struct cella_error *err)
{
    struct buffer out;
    struct json_writer writer;
    int allowed = 0;
    buffer_init(&out, 0);
    json_write_init(&writer, &out);
    json_write_open(&writer, '{');
    json_write_key(&writer, "decisions");
    json_write_open(&writer, '[');
    int result = cella_policy_test(engine, policy, request, write_decision, &writer, &allowed, err);
    json_write_close(&writer, ']');
    json_write_key(&writer, "allowed");
    json_write_bool(&writer, allowed != 0);
    json_write_close(&writer, '}');
    result = take_text(&out, result, writer.failed, ret_json, err);
    if (result == 0) {
        *ret_allowed = allowed;
    }
    return result;
}
