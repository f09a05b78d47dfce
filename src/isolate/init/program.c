/*
 * The program's birth.
 *
 * It is cloned with the memory of init (as vfork does), because copying page tables costs more than
 * all the rest; init stands still until the exec has given the program memory of its own.  Until
 * then only code of ours runs here.
 */
#include "base/error.h"
#include "isolate/init/init.h"
#include "isolate/modes.h"
#include "isolate/native/sys.h"
#include "isolate/protections.h"
#include "isolate/rlimits.h"
#include "isolate/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIRTH_STACK_SIZE (64 * 1024)
#define BIRTH_FLAGS      (CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD)
#define PROGRAM_PATH_MAX 4096

struct birth {
    struct init *init;
    enum step step;
    int error_number;
};

static int set_streams(const struct init *init);
static void execute(struct init *init);

static int be_born(void *argument)
{
    struct birth *birth = argument;
    const struct init_start *start = &birth->init->start;
    sigset_t none;

    sigemptyset(&none);
    IGNORE(sigprocmask(SIG_SETMASK, &none, NULL) != 0); /* cannot fail with a valid set */
    birth->step = STEP_RLIMITS;
    const bool limited = (start->waived & protection_bit(PROTECTION_RLIMITS)) == 0;
    if (start->fault_step == STEP_RLIMITS || (limited && rlimits_set(&start->limits) != 0)) {
        birth->error_number = start->fault_step == STEP_RLIMITS ? EIO : errno;
        _exit(1);
    }
    birth->step = STEP_STREAMS;
    if (start->fault_step == STEP_STREAMS || set_streams(birth->init) != 0) {
        birth->error_number = start->fault_step == STEP_STREAMS ? EIO : errno;
        _exit(1);
    }
    birth->step = STEP_MODES;
    const bool guarded =
        start->guard_modes != 0 && (start->waived & protection_bit(PROTECTION_SECCOMP)) == 0;
    if (start->fault_step == STEP_MODES || (guarded && modes_guard() != 0)) {
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

/* Of init's own filter it told of nobody. */
static int take_listener(int listener, struct cella_error *err)
{
    if (listener < 0) {
        (void)close(INIT_FD_LISTENER);
        return 0;
    }
    const int placed = dup2(listener, INIT_FD_LISTENER);
    (void)close(listener); /* its duplicate stays */
    return placed >= 0 ? 0 : error_set(err, CELLA_ERROR_HOST, errno, "cannot take the listener");
}

static int receive_parked(int park, struct zygote_parked *parked, enum step *ret_step,
                          struct cella_error *err)
{
    int listener = -1;
    *ret_step = STEP_PARK;
    if (sys_receive(park, parked, sizeof(*parked), &listener, 1) != (ssize_t)sizeof(*parked)) {
        return error_set(err, CELLA_ERROR_HOST, 0, "the zygote's child has died");
    }
    if (parked->pid <= 0) {
        *ret_step = parked->step < STEP_COUNT ? (enum step)parked->step : STEP_PARK;
        *err = parked->error;
        return -1;
    }
    return parked->parked != 0 ? 0 : take_listener(listener, err);
}

int init_await_parked(struct init *init, enum step *ret_step, struct cella_error *err)
{
    struct zygote_parked parked = {.parked = 0};
    while (parked.parked == 0) {
        init_await(init, init->park);
        if (receive_parked(init->park, &parked, ret_step, err) != 0) {
            return -1;
        }
    }
    init->parked = true;
    if (init->main_pid < 0) {
        init->main_pid = parked.pid;
        init->is_keepers = true;
    }
    /* A one-shot has those that init has. */
    init->report.protections = init->is_keepers ? parked.protections : UINT64_MAX;
    init->report.user_us = parked.user_us;
    init->report.system_us = parked.system_us;
    init->report.minor_faults = parked.minor_faults;
    init->report.voluntary_switches = parked.voluntary_switches;
    init->report.involuntary_switches = parked.involuntary_switches;
    return 0;
}

/* The dynamic loader finds the guest library by its descriptor. */
static int add_preload(struct program *program, struct cella_error *err)
{
    static char preload[] = "LD_PRELOAD=/proc/self/fd/5";
    _Static_assert(ZYGOTE_FD_LIBRARY == 5, "it is in the above");
    size_t count = 0;
    while (program->envp[count] != NULL) {
        count++;
    }
    if (count == PACK_ENV_MAX) {
        return error_set(err, CELLA_ERROR_CALLER, E2BIG, "there are too many variables");
    }
    program->envp[count] = preload;
    return 0;
}

int init_prepare(struct init *init, int library, enum step *ret_step, struct cella_error *err)
{
    int park[2];
    *ret_step = STEP_PARK;
    if (add_preload(&init->program, err) != 0) {
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, park) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a socket");
    }
    init->park = park[0];
    init->one_shot[0] = park[1];
    init->one_shot[1] = library;
    if (init_start_program(init, ret_step, err) != 0) {
        return -1;
    }
    (void)close(park[1]); /* the program's */
    init->one_shot[0] = init->one_shot[1] = -1;
    if (init_await_parked(init, ret_step, err) != 0) {
        return -1;
    }
    const struct init_report *report = &init->report;
    init->before = (struct used){report->user_us, report->system_us, report->voluntary_switches,
                                 report->involuntary_switches};
    /* The run's words come in their place. */
    pack_drop(init->pack, init->pack_size, init->small_pack);
    init->program = (struct program){.path = NULL};
    return 0;
}

static int let_go(struct init *init, enum step *ret_step, struct cella_error *err)
{
    const struct zygote_go go = {0};
    const int pack = INIT_FD_PACK;
    *ret_step = STEP_PARK;
    init->started_us = init_clock_us();
    if (sys_send(init->park, &go, sizeof(go), &pack, 1) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the zygote's child has died");
    }
    (void)close(init->park); /* nothing more is said */
    return 0;
}

int init_start_program(struct init *init, enum step *ret_step, struct cella_error *err)
{
    static char stack[BIRTH_STACK_SIZE] __attribute__((aligned(16)));
    struct birth birth = {.init = init, .step = STEP_EXEC};
    if (init->parked) {
        return let_go(init, ret_step, err);
    }
    int pidfd = -1;
    const pid_t pid = clone(be_born, stack + sizeof(stack), BIRTH_FLAGS, &birth, &pidfd);
    if (pid < 0) {
        *ret_step = STEP_EXEC;
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot start a process");
    }
    if (birth.error_number != 0) {
        *ret_step = birth.step;
        return explain_failure(&birth, err);
    }
    init->main_pid = pid;
    init->main_fd = init_move_away(pidfd);
    return 0;
}

/* Where the guest library looks for them.  Init has its own there all the same. */
static int place_for_one_shot(const int kept[2])
{
    return dup2(kept[0], ZYGOTE_FD_CONTROL) < 0 || dup2(kept[1], ZYGOTE_FD_LIBRARY) < 0 ||
                   close(ZYGOTE_FD_CONFIG) != 0 || sys_close_range(ZYGOTE_FD_COUNT, ~0U, 0) != 0
               ? -1
               : 0;
}

static int set_streams(const struct init *init)
{
    const struct init_start *start = &init->start;
    const bool has_terminal = init->terminal != NULL;
    if (((start->waived & protection_bit(PROTECTION_NO_TERMINAL)) == 0 || has_terminal) &&
        setsid() < 0) {
        return -1;
    }
    if (has_terminal && init_enter_terminal(init->terminal) != 0) {
        return -1;
    }
    if ((start->waived & protection_bit(PROTECTION_DESCRIPTORS)) == 0 && init->one_shot[0] < 0 &&
        sys_close_range(INIT_FD_CONTROL, ~0U, 0) != 0) {
        return -1;
    }
    if (init->one_shot[0] >= 0 && place_for_one_shot(init->one_shot) != 0) {
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
