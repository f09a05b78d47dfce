/*
 * The set of runtimes: finding one by name, alias, extension or #! line (see runtime.h).
 *
 * Runtimes are read when they are asked for and then kept.  A name costs one file; everything else
 * reads all files first, once.  A file that is wrong takes no other language along: it is told
 * where nothing else was found.
 */
#include "runtime/runtime.h"

#include "base/alloc.h"
#include "base/error.h"
#include "runtime/definition.h"
#include "runtime/errors.h"
#include "runtime/read.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHEBANG_MAX 256 /* bytes of a #! line that count, as in the kernel */

struct runtime_set {
    unsigned holders;
    struct paths_dirs dirs;
    struct runtime **items;
    size_t count;
    bool complete; /* every file was read; items are sorted by name */
    struct runtime_broken *broken;
    size_t broken_count;
};

int runtime_set_open(const char *extra_dir, struct runtime_set **ret_set, struct cella_error *err)
{
    struct runtime_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return error_set_memory(err);
    }
    if (paths_search(PATHS_RUNTIMES, extra_dir, &set->dirs, err) < 0) {
        free(set);
        return -1;
    }
    set->holders = 1;
    *ret_set = set;
    return 0;
}

struct runtime_set *runtime_set_hold(struct runtime_set *set)
{
    set->holders++;
    return set;
}

void runtime_set_close(struct runtime_set *set)
{
    if (set == NULL || --set->holders > 0) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        runtime_destroy(set->items[i]);
    }
    free(set->items);
    for (size_t i = 0; i < set->broken_count; i++) {
        free(set->broken[i].name);
    }
    free(set->broken);
    free(set);
}

/* ---- reading files ---- */

static struct runtime *kept(const struct runtime_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i]->name, name) == 0) {
            return set->items[i];
        }
    }
    return NULL;
}

/* The runtime of exactly that name, read if need be; NULL in *ret_runtime when there is none. */
static int get_by_name(struct runtime_set *set, const char *name,
                       const struct runtime **ret_runtime, struct cella_error *err)
{
    const struct runtime *found = kept(set, name);
    if (found != NULL || set->complete) {
        *ret_runtime = found;
        return 0;
    }
    AUTO_DEFINITION struct definition definition = {0};
    int status = definition_read_before(&set->dirs, name, RUNTIME_ERRORS_KEY, &definition, err);
    if (status <= 0) {
        *ret_runtime = NULL;
        return status;
    }
    struct runtime **items = alloc_grow(set->items, set->count, sizeof(struct runtime *));
    if (items == NULL) {
        return error_set_memory(err);
    }
    set->items = items;
    if (runtime_read(name, &definition, &items[set->count], err) < 0) {
        return -1;
    }
    *ret_runtime = items[set->count++];
    return 0;
}

static int compare_runtimes(const void *a, const void *b)
{
    const struct runtime *first = *(const struct runtime *const *)a;
    const struct runtime *second = *(const struct runtime *const *)b;
    return strcmp(first->name, second->name);
}

static int keep_broken(struct runtime_set *set, const char *name, const struct cella_error *error,
                       struct cella_error *err)
{
    struct runtime_broken *broken = alloc_grow(set->broken, set->broken_count, sizeof(*broken));
    if (broken == NULL) {
        return error_set_memory(err);
    }
    set->broken = broken;
    broken[set->broken_count] = (struct runtime_broken){strdup(name), *error};
    return broken[set->broken_count++].name == NULL ? error_set_memory(err) : 0;
}

static int read_all(struct runtime_set *set, struct cella_error *err)
{
    if (set->complete) {
        return 0;
    }
    CLEANUP(spec_strings_done) struct spec_strings names = {0};
    if (definition_list(&set->dirs, &names, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < names.count; i++) {
        const struct runtime *runtime;
        struct cella_error error;
        if (get_by_name(set, names.items[i], &runtime, &error) < 0 &&
            keep_broken(set, names.items[i], &error, err) < 0) {
            return -1;
        }
    }
    if (set->count > 0) {
        qsort(set->items, set->count, sizeof(struct runtime *), compare_runtimes);
    }
    set->complete = true;
    return 0;
}

int runtime_all(struct runtime_set *set, const struct runtime *const **ret_runtimes,
                size_t *ret_count, struct cella_error *err)
{
    if (read_all(set, err) < 0) {
        return -1;
    }
    *ret_runtimes = (const struct runtime *const *)set->items;
    *ret_count = set->count;
    return 0;
}

size_t runtime_broken(const struct runtime_set *set, const struct runtime_broken **ret_broken)
{
    *ret_broken = set->broken;
    return set->broken_count;
}

/* Nothing was found: it may be in a file that is wrong.  False when there is none. */
static bool blame_broken(const struct runtime_set *set, struct cella_error *err)
{
    if (set->broken_count > 0) {
        *err = set->broken[0].error;
    }
    return set->broken_count > 0;
}

/* ---- by name ---- */

/* Without white space around it, in lower case; false when it is empty or too long for a name. */
static bool normalize(const char *name, char ret_name[SPEC_NAME_MAX + 1])
{
    static const char space[] = " \t\r\n";
    name += strspn(name, space);
    size_t size = strnlen(name, SPEC_NAME_MAX + sizeof(space));
    while (size > 0 && strchr(space, name[size - 1]) != NULL) {
        size--;
    }
    if (size == 0 || size > SPEC_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) { /* ASCII: names are, and the locale must not matter */
        ret_name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    }
    ret_name[size] = '\0';
    return true;
}

static int fail_unknown(const struct runtime_set *set, const char *name, struct cella_error *err)
{
    CLEANUP(spec_strings_done) struct spec_strings names = {0};
    CLEANUP(spec_strings_done) struct spec_strings aliases = {0};
    for (size_t i = 0; i < set->count; i++) {
        const struct runtime *runtime = set->items[i];
        if (spec_strings_add(&names, runtime->name) < 0) {
            return error_set_memory(err);
        }
        for (size_t j = 0; j < runtime->aliases.count; j++) {
            if (spec_strings_add(&aliases, runtime->aliases.items[j]) < 0) {
                return error_set_memory(err);
            }
        }
    }
    return definition_fail_unknown(err, CELLA_ERROR_RUNTIME, "language", name, &names, &aliases);
}

int runtime_find(struct runtime_set *set, const char *name, const struct runtime **ret_runtime,
                 struct cella_error *err)
{
    char wanted[SPEC_NAME_MAX + 1] = "";
    const struct runtime *runtime = NULL;
    if (normalize(name, wanted) && get_by_name(set, wanted, &runtime, err) < 0) {
        return -1;
    }
    if (runtime != NULL) {
        *ret_runtime = runtime;
        return 0;
    }
    if (read_all(set, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (spec_strings_have(&set->items[i]->aliases, wanted)) {
            *ret_runtime = set->items[i];
            return 0;
        }
    }
    return blame_broken(set, err) ? -1 : fail_unknown(set, name, err);
}

/* ---- errors ---- */

/* Those of its own file. */
static int own_errors(struct runtime *runtime, struct cella_error *err)
{
    return runtime->errors == NULL && runtime->text != NULL
               ? errors_read_text(runtime->file, runtime->text, runtime->text_size,
                                  &runtime->errors, err)
               : 0;
}

static int find_like(struct runtime_set *set, struct errors *errors, const char *file,
                     struct cella_error *err)
{
    const struct runtime *found = NULL;
    if (get_by_name(set, errors->like, &found, err) < 0) {
        return -1;
    }
    struct runtime *like = found == NULL ? NULL : kept(set, errors->like);
    if (like == NULL) {
        return error_set(err, CELLA_ERROR_HOST, 0, "%s: errors.like is '%s', which is no runtime",
                         file, errors->like);
    }
    if (own_errors(like, err) < 0) {
        return -1;
    }
    errors->like_errors = like->errors;
    return 0;
}

int runtime_errors(struct runtime_set *set, const struct runtime *runtime,
                   const struct errors **ret_errors, struct cella_error *err)
{
    struct runtime *own = kept(set, runtime->name);
    assert(own != NULL); /* it is the set's */
    if (own_errors(own, err) < 0) {
        return -1;
    }
    if (own->errors != NULL && own->errors->like != NULL && own->errors->like_errors == NULL &&
        find_like(set, own->errors, own->file, err) < 0) {
        return -1;
    }
    *ret_errors = own->errors;
    return 0;
}

/* Also what else is read only when a program has failed. */
static int check_all(struct runtime_set *set, struct cella_error *err)
{
    const struct errors *unused;
    int result = read_all(set, err);
    if (result == 0 && blame_broken(set, err)) {
        result = -1;
    }
    for (size_t i = 0; result == 0 && i < set->count; i++) {
        result = runtime_errors(set, set->items[i], &unused, err);
    }
    return result;
}

int runtime_set_read_again(const struct runtime_set *set, struct runtime_set **ret_set,
                           struct cella_error *err)
{
    struct runtime_set *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL) {
        return error_set_memory(err);
    }
    fresh->holders = 1;
    fresh->dirs = set->dirs;
    if (check_all(fresh, err) < 0) {
        runtime_set_close(fresh);
        return -1;
    }
    *ret_set = fresh;
    return 0;
}

/* ---- by file ---- */

bool runtime_has_extension(const struct runtime *runtime, const char *file_name)
{
    const char *slash = strrchr(file_name, '/');
    const char *base = slash == NULL ? file_name : slash + 1;
    size_t size = strlen(base);
    for (size_t i = 0; i < runtime->extensions.count; i++) {
        const char *extension = runtime->extensions.items[i];
        size_t extension_size = strlen(extension);
        if (size > extension_size && strcasecmp(base + size - extension_size, extension) == 0) {
            return true;
        }
    }
    return false;
}

/* The next word of a line, which it cuts; NULL at the end. */
static char *next_word(char **line)
{
    *line += strspn(*line, " \t");
    if (**line == '\0') {
        return NULL;
    }
    char *word = *line;
    *line += strcspn(*line, " \t");
    if (**line != '\0') {
        *(*line)++ = '\0';
    }
    return word;
}

static char *base_name(char *path)
{
    char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* The interpreter's name in "#!/usr/bin/python3 -u" or "#!/usr/bin/env -S python3 -u", without
 * directories; NULL when there is none.  `line` is cut in pieces. */
static char *shebang_interpreter(char *line)
{
    if (strncmp(line, "#!", 2) != 0) {
        return NULL;
    }
    line += 2;
    char *word = next_word(&line);
    if (word == NULL || strcmp(base_name(word), "env") != 0) {
        return word == NULL ? NULL : base_name(word);
    }
    do { /* options of env, and variables */
        word = next_word(&line);
    } while (word != NULL && (word[0] == '-' || strchr(word, '=') != NULL));
    return word == NULL ? NULL : base_name(word);
}

static const struct runtime *find_by_shebang(const struct runtime_set *set, const char *head,
                                             size_t head_size)
{
    char line[SHEBANG_MAX + 1];
    size_t size = head_size < SHEBANG_MAX ? head_size : SHEBANG_MAX;
    if (size > 0) {
        memcpy(line, head, size);
    }
    line[size] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    char *name = shebang_interpreter(line);
    if (name == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (spec_strings_have(&set->items[i]->shebangs, name)) {
            return set->items[i];
        }
    }
    /* "python3.11" is a python. */
    size_t length = strlen(name);
    while (length > 0 && strchr("0123456789.", name[length - 1]) != NULL) {
        name[--length] = '\0';
    }
    for (size_t i = 0; i < set->count && length > 0; i++) {
        if (spec_strings_have(&set->items[i]->shebangs, name)) {
            return set->items[i];
        }
    }
    return NULL;
}

int runtime_guess(struct runtime_set *set, const char *file_name, const char *head,
                  size_t head_size, const struct runtime **ret_runtime, struct cella_error *err)
{
    if (read_all(set, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (runtime_has_extension(set->items[i], file_name)) {
            *ret_runtime = set->items[i];
            return 0;
        }
    }
    const struct runtime *runtime = find_by_shebang(set, head, head_size);
    if (runtime == NULL && blame_broken(set, err)) {
        return -1;
    }
    if (runtime == NULL) {
        (void)error_set(err, CELLA_ERROR_RUNTIME, 0,
                        "the name of '%s' and its first line do not tell its language", file_name);
        (void)error_set_field(err, "language");
        return error_set_hint(err, "name the language: `-l python`, or `language` in a request; "
                                   "`cella languages` lists them");
    }
    *ret_runtime = runtime;
    return 0;
}

/* ---- for a run ---- */

const char *runtime_entry(const struct runtime *runtime, const struct spec *spec)
{
    return spec != NULL && spec->entry != NULL ? spec->entry : runtime->entry;
}

/* ---- on this host ---- */

static bool is_program(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static int fail_absent(const struct runtime *runtime, const char *path, struct cella_error *err)
{
    (void)error_set(err, CELLA_ERROR_RUNTIME, 0, "%s is not installed: there is no %s",
                    runtime->name, path);
    (void)error_set_field(err, "language");
    return error_set_hint(err, "apt install %s", runtime->package);
}

int runtime_locate(const struct runtime *runtime, const char **ret_path, struct cella_error *err)
{
    const char *path = NULL;
    for (size_t i = 0; i < runtime->path.count && path == NULL; i++) {
        path = is_program(runtime->path.items[i]) ? runtime->path.items[i] : NULL;
    }
    if (path == NULL) {
        return fail_absent(runtime, runtime->path.items[0], err);
    }
    for (size_t i = 0; i < runtime->needs.count; i++) {
        if (!is_program(runtime->needs.items[i])) {
            return fail_absent(runtime, runtime->needs.items[i], err);
        }
    }
    *ret_path = path;
    return 0;
}
