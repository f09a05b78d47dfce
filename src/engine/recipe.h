/*
 * From a request and a language's recipe to what a sandbox executes: the words of argv, the
 * environment, the files, the globs, written into a pack.
 *
 * Of the caller's own environment comes in what the policy names, and nothing else.  Variables are
 * ours, the runtime's, those passed on, the request's, then those that the policy sets; the later
 * one of a name in place of the earlier.
 */
#ifndef ENGINE_RECIPE_H
#define ENGINE_RECIPE_H

#include "engine/pack_writer.h"
#include "policy/policy.h"
#include "request/spec.h"
#include "runtime/runtime.h"

#include <cella/error.h>

struct recipe {
    const struct spec *spec;
    const struct runtime *runtime; /* NULL: the spec's command */
    const char *path;              /* the interpreter or compiler on this host */
    const struct policy *policy;   /* NULL: one that passes and sets nothing */
};

/* Checks what spec_check() cannot, not knowing the runtime: that there is an entry file, once. */
int recipe_check(const struct recipe *recipe, struct cella_error *err) MUST_CHECK;

/* What starts the zygote, or a one-shot, of the recipe's kind: the run's own argv without its
 * arguments, and the environment without the request's variables. */
int recipe_write_zygote(const struct recipe *recipe, const struct limits *limits,
                        struct pack_writer *writer, struct cella_error *err) MUST_CHECK;

/* Everything but files that the compile stage will give, which must be added before sealing. */
int recipe_write(const struct recipe *recipe, enum policy_stage stage, const struct limits *limits,
                 struct pack_writer *writer, struct cella_error *err) MUST_CHECK;

#endif
