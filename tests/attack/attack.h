/*
 * What the attack program's parts share: the table's row, and how an attack says what came of it.
 *
 * An attack tries one thing that a sandboxed program must not be able to do, for real but in a form
 * that harms nothing.  The program is static, so that it runs in any root file system.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The exit codes of `attack NAME`. */
enum verdict {
    ACHIEVED = 0,        /* the effect was had: a breach, if there was anything to break */
    REFUSED = 10,        /* something stopped it */
    NOT_APPLICABLE = 11, /* this kernel has no such thing */
};

struct attack {
    const char *name;
    const char *category;
    const char *stoppers; /* names of protections; each alone must be enough */
    const char *call;     /* the system call by whose name the filter reports it, or "" */
    const char *argument; /* what it must be told about the host, by a name of the tests, or "" */
    enum verdict (*run)(const char *argument);
    const char *what;
};

extern const struct attack kernel_attacks[];
extern const size_t kernel_attack_count;
extern const struct attack init_attacks[];
extern const size_t init_attack_count;
extern const struct attack world_attacks[];
extern const size_t world_attack_count;
extern const struct attack network_attacks[];
extern const size_t network_attack_count;
extern const struct attack policy_attacks[];
extern const size_t policy_attack_count;

/* The whole program, for main.c and for those who load it as a library. */
int attack_main(int argc, char **argv);

/* Programs that take more than they should; they end when they are ended, or by the status that
 * take.c says. */
int take_main(int argc, char **argv);

/* Each prints one line of evidence. */
enum verdict achieved(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum verdict refused(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum verdict not_applicable(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* By what a call returned, with errno. */
enum verdict by_result(long result);
/* The same, where `passed_errno` shows that the call came beyond the check of permissions: calls
 * whose success would harm are made so that they fail only after it. */
enum verdict by_passing(long result, int passed_errno);

/* A child that waits to be ended, and is when we are.  -1 on failure. */
pid_t start_victim(void);
/* Ends it, and gives back the verdict: for the end of an attack. */
enum verdict end_victim(pid_t pid, enum verdict verdict);

/* Whether PID 1 is Cella's init.  What would harm a host is done nowhere else. */
bool inside_sandbox(void);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED          __attribute__((unused))
/* For calls whose effect is looked at afterwards. */
#define IGNORE_RESULT(call)                                                                        \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
        }                                                                                          \
    } while (0)

#endif
