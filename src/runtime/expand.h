/*
 * The words of a runtime with what stands in braces replaced: {path} {entry} {output} {args}
 * {compile_args} {memory_bytes} {memory_mib} {cpus} {stack_bytes}.  Other braces stay as they are:
 * only a lower-case name in them is a placeholder.
 */
#ifndef RUNTIME_EXPAND_H
#define RUNTIME_EXPAND_H

#include "base/attributes.h"
#include "request/limits.h"
#include "request/spec.h"

#include <cella/error.h>

struct expand_values {
    const char *path;
    const char *entry;
    const char *output; /* NULL when not compiled */
    const struct spec_strings *args;
    const struct spec_strings *compile_args;
    const struct limits *limits; /* of the stage's plan */
};

/* argv: added to an empty list.  {args} and {compile_args} become any number of words. */
int expand_words(const struct spec_strings *words, const struct expand_values *values,
                 struct spec_strings *ret_words, struct cella_error *err) MUST_CHECK;

/* One text, as of an environment variable.  free() it. */
int expand_text(const char *text, const struct expand_values *values, char **ret_text,
                struct cella_error *err) MUST_CHECK;

/* What is wrong with a word of a runtime's file, or NULL.  `in_argv`: {args} and {compile_args} may
 * stand there, as words of their own. */
enum expand_place { EXPAND_IN_ARGV, EXPAND_IN_ENV };
const char *expand_problem(const char *word, enum expand_place place);

#endif
