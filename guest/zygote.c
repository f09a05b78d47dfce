/*
 * The fork server, and the lock-down of its children: see guest.h.
 *
 * The children's lock-down is that of a sandbox's first process (isolate/native): the same steps in
 * the same order, by the same code where a step is not one of namespaces.
 */
#include "isolate/zygote.h"
#include "base/error.h"
#include "base/fd.h"
#include "guest.h"
#include "isolate/init/protocol.h"
#include "isolate/modes.h"
#include "isolate/native/child.h"
#include "isolate/native/sys.h"
#include "isolate/pack.h"
#include "isolate/rlimits.h"
#include "pages.h"
#include "park.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the limit on open files is lower than PARK_QUIET_FD, what would be there stays where the
 * first of the interpreter's would be. */
#define FIRST_FD 3

static const struct guest_language *const languages[] = {
    &guest_java, &guest_node, &guest_php, &guest_python, &guest_r, &guest_ruby};

static struct {
    bool armed; /* this is a zygote, and it has not yet opened its script */
    bool took_over;
    bool forks;     /* the next fork() is to be that of children */
    bool rehearses; /* this is the child that shows which pages are needed */
    int control;
    int stand_in; /* what the interpreter has in place of its script; -1: nothing */
    struct zygote_config config;
    const struct guest_language *language;
    char *script;
    char *modules;
    int own_pids;   /* our PID namespace */
    int *thread_id; /* where the C library keeps it: the kernel sets it in a child */
    void *robust_list;
    size_t robust_list_size;
    char **arguments; /* of main(); the interpreter may change its own */
} zygote = {.stand_in = -1};

struct order {
    struct zygote_fork fork;
    int descriptors[ZYGOTE_FORK_DESCRIPTORS_MAX];
};

/* What a child tells, and where. */
static struct zygote_parked parked;
static int park_socket;

static int settle(struct cella_error *err);
static void serve(void);
static void lock_down(const struct order *order);

/* ---- at the start of the interpreter ---- */

static const struct guest_language *find_language(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(languages); i++) {
        if (dlsym(RTLD_DEFAULT, languages[i]->symbol) != NULL) {
            return languages[i];
        }
    }
    return NULL;
}

static char *take_variable(const char *name)
{
    const char *value = getenv(name);
    char *copy = value != NULL ? strdup(value) : NULL;
    IGNORE(unsetenv(name) != 0); /* a valid name */
    return copy;
}

static char **copy_arguments(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof(*copy));
    if (copy != NULL) {
        memcpy(copy, argv, (size_t)argc * sizeof(*copy));
    }
    return copy;
}

char *const *guest_arguments(void)
{
    return zygote.arguments;
}

/* What its children lock themselves down by.  Who has none is locked down already. */
static bool read_config(void)
{
    if (pread(ZYGOTE_FD_CONFIG, &zygote.config, sizeof(zygote.config), 0) !=
        (ssize_t)sizeof(zygote.config)) {
        return false;
    }
    (void)close(ZYGOTE_FD_CONFIG); /* read */
    return sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* Before main().  What comes before the interpreter, as a script that starts it, hands on what it
 * has been given.  Nothing is told of a failure here: without a zygote's answer the keeper knows
 * that there is none. */
__attribute__((constructor)) static void arm(int argc, char **argv)
{
    zygote.language = find_language();
    if (zygote.language == NULL) {
        return;
    }
    IGNORE(unsetenv("LD_PRELOAD") !=
           0); /* a program that it starts while loading is none of ours */
    zygote.script = take_variable("CELLA_ZYGOTE_SCRIPT");
    zygote.modules = take_variable("CELLA_ZYGOTE_MODULES");
    if (zygote.script == NULL || (!zygote.language->one_shot && !read_config())) {
        return;
    }
    (void)close(ZYGOTE_FD_LIBRARY); /* loaded */
    zygote.arguments = copy_arguments(argc, argv);
    zygote.control = fcntl(ZYGOTE_FD_CONTROL, F_DUPFD_CLOEXEC, PARK_QUIET_FD);
    if (zygote.control >= 0) {
        (void)close(ZYGOTE_FD_CONTROL); /* its duplicate stays */
    } else if (fcntl(ZYGOTE_FD_CONTROL, F_SETFD, FD_CLOEXEC) == 0) {
        zygote.control = ZYGOTE_FD_CONTROL;
    }
    zygote.armed = zygote.control >= 0 && zygote.arguments != NULL;
}

/* The script has a name in the workspace; some interpreters make that a whole path first. */
static bool is_script(const char *path)
{
    const size_t length = strlen(INIT_WORKSPACE);
    const bool whole = strncmp(path, INIT_WORKSPACE, length) == 0 && path[length] == '/';
    return strcmp(whole ? path + length + 1 : path, zygote.script) == 0;
}

static NORETURN void give_up(const struct zygote_message *ready)
{
    IGNORE(sys_send(zygote.control, ready, sizeof(*ready), NULL, 0) != 0); /* then it is not told */
    _exit(1);
}

static int make_file(const char *text, size_t size)
{
    const int file = memfd_create("script", MFD_CLOEXEC);
    return file >= 0 && write(file, text, size) == (ssize_t)size && lseek(file, 0, SEEK_SET) == 0
               ? file
               : -1;
}

/* For a one-shot, to which such files may be closed already. */
static int make_pipe(const char *text, size_t size)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], text, size) != (ssize_t)size) {
        return -1;
    }
    (void)close(ends[1]); /* that is all */
    return ends[0];
}

static int make_stand_in(void)
{
    const char *text = zygote.language->stand_in;
    return text == NULL ? make_file("\n", 1) : make_pipe(text, strlen(text));
}

int guest_opens(const char *path)
{
    if (!zygote.armed || !is_script(path)) {
        return -1;
    }
    zygote.armed = false;
    if (zygote.language->opened == NULL) {
        return zygote.language->one_shot ? -1 : guest_take_over();
    }
    zygote.stand_in = make_stand_in();
    if (zygote.stand_in < 0) {
        struct zygote_message ready = {.type = ZYGOTE_READY};
        error_set(&ready.error, CELLA_ERROR_HOST, errno, "cannot make a stand-in for the script");
        give_up(&ready);
    }
    zygote.language->opened(zygote.stand_in);
    return zygote.stand_in;
}

void guest_looks_at(const char *path)
{
    if (zygote.armed && zygote.language->one_shot && is_script(path)) {
        zygote.armed = false;
        guest_wait_for_run();
    }
}

void guest_wait_for_run(void)
{
    parked.step = STEP_PARK;
    if (zygote.language->load("", &parked.error) != 0) {
        park_tell(zygote.control, &parked, -1); /* and end */
    }
    parked.pid = (int32_t)getpid();
    park_wait(zygote.control, &parked);
    zygote.language->run(park_words.argc, park_words.argv, park_script(zygote.script));
}

void guest_reads(FILE *stream)
{
    if (zygote.stand_in >= 0 && fileno(stream) == zygote.stand_in &&
        zygote.language->reads != NULL) {
        zygote.language->reads(stream);
    }
}

bool guest_runs(const char *command)
{
    return zygote.took_over && zygote.language->runs != NULL && command != NULL &&
           zygote.language->runs(command);
}

bool guest_unloads(void)
{
    return zygote.took_over && zygote.language->unloads != NULL && zygote.language->unloads();
}

int guest_take_over(void)
{
    struct zygote_message ready = {.type = ZYGOTE_READY};
    if (zygote.language->load(zygote.modules != NULL ? zygote.modules : "", &ready.error) != 0 ||
        settle(&ready.error) != 0) {
        give_up(&ready);
    }
    zygote.stand_in = -1; /* from now on it is the language's alone */
    zygote.took_over = true;
    zygote.forks = true;
    if (zygote.language->call_fork != NULL) {
        zygote.language->call_fork();
    } else {
        IGNORE(guest_forks()); /* it does */
    }
    if (zygote.rehearses) {
        park_rehearse(zygote.arguments);
        const int program = zygote.language->rehearse();
        if (program >= 0) {
            return program;
        }
        pages_tell(0);
    }
    park_wait(park_socket, &parked);
    zygote.language->run(park_words.argc, park_words.argv, park_script(zygote.script));
    return -1;
}

bool guest_forks(void)
{
    struct zygote_message ready = {.type = ZYGOTE_READY};
    if (!zygote.forks) {
        return false;
    }
    zygote.forks = false;
    zygote.rehearses = zygote.language->rehearse != NULL && pages_learn();
    if (!zygote.rehearses) {
        ready.copied_bytes = pages_copied_bytes();
        if (sys_send(zygote.control, &ready, sizeof(ready), NULL, 0) != 0) {
            _exit(1);
        }
        serve();
    }
    if (zygote.rehearses || parked.pid > 0) {
        zygote.language->after_fork();
    }
    return true;
}

bool guest_find_symbols(void *table, const struct guest_symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(RTLD_DEFAULT, symbols[i].name);
        if (address == NULL) {
            return false;
        }
        memcpy((char *)table + symbols[i].offset, &address, sizeof(address));
    }
    return true;
}

/* ---- before the first child ---- */

static int settle(struct cella_error *err)
{
    /* Its own files there are closed to a process that is not dumpable. */
    IGNORE(sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0);
    guest_end_threads();
    const bool threads = !guest_has_one_thread();
    const bool shared = !threads && guest_has_shared_mapping();
    zygote.own_pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    IGNORE(sys_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0); /* worked before */
    if (threads || shared) {
        return error_set(err, CELLA_ERROR_RUNTIME, 0, "what was loaded %s",
                         threads ? "has started threads" : "has memory that others can write to");
    }
    if (zygote.own_pids < 0 ||
        sys_prctl(PR_GET_TID_ADDRESS, (unsigned long)(uintptr_t)&zygote.thread_id, 0, 0, 0) != 0 ||
        zygote.thread_id == NULL || *zygote.thread_id != (int)syscall(SYS_gettid) ||
        syscall(SYS_get_robust_list, 0, &zygote.robust_list, &zygote.robust_list_size) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot fork as the C library does");
    }
    return 0;
}

/* ---- forking ---- */

static void close_descriptors(int *descriptors)
{
    for (size_t i = 0; i < ZYGOTE_FORK_DESCRIPTORS_MAX; i++) {
        fd_close(&descriptors[i]);
    }
}

/* What a program's number is where it is not warm: the first after init, and after the process that
 * makes its network namespace. */
static pid_t program_number(void)
{
    return (zygote.config.plan.waived & protection_bit(PROTECTION_NET_NS)) != 0 ? 2 : 3;
}

/* Its parent is the keeper, ours.  Returns 0 in the child; else the errno of what failed, or -1. */
static int fork_child(const struct order *order, int *ret_pidfd)
{
    const pid_t number = program_number();
    const struct clone_args args = {
        .flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .child_tid = (uint64_t)(uintptr_t)zygote.thread_id,
        .set_tid = (uint64_t)(uintptr_t)&number,
        .set_tid_size = 1,
    };
    if (setns(order->descriptors[ZYGOTE_FORK_INIT], CLONE_NEWPID) != 0) {
        return errno;
    }
    const pid_t pid = sys_clone3(&args);
    if (pid == 0) {
        return 0;
    }
    const int failure = errno;
    /* Left in one that is dead it could fork no more. */
    if (setns(zygote.own_pids, CLONE_NEWPID) != 0) {
        _exit(1);
    }
    return pid > 0 ? -1 : failure;
}

static void serve(void)
{
    struct order order;
    while (sys_receive(zygote.control, &order.fork, sizeof(order.fork), order.descriptors,
                       ZYGOTE_FORK_DESCRIPTORS_MAX) == (ssize_t)sizeof(order.fork)) {
        int pidfd = -1;
        const int number =
            order.descriptors[ZYGOTE_FORK_PARK] >= 0 ? fork_child(&order, &pidfd) : EBADF;
        if (number == 0) {
            lock_down(&order);
            return;
        }
        close_descriptors(order.descriptors);
        const struct zygote_message forked = {.type = ZYGOTE_FORKED,
                                              .sys_errno = number > 0 ? number : 0,
                                              .number = order.fork.number};
        const int sent =
            sys_send(zygote.control, &forked, sizeof(forked), &pidfd, pidfd >= 0 ? 1 : 0);
        fd_close(&pidfd);
        if (sent != 0) {
            break;
        }
    }
    _exit(0); /* the keeper is gone, or has no use for us */
}

/* ---- the child's lock-down ---- */

static int failed(struct cella_error *err, const char *what)
{
    return error_set(err, CELLA_ERROR_HOST, errno, "cannot %s", what);
}

static int enter_cgroup(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)child;
    for (uint32_t i = 0; i < order->fork.entry_count && i < ZYGOTE_ENTRIES_MAX; i++) {
        if (write(order->descriptors[ZYGOTE_FORK_ENTRIES + i], "0", 1) != 1) {
            return failed(err, "enter the control group");
        }
    }
    pages_make_ready(); /* from now on what it takes is the run's */
    return 0;
}

static int set_scheduling(struct child *child, const struct order *order, struct cella_error *err)
{
    child_separate(child); /* the rest it has from the zygote */
    return sys_keep_on_processor(0, order->fork.processor) == 0
               ? 0
               : failed(err, "be kept on one processor");
}

/* Those that the sandbox has for itself. */
static int enter_namespaces(struct child *child, const struct order *order, struct cella_error *err)
{
    const uint64_t held = order->fork.protections;
    if (setns(order->descriptors[ZYGOTE_FORK_INIT], zygote_namespaces(held)) != 0) {
        return failed(err, "enter the sandbox");
    }
    child->held |= held & ZYGOTE_NAMESPACES;
    return 0;
}

static int take_identity(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    const long id = INIT_GUEST_ID;
    if (!child_waives(child, PROTECTION_NO_TERMINAL) && setsid() < 0) {
        return failed(err, "make a session");
    }
    if (!child_waives(child, PROTECTION_KEYRING) &&
        syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) {
        child_holds(child, PROTECTION_KEYRING);
    }
    if (child->privileged && !child_waives(child, PROTECTION_GROUPS)) {
        if (syscall(SYS_setgroups, 0, NULL) != 0) {
            return failed(err, "drop supplementary groups");
        }
        child_holds(child, PROTECTION_GROUPS);
    }
    if (syscall(SYS_setresgid, id, id, id) != 0 || syscall(SYS_setresuid, id, id, id) != 0) {
        return failed(err, "take on the run's uid and gid");
    }
    return 0; /* with the keeper the nest dies, and everything in it */
}

static int set_rlimits(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    if (child_waives(child, PROTECTION_RLIMITS)) {
        return 0;
    }
    return rlimits_set(&child->plan->limits) == 0 ? 0 : failed(err, "set a resource limit");
}

/* The run's streams, the socket that it is let go by, and nothing else. */
static int place_descriptors(struct child *child, const struct order *order,
                             struct cella_error *err)
{
    const int *from = order->descriptors;
    int park = fcntl(from[ZYGOTE_FORK_PARK], F_DUPFD_CLOEXEC, PARK_QUIET_FD);
    if (park < 0 && (park = dup2(from[ZYGOTE_FORK_PARK], FIRST_FD)) >= 0) {
        IGNORE(fcntl(park, F_SETFD, FD_CLOEXEC) != 0); /* valid arguments */
    }
    if (park < 0 || dup2(from[ZYGOTE_FORK_STDIN], 0) < 0 || dup2(from[ZYGOTE_FORK_STDOUT], 1) < 0 ||
        dup2(from[ZYGOTE_FORK_STDERR], 2) < 0 ||
        (park > FIRST_FD && sys_close_range(FIRST_FD, (unsigned)park - 1, 0) != 0) ||
        sys_close_range((unsigned)park + 1, ~0U, 0) != 0 || chdir(INIT_WORKSPACE) != 0) {
        return failed(err, "place the descriptors");
    }
    child->control = park;
    return 0;
}

static int drop_capabilities(struct child *child, const struct order *order,
                             struct cella_error *err)
{
    (void)order;
    return child_drop_capabilities(child, err);
}

static int set_no_new_privs(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    return child_set_no_new_privs(child, err);
}

static int load_landlock(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    return child_load_landlock(child, err);
}

static int load_seccomp(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    return child_load_seccomp(child, err);
}

/* Behind the other filter, which this one is the last for. */
static int guard_modes(struct child *child, const struct order *order, struct cella_error *err)
{
    (void)order;
    const bool guarded =
        plan_writable_count(child->plan) > 0 && !child_waives(child, PROTECTION_SECCOMP);
    return !guarded || modes_guard() == 0 ? 0 : failed(err, "guard the modes of files");
}

static const struct {
    enum step step;
    int (*run)(struct child *child, const struct order *order, struct cella_error *err);
} steps[] = {
    {STEP_SCHEDULING, set_scheduling},
    {STEP_JOIN, enter_cgroup},
    {STEP_PARK, enter_namespaces},
    {STEP_IDENTITY, take_identity},
    {STEP_STREAMS, place_descriptors},
    {STEP_CAPABILITIES, drop_capabilities},
    {STEP_NO_NEW_PRIVS, set_no_new_privs},
    {STEP_LANDLOCK, load_landlock},
    {STEP_RLIMITS, set_rlimits},
    {STEP_SECCOMP, load_seccomp},
    {STEP_MODES, guard_modes},
};

static int take_steps(struct child *child, const struct order *order)
{
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        parked.step = (uint32_t)steps[i].step;
        if (steps[i].run(child, order, &parked.error) != 0) {
            return -1;
        }
    }
    return sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0
               ? 0
               : failed(&parked.error, "be as any other program");
}

static void lock_down(const struct order *order)
{
    static const struct cgroup counted;
    struct child child = {.kind = CHILD_RUN,
                          .waived = zygote.config.plan.waived,
                          .plan = &zygote.config.plan,
                          .privileged = zygote.config.privileged != 0,
                          .cgroup = zygote.config.counted != 0 ? &counted : NULL,
                          .control = order->descriptors[ZYGOTE_FORK_PARK]};
    sigset_t none;
    IGNORE(syscall(SYS_set_robust_list, zygote.robust_list, zygote.robust_list_size) != 0);
    const pid_t own = getpid(); /* what a policy denies is not called after the lock-down */
    sigemptyset(&none);
    IGNORE(sigprocmask(SIG_SETMASK, &none, NULL) != 0); /* valid arguments */
    if (take_steps(&child, order) == 0) {
        parked.protections = child.held;
        parked.pid = (int32_t)own;
    }
    park_socket = child.control;
    /* Init answers for the filter from now on. */
    int listener =
        parked.pid > 0 && fcntl(INIT_FD_LISTENER, F_GETFD) >= 0 ? INIT_FD_LISTENER : -1;
    park_tell(park_socket, &parked, listener);
    fd_close(&listener);
}
