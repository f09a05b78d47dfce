/*
 * The functions of the C library by which interpreters open and read their script, and fork: ours
 * look at that first, and then do what those do.
 */
#include "guest.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define INIT_PID 1

#define EXPORTED __attribute__((visibility("default")))

/* The library's own function behind ours, which has its name. */
#define NEXT(name, result, parameters)                                                             \
    static union {                                                                                 \
        void *address;                                                                             \
        result(*call) parameters;                                                                  \
    } next;                                                                                        \
    if (next.address == NULL) {                                                                    \
        next.address = dlsym(RTLD_NEXT, #name);                                                    \
    }

/* Those that take a mode when they create a file. */
static mode_t mode_of(int flags, va_list arguments)
{
    const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return creates ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    EXPORTED int name(const char *path, int flags, ...)                                            \
    {                                                                                              \
        NEXT(name, int, (const char *path, int flags, ...))                                        \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        const mode_t mode = mode_of(flags, arguments);                                             \
        va_end(arguments);                                                                         \
        const int stand_in = guest_opens(path);                                                    \
        return stand_in >= 0 ? stand_in : next.call(path, flags, mode);                            \
    }

#define FOPEN(name)                                                                                \
    EXPORTED FILE *name(const char *path, const char *mode)                                        \
    {                                                                                              \
        NEXT(name, FILE *, (const char *path, const char *mode))                                   \
        const int stand_in = guest_opens(path);                                                    \
        return stand_in >= 0 ? fdopen(stand_in, mode) : next.call(path, mode);                     \
    }

#undef open
#undef fopen
OPEN(open)
OPEN(open64)
FOPEN(fopen)
FOPEN(fopen64)

/* By the bare call node asks what a file is. */
#undef syscall
EXPORTED long syscall(long number, ...)
{
    NEXT(syscall, long, (long number, ...))
    va_list arguments;
    long argument[6];
    va_start(arguments, number);
    for (size_t i = 0; i < sizeof(argument) / sizeof(*argument); i++) {
        argument[i] = va_arg(arguments, long); /* those that there are not count for nothing */
    }
    va_end(arguments);
    if (number == SYS_statx) {
        guest_looks_at((const char *)argument[1]);
    }
    return next.call(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                     argument[5]);
}

/* Of the Java virtual machine, which its launcher finds by name. */
EXPORTED void *JVM_FindClassFromBootLoader(void *env, const char *name);
void *JVM_FindClassFromBootLoader(void *env, const char *name)
{
    NEXT(JVM_FindClassFromBootLoader, void *, (void *env, const char *name))
    void *found = next.call(env, name);
    guest_java_asks(env);
    return found;
}

EXPORTED char *fgets(char *line, int size, FILE *stream)
{
    NEXT(fgets, char *, (char *line, int size, FILE *stream))
    guest_reads(stream);
    return next.call(line, size, stream);
}

/* R's own call, by its name: nobody here makes one. */
EXPORTED int runs_command(const char *command) __asm__("system");
int runs_command(const char *command)
{
    NEXT(system, int, (const char *command))
    return guest_runs(command) ? 0 : next.call(command);
}

EXPORTED int dlclose(void *handle)
{
    NEXT(dlclose, int, (void *handle))
    return guest_unloads() ? 0 : next.call(handle);
}

EXPORTED pid_t fork(void)
{
    NEXT(fork, pid_t, (void))
    return guest_forks() ? 0 : next.call();
}

/* The keeper is the parent of a zygote's child, seen from its namespace nobody; that of any other
 * program is init. */
EXPORTED pid_t getppid(void)
{
    const pid_t parent = (pid_t)syscall(SYS_getppid);
    return parent == 0 ? INIT_PID : parent;
}
