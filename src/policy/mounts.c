/*
 * What a sandbox sees of the host's files: see mounts.h.
 *
 * Left out on purpose: /etc/localtime (a run's clock is UTC wherever it runs), /etc/ld.so.conf (the
 * cache made from it is enough), and where there is no network /etc/ssl and its like.
 */
#include "policy/mounts.h"

#include "base/error.h"
#include "isolate/places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *path;
    uint32_t flags;
} base_binds[] = {
    {"/usr", 0},
    {"/etc/alternatives", PLAN_MOUNT_OPTIONAL}, /* Debian's links from /usr lead through it */
    {"/etc/ld.so.cache", PLAN_MOUNT_OPTIONAL},  /* without it many libraries are not found */
    {"/etc/fonts", PLAN_MOUNT_OPTIONAL},        /* fontconfig, for programs that draw text */
};

const char *mounts_problem(const char *path)
{
    if (!places_is_plain(path)) {
        return "must be an absolute path without '.', '..' or a slash at its end";
    }
    if (strlen(path) >= PLAN_PATH_MAX) {
        return "is too long";
    }
    /* By what may be seen, not by what may not: homes, state, devices and the sandbox's own places
     * are whatever is not here. */
    if (!places_is_for_programs(path)) {
        return "is not a place of programs: those are /usr, /opt and single files in /etc";
    }
    return NULL;
}

/* ---- the plan's mounts ---- */

/* The texts have been checked to fit. */
static int set_mount(struct plan *plan, uint32_t index, const struct plan_mount *values,
                     const char *source, const char *target, struct cella_error *err)
{
    if (index == PLAN_MOUNTS_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0,
                         "runtime and policy have too many mounts: a plan has room for %d",
                         PLAN_MOUNTS_MAX);
    }
    struct plan_mount *mount = &plan->mounts[index];
    *mount = (struct plan_mount){.kind = values->kind, .flags = values->flags};
    (void)snprintf(mount->source, sizeof(mount->source), "%s", source);
    (void)snprintf(mount->target, sizeof(mount->target), "%s", target);
    plan->mount_count += index == plan->mount_count ? 1U : 0U;
    return 0;
}

/* The index of the mount at that place, or the first free one. */
static uint32_t find_target(const struct plan *plan, const char *target)
{
    uint32_t i = 0;
    while (i < plan->mount_count && strcmp(plan->mounts[i].target, target) != 0) {
        i++;
    }
    return i;
}

/* Adds one unless its target is there already. */
static int add_mount(struct plan *plan, enum plan_mount_kind kind, uint32_t flags,
                     const char *source, const char *target, struct cella_error *err)
{
    const uint32_t index = find_target(plan, target);
    const struct plan_mount values = {.kind = (uint32_t)kind, .flags = flags};
    return index < plan->mount_count ? 0 : set_mount(plan, index, &values, source, target, err);
}

/* Behind all others, so that what it lies in is there before it. */
int mounts_put(struct plan *plan, enum plan_mount_kind kind, uint32_t flags, const char *source,
               const char *target, struct cella_error *err)
{
    const uint32_t index = find_target(plan, target);
    const struct plan_mount values = {.kind = (uint32_t)kind, .flags = flags};
    if (index < plan->mount_count) {
        plan->mount_count--;
        memmove(&plan->mounts[index], &plan->mounts[index + 1],
                (plan->mount_count - index) * sizeof(plan->mounts[0]));
        memset(&plan->mounts[plan->mount_count], 0, sizeof(plan->mounts[0]));
    }
    return set_mount(plan, plan->mount_count, &values, source, target, err);
}

int mounts_fill_network(struct plan *plan, struct cella_error *err)
{
    static const char *const files[] = {"/etc/ssl/certs", "/etc/ssl/openssl.cnf",
                                        "/etc/ca-certificates", "/etc/services", "/etc/protocols"};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        if (add_mount(plan, PLAN_MOUNT_BIND, PLAN_MOUNT_OPTIONAL, files[i], files[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A link keeps its text, so that paths inside look as they do outside; it must lead into /usr. */
static int add_link(struct plan *plan, const char *path, struct cella_error *err)
{
    char text[PLAN_PATH_MAX];
    ssize_t size = readlink(path, text, sizeof(text) - 1);
    if (size < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot read the link %s", path);
    }
    text[size] = '\0';
    const char *rest = text[0] == '/' ? text + 1 : text; /* the link lies in the root */
    char absolute[PLAN_PATH_MAX + 1];
    (void)snprintf(absolute, sizeof(absolute), "/%s", rest); /* fits */
    if ((size_t)size == sizeof(text) - 1 || !places_is_plain(absolute) ||
        !places_lies_in(absolute, "/usr")) {
        return error_set(err, CELLA_ERROR_HOST, 0, "the link %s of this host leads outside of /usr",
                         path);
    }
    return add_mount(plan, PLAN_MOUNT_SYMLINK, 0, text, path, err);
}

static int add_top_directory(struct plan *plan, const char *path, struct cella_error *err)
{
    struct stat found;
    if (lstat(path, &found) < 0) {
        return errno == ENOENT ? 0 : error_set(err, CELLA_ERROR_HOST, errno, "cannot see %s", path);
    }
    if (S_ISLNK(found.st_mode)) {
        return add_link(plan, path, err);
    }
    return add_mount(plan, PLAN_MOUNT_BIND, PLAN_MOUNT_OPTIONAL, path, path, err);
}

static int add_runtime_mount(struct plan *plan, const struct plan_mount *mount,
                             struct cella_error *err)
{
    const char *problem =
        mount->kind == PLAN_MOUNT_BIND ? mounts_problem(mount->source) : "must be a bind";
    if (problem == NULL) {
        problem = mounts_problem(mount->target);
    }
    if (problem != NULL) {
        return error_set(err, CELLA_ERROR_HOST, 0, "the runtime's mount %s %s", mount->source,
                         problem);
    }
    return add_mount(plan, PLAN_MOUNT_BIND, mount->flags, mount->source, mount->target, err);
}

int mounts_fill(struct plan *plan, const struct plan_mount *more, size_t more_count,
                struct cella_error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(base_binds); i++) {
        const char *path = base_binds[i].path;
        if (add_mount(plan, PLAN_MOUNT_BIND, base_binds[i].flags, path, path, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < PLACES_TOP_COUNT; i++) {
        if (add_top_directory(plan, places_top[i], err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < more_count; i++) {
        if (add_runtime_mount(plan, &more[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
