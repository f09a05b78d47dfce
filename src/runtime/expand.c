/* Placeholders in the words of a runtime: see expand.h. */
#include "runtime/expand.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPANDED_MAX (64U * 1024) /* bytes of one word */

enum placeholder {
    PLACEHOLDER_PATH,
    PLACEHOLDER_ENTRY,
    PLACEHOLDER_ENTRY_STEM,
    PLACEHOLDER_OUTPUT,
    PLACEHOLDER_MEMORY_BYTES,
    PLACEHOLDER_MEMORY_MIB,
    PLACEHOLDER_CPUS,
    PLACEHOLDER_STACK_BYTES,
    PLACEHOLDER_SOURCES,
    PLACEHOLDER_ARGS,
    PLACEHOLDER_COMPILE_ARGS,
    PLACEHOLDER_COUNT, /* an unknown one */
};

enum placeholder_kind {
    KIND_TEXT,
    KIND_BYTES, /* may have a percentage */
    KIND_LIST,  /* any number of words */
};

static const struct {
    const char *name;
    enum placeholder_kind kind;
} placeholders[PLACEHOLDER_COUNT] = {
    [PLACEHOLDER_PATH] = {"path", KIND_TEXT},
    [PLACEHOLDER_ENTRY] = {"entry", KIND_TEXT},
    [PLACEHOLDER_ENTRY_STEM] = {"entry_stem", KIND_TEXT},
    [PLACEHOLDER_OUTPUT] = {"output", KIND_TEXT},
    [PLACEHOLDER_MEMORY_BYTES] = {"memory_bytes", KIND_BYTES},
    [PLACEHOLDER_MEMORY_MIB] = {"memory_mib", KIND_BYTES},
    [PLACEHOLDER_CPUS] = {"cpus", KIND_TEXT},
    [PLACEHOLDER_STACK_BYTES] = {"stack_bytes", KIND_BYTES},
    [PLACEHOLDER_SOURCES] = {"sources", KIND_LIST},
    [PLACEHOLDER_ARGS] = {"args", KIND_LIST},
    [PLACEHOLDER_COMPILE_ARGS] = {"compile_args", KIND_LIST},
};

struct found {
    enum placeholder placeholder;
    uint64_t percent; /* 0: no good one */
    size_t size;      /* braces included */
};

static enum placeholder placeholder_by_name(const char *name, size_t size)
{
    enum placeholder placeholder = 0;
    while (placeholder < PLACEHOLDER_COUNT &&
           (strlen(placeholders[placeholder].name) != size ||
            strncmp(placeholders[placeholder].name, name, size) != 0)) {
        placeholder++;
    }
    return placeholder;
}

/* One to three digits, from 1 to 100; else 0. */
static uint64_t read_percent(const char *digits, size_t size)
{
    uint64_t percent = 0;
    for (size_t i = 0; i < size && size <= 3; i++) {
        percent = percent * 10 + (uint64_t)(digits[i] - '0');
    }
    return percent <= 100 ? percent : 0;
}

/* Whether a placeholder begins at `text`. */
static bool find_placeholder(const char *text, struct found *ret_found)
{
    if (text[0] != '{') {
        return false;
    }
    const char *name = text + 1;
    size_t name_size = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
    struct found found = {.percent = 100, .size = name_size + 2};
    if (name_size > 0 && name[name_size] == ':') {
        const char *digits = name + name_size + 1;
        size_t digit_count = strspn(digits, "0123456789");
        found.percent = read_percent(digits, digit_count);
        found.size += digit_count + 1;
    }
    if (name_size == 0 || text[found.size - 1] != '}') {
        return false;
    }
    found.placeholder = placeholder_by_name(name, name_size);
    if (found.placeholder != PLACEHOLDER_COUNT && name[name_size] == ':' &&
        placeholders[found.placeholder].kind != KIND_BYTES) {
        found.percent = 0;
    }
    *ret_found = found;
    return true;
}

static bool is_list(const struct found *found)
{
    return found->placeholder != PLACEHOLDER_COUNT &&
           placeholders[found->placeholder].kind == KIND_LIST;
}

const char *expand_problem(const char *word, enum expand_place place)
{
    struct found found;
    for (const char *at = word; *at != '\0'; at++) {
        if (!find_placeholder(at, &found)) {
            continue;
        }
        if (found.placeholder == PLACEHOLDER_COUNT) {
            return "has an unknown name in braces";
        }
        if (found.percent == 0) {
            return "must have a percentage from 1 to 100, of memory_bytes, memory_mib or "
                   "stack_bytes";
        }
        if (is_list(&found) && place != EXPAND_IN_ARGV) {
            return "must not have {args}, {compile_args} or {sources}";
        }
        if (is_list(&found) && (at != word || word[found.size] != '\0')) {
            return "must have {args}, {compile_args} and {sources} as words of their own";
        }
    }
    return NULL;
}

/* A program would take a file "-c" for an option, a compiler "@x" for a file of options. */
static const char *file_prefix(const char *path)
{
    return path[0] == '-' || path[0] == '@' ? "./" : "";
}

static int add_entry(struct buffer *out, const struct expand_values *values, const char *entry,
                     size_t size)
{
    const char *directory = values->directory != NULL ? values->directory : "";
    const char *prefix = directory[0] != '\0' ? directory : file_prefix(entry);
    return buffer_add_string(out, prefix) < 0 ? -1 : buffer_add(out, entry, size);
}

/* Without the last name's extension: what a class is called after its file. */
static size_t stem_size(const char *entry)
{
    const char *slash = strrchr(entry, '/');
    const char *name = slash == NULL ? entry : slash + 1;
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? strlen(entry) : (size_t)(dot - entry);
}

/* {cpus} is whole, at least 1: what programs take for their number of threads. */
static uint64_t whole_cpus(uint64_t thousandths)
{
    return thousandths < LIMIT_ONE_CPU ? 1 : thousandths / LIMIT_ONE_CPU;
}

/* `percent` of a limit, rounded down; of the largest values without overflow. */
static uint64_t part_of(uint64_t value, uint64_t percent)
{
    return value / 100 * percent + value % 100 * percent / 100;
}

static int add_value(struct buffer *out, const struct found *found,
                     const struct expand_values *values)
{
    const uint64_t *limits = values->limits->value;
    const char *entry = runtime_entry(values->runtime, values->spec);
    const char *output = values->runtime->output;
    uint64_t memory = part_of(limits[LIMIT_MEMORY], found->percent);
    switch (found->placeholder) {
    case PLACEHOLDER_PATH:
        return buffer_add_string(out, values->path);
    case PLACEHOLDER_ENTRY:
        return add_entry(out, values, entry, strlen(entry));
    case PLACEHOLDER_ENTRY_STEM:
        return add_entry(out, values, entry, stem_size(entry));
    case PLACEHOLDER_OUTPUT:
        return buffer_add_string(out, output == NULL ? "" : output);
    case PLACEHOLDER_MEMORY_BYTES:
        return buffer_add_format(out, "%" PRIu64, memory);
    case PLACEHOLDER_MEMORY_MIB:
        return buffer_add_format(out, "%" PRIu64, memory / LIMIT_MIB);
    case PLACEHOLDER_CPUS:
        return buffer_add_format(out, "%" PRIu64, whole_cpus(limits[LIMIT_CPUS]));
    case PLACEHOLDER_STACK_BYTES:
        return buffer_add_format(out, "%" PRIu64, part_of(limits[LIMIT_STACK], found->percent));
    case PLACEHOLDER_SOURCES:
    case PLACEHOLDER_ARGS:
    case PLACEHOLDER_COMPILE_ARGS:
    case PLACEHOLDER_COUNT:
        break; /* expand_problem() lets none of them come here */
    }
    return 0;
}

int expand_text(const char *text, const struct expand_values *values, char **ret_text,
                struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, EXPANDED_MAX);
    const char *at = text;
    while (*at != '\0') {
        struct found found = {.size = 1};
        int added = find_placeholder(at, &found) ? add_value(&out, &found, values)
                                                 : buffer_add(&out, at, 1);
        if (added < 0) {
            return error_set_memory(err);
        }
        at += found.size;
    }
    char *copy = alloc_copy(out.data, out.size);
    if (copy == NULL) {
        return error_set_memory(err);
    }
    *ret_text = copy;
    return 0;
}

static int add_words(struct spec_strings *words, const struct spec_strings *more)
{
    for (size_t i = 0; i < more->count; i++) {
        if (spec_strings_add(words, more->items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_source(struct spec_strings *words, const char *path, struct cella_error *err)
{
    AUTO_FREE char *word = NULL;
    if (asprintf(&word, "%s%s", file_prefix(path), path) < 0) {
        word = NULL; /* asprintf() leaves it undefined */
        return error_set_memory(err);
    }
    return spec_strings_add(words, word) < 0 ? error_set_memory(err) : 0;
}

/* The entry comes last: a language whose files build on each other compiles them in this order. */
static int add_sources(struct spec_strings *words, const struct expand_values *values,
                       struct cella_error *err)
{
    const struct spec *spec = values->spec;
    const char *entry = runtime_entry(values->runtime, spec);
    for (size_t i = 0; spec != NULL && i < spec->file_count; i++) {
        const char *path = spec->files[i].path;
        if (strcmp(path, entry) != 0 && runtime_has_extension(values->runtime, path) &&
            add_source(words, path, err) < 0) {
            return -1;
        }
    }
    return add_source(words, entry, err);
}

/* One word of the file becomes one word, or as many as the request brings. */
static int expand_word(struct spec_strings *words, const char *word,
                       const struct expand_values *values, struct cella_error *err)
{
    struct found found;
    if (find_placeholder(word, &found) && is_list(&found)) {
        const struct spec *spec = values->spec;
        if (found.placeholder == PLACEHOLDER_SOURCES) {
            return add_sources(words, values, err);
        }
        if (spec == NULL) {
            return 0;
        }
        const struct spec_strings *more =
            found.placeholder == PLACEHOLDER_ARGS ? &spec->args : &spec->compile_args;
        return add_words(words, more) < 0 ? error_set_memory(err) : 0;
    }
    AUTO_FREE char *text = NULL;
    if (expand_text(word, values, &text, err) < 0) {
        return -1;
    }
    return spec_strings_add(words, text) < 0 ? error_set_memory(err) : 0;
}

int expand_words(const struct spec_strings *words, const struct expand_values *values,
                 struct spec_strings *ret_words, struct cella_error *err)
{
    struct spec_strings expanded = {0};
    for (size_t i = 0; i < words->count; i++) {
        if (expand_word(&expanded, words->items[i], values, err) < 0) {
            spec_strings_done(&expanded);
            return -1;
        }
    }
    *ret_words = expanded;
    return 0;
}
