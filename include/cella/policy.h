/*
 * libcella: policies, which say what an operator allows (docs/policies.md).  For fronts and tools;
 * a program that only runs code names its policy in the request.
 *
 * A policy is asked for by its name, which is looked for as for a run, or by the path of its file,
 * which has a '/' in it or ends in ".yaml".
 */
#ifndef CELLA_POLICY_H
#define CELLA_POLICY_H

#include <cella/cella.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cella_policy {
    const char *name;
    const char *description; /* one line; "" when the file has none */
    const char *file;        /* where it comes from; "" when it cannot be read */
    const char *digest;      /* of what it says in all; "" when it is wrong */
    const char *problem;     /* why it is wrong, with file, line and column; "" when it is good */
};
/* Every policy by name, also those that are wrong.  `options` may be NULL; a row's strings are
 * valid during the call. */
CELLA_API int cella_policies(const struct cella_options *options,
                             void (*row)(void *context, const struct cella_policy *policy),
                             void *context, struct cella_error *err);
/* The same as JSON, NUL-terminated; free() it. */
CELLA_API int cella_policies_json(const struct cella_options *options, char **ret_json,
                                  struct cella_error *err);

/* Whether a policy is good: -1 with file, line, column and, for a misspelt word, the closest one.
 * Its languages must be some that this host's runtimes describe. */
CELLA_API int cella_policy_check(const struct cella_options *options, const char *policy,
                                 struct cella_error *err);

enum cella_policy_format { CELLA_POLICY_YAML, CELLA_POLICY_JSON };
/* What results from a policy's file, those that it extends, and the defaults: YAML that, read back,
 * gives the same policy, or the same as JSON.  NUL-terminated; free() it. */
CELLA_API int cella_policy_show(const struct cella_options *options, const char *policy,
                                enum cella_policy_format format, char **ret_text,
                                struct cella_error *err);

struct cella_decision {
    const char *what;  /* what is decided, "limits.memory_bytes" */
    const char *asked; /* what the request says of it, "2 GiB"; "" when nothing */
    int allowed;
    const char *text; /* what is given, or why it is refused */
    const char *key;  /* of the policy, that decides */
    const char *file; /* where that stands; "" when no file says it and it is the default */
    size_t line, column;
};
/* What a policy makes of a request, decision by decision, without running it.  The request's own
 * `policy` does not matter.  *ret_allowed is 0 when something in it is refused. */
CELLA_API int cella_policy_test(struct cella_engine *engine, const char *policy,
                                const struct cella_request *request,
                                void (*row)(void *context, const struct cella_decision *decision),
                                void *context, int *ret_allowed, struct cella_error *err);
/* The same as JSON, NUL-terminated; free() it. */
CELLA_API int cella_policy_test_json(struct cella_engine *engine, const char *policy,
                                     const struct cella_request *request, char **ret_json,
                                     int *ret_allowed, struct cella_error *err);

#ifdef __cplusplus
}
#endif
#endif
