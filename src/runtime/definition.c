/* Files of runtimes and policies: see definition.h. */
#include "runtime/definition.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/names.h"
#include "request/limit_value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char suffix[] = ".yaml";
#define SUFFIX_SIZE    (sizeof(suffix) - 1)
#define FILE_NAME_SIZE (SPEC_NAME_MAX + sizeof(suffix))

static const char first_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-+.";

bool definition_name_is_good(const char *name)
{
    size_t size = strnlen(name, SPEC_NAME_MAX + 1);
    return size <= SPEC_NAME_MAX && strspn(name, first_letters) > 0 &&
           strspn(name, letters) == size;
}

void definition_done(struct definition *definition)
{
    yaml_text_destroy(definition->yaml);
    free(definition->text);
    free(definition->file);
    *definition = (struct definition){0};
}

/* ---- finding and reading ---- */

static int fail_file(struct cella_error *err, int sys_errno, const struct definition *definition,
                     const char *problem)
{
    return error_set(err, CELLA_ERROR_HOST, sys_errno, "%s %s", definition->file, problem);
}

/* Whether everything behind the line at `at` belongs to the value of that line's key: a line that
 * is not indented, and no comment, would begin something else. */
static bool is_last(const char *text, size_t size, size_t at)
{
    const char *line = memchr(text + at, '\n', size - at);
    while (line != NULL && ++line < text + size) {
        if (strchr(" #\r\n", *line) == NULL || *line == '\0') {
            return false;
        }
        line = memchr(line, '\n', size - (size_t)(line - text));
    }
    return true;
}

/* Bytes of the text before its last key when that is `key`, else all of them. */
static size_t size_before(const char *text, size_t size, const char *key)
{
    size_t key_size = strlen(key);
    for (size_t at = 0; at + key_size < size;) {
        if (memcmp(text + at, key, key_size) == 0 && text[at + key_size] == ':') {
            return is_last(text, size, at) ? at : size;
        }
        const char *end = memchr(text + at, '\n', size - at);
        at = end == NULL ? size : (size_t)(end - text) + 1;
    }
    return size;
}

/* The tree of the text, or of what is before its last key.  What looks like a key and is none, in
 * the middle of a quoted text, say, leaves a first part that is no good YAML. */
static int parse(struct definition *definition, struct cella_error *err)
{
    size_t size = definition->last_key == NULL || definition->size > YAML_TEXT_SIZE_MAX
                      ? definition->size
                      : size_before(definition->text, definition->size, definition->last_key);
    if (size < definition->size &&
        yaml_text_parse(definition->file, definition->text, size, &definition->yaml, err) == 0) {
        definition->cut = true;
        return 0;
    }
    return yaml_text_parse(definition->file, definition->text, definition->size, &definition->yaml,
                           err);
}

static int read_text(struct definition *definition, int fd, struct cella_error *err)
{
    struct stat found;
    if (fstat(fd, &found) < 0) {
        return fail_file(err, errno, definition, "cannot be read");
    }
    if (!S_ISREG(found.st_mode)) {
        return fail_file(err, 0, definition, "is not a regular file");
    }
    if ((found.st_mode & S_IWOTH) != 0) {
        (void)fail_file(err, 0, definition, "can be written by everybody");
        return error_set_hint(err, "chmod o-w %s", definition->file);
    }
    definition->text = malloc(YAML_TEXT_SIZE_MAX + 1);
    if (definition->text == NULL) {
        return error_set_memory(err);
    }
    /* One byte more than allowed, so that the reader of YAML sees that it is too large. */
    ssize_t size = fd_read_full(fd, definition->text, YAML_TEXT_SIZE_MAX + 1);
    if (size < 0) {
        return fail_file(err, errno, definition, "cannot be read");
    }
    definition->size = (size_t)size;
    return 0;
}

/* The file whose path is set: 1, 0 when there is none, -1. */
static int read_path(struct definition *definition, struct cella_error *err)
{
    /* O_NONBLOCK: a FIFO of that name must not hold us up. */
    AUTO_CLOSE int fd = open(definition->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (fd < 0) {
        return fail_file(err, errno, definition, "cannot be opened");
    }
    if (read_text(definition, fd, err) < 0 || parse(definition, err) < 0) {
        return -1;
    }
    return 1;
}

int definition_read_file(const char *path, struct definition *ret_definition,
                         struct cella_error *err)
{
    AUTO_DEFINITION struct definition definition = {0};
    if ((definition.file = alloc_copy(path, strlen(path))) == NULL) {
        return error_set_memory(err);
    }
    int found = read_path(&definition, err);
    if (found <= 0) {
        return found < 0 ? -1
                         : error_set(err, CELLA_ERROR_CALLER, ENOENT, "%s cannot be opened", path);
    }
    *ret_definition = definition;
    definition = (struct definition){0};
    return 0;
}

/* As definition_read(), for one directory. */
static int read_in(const char *dir, const char *file_name, struct definition *definition,
                   struct cella_error *err)
{
    if (asprintf(&definition->file, "%s/%s", dir, file_name) < 0) {
        definition->file = NULL; /* asprintf() leaves it undefined */
        return error_set_memory(err);
    }
    return read_path(definition, err);
}

int definition_read(const struct paths_dirs *dirs, const char *name,
                    struct definition *ret_definition, struct cella_error *err)
{
    return definition_read_before(dirs, name, NULL, ret_definition, err);
}

int definition_read_before(const struct paths_dirs *dirs, const char *name, const char *last_key,
                           struct definition *ret_definition, struct cella_error *err)
{
    if (!definition_name_is_good(name)) {
        return 0;
    }
    char file_name[FILE_NAME_SIZE];
    (void)snprintf(file_name, sizeof(file_name), "%s%s", name, suffix); /* fits: checked above */
    for (size_t i = 0; i < dirs->count; i++) {
        AUTO_DEFINITION struct definition definition = {.last_key = last_key};
        int found = read_in(dirs->items[i], file_name, &definition, err);
        if (found != 0) {
            if (found > 0) {
                *ret_definition = definition;
                definition = (struct definition){0};
            }
            return found;
        }
    }
    return 0;
}

/* ---- names of files ---- */

bool definition_is_file_name(const char *path)
{
    size_t size = strlen(path);
    return size > SUFFIX_SIZE && strcmp(path + size - SUFFIX_SIZE, suffix) == 0;
}

bool definition_name_of_file(const char *path, char ret_name[SPEC_NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    const char *file_name = slash == NULL ? path : slash + 1;
    const bool has_suffix = definition_is_file_name(file_name);
    const size_t size = strlen(file_name) - (has_suffix ? SUFFIX_SIZE : 0);
    const size_t kept = size < SPEC_NAME_MAX ? size : SPEC_NAME_MAX;
    memcpy(ret_name, file_name, kept);
    ret_name[kept] = '\0';
    return has_suffix && kept == size && definition_name_is_good(ret_name);
}

/* ---- listing ---- */

/* Adds the name that a file of a directory stands for, if it does and is new. */
static int list_file(const char *file_name, struct spec_strings *names, struct cella_error *err)
{
    char name[SPEC_NAME_MAX + 1];
    if (!definition_name_of_file(file_name, name) || spec_strings_have(names, name)) {
        return 0;
    }
    if (names->count == DEFINITION_FILES_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0, "there are more than %d files like %s",
                         DEFINITION_FILES_MAX, file_name);
    }
    return spec_strings_add(names, name) < 0 ? error_set_memory(err) : 0;
}

static int list_in(const char *path, struct spec_strings *names, struct cella_error *err)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : error_set(err, CELLA_ERROR_HOST, errno, "cannot list %s", path);
    }
    int status = 0;
    struct dirent *entry;
    while (status == 0 && (entry = readdir(dir)) != NULL) {
        status = list_file(entry->d_name, names, err);
    }
    (void)closedir(dir); /* it was only read */
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int definition_list(const struct paths_dirs *dirs, struct spec_strings *ret_names,
                    struct cella_error *err)
{
    struct spec_strings names = {0};
    for (size_t i = 0; i < dirs->count; i++) {
        if (list_in(dirs->items[i], &names, err) < 0) {
            spec_strings_done(&names);
            return -1;
        }
    }
    if (names.count > 0) {
        qsort(names.items, names.count, sizeof(names.items[0]), compare_names);
    }
    *ret_names = names;
    return 0;
}

int definition_fail_unknown(struct cella_error *err, enum cella_error_kind kind, const char *what,
                            const char *name, const struct spec_strings *names,
                            const struct spec_strings *more_guesses)
{
    struct names_guess guess;
    names_guess_init(&guess, name);
    char list[sizeof(err->text)] = "";
    size_t size = 0;
    for (size_t i = 0; i < names->count; i++) {
        names_guess_offer(&guess, names->items[i]);
        int more = size < sizeof(list) ? snprintf(list + size, sizeof(list) - size, "%s%s",
                                                  i == 0 ? "" : ", ", names->items[i])
                                       : 0;
        size += more > 0 ? (size_t)more : 0;
    }
    for (size_t i = 0; more_guesses != NULL && i < more_guesses->count; i++) {
        names_guess_offer(&guess, more_guesses->items[i]);
    }
    (void)error_set(err, kind, 0, "unknown %s '%.*s'; there %s %s", what, (int)SPEC_NAME_MAX, name,
                    names->count == 1 ? "is" : "are", names->count == 0 ? "none" : list);
    (void)error_set_field(err, "%s", what);
    return names_guess_hint(&guess, err);
}

/* ---- readers ---- */

int definition_read_word(json_t *value, const struct json_where *where, char **ret_word,
                         struct cella_error *err)
{
    const char *word;
    if (json_text_read_word(value, where, &word, err) < 0) {
        return -1;
    }
    if (word[0] == '\0') {
        return json_text_fail(err, where, "must not be empty");
    }
    char *copy = alloc_copy(word, strlen(word));
    if (copy == NULL) {
        return error_set_memory(err);
    }
    *ret_word = copy;
    return 0;
}

static int read_words_item(void *target, json_t *value, const struct json_where *where,
                           struct cella_error *err)
{
    struct spec_strings *words = target;
    AUTO_FREE char *word = NULL;
    if (words->count == DEFINITION_WORDS_MAX) {
        return json_text_fail(err, where, "is one too many: at most %d are allowed",
                              DEFINITION_WORDS_MAX);
    }
    if (definition_read_word(value, where, &word, err) < 0) {
        return -1;
    }
    return spec_strings_add(words, word) < 0 ? error_set_memory(err) : 0;
}

int definition_read_words(json_t *value, const struct json_where *where,
                          struct spec_strings *ret_words, struct cella_error *err)
{
    return json_text_read_array(value, ret_words, read_words_item, where, err);
}

int definition_read_checked_words(json_t *value, const struct json_where *where,
                                  const char *(*problem_of)(const char *word),
                                  struct spec_strings *ret_words, struct cella_error *err)
{
    if (definition_read_words(value, where, ret_words, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ret_words->count; i++) {
        const char *problem = problem_of(ret_words->items[i]);
        if (problem != NULL) {
            const struct json_where here = {.parent = where, .index = i};
            return json_text_fail(err, &here, "%s", problem);
        }
    }
    return 0;
}

const char *definition_name_problem(const char *name)
{
    return definition_name_is_good(name)
               ? NULL
               : "must be of lower-case letters, digits, '_', '-', '+' and '.'";
}

int definition_read_limit(enum limit limit, json_t *value, const struct json_where *where,
                          uint64_t *ret_value, struct cella_error *err)
{
    const char *text;
    const char *problem;
    if (!json_is_string(value)) {
        problem = limit_value_from_json(limit, value, ret_value);
    } else if (json_text_read_word(value, where, &text, err) < 0) {
        return -1;
    } else {
        problem = limit_value_from_text(limit, text, ret_value);
    }
    return problem == NULL ? 0 : json_text_fail(err, where, "%s", problem);
}

int definition_limit_by_name(const char *name, const struct json_where *where,
                             enum limit *ret_limit, struct cella_error *err)
{
    enum limit limit = limit_by_name(name);
    if (limit != LIMIT_COUNT) {
        *ret_limit = limit;
        return 0;
    }
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        names_guess_offer(&guess, limit_table[i].name);
    }
    (void)json_text_fail(err, where, "is not a limit");
    return names_guess_hint(&guess, err);
}
