/*
 * What a sandbox sees of the host's files: see mounts.h.
 *
 * Left out on purpose: /etc/localtime (a run's clock is UTC wherever it runs), /etc/ssl (there is
 * no network), /etc/ld.so.conf (the cache made from it is enough).
 */
#include "policy/mounts.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links into /usr on today's distributions, directories on older ones, or not there at all. */
static const char *const top_directories[] = {
    "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32",
};

static const struct {
    const char *path;
    uint32_t flags;
} base_binds[] = {
    {"/usr", 0},
    {"/etc/alternatives", PLAN_MOUNT_OPTIONAL}, /* Debian's links from /usr lead through it */
    {"/etc/ld.so.cache", PLAN_MOUNT_OPTIONAL},  /* without it many libraries are not found */
    {"/etc/fonts", PLAN_MOUNT_OPTIONAL},        /* fontconfig, for programs that draw text */
};

/* Written by the sandbox itself, or telling of the host's accounts. */
static const char *const forbidden_files[] = {
    "/etc/passwd", "/etc/shadow",        "/etc/group",       "/etc/gshadow",
    "/etc/hosts",  "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/hostname",
};

bool mounts_lies_in(const char *path, const char *directory)
{
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool lies_in_any(const char *path, const char *const *directories, size_t count)
{
    size_t i = 0;
    while (i < count && !mounts_lies_in(path, directories[i])) {
        i++;
    }
    return i < count;
}

bool mounts_base_holds(const char *path)
{
    return mounts_lies_in(path, "/usr") ||
           lies_in_any(path, top_directories, ARRAY_LENGTH(top_directories));
}

/* "/a/b": no empty, "." or ".." name and no slash at the end. */
static bool is_plain(const char *path)
{
    while (*path == '/') {
        path++;
        size_t size = strcspn(path, "/");
        if (size == 0 || (size == 1 && path[0] == '.') ||
            (size == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        path += size;
    }
    return *path == '\0';
}

const char *mounts_problem(const char *path)
{
    if (path[0] != '/' || !is_plain(path)) {
        return "must be an absolute path without '.', '..' or a slash at its end";
    }
    if (strlen(path) >= PLAN_PATH_MAX) {
        return "is too long";
    }
    /* By what may be seen, not by what may not: homes, state, devices and the sandbox's own places
     * are whatever is not here.  The keeper has a list of its own (keeper/ceiling.c), in which all
     * that passes here must be. */
    bool is_for_programs = mounts_base_holds(path) || mounts_lies_in(path, "/opt") ||
                           mounts_lies_in(path, "/var/lib/ghc") || strncmp(path, "/etc/", 5) == 0;
    if (!is_for_programs || lies_in_any(path, forbidden_files, ARRAY_LENGTH(forbidden_files))) {
        return "is not a place of programs: those are /usr, /opt and single files in /etc";
    }
    return NULL;
}

/* ---- the plan's mounts ---- */

/* Adds one unless its target is there already.  The texts have been checked to fit. */
static int add_mount(struct plan *plan, enum plan_mount_kind kind, uint32_t flags,
                     const char *source, const char *target, struct cella_error *err)
{
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if (strcmp(plan->mounts[i].target, target) == 0) {
            return 0;
        }
    }
    if (plan->mount_count == PLAN_MOUNTS_MAX) {
        return error_set(err, CELLA_ERROR_HOST, 0,
                         "the runtime has too many mounts: a plan has "
                         "room for %d",
                         PLAN_MOUNTS_MAX);
    }
    struct plan_mount *mount = &plan->mounts[plan->mount_count++];
    mount->kind = (uint32_t)kind;
    mount->flags = flags;
    (void)snprintf(mount->source, sizeof(mount->source), "%s", source);
    (void)snprintf(mount->target, sizeof(mount->target), "%s", target);
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
    if ((size_t)size == sizeof(text) - 1 || !is_plain(absolute) ||
        !mounts_lies_in(absolute, "/usr")) {
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
    for (size_t i = 0; i < ARRAY_LENGTH(top_directories); i++) {
        if (add_top_directory(plan, top_directories[i], err) < 0) {
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
