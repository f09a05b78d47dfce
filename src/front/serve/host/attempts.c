/* See attempts.h. */
#include "front/serve/host/attempts.h"

#ifdef CELLA_TESTING
#include "front/serve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE 256

struct places {
    const char *outside;
    const char *state;
    pid_t outsider; /* a process that is not ours: the one that has started us */
};

static int open_in(const char *directory, const char *name, int flags)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    const int fd = open(path, flags | O_CLOEXEC, 0700);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0 ? -1 : 0;
}

static int read_file(const struct places *places)
{
    return open_in(places->outside, "file", O_RDONLY);
}

static int write_file(const struct places *places)
{
    return open_in(places->outside, "file", O_WRONLY);
}

static int make_file(const struct places *places)
{
    return open_in(places->outside, "made", O_WRONLY | O_CREAT);
}

/* What has been written into the state directory is run. */
static int execute(const struct places *places)
{
    char path[PATH_SIZE];
    static const char script[] = "#!/bin/sh\n";
    (void)snprintf(path, sizeof(path), "%s/script", places->state);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0) {
        return -1;
    }
    (void)close(fd);
    char *const argv[] = {path, NULL};
    (void)execv(path, argv); /* in a child, which ends well if the script does */
    return -1;
}

static int signal_outsider(const struct places *places)
{
    return kill(places->outsider, 0);
}

static int change_owner(const struct places *places)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/owned", places->state);
    return open_in(places->state, "owned", O_WRONLY | O_CREAT) < 0 ? -1 : chown(path, 1, 1);
}

static int unix_socket(const struct places *places)
{
    (void)places;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

/* To a port where nobody listens: that it is refused there is as good as success. */
static int connect_tcp(const struct places *places)
{
    (void)places;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
                       errno == ECONNREFUSED)
               ? 0
               : -1;
}

static int user_namespace(const struct places *places)
{
    (void)places;
    return unshare(CLONE_NEWUSER);
}

static int clone_namespace(const struct places *places)
{
    (void)places;
    const long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? -1 : 0;
}

static int mount_file_system(const struct places *places)
{
    return mount("none", places->state, "tmpfs", 0, NULL) < 0 ? -1 : umount(places->state);
}

static int trace_outsider(const struct places *places)
{
    return (int)ptrace(PTRACE_SEIZE, places->outsider, NULL, NULL); /* which our end undoes */
}

static int add_key(const struct places *places)
{
    (void)places;
    return syscall(SYS_add_key, "user", "cella-test", "x", 1, KEY_SPEC_PROCESS_KEYRING) < 0 ? -1
                                                                                            : 0;
}

static const struct {
    const char *name;
    int (*make)(const struct places *places);
} attempts[] = {
    {"read_file", read_file},
    {"write_file", write_file},
    {"make_file", make_file},
    {"execute", execute},
    {"signal_outsider", signal_outsider},
    {"change_owner", change_owner},
    {"unix_socket", unix_socket},
    {"connect_tcp", connect_tcp},
    {"user_namespace", user_namespace},
    {"clone_namespace", clone_namespace},
    {"mount_file_system", mount_file_system},
    {"trace_outsider", trace_outsider},
    {"add_key", add_key},
};

/* Each in a child, which has the confinement too: none changes this process. */
static int make_in_child(size_t i, const struct places *places)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(attempts[i].make(places) == 0 ? 0 : errno);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : EIO;
}

void attempts_make(const struct settings *settings)
{
    const struct places places = {getenv("CELLA_ATTEMPTS"), settings->state, getppid()};
    for (size_t i = 0; places.outside != NULL && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const int number = make_in_child(i, &places);
        log_line("attempt %s: %s", attempts[i].name, number == 0 ? "done" : strerror(number));
    }
}
#else
void attempts_make(const struct settings *settings)
{
    (void)settings;
}
#endif
