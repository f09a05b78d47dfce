/*
 * What a sandbox sees of the host's files: the plan's mounts, from inside.
 *
 * Everything is made below the working directory, which is the new root, and no link is followed:
 * neither on the way to a source, whose owner may plant one or put one in its place while we look,
 * nor on the way to a target, which may lie in a mount with links of its owner's.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/shares.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOST_FILE_MAX 65536 /* bytes of a file of the host's network settings */

static int failed(struct cella_error *err, const char *what, const char *path)
{
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot %s %s", what, path);
}

/* ---- targets ---- */

/* Opens one directory, and makes it first where it is not there. */
static int enter_directory(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST && errno != EROFS) {
        return -1;
    }
    return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens the directory that a path's last name lies in, and makes what is missing.  No link is
 * followed: the path may lead through a mount whose owner plants links, and until the root is
 * changed they would lead into the host. */
static int open_parent(const char *path, const char **ret_name)
{
    char name[PLAN_PATH_MAX];
    int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *rest = path + 1; /* relative to the new root */
    for (const char *slash; dir >= 0 && (slash = strchr(rest, '/')) != NULL; rest = slash + 1) {
        const int length = (int)(slash - rest);
        (void)snprintf(name, sizeof(name), "%.*s", length, rest);
        const int next = enter_directory(dir, name);
        (void)close(dir); /* a directory */
        dir = next;
    }
    *ret_name = rest;
    return dir;
}

/* Opens what a mount covers: a directory, or an empty file. */
static int open_cover(int parent, const char *name, bool directory)
{
    if (directory) {
        return enter_directory(parent, name);
    }
    const int fd = openat(parent, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd >= 0 || errno != EROFS ? fd : openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int attach(int tree, int parent, const char *name)
{
    struct stat source;
    if (fstat(tree, &source) != 0) {
        return -1;
    }
    const int cover = open_cover(parent, name, S_ISDIR(source.st_mode));
    if (cover < 0) {
        return -1;
    }
    const int result = sys_move_mount(tree, cover);
    const int number = errno;
    (void)close(cover); /* nothing was written */
    errno = number;
    return result;
}

/* ---- binds ---- */

/* The tree of a mount with its attributes; *ret_tree is -1 for one that may be missing and is. */
static int open_source(struct child *child, const struct plan_mount *mount, int *ret_tree,
                       struct cella_error *err)
{
    const bool writable = (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
    const bool read_only = !writable && !child_waives(child, PROTECTION_READ_ONLY);
    if (writable && child->privileged) {
        /* The keeper has opened it, because only who rules the file system can map its owners. */
        *ret_tree = child->shares[child->share_next];
        child->shares[child->share_next++] = -1;
        return *ret_tree >= 0 ? 0 : error_set(err, CELLA_ERROR_BUG, 0, "a mount was not sent");
    }
    const int tree = share_open(mount, err);
    if (tree == SHARE_MISSING) {
        *ret_tree = -1;
        return 0;
    }
    if (tree < 0) {
        return -1;
    }
    const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    if (sys_set_tree_attributes(tree, attributes | (read_only ? MOUNT_ATTR_RDONLY : 0)) != 0) {
        failed(err, "set the attributes of", mount->source);
        (void)close(tree); /* attached nowhere */
        return -1;
    }
    *ret_tree = tree;
    return 0;
}

static int bind_one(struct child *child, const struct plan_mount *mount, struct cella_error *err)
{
    const bool is_bind = mount->kind == PLAN_MOUNT_BIND;
    int tree = -1;
    if (is_bind && open_source(child, mount, &tree, err) != 0) {
        return -1;
    }
    if (is_bind && tree < 0) {
        return 0;
    }
    const char *name = NULL;
    const int parent = open_parent(mount->target, &name);
    int result = parent < 0 ? -1
                 : is_bind  ? attach(tree, parent, name)
                            : symlinkat(mount->source, parent, name);
    if (result != 0) {
        result = failed(err, is_bind ? "bind" : "link", mount->target);
    }
    if (parent >= 0) {
        (void)close(parent); /* a directory */
    }
    if (tree >= 0) {
        (void)close(tree); /* a mount, attached by now or let go of */
    }
    return result;
}

/* Where a sandbox in the nest has a writable mount: nothing. */
static int make_place(const struct plan_mount *mount, struct cella_error *err)
{
    const char *name = NULL;
    const int parent = open_parent(mount->target, &name);
    const int cover = parent < 0 ? -1 : open_cover(parent, name, true);
    const int result = cover < 0 ? failed(err, "make", mount->target) : 0;
    if (cover >= 0) {
        (void)close(cover); /* a directory, like the other */
    }
    if (parent >= 0) {
        (void)close(parent);
    }
    return result;
}

static bool is_share(const struct plan_mount *mount)
{
    return mount->kind == PLAN_MOUNT_BIND && (mount->flags & PLAN_MOUNT_WRITABLE) != 0;
}

/* What runs may write to is no zygote's to see: an interpreter may believe what it finds, and would
 * bring it to the runs of others.  So each sandbox mounts it for itself. */
int child_bind_shares(struct child *child, struct cella_error *err)
{
    for (uint32_t i = 0; i < child->plan->mount_count; i++) {
        if (is_share(&child->plan->mounts[i]) &&
            bind_one(child, &child->plan->mounts[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the host's network ---- */

/* A copy and no bind: these files are often links to places that no run sees. */
static int copy_host_file(const char *source, const char *target, struct cella_error *err)
{
    static char text[HOST_FILE_MAX];
    struct stat found;
    const int from = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0) {
        return 0; /* then ours stays, which is empty or knows the loopback alone */
    }
    ssize_t size =
        fstat(from, &found) == 0 && S_ISREG(found.st_mode) ? read(from, text, sizeof(text)) : -1;
    (void)close(from); /* opened for reading */
    const int to = size < 0 ? -1 : open(target, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    const bool written = to >= 0 && write(to, text, (size_t)size) == size;
    if (to >= 0) {
        (void)close(to); /* memory: the write said all */
    }
    return size < 0 || written ? 0 : failed(err, "write", target);
}

/* What a program needs to find anything there.  Certificates are mounts of the plan. */
static int show_network(struct cella_error *err)
{
    static const char nsswitch[] = "passwd: files\ngroup: files\nshadow: files\n"
                                   "hosts: files dns\nservices: files\nprotocols: files\n";
    if (copy_host_file("/etc/resolv.conf", "etc/resolv.conf", err) != 0 ||
        copy_host_file("/etc/hosts", "etc/hosts", err) != 0) {
        return -1;
    }
    const int fd = open("etc/nsswitch.conf", O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);
    const bool written = fd >= 0 && write(fd, nsswitch, sizeof(nsswitch) - 1) > 0;
    if (fd >= 0) {
        (void)close(fd); /* memory: the write said all */
    }
    return written ? 0 : failed(err, "write", "etc/nsswitch.conf");
}

int child_bind_files(struct child *child, struct cella_error *err)
{
    if (child->plan->network == PLAN_NETWORK_HOST && show_network(err) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < child->plan->mount_count; i++) {
        const struct plan_mount *mount = &child->plan->mounts[i];
        const bool is_place = child->kind == CHILD_NEST && is_share(mount);
        if (mount->kind != PLAN_MOUNT_HIDE &&
            (is_place ? make_place(mount, err) : bind_one(child, mount, err)) != 0) {
            return -1;
        }
    }
    if (!child_waives(child, PROTECTION_READ_ONLY)) {
        child_holds(child, PROTECTION_READ_ONLY);
    }
    if (child->plan->files_apart != 0 && mkdir("program", 0755) != 0) {
        return failed(err, "make", PLAN_PROGRAM);
    }
    if (child_write_processors(child, err) != 0) {
        return -1;
    }
    /* Every place that something is mounted on exists by now. */
    if (!child_waives(child, PROTECTION_ROOT_READ_ONLY)) {
        if (sys_mount_setattr(".", MOUNT_ATTR_RDONLY) != 0) {
            return failed(err, "make read-only", "the root");
        }
        child_holds(child, PROTECTION_ROOT_READ_ONLY);
    }
    return 0;
}

/* ---- hidden places ---- */

/* Nothing there: -1 with ENOENT.  A link is refused: what it leads to would still be seen by its
 * own name. */
static int open_visible(const char *path, struct stat *ret_found)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    const int fd = (int)syscall(SYS_openat2, AT_FDCWD, path + 1, &how, sizeof(how));
    if (fd >= 0 && (fstat(fd, ret_found) != 0 || S_ISLNK(ret_found->st_mode))) {
        (void)close(fd); /* a path */
        errno = ELOOP;
        return -1;
    }
    return fd;
}

static int hide_one(const char *target, struct cella_error *err)
{
    struct stat found;
    const int place = open_visible(target, &found);
    if (place < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return 0; /* there is nothing to hide */
        }
        const bool link = errno == ELOOP;
        failed(err, "hide", target);
        return link ? error_set_hint(err, "a part of it is a link: name the real path") : -1;
    }
    /* By /run of the new root, which is empty, or by /dev/null. */
    const char *cover = S_ISDIR(found.st_mode) ? "run" : "dev/null";
    const int tree =
        (int)syscall(SYS_open_tree, AT_FDCWD, cover, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    const uint64_t attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    const bool is_dir = S_ISDIR(found.st_mode);
    int result = tree < 0 ? -1 : 0;
    if (result == 0 && (!is_dir || sys_set_tree_attributes(tree, attributes) == 0)) {
        result = sys_move_mount(tree, place);
    } else {
        result = -1;
    }
    if (result != 0) {
        failed(err, "hide", target);
    }
    if (tree >= 0) {
        (void)close(tree); /* a mount, attached by now or let go of */
    }
    (void)close(place); /* a path */
    return result;
}

int child_hide_places(struct child *child, struct cella_error *err)
{
    for (uint32_t i = 0; i < child->plan->mount_count; i++) {
        const struct plan_mount *mount = &child->plan->mounts[i];
        if (mount->kind == PLAN_MOUNT_HIDE && hide_one(mount->target, err) != 0) {
            return -1;
        }
    }
    return 0;
}
