/*
 * The program's entry: the keeper is started before the C library is there.
 *
 * Before main() glibc asks the processor what it is, with some eighty CPUID instructions.  In a
 * virtual machine each is a trap into the hypervisor: 6 µs, half a millisecond in all, measured, as
 * much as the keeper needs to make a sandbox ready.  So `cella run` starts the keeper by plain
 * system calls and then enters the C library as if nothing had happened.
 *
 * Whatever is out of the ordinary (another command, an ordinary user, a keeper named by the
 * environment, a closed standard stream, a server) leaves the start to the library, which knows
 * better.
 *
 * There is no errno here, no thread-local storage and no relocated pointer: so no stack protector,
 * no table of strings, no library call.  A test looks at the object's undefined symbols.
 */
#include "front/cli/early.h"
#include "front/places.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel enters here.  %rdx is for the library; the stack has argc, argv, envp. */
__asm__(".text\n"
        ".globl cella_entry\n"
        ".type cella_entry, @function\n"
        "cella_entry:\n"
        "    movq %rsp, %rdi\n"
        "    pushq %rdx\n"
        "    subq $8, %rsp\n" /* aligned to 16 bytes at the call */
        "    call early_start\n"
        "    addq $8, %rsp\n"
        "    popq %rdx\n"
        "    jmp _start\n");

/* Negative: an error. */
static long call(long number, long a, long b, long c, long d)
{
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}

static bool starts_with(const char *text, const char *start)
{
    while (*start != '\0' && *text == *start) {
        text++;
        start++;
    }
    return *start == '\0';
}

/* "DIRECTORY OF THIS PROGRAM/cella-keeper" */
static bool keeper_beside(char path[PATH_MAX])
{
    const char name[] = "/cella-keeper";
    long size = call(SYS_readlink, (long)"/proc/self/exe", (long)path, PATH_MAX, 0);
    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    if (size <= 0 || size + (long)sizeof(name) > PATH_MAX) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(name); i++) {
        path[(unsigned long)size - 1 + i] = name[i];
    }
    return call(SYS_access, (long)path, X_OK, 0, 0) == 0;
}

static bool is_ordinary(long count, char **words, char **variables)
{
    if (count < 2 || !starts_with(words[1], "run") || words[1][3] != '\0' ||
        call(SYS_geteuid, 0, 0, 0, 0) != 0 || call(SYS_getuid, 0, 0, 0, 0) != 0) {
        return false;
    }
    for (; *variables != NULL; variables++) {
        if (starts_with(*variables, "CELLA_")) { /* the keeper's path, or a test's fault */
            return false;
        }
    }
    /* There may be a server to do it: `cella run` looks for itself, and starts a keeper later. */
    if (call(SYS_access, (long)SERVER_SOCKET_OF_ROOT, F_OK, 0, 0) == 0) {
        return false;
    }
    for (int fd = 0; fd <= 2; fd++) {
        if (call(SYS_fcntl, fd, F_GETFD, 0, 0) < 0) {
            return false;
        }
    }
    return true;
}

/* The rest of what it may not inherit the keeper lets go of itself. */
static void become_keeper(char *path, int socket)
{
    char *name = path; /* the last part, as the library gives it */
    for (char *at = path; *at != '\0'; at++) {
        name = *at == '/' ? at + 1 : name;
    }
    char *const words[] = {name, NULL};
    const long null = call(SYS_open, (long)"/dev/null", O_RDWR, 0, 0);
    call(SYS_setsid, 0, 0, 0, 0);
    if (null >= 0 && call(SYS_dup2, null, 0, 0, 0) == 0 && call(SYS_dup2, null, 1, 0, 0) == 1 &&
        call(SYS_dup2, socket, 3, 0, 0) == 3) {
        call(SYS_close_range, 4, ~0U, 0, 0);
        call(SYS_execve, (long)path, (long)words, (long)(words + 1), 0);
    }
    call(SYS_exit_group, 127, 0, 0, 0);
}

void early_start(long *stack);

void early_start(long *stack)
{
    const long count = stack[0];
    char **words = (char **)(stack + 1);
    char path[PATH_MAX];
    int pair[2] = {-1, -1};

    if (!is_ordinary(count, words, words + count + 1) || !keeper_beside(path) ||
        call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, (long)pair) != 0) {
        return;
    }
    /* 0 to 2 are open, so pair[1] is at least 4 and dup2() takes its close-on-exec flag away. */
    /* Waiting for its exec costs a tenth of a millisecond and wins half of one: the scheduler looks
     * for an idle processor at an exec, and leaves a new process behind the one that made it. */
    const long pid = call(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0);
    if (pid == 0) {
        become_keeper(path, pair[1]);
    }
    call(SYS_close, pair[1], 0, 0, 0);
    if (pid < 0) {
        call(SYS_close, pair[0], 0, 0, 0);
        return;
    }
    early.socket = pair[0];
    early.pid = (pid_t)pid;
}
