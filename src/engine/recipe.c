/*
 * Recipes: see recipe.h.
 *
 * Divisions: argv; environment; files and globs.
 */
#include "engine/recipe.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/glob.h"
#include "runtime/expand.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKSPACE PLAN_WORKSPACE "/"
#define APART     PLAN_PROGRAM "/"

/* Of one "NAME=value"; the request's own are bounded together by less. */
#define VARIABLE_MAX ((size_t)128 * 1024)

#define FILE_MODE       0644U
#define EXECUTABLE_MODE 0755U

/* What is being written: the recipe for one stage. */
struct writing {
    const struct recipe *recipe;
    enum policy_stage stage;
    struct pack_writer *writer;
    struct expand_values values; /* of the runtime's placeholders */
};

static int write_argv(const struct writing *writing, struct cella_error *err);
static int write_variable(const struct writing *writing, const char *name, const char *value,
                          struct cella_error *err);
static int write_environment(const struct writing *writing, struct cella_error *err);
static int write_files(const struct writing *writing, struct cella_error *err);
static int write_globs(const struct writing *writing, struct cella_error *err);

static bool is_apart(const struct recipe *recipe)
{
    return recipe->policy != NULL && policy_files_are_apart(recipe->policy);
}

int recipe_write(const struct recipe *recipe, enum policy_stage stage, const struct limits *limits,
                 struct pack_writer *writer, struct cella_error *err)
{
    const struct writing writing = {
        .recipe = recipe,
        .stage = stage,
        .writer = writer,
        .values = {.runtime = recipe->runtime,
                   .spec = recipe->spec,
                   .path = recipe->path,
                   .limits = limits,
                   .directory = is_apart(recipe) ? APART : ""},
    };
    if (write_argv(&writing, err) < 0 || write_environment(&writing, err) < 0 ||
        write_files(&writing, err) < 0) {
        return -1;
    }
    return write_globs(&writing, err);
}

static int add_module(struct buffer *modules, const char *name)
{
    return (modules->size > 0 && buffer_add_string(modules, ",") < 0)
               ? -1
               : buffer_add_string(modules, name);
}

static int write_zygote_variables(const struct writing *writing, struct cella_error *err)
{
    const struct runtime *runtime = writing->recipe->runtime;
    const struct spec_strings *preload = &runtime->warm.preload;
    CLEANUP(buffer_done) struct buffer modules;
    buffer_init(&modules, VARIABLE_MAX);
    for (size_t i = 0; i < preload->count; i++) {
        if (add_module(&modules, preload->items[i]) < 0) {
            return error_set_memory(err);
        }
    }
    const struct policy *policy = writing->recipe->policy;
    for (size_t i = 0; policy != NULL && i < policy->preload_count; i++) {
        if (runtime->warm.start == RUNTIME_START_ZYGOTE &&
            strcmp(policy->preload[i].name, runtime->name) == 0 &&
            add_module(&modules, policy->preload[i].value) < 0) {
            return error_set_memory(err);
        }
    }
    const char *entry = runtime_entry(runtime, writing->recipe->spec);
    CLEANUP(buffer_done) struct buffer script;
    buffer_init(&script, VARIABLE_MAX);
    if (buffer_add_string(&script, is_apart(writing->recipe) ? APART : "") < 0 ||
        buffer_add_string(&script, runtime_is_compiled(runtime) ? runtime->output : entry) < 0) {
        return error_set_memory(err);
    }
    if (write_variable(writing, "CELLA_ZYGOTE_SCRIPT", script.data, err) < 0) {
        return -1;
    }
    return modules.size == 0 ? 0
                             : write_variable(writing, "CELLA_ZYGOTE_MODULES", modules.data, err);
}

int recipe_write_zygote(const struct recipe *recipe, const struct limits *limits,
                        struct pack_writer *writer, struct cella_error *err)
{
    struct spec bare = {.entry = recipe->spec->entry};
    struct recipe own = *recipe;
    own.spec = &bare;
    const struct writing writing = {
        .recipe = &own,
        .stage = POLICY_STAGE_RUN,
        .writer = writer,
        .values = {.runtime = own.runtime,
                   .spec = &bare,
                   .path = own.path,
                   .limits = limits,
                   .directory = is_apart(recipe) ? APART : ""},
    };
    if (write_argv(&writing, err) < 0 || write_environment(&writing, err) < 0) {
        return -1;
    }
    return write_zygote_variables(&writing, err);
}

int recipe_check(const struct recipe *recipe, struct cella_error *err)
{
    const struct spec *spec = recipe->spec;
    if (recipe->runtime == NULL) {
        return 0;
    }
    const char *entry = runtime_entry(recipe->runtime, spec);
    for (size_t i = 0; i < spec->file_count; i++) {
        if (strcmp(spec->files[i].path, entry) != 0) {
            continue;
        }
        if (spec->code.data == NULL) {
            return 0;
        }
        error_set(err, CELLA_ERROR_CALLER, 0, "'%s' is also the name of the entry file", entry);
        error_set_field(err, "files[%zu].path", i);
        return error_set_hint(err, "leave out code or the file, or set entry to another name");
    }
    if (spec->code.data != NULL) {
        return 0;
    }
    error_set(err, CELLA_ERROR_CALLER, 0, "there is no code, and no file '%s' to run", entry);
    error_set_field(err, "code");
    return error_set_hint(err, "set entry to the name of the file that is to be run");
}

/* ---- argv ---- */

/* A relative path is meant as seen from the request's files; a bare word is looked for in PATH, by
 * init and inside the sandbox, because only there it is known what PATH leads to. */
static int write_program(const struct writing *writing, const char *word, struct cella_error *err)
{
    if (word[0] == '/' || strchr(word, '/') == NULL) {
        return pack_writer_add_word(writing->writer, PACK_PROGRAM, word, err);
    }
    AUTO_FREE char *path = NULL;
    if (asprintf(&path, "%s%s", is_apart(writing->recipe) ? APART : WORKSPACE, word) < 0) {
        path = NULL;
        return error_set_memory(err);
    }
    return pack_writer_add_word(writing->writer, PACK_PROGRAM, path, err);
}

static int write_words(const struct writing *writing, const struct spec_strings *words,
                       struct cella_error *err)
{
    assert(words->count > 0); /* nobody asks for the program of an empty list */
    if (write_program(writing, words->items[0], err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < words->count; i++) {
        if (pack_writer_add_word(writing->writer, PACK_ARG, words->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_argv(const struct writing *writing, struct cella_error *err)
{
    const struct runtime *runtime = writing->recipe->runtime;
    if (runtime == NULL) {
        return write_words(writing, &writing->recipe->spec->command, err);
    }
    CLEANUP(spec_strings_done) struct spec_strings words = {0};
    if (expand_words(writing->stage == POLICY_STAGE_COMPILE ? &runtime->compile : &runtime->run,
                     &writing->values, &words, err) < 0) {
        return -1;
    }
    if (words.count == 0) {
        return error_set(err, CELLA_ERROR_HOST, 0, "the runtime %s has no program to execute",
                         runtime->file);
    }
    return write_words(writing, &words, err);
}

/* ---- environment ---- */

static int write_variable(const struct writing *writing, const char *name, const char *value,
                          struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer word;
    buffer_init(&word, VARIABLE_MAX);
    if (buffer_add_string(&word, name) < 0 || buffer_add_string(&word, "=") < 0 ||
        buffer_add_string(&word, value) < 0) {
        return error_set_memory(err);
    }
    return pack_writer_add_word(writing->writer, PACK_ENV, word.data, err);
}

/* Where variables come from, the later in place of the earlier. */
enum layer { LAYER_OURS, LAYER_RUNTIME, LAYER_PASSED, LAYER_REQUEST, LAYER_SET, LAYER_COUNT };

struct variables {
    const struct spec_variable *items;
    const struct spec_strings *names; /* instead of `items`: values come from our own environment */
    size_t count;
};

static const char *name_in(const struct variables *layer, size_t index)
{
    return layer->names != NULL ? layer->names->items[index] : layer->items[index].name;
}

/* A variable passed on counts only where the caller has it. */
static const char *value_in(const struct variables *layer, size_t index)
{
    return layer->names != NULL ? secure_getenv(layer->names->items[index])
                                : layer->items[index].value;
}

static bool is_replaced(const struct variables layers[LAYER_COUNT], enum layer layer,
                        const char *name)
{
    for (enum layer later = layer + 1; later < LAYER_COUNT; later++) {
        for (size_t i = 0; i < layers[later].count; i++) {
            if (strcmp(name_in(&layers[later], i), name) == 0 &&
                value_in(&layers[later], i) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static int write_layer(const struct writing *writing, const struct variables layers[LAYER_COUNT],
                       enum layer layer, struct cella_error *err)
{
    const struct variables *variables = &layers[layer];
    for (size_t i = 0; i < variables->count; i++) {
        AUTO_FREE char *expanded = NULL;
        const char *name = name_in(variables, i);
        const char *value = value_in(variables, i);
        if (value == NULL || is_replaced(layers, layer, name)) {
            continue;
        }
        if (layer == LAYER_RUNTIME) {
            if (expand_text(value, &writing->values, &expanded, err) < 0) {
                return -1;
            }
            value = expanded;
        }
        if (write_variable(writing, name, value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_environment(const struct writing *writing, struct cella_error *err)
{
    static char lang[] = "LANG", utf8[] = "C.UTF-8", home[] = "HOME", workspace[] = PLAN_WORKSPACE,
                path[] = "PATH", directories[] = "/usr/local/bin:/usr/bin:/bin";
    static const struct spec_variable ours[] = {
        {lang, utf8}, {home, workspace}, {path, directories}};
    const struct recipe *recipe = writing->recipe;
    const struct policy *policy = recipe->policy;
    struct variables layers[LAYER_COUNT] = {
        [LAYER_OURS] = {.items = ours, .count = ARRAY_LENGTH(ours)},
        [LAYER_REQUEST] = {.items = recipe->spec->env, .count = recipe->spec->env_count},
    };
    if (recipe->runtime != NULL) {
        layers[LAYER_RUNTIME] =
            (struct variables){.items = recipe->runtime->env, .count = recipe->runtime->env_count};
    }
    if (policy != NULL) {
        layers[LAYER_PASSED] =
            (struct variables){.names = &policy->env_pass, .count = policy->env_pass.count};
        layers[LAYER_SET] =
            (struct variables){.items = policy->env_set, .count = policy->env_set_count};
    }
    for (enum layer layer = 0; layer < LAYER_COUNT; layer++) {
        if (write_layer(writing, layers, layer, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- files ---- */

/* What compiling makes comes from the compile stage, also when the request has a file of that
 * name: the compiler has then overwritten it. */
static bool comes_from_compiling(const struct writing *writing, const char *path)
{
    const struct runtime *runtime = writing->recipe->runtime;
    if (writing->stage != POLICY_STAGE_RUN || !runtime_is_compiled(runtime)) {
        return false;
    }
    for (size_t i = 0; i < runtime->outputs.count; i++) {
        if (glob_match(runtime->outputs.items[i], path)) {
            return true;
        }
    }
    return false;
}

static int write_files(const struct writing *writing, struct cella_error *err)
{
    const struct spec *spec = writing->recipe->spec;
    if (spec->code.data != NULL && writing->recipe->runtime != NULL &&
        pack_writer_add_file(writing->writer, runtime_entry(writing->recipe->runtime, spec),
                             spec->code.data, spec->code.size, FILE_MODE, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        const struct spec_file *file = &spec->files[i];
        if (file->run_only && writing->stage == POLICY_STAGE_COMPILE) {
            continue;
        }
        if (!comes_from_compiling(writing, file->path) &&
            pack_writer_add_file(writing->writer, file->path, file->content.data,
                                 file->content.size, file->executable ? EXECUTABLE_MODE : FILE_MODE,
                                 err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_globs(const struct writing *writing, struct cella_error *err)
{
    const struct spec_strings *globs = writing->stage == POLICY_STAGE_COMPILE
                                           ? &writing->recipe->runtime->outputs
                                           : &writing->recipe->spec->collect;
    for (size_t i = 0; i < globs->count; i++) {
        if (pack_writer_add_word(writing->writer, PACK_COLLECT, globs->items[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
