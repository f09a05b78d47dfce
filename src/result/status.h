/*
 * The one word that says what ended a run, in one table for the result, the exit code of
 * `cella run`, the schema and the documentation.
 */
#ifndef RESULT_STATUS_H
#define RESULT_STATUS_H

#include <stdint.h>

/* X(id, word, exit code of `cella run` or -1 for the program's own, meaning) */
#define STATUSES(X)                                                                                \
    X(OK, "ok", -1, "the program ended by itself with exit code 0")                                \
    X(EXIT, "exit", -1, "the program ended by itself with another exit code")                      \
    X(SIGNAL, "signal", -1, "a signal ended the program")                                          \
    X(COMPILE_ERROR, "compile_error", 1, "the compiler refused the program")                       \
    X(WALL_TIME, "wall_time", 124, "the limit wall_ms was reached")                                \
    X(CPU_TIME, "cpu_time", 124, "the limit cpu_ms was reached")                                   \
    X(MEMORY, "memory", 137, "the limit memory_bytes was reached")                                 \
    X(PROCESSES, "processes", 123, "the limit processes was reached")                              \
    X(OUTPUT, "output", 123, "the limit stdout_bytes or stderr_bytes was reached")                 \
    X(FILE_SIZE, "file_size", 123, "the limit file_bytes was reached")                             \
    X(DISK, "disk", 123, "the limit disk_bytes or inodes was reached")                             \
    X(CANCELLED, "cancelled", 130, "the caller ended the run")                                     \
    X(REFUSED, "refused", 126, "the request was bad or against policy: nothing was run")           \
    X(INTERNAL, "internal", 125, "Cella failed; the program did not")

#define STATUS_ENUM(id, ...) STATUS_##id,
enum status { STATUSES(STATUS_ENUM) STATUS_COUNT };
#undef STATUS_ENUM

struct status_info {
    const char *word;
    int exit_code; /* -1: the program's own, or 128 + signal */
    const char *meaning;
};
extern const struct status_info status_table[STATUS_COUNT];

/* What `limits_hit` can hold, each as a bit: the statuses that are limits, and a stack overflow,
 * which ends a program by a signal and so is no status. */
#define STATUS_HIT_STACK STATUS_COUNT
#define STATUS_HIT_COUNT (STATUS_COUNT + 1)
static inline uint32_t status_hit_bit(unsigned hit)
{
    return UINT32_C(1) << hit;
}
/* The word in `limits_hit`; NULL when that status is not a limit. */
const char *status_hit_word(unsigned hit);

#endif
