/*
 * Attacks on PID 1 of the sandbox, which has the program's own uid: its memory, its descriptors,
 * its priority.  Whoever owns it decides what is reported of the run.
 *
 * Outside a sandbox PID 1 is the host's own, and what is done to its limits cannot be undone: so
 * every attack here goes through against_init(), which does nothing unless PID 1 is Cella's init.
 * There is no bare baseline for these; they are shown to work in a sandbox without protections.
 */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static enum verdict against_init(enum verdict (*effect)(void))
{
    return inside_sandbox() ? effect() : not_applicable("PID 1 is not a sandbox's: left alone");
}

static enum verdict do_trace_init(void)
{
    return by_result(ptrace(PTRACE_SEIZE, 1, NULL, NULL));
}

static enum verdict do_open_init_memory(void)
{
    return by_result(open("/proc/1/mem", O_RDONLY | O_CLOEXEC));
}

/* No address is mapped at 1: a fault shows that the right to look was had. */
static enum verdict do_read_init_memory(void)
{
    char byte = 0;
    char *nowhere = NULL;
    const struct iovec to = {&byte, 1};
    const struct iovec from = {nowhere + 1, 1};
    return by_passing(process_vm_readv(1, &to, 1, &from, 1, 0), EFAULT);
}

static enum verdict do_take_init_descriptor(void)
{
    const int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
    /* It may have no descriptor 0: then the answer shows that the right to take it was had. */
    return pidfd < 0 ? by_result(-1) : by_passing(syscall(SYS_pidfd_getfd, pidfd, 0, 0), EBADF);
}

static enum verdict do_list_init_descriptors(void)
{
    DIR *directory = opendir("/proc/1/fd");
    if (directory == NULL) {
        return by_result(-1);
    }
    int count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory); /* only read */
    return count > 0 ? achieved("%d entries", count) : refused("no entries");
}

static enum verdict do_open_init_program(void)
{
    return by_result(open("/proc/1/exe", O_RDONLY | O_CLOEXEC));
}

static enum verdict do_read_init_environment(void)
{
    return by_result(open("/proc/1/environ", O_RDONLY | O_CLOEXEC));
}

static enum verdict do_protect_init_from_memory_killer(void)
{
    const int fd = open("/proc/1/oom_score_adj", O_WRONLY | O_CLOEXEC);
    return by_result(fd < 0 ? -1 : write(fd, "1000", 4));
}

static enum verdict do_bind_init_to_processor(void)
{
    cpu_set_t set;
    if (sched_getaffinity(1, sizeof(set), &set) != 0) {
        return by_result(-1);
    }
    return by_result(sched_setaffinity(1, sizeof(set), &set));
}

static enum verdict do_slow_init_down(void)
{
    return by_result(setpriority(PRIO_PROCESS, 1, 19));
}

static enum verdict do_idle_init(void)
{
    const struct sched_param none = {.sched_priority = 0};
    return by_result(sched_setscheduler(1, SCHED_IDLE, &none));
}

static enum verdict do_limit_init(void)
{
    struct rlimit limit = {0, 0};
    return by_result(prlimit(1, RLIMIT_CORE, &limit, NULL));
}

static enum verdict trace_init(const char *argument UNUSED)
{
    return against_init(do_trace_init);
}

static enum verdict open_init_memory(const char *argument UNUSED)
{
    return against_init(do_open_init_memory);
}

static enum verdict read_init_memory(const char *argument UNUSED)
{
    return against_init(do_read_init_memory);
}

static enum verdict take_init_descriptor(const char *argument UNUSED)
{
    return against_init(do_take_init_descriptor);
}

static enum verdict list_init_descriptors(const char *argument UNUSED)
{
    return against_init(do_list_init_descriptors);
}

static enum verdict open_init_program(const char *argument UNUSED)
{
    return against_init(do_open_init_program);
}

static enum verdict read_init_environment(const char *argument UNUSED)
{
    return against_init(do_read_init_environment);
}

static enum verdict protect_init_from_memory_killer(const char *argument UNUSED)
{
    return against_init(do_protect_init_from_memory_killer);
}

static enum verdict bind_init_to_processor(const char *argument UNUSED)
{
    return against_init(do_bind_init_to_processor);
}

static enum verdict slow_init_down(const char *argument UNUSED)
{
    return against_init(do_slow_init_down);
}

static enum verdict idle_init(const char *argument UNUSED)
{
    return against_init(do_idle_init);
}

static enum verdict limit_init(const char *argument UNUSED)
{
    return against_init(do_limit_init);
}

#define MEMORY "hidden_init,seccomp"

const struct attack init_attacks[] = {
    {"trace_init", "init", MEMORY, "ptrace", "", trace_init, "trace PID 1"},
    {"open_init_memory", "init", "hidden_init", "", "", open_init_memory, "open /proc/1/mem"},
    {"read_init_memory", "init", MEMORY, "process_vm_readv", "", read_init_memory,
     "read PID 1's memory"},
    {"take_init_descriptor", "init", MEMORY, "pidfd_getfd", "", take_init_descriptor,
     "take a descriptor out of PID 1"},
    {"list_init_descriptors", "init", "hidden_init", "", "", list_init_descriptors,
     "list /proc/1/fd"},
    {"open_init_program", "init", "hidden_init", "", "", open_init_program, "open /proc/1/exe"},
    {"read_init_environment", "init", "hidden_init", "", "", read_init_environment,
     "read /proc/1/environ"},
    {"init_memory_score", "init", "hidden_init,proc_masked,landlock_files", "", "",
     protect_init_from_memory_killer, "make PID 1 the memory killer's first choice"},
    {"bind_init", "init", "seccomp", "sched_setaffinity", "", bind_init_to_processor,
     "bind PID 1 to a processor"},
    {"slow_init_down", "init", "seccomp", "setpriority", "", slow_init_down,
     "take processor time from PID 1"},
    {"idle_init", "init", "seccomp", "sched_setscheduler", "", idle_init,
     "let PID 1 run only when nobody else does"},
    {"limit_init", "init", "seccomp", "prlimit64", "", limit_init, "set PID 1's limits"},
};
const size_t init_attack_count = COUNT_OF(init_attacks);
