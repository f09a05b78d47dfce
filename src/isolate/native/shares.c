/* See shares.h. */
#include "isolate/native/shares.h"

#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/* Those that the kernel's header does not give: configfs and the file system of message queues. */
#define CONFIG_MAGIC 0x62656570
#define QUEUE_MAGIC  0x19800202

/* Ways into the kernel or to other processes, wherever somebody has mounted them. */
static bool is_kernels(const struct statfs *system)
{
    static const unsigned long magics[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC,   CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC, SECURITYFS_MAGIC,     SELINUX_MAGIC,
        SMACK_MAGIC,      BPF_FS_MAGIC,  PSTOREFS_MAGIC,       EFIVARFS_MAGIC,
        NSFS_MAGIC,       SOCKFS_MAGIC,  PIPEFS_MAGIC,         DEVPTS_SUPER_MAGIC,
        BINFMTFS_MAGIC,   CONFIG_MAGIC,  RDTGROUP_SUPER_MAGIC, QUEUE_MAGIC,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(magics); i++) {
        if ((unsigned long)system->f_type == magics[i]) {
            return true;
        }
    }
    return false;
}

static int refuse(struct cella_error *err, const char *path, const char *what, const char *hint)
{
    error_set(err, CELLA_ERROR_HOST, 0, "the mount %s %s", path, what);
    return error_set_hint(err, "%s", hint);
}

static int check_source(const struct plan_mount *mount, int path, struct cella_error *err)
{
    struct statfs system;
    struct stat found;
    const char *name = mount->source;
    if (fstatfs(path, &system) != 0 || fstat(path, &found) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot look at %s", name);
    }
    if (is_kernels(&system)) {
        return refuse(err, name, "is one of the kernel's file systems", "no run may see those");
    }
    if ((mount->flags & PLAN_MOUNT_WRITABLE) == 0) {
        return 0;
    }
    if (!S_ISDIR(found.st_mode)) {
        return refuse(err, name, "is no directory: a file alone cannot be writable",
                      "name the directory that it is in");
    }
    if ((system.f_flags & ST_RDONLY) != 0) {
        return refuse(err, name, "is read-only on this host", "say access: read_only");
    }
    return 0;
}

int share_open(const struct plan_mount *mount, struct cella_error *err)
{
    const bool alone = (mount->flags & PLAN_MOUNT_ALONE) != 0;
    AUTO_CLOSE int path = sys_open_path(mount->source);
    if (path < 0) {
        const int number = errno;
        if (number == ENOENT && (mount->flags & PLAN_MOUNT_OPTIONAL) != 0) {
            return SHARE_MISSING;
        }
        error_set(err, CELLA_ERROR_HOST, number, "cannot find %s", mount->source);
        return number == ELOOP ? error_set_hint(err, "a part of it is a link: name the real path")
               : number == EACCES ? error_set_hint(err, "every directory on the way to it must be "
                                                        "open to all (chmod o+x)")
                                  : -1;
    }
    if (check_source(mount, path, err) != 0) {
        return -1;
    }
    const int tree = sys_clone_tree(path, alone ? 0 : AT_RECURSIVE);
    if (tree < 0 && errno == EINVAL && alone) {
        return refuse(err, mount->source, "has other file systems mounted below it",
                      "name what is to be seen of it, each in a mount of its own");
    }
    return tree >= 0 ? tree
                     : error_set(err, CELLA_ERROR_HOST, errno, "cannot bind %s", mount->source);
}

/* ---- the owner ---- */

static int write_map(pid_t pid, const char *file, unsigned outside, unsigned inside,
                     struct cella_error *err)
{
    char path[48];
    char map[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    (void)snprintf(map, sizeof(map), "%u %u 1\n", outside, inside);
    return sys_write_file(AT_FDCWD, path, map) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot write %s", file);
}

/* A user namespace that maps the owner to the run.  It needs a process to come into being, which
 * waits until we close our end of a pipe, or are dead. */
static int make_namespace(const struct stat *owner, uid_t run_uid, struct cella_error *err)
{
    char path[48];
    int ends[2];
    const struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a pipe");
    }
    const pid_t pid = sys_clone3(&args);
    if (pid == 0) {
        char unused;
        (void)close(ends[1]); /* with it open we would never see it end */
        IGNORE(read(ends[0], &unused, 1) < 0);
        _exit(0);
    }
    (void)close(ends[0]); /* the other's */
    int fd = -1;
    if (pid < 0) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a user namespace");
    } else if (write_map(pid, "uid_map", owner->st_uid, run_uid, err) == 0 &&
               write_map(pid, "gid_map", owner->st_gid, run_uid, err) == 0) {
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            error_set(err, CELLA_ERROR_HOST, errno, "cannot open a user namespace");
        }
    }
    (void)close(ends[1]); /* the process ends */
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return fd;
}

static int map_owner(int tree, const struct plan_mount *mount, uid_t run_uid,
                     struct cella_error *err)
{
    struct stat owner;
    if (fstat(tree, &owner) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot look at %s", mount->source);
    }
    /* What a run writes there would be root's, and much on a host believes what is root's. */
    const bool of_root = (mount->flags & PLAN_MOUNT_OF_ROOT) != 0;
    if (!of_root && (owner.st_uid == 0 || owner.st_gid == 0)) {
        return refuse(
            err, mount->source,
            owner.st_uid == 0 ? "belongs to root, and what runs write there would too"
                              : "belongs to the group root, and what runs write there would too",
            "give it to an account of its own: chown ACCOUNT:GROUP; or, if that is meant, "
            "let /etc/cella/ceiling.conf say 'mount writable_of_root'");
    }
    AUTO_CLOSE int namespace = make_namespace(&owner, run_uid, err);
    if (namespace < 0) {
        return -1;
    }
    if (sys_map_tree(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, namespace) == 0) {
        return 0;
    }
    error_set(err, CELLA_ERROR_HOST, errno, "the file system of %s cannot map owners",
              mount->source);
    return error_set_hint(err, "put the directory on ext4, xfs, btrfs or (since Linux 6.3) tmpfs");
}

static void close_all(int trees[PLAN_WRITABLE_MAX])
{
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        fd_close(&trees[i]);
    }
}

int shares_open(const struct plan *plan, uid_t run_uid, int ret_trees[PLAN_WRITABLE_MAX],
                struct cella_error *err)
{
    int trees[PLAN_WRITABLE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        trees[i] = ret_trees[i] = -1;
    }
    for (uint32_t i = 0; i < plan->mount_count && count < PLAN_WRITABLE_MAX; i++) {
        const struct plan_mount *mount = &plan->mounts[i];
        if ((mount->flags & PLAN_MOUNT_WRITABLE) == 0) {
            continue;
        }
        const int tree = share_open(mount, err);
        if (tree < 0) {
            close_all(trees);
            return -1;
        }
        trees[count++] = tree;
        if (map_owner(tree, mount, run_uid, err) != 0) {
            close_all(trees);
            return -1;
        }
    }
    for (size_t i = 0; i < PLAN_WRITABLE_MAX; i++) {
        ret_trees[i] = trees[i];
    }
    return 0;
}

/* ---- what lies there ---- */

static void look(const char *source, struct share_sign *sign)
{
    struct stat found;
    struct statfs system;
    AUTO_CLOSE int path = sys_open_path(source);
    if (path >= 0 && fstat(path, &found) == 0 && fstatfs(path, &system) == 0) {
        *sign = (struct share_sign){found.st_dev, found.st_ino, found.st_uid, found.st_gid,
                                    (system.f_flags & ST_RDONLY) != 0};
    }
}

void shares_look(const struct plan *plan, struct share_sign ret_signs[PLAN_WRITABLE_MAX])
{
    size_t count = 0;
    memset(ret_signs, 0, PLAN_WRITABLE_MAX * sizeof(ret_signs[0]));
    for (uint32_t i = 0; i < plan->mount_count && count < PLAN_WRITABLE_MAX; i++) {
        if ((plan->mounts[i].flags & PLAN_MOUNT_WRITABLE) != 0) {
            look(plan->mounts[i].source, &ret_signs[count++]);
        }
    }
}

bool shares_are_same(const struct plan *plan, const struct share_sign signs[PLAN_WRITABLE_MAX])
{
    struct share_sign now[PLAN_WRITABLE_MAX];
    bool same = true;
    shares_look(plan, now);
    for (size_t i = 0; i < PLAN_WRITABLE_MAX && same; i++) {
        same = now[i].device == signs[i].device && now[i].inode == signs[i].inode &&
               now[i].uid == signs[i].uid && now[i].gid == signs[i].gid &&
               now[i].read_only == signs[i].read_only;
    }
    return same;
}
