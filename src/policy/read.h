/*
 * A policy's file, key by key.  This header is for src/policy alone.
 */
#ifndef POLICY_READ_H
#define POLICY_READ_H

#include "policy/policy.h"
#include "request/fields.h"
#include "runtime/definition.h"

struct policy_source {
    struct definition definition;
};

/* The words of choices, for reading them and for saying what was chosen. */
extern const struct request_choice
    policy_control_groups_words[REQUEST_CHOICES];                          /* plan_control_groups */
extern const struct request_choice policy_syscalls_words[REQUEST_CHOICES]; /* enum plan_syscalls */
extern const char *const policy_access_words[];                            /* policy_access */
extern const char *const policy_compile_cache_words[];

/* What a file says of limits; LIMIT_UNSET where it is silent. */
struct policy_said {
    struct limits defaults, caps, compile_defaults, compile_caps;
};

/* The name in `extends`, or NULL when the file builds on nothing; and whether it loosens. */
int policy_read_base(json_t *root, const char **ret_extends, bool *ret_loosen,
                     struct cella_error *err) MUST_CHECK;

/* Lays the file's keys over a policy, which is the base's or the default one, and its limits into
 * `ret_said`.  `loosen`: lists that else are added to are replaced.  CELLA_ERROR_CALLER with the
 * key as its field. */
int policy_read_keys(json_t *root, bool loosen, struct policy *policy, struct policy_said *ret_said,
                     struct cella_error *err) MUST_CHECK;

/* Whether a text has what a line of a file should not; a value may have lines. */
bool policy_has_control(const char *text, bool may_have_lines);

/* ---- policy_preload.c ---- */

/* Lays lists of modules, by language, over those of the policy. */
int policy_preload_read(json_t *value, const struct json_where *where, struct policy *policy,
                        struct cella_error *err) MUST_CHECK;

/* ---- policy_mounts.c ---- */

/* Lays a list of mounts over those of the policy: one at the same place is replaced. */
int policy_mounts_read(json_t *value, const struct json_where *where, struct policy *policy,
                       struct cella_error *err) MUST_CHECK;

/* What only all of them show: nothing lies in what is hidden or writable, no more are writable than
 * a plan has room for, and no run can write where policies and runtimes are looked for. */
int policy_mounts_check(const struct policy *policy, const char *extra_dir,
                        struct cella_error *err) MUST_CHECK;

#endif
