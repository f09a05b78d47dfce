/*
 * Policies from their files: finding them, what one extends, and what is left out.
 *
 * A file's keys are laid over the policy that it extends, or over the default one; then what
 * results is held against that policy.  The chain is short and has no circle, because each file of
 * it is noted before the next is looked for.
 */
#include "policy/policy.h"

#include "base/alloc.h"
#include "base/error.h"
#include "policy/read.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

/* What a compiler needs that programs do not, where a policy does not say otherwise. */
static const struct {
    enum limit limit;
    uint64_t value;
} compile_needs[] = {
    {LIMIT_WALL, 30 * LIMIT_SECOND},
    {LIMIT_MEMORY, LIMIT_GIB},
    {LIMIT_PROCESSES, 256},
    {LIMIT_DISK, LIMIT_GIB},
    {LIMIT_COLLECT_BYTES, 64 * LIMIT_MIB}, /* the compiled program: as large as file_bytes allows */
};

struct loading { /* what every file of a chain is read with */
    const char *extra_dir;
    struct paths_dirs dirs;
    const char *names[POLICY_EXTENDS_MAX]; /* of those being read, the outermost first */
    size_t depth;
};

/* ---- objects ---- */

static void source_destroy(struct policy_source *source)
{
    if (source != NULL) {
        definition_done(&source->definition);
        free(source);
    }
}

void policy_destroy(struct policy *policy)
{
    if (policy == NULL) {
        return;
    }
    for (size_t i = 0; i < policy->source_count; i++) {
        source_destroy(policy->sources[i]);
    }
    spec_strings_done(&policy->languages.words);
    spec_strings_done(&policy->commands.words);
    spec_strings_done(&policy->env_pass);
    spec_strings_done(&policy->env_allow.words);
    spec_variables_free(policy->env_set, policy->env_set_count);
    spec_variables_free(policy->preload, policy->preload_count);
    free(policy->name);
    free(policy->file);
    free(policy->description);
    free(policy);
}

static void policy_done(struct policy **policy)
{
    policy_destroy(*policy);
}
#define AUTO_POLICY CLEANUP(policy_done)

static int copy_strings(const struct spec_strings *from, struct spec_strings *to)
{
    for (size_t i = 0; i < from->count; i++) {
        if (spec_strings_add(to, from->items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int copy_variables(const struct spec_variable *from, size_t count, struct spec_variable **to,
                          size_t *to_count)
{
    for (size_t i = 0; i < count; i++) {
        if (spec_variables_add(to, to_count, from[i].name, from[i].value) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What `base` gives, as the start of a policy that extends it.  Its mounts then come from a file
 * one step further away. */
static int copy_rules(const struct policy *base, struct policy *policy, struct cella_error *err)
{
    policy->defaults = base->defaults;
    policy->caps = base->caps;
    policy->compile_defaults = base->compile_defaults;
    policy->compile_caps = base->compile_caps;
    policy->waived = base->waived;
    policy->control_groups = base->control_groups;
    policy->syscalls = base->syscalls;
    policy->allowed_calls = base->allowed_calls;
    policy->denied_calls = base->denied_calls;
    policy->loopback = base->loopback;
    policy->host_network = base->host_network;
    policy->files_apart = base->files_apart;
    policy->one_processor = base->one_processor;
    policy->cold_start = base->cold_start;
    policy->adaptive_timeout = base->adaptive_timeout;
    policy->compile_cache = base->compile_cache;
    policy->history_code = base->history_code;
    policy->history_output = base->history_output;
    policy->on_output_limit = base->on_output_limit;
    policy->languages.all = base->languages.all;
    policy->commands.all = base->commands.all;
    policy->env_allow.all = base->env_allow.all;
    memcpy(policy->mounts, base->mounts, sizeof(policy->mounts));
    policy->mount_count = base->mount_count;
    for (size_t i = 0; i < policy->mount_count; i++) {
        policy->mounts[i].source++;
    }
    return copy_strings(&base->languages.words, &policy->languages.words) < 0 ||
                   copy_strings(&base->commands.words, &policy->commands.words) < 0 ||
                   copy_strings(&base->env_pass, &policy->env_pass) < 0 ||
                   copy_strings(&base->env_allow.words, &policy->env_allow.words) < 0 ||
                   copy_variables(base->env_set, base->env_set_count, &policy->env_set,
                                  &policy->env_set_count) < 0 ||
                   copy_variables(base->preload, base->preload_count, &policy->preload,
                                  &policy->preload_count) < 0
               ? error_set_memory(err)
               : 0;
}

static void set_defaults(struct policy *policy)
{
    policy->compile_cache = POLICY_CACHE_TENANT;
    policy->history_code = true;
    policy->history_output = true;
    policy->loopback = true;
    policy->on_output_limit = SPEC_OUTPUT_TRUNCATE;
    policy->languages.all = true;
    policy->commands.all = true;
    policy->env_allow.all = true;
}

/* ---- limits ---- */

static int check_default(const struct limits *defaults, const struct limits *caps, enum limit limit,
                         const struct json_where *parent, struct cella_error *err)
{
    if (defaults->value[limit] < LIMIT_DERIVED && defaults->value[limit] > caps->value[limit]) {
        struct json_where where = {.parent = parent, .key = limit_table[limit].name};
        return json_text_fail(err, &where, "has a default above its cap");
    }
    return 0;
}

/* What the file says, else what is usual; a default that it leaves out is kept below the cap.
 * LIMIT_DERIVED is cut when it is worked out. */
static void lay_over(const struct limits *said_defaults, const struct limits *said_caps,
                     struct limits *defaults, struct limits *caps)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (said_caps->value[limit] != LIMIT_UNSET) {
            caps->value[limit] = said_caps->value[limit];
        }
        uint64_t *value = &defaults->value[limit];
        if (said_defaults->value[limit] != LIMIT_UNSET) {
            *value = said_defaults->value[limit];
        } else if (*value != LIMIT_DERIVED && *value > caps->value[limit]) {
            *value = caps->value[limit];
        }
    }
}

/* What is usual for a policy that extends no other: for the run the table's values; for compiling
 * the run's caps, and defaults that compilers need. */
static void set_usual_run(struct policy *policy)
{
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        policy->caps.value[limit] = limit_table[limit].default_cap;
        policy->defaults.value[limit] = limit_table[limit].default_value;
    }
}

static void set_usual_compile(struct policy *policy)
{
    policy->compile_caps = policy->caps;
    policy->compile_defaults = policy->defaults;
    for (size_t i = 0; i < ARRAY_LENGTH(compile_needs); i++) {
        policy->compile_defaults.value[compile_needs[i].limit] = compile_needs[i].value;
    }
}

static int complete_limits(struct policy *policy, const struct policy_said *said, bool extends,
                           struct cella_error *err)
{
    const struct json_where run = {.key = "limits"};
    const struct json_where compile = {.key = "compile"};
    const struct json_where compile_limits = {.parent = &compile, .key = "limits"};
    if (!extends) {
        set_usual_run(policy);
    }
    lay_over(&said->defaults, &said->caps, &policy->defaults, &policy->caps);
    if (!extends) {
        set_usual_compile(policy);
    }
    lay_over(&said->compile_defaults, &said->compile_caps, &policy->compile_defaults,
             &policy->compile_caps);
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        if (check_default(&policy->defaults, &policy->caps, limit, &run, err) < 0 ||
            check_default(&policy->compile_defaults, &policy->compile_caps, limit, &compile_limits,
                          err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- a file ---- */

static int load_named(struct loading *loading, const char *name, struct policy **ret_policy,
                      struct cella_error *err);

static int load_base(struct loading *loading, const char *name, struct policy **ret_base,
                     struct cella_error *err)
{
    struct cella_error inner;
    for (size_t i = 0; i < loading->depth; i++) {
        if (loading->names[i] != NULL && strcmp(loading->names[i], name) == 0) {
            (void)error_set(err, CELLA_ERROR_CALLER, 0,
                            "extends '%s', which extends this one: a circle", name);
            return error_set_field(err, "extends");
        }
    }
    if (loading->depth == POLICY_EXTENDS_MAX) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "extends a policy on top of %d others",
                        POLICY_EXTENDS_MAX - 1);
        return error_set_field(err, "extends");
    }
    if (load_named(loading, name, ret_base, &inner) == 0) {
        return 0;
    }
    if (inner.kind != CELLA_ERROR_POLICY) { /* it says its own file and line */
        *err = inner;
        return -1;
    }
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "extends an %s", inner.text);
    (void)error_set_field(err, "extends");
    return error_set_hint(err, "%s", inner.hint);
}

/* The files of the base become further files of the policy. */
static void take_sources(struct policy *policy, struct policy *base)
{
    for (size_t i = 0; i < base->source_count && policy->source_count < POLICY_EXTENDS_MAX; i++) {
        policy->sources[policy->source_count++] = base->sources[i];
        base->sources[i] = NULL;
    }
}

static int read_rules(struct loading *loading, struct policy *policy, struct policy *base,
                      json_t *root, bool loosen, struct cella_error *err)
{
    struct policy_said said;
    if (base == NULL) {
        set_defaults(policy);
    } else if (copy_rules(base, policy, err) < 0) {
        return -1;
    }
    if (policy_read_keys(root, loosen, policy, &said, err) < 0 ||
        complete_limits(policy, &said, base != NULL, err) < 0 ||
        policy_mounts_check(policy, loading->extra_dir, err) < 0) {
        return -1;
    }
    if (base != NULL) {
        if (!loosen && policy_check_tighter(policy, base, err) < 0) {
            return -1;
        }
        take_sources(policy, base);
    }
    return 0;
}

static int read_into(struct loading *loading, struct policy *policy, json_t *root,
                     struct cella_error *err)
{
    AUTO_POLICY struct policy *base = NULL;
    const char *extends;
    bool loosen;
    if (policy_read_base(root, &extends, &loosen, err) < 0 ||
        (extends != NULL && load_base(loading, extends, &base, err) < 0)) {
        return -1;
    }
    return read_rules(loading, policy, base, root, loosen, err);
}

static int set_digest(struct policy *policy, struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer text;
    char *description = policy->description;
    char nothing[] = "";
    buffer_init(&text, 0);
    policy->description = nothing;
    const int shown = policy_show(policy, POLICY_YAML, &text, err);
    policy->description = description;
    if (shown == 0 && text.size > YAML_TEXT_SIZE_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0,
                         "%s: with all that it extends the policy has %zu bytes, at most %u are "
                         "allowed",
                         policy->file, text.size, YAML_TEXT_SIZE_MAX);
    }
    if (shown == 0) {
        (void)SHA256Data((const uint8_t *)text.data, text.size, policy->digest); /* its argument */
    }
    return shown;
}

/* An empty policy of that file, or NULL.  The definition is taken over, also on failure. */
static struct policy *create_policy(const char *name, struct definition *definition)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    struct policy_source *source = calloc(1, sizeof(*source));
    if (policy == NULL || source == NULL) {
        free(policy);
        free(source);
        definition_done(definition);
        return NULL;
    }
    source->definition = *definition;
    *definition = (struct definition){0};
    policy->sources[policy->source_count++] = source;
    policy->name = alloc_copy(name, strlen(name));
    policy->file = alloc_copy(source->definition.file, strlen(source->definition.file));
    policy->description = alloc_copy("", 0);
    if (policy->name == NULL || policy->file == NULL || policy->description == NULL) {
        policy_destroy(policy);
        return NULL;
    }
    return policy;
}

/* Takes the definition over, also on failure. */
static int make_policy(struct loading *loading, const char *name, struct definition *definition,
                       struct policy **ret_policy, struct cella_error *err)
{
    struct policy *policy = create_policy(name, definition);
    if (policy == NULL) {
        return error_set_memory(err);
    }
    const struct yaml_text *yaml = policy->sources[0]->definition.yaml;
    loading->names[loading->depth++] = policy->name;
    int result = read_into(loading, policy, yaml_text_root(yaml), err);
    loading->depth--;
    if (result < 0) {
        (void)yaml_text_place(yaml, err); /* returns -1 */
    } else {
        result = set_digest(policy, err);
    }
    if (result < 0) {
        policy_destroy(policy);
        return -1;
    }
    *ret_policy = policy;
    return 0;
}

static int fail_unknown(const struct paths_dirs *dirs, const char *name, struct cella_error *err)
{
    CLEANUP(spec_strings_done) struct spec_strings names = {0};
    if (definition_list(dirs, &names, err) < 0) {
        return -1;
    }
    return definition_fail_unknown(err, CELLA_ERROR_POLICY, "policy", name, &names, NULL);
}

static int load_named(struct loading *loading, const char *name, struct policy **ret_policy,
                      struct cella_error *err)
{
    struct definition definition = {0};
    const int found = definition_read(&loading->dirs, name, &definition, err);
    if (found <= 0) {
        return found < 0 ? -1 : fail_unknown(&loading->dirs, name, err);
    }
    return make_policy(loading, name, &definition, ret_policy, err);
}

int policy_load(const char *extra_dir, const char *name, struct policy **ret_policy,
                struct cella_error *err)
{
    struct loading loading = {.extra_dir = extra_dir};
    if (paths_search(PATHS_POLICIES, extra_dir, &loading.dirs, err) < 0) {
        return -1;
    }
    return load_named(&loading, name, ret_policy, err);
}

int policy_load_file(const char *extra_dir, const char *path, struct policy **ret_policy,
                     struct cella_error *err)
{
    struct loading loading = {.extra_dir = extra_dir};
    struct definition definition = {0};
    char name[SPEC_NAME_MAX + 1];
    if (paths_search(PATHS_POLICIES, extra_dir, &loading.dirs, err) < 0 ||
        definition_read_file(path, &definition, err) < 0) {
        return -1;
    }
    IGNORE(definition_name_of_file(path, name)); /* what is told of it needs no good name */
    return make_policy(&loading, name, &definition, ret_policy, err);
}

int policy_list_names(const char *extra_dir, struct spec_strings *ret_names,
                      struct cella_error *err)
{
    struct paths_dirs dirs;
    return paths_search(PATHS_POLICIES, extra_dir, &dirs, err) < 0
               ? -1
               : definition_list(&dirs, ret_names, err);
}

bool policy_find_key(const struct policy *policy, const char *key, struct policy_place *ret_place)
{
    return policy_find_key_from(policy, 0, key, ret_place);
}

bool policy_find_key_from(const struct policy *policy, size_t source, const char *key,
                          struct policy_place *ret_place)
{
    for (size_t i = source; i < policy->source_count; i++) {
        const struct definition *definition = &policy->sources[i]->definition;
        struct policy_place place = {.file = definition->file};
        if (yaml_text_find(definition->yaml, key, &place.line, &place.column)) {
            *ret_place = place;
            return true;
        }
    }
    return false;
}
