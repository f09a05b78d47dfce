/*
 * Programs that take memory, files and objects of the kernel: see take.c.
 */
#include "attack.h"
#include "take.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

/* ---- memory ---- */

int take_heap(long mebibytes)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    for (long i = 0; mebibytes == 0 || i < mebibytes; i++) {
        char *part = malloc(1024 * 1024);
        if (part == NULL) {
            return take_met_error(i);
        }
        for (size_t at = 0; at < 1024 * 1024; at += PAGE) {
            ((volatile char *)part)[at] = 1;
        }
    }
    (void)nanosleep(&moment, NULL); /* for those who look from time to time */
    return 0;
}

int take_mapped(long number)
{
    for (long i = 0; number == 0; i++) {
        char *part = mmap(NULL, 1024 * 1024, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (part == MAP_FAILED) {
            return take_met_error(i);
        }
    }
    return 0;
}

/* Shared memory that is no file and not asked for as such, given back by the process and kept all
 * the same.  Without a number no more of it than a test may cost the host. */
int take_zero_device(long number)
{
    const size_t size = (size_t)1024 * 1024;
    const int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    for (long i = 0; i < (number == 0 ? 256 : number); i++) {
        char *part = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (part == MAP_FAILED || madvise(part, size, MADV_DONTNEED) != 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

/* Landlock's rules are the kernel's memory: a row has some sixty bytes.  As above, no more than a
 * test may cost. */
int make_landlock_rules(long number)
{
    enum { PORTS = 65536, RULE_NET_PORT = 2 };
    const struct {
        uint64_t files, network;
    } ruleset = {.network = 1};
    for (long i = 0; i < (number == 0 ? 60 : number); i++) {
        const long fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
        for (uint64_t port = 0; fd >= 0 && port < PORTS; port++) {
            const struct {
                uint64_t access, port;
            } rule = {1, port};
            (void)syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &rule, 0);
        }
        if (fd < 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

/* Until all of it is written: a write that ends early says why only when it is tried again. */
static bool write_block(int fd, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t more = fd < 0 ? -1 : write(fd, take_block + done, size - done);
        if (more <= 0) {
            return false;
        }
        done += (size_t)more;
    }
    return true;
}

static int fill(int fd)
{
    for (long i = 0;; i++) {
        if (!write_block(fd, sizeof(take_block))) {
            return take_met_error(i);
        }
    }
}

static int fill_new_file(const char *path)
{
    return fill(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

int fill_shared_memory(long number)
{
    char path[64];
    for (long i = 0; number == 0; i++) {
        (void)snprintf(path, sizeof(path), "/dev/shm/%ld", i);
        const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        for (int part = 0; part < 16; part++) {
            if (!write_block(fd, sizeof(take_block))) {
                return take_met_error(i);
            }
        }
        (void)close(fd);
    }
    return 0;
}

int fill_anonymous_files(long number)
{
    for (long i = 0; number == 0; i++) {
        const int fd = memfd_create("attack", 0);
        for (int part = 0; part < 160; part++) {
            if (!write_block(fd, sizeof(take_block))) {
                return take_met_error(i);
            }
        }
    }
    return 0;
}

int fill_pipes(long number)
{
    for (long i = 0; number == 0; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) != 0) {
            return take_met_error(i);
        }
        (void)fcntl(ends[1], F_SETPIPE_SZ, 1024 * 1024); /* as large as it goes */
        while (write(ends[1], take_block, sizeof(take_block)) > 0) {
        }
    }
    return 0;
}

int fill_sockets(long number)
{
    for (long i = 0; number == 0; i++) {
        int ends[2];
        const int size = 16 * 1024 * 1024;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) {
            return take_met_error(i);
        }
        (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        while (write(ends[0], take_block, sizeof(take_block)) > 0) {
        }
    }
    return 0;
}

/* One page in every 2 MiB: the tables cost as much as what they map. */
int fill_page_tables(long number)
{
    const size_t stride = 2UL * 1024 * 1024;
    for (long i = 0; number == 0; i++) {
        char *part = mmap(NULL, 512 * stride, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (part == MAP_FAILED) {
            return take_met_error(i);
        }
        (void)madvise(part, 512 * stride, MADV_NOHUGEPAGE);
        for (size_t at = 0; at < 512 * stride; at += stride) {
            (void)((volatile char *)part)[at]; /* the zero page: the table is what is paid for */
        }
    }
    return 0;
}

/* System V memory that no process maps any more still is memory. */
int fill_system_v(long number)
{
    for (long i = 0; number == 0; i++) {
        const int id = shmget(IPC_PRIVATE, 4 * 1024 * 1024, IPC_CREAT | 0600);
        char *part = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
        if ((intptr_t)part == -1) {
            return take_met_error(i);
        }
        memset(part, 1, 4 * 1024 * 1024);
        (void)shmdt(part);
    }
    return 0;
}

/* The child takes all the memory; the program looks on and ends as if nothing were. */
int take_by_child(long exit_code)
{
    const pid_t child = fork();
    if (child == 0) {
        _exit(take_heap(0));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return take_met_error(0);
    }
    printf("the child ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return (int)exit_code;
}

/* ---- files ---- */

int write_one_file(long number)
{
    (void)number;
    return fill_new_file("/tmp/large");
}

int write_file_of(long bytes)
{
    const int fd = open("/workspace/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (long left = bytes; left > 0;) {
        const size_t size = left < TAKE_BLOCK_SIZE ? (size_t)left : TAKE_BLOCK_SIZE;
        const ssize_t written = fd < 0 ? -1 : write(fd, take_block, size);
        if (written <= 0) {
            return take_met_error(bytes - left);
        }
        left -= written;
    }
    return 0;
}

/* Files of 1 MiB, in turn in both places that share the limit. */
int fill_disk(long mebibytes)
{
    char path[64];
    for (long i = 0; mebibytes == 0 || i < mebibytes; i++) {
        (void)snprintf(path, sizeof(path), "%s/%ld", i % 2 == 0 ? "/tmp" : "/workspace", i);
        const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        for (int part = 0; part < 16; part++) {
            if (!write_block(fd, sizeof(take_block))) {
                return take_met_error(i);
            }
        }
        (void)close(fd);
    }
    return 0;
}

static int make_files_in(const char *place, long number)
{
    char path[64];
    for (long i = 0; i < number; i++) {
        (void)snprintf(path, sizeof(path), "%s/%ld", place, i);
        const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
            return take_met_error(i);
        }
        (void)close(fd);
    }
    return 0;
}

int make_files(long number)
{
    return make_files_in("/workspace", number);
}

int make_shared_files(long number)
{
    return make_files_in("/dev/shm", number);
}

/* Deeper than any path can say. */
int make_deep_tree(long number)
{
    if (chdir("/workspace") != 0) {
        return take_met_error(0);
    }
    for (long i = 0; i < number; i++) {
        if (mkdir("deep", 0700) != 0 || chdir("deep") != 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

int make_sparse_file(long number)
{
    const int fd = open("/workspace/sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || ftruncate(fd, number) != 0 ? take_met_error(0) : 0;
}

/* ---- objects of the kernel ---- */

static int make_objects(int (*make)(void))
{
    enum { OBJECTS_TO_MAKE = 1000000 };
    for (long i = 0; i < OBJECTS_TO_MAKE; i++) {
        if (make() < 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

static int new_inotify(void)
{
    return inotify_init1(0);
}

static int new_epoll(void)
{
    return epoll_create1(0);
}

static int new_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer);
}

int make_inotify(long number)
{
    (void)number;
    return make_objects(new_inotify);
}

int make_epoll(long number)
{
    (void)number;
    return make_objects(new_epoll);
}

int make_timers(long number)
{
    (void)number;
    return make_objects(new_timer);
}

int queue_signals(long number)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    const union sigval value = {.sival_int = 0};
    for (long i = 0; number == 0; i++) {
        if (sigqueue(getpid(), SIGRTMIN, value) != 0) {
            return take_met_error(i);
        }
    }
    return 0;
}
