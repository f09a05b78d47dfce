/*
 * What the server counts, as text that Prometheus reads: its exposition format 0.0.4, or
 * OpenMetrics 1.0.
 *
 * METRICS is the one list: X(id, name, type, help).  What there is one of is a number of the
 * server's own at the moment of asking; the rest has labels and is counted here as it happens.
 */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <cella/cella.h>
#include <cella/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

#define METRICS(X)                                                                                 \
    X(BUILD_INFO, "cella_build_info", "gauge", "1, with the version of Cella")                     \
    X(START_TIME, "process_start_time_seconds", "gauge", "when the server started, Unix time")     \
    X(READY, "cella_ready", "gauge", "1 when runs are taken")                                      \
    X(CONFINEMENT, "cella_confinement", "gauge", "1 for each layer that holds the server itself")  \
    X(CONNECTIONS, "cella_connections", "gauge", "connections there are")                          \
    X(JOBS, "cella_jobs", "gauge", "runs that go on or wait for room")                             \
    X(QUEUE_RUNS, "cella_queue_runs", "gauge", "runs that wait for room")                          \
    X(QUEUE_BYTES, "cella_queue_bytes", "gauge", "requests of the runs that wait for room")        \
    X(QUEUE_SECONDS, "cella_queue_duration_seconds", "histogram",                                  \
      "from the request to the moment at which there was room for its run")                        \
    X(REFUSALS, "cella_refusals_total", "counter", "requests that were refused, by the reason")    \
    X(ANSWER_BYTES, "cella_answer_bytes", "gauge", "answers that wait to be taken")                \
    X(BODY_BYTES, "cella_body_bytes", "gauge", "bodies of requests that are being read")           \
    X(RESPONSES, "cella_http_responses_total", "counter", "answers by their HTTP status")          \
    X(RUNS, "cella_runs_total", "counter", "runs that have ended, by verdict and start")           \
    X(RUN_SECONDS, "cella_run_duration_seconds", "histogram",                                      \
      "from the request to the run's end, waiting for room included, by verdict")                  \
    X(SETUP_SECONDS, "cella_run_setup_seconds", "histogram",                                       \
      "from having room to the program's first instruction, by start")                             \
    X(PROGRAM_SECONDS, "cella_run_program_seconds", "histogram",                                   \
      "from the program's first instruction until nothing of it is left")                          \
    X(COMPILE_SECONDS, "cella_run_compile_seconds", "histogram",                                   \
      "from having room to compile until nothing of the compiler is left")                         \
    X(LIMITS, "cella_limits_hit_total", "counter",                                                 \
      "limits that runs touched, also those survived")                                             \
    X(REQUEST_SECONDS, "cella_http_request_duration_seconds", "histogram",                         \
      "from a request's first byte to the beginning of its answer")                                \
    X(AUDIT_LINES, "cella_audit_lines_total", "counter", "lines of the audit log")                 \
    X(AUDIT_FAILURES, "cella_audit_failures_total", "counter",                                     \
      "lines of the audit log that could not be written")                                          \
    X(SPANS_SENT, "cella_otlp_spans_sent_total", "counter", "spans that the collector took")       \
    X(SPANS_DROPPED, "cella_otlp_spans_dropped_total", "counter",                                  \
      "spans that were too many, or that it did not take")                                         \
    X(POOL_READY, "cella_pool_ready", "gauge", "sandboxes that stand ready")                       \
    X(POOL_TARGET, "cella_pool_target", "gauge", "sandboxes that shall stand ready")               \
    X(POOL_MEMORY, "cella_pool_memory_bytes", "gauge", "what warm interpreters have")              \
    X(POOL_MADE, "cella_pool_made_total", "counter", "sandboxes that were made ahead of need")     \
    X(POOL_TAKEN, "cella_pool_taken_total", "counter", "of them, those that runs were begun in")   \
    X(POOL_DEAD, "cella_pool_zygote_deaths_total", "counter", "warm interpreters that died")

/* X(id, reason) */
#define REFUSALS(X)                                                                                \
    X(KEY, "key")       /* it brings none, or none of ours: 401 */                                 \
    X(POLICY, "policy") /* its key is not for it: 403 */                                           \
    X(RATE, "rate")     /* these are 429: of its key */                                            \
    X(CONCURRENCY, "concurrency")                                                                  \
    X(CPU, "cpu")                                                                                  \
    X(QUEUE, "queue") /* too many are there */                                                     \
    X(LATE, "late")   /* it has waited long enough */

#define REFUSAL_ENUM(id, ...) REFUSAL_##id,
enum refusal { REFUSALS(REFUSAL_ENUM) REFUSAL_COUNT };
#undef REFUSAL_ENUM

/* HTTP statuses from 100 to 599. */
#define METRICS_STATUS_MIN 100
#define METRICS_STATUSES   500
#define METRICS_VERDICTS   16U /* more than there are */
#define METRICS_BUCKETS    14U

struct histogram {
    uint64_t buckets[METRICS_BUCKETS]; /* not summed up; the last is beyond all bounds */
    double seconds;
};

struct metrics {
    double started; /* Unix time */
    uint64_t responses[METRICS_STATUSES];
    struct {
        char word[16];      /* "": free */
        uint64_t counts[2]; /* cold and warm */
        struct histogram durations;
    } verdicts[METRICS_VERDICTS];
    struct {
        char word[16]; /* "": free */
        uint64_t count;
    } limits[METRICS_VERDICTS];
    struct histogram queue, setup[2], program, compile, requests;
    uint64_t refusals[REFUSAL_COUNT];
};

void metrics_init(struct metrics *metrics);
void metrics_count_response(struct metrics *metrics, int status, uint64_t duration_ms);
void metrics_count_run(struct metrics *metrics, const struct cella_result *result,
                       uint64_t duration_ms);
void metrics_count_stages(struct metrics *metrics, const struct cella_run_info *info, bool is_warm);

void metrics_count_wait(struct metrics *metrics, uint64_t duration_ms);
void metrics_count_refusal(struct metrics *metrics, enum refusal refusal);

enum metrics_form { METRICS_TEXT, METRICS_OPEN };
/* malloc'ed. */
int metrics_text(const struct server *server, enum metrics_form form, char **ret_text,
                 size_t *ret_size, struct cella_error *err) __attribute__((warn_unused_result));

#endif
