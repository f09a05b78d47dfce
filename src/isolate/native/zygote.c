/*
 * A zygote, from outside, and its birth: from a copy of the keeper in the nest's PID namespace
 * until it executes its interpreter.  See nest.h.
 *
 * How it works: the keeper is its parent, and through CLONE_PARENT that of its children; so
 * whatever becomes of the zygote, the keeper learns how each of them ended.  The copy joins the
 * nest, gives up nearly every capability, and only then reads the pack, whose words the engine
 * chose.
 */
#include "base/error.h"
#include "base/fd.h"
#include "isolate/native/child.h"
#include "isolate/native/nest.h"
#include "isolate/native/sys.h"
#include "isolate/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
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
#include <sys/wait.h>
#include <unistd.h>

/* Where descriptors wait while the low numbers are given out. */
#define DESCRIPTOR_PARKING 64

#define MIDWIFE_STACK_SIZE (64 * 1024)

/* Its number as a process: one that no program of its children will have, whose first processes are
 * the first of their namespace.  Libraries see by the number of the process that they are in a
 * child, and are to have new timers, pipes and random numbers. */
#define ZYGOTE_PID 30000

/* What it needs in the nest: to enter its children's sandboxes, their mounts among the rest, by an
 * init that cannot be traced. */
static const unsigned long kept_capabilities[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SYS_PTRACE};

/* The dynamic loader finds the guest library by its descriptor. */
#define PRELOAD "LD_PRELOAD=/proc/self/fd/5"
_Static_assert(ZYGOTE_FD_LIBRARY == 5, "it is in the above");

struct birth {
    struct nest *nest;
    int pack;
    int config;
    int control; /* its end */
    int streams[3];
    int error_number;
};

static NORETURN void be_born(struct birth *birth);

static int make_config(const struct nest *nest, struct cella_error *err)
{
    const struct zygote_config config = {
        .plan = nest->plan,
        .privileged = nest->host->privileged,
        .counted = nest->host->cgroups.mechanism != KEEPER_BY_SUPERVISION,
    };
    int fd = memfd_create("cella-plan", MFD_CLOEXEC);
    if (fd < 0 || write(fd, &config, sizeof(config)) != (ssize_t)sizeof(config)) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot make a zygote's configuration");
        fd_close(&fd);
    }
    return fd;
}

/* Pipes that nobody listens at, so that what it finds out about its streams is true for its
 * children. */
static int make_streams(struct birth *birth, struct cella_error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(birth->streams); i++) {
        int pair[2];
        if (pipe2(pair, O_CLOEXEC) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a pipe");
        }
        birth->streams[i] = i == 0 ? pair[0] : pair[1];
        (void)close(i == 0 ? pair[1] : pair[0]); /* the end of it is that there is nobody */
    }
    return 0;
}

/* In a process that shares our memory and descriptors: its next child is in the nest's PID
 * namespace, and ours. */
static int give_birth(void *argument)
{
    struct birth *birth = argument;
    struct nest *nest = birth->nest;
    const struct cgroup *group = &nest->base.cgroup;
    const int cgroup = group->host != NULL ? cgroup_clone_fd(group) : -1;
    const pid_t number = ZYGOTE_PID;
    struct clone_args args = {
        .flags = CLONE_PARENT | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&nest->zygote.pidfd,
        .set_tid = (uint64_t)(uintptr_t)&number,
        .set_tid_size = 1,
        .cgroup = cgroup >= 0 ? (uint64_t)(unsigned)cgroup : 0,
    };
    pid_t pid = -1;
    if (setns(nest->base.pidfd, CLONE_NEWPID) == 0 && (pid = sys_clone3(&args)) < 0) {
        args.set_tid_size = 0; /* the number is taken, or more than this host has */
        pid = sys_clone3(&args);
    }
    if (pid < 0) {
        birth->error_number = errno;
        _exit(1);
    }
    if (pid == 0) {
        be_born(birth);
    }
    nest->zygote.pid = pid;
    _exit(0);
}

/* A keeper without privilege could enter the nest's PID namespace itself, and never leave it. */
static int clone_into_nest(struct birth *birth, struct cella_error *err)
{
    static char stack[MIDWIFE_STACK_SIZE] __attribute__((aligned(16)));
    const pid_t midwife = clone(give_birth, stack + sizeof(stack),
                                CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, birth);
    if (midwife < 0) {
        birth->error_number = errno;
    } else {
        while (waitpid(midwife, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return birth->nest->zygote.pid > 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, birth->error_number, "cannot start a zygote");
}

int zygote_start(struct nest *nest, int pack, struct cella_error *err)
{
    struct zygote *zygote = &nest->zygote;
    struct birth birth = {.nest = nest, .pack = pack, .streams = {-1, -1, -1}};
    int pair[2] = {-1, -1};
    int result = 0;
    birth.config = make_config(nest, err);
    if (birth.config < 0 || make_streams(&birth, err) != 0) {
        result = -1;
    } else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
               fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
        result = error_set(err, CELLA_ERROR_HOST, errno, "cannot make a socket");
    } else {
        birth.control = pair[1];
        zygote->control = take_fd(&pair[0]);
        result = clone_into_nest(&birth, err);
    }
    fd_close(&birth.config);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    for (size_t i = 0; i < ARRAY_LENGTH(birth.streams); i++) {
        fd_close(&birth.streams[i]);
    }
    if (result != 0) {
        zygote_end(zygote);
    }
    return result;
}

void zygote_end(struct zygote *zygote)
{
    if (zygote->pidfd >= 0) {
        IGNORE(sys_pidfd_send_signal(zygote->pidfd, SIGKILL)); /* it may be dead */
        IGNORE(sys_wait_pidfd(zygote->pidfd, NULL, NULL) != 0);
    }
    fd_close(&zygote->pidfd);
    fd_close(&zygote->control);
    *zygote = (struct zygote){-1, -1, -1, false, 0, 0};
}

/* What its children share with it, and would have had to make themselves: what the kernel counts
 * for a process's own memory. */
static uint64_t memory_held(pid_t pid)
{
    char path[48];
    char text[4096];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (sys_read_file(AT_FDCWD, path, text, sizeof(text)) <= 0) {
        return 0;
    }
    const char *line = strstr(text, "\nRssAnon:");
    return line == NULL ? 0 : strtoull(line + strlen("\nRssAnon:"), NULL, 10) * 1024;
}

uint64_t zygote_growth(const struct zygote *zygote)
{
    const uint64_t now = memory_held(zygote->pid);
    return now > zygote->own_bytes ? now - zygote->own_bytes : 0;
}

bool zygote_next(struct nest *nest, struct zygote_message *ret_message, int *ret_pidfd,
                 bool *ret_closed)
{
    struct zygote *zygote = &nest->zygote;
    const ssize_t got =
        sys_receive(zygote->control, ret_message, sizeof(*ret_message), ret_pidfd, 1);
    /* What it says is not believed: with what is no message of ours it is at its end. */
    *ret_closed = got < 0 ? errno != EAGAIN : got != (ssize_t)sizeof(*ret_message);
    if (got != (ssize_t)sizeof(*ret_message)) {
        fd_close(ret_pidfd);
        return false;
    }
    ret_message->error.field[sizeof(ret_message->error.field) - 1] = '\0';
    ret_message->error.text[sizeof(ret_message->error.text) - 1] = '\0'; /* who knows what it is */
    ret_message->error.hint[sizeof(ret_message->error.hint) - 1] = '\0';
    if (ret_message->type == ZYGOTE_READY && ret_message->error.kind == CELLA_ERROR_NONE) {
        const uint64_t held = memory_held(zygote->pid);
        const uint64_t copied = ret_message->copied_bytes; /* counts for the child again */
        zygote->own_bytes = held;
        zygote->held_bytes = held > copied ? held - copied : 0;
        zygote->ready = true;
    }
    return true;
}

int zygote_fork(struct nest *nest, uint64_t number, uint64_t protections, struct sandbox *sandbox,
                const struct nest_program *program, struct cella_error *err)
{
    int descriptors[ZYGOTE_FORK_DESCRIPTORS_MAX] = {
        [ZYGOTE_FORK_INIT] = sandbox->pidfd,        [ZYGOTE_FORK_STDIN] = program->streams[0],
        [ZYGOTE_FORK_STDOUT] = program->streams[1], [ZYGOTE_FORK_STDERR] = program->streams[2],
        [ZYGOTE_FORK_PARK] = program->park,
    };
    struct zygote_fork order = {
        .number = number, .protections = protections, .processor = sandbox->processor};
    if (sandbox->cgroup.host != NULL) {
        order.entry_count =
            (uint32_t)cgroup_entries(&sandbox->cgroup, descriptors + ZYGOTE_FORK_ENTRIES);
    }
    if (sys_send(nest->zygote.control, &order, sizeof(order), descriptors,
                 ZYGOTE_FORK_ENTRIES + order.entry_count) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "the zygote has died");
    }
    return 0;
}

/* ---- its birth ---- */

static int keep_capabilities(struct cella_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    uint64_t kept = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(kept_capabilities); i++) {
        kept |= UINT64_C(1) << kept_capabilities[i];
    }
    for (unsigned long capability = 0; sys_prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++) {
        if ((kept >> capability & 1) == 0 && sys_prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot empty the bounding set");
        }
    }
    sets[0].permitted = sets[0].effective = (uint32_t)kept;
    return syscall(SYS_capset, &header, sets) == 0
               ? 0
               : error_set(err, CELLA_ERROR_HOST, errno, "cannot give up capabilities");
}

/* The parts of a sandbox's set-up that a process does for itself alone, and the nest. */
static int join_nest(const struct birth *birth, struct cella_error *err)
{
    const struct nest *nest = birth->nest;
    struct child self = {.kind = CHILD_NEST,
                         .waived = nest->plan.waived,
                         .plan = &nest->plan,
                         .privileged = nest->host->privileged};
    const struct cgroup *group = nest->base.cgroup.host != NULL ? &nest->base.cgroup : NULL;
    if (child_set_scheduling(&self, err) != 0 || (group != NULL && cgroup_enter(group, err) != 0)) {
        return -1;
    }
    if (setns(nest->base.pidfd, zygote_namespaces(nest->base.held)) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot enter the nest");
    }
    if ((self.privileged && syscall(SYS_setgroups, 0, NULL) != 0) ||
        syscall(SYS_setresgid, NEST_OWN_ID, NEST_OWN_ID, NEST_OWN_ID) != 0 ||
        syscall(SYS_setresuid, NEST_OWN_ID, NEST_OWN_ID, NEST_OWN_ID) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot take on the nest's uid and gid");
    }
    if (sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || chdir(INIT_WORKSPACE) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot settle in the nest");
    }
    IGNORE(setsid() < 0); /* fails for no process that was just born */
    umask(022);
    return keep_capabilities(err);
}

/* The limits by which an interpreter lays itself out; the rest are its children's. */
static int set_rlimits(const struct plan *plan, struct cella_error *err)
{
    const struct {
        int resource;
        uint64_t value;
    } rlimits[] = {
        {RLIMIT_STACK, plan->limits.value[LIMIT_STACK]},
        {RLIMIT_NOFILE, plan->limits.value[LIMIT_OPEN_FILES] + ZYGOTE_FORK_DESCRIPTORS_MAX},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rlimits); i++) {
        struct rlimit limit;
        if (getrlimit(rlimits[i].resource, &limit) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot read a resource limit");
        }
        const rlim_t wanted = (rlim_t)rlimits[i].value;
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(rlimits[i].resource, &limit) != 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot set a resource limit");
        }
    }
    return 0;
}

static int place_descriptors(struct birth *birth, struct cella_error *err)
{
    int wanted[ZYGOTE_FD_COUNT] = {
        birth->streams[0],
        birth->streams[1],
        birth->streams[2],
        [ZYGOTE_FD_CONTROL] = birth->control,
        [ZYGOTE_FD_CONFIG] = birth->config,
        [ZYGOTE_FD_LIBRARY] = birth->nest->host->guest_library,
    };
    /* The pack stays until the exec, the control socket for what fails before. */
    birth->pack = fcntl(birth->pack, F_DUPFD_CLOEXEC, DESCRIPTOR_PARKING);
    for (int i = 0; i < ZYGOTE_FD_COUNT; i++) {
        wanted[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, DESCRIPTOR_PARKING);
        if (wanted[i] < 0 || birth->pack < 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot move a descriptor");
        }
    }
    for (int i = 0; i < ZYGOTE_FD_COUNT; i++) {
        if (dup2(wanted[i], i) < 0) {
            return error_set(err, CELLA_ERROR_HOST, errno, "cannot place a descriptor");
        }
    }
    birth->control = ZYGOTE_FD_CONTROL;
    if (sys_close_range(ZYGOTE_FD_COUNT, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot close the keeper's descriptors");
    }
    return 0;
}

struct words {
    char *path;
    char *argv[PACK_ARGS_MAX + 1];
    char *envp[PACK_ENV_MAX + 2];
};

static int read_pack(int pack, struct words *words, struct cella_error *err)
{
    struct stat file;
    struct pack_record record;
    size_t offset = 0, args = 0, variables = 1;
    int next = 0;
    static char preload[] = PRELOAD;
    words->envp[0] = preload;
    if (fstat(pack, &file) != 0 || file.st_size <= 0) {
        return error_set(err, CELLA_ERROR_BUG, errno, "a zygote without a pack");
    }
    const size_t size = (size_t)file.st_size;
    unsigned char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, pack, 0);
    if (bytes == MAP_FAILED) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot map a pack");
    }
    while ((next = pack_next(bytes, size, &offset, &record)) > 0) {
        char *text = pack_word(&record);
        if (text == NULL) {
            continue; /* a zygote gets no files */
        }
        if (record.header.type == PACK_PROGRAM) {
            words->path = text;
        } else if (record.header.type == PACK_ARG && args < PACK_ARGS_MAX) {
            words->argv[args++] = text;
        } else if (record.header.type == PACK_ENV && variables < PACK_ENV_MAX) {
            words->envp[variables++] = text;
        }
    }
    return next == 0 && words->path != NULL && args > 0
               ? 0
               : error_set(err, CELLA_ERROR_BUG, 0, "a zygote's pack is malformed");
}

static NORETURN void be_born(struct birth *birth)
{
    static struct words words; /* too large for comfort on a stack */
    struct zygote_message failure = {.type = ZYGOTE_READY};
    if (join_nest(birth, &failure.error) == 0 &&
        place_descriptors(birth, &failure.error) == 0 && /* of which there are many until here */
        set_rlimits(&birth->nest->plan, &failure.error) == 0 &&
        read_pack(birth->pack, &words, &failure.error) == 0) {
        IGNORE(execve(words.path, words.argv, words.envp)); /* returns on failure alone */
        error_set(&failure.error, CELLA_ERROR_RUNTIME, errno, "cannot execute '%s'", words.path);
    }
    IGNORE(sys_send(birth->control, &failure, sizeof(failure), NULL, 0) != 0);
    _exit(1);
}
