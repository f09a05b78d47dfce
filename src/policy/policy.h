/*
 * Policies: what the operator allows (policies/NAME.yaml, docs/policies.md), and the step from a
 * request to a plan.
 *
 * A request can only ask for less than a policy allows; what it asks for beyond is refused, naming
 * policy and limit.  A policy may build on another, and then only give less, unless it says that it
 * loosens it.
 *
 *   keys.h         the table of keys
 *   read.c         a file into a policy, key by key; policy_mounts.c
 *   policy.c       finding files, what one extends, what is left out
 *   tighten.c      whether one policy gives more than another
 *   show.c         a policy as YAML or JSON, and its digest
 *   calls.c        system calls by name
 *   check.c        what a request may not say
 *   plan.c         from a request to a plan; plan_limits.c, mounts.c
 *   decide.c       each decision about a request, and the line that makes it
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "policy/plan.h"
#include "request/spec.h"
#include "runtime/runtime.h"

#define POLICY_DIGEST_SIZE     65   /* hexadecimal SHA-256 and a NUL */
#define POLICY_EXTENDS_MAX     8    /* files that build on one another */
#define POLICY_VARIABLES_MAX   64   /* of env.set and env.pass, each */
#define POLICY_MOUNTS_MAX      32   /* beside those that every run has */
#define POLICY_VALUE_MAX       1024 /* bytes of a variable's value */
#define POLICY_DESCRIPTION_MAX 120

/* A list that may be "whatever there is". */
struct policy_list {
    bool all; /* then `words` is empty */
    struct spec_strings words;
};

enum policy_access { POLICY_ACCESS_NONE, POLICY_ACCESS_READ_ONLY, POLICY_ACCESS_WRITABLE };

/* Compilations that were done before: none, those of the same tenant, or everybody's. */
enum policy_compile_cache { POLICY_CACHE_NONE, POLICY_CACHE_TENANT, POLICY_CACHE_SHARED };

struct policy_mount {
    enum policy_access access;
    size_t source;            /* which file says it: an index of `sources` */
    size_t index;             /* and which element of its `mounts` */
    char path[PLAN_PATH_MAX]; /* of the host; empty for POLICY_ACCESS_NONE */
    char at[PLAN_PATH_MAX];   /* in the sandbox */
};

struct policy_call_list {
    size_t count;
    uint32_t numbers[PLAN_CALLS_MAX];
};

struct policy_source; /* a file that was read, for saying where in it something stands */

struct policy {
    char *name;
    char *file;                      /* where it was read from */
    char *description;               /* "" when it has none */
    char digest[POLICY_DIGEST_SIZE]; /* of what results, not of the file: see policy_show() */
    struct limits defaults;
    struct limits caps;
    struct limits compile_defaults;
    struct limits compile_caps;
    uint64_t waived; /* by protection_bit() */
    enum plan_control_groups control_groups;
    enum plan_syscalls syscalls;
    struct policy_call_list allowed_calls; /* sorted */
    struct policy_call_list denied_calls;  /* sorted; these win */
    bool loopback;
    bool host_network; /* a request may ask for network "host" */
    bool files_apart;  /* also where a mount lies over the workspace */
    bool one_processor;
    bool cold_start; /* no zygotes */
    bool adaptive_timeout;
    enum policy_compile_cache compile_cache;
    bool history_code;             /* a server's history keeps the request */
    bool history_output;           /* and the result, beyond its summary */
    struct spec_variable *preload; /* by language: what its zygotes load too, with commas between */
    size_t preload_count;
    enum spec_on_output_limit on_output_limit; /* STOP binds; TRUNCATE when a request is silent */
    struct policy_list languages;
    struct policy_list commands;                   /* patterns without their first slash */
    struct policy_mount mounts[POLICY_MOUNTS_MAX]; /* sorted by place: a directory before its own */
    size_t mount_count;
    struct spec_variable *env_set;
    size_t env_set_count;
    struct spec_strings env_pass;
    struct policy_list env_allow;
    struct policy_source *sources[POLICY_EXTENDS_MAX]; /* its own file first */
    size_t source_count;
};

/* Whether a request's files lie in PLAN_PROGRAM: the policy says so, or has a mount over the
 * workspace, into which none of them belongs. */
bool policy_files_are_apart(const struct policy *policy);

/* Looked for as runtimes are, in .../policies.  CELLA_ERROR_POLICY for an unknown one, with the
 * list and the closest name; CELLA_ERROR_HOST for a bad file, with its line and column. */
int policy_load(const char *extra_dir, const char *name, struct policy **ret_policy,
                struct cella_error *err) MUST_CHECK;
/* The same for a file by its path; what it extends is looked for as always. */
int policy_load_file(const char *extra_dir, const char *path, struct policy **ret_policy,
                     struct cella_error *err) MUST_CHECK;
void policy_destroy(struct policy *policy);

/* The names of all policies, sorted. */
int policy_list_names(const char *extra_dir, struct spec_strings *ret_names,
                      struct cella_error *err) MUST_CHECK;

/* Where a key ("limits.memory_bytes.cap") is said last: in the policy's own file or in one that it
 * extends.  False when none says it. */
struct policy_place {
    const char *file; /* the policy's */
    size_t line, column;
};
bool policy_find_key(const struct policy *policy, const char *key, struct policy_place *ret_place);
/* The same from one of its files on, which is an index of `sources`. */
bool policy_find_key_from(const struct policy *policy, size_t source, const char *key,
                          struct policy_place *ret_place);

/* What results from the file, those that it extends, and the defaults: read back it gives the same
 * policy.  Its digest is that of the YAML without the description. */
enum policy_format { POLICY_YAML, POLICY_JSON };
int policy_show(const struct policy *policy, enum policy_format format, struct buffer *out,
                struct cella_error *err) MUST_CHECK;

/* Whether `policy` gives nothing that `base` does not.  If not: CELLA_ERROR_CALLER with the key as
 * its field, which yaml_text_place() finds in the file. */
int policy_check_tighter(const struct policy *policy, const struct policy *base,
                         struct cella_error *err) MUST_CHECK;

/* ---- a request under a policy ---- */

/* Each is one part of policy_plan(): CELLA_ERROR_POLICY, with the field of the request, when it
 * asks for more than the policy gives. */
int policy_check_language(const struct policy *policy, const struct runtime *runtime,
                          struct cella_error *err) MUST_CHECK;
int policy_check_command(const struct policy *policy, const struct spec *spec,
                         struct cella_error *err) MUST_CHECK;
int policy_check_variable(const struct policy *policy, const char *name,
                          struct cella_error *err) MUST_CHECK;
int policy_check_network(const struct policy *policy, const struct spec *spec,
                         struct cella_error *err) MUST_CHECK;
int policy_check_output(const struct policy *policy, const struct spec *spec,
                        struct cella_error *err) MUST_CHECK;

enum policy_stage { POLICY_STAGE_RUN, POLICY_STAGE_COMPILE };

/* The plan for one stage of a request.  `runtime` is NULL for a bare command.
 * CELLA_ERROR_POLICY when the request asks for more than the policy gives. */
int policy_plan(const struct policy *policy, const struct spec *spec, const struct runtime *runtime,
                enum policy_stage stage, struct plan *ret_plan, struct cella_error *err) MUST_CHECK;

/* Hexadecimal SHA-256 of the plan as it stands. */
void plan_digest(const struct plan *plan, char ret_digest[POLICY_DIGEST_SIZE]);

#endif
