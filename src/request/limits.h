/*
 * The table of limits: everything that knows a limit by name is made from it — the request's
 * fields and their JSON Schema, the policy files, the flags of `cella run`, the plan, the manual.
 *
 * Values are whole numbers in the unit of their kind:
 *   UNIT_TIME    microseconds (outside: milliseconds, fractions allowed)
 *   UNIT_SIZE    bytes
 *   UNIT_NUMBER  how many
 *   UNIT_CPUS    thousandths of a processor (outside: a fraction, 1.5)
 */
#ifndef REQUEST_LIMITS_H
#define REQUEST_LIMITS_H

#include <stdint.h>

enum limit_unit { UNIT_TIME, UNIT_SIZE, UNIT_NUMBER, UNIT_CPUS };

#define LIMIT_KIB     UINT64_C(1024)
#define LIMIT_MIB     (UINT64_C(1024) * LIMIT_KIB)
#define LIMIT_GIB     (UINT64_C(1024) * LIMIT_MIB)
#define LIMIT_SECOND  UINT64_C(1000000)
#define LIMIT_ONE_CPU UINT64_C(1000)

/* "Not said" in a request or a policy.  In a plan every limit is said. */
#define LIMIT_UNSET UINT64_MAX
/* As a default: cpu_ms is wall × cpus.  As a cap: cpus is what the host has. */
#define LIMIT_DERIVED (UINT64_MAX - 1)

/* A sandbox itself needs some hundred KiB before the program has any. */
#define LIMIT_MEMORY_MIN (2 * LIMIT_MIB)

/* The kernel shares out a hundredth of a processor and more: a millisecond of 100. */
#define LIMIT_CPUS_MIN (LIMIT_ONE_CPU / 100)

/* Rows or columns of a terminal. */
#define TERMINAL_SIZE_MAX 1000U

/* X(id, name, flag, unit, default, cap of the built-in `default` policy, verdict, help) */
#define LIMITS(X)                                                                                  \
    X(WALL, "wall_ms", "time", UNIT_TIME, 10 * LIMIT_SECOND, 300 * LIMIT_SECOND, "wall_time",      \
      "time on the clock, from the program's first instruction")                                   \
    X(CPU, "cpu_ms", "cpu-time", UNIT_TIME, LIMIT_DERIVED, 300 * LIMIT_SECOND, "cpu_time",         \
      "processor time of all processes together; wall_ms times cpus when not given")               \
    X(MEMORY, "memory_bytes", "memory", UNIT_SIZE, 512 * LIMIT_MIB, 10 * LIMIT_GIB, "memory",      \
      "memory of all processes together, files in memory included")                                \
    X(SWAP, "swap_bytes", "swap", UNIT_SIZE, 0, 0, "memory", "swap space")                         \
    X(PROCESSES, "processes", "processes", UNIT_NUMBER, 64, 1024, "processes",                     \
      "processes and threads at one time")                                                         \
    X(CPUS, "cpus", "cpus", UNIT_CPUS, LIMIT_ONE_CPU, LIMIT_DERIVED, "", "processors at one time") \
    X(STDOUT, "stdout_bytes", "stdout-limit", UNIT_SIZE, LIMIT_MIB, 128 * LIMIT_MIB, "output",     \
      "kept of standard output")                                                                   \
    X(STDERR, "stderr_bytes", "stderr-limit", UNIT_SIZE, LIMIT_MIB, 128 * LIMIT_MIB, "output",     \
      "kept of standard error")                                                                    \
    X(FILE, "file_bytes", "file-size", UNIT_SIZE, 64 * LIMIT_MIB, LIMIT_GIB, "file_size",          \
      "size of any one file written")                                                              \
    X(DISK, "disk_bytes", "disk", UNIT_SIZE, 64 * LIMIT_MIB, 4 * LIMIT_GIB, "disk",                \
      "workspace and /tmp together")                                                               \
    X(INODES, "inodes", "inodes", UNIT_NUMBER, 10000, 1000000, "disk",                             \
      "files and directories in workspace and /tmp together")                                      \
    X(OPEN_FILES, "open_files", "open-files", UNIT_NUMBER, 256, 4096, "",                          \
      "descriptors open at one time in one process")                                               \
    X(STACK, "stack_bytes", "stack", UNIT_SIZE, 8 * LIMIT_MIB, 10 * LIMIT_GIB, "",                 \
      "stack of the main thread")                                                                  \
    X(COLLECT_BYTES, "collect_bytes", "collect-size", UNIT_SIZE, 16 * LIMIT_MIB, LIMIT_GIB, "",    \
      "contents of collected files together")                                                      \
    X(COLLECT_FILES, "collect_files", "collect-files", UNIT_NUMBER, 100, 10000, "",                \
      "files collected")

#define LIMIT_ENUM(id, ...) LIMIT_##id,
enum limit { LIMITS(LIMIT_ENUM) LIMIT_COUNT };
#undef LIMIT_ENUM

struct limits {
    uint64_t value[LIMIT_COUNT]; /* indexed by enum limit */
};

struct limit_info {
    const char *name; /* in requests, policies, results */
    const char *flag; /* of `cella run`, without the dashes */
    enum limit_unit unit;
    uint64_t default_value;
    uint64_t default_cap;
    const char *verdict; /* status word when it ends a run; "" when it only makes calls fail */
    const char *help;
};
extern const struct limit_info limit_table[LIMIT_COUNT];

/* Every value LIMIT_UNSET. */
void limits_init(struct limits *limits);

/* The limit of that name, or LIMIT_COUNT. */
enum limit limit_by_name(const char *name);

#endif
