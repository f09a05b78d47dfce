/*
 * Checking a runtime file for whoever writes it (see runtime.h).
 *
 * The reader stops at the first thing that is wrong.  Here that thing is taken out of the tree and
 * the rest is read again, so that all of them are told at once.  Taking out may leave a hole where
 * something must be; that is no news, and then what it is a hole in is taken out too.
 */
#include "base/error.h"
#include "runtime/definition.h"
#include "runtime/read.h"
#include "runtime/runtime.h"

#include <string.h>

#define PROBLEMS_MAX 64 /* told of one file */

struct check {
    const struct runtime_problems *problems;
    const struct definition *definition;
    size_t count; /* of the problems told */
};

/* `problem` is of the tree, as the readers give it. */
static void tell(struct check *check, struct cella_error *problem)
{
    if (check->count < PROBLEMS_MAX) {
        check->count++;
        (void)yaml_text_place(check->definition->yaml, problem); /* always -1 */
        check->problems->problem(check->problems->context, problem);
    }
}

/* Takes "compile.run[2]" out of the tree: its list as a whole, or the places of what follows in it
 * would be others.  False when there is no such thing. */
static bool take_out(json_t *root, char *field)
{
    json_t *parent = root;
    field[strcspn(field, "[")] = '\0';
    for (char *dot; (dot = strchr(field, '.')) != NULL; field = dot + 1) {
        *dot = '\0';
        parent = json_object_get(parent, field);
    }
    return json_object_del(parent, field) == 0;
}

static int read_all(struct check *check, const char *name, struct runtime **ret_runtime,
                    struct cella_error *err)
{
    json_t *root = yaml_text_root(check->definition->yaml);
    while (runtime_read_tree(name, check->definition->file, root, ret_runtime, err) < 0) {
        if (err->kind != CELLA_ERROR_CALLER) {
            return -1;
        }
        char field[sizeof(err->field)];
        memcpy(field, err->field, sizeof(field));
        bool there = take_out(root, field);
        if (there || check->count == 0) {
            tell(check, err);
        }
        if (!there) {
            memcpy(field, err->field, sizeof(field));
            field[strcspn(field, ".")] = '\0';
            there = take_out(root, field);
        }
        if (!there || check->count == PROBLEMS_MAX) {
            return 0;
        }
    }
    if (check->count > 0) { /* what is left is good, but not what was written */
        runtime_destroy(*ret_runtime);
        *ret_runtime = NULL;
    }
    return 0;
}

/* ---- beside the others ---- */

static void compare_words(struct check *check, const char *key, const struct spec_strings *words,
                          const struct runtime *other, const struct spec_strings *theirs)
{
    for (size_t i = 0; i < words->count; i++) {
        bool is_name = strcmp(words->items[i], other->name) == 0 && theirs == &other->aliases;
        if (is_name || spec_strings_have(theirs, words->items[i])) {
            struct cella_error problem;
            struct json_where list = {.key = key};
            struct json_where where = {.parent = &list, .index = i};
            (void)json_text_fail(&problem, &where, "is '%s', which %s has already", words->items[i],
                                 other->name);
            (void)error_set_hint(&problem, "see %s", other->file);
            tell(check, &problem);
        }
    }
}

static int compare_all(struct check *check, struct runtime_set *set, const struct runtime *runtime,
                       struct cella_error *err)
{
    const struct runtime *const *others;
    size_t count;
    if (runtime_all(set, &others, &count, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const struct runtime *other = others[i];
        if (strcmp(other->name, runtime->name) != 0) { /* of the same name it is a replacement */
            compare_words(check, "aliases", &runtime->aliases, other, &other->aliases);
            compare_words(check, "extensions", &runtime->extensions, other, &other->extensions);
            compare_words(check, "shebangs", &runtime->shebangs, other, &other->shebangs);
        }
    }
    return 0;
}

int runtime_check(struct runtime_set *set, const char *file,
                  const struct runtime_problems *problems, struct runtime **ret_runtime,
                  struct cella_error *err)
{
    AUTO_DEFINITION struct definition definition = {0};
    struct check check = {.problems = problems, .definition = &definition};
    struct runtime *runtime = NULL;
    char name[SPEC_NAME_MAX + 1];
    if (!definition_name_of_file(file, name)) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s is no name for a language's file", file);
        return error_set_hint(err, "NAME.yaml, NAME of lower-case letters and digits");
    }
    if (definition_read_file(file, &definition, err) < 0) {
        if (err->kind != CELLA_ERROR_HOST) {
            return -1;
        }
        problems->problem(problems->context, err);
        return 1;
    }
    if (read_all(&check, name, &runtime, err) < 0) {
        return -1;
    }
    int status = runtime == NULL ? 0 : compare_all(&check, set, runtime, err);
    if (status < 0 || check.count > 0) {
        runtime_destroy(runtime);
        return status < 0 ? -1 : 1;
    }
    *ret_runtime = runtime;
    return 0;
}
