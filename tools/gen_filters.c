/*
 * Makes the system call filters at build time: `gen_filters filters.h syscall_names.c`.
 *
 * filters.h holds one BPF program for each base set, so that starting a sandbox costs one system
 * call.  syscall_names.c holds the names by number, for policies and the result's `refused_calls`,
 * and what the sets say to each, for policies.
 *
 * A program looks the number up by binary search over ranges of equal verdicts, and checks the
 * arguments of a few calls.  It is written here and not by libseccomp, whose names we use, for two
 * reasons: the kernel compiles the filter anew at each start, and this is a quarter as long; and
 * "all values but these" of a 32-bit argument, the guest choosing the upper half of the register,
 * takes libseccomp one rule for each bit.
 */
#include "isolate/native/filter.h"
#include "isolate/native/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>

#define LENGTH(array)  (sizeof(array) / sizeof((array)[0]))
#define PROGRAM_MAX    FILTER_LENGTH_MAX
#define NUMBER_MAX     1024 /* of system calls; all above get the verdict of what is unknown */
#define CONDITIONS_MAX 3
#define VALUES_MAX     6

/* The base sets of the plan, and each where no control group counts (init/figures.c). */
enum set { SET_DEFAULT = 1, SET_STRICT = 2, SET_DEFAULT_SUPERVISED = 4, SET_STRICT_SUPERVISED = 8 };
#define SETS_COUNTED    (SET_DEFAULT | SET_STRICT)
#define SETS_SUPERVISED (SET_DEFAULT_SUPERVISED | SET_STRICT_SUPERVISED)
#define SETS_LENIENT    (SET_DEFAULT | SET_DEFAULT_SUPERVISED)
#define SETS_ALL        (SETS_COUNTED | SETS_SUPERVISED)

/* What becomes of a call.  Above VERDICT_CHECKED: the index of a row of `checks`. */
enum verdict { VERDICT_ASK, VERDICT_ALLOW, VERDICT_SILENT, VERDICT_CHECKED };

/* The lower 32 bits of an argument, under a mask, must be one, or none, of some values. */
enum demand { ONE_OF, NONE_OF };
struct condition {
    unsigned argument;
    uint32_t mask; /* 0: all bits */
    enum demand demand;
    size_t count;
    uint32_t values[VALUES_MAX];
};

/* Calls that are allowed when every condition holds, and init is asked about otherwise.  Rows of
 * the same call stand together: it is allowed when one of them holds. */
static const struct check {
    const char *name;
    unsigned sets;
    size_t count;
    struct condition conditions[CONDITIONS_MAX];
} checks[] = {
    {"clone", SETS_ALL, 1, {{0, FILTER_CLONE_REFUSED, ONE_OF, 1, {0}}}},
    /* With one uid for init and program, these could change PID 1.  Of other threads than the
     * caller programs set the processors (OpenMP does), the niceness and the scheduler (whoever
     * asks for a thread with one of its own does, as Free Pascal for each), seldom the rest. */
    {"sched_setaffinity", SETS_ALL, 1, {{0, 0, NONE_OF, 1, {1}}}},
    {"sched_setscheduler", SETS_ALL, 1, {{0, 0, NONE_OF, 1, {1}}}},
    {"setpriority", SETS_ALL, 2, {{0, 0, ONE_OF, 1, {PRIO_PROCESS}}, {1, 0, NONE_OF, 1, {1}}}},
    {"sched_setparam", SETS_ALL, 1, {{0, 0, ONE_OF, 1, {0}}}},
    {"sched_setattr", SETS_ALL, 1, {{0, 0, ONE_OF, 1, {0}}}},
    {"ioprio_set", SETS_ALL, 2, {{0, 0, ONE_OF, 1, {IOPRIO_WHO_PROCESS}}, {1, 0, ONE_OF, 1, {0}}}},
    /* RLIMIT_CORE stays as it is: 0 would let the host's handler of core dumps run. */
    {"prlimit64", SETS_ALL, 2, {{0, 0, ONE_OF, 1, {0}}, {1, 0, NONE_OF, 1, {RLIMIT_CORE}}}},
    {"setrlimit", SETS_ALL, 1, {{0, 0, NONE_OF, 1, {RLIMIT_CORE}}}},
    /* Huge pages are the host's, and nobody counts them. */
    {"mmap", SETS_COUNTED, 1, {{3, MAP_HUGETLB, ONE_OF, 1, {0}}}},
    {"memfd_create", SET_DEFAULT, 1, {{1, MFD_HUGETLB, ONE_OF, 1, {0}}}},
    {"shmget", SET_DEFAULT, 1, {{2, SHM_HUGETLB, ONE_OF, 1, {0}}}},
    /* Shared memory without a file is given back by a process and kept all the same. */
    {"mmap",
     SETS_SUPERVISED,
     2,
     {{3, MAP_HUGETLB, ONE_OF, 1, {0}},
      {3, MAP_SHARED | MAP_ANONYMOUS, NONE_OF, 1, {MAP_SHARED | MAP_ANONYMOUS}}}},
    /* What others do in a directory that all see.  And pages of pipes, which the kernel counts for
     * whoever has made the pipe: of the run's streams that is the keeper. */
    {"fcntl", SETS_ALL, 1, {{1, 0, NONE_OF, 2, {F_NOTIFY, F_SETPIPE_SZ}}}},
    /* Typing for the user of a terminal. */
    /* The third loads modules of the kernel's, for a terminal that a program may have. */
    {"ioctl", SETS_ALL, 1, {{1, 0, NONE_OF, 3, {TIOCSTI, TIOCLINUX, TIOCSETD}}}},
    {"prctl", SETS_ALL, 1, {{0, 0, NONE_OF, 3, {PR_SET_SECCOMP, PR_SET_MM, PR_SCHED_CORE}}}},
    /* Asking for the execution domain, and setting the one that everybody has. */
    {"personality", SETS_ALL, 1, {{0, 0, ONE_OF, 2, {UINT32_MAX, PER_LINUX}}}},
    /* No protocol but the plain ones: Landlock knows no other, and some would load modules. */
    {"socket",
     SETS_LENIENT,
     3,
     {{0, 0, ONE_OF, 3, {AF_UNIX, AF_INET, AF_INET6}},
      {1, 0xf, ONE_OF, 3, {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}},
      {2, 0, ONE_OF, 3, {0, IPPROTO_TCP, IPPROTO_UDP}}}},
    /* No socket filters, and where no control group counts no larger buffers. */
    {"setsockopt", SETS_ALL, 1, {{1, 0, NONE_OF, 1, {SOL_SOCKET}}}},
    {"setsockopt",
     SETS_COUNTED,
     1,
     {{2,
       0,
       NONE_OF,
       4,
       {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF}}}},
    {"setsockopt",
     SETS_SUPERVISED,
     1,
     {{2,
       0,
       NONE_OF,
       6,
       {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF,
        SO_SNDBUF, SO_SNDBUFFORCE}}}},
};

static const struct list {
    unsigned sets;
    enum verdict verdict;
    const char *const *names;
    size_t count;
} lists[] = {
    {SETS_ALL, VERDICT_ALLOW, syscalls_base, LENGTH(syscalls_base)},
    {SETS_LENIENT, VERDICT_ALLOW, syscalls_named_sockets, LENGTH(syscalls_named_sockets)},
    {SET_DEFAULT, VERDICT_ALLOW, syscalls_detached_memory, LENGTH(syscalls_detached_memory)},
    {SETS_COUNTED, VERDICT_ALLOW, syscalls_counted, LENGTH(syscalls_counted)},
    {SETS_ALL, VERDICT_SILENT, syscalls_silent, LENGTH(syscalls_silent)},
};

struct program {
    struct sock_filter code[PROGRAM_MAX];
    size_t length;
};

static FILE *create(const char *path);
static void make_program(enum set set, struct program *program);
static void print_program(FILE *out, const char *name, enum set set);
static void print_names(FILE *out);
static void print_sets(FILE *out);
static _Noreturn void fail(const char *what, const char *name);

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: gen_filters FILTERS_H SYSCALL_NAMES_C\n");
        return 2;
    }
    FILE *filters = create(argv[1]);
    FILE *names = create(argv[2]);
    fprintf(filters, "/* Made by tools/gen_filters.c from isolate/native/syscalls.h. */\n"
                     "#include <linux/filter.h>\n");
    print_program(filters, "filter_default", SET_DEFAULT);
    print_program(filters, "filter_strict", SET_STRICT);
    print_program(filters, "filter_default_supervised", SET_DEFAULT_SUPERVISED);
    print_program(filters, "filter_strict_supervised", SET_STRICT_SUPERVISED);
    print_names(names);
    print_sets(names);
    if (fclose(filters) != 0 || fclose(names) != 0) {
        fail("cannot write", argv[1]);
    }
    return 0;
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail("cannot open", path);
    }
    return file;
}

/* The number of a call, or -1 for another architecture's. */
static int number_of(const char *name)
{
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number >= NUMBER_MAX) {
        fail("unknown system call", name);
    }
    return number >= 0 ? number : -1;
}

static void set_verdict(unsigned *verdicts, const char *name, unsigned verdict)
{
    const int number = number_of(name);
    if (number >= 0 && verdicts[number] != VERDICT_ASK) {
        fail("two verdicts for", name);
    }
    if (number >= 0) {
        verdicts[number] = verdict;
    }
}

static void fill_verdicts(enum set set, unsigned verdicts[NUMBER_MAX])
{
    memset(verdicts, 0, NUMBER_MAX * sizeof(verdicts[0]));
    for (size_t i = 0; i < LENGTH(lists); i++) {
        for (size_t n = 0; (lists[i].sets & set) != 0 && n < lists[i].count; n++) {
            set_verdict(verdicts, lists[i].names[n], lists[i].verdict);
        }
    }
    for (size_t i = 0; i < LENGTH(checks); i++) {
        bool again = false;
        for (size_t n = i; n > 0 && strcmp(checks[n - 1].name, checks[i].name) == 0; n--) {
            again = again || (checks[n - 1].sets & set) != 0;
        }
        if ((checks[i].sets & set) != 0 && !again) {
            set_verdict(verdicts, checks[i].name, VERDICT_CHECKED + (unsigned)i);
        }
    }
}

static void emit(struct program *program, unsigned code, size_t if_true, size_t if_false,
                 uint32_t k)
{
    if (program->length == PROGRAM_MAX || if_true > UINT8_MAX || if_false > UINT8_MAX) {
        fail("filter too long", "");
    }
    program->code[program->length++] =
        (struct sock_filter){(uint16_t)code, (uint8_t)if_true, (uint8_t)if_false, k};
}

static void emit_return(struct program *program, uint32_t value)
{
    emit(program, BPF_RET | BPF_K, 0, 0, value);
}

static size_t condition_length(const struct condition *condition)
{
    return (condition->mask != 0 ? 2U : 1U) + condition->count;
}

/* Falls through when the condition holds, else skips to `left` instructions behind it. */
static void emit_condition(struct program *program, const struct condition *condition, size_t left)
{
    /* Little endian: the lower half comes first. */
    const uint32_t offset =
        (uint32_t)(offsetof(struct seccomp_data, args) + condition->argument * sizeof(uint64_t));
    emit(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
    if (condition->mask != 0) {
        emit(program, BPF_ALU | BPF_AND | BPF_K, 0, 0, condition->mask);
    }
    for (size_t i = 0; i < condition->count; i++) {
        const size_t behind = condition->count - 1 - i; /* comparisons that follow */
        const size_t to_fail = behind + left;
        const size_t if_equal = condition->demand == ONE_OF ? behind : to_fail;
        const size_t if_not = behind > 0 || condition->demand == NONE_OF ? 0 : to_fail;
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, if_equal, if_not, condition->values[i]);
    }
}

/* Falls through when not all conditions hold. */
static void emit_alternative(struct program *program, const struct check *check)
{
    size_t left = 1; /* the return that allows */
    for (size_t i = 1; i < check->count; i++) {
        left += condition_length(&check->conditions[i]);
    }
    for (size_t i = 0; i < check->count; i++) {
        emit_condition(program, &check->conditions[i], left);
        left -= i + 1 < check->count ? condition_length(&check->conditions[i + 1]) : 0;
    }
    emit_return(program, SECCOMP_RET_ALLOW);
}

static void emit_checks(struct program *program, enum set set, size_t first)
{
    const char *name = checks[first].name;
    for (size_t i = first; i < LENGTH(checks) && strcmp(checks[i].name, name) == 0; i++) {
        if ((checks[i].sets & set) != 0) {
            emit_alternative(program, &checks[i]);
        }
    }
    emit_return(program, SECCOMP_RET_USER_NOTIF);
}

static void emit_verdict(struct program *program, enum set set, unsigned verdict)
{
    switch (verdict) {
    case VERDICT_ASK:
        emit_return(program, SECCOMP_RET_USER_NOTIF);
        break;
    case VERDICT_ALLOW:
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    case VERDICT_SILENT:
        emit_return(program, SECCOMP_RET_ERRNO | ENOSYS);
        break;
    default:
        emit_checks(program, set, verdict - VERDICT_CHECKED);
        break;
    }
}

/* One range of numbers of equal verdict begins at starts[i] and goes on to the next. */
static void emit_search(struct program *program, enum set set, const unsigned *verdicts,
                        const uint32_t *starts, size_t count)
{
    if (count == 1) {
        emit_verdict(program, set, verdicts[starts[0]]);
        return;
    }
    const size_t half = count / 2;
    const size_t jump = program->length;
    emit(program, BPF_JMP | BPF_JGE | BPF_K, 0, 0, starts[half]);
    emit_search(program, set, verdicts, starts, half);
    const size_t skipped = program->length - jump - 1;
    if (skipped > UINT8_MAX) {
        fail("filter too long", "for one jump");
    }
    program->code[jump].jt = (uint8_t)skipped;
    emit_search(program, set, verdicts, starts + half, count - half);
}

static void make_program(enum set set, struct program *program)
{
    static unsigned verdicts[NUMBER_MAX];
    static uint32_t starts[NUMBER_MAX];
    size_t count = 0;

    fill_verdicts(set, verdicts);
    for (uint32_t number = 0; number < NUMBER_MAX; number++) {
        if (number == 0 || verdicts[number] != verdicts[number - 1]) {
            starts[count++] = number;
        }
    }
    /* A call by another architecture's entry reads other registers or structures: none at all. */
    emit(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, FILTER_ARCHITECTURE);
    emit_return(program, SECCOMP_RET_ERRNO | ENOSYS);
    emit(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    emit(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, FILTER_FOREIGN_NUMBERS);
    emit_return(program, SECCOMP_RET_ERRNO | ENOSYS);
    emit_search(program, set, verdicts, starts, count);
}

static void print_program(FILE *out, const char *name, enum set set)
{
    static struct program program;
    program.length = 0;
    make_program(set, &program);
    fprintf(out, "static const struct sock_filter %s[] = {\n", name);
    for (size_t i = 0; i < program.length; i++) {
        const struct sock_filter *one = &program.code[i];
        fprintf(out, "    {0x%02x, %u, %u, 0x%08" PRIx32 "},\n", one->code, one->jt, one->jf,
                one->k);
    }
    fprintf(out, "};\n");
}

static void print_names(FILE *out)
{
    unsigned end = 0;
    fprintf(out, "/* Made by tools/gen_filters.c from libseccomp's table and the base sets. */\n"
                 "#include \"isolate/syscall_names.h\"\n\n#include <stddef.h>\n"
                 "#include <string.h>\n\nstatic const char *const names[] = {\n");
    for (int number = 0; number < NUMBER_MAX; number++) {
        char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
        if (name != NULL) {
            fprintf(out, "    [%d] = \"%s\",\n", number, name);
            end = (unsigned)number + 1;
        }
        free(name);
    }
    fprintf(out,
            "};\n\nconst unsigned syscall_numbers_end = %u;\n\n"
            "const char *syscall_name(unsigned number)\n{\n"
            "    return number < sizeof(names) / sizeof(names[0]) ? names[number] : NULL;\n"
            "}\n\nint syscall_number(const char *name)\n{\n"
            "    for (unsigned i = 0; i < syscall_numbers_end; i++) {\n"
            "        if (names[i] != NULL && strcmp(names[i], name) == 0) {\n"
            "            return (int)i;\n        }\n    }\n    return -1;\n}\n\n",
            end);
}

/* The verdicts of the sets where a control group counts, as enum syscall_verdict. */
static void print_sets(FILE *out)
{
    static const enum set sets[] = {SET_DEFAULT, SET_STRICT};
    static unsigned verdicts[NUMBER_MAX];
    fprintf(out, "static const unsigned char verdicts[][%d] = {\n", NUMBER_MAX);
    for (size_t i = 0; i < LENGTH(sets); i++) {
        fill_verdicts(sets[i], verdicts);
        fprintf(out, "    {");
        for (int number = 0; number < NUMBER_MAX; number++) {
            const unsigned verdict = verdicts[number];
            const int word = verdict == VERDICT_ALLOW ? 2 : verdict >= VERDICT_CHECKED ? 1 : 0;
            fprintf(out, "%d,", word);
        }
        fprintf(out, "},\n");
    }
    fprintf(out,
            "};\n\nenum syscall_verdict syscall_in_set(enum syscall_set set, unsigned number)\n"
            "{\n    return number < %d ? (enum syscall_verdict)verdicts[set][number] "
            ": SYSCALL_REFUSED;\n}\n",
            NUMBER_MAX);
}

static _Noreturn void fail(const char *what, const char *name)
{
    fprintf(stderr, "gen_filters: %s %s\n", what, name);
    exit(1);
}
