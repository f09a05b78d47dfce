/* See sys.h. */
#include "isolate/native/sys.h"

#include "base/fd_passing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SMALL_FILE_MAX 4096
#define SIGNALS        64 /* as the kernel counts; SIGKILL and SIGSTOP refuse, and need nothing */

#define WAIT_DUMPED 0x80 /* of a wait status: a core was written */

pid_t sys_clone3(const struct clone_args *args)
{
    return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

int sys_pidfd_send_signal(int pidfd, int signal_number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

enum { BY_PIDFD = 3 }; /* P_PIDFD, which one library's header lacks */

int sys_keep_on_processor(pid_t pid, int processor)
{
    cpu_set_t one;
    if (processor < 0) {
        return 0;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)processor % CPU_SETSIZE, &one);
    return sched_setaffinity(pid, sizeof(one), &one);
}

int sys_is_child(int pidfd)
{
    siginfo_t unused = {0};
    return syscall(SYS_waitid, BY_PIDFD, pidfd, &unused, WEXITED | WNOHANG | WNOWAIT, NULL) == 0;
}

bool sys_can_wait(int pidfd)
{
    siginfo_t ended = {.si_pid = 0};
    return syscall(SYS_waitid, BY_PIDFD, pidfd, &ended, WEXITED | WNOHANG | WNOWAIT, NULL) == 0 &&
           ended.si_pid != 0;
}

bool sys_dies_within(int pidfd, int time_ms)
{
    struct pollfd dead = {.fd = pidfd, .events = POLLIN};
    return poll(&dead, 1, time_ms) > 0;
}

int sys_wait_pidfd(int pidfd, int *ret_status, struct rusage *ret_rusage)
{
    siginfo_t ended = {0};
    long result = -1;
    do {
        result = syscall(SYS_waitid, BY_PIDFD, pidfd, &ended, WEXITED, ret_rusage);
    } while (result != 0 && errno == EINTR);
    if (result == 0 && ret_status != NULL) {
        const int dumped = ended.si_code == CLD_DUMPED ? WAIT_DUMPED : 0;
        *ret_status = ended.si_code == CLD_EXITED ? (ended.si_status & 0xff) << 8
                                                  : (ended.si_status & 0x7f) | dumped;
    }
    return (int)result;
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

int sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
              const char *data)
{
    return (int)syscall(SYS_mount, source, target, type, flags, data);
}

int sys_umount_detach(const char *target)
{
    enum { DETACH = 2 }; /* MNT_DETACH, which the kernel's header does not give */
    return (int)syscall(SYS_umount2, target, DETACH);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int sys_mount_setattr(const char *path, uint64_t set)
{
    struct mount_attr attr = {.attr_set = set, .propagation = MS_PRIVATE};
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof(attr));
}

int sys_open_path(const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

int sys_clone_tree(int path, unsigned recursive)
{
    return (int)syscall(SYS_open_tree, path, "",
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive | AT_EMPTY_PATH);
}

int sys_map_tree(int tree, uint64_t set, int user_namespace)
{
    struct mount_attr attr = {.attr_set = set | MOUNT_ATTR_IDMAP,
                              .propagation = MS_PRIVATE,
                              .userns_fd = (uint64_t)(unsigned)user_namespace};
    return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
}

int sys_set_tree_attributes(int tree, uint64_t set)
{
    struct mount_attr attr = {.attr_set = set, .propagation = MS_PRIVATE};
    return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
                        sizeof(attr));
}

int sys_move_mount(int tree, int target)
{
    return (int)syscall(SYS_move_mount, tree, "", target, "",
                        MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return (int)syscall(SYS_prctl, option, a, b, c, d);
}

int sys_ioctl(int fd, unsigned long request, void *argument)
{
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int sys_send(int socket, const void *bytes, size_t size, const int *descriptors, size_t count)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, size}; /* only read */
    return fd_send(socket, &part, 1, descriptors, count, 0) == (ssize_t)size ? 0 : -1;
}

ssize_t sys_receive(int socket, void *bytes, size_t size, int *descriptors, size_t max)
{
    struct fd_passed passed;
    ssize_t got = 0;
    do {
        /* A process that died with a message of ours unread leaves ECONNRESET, once, and behind it
         * what it had said. */
        got = fd_receive(socket, bytes, size, 0, &passed);
    } while (got < 0 && errno == ECONNRESET);
    if (got >= 0 && (passed.count > max || passed.is_cut || passed.lacks_fds)) {
        fd_passed_close(&passed, 0);
        errno = EPROTO;
        got = -1;
    }
    for (size_t i = 0; i < max; i++) {
        descriptors[i] = i < passed.count ? passed.fds[i] : -1;
    }
    return got;
}

int sys_execveat(int fd, char *const argv[], char *const envp[])
{
    return (int)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

void sys_reset_signals(void)
{
    const struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } standard = {SIG_DFL, 0, NULL, 0};
    for (int number = 1; number <= SIGNALS; number++) {
        IGNORE(syscall(SYS_rt_sigaction, number, &standard, NULL, sizeof(standard.mask)) != 0);
    }
}

int sys_open_beneath(int dir, const char *path, uint64_t flags, mode_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC | O_NOFOLLOW,
        .mode = (flags & O_CREAT) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int sys_write_file(int dir, const char *path, const char *text)
{
    const size_t size = strlen(text);
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }
    const ssize_t written = write(fd, text, size);
    const int write_errno = written < 0 ? errno : EIO;
    (void)close(fd); /* the write was checked; kernel files have nothing to flush */
    if (written != (ssize_t)size) {
        errno = write_errno;
        return -1;
    }
    return 0;
}

ssize_t sys_read_file(int dir, const char *path, char *text, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }
    size_t length = 0;
    ssize_t got = 0;
    do {
        got = read(fd, text + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 && length < size - 1);
    const int read_errno = errno;
    (void)close(fd); /* opened for reading */
    text[length] = '\0';
    errno = read_errno;
    return got < 0 ? -1 : (ssize_t)length;
}

uint64_t sys_read_number(int dir, const char *path, const char *key)
{
    char text[SMALL_FILE_MAX];
    if (sys_read_file(dir, path, text, sizeof(text)) <= 0) {
        return UINT64_MAX;
    }
    const char *at = text;
    if (key != NULL) {
        const size_t key_size = strlen(key);
        while (strncmp(at, key, key_size) != 0 || at[key_size] != ' ') {
            at = strchr(at, '\n');
            if (at == NULL) {
                return UINT64_MAX;
            }
            at++;
        }
        at += key_size + 1;
    }
    char *end = NULL;
    const uint64_t number = strtoull(at, &end, 10);
    return end == at ? UINT64_MAX : number;
}
