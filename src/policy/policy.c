/*
 * Policies from their files: the table of fields, a reader for each, and what is left out filled in
 * (see policy.h; policies/default.yaml shows and explains every field).
 */
#include "policy/policy.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "isolate/protections.h"
#include "request/fields.h"
#include "runtime/definition.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

static const char derived[] = "derived";

/* What a compiler needs that programs do not, where a policy does not say otherwise. */
static const struct {
    enum limit limit;
    uint64_t value;
} compile_needs[] = {
    {LIMIT_WALL, 30 * LIMIT_SECOND},
    {LIMIT_MEMORY, LIMIT_GIB},
    {LIMIT_PROCESSES, 256},
    {LIMIT_DISK, LIMIT_GIB},
    {LIMIT_COLLECT_BYTES, 64 * LIMIT_MIB}, /* the compiled program: as large as file_bytes allows */
};

void policy_destroy(struct policy *policy)
{
    if (policy != NULL) {
        free(policy->name);
        free(policy->file);
        free(policy);
    }
}

/* ---- limits ---- */

enum bound { BOUND_DEFAULT, BOUND_CAP };

struct limit_target { /* what the fields of one limit are read into */
    enum limit limit;
    uint64_t *values[2]; /* by enum bound */
};

static bool may_be_derived(enum limit limit, enum bound bound)
{
    return bound == BOUND_CAP ? limit == LIMIT_CPUS : limit == LIMIT_CPU || limit == LIMIT_STACK;
}

static int read_bound(struct limit_target *target, enum bound bound, json_t *value,
                      const struct json_where *where, struct cella_error *err)
{
    if (json_is_string(value) && strcmp(json_string_value(value), derived) == 0) {
        if (!may_be_derived(target->limit, bound)) {
            return json_text_fail(err, where, "cannot be derived");
        }
        *target->values[bound] = LIMIT_DERIVED;
        return 0;
    }
    return definition_read_limit(target->limit, value, where, target->values[bound], err);
}

static int read_default(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    return read_bound(target, BOUND_DEFAULT, value, where, err);
}

static int read_cap(void *target, json_t *value, const struct json_where *where,
                    struct cella_error *err)
{
    return read_bound(target, BOUND_CAP, value, where, err);
}

static int read_limit(struct limit_target *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    static const struct json_field fields[] = {{"default", read_default}, {"cap", read_cap}};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

static int read_limits_into(struct limits *defaults, struct limits *caps, json_t *value,
                            const struct json_where *where, struct cella_error *err)
{
    if (!json_is_object(value)) {
        return json_text_fail(err, where, "must be a mapping of limits to defaults and caps");
    }
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        struct json_where here = {.parent = where, .key = json_object_iter_key(at)};
        struct limit_target target;
        if (definition_limit_by_name(here.key, &here, &target.limit, err) < 0) {
            return -1;
        }
        target.values[BOUND_DEFAULT] = &defaults->value[target.limit];
        target.values[BOUND_CAP] = &caps->value[target.limit];
        if (read_limit(&target, json_object_iter_value(at), &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_limits(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct policy *policy = target;
    return read_limits_into(&policy->defaults, &policy->caps, value, where, err);
}

static int read_compile_limits(void *target, json_t *value, const struct json_where *where,
                               struct cella_error *err)
{
    struct policy *policy = target;
    return read_limits_into(&policy->compile_defaults, &policy->compile_caps, value, where, err);
}

static int read_compile(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    static const struct json_field fields[] = {{"limits", read_compile_limits}};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

/* A default that the file does not give, kept below a cap that it may give.  LIMIT_DERIVED is cut
 * when it is worked out. */
static void fill_unsaid(uint64_t *value, uint64_t cap, uint64_t usual)
{
    if (*value == LIMIT_UNSET) {
        *value = usual != LIMIT_DERIVED && usual > cap ? cap : usual;
    }
}

static int check_default(const struct limits *defaults, const struct limits *caps, enum limit limit,
                         const struct json_where *parent, struct cella_error *err)
{
    if (defaults->value[limit] < LIMIT_DERIVED && defaults->value[limit] > caps->value[limit]) {
        struct json_where where = {.parent = parent, .key = limit_table[limit].name};
        return json_text_fail(err, &where, "has a default above its cap");
    }
    return 0;
}

/* What the file leaves out: for the run the table's values; for compiling the run's caps, and
 * defaults that compilers need. */
static int complete_limits(struct policy *policy, struct cella_error *err)
{
    const struct json_where run = {.key = "limits"};
    const struct json_where compile = {.key = "compile"};
    const struct json_where compile_limits = {.parent = &compile, .key = "limits"};
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        fill_unsaid(&policy->caps.value[limit], LIMIT_UNSET, limit_table[limit].default_cap);
        fill_unsaid(&policy->defaults.value[limit], policy->caps.value[limit],
                    limit_table[limit].default_value);
    }
    struct limits needs = policy->defaults;
    for (size_t i = 0; i < ARRAY_LENGTH(compile_needs); i++) {
        needs.value[compile_needs[i].limit] = compile_needs[i].value;
    }
    for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
        fill_unsaid(&policy->compile_caps.value[limit], LIMIT_UNSET, policy->caps.value[limit]);
        fill_unsaid(&policy->compile_defaults.value[limit], policy->compile_caps.value[limit],
                    needs.value[limit]);
        if (check_default(&policy->defaults, &policy->caps, limit, &run, err) < 0 ||
            check_default(&policy->compile_defaults, &policy->compile_caps, limit, &compile_limits,
                          err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- choices ---- */

static int read_on_output_limit(void *target, json_t *value, const struct json_where *where,
                                struct cella_error *err)
{
    struct policy *policy = target;
    int choice;
    if (request_choice_read(value, where, request_output_limits, &choice, err) < 0) {
        return -1;
    }
    policy->on_output_limit = (enum spec_on_output_limit)choice;
    return 0;
}

static int read_control_groups(void *target, json_t *value, const struct json_where *where,
                               struct cella_error *err)
{
    static const struct request_choice choices[REQUEST_CHOICES] = {
        {"preferred", PLAN_CONTROL_GROUPS_PREFERRED}, {"required", PLAN_CONTROL_GROUPS_REQUIRED}};
    struct policy *policy = target;
    int choice;
    if (request_choice_read(value, where, choices, &choice, err) < 0) {
        return -1;
    }
    policy->control_groups = (enum plan_control_groups)choice;
    return 0;
}

static int read_syscall_set(void *target, json_t *value, const struct json_where *where,
                            struct cella_error *err)
{
    static const struct request_choice choices[REQUEST_CHOICES] = {
        {"default", PLAN_SYSCALLS_DEFAULT}, {"strict", PLAN_SYSCALLS_STRICT}};
    struct policy *policy = target;
    int choice;
    if (request_choice_read(value, where, choices, &choice, err) < 0) {
        return -1;
    }
    policy->syscalls = (enum plan_syscalls)choice;
    return 0;
}

static int read_syscalls(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    static const struct json_field fields[] = {{"set", read_syscall_set}};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

static int read_loopback(void *target, json_t *value, const struct json_where *where,
                         struct cella_error *err)
{
    struct policy *policy = target;
    return json_text_read_bool(value, where, &policy->loopback, err);
}

static int read_host(void *target, json_t *value, const struct json_where *where,
                     struct cella_error *err)
{
    struct policy *policy = target;
    return json_text_read_bool(value, where, &policy->host_network, err);
}

static int read_network(void *target, json_t *value, const struct json_where *where,
                        struct cella_error *err)
{
    static const struct json_field fields[] = {{"loopback", read_loopback}, {"host", read_host}};
    return json_text_read_object(value, fields, ARRAY_LENGTH(fields), target, where, err);
}

/* ---- waivers ---- */

static int read_waiver(void *target, json_t *value, const struct json_where *where,
                       struct cella_error *err)
{
    struct policy *policy = target;
    const char *name;
    if (json_text_read_word(value, where, &name, err) < 0) {
        return -1;
    }
    enum protection protection = protection_by_name(name);
    if (protection != PROTECTION_COUNT) {
        policy->waived |= protection_bit(protection);
        return 0;
    }
    struct names_guess guess;
    names_guess_init(&guess, name);
    for (size_t i = 0; i < PROTECTION_COUNT; i++) {
        names_guess_offer(&guess, protection_table[i].name);
    }
    (void)json_text_fail(err, where, "is no protection: '%s'", name);
    return names_guess_hint(&guess, err);
}

static int read_waive(void *target, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    return json_text_read_array(value, target, read_waiver, where, err);
}

/* ---- the whole ---- */

static int read_into(struct policy *policy, json_t *root, struct cella_error *err)
{
    static const struct json_field fields[] = {
        {"limits", read_limits},
        {"compile", read_compile},
        {"network", read_network},
        {"syscalls", read_syscalls},
        {"control_groups", read_control_groups},
        {"on_output_limit", read_on_output_limit},
        {"waive", read_waive},
    };
    limits_init(&policy->defaults);
    limits_init(&policy->caps);
    limits_init(&policy->compile_defaults);
    limits_init(&policy->compile_caps);
    policy->loopback = true;
    policy->on_output_limit = SPEC_OUTPUT_TRUNCATE;
    if (json_text_read_object(root, fields, ARRAY_LENGTH(fields), policy, NULL, err) < 0) {
        return -1;
    }
    return complete_limits(policy, err);
}

static int fail_unknown(const struct paths_dirs *dirs, const char *name, struct cella_error *err)
{
    CLEANUP(spec_strings_done) struct spec_strings names = {0};
    if (definition_list(dirs, &names, err) < 0) {
        return -1;
    }
    return definition_fail_unknown(err, CELLA_ERROR_POLICY, "policy", name, &names, NULL);
}

int policy_load(const char *extra_dir, const char *name, struct policy **ret_policy,
                struct cella_error *err)
{
    struct paths_dirs dirs;
    AUTO_DEFINITION struct definition definition = {0};
    if (paths_search(PATHS_POLICIES, extra_dir, &dirs, err) < 0) {
        return -1;
    }
    int found = definition_read(&dirs, name, &definition, err);
    if (found <= 0) {
        return found < 0 ? -1 : fail_unknown(&dirs, name, err);
    }
    struct policy *policy = calloc(1, sizeof(*policy));
    if (policy == NULL || (policy->name = alloc_copy(name, strlen(name))) == NULL ||
        (policy->file = alloc_copy(definition.file, strlen(definition.file))) == NULL) {
        policy_destroy(policy);
        return error_set_memory(err);
    }
    (void)SHA256Data((const uint8_t *)definition.text, definition.size, policy->digest);
    if (read_into(policy, yaml_text_root(definition.yaml), err) < 0) {
        policy_destroy(policy);
        return yaml_text_place(definition.yaml, err);
    }
    *ret_policy = policy;
    return 0;
}
