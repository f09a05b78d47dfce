/*
 * What the attack program does, and the libraries by which other languages do the same:
 * `attack NAME [ARGUMENT]` tries one attack, `attack list` prints the table of the matrix for the
 * tests (fields apart by tabs), `attack list policy` that of policy.c, and
 * `attack take NAME [ARGUMENT]` uses up something (take.c).
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define INIT_NAME "cella-init" /* its first argument */

static int list_attacks(bool policy);
static const struct attack *find_attack(const char *name);

int attack_main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "list") == 0) {
        return list_attacks(argc == 3 && strcmp(argv[2], "policy") == 0);
    }
    if (argc >= 3 && strcmp(argv[1], "take") == 0) {
        return take_main(argc - 2, argv + 2);
    }
    const struct attack *attack = argc >= 2 ? find_attack(argv[1]) : NULL;
    if (attack == NULL) {
        fprintf(stderr, "usage: attack list [policy] | NAME [ARGUMENT] | take NAME [ARGUMENT]\n");
        return 2;
    }
    return (int)attack->run(argc >= 3 ? argv[2] : "");
}

/* The table is in parts, one for each file of attacks. */
static const struct {
    const struct attack *rows;
    const size_t *count;
} parts[] = {
    {kernel_attacks, &kernel_attack_count}, {init_attacks, &init_attack_count},
    {world_attacks, &world_attack_count},   {network_attacks, &network_attack_count},
    {policy_attacks, &policy_attack_count}, /* the last: not of the matrix */
};
#define PARTS_OF_MATRIX (COUNT_OF(parts) - 1)

static int list_attacks(bool policy)
{
    const size_t end = policy ? COUNT_OF(parts) : PARTS_OF_MATRIX;
    for (size_t p = policy ? PARTS_OF_MATRIX : 0; p < end; p++) {
        for (size_t i = 0; i < *parts[p].count; i++) {
            const struct attack *row = &parts[p].rows[i];
            printf("%s\t%s\t%s\t%s\t%s\t%s\n", row->name, row->category, row->stoppers, row->call,
                   row->argument, row->what);
        }
    }
    return 0;
}

static const struct attack *find_attack(const char *name)
{
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        for (size_t i = 0; i < *parts[p].count; i++) {
            if (strcmp(parts[p].rows[i].name, name) == 0) {
                return &parts[p].rows[i];
            }
        }
    }
    return NULL;
}

static void print_evidence(const char *word, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void print_evidence(const char *word, const char *format, va_list arguments)
{
    printf("%s: ", word);
    vprintf(format, arguments);
    printf("\n");
    (void)fflush(stdout); /* some attacks end without flushing */
}

enum verdict achieved(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_evidence("achieved", format, arguments);
    va_end(arguments);
    return ACHIEVED;
}

enum verdict refused(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_evidence("refused", format, arguments);
    va_end(arguments);
    return REFUSED;
}

enum verdict not_applicable(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_evidence("not applicable", format, arguments);
    va_end(arguments);
    return NOT_APPLICABLE;
}

static const char *error_name(int number)
{
    const char *name = strerrorname_np(number);
    return name != NULL ? name : "unknown error";
}

enum verdict by_result(long result)
{
    return result >= 0 ? achieved("returned %ld", result) : refused("%s", error_name(errno));
}

enum verdict by_passing(long result, int passed_errno)
{
    if (result < 0 && errno == passed_errno) {
        return achieved("passed the check of permissions: %s", error_name(errno));
    }
    return by_result(result);
}

pid_t start_victim(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* else the sandbox ends it */
        for (;;) {
            (void)pause();
        }
    }
    return pid;
}

enum verdict end_victim(pid_t pid, enum verdict verdict)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return verdict;
}

bool inside_sandbox(void)
{
    char name[sizeof(INIT_NAME)] = "";
    /* Readable even of a process that hides everything else. */
    const int fd = open("/proc/1/cmdline", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? -1 : read(fd, name, sizeof(name));
    if (fd >= 0) {
        (void)close(fd); /* only read */
    }
    return size == (ssize_t)sizeof(name) && memcmp(name, INIT_NAME, sizeof(name)) == 0;
}
