/* Placeholders in the words of a runtime: see expand.h. */
#include "runtime/expand.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPANDED_MAX (64U * 1024) /* bytes of one word */

enum placeholder {
    PLACEHOLDER_PATH,
    PLACEHOLDER_ENTRY,
    PLACEHOLDER_OUTPUT,
    PLACEHOLDER_MEMORY_BYTES,
    PLACEHOLDER_MEMORY_MIB,
    PLACEHOLDER_CPUS,
    PLACEHOLDER_STACK_BYTES,
    PLACEHOLDER_ARGS,
    PLACEHOLDER_COMPILE_ARGS,
    PLACEHOLDER_COUNT, /* an unknown one */
};

static const char *const placeholder_names[PLACEHOLDER_COUNT] = {
    "path", "entry",       "output", "memory_bytes", "memory_mib",
    "cpus", "stack_bytes", "args",   "compile_args",
};

/* Whether a placeholder begins at `text`: *ret_size is its size, braces included. */
static bool find_placeholder(const char *text, enum placeholder *ret_placeholder, size_t *ret_size)
{
    if (text[0] != '{') {
        return false;
    }
    size_t size = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
    if (size == 0 || text[1 + size] != '}') {
        return false;
    }
    enum placeholder placeholder = 0;
    while (placeholder < PLACEHOLDER_COUNT &&
           (strlen(placeholder_names[placeholder]) != size ||
            strncmp(placeholder_names[placeholder], text + 1, size) != 0)) {
        placeholder++;
    }
    *ret_placeholder = placeholder;
    *ret_size = size + 2;
    return true;
}

const char *expand_problem(const char *word, enum expand_place place)
{
    enum placeholder placeholder;
    size_t size;
    for (const char *at = word; *at != '\0'; at++) {
        if (!find_placeholder(at, &placeholder, &size)) {
            continue;
        }
        if (placeholder == PLACEHOLDER_COUNT) {
            return "has an unknown name in braces";
        }
        if (placeholder >= PLACEHOLDER_ARGS && place != EXPAND_IN_ARGV) {
            return "must not have {args} or {compile_args}";
        }
        if (placeholder >= PLACEHOLDER_ARGS && (at != word || word[size] != '\0')) {
            return "must have {args} and {compile_args} as words of their own";
        }
    }
    return NULL;
}

/* A program would take a file "-c" for an option. */
static int add_entry(struct buffer *out, const char *entry)
{
    if (entry[0] == '-' && buffer_add_string(out, "./") < 0) {
        return -1;
    }
    return buffer_add_string(out, entry);
}

/* {cpus} is whole, at least 1: what programs take for their number of threads. */
static uint64_t whole_cpus(uint64_t thousandths)
{
    return thousandths < LIMIT_ONE_CPU ? 1 : thousandths / LIMIT_ONE_CPU;
}

static int add_value(struct buffer *out, enum placeholder placeholder,
                     const struct expand_values *values)
{
    const uint64_t *limits = values->limits->value;
    switch (placeholder) {
    case PLACEHOLDER_PATH:
        return buffer_add_string(out, values->path);
    case PLACEHOLDER_ENTRY:
        return add_entry(out, values->entry);
    case PLACEHOLDER_OUTPUT:
        return buffer_add_string(out, values->output == NULL ? "" : values->output);
    case PLACEHOLDER_MEMORY_BYTES:
        return buffer_add_format(out, "%" PRIu64, limits[LIMIT_MEMORY]);
    case PLACEHOLDER_MEMORY_MIB:
        return buffer_add_format(out, "%" PRIu64, limits[LIMIT_MEMORY] / LIMIT_MIB);
    case PLACEHOLDER_CPUS:
        return buffer_add_format(out, "%" PRIu64, whole_cpus(limits[LIMIT_CPUS]));
    case PLACEHOLDER_STACK_BYTES:
        return buffer_add_format(out, "%" PRIu64, limits[LIMIT_STACK]);
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
        enum placeholder placeholder;
        size_t size = 1;
        int added = find_placeholder(at, &placeholder, &size) ? add_value(&out, placeholder, values)
                                                              : buffer_add(&out, at, 1);
        if (added < 0) {
            return error_set_memory(err);
        }
        at += size;
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
    for (size_t i = 0; more != NULL && i < more->count; i++) {
        if (spec_strings_add(words, more->items[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* One word of the file becomes one word, or as many as the request brings. */
static int expand_word(struct spec_strings *words, const char *word,
                       const struct expand_values *values, struct cella_error *err)
{
    enum placeholder placeholder;
    size_t size;
    if (find_placeholder(word, &placeholder, &size) && placeholder >= PLACEHOLDER_ARGS &&
        placeholder < PLACEHOLDER_COUNT) {
        const struct spec_strings *more =
            placeholder == PLACEHOLDER_ARGS ? values->args : values->compile_args;
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
