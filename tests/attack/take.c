/*
 * Programs that take too much, or will not end: `attack take NAME [NUMBER]`.  The tests hold what
 * Cella says of each against what it is told to take.  Outside a sandbox none does anything.
 *
 * Those that take without end are ended by a limit.  Those that meet an error print its name and
 * how far they came, and exit with 20.  A number that is not given is 0: for most, without end.
 */
#include "take.h"
#include "attack.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MET_ERROR 20

const char take_block[TAKE_BLOCK_SIZE] = {'x'};

int take_met_error(long done)
{
    const char *name = strerrorname_np(errno);
    printf("%ld %s\n", done, name != NULL ? name : "unknown");
    (void)fflush(stdout);
    return MET_ERROR;
}

static _Noreturn void pause_for_ever(void)
{
    for (;;) {
        (void)pause();
    }
}

/* ---- processes ---- */

static int fork_for_ever(long number)
{
    while (number == 0) {
        (void)fork();
    }
    return 0;
}

static int vfork_for_ever(long number)
{
    while (number == 0) {
        /* The child of vfork may only execute: it becomes another of these. */
        if (vfork() == 0) {
            execl("/proc/self/exe", "attack", "take", "vfork", (char *)NULL);
            _exit(1);
        }
    }
    return 0;
}

static int clone_for_ever(long number)
{
    while (number == 0) {
        (void)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    }
    return 0;
}

/* Libraries of an interpreter may want some of it for their variables of each thread. */
#define THREAD_STACK_SIZE ((size_t)1024 * 1024)

static void *wait_in_thread(void *context)
{
    (void)context;
    pause_for_ever();
}

static int thread_for_ever(long number)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes); /* cannot fail here */
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
    while (number == 0) {
        pthread_t thread;
        (void)pthread_create(&thread, &attributes, wait_in_thread, NULL);
    }
    return 0;
}

/* Starts `number` processes that wait, and exits with 0 when all could be started; not at once, so
 * that whoever counts them from time to time sees them. */
static int make_processes(long number)
{
    for (long i = 0; i < number; i++) {
        if (start_victim() < 0) {
            return take_met_error(i);
        }
    }
    const struct timespec moment = {.tv_nsec = 200000000};
    (void)nanosleep(&moment, NULL);
    return 0;
}

/* Children that have ended and that nobody waits for. */
static int leave_zombies(long number)
{
    for (long i = 0; i < number; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        if (pid < 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

/* Grandchildren that end with no parent: PID 1 must reap them, or they fill the sandbox. */
static int leave_orphans(long number)
{
    for (long i = 0; i < number; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(fork() >= 0 ? 0 : 1);
        }
        int status = 1;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            return take_met_error(i);
        }
    }
    return 0;
}

/* A process in a session of its own that outlives the program. */
static int daemonize(long number)
{
    (void)number;
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0) {
            (void)prctl(PR_SET_NAME, "attack-daemon", 0, 0, 0);
            pause_for_ever();
        }
        _exit(0);
    }
    const struct timespec moment = {.tv_nsec = 50000000};
    (void)nanosleep(&moment, NULL);
    printf("left a daemon\n");
    return 0;
}

static int ignore_everything(long number)
{
    (void)number;
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        const struct sigaction ignore = {.sa_handler = SIG_IGN};
        (void)sigaction(signal_number, &ignore, NULL); /* two of them cannot be */
    }
    pause_for_ever();
}

static int signal_everyone(long number)
{
    (void)kill(-1, (int)number);
    printf("still here\n");
    return 0;
}

/* Every signal, and forged details with it, at PID 1. */
static int signal_init(long number)
{
    (void)number;
    for (int i = 1; i < NSIG; i++) {
        siginfo_t forged;
        memset(&forged, 0, sizeof(forged));
        forged.si_signo = i;
        forged.si_code = SI_QUEUE;
        forged.si_pid = 1;
        (void)kill(1, i); /* what comes of it is for the tests to see */
        (void)syscall(SYS_rt_sigqueueinfo, 1, i, &forged);
        (void)syscall(SYS_rt_tgsigqueueinfo, 1, 1, i, &forged);
    }
    printf("still here\n");
    return 0;
}

static int stop_itself(long number)
{
    while (number == 0) {
        (void)raise(SIGSTOP);
    }
    return 0;
}

/* A child stops and continues its parent, over and over. */
static int stop_and_continue(long number)
{
    (void)number;
    const pid_t parent = getpid();
    if (fork() == 0) {
        for (;;) {
            (void)kill(parent, SIGSTOP);
            (void)kill(parent, SIGCONT);
        }
    }
    pause_for_ever();
}

/* ---- output ---- */

static int flood(int first, int second)
{
    for (;;) {
        if (write(first, take_block, sizeof(take_block)) < 0 ||
            write(second, take_block, sizeof(take_block)) < 0) {
            return take_met_error(0);
        }
    }
}

static int flood_output(long number)
{
    (void)number;
    return flood(STDOUT_FILENO, STDOUT_FILENO);
}

static int flood_errors(long number)
{
    (void)number;
    return flood(STDERR_FILENO, STDERR_FILENO);
}

static int flood_both(long number)
{
    (void)number;
    return flood(STDOUT_FILENO, STDERR_FILENO);
}

static int print_bytes(long number)
{
    while (number > 0) {
        const size_t size = number < TAKE_BLOCK_SIZE ? (size_t)number : TAKE_BLOCK_SIZE;
        const ssize_t written = write(STDOUT_FILENO, take_block, size);
        if (written <= 0) {
            return MET_ERROR;
        }
        number -= written;
    }
    return 0;
}

/* ---- the processor ---- */

static int spin(long number)
{
    volatile unsigned turns = 0;
    while (number == 0) {
        turns = turns + 1;
    }
    return 0;
}

static void *spin_in_thread(void *context)
{
    (void)spin(0);
    return context;
}

static int spin_in_threads(long number)
{
    for (long i = 1; i < number; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, spin_in_thread, NULL) != 0) {
            return take_met_error(i);
        }
    }
    return spin(0);
}

/* Uses that many milliseconds of processor time, then ends well. */
static int spin_for(long milliseconds)
{
    struct timespec used;
    do {
        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) {
            return take_met_error(0);
        }
    } while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < milliseconds);
    return 0;
}

static int sleep_for(long milliseconds)
{
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return nanosleep(&time, NULL) == 0 ? 0 : take_met_error(0);
}

static int raise_priority(long number)
{
    (void)number;
    const struct sched_param real_time = {.sched_priority = 1};
    const int nicer = setpriority(PRIO_PROCESS, 0, -5);
    const int scheduler = sched_setscheduler(0, SCHED_FIFO, &real_time);
    printf("%d %d\n", nicer, scheduler);
    return 0;
}

static int raise_limits(long number)
{
    (void)number;
    static const int resources[] = {RLIMIT_NOFILE, RLIMIT_FSIZE, RLIMIT_STACK,   RLIMIT_NPROC,
                                    RLIMIT_CPU,    RLIMIT_CORE,  RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE};
    int raised = 0;
    for (size_t i = 0; i < COUNT_OF(resources); i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)resources[i], &limit) == 0 &&
            limit.rlim_max != RLIM_INFINITY) {
            limit.rlim_max++;
            raised += setrlimit((__rlimit_resource_t)resources[i], &limit) == 0;
        }
    }
    printf("%d\n", raised);
    return 0;
}

#define FRAME_SIZE 4096

static int overflow_stack(long depth)
{
    volatile char frame[FRAME_SIZE];
    frame[0] = (char)depth;
    return depth < 0 ? 0 : overflow_stack(depth + 1) + frame[0];
}

static int crash(long number)
{
    (void)raise((int)number);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(long number);
} takers[] = {
    {"fork", fork_for_ever},
    {"vfork", vfork_for_ever},
    {"clone", clone_for_ever},
    {"threads", thread_for_ever},
    {"processes", make_processes},
    {"zombies", leave_zombies},
    {"orphans", leave_orphans},
    {"daemon", daemonize},
    {"ignore", ignore_everything},
    {"kill_all", signal_everyone},
    {"signal_init", signal_init},
    {"stop", stop_itself},
    {"stop_and_continue", stop_and_continue},
    {"heap", take_heap},
    {"mmap", take_mapped},
    {"zero_device", take_zero_device},
    {"landlock", make_landlock_rules},
    {"dev_shm", fill_shared_memory},
    {"memfd", fill_anonymous_files},
    {"pipes", fill_pipes},
    {"sockets", fill_sockets},
    {"page_tables", fill_page_tables},
    {"system_v", fill_system_v},
    {"child_heap", take_by_child},
    {"stdout", flood_output},
    {"stderr", flood_errors},
    {"both", flood_both},
    {"print", print_bytes},
    {"large_file", write_one_file},
    {"file", write_file_of},
    {"disk", fill_disk},
    {"files", make_files},
    {"shm_files", make_shared_files},
    {"deep_tree", make_deep_tree},
    {"sparse", make_sparse_file},
    {"spin", spin},
    {"spin_threads", spin_in_threads},
    {"spin_for", spin_for},
    {"sleep", sleep_for},
    {"priority", raise_priority},
    {"limits", raise_limits},
    {"inotify", make_inotify},
    {"epoll", make_epoll},
    {"timers", make_timers},
    {"signals", queue_signals},
    {"stack", overflow_stack},
    {"crash", crash},
};

int take_main(int argc, char **argv)
{
    if (!inside_sandbox()) {
        fprintf(stderr, "not in a sandbox: nothing is taken\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(takers); i++) {
        if (strcmp(takers[i].name, argv[0]) == 0) {
            return takers[i].run(argc > 1 ? strtol(argv[1], NULL, 10) : 0);
        }
    }
    fprintf(stderr, "nothing to take by that name: %s\n", argv[0]);
    return 2;
}
