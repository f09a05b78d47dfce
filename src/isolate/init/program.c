/*
 * The program's birth.
 *
 * It is cloned with the memory of init (as vfork does), because copying page tables costs more than
 * all the rest; init stands still until the exec has given the program memory of its own.  Until
 * then only code of ours runs here.
 */
#include "base/error.h"
#include "isolate/init/init.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIRTH_STACK_SIZE (64 * 1024)
#define BIRTH_FLAGS      (CLONE_VM | CLONE_VFORK | SIGCHLD)
#define PROGRAM_PATH_MAX 4096

/* RLIMIT_NPROC, in the run's own user namespace, is the second layer behind the control group's
 * count, or init's where there is none: a little above the limit, so that it is the control group
 * that refuses a fork, and counts it, or init that sees too many, of which nobody else would tell.
 * Init counts in both. */
#define PROCESSES_SLACK 16

/* Processor time by rlimit, likewise: per process, in whole seconds, behind the supervisor's. */
#define CPU_SLACK_SECONDS 2

#define LOCKED_MEMORY_MAX       (UINT64_C(8) * 1024 * 1024)
#define QUEUED_SIGNALS_MAX      1024
#define MESSAGE_QUEUE_BYTES_MAX (UINT64_C(800) * 1024)

struct birth {
    struct init *init;
    enum step step;
    int error_number;
};

static int set_rlimits(const struct init_start *start);
static int set_streams(const struct init_start *start);
static void execute(struct init *init);

static int be_born(void *argument)
{
    struct birth *birth = argument;
    const struct init_start *start = &birth->init->start;
    sigset_t none;

    sigemptyset(&none);
    IGNORE(sigprocmask(SIG_SETMASK, &none, NULL) != 0); /* cannot fail with a valid set */
    birth->step = STEP_RLIMITS;
    if (start->fault_step == STEP_RLIMITS || set_rlimits(start) != 0) {
        birth->error_number = start->fault_step == STEP_RLIMITS ? EIO : errno;
        _exit(1);
    }
    birth->step = STEP_STREAMS;
    if (start->fault_step == STEP_STREAMS || set_streams(start) != 0) {
        birth->error_number = start->fault_step == STEP_STREAMS ? EIO : errno;
        _exit(1);
    }
    birth->step = STEP_MODES;
    const bool guarded =
        start->guard_modes != 0 && (start->waived & protection_bit(PROTECTION_SECCOMP)) == 0;
    if (start->fault_step == STEP_MODES || (guarded && init_guard_modes() != 0)) {
        birth->error_number = start->fault_step == STEP_MODES ? EIO : errno;
        _exit(1);
    }
    birth->step = STEP_EXEC;
    if (start->fault_step == STEP_EXEC) {
        birth->error_number = EIO;
        _exit(1);
    }
    /* Init may get no processor for a while once the program has one. */
    birth->init->started_us = init_clock_us();
    execute(birth->init);
    birth->error_number = errno;
    _exit(1);
}

static int explain_failure(const struct birth *birth, struct cella_error *err)
{
    const char *path = birth->init->program.path;
    const int number = birth->error_number;
    if (birth->init->start.fault_step == (uint32_t)birth->step) {
        return error_set(err, CELLA_ERROR_HOST, number, "injected fault");
    }
    if (birth->step != STEP_EXEC) {
        return error_set(err, CELLA_ERROR_HOST, number, "cannot prepare the program");
    }
    if (number == ENOENT) {
        error_set(err, CELLA_ERROR_RUNTIME, number, "no program '%s' in the sandbox", path);
        return error_set_hint(err, "programs of /usr, /bin and of the request's own files can be "
                                   "run; a script's interpreter must exist as well");
    }
    if (number == EACCES || number == ENOEXEC) {
        error_set(err, CELLA_ERROR_CALLER, number, "'%s' cannot be executed", path);
        return error_set_hint(err, "a file of the request needs \"executable\": true, and a "
                                   "script a first line #!/path/of/interpreter");
    }
    if (number == E2BIG) {
        error_set(err, CELLA_ERROR_CALLER, number, "arguments and environment are too long");
        return error_set_hint(err, "pass large input by stdin or files, or raise stack_bytes");
    }
    return error_set(err, CELLA_ERROR_HOST, number, "cannot execute '%s'", path);
}

int init_start_program(struct init *init, enum step *ret_step, struct cella_error *err)
{
    static char stack[BIRTH_STACK_SIZE] __attribute__((aligned(16)));
    struct birth birth = {.init = init, .step = STEP_EXEC};
    const pid_t pid = clone(be_born, stack + sizeof(stack), BIRTH_FLAGS, &birth);
    if (pid < 0) {
        *ret_step = STEP_EXEC;
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot start a process");
    }
    if (birth.error_number != 0) {
        *ret_step = birth.step;
        return explain_failure(&birth, err);
    }
    init->main_pid = pid;
    return 0;
}

static int set_rlimit(int resource, uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return -1;
    }
    /* Above our own hard limit the kernel lets nobody go; then that one holds. */
    const rlim_t value = wanted < limit.rlim_max ? (rlim_t)wanted : limit.rlim_max;
    limit = (struct rlimit){value, value};
    return setrlimit(resource, &limit);
}

static int set_rlimits(const struct init_start *start)
{
    const uint64_t *value = start->limits.value;
    const struct {
        int resource;
        uint64_t value;
    } rlimits[] = {
        {RLIMIT_NOFILE, value[LIMIT_OPEN_FILES]},
        {RLIMIT_FSIZE, value[LIMIT_FILE]},
        {RLIMIT_STACK, value[LIMIT_STACK]},
        {RLIMIT_NPROC, value[LIMIT_PROCESSES] + 1 + PROCESSES_SLACK},
        {RLIMIT_CPU, value[LIMIT_CPU] / LIMIT_SECOND + CPU_SLACK_SECONDS},
        {RLIMIT_MEMLOCK, LOCKED_MEMORY_MAX},
        {RLIMIT_SIGPENDING, QUEUED_SIGNALS_MAX},
        {RLIMIT_MSGQUEUE, MESSAGE_QUEUE_BYTES_MAX},
        {RLIMIT_NICE, 0},
        {RLIMIT_RTPRIO, 0},
    };
    if ((start->waived & protection_bit(PROTECTION_RLIMITS)) != 0) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rlimits); i++) {
        if (set_rlimit(rlimits[i].resource, rlimits[i].value) != 0) {
            return -1;
        }
    }
    return 0;
}

static int set_streams(const struct init_start *start)
{
    if ((start->waived & protection_bit(PROTECTION_NO_TERMINAL)) == 0 && setsid() < 0) {
        return -1;
    }
    if ((start->waived & protection_bit(PROTECTION_DESCRIPTORS)) == 0 &&
        sys_close_range(INIT_FD_CONTROL, ~0U, 0) != 0) {
        return -1;
    }
    return chdir(INIT_WORKSPACE);
}

/* Returns on failure alone, with errno. */
static void execute(struct init *init)
{
    struct program *program = &init->program;
    const char *path = program->path;
    char candidate[PROGRAM_PATH_MAX];

    if (strchr(path, '/') != NULL) {
        IGNORE(execve(path, program->argv, program->envp));
        return;
    }
    /* A bare word is looked for in the program's own PATH, as a shell would. */
    const char *directories = "/usr/local/bin:/usr/bin:/bin";
    for (char **variable = program->envp; *variable != NULL; variable++) {
        if (strncmp(*variable, "PATH=", 5) == 0) {
            directories = *variable + 5;
        }
    }
    int found_errno = ENOENT;
    for (const char *at = directories; *at != '\0';) {
        const size_t length = strcspn(at, ":");
        const int used = snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)length, at, path);
        if (length > 0 && used > 0 && (size_t)used < sizeof(candidate)) {
            IGNORE(execve(candidate, program->argv, program->envp));
            found_errno = errno == ENOENT || errno == ENOTDIR ? found_errno : errno;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    errno = found_errno;
}
