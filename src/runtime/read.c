/*
 * A runtime from its file: the table of fields, a reader for each, and what only the whole shows.
 */
#include "runtime/read.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/glob.h"
#include "isolate/pack.h"
#include "isolate/places.h"
#include "policy/mounts.h"
#include "runtime/errors.h"
#include "runtime/expand.h"
#include "runtime/version_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void runtime_destroy(struct runtime *runtime)
{
    if (runtime == NULL) {
        return;
    }
    free(runtime->name);
    free(runtime->file);
    free(runtime->package);
    free(runtime->entry);
    spec_strings_done(&runtime->aliases);
    spec_strings_done(&runtime->extensions);
    spec_strings_done(&runtime->shebangs);
    spec_strings_done(&runtime->path);
    spec_strings_done(&runtime->needs);
    spec_strings_done(&runtime->version);
    spec_strings_done(&runtime->run);
    spec_strings_done(&runtime->compile);
    spec_strings_done(&runtime->outputs);
    spec_strings_done(&runtime->uncached);
    free(runtime->output);
    spec_variables_free(runtime->env, runtime->env_count);
    free(runtime->mounts);
    spec_strings_done(&runtime->warm.preload);
    spec_strings_done(&runtime->warm.cold_env);
    free(runtime->version_memo);
    free(runtime->text);
    errors_destroy(runtime->errors);
    free(runtime);
}

/* ---- lists, and what each of their words must be ---- */

static const char *extension_problem(const char *word)
{
    return word[0] == '.' && word[1] != '\0' && strchr(word, '/') == NULL
               ? NULL
               : "must begin with a dot and have no slash";
}

static const char *interpreter_problem(const char *word)
{
    return strchr(word, '/') == NULL ? NULL : "must be a name without directories";
}

static const char *program_problem(const char *word)
{
    return word[0] == '/' ? NULL : "must be an absolute path";
}

static const char *argv_problem(const char *word)
{
    return expand_problem(word, EXPAND_IN_ARGV);
}

static const char *output_problem(const char *word)
{
    return glob_problem(word, strlen(word));
}

static const char *uncached_problem(const char *word)
{
    return word[0] != '\0' ? NULL : "must not be empty";
}

static const char *preload_problem(const char *word)
{
    return strchr(word, ',') == NULL ? NULL : "must be one name, without a comma";
}

#define LIST_READER(field, member, problem_of)                                                     \
    static int read_##field(void *target, json_t *value, const struct json_where *where,           \
                            struct cella_error *err)                                               \
    {                                                                                              \
        struct runtime *runtime = target;                                                          \
        return definition_read_checked_words(value, where, problem_of, &runtime->member, err);     \
    }
LIST_READER(aliases, aliases, definition_name_problem)
LIST_READER(extensions, extensions, extension_problem)
LIST_READER(shebangs, shebangs, interpreter_problem)
LIST_READER(path, path, program_problem)
LIST_READER(needs, needs, program_problem)
LIST_READER(version, version, argv_problem)
LIST_READER(run, run, argv_problem)
LIST_READER(compile_run, compile, argv_problem)
LIST_READER(outputs, outputs, output_problem)
LIST_READER(uncached, uncached, uncached_problem)
LIST_READER(preload, warm.preload, preload_problem)
LIST_READER(cold_env, warm.cold_env, output_problem)

/* ---- the other fields ---- */

static int read_package(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    struct runtime *runtime = target;
    return definition_read_word(value, where, &runtime->package, err);
}

/* The name of a file in the workspace. */
static int read_file_name(json_t *value, const struct json_where *where, char **ret_name,
                          struct cella_error *err)
{
    if (definition_read_word(value, where, ret_name, err) < 0) {
        return -1;
    }
    const char *problem = pack_path_problem(*ret_name, strlen(*ret_name));
    return problem == NULL ? 0 : json_text_fail(err, where, "%s", problem);
}

static int read_entry(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct runtime *runtime = target;
    return read_file_name(value, where, &runtime->entry, err);
}

static int read_output(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct runtime *runtime = target;
    return read_file_name(value, where, &runtime->output, err);
}

static int read_variable(struct runtime *runtime, const char *name, json_t *value,
                         const struct json_where *where, struct cella_error *err)
{
    const char *text;
    if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    }
    const char *problem = expand_problem(text, EXPAND_IN_ENV);
    if (problem != NULL || strchr(name, '-') != NULL) { /* keys are words of letters, '_' and '-' */
        return json_text_fail(err, where, "%s", problem != NULL ? problem : "must not have a '-'");
    }
    return spec_variables_add(&runtime->env, &runtime->env_count, name, text) < 0
               ? error_set_memory(err)
               : 0;
}

static int read_env(void *target, json_t *value, const struct json_where *where,
                    struct cella_error *err)
{
    struct runtime *runtime = target;
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of names to values");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        struct json_where here = {.parent = where, .key = json_object_iter_key(at)};
        if (runtime->env_count == DEFINITION_WORDS_MAX) {
            return json_text_fail(err, &here, "is one too many: at most %d are allowed",
                                  DEFINITION_WORDS_MAX);
        }
        if (read_variable(runtime, here.key, json_object_iter_value(at), &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Each is bound at its own place, where the host has it: hosts differ in what lies in /etc. */
static int read_mount(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct runtime *runtime = target;
    const char *path;
    if (json_text_read_word(value, where, &path, err) < 0) {
        return -1;
    }
    const char *problem = mounts_problem(path);
    if (problem == NULL && runtime->mount_count == PLAN_MOUNTS_MAX) {
        problem = "is one too many";
    }
    if (problem != NULL) {
        return json_text_fail(err, where, "%s", problem);
    }
    struct plan_mount *mounts = alloc_grow(runtime->mounts, runtime->mount_count, sizeof(*mounts));
    if (mounts == NULL) {
        return error_set_memory(err);
    }
    runtime->mounts = mounts;
    struct plan_mount *mount = &mounts[runtime->mount_count++];
    *mount = (struct plan_mount){.kind = PLAN_MOUNT_BIND, .flags = PLAN_MOUNT_OPTIONAL};
    memcpy(mount->source, path, strlen(path) + 1); /* mounts_problem() saw that it fits */
    memcpy(mount->target, path, strlen(path) + 1);
    return 0;
}

static int read_mounts(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    return json_text_read_array(value, target, read_mount, where, err);
}

static int read_limit_values(struct limits *limits, json_t *value, const struct json_where *where,
                             struct cella_error *err)
{
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of limits to values");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        struct json_where here = {.parent = where, .key = json_object_iter_key(at)};
        enum limit limit;
        if (definition_limit_by_name(here.key, &here, &limit, err) < 0 ||
            definition_read_limit(limit, json_object_iter_value(at), &here, &limits->value[limit],
                                  err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_limits(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct runtime *runtime = target;
    return read_limit_values(&runtime->limits, value, where, err);
}

static int read_compile_limits(void *target, json_t *value, const struct json_where *where,
                               struct cella_error *err)
{
    struct runtime *runtime = target;
    return read_limit_values(&runtime->compile_limits, value, where, err);
}

static int read_errors(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct runtime *runtime = target;
    return errors_read(value, where, &runtime->errors, err);
}

/* ---- the whole ---- */

static int fail_missing(struct cella_error *err, const struct json_where *parent, const char *key)
{
    struct json_where where = {.parent = parent, .key = key};
    return json_text_fail(err, &where, "is missing");
}

static int read_compile(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"run", read_compile_run},   {"output", read_output},         {"outputs", read_outputs},
        {"uncached", read_uncached}, {"limits", read_compile_limits},
    };
    struct runtime *runtime = target;
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err) < 0) {
        return -1;
    }
    if (runtime->compile.count == 0) {
        return fail_missing(err, where, "run");
    }
    if (runtime->output == NULL) {
        return fail_missing(err, where, "output");
    }
    return runtime->outputs.count == 0 ? fail_missing(err, where, "outputs") : 0;
}

static int read_start(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    struct runtime *runtime = target;
    const char *word;
    if (json_text_read_word(value, where, &word, err) < 0) {
        return -1;
    }
    runtime->warm.start = strcmp(word, "zygote") == 0     ? RUNTIME_START_ZYGOTE
                          : strcmp(word, "one_shot") == 0 ? RUNTIME_START_ONE_SHOT
                                                          : RUNTIME_START_ANEW;
    return runtime->warm.start == RUNTIME_START_ANEW
               ? json_text_fail(err, where, "must be 'zygote' or 'one_shot'")
               : 0;
}

static int read_warm(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"start", read_start},
        {"preload", read_preload},
        {"cold_env", read_cold_env},
    };
    struct runtime *runtime = target;
    if (json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err) < 0) {
        return -1;
    }
    if (runtime->warm.start == RUNTIME_START_ANEW) {
        return fail_missing(err, where, "start");
    }
    if (runtime->warm.start == RUNTIME_START_ONE_SHOT && runtime->warm.preload.count > 0) {
        const struct json_where here = {.parent = where, .key = "preload"};
        return json_text_fail(err, &here, "is for zygotes");
    }
    return 0;
}

/* A program that no sandbox sees could only fail there with "not found". */
static int check_paths_are_inside(const struct runtime *runtime, const char *key,
                                  const struct spec_strings *paths, struct cella_error *err)
{
    for (size_t i = 0; i < paths->count; i++) {
        bool inside = places_is_base(paths->items[i]);
        for (size_t j = 0; j < runtime->mount_count && !inside; j++) {
            inside = places_lies_in(paths->items[i], runtime->mounts[j].target);
        }
        if (!inside) {
            struct json_where list = {.key = key};
            struct json_where where = {.parent = &list, .index = i};
            (void)json_text_fail(err, &where, "is not in the sandbox");
            return error_set_hint(err, "add its directory to mounts");
        }
    }
    return 0;
}

static int check_whole(const struct runtime *runtime, struct cella_error *err)
{
    if (runtime->package == NULL) {
        return fail_missing(err, NULL, "package");
    }
    if (runtime->entry == NULL) {
        return fail_missing(err, NULL, "entry");
    }
    if (runtime->path.count == 0) {
        return fail_missing(err, NULL, "path");
    }
    if (runtime->run.count == 0) {
        return fail_missing(err, NULL, "run");
    }
    if (check_paths_are_inside(runtime, "path", &runtime->path, err) < 0) {
        return -1;
    }
    return check_paths_are_inside(runtime, "needs", &runtime->needs, err);
}

static int read_into(struct runtime *runtime, json_t *root, struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"package", read_package},   {"aliases", read_aliases}, {"extensions", read_extensions},
        {"shebangs", read_shebangs}, {"path", read_path},       {"needs", read_needs},
        {"version", read_version},   {"entry", read_entry},     {"run", read_run},
        {"compile", read_compile},   {"env", read_env},         {"mounts", read_mounts},
        {"limits", read_limits},     {"warm", read_warm},       {RUNTIME_ERRORS_KEY, read_errors},
    };
    if (json_text_read_object(root, fields, ARRAY_LENGTH(fields), runtime, NULL, err) < 0) {
        return -1;
    }
    return check_whole(runtime, err);
}

int runtime_read_tree(const char *name, const char *file, json_t *root,
                      struct runtime **ret_runtime, struct cella_error *err)
{
    struct runtime *runtime = calloc(1, sizeof(*runtime));
    if (runtime == NULL || (runtime->name = alloc_copy(name, strlen(name))) == NULL ||
        (runtime->file = alloc_copy(file, strlen(file))) == NULL ||
        (runtime->version_memo = calloc(1, sizeof(*runtime->version_memo))) == NULL) {
        runtime_destroy(runtime);
        (void)error_set_memory(err);
        return -1;
    }
    limits_init(&runtime->limits);
    limits_init(&runtime->compile_limits);
    if (read_into(runtime, root, err) < 0) {
        runtime_destroy(runtime);
        return -1;
    }
    *ret_runtime = runtime;
    return 0;
}

/* What was left out may be wanted later, and its file be another one by then. */
static int keep_text(struct runtime *runtime, const struct definition *definition,
                     struct cella_error *err)
{
    if (!definition->cut) {
        return 0;
    }
    runtime->text_size = definition->size;
    runtime->text = alloc_copy(definition->text, definition->size);
    return runtime->text == NULL ? error_set_memory(err) : 0;
}

int runtime_read(const char *name, const struct definition *definition,
                 struct runtime **ret_runtime, struct cella_error *err)
{
    struct runtime *runtime = NULL;
    json_t *root = yaml_text_root(definition->yaml);
    if (runtime_read_tree(name, definition->file, root, &runtime, err) < 0) {
        return yaml_text_place(definition->yaml, err);
    }
    assert(runtime != NULL); /* it was read */
    if (keep_text(runtime, definition, err) < 0) {
        runtime_destroy(runtime);
        return -1;
    }
    *ret_runtime = runtime;
    return 0;
}
