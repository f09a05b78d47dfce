/*
 * The mounts of a policy: each, and all together.  See read.h.
 */
#include "base/error.h"
#include "base/paths.h"
#include "isolate/places.h"
#include "policy/keys.h"
#include "policy/read.h"

#include <stdio.h>
#include <string.h>

static int put_mount(struct policy *policy, const struct policy_mount *mount,
                     const struct json_where *where, struct cella_error *err)
{
    size_t at = 0;
    while (at < policy->mount_count && strcmp(policy->mounts[at].at, mount->at) < 0) {
        at++;
    }
    if (at < policy->mount_count && strcmp(policy->mounts[at].at, mount->at) == 0) {
        if (policy->mounts[at].source == mount->source) {
            return json_text_fail(err, where, "is at the same place as another: %s", mount->at);
        }
        policy->mounts[at] = *mount;
        return 0;
    }
    if (policy->mount_count == POLICY_MOUNTS_MAX) {
        return json_text_fail(err, where, "is one too many: at most %d are allowed",
                              POLICY_MOUNTS_MAX);
    }
    memmove(&policy->mounts[at + 1], &policy->mounts[at],
            (policy->mount_count - at) * sizeof(policy->mounts[0]));
    policy->mounts[at] = *mount;
    policy->mount_count++;
    return 0;
}

/* Every reader has this form; `target` is a struct mount_fields. */
#define READER(id)                                                                                 \
    static int read_##id(void *target, json_t *value, const struct json_where *where,              \
                         struct cella_error *err)
#define FIELD(id, name, ...) {name, read_##id},

struct mount_fields {
    const char *path, *at;
    enum policy_access access;
};

const char *const policy_access_words[] = {
    [POLICY_ACCESS_NONE] = "none",
    [POLICY_ACCESS_READ_ONLY] = "read_only",
    [POLICY_ACCESS_WRITABLE] = "writable",
};

READER(mount_path)
{
    return json_text_read_word(value, where, &((struct mount_fields *)target)->path, err);
}

READER(mount_at)
{
    return json_text_read_word(value, where, &((struct mount_fields *)target)->at, err);
}

READER(mount_access)
{
    struct mount_fields *fields = target;
    size_t choice = 0;
    if (json_text_read_choice(value, where, policy_access_words, ARRAY_LENGTH(policy_access_words),
                              "must be 'read_only', 'writable' or 'none'", &choice, err) < 0) {
        return -1;
    }
    fields->access = (enum policy_access)choice;
    return 0;
}

static int fail_path(const struct json_where *where, const char *key, const char *problem,
                     struct cella_error *err)
{
    const struct json_where here = {.parent = where, .key = key};
    return json_text_fail(err, &here, "%s", problem);
}

/* What no ceiling lets through either; here it can be said where it stands. */
static int check_mount(const struct mount_fields *fields, const struct json_where *where,
                       struct cella_error *err)
{
    if (fields->path == NULL) {
        return fail_path(where, "path", "is missing", err);
    }
    const bool hides = fields->access == POLICY_ACCESS_NONE;
    if (hides && fields->at != NULL) {
        return fail_path(where, "at", "means nothing where access is none", err);
    }
    const char *at = fields->at != NULL ? fields->at : fields->path;
    const char *problem =
        hides ? NULL
              : places_source_problem(fields->path, fields->access == POLICY_ACCESS_WRITABLE);
    if (problem == NULL &&
        (policy_has_control(fields->path, false) || policy_has_control(at, false))) {
        problem = "has control characters";
    }
    if (problem == NULL && strlen(fields->path) >= PLAN_PATH_MAX) {
        problem = "is too long";
    }
    if (problem != NULL) {
        return fail_path(where, "path", problem, err);
    }
    problem = strlen(at) >= PLAN_PATH_MAX
                  ? "is too long"
                  : places_target_problem(at, fields->access == POLICY_ACCESS_WRITABLE);
    return problem == NULL ? 0 : fail_path(where, at == fields->at ? "at" : "path", problem, err);
}

static int read_mount(struct policy *policy, json_t *value, const struct json_where *where,
                      struct cella_error *err)
{
    static const struct json_field known[] = {POLICY_MOUNT_KEYS(FIELD)};
    struct mount_fields fields = {.access = POLICY_ACCESS_READ_ONLY};
    if (json_text_read_object(value, known, ARRAY_LENGTH(known), &fields, where, err) < 0 ||
        check_mount(&fields, where, err) < 0) {
        return -1;
    }
    const bool hides = fields.access == POLICY_ACCESS_NONE;
    struct policy_mount mount = {.access = fields.access, .index = where->index};
    (void)snprintf(mount.path, sizeof(mount.path), "%s", hides ? "" : fields.path); /* fits */
    (void)snprintf(mount.at, sizeof(mount.at), "%s",
                   fields.at != NULL ? fields.at : fields.path); /* fits */
    return put_mount(policy, &mount, where, err);
}

int policy_mounts_read(json_t *value, const struct json_where *where, struct policy *policy,
                       struct cella_error *err)
{
    if (!json_is_array(value)) {
        return json_text_fail(err, where, "must be a list of mounts");
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct json_where here = {.parent = where, .index = i};
        if (read_mount(policy, json_array_get(value, i), &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- all together ---- */

/* Where the policy's own file says it, if it does. */
static int fail_mount(const struct policy_mount *mount, const struct policy_mount *other_or_null,
                      const char *text, struct cella_error *err)
{
    const struct policy_mount *own =
        mount->source != 0 && other_or_null != NULL ? other_or_null : mount;
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "the mount at %s %s", mount->at, text);
    return error_set_field(err, "mounts[%zu]", own->index);
}

/* `inner` lies below `outer`. */
static int check_pair(const struct policy_mount *outer, const struct policy_mount *inner,
                      struct cella_error *err)
{
    char text[PLAN_PATH_MAX + 64];
    if (outer->access == POLICY_ACCESS_READ_ONLY) {
        return 0; /* it must have a place for it, which is seen when it is made */
    }
    (void)snprintf(text, sizeof(text), "lies in %s, which is %s", outer->at,
                   outer->access == POLICY_ACCESS_NONE ? "hidden" : "writable"); /* fits */
    return fail_mount(inner, outer, text, err);
}

/* Who could write there would make policies for the runs after him. */
static int check_configuration(const struct policy_mount *mount, const char *extra_dir,
                               struct cella_error *err)
{
    for (enum paths_kind kind = PATHS_RUNTIMES; kind <= PATHS_POLICIES; kind++) {
        struct paths_dirs dirs;
        if (paths_search(kind, extra_dir, &dirs, err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < dirs.count; i++) {
            if (places_lies_in(dirs.items[i], mount->path) ||
                places_lies_in(mount->path, dirs.items[i])) {
                return fail_mount(mount, NULL, "would let runs write Cella's own configuration",
                                  err);
            }
        }
    }
    return 0;
}

int policy_mounts_check(const struct policy *policy, const char *extra_dir, struct cella_error *err)
{
    size_t writable = 0;
    for (size_t i = 0; i < policy->mount_count; i++) {
        const struct policy_mount *mount = &policy->mounts[i];
        for (size_t n = 0; n < i; n++) {
            if (places_lies_in(mount->at, policy->mounts[n].at) &&
                check_pair(&policy->mounts[n], mount, err) < 0) {
                return -1;
            }
        }
        if (mount->access != POLICY_ACCESS_WRITABLE) {
            continue;
        }
        if (++writable > PLAN_WRITABLE_MAX) {
            char text[64];
            (void)snprintf(text, sizeof(text), "is one too many that are writable: at most %d",
                           PLAN_WRITABLE_MAX); /* fits */
            return fail_mount(mount, NULL, text, err);
        }
        if (check_configuration(mount, extra_dir, err) < 0) {
            return -1;
        }
    }
    return 0;
}
