/*
 * The words of a runtime with what stands in braces replaced; the table of them is in expand.c.
 * Other braces stay as they are: only a lower-case name in them is a placeholder, and after the
 * name of a number of bytes a percentage may stand: {memory_mib:75} is three quarters of it.
 */
#ifndef RUNTIME_EXPAND_H
#define RUNTIME_EXPAND_H

#include "base/attributes.h"
#include "request/limits.h"
#include "request/spec.h"
#include "runtime/runtime.h"

#include <cella/error.h>

struct expand_values {
    const struct runtime *runtime;
    const struct spec *spec;     /* NULL outside of a run: there is no more than the runtime says */
    const char *path;            /* the interpreter or compiler on this host */
    const struct limits *limits; /* of the stage's plan */
    const char *directory;       /* of the request's files, with a slash behind it; "" or NULL: the
                                    workspace, in which the program begins */
};

/* argv: added to an empty list.  Lists such as {args} become any number of words. */
int expand_words(const struct spec_strings *words, const struct expand_values *values,
                 struct spec_strings *ret_words, struct cella_error *err) MUST_CHECK;

/* One text, as of an environment variable.  free() it. */
int expand_text(const char *text, const struct expand_values *values, char **ret_text,
                struct cella_error *err) MUST_CHECK;

/* What is wrong with a word of a runtime's file, or NULL.  Lists may stand in argv alone, as words
 * of their own. */
enum expand_place { EXPAND_IN_ARGV, EXPAND_IN_ENV };
const char *expand_problem(const char *word, enum expand_place place);

#endif
