/*
 * Attacks on what a policy gives and takes: calls that it denies, the one processor that it leaves,
 * directories of the host that it shows, hides, or lets be written.  test_policy_attacks.py tries
 * each under a policy that has the protection and under one that has not; they are not in the
 * matrix, whose attacks are all on the default policy.
 *
 * ARGUMENT: the path, inside, of what is attacked.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_FCHMODAT2 452
#define PATH_SIZE      256

/* ---- calls ---- */

static enum verdict denied_call(const char *argument UNUSED)
{
    return by_result(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* By the 32-bit table socket() is 359. */
static enum verdict denied_by_int80(const char *argument UNUSED)
{
    const pid_t child = fork();
    if (child == 0) {
        long result = 359;
        __asm__ volatile("int $0x80"
                         : "+a"(result)
                         : "b"(AF_UNIX), "c"(SOCK_STREAM), "d"(0)
                         : "memory", "r8", "r9", "r10", "r11");
        _exit(result >= 0 ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return by_result(-1);
    }
    if (WIFSIGNALED(status)) {
        return not_applicable("no 32-bit entry: signal %d", WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ? achieved("a 32-bit socket") : refused("no 32-bit socket");
}

static enum verdict denied_by_x32(const char *argument UNUSED)
{
    return by_result(syscall(0x40000000L + SYS_socket, AF_UNIX, SOCK_STREAM, 0));
}

/* What is allowed by its number alone is not allowed by the number of another table. */
static enum verdict allowed_by_x32(const char *argument UNUSED)
{
    return by_result(syscall(0x40000000L + 521, PTRACE_TRACEME, 0, 0, 0));
}

/* ---- one processor ---- */

static enum verdict widen_affinity(const char *argument UNUSED)
{
    cpu_set_t all, now;
    memset(&all, 0xff, sizeof(all));
    const pid_t child = fork(); /* a child, and by its pid, from outside of it */
    if (child == 0) {
        IGNORE_RESULT(sched_setaffinity(0, sizeof(all), &all));
        const int count = sched_getaffinity(0, sizeof(now), &now) == 0 ? CPU_COUNT(&now) : 1;
        _exit(count > 1 ? 0 : 1);
    }
    int status = 0;
    IGNORE_RESULT(sched_setaffinity(getppid(), sizeof(all), &all));
    const int result = sched_setaffinity(child, sizeof(all), &all);
    const int number = errno;
    (void)waitpid(child, &status, 0);
    if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || result == 0) {
        return achieved("more than one processor");
    }
    errno = number;
    return by_result(-1);
}

/* ---- set-uid files ---- */

static bool is_set_uid(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && (found.st_mode & (S_ISUID | S_ISGID)) != 0;
}

/* Every way there is to make one; the file is new each time. */
static void make_set_uid(unsigned way, const char *path)
{
    const mode_t mode = 04755;
    struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = mode};
    const int fd = way < 5 ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755) : -1;
    switch (way) {
    case 0:
        IGNORE_RESULT(chmod(path, mode));
        break;
    case 1:
        IGNORE_RESULT(fchmod(fd, mode));
        break;
    case 2:
        IGNORE_RESULT(fchmodat(AT_FDCWD, path, mode, 0));
        break;
    case 3:
        IGNORE_RESULT((int)syscall(CALL_FCHMODAT2, AT_FDCWD, path, mode, 0));
        break;
    case 4:
        IGNORE_RESULT(chmod(path, 02755));
        break;
    case 5:
        IGNORE_RESULT(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode));
        break;
    case 6:
        IGNORE_RESULT((int)syscall(SYS_creat, path, mode));
        break;
    case 7:
        IGNORE_RESULT((int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
        break;
    case 8:
        IGNORE_RESULT(mknod(path, S_IFREG | mode, 0));
        break;
    case 9:
        IGNORE_RESULT((int)syscall(SYS_open, path, O_CREAT | O_WRONLY, mode));
        break;
    default: /* by the upper half of a register that only the lower half of is looked at */
        IGNORE_RESULT((int)syscall(SYS_fchmod, fd, UINT64_C(0xffffffff00000000) + mode));
        break;
    }
    if (fd >= 0) {
        (void)close(fd); /* nothing was written */
    }
}
#define WAYS_TO_SET_UID 11U

static enum verdict set_uid_file(const char *directory)
{
    (void)umask(0);
    for (unsigned way = 0; way < WAYS_TO_SET_UID; way++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s/set-uid-%u", directory, way);
        (void)unlink(path);
        make_set_uid(way, path);
        const bool made = is_set_uid(path);
        (void)unlink(path);
        if (made) {
            return achieved("by way %u", way);
        }
    }
    return refused("by %u ways", WAYS_TO_SET_UID);
}

/* ---- what is left in a directory of the host ---- */

static enum verdict plant_link(const char *directory)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/link", directory);
    return by_result(symlink("/etc/passwd", path));
}

static enum verdict plant_pipe(const char *directory)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/pipe", directory);
    return by_result(mkfifo(path, 0666));
}

static enum verdict plant_socket(const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
    return fd < 0 ? by_result(-1)
                  : by_result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static enum verdict plant_device(const char *directory)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/device", directory);
    return by_result(mknod(path, S_IFCHR | 0666, makedev(1, 1)));
}

/* ---- directories that are shown or hidden ---- */

static enum verdict write_shown(const char *file)
{
    const int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 && mount(NULL, file, NULL, MS_REMOUNT | MS_BIND, NULL) != 0) {
        errno = EROFS;
    }
    return by_result(fd);
}

/* The file that is hidden, by every name that it may still have. */
static enum verdict read_hidden(const char *file)
{
    static const char *const prefixes[] = {"", "/proc/self/root", "/proc/self/cwd/..",
                                           "/proc/thread-self/root", "/proc/1/root"};
    char path[PATH_SIZE];
    char *slash = strrchr(file, '/');
    (void)snprintf(path, sizeof(path), "%.*s", (int)(slash - file), file);
    (void)umount2(path, MNT_DETACH);
    (void)umount2(file, MNT_DETACH);
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        char text[8];
        (void)snprintf(path, sizeof(path), "%s%s", prefixes[i], file);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
        if (fd >= 0) {
            (void)close(fd); /* only read */
        }
        if (size > 0) {
            return achieved("by %s", path);
        }
    }
    errno = ENOENT;
    return by_result(-1);
}

/* ---- the filters ---- */

static enum verdict add_filter(const char *argument UNUSED)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {1, &allow};
    const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    return result == 0 ? by_result(0)
                       : by_result(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

#define POLICY "policy"
const struct attack policy_attacks[] = {
    {"denied_call", POLICY, "seccomp", "socket", "", denied_call, "make a call that is denied"},
    {"denied_by_int80", POLICY, "seccomp", "", "", denied_by_int80,
     "make a denied call by the 32-bit gate"},
    {"denied_by_x32", POLICY, "seccomp", "", "", denied_by_x32,
     "make a denied call by the x32 table"},
    {"allowed_by_x32", POLICY, "seccomp", "", "", allowed_by_x32,
     "make an allowed call by the x32 table"},
    {"widen_affinity", POLICY, "seccomp", "sched_setaffinity", "", widen_affinity,
     "use more processors than the one"},
    {"set_uid_file", POLICY, "seccomp", "", "directory", set_uid_file,
     "leave a set-uid file in a writable mount"},
    {"plant_link", POLICY, "landlock_files", "", "directory", plant_link,
     "leave a link in a writable mount"},
    {"plant_pipe", POLICY, "landlock_files", "", "directory", plant_pipe,
     "leave a pipe in a writable mount"},
    {"plant_socket", POLICY, "landlock_files", "", "directory", plant_socket,
     "leave a socket in a writable mount"},
    {"plant_device", POLICY, "user_namespace", "", "directory", plant_device,
     "leave a device in a writable mount"},
    {"write_shown", POLICY, "read_only_files,landlock_files", "", "file", write_shown,
     "write to a file of a read-only mount"},
    {"read_hidden", POLICY, "built_root", "", "file", read_hidden,
     "read what is hidden, by another name"},
    {"add_filter", POLICY, "seccomp", "", "", add_filter,
     "load a filter where there is a writable mount"},
};
const size_t policy_attack_count = COUNT_OF(policy_attacks);
