/*
 * libcella: what crosses the network between a server and its clients, as JSON (docs/serve.md).
 * For fronts; a program that only runs code needs cella.h alone.
 *
 * What is written here is malloc'ed and the caller's, with a NUL behind its size.
 */
#ifndef CELLA_WIRE_H
#define CELLA_WIRE_H

#include <cella/cella.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- requests and results ---- */

/* A request of which cella_request_parse() makes the same one.  CELLA_ERROR_CALLER when there is
 * none: code that is not UTF-8. */
CELLA_API int cella_request_json(const struct cella_request *request, char **ret_json,
                                 size_t *ret_size, struct cella_error *err);

/* The result that cella_result_json() was made from, as far as this header, cella.h and host.h ask
 * for it; its own JSON is the very text that it was read from. */
CELLA_API int cella_result_parse(const char *json, size_t size, struct cella_result **ret_result,
                                 struct cella_error *err);

/* Bytes of the program's output and files in a result: its JSON is longer. */
CELLA_API size_t cella_result_bytes(const struct cella_result *result);

/* A result for where there is no room for all of it: the first 16 KiB of each stream, told as cut,
 * and files without their contents, told as left behind; `notes` say so too.  One that was read
 * from JSON stays as it is. */
CELLA_API int cella_result_short_json(const struct cella_result *result, char **ret_json,
                                      size_t *ret_size, struct cella_error *err);

/* The JSON of a result in parts of some hundred kilobytes at most, so that not all of it is held
 * besides the result, which must stay until they are closed. */
struct cella_result_parts;
CELLA_API int cella_result_parts_open(const struct cella_result *result,
                                      struct cella_result_parts **ret_parts,
                                      struct cella_error *err);
/* 1; 0, without one, behind the last; -1 when memory is short. */
CELLA_API int cella_result_parts_next(struct cella_result_parts *parts, char **ret_json,
                                      size_t *ret_size, struct cella_error *err);
/* NULL is fine. */
CELLA_API void cella_result_parts_close(struct cella_result_parts *parts);

/* What a list of runs says of one: the result without output, files, diagnosis and protections. */
CELLA_API int cella_result_summary_json(const struct cella_result *result, char **ret_json,
                                        size_t *ret_size, struct cella_error *err);

/* ---- a run on its way ---- */

/* The id that its result will have; it belongs to the run. */
CELLA_API const char *cella_run_id(const struct cella_run *run);

/* The result of a run that has ended, which is the caller's then; the run has none any more, and is
 * to be freed. */
CELLA_API int cella_run_take_result(struct cella_run *run, struct cella_result **ret_result,
                                    struct cella_error *err);

/* What its policy lets a history keep of it, besides the summary. */
#define CELLA_KEEP_CODE   1U /* the request */
#define CELLA_KEEP_OUTPUT 2U /* the result */
CELLA_API unsigned cella_run_keeps(const struct cella_run *run);

/* When things happened to a stage, in microseconds since its run was begun; 0: not. */
struct cella_stage_times {
    uint64_t waited_us;  /* it got in line for room */
    uint64_t begun_us;   /* it had room, and a sandbox was asked for */
    uint64_t started_us; /* the program's first instruction */
    uint64_t ended_us;   /* nothing of it is left */
};

/* What records say of a run, from its start on; texts belong to it. */
struct cella_run_info {
    size_t size;          /* sizeof(struct cella_run_info): lets the struct grow */
    const char *language; /* "" for a command */
    const char *policy;
    const char *policy_digest;
    const char *plan_digest;
    int64_t queued_at_ms;             /* when it, or this attempt, was begun: Unix time */
    struct cella_stage_times compile; /* all 0: nothing is compiled, or it was before */
    struct cella_stage_times run;
    uint64_t cpu_max_us; /* processor time that its stages may use together */
};
CELLA_API void cella_run_info(const struct cella_run *run, struct cella_run_info *info);

/* The limits that it touched, also those survived, and the system calls that its filter refused, by
 * index; NULL behind the last. */
CELLA_API const char *cella_result_limit_hit(const struct cella_result *result, size_t index);
CELLA_API const char *cella_result_refused_call(const struct cella_result *result, size_t index,
                                                unsigned *ret_count);

/* What is kept so far of a stream of the program, valid until the engine works again. */
CELLA_API const char *cella_run_output(const struct cella_run *run, enum cella_stream stream,
                                       size_t *ret_size);
/* Likewise of the compiler, also where what it made was made before. */
CELLA_API const char *cella_run_compiler_output(const struct cella_run *run,
                                                enum cella_stream stream, size_t *ret_size);

/* A piece of output as {"data", "encoding"}: as text where it is text, else in base64.  With `more`
 * the end of a piece may cut a character, which then is left for the next one: *ret_taken says how
 * many bytes are in the JSON, and may be 0. */
CELLA_API int cella_output_json(const void *data, size_t size, int more, char **ret_json,
                                size_t *ret_size, size_t *ret_taken, struct cella_error *err);
CELLA_API int cella_output_parse(const char *json, size_t size, char **ret_data, size_t *ret_size,
                                 struct cella_error *err);

/* ---- pools ---- */

/* What cella_engine_pools() tells, as {"pools": [{"language", ...}]}, with the names of struct
 * cella_pool. */
CELLA_API int cella_pools_json(const struct cella_engine *engine, char **ret_json, size_t *ret_size,
                               struct cella_error *err);
/* Calls `row` with each.  CELLA_ERROR_CALLER when it is no such JSON. */
CELLA_API int cella_pools_parse(const char *json, size_t size,
                                void (*row)(void *context, const struct cella_pool *pool),
                                void *context, struct cella_error *err);

/* ---- errors, as application/problem+json (RFC 9457) ---- */

/* The status of an HTTP answer that tells of such an error. */
CELLA_API int cella_error_http_status(enum cella_error_kind kind);

/* `title` NULL: an error of Cella's, whose `type` names its kind, with the status of that kind.
 * Else one of HTTP's own with the title and status given. */
CELLA_API int cella_problem_json(const struct cella_error *error, const char *title, int status,
                                 char **ret_json, size_t *ret_size, struct cella_error *err);
/* The error of Cella's that a problem tells of.  CELLA_ERROR_CALLER when it is no such problem. */
CELLA_API int cella_problem_parse(const char *json, size_t size, struct cella_error *ret_problem,
                                  struct cella_error *err);

#ifdef __cplusplus
}
#endif
#endif
