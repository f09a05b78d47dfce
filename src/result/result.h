/*
 * What a run did: the one result, and its JSON form (schema/result.schema.json).
 */
#ifndef RESULT_RESULT_H
#define RESULT_RESULT_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/json_parts.h"
#include "request/spec.h"
#include "result/status.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_UNKNOWN UINT64_MAX /* a figure that this host does not give; null in JSON */

enum result_stream { RESULT_STDOUT, RESULT_STDERR };

/* One standard stream of the program. */
struct result_stream_data {
    struct buffer kept;   /* the first `limit` bytes */
    size_t valid_bytes;   /* at their start, that are known to be UTF-8 */
    uint64_t total_bytes; /* written by the program in all */
    bool truncated;
};

/* One piece of output in the order read, for `interleave`. */
struct result_chunk {
    enum result_stream stream;
    size_t offset; /* into that stream's kept bytes */
    size_t size;
    uint64_t at_us; /* since the program's first instruction */
};

struct result_usage {
    uint64_t wall_us, user_us, system_us;
    uint64_t memory_peak_bytes, processes_peak, written_bytes;
    uint64_t voluntary_switches, involuntary_switches;
};

struct result_file {
    char *path;
    uint64_t size;
    uint32_t mode;
    struct spec_bytes content; /* data NULL when skipped */
    const char *skipped;       /* reason, static text, or NULL */
};

/* What held memory, processes and processors. */
enum result_mechanism {
    RESULT_BY_NOTHING, /* nothing was run */
    RESULT_BY_CGROUP_V2,
    RESULT_BY_CGROUP_V1,
    RESULT_BY_SUPERVISION
};

struct result_refused_call {
    char name[32];
    uint32_t count;
};

/* One call that the program was in.  Texts are UTF-8, without control characters but tab and
 * newline; NULL or 0: not known. */
struct result_frame {
    char *file; /* relative to the workspace when it lies there */
    uint32_t line;
    char *function;
    char *source; /* the line, of a file of the request */
};

/* Why a program failed, in its own terms. */
struct result_diagnosis {
    char *class;   /* never NULL */
    char *message; /* never NULL; may be empty */
    char *file;
    uint32_t line, column;
    struct result_frame *frames; /* innermost first */
    size_t frame_count;
    char *hint;
};

/* How a stage (compile or run) ended. */
struct result_stage {
    enum status status;
    char message[384];
    int exit_code;    /* -1: none */
    int signal;       /* 0: none */
    enum limit limit; /* the one that ended it, or LIMIT_COUNT */
    uint64_t limit_value;
    struct result_stream_data streams[2]; /* by enum result_stream */
    struct result_usage usage;
    uint32_t limits_hit; /* by status_hit_bit(); those survived too */
};

/* Of a run whose limit of wall-clock time was found from earlier ones of the same code. */
struct result_timeout {
    uint64_t limit_us;    /* 0: it was not, and the rest says nothing */
    uint64_t expected_us; /* RESULT_UNKNOWN: there was none */
    unsigned samples;     /* how many there were */
    const char *pace;     /* static: "normal", "slow", "stuck"; "": it has not ended by itself */
};

struct result {
    char id[32];
    unsigned attempts; /* times that it was begun, after ours had failed */
    struct result_timeout timeout;
    struct result_stage run;
    struct result_stage *compile; /* NULL when there was no such stage */
    bool limit_in_compile;        /* run.limit was reached while compiling */
    bool compile_cached;          /* the stage was another run's */
    struct result_chunk *chunks;
    size_t chunk_count;
    struct result_file *files;
    size_t file_count;
    struct spec_strings unmatched; /* globs of `collect` that no file matched */
    struct result_refused_call *refused_calls;
    size_t refused_call_count;
    struct result_diagnosis *diagnosis; /* NULL: none */
    char diagnosis_problem[160];        /* why there is none although there could be, or "" */
    uint64_t protections;               /* that held, by protection_bit() */
    uint64_t waived;
    enum result_mechanism mechanism;
    bool has_shares;          /* the plan has writable mounts */
    bool warm;                /* the program was a zygote's child */
    struct cella_error error; /* for STATUS_REFUSED and STATUS_INTERNAL */
    char language_name[64], language_version[64], language_path[256]; /* name "" for a command */
    char policy_name[64], policy_digest[65];
    char plan_digest[65], compile_plan_digest[65];       /* "": none was made */
    int64_t queued_at_ms, started_at_ms, finished_at_ms; /* Unix time; started 0: never */
    enum spec_text_errors text_errors;
    bool interleave;
    bool is_short; /* result_short_to_json() tells of it */
    char *tag;
    bool is_read;                   /* made by result_read(), and then: */
    struct spec_strings notes;      /* what it says besides */
    struct spec_strings read_texts; /* why files were skipped */
};

/* Empty: status internal until somebody knows better, no exit code, no limit, usage unknown. */
struct result *result_create(void);
void result_stage_init(struct result_stage *stage);
void result_destroy(struct result *result);
void result_diagnosis_destroy(struct result_diagnosis *diagnosis);
void result_free_files(struct result_file *files, size_t count);

/* Appends the result as one JSON object, without a newline, to `out`. */
int result_to_json(const struct result *result, struct buffer *out,
                   struct cella_error *err) MUST_CHECK;

/* The same for where there is no room for all of it: the beginning of each stream, and files
 * without their contents, told as cut and as left behind, and in a note. */
#define RESULT_SHORT_BYTES ((size_t)16 << 10) /* of a stream */
int result_short_to_json(const struct result *result, struct buffer *out,
                         struct cella_error *err) MUST_CHECK;

/* The same part by part, where the result stays as it is until the last one is given. */
int result_to_parts(const struct result *result, struct json_parts *parts,
                    struct cella_error *err) MUST_CHECK;

/* The same for a list of runs: without output, files, diagnosis and protections. */
int result_summary_to_json(const struct result *result, struct buffer *out,
                           struct cella_error *err) MUST_CHECK;

/* From that JSON what fronts ask a result for: status, message, error, codes, streams, files,
 * diagnosis and notes; the rest stays empty.  Fields that it does not know are a newer Cella's.
 * CELLA_ERROR_CALLER when it is no such JSON. */
int result_read(const char *json, size_t size, struct result **ret_result,
                struct cella_error *err) MUST_CHECK;

/* Processor time of both stages, as far as it is known; of a compilation that was there, none. */
uint64_t result_cpu_us(const struct result *result);

#define RESULT_NOTE_MAX 192 /* with its NUL */
/* What a person should know besides the verdict, a sentence each.  False behind the last. */
bool result_note(const struct result *result, size_t index, char ret_note[RESULT_NOTE_MAX]);

#define RESULT_SIGNAL_SIZE 32
/* "SIGSEGV". */
void result_signal_name(int number, char ret_name[RESULT_SIGNAL_SIZE]);

/* The exit code of `cella run` for this result (interface table in result/status.h). */
int result_exit_code(const struct result *result);

#endif
