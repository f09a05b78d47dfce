/*
 * What the server counts, as text that Prometheus reads (exposition format 0.0.4).
 *
 * METRICS is the one list: X(id, name, type, help).  What there is one of is a number of the
 * server's own at the moment of asking; the rest has labels and is counted here as it happens.
 */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <cella/cella.h>
#include <stddef.h>
#include <stdint.h>

struct server;

#define METRICS(X)                                                                                 \
    X(BUILD_INFO, "cella_build_info", "gauge", "1, with the version of Cella")                     \
    X(START_TIME, "process_start_time_seconds", "gauge", "when the server started, Unix time")     \
    X(READY, "cella_ready", "gauge", "1 when runs are taken")                                      \
    X(CONNECTIONS, "cella_connections", "gauge", "connections there are")                          \
    X(JOBS, "cella_jobs", "gauge", "runs that go on or wait for room")                             \
    X(ANSWER_BYTES, "cella_answer_bytes", "gauge", "answers that wait to be taken")                \
    X(BODY_BYTES, "cella_body_bytes", "gauge", "bodies of requests that are being read")           \
    X(RESPONSES, "cella_http_responses_total", "counter", "answers by their HTTP status")          \
    X(RUNS, "cella_runs_total", "counter", "runs that have ended, by verdict and start")           \
    X(RUN_SECONDS, "cella_run_duration_seconds", "histogram",                                      \
      "from the request to the run's end, waiting for room included")                              \
    X(AUDIT_LINES, "cella_audit_lines_total", "counter", "lines of the audit log")                 \
    X(AUDIT_FAILURES, "cella_audit_failures_total", "counter",                                     \
      "lines of the audit log that could not be written")                                          \
    X(POOL_READY, "cella_pool_ready", "gauge", "sandboxes that stand ready")                       \
    X(POOL_TARGET, "cella_pool_target", "gauge", "sandboxes that shall stand ready")               \
    X(POOL_MEMORY, "cella_pool_memory_bytes", "gauge", "what warm interpreters have")

/* HTTP statuses from 100 to 599. */
#define METRICS_STATUS_MIN 100
#define METRICS_STATUSES   500
#define METRICS_VERDICTS   16U /* more than there are */
#define METRICS_BUCKETS    14U

struct metrics {
    double started; /* Unix time */
    uint64_t responses[METRICS_STATUSES];
    struct {
        char word[16];      /* "": free */
        uint64_t counts[2]; /* cold and warm */
    } verdicts[METRICS_VERDICTS];
    uint64_t buckets[METRICS_BUCKETS]; /* not summed up; the last is beyond all bounds */
    double seconds;
};

void metrics_init(struct metrics *metrics);
void metrics_count_response(struct metrics *metrics, int status);
void metrics_count_run(struct metrics *metrics, const struct cella_result *result,
                       uint64_t duration_ms);

/* malloc'ed. */
int metrics_text(const struct server *server, char **ret_text, size_t *ret_size,
                 struct cella_error *err) __attribute__((warn_unused_result));

#endif
