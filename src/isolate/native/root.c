/*
 * The root file system of a sandbox: built, not borrowed.  An empty tmpfs, binds of what the plan
 * names (binds.c), a few synthetic files, a minimal /dev, a masked /proc, and one tmpfs of limited
 * size that is workspace and /tmp.
 *
 * Everything is made below the working directory, which is the new root, by relative paths: no
 * path here can be led astray by a link, since nothing in the new root is the guest's yet.
 */
#include "base/error.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Any directory that exists everywhere: the mount on it is seen by this process alone, and goes
 * when the old root does. */
#define BUILD_PLACE "/tmp"

#define SHARED_MEMORY_INODES 8192

/* Of the workspace's file system itself: its root, and the two directories that are bound. */
#define SCRATCH_OWN_INODES 3

static const char passwd[] = "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
                             "sandbox:x:1000:1000:sandbox:/workspace:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
static const char group[] = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";
static const char hosts[] = "127.0.0.1 localhost cella\n::1 localhost\n";
static const char nsswitch[] = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"
                               "services: files\nprotocols: files\n";

static const struct {
    const char *path;
    const char *text;
} synthetic_files[] = {
    {"etc/passwd", passwd},          {"etc/group", group},    {"etc/hosts", hosts},
    {"etc/nsswitch.conf", nsswitch}, {"etc/resolv.conf", ""}, {"etc/hostname", "cella\n"},
};

static const char *const directories[] = {
    "etc", "dev", "dev/shm", "proc", "sys", "tmp", "workspace", "run", "var", "var/tmp",
};

/* As an option of the mount. */
#define TERMINALS_MAX "16"

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};

static const struct {
    const char *text;
    const char *path;
} device_links[] = {
    {"/proc/self/fd", "dev/fd"},
    {"/proc/self/fd/0", "dev/stdin"},
    {"/proc/self/fd/1", "dev/stdout"},
    {"/proc/self/fd/2", "dev/stderr"},
};

/* What /proc tells of the host, and its ways into the kernel.  Some of it is closed to an
 * unprivileged uid anyway; a mask holds when that fails. */
static const char *const masked_files[] =
    {
        "proc/kcore",     "proc/kmsg",    "proc/kallsyms",   "proc/keys",
        "proc/key-users", "proc/modules", "proc/timer_list", "proc/sched_debug",
        "proc/config.gz", "proc/cmdline", "proc/partitions", "proc/diskstats",
        "proc/locks", /* everybody's, and to read them stops all who lock on this host */
};
static const char *const masked_directories[] = {"proc/acpi", "proc/asound", "proc/bus",
                                                 "proc/driver", "proc/scsi"};

static int failed(struct cella_error *err, const char *what, const char *path)
{
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot %s %s", what, path);
}

int child_mount_root(struct child *child, struct cella_error *err)
{
    (void)child;
    /* In a new user namespace every mount is a slave of the host's: nothing gets out.  What we keep
     * of them is made private with its other flags, so that nothing gets in; the rest is let go. */
    if (sys_mount("cella", BUILD_PLACE, "tmpfs", MS_NOSUID | MS_NODEV,
                  "mode=0755,size=4m,nr_inodes=2048") != 0) {
        return failed(err, "mount a root at", BUILD_PLACE);
    }
    if (chdir(BUILD_PLACE) != 0) {
        return failed(err, "enter", BUILD_PLACE);
    }
    umask(022);
    for (size_t i = 0; i < ARRAY_LENGTH(directories); i++) {
        if (mkdir(directories[i], 0755) != 0) {
            return failed(err, "make", directories[i]);
        }
    }
    return 0;
}

static int write_new_file(const char *path, const char *text, struct cella_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return failed(err, "make", path);
    }
    const ssize_t written = write(fd, text, strlen(text));
    (void)close(fd); /* memory: the write said all */
    return written == (ssize_t)strlen(text) ? 0 : failed(err, "write", path);
}

int child_write_etc(struct child *child, struct cella_error *err)
{
    (void)child;
    for (size_t i = 0; i < ARRAY_LENGTH(synthetic_files); i++) {
        if (write_new_file(synthetic_files[i].path, synthetic_files[i].text, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* How many processors there are, where the C library looks first: /proc/stat, where it looks next,
 * tells of the host's, and a pool of processes that has one for each would be over the limit of
 * processes.  Nothing else of /sys is here. */
int child_write_processors(struct child *child, struct cella_error *err)
{
    static const char *const parts[] = {"sys/devices", "sys/devices/system",
                                        "sys/devices/system/cpu"};
    const uint64_t whole = child->plan->limits.value[LIMIT_CPUS] / LIMIT_ONE_CPU;
    char text[32];
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (mkdir(parts[i], 0755) != 0) {
            return failed(err, "make", parts[i]);
        }
    }
    if (whole <= 1) {
        return write_new_file("sys/devices/system/cpu/online", "0\n", err);
    }
    (void)snprintf(text, sizeof(text), "0-%" PRIu64 "\n", whole - 1); /* fits */
    return write_new_file("sys/devices/system/cpu/online", text, err);
}

/* The host's device that is shown as the one of that name.  /dev/zero mapped as shared is memory
 * that a process can give back and keep all the same, as mmap() without a file makes it, which the
 * filter refuses where no control group counts.  /dev/full reads as zeros too, and maps nothing. */
static const char *device_shown_as(const struct child *child, const char *name)
{
    return child->cgroup == NULL && strcmp(name, "zero") == 0 ? "full" : name;
}

int child_make_dev(struct child *child, struct cella_error *err)
{
    char source[32];
    char target[32];
    for (size_t i = 0; i < ARRAY_LENGTH(devices); i++) {
        (void)snprintf(source, sizeof(source), "/dev/%s", device_shown_as(child, devices[i]));
        (void)snprintf(target, sizeof(target), "dev/%s", devices[i]);
        if (write_new_file(target, "", err) != 0) {
            return -1;
        }
        if (sys_mount(source, target, NULL, MS_BIND, NULL) != 0 ||
            sys_mount_setattr(target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) !=
                0) {
            return failed(err, "bind", source);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(device_links); i++) {
        if (symlink(device_links[i].text, device_links[i].path) != 0) {
            return failed(err, "link", device_links[i].path);
        }
    }
    return 0;
}

/* One terminal, and few more for those who make their own: the kernel counts their buffers for
 * nobody.  Whoever opens one there owns it. */
int child_make_terminal(struct child *child, struct cella_error *err)
{
    const unsigned long flags = MS_NOSUID | MS_NOEXEC;
    if (child->plan->terminal_rows == 0) {
        return 0;
    }
    if (mkdir("dev/pts", 0755) != 0 ||
        sys_mount("devpts", "dev/pts", "devpts", flags,
                  "newinstance,ptmxmode=0666,mode=0600,max=" TERMINALS_MAX) != 0 ||
        symlink("pts/ptmx", "dev/ptmx") != 0) {
        return failed(err, "mount", "/dev/pts");
    }
    if (write_new_file("dev/tty", "", err) != 0) {
        return -1;
    }
    /* Whoever opens it, it is his own. */
    if (sys_mount("/dev/tty", "dev/tty", NULL, MS_BIND, NULL) != 0 ||
        sys_mount_setattr("dev/tty", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC) !=
            0) {
        return failed(err, "bind", "/dev/tty");
    }
    return 0;
}

int child_mount_proc(struct child *child, struct cella_error *err)
{
    /* In a nest it stays as it is, or the kernel would let nobody mount another below. */
    const bool masked = child->kind != CHILD_NEST && !child_waives(child, PROTECTION_PROC_MASKED);
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (masked ? MS_RDONLY : 0);
    if (sys_mount("proc", "proc", "proc", flags, NULL) != 0) {
        failed(err, "mount", "/proc");
        return error_set_hint(err, "a container must show its /proc unmasked for this: "
                                   "with Docker, --security-opt systempaths=unconfined");
    }
    if (!masked) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(masked_files); i++) {
        if (sys_mount("dev/null", masked_files[i], NULL, MS_BIND, NULL) != 0 && errno != ENOENT) {
            return failed(err, "mask", masked_files[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(masked_directories); i++) {
        /* By /run of the new root, which is empty. */
        const bool there = sys_mount("run", masked_directories[i], NULL, MS_BIND, NULL) == 0;
        if (there ? sys_mount_setattr(masked_directories[i], MOUNT_ATTR_RDONLY) != 0
                  : errno != ENOENT) {
            return failed(err, "mask", masked_directories[i]);
        }
    }
    child_holds(child, PROTECTION_PROC_MASKED);
    return 0;
}

/* The directories of the scratch file system, at their places.  What a mount lies over already, by
 * the policy's will, is not covered.  In a nest a writable one does not: its zygote has a workspace
 * of its own. */
static int bind_scratch(const struct child *child)
{
    const struct plan *plan = child->plan;
    const bool has_workspace =
        child->kind == CHILD_NEST ? plan_reads_workspace(plan) : plan_has_workspace(plan);
    if (plan->files_apart != 0 && (mkdir("tmp/program", 0755) != 0 ||
                                   sys_mount("tmp/program", "program", NULL, MS_BIND, NULL) != 0)) {
        return -1;
    }
    if (!has_workspace && (mkdir("tmp/workspace", 0755) != 0 ||
                           sys_mount("tmp/workspace", "workspace", NULL, MS_BIND, NULL) != 0)) {
        return -1;
    }
    return mkdir("tmp/tmp", 0700) != 0 || chmod("tmp/tmp", 01777) != 0 ||
                   sys_mount("tmp/tmp", "tmp", NULL, MS_BIND, NULL) != 0
               ? -1
               : 0;
}

/* One file system for workspace and /tmp, so that one limit holds both.  It is first mounted on
 * /tmp; binds of its two directories then cover it, and nothing reaches its own root again. */
int child_mount_scratch(struct child *child, struct cella_error *err)
{
    const struct limits *limits = &child->plan->limits;
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    const bool limited = !child_waives(child, PROTECTION_DISK);
    char options[128] = "mode=0755";

    if (limited) {
        (void)snprintf(options, sizeof(options), "mode=0755,size=%" PRIu64 ",nr_inodes=%" PRIu64,
                       limits->value[LIMIT_DISK], limits->value[LIMIT_INODES] + SCRATCH_OWN_INODES);
    }
    if (sys_mount("scratch", "tmp", "tmpfs", flags, options) != 0) {
        return failed(err, "mount", "a file system for the workspace");
    }
    if (bind_scratch(child) != 0) {
        return failed(err, "make", "workspace and /tmp");
    }
    if (limited) {
        /* No more than the memory limit, which counts it too. */
        (void)snprintf(options, sizeof(options), "mode=1777,size=%" PRIu64 ",nr_inodes=%d",
                       limits->value[LIMIT_MEMORY], SHARED_MEMORY_INODES);
        child_holds(child, PROTECTION_DISK); /* of writable mounts by init, which looks */
    }
    if (sys_mount("shm", "dev/shm", "tmpfs", flags | MS_NOEXEC, options) != 0) {
        return failed(err, "mount", "/dev/shm");
    }
    return 0;
}

int child_pivot(struct child *child, struct cella_error *err)
{
    /* The old root comes to lie on top of the new one and is let go of there: no directory for it
     * is needed. */
    if (sys_pivot_root(".", ".") != 0 || sys_umount_detach(".") != 0 || chdir("/") != 0) {
        return failed(err, "change", "the root");
    }
    child_holds(child, PROTECTION_MOUNT_NS);
    return 0;
}
