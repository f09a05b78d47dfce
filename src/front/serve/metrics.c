/* See metrics.h. */
#include "front/serve/metrics.h"

#include "front/serve/fail.h"
#include "front/serve/server.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define METRIC_ENUM(id, ...) METRIC_##id,
enum metric { METRICS(METRIC_ENUM) METRIC_COUNT };
#undef METRIC_ENUM

static const struct {
    const char *name;
    const char *type;
    const char *help;
} table[METRIC_COUNT] = {
#define METRIC_ROW(id, name, type, help) {name, type, help},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

/* Upper bounds; a warm line takes two milliseconds, and the longest run five minutes. */
static const double bounds[METRICS_BUCKETS - 1] = {0.002, 0.004, 0.008, 0.016, 0.03, 0.06, 0.125,
                                                   0.25,  0.5,   1,     5,     30,   300};

void metrics_init(struct metrics *metrics)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *metrics = (struct metrics){.started = (double)now.tv_sec + (double)now.tv_nsec / 1e9};
}

/* ---- counting ---- */

void metrics_count_response(struct metrics *metrics, int status)
{
    const int place = status - METRICS_STATUS_MIN;
    if (place >= 0 && place < METRICS_STATUSES) {
        metrics->responses[place]++;
    }
}

static void count_verdict(struct metrics *metrics, const char *verdict, bool is_warm)
{
    for (size_t i = 0; i < METRICS_VERDICTS; i++) {
        if (metrics->verdicts[i].word[0] == '\0') {
            (void)snprintf(metrics->verdicts[i].word, sizeof(metrics->verdicts[i].word), "%s",
                           verdict);
        }
        if (strcmp(metrics->verdicts[i].word, verdict) == 0) {
            metrics->verdicts[i].counts[is_warm]++;
            return;
        }
    }
}

static void count_time(struct metrics_times *times, uint64_t duration_ms)
{
    const double seconds = (double)duration_ms / 1e3;
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && seconds > bounds[bucket]) {
        bucket++;
    }
    times->buckets[bucket]++;
    times->seconds += seconds;
}

void metrics_count_run(struct metrics *metrics, const struct cella_result *result,
                       uint64_t duration_ms)
{
    count_verdict(metrics, cella_result_status(result), cella_result_is_warm(result) != 0);
    count_time(&metrics->runs, duration_ms);
}

void metrics_count_wait(struct metrics *metrics, uint64_t duration_ms)
{
    count_time(&metrics->queue, duration_ms);
}

void metrics_count_refusal(struct metrics *metrics, enum refusal refusal)
{
    metrics->refusals[refusal]++;
}

/* ---- telling ---- */

static void begin(FILE *out, enum metric metric)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", table[metric].name, table[metric].help,
                  table[metric].name, table[metric].type);
}

static void tell(FILE *out, enum metric metric, double value)
{
    begin(out, metric);
    (void)fprintf(out, "%s %.17g\n", table[metric].name, value);
}

static void tell_responses(FILE *out, const struct metrics *metrics)
{
    begin(out, METRIC_RESPONSES);
    for (int i = 0; i < METRICS_STATUSES; i++) {
        if (metrics->responses[i] > 0) {
            (void)fprintf(out, "%s{code=\"%d\"} %" PRIu64 "\n", table[METRIC_RESPONSES].name,
                          METRICS_STATUS_MIN + i, metrics->responses[i]);
        }
    }
}

static void tell_runs(FILE *out, const struct metrics *metrics)
{
    begin(out, METRIC_RUNS);
    for (size_t i = 0; i < METRICS_VERDICTS && metrics->verdicts[i].word[0] != '\0'; i++) {
        for (int warm = 0; warm < 2; warm++) {
            (void)fprintf(out, "%s{status=\"%s\",start=\"%s\"} %" PRIu64 "\n",
                          table[METRIC_RUNS].name, metrics->verdicts[i].word,
                          warm != 0 ? "warm" : "cold", metrics->verdicts[i].counts[warm]);
        }
    }
}

static void tell_times(FILE *out, enum metric metric, const struct metrics_times *times)
{
    const char *name = table[metric].name;
    uint64_t sum = 0;
    begin(out, metric);
    for (size_t i = 0; i < METRICS_BUCKETS - 1; i++) {
        sum += times->buckets[i];
        (void)fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[i], sum);
    }
    sum += times->buckets[METRICS_BUCKETS - 1];
    (void)fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.17g\n%s_count %" PRIu64 "\n",
                  name, sum, name, times->seconds, name, sum);
}

static void tell_refusals(FILE *out, const struct metrics *metrics)
{
    static const char *const reasons[REFUSAL_COUNT] = {
#define REFUSAL_ROW(id, reason) reason,
        REFUSALS(REFUSAL_ROW)
#undef REFUSAL_ROW
    };
    begin(out, METRIC_REFUSALS);
    for (enum refusal refusal = 0; refusal < REFUSAL_COUNT; refusal++) {
        (void)fprintf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", table[METRIC_REFUSALS].name,
                      reasons[refusal], metrics->refusals[refusal]);
    }
}

/* The pools of one language and policy together: their limits are no labels. */
struct pool_sum {
    char labels[192];
    uint64_t values[METRIC_COUNT];
};

#define POOL_SUMS_MAX 64U

struct pool_sums {
    struct pool_sum items[POOL_SUMS_MAX];
    size_t count;
};

/* Names of languages and policies need no escapes. */
static void add_pool(void *context, const struct cella_pool *pool)
{
    struct pool_sums *sums = context;
    char labels[sizeof(sums->items[0].labels)];
    size_t place = 0;
    (void)snprintf(labels, sizeof(labels), "language=\"%.64s\",policy=\"%.64s\"", pool->language,
                   pool->policy);
    while (place < sums->count && strcmp(sums->items[place].labels, labels) != 0) {
        place++;
    }
    if (place == POOL_SUMS_MAX) {
        return;
    }
    struct pool_sum *sum = &sums->items[place];
    if (place == sums->count) {
        *sum = (struct pool_sum){.labels = ""};
        (void)snprintf(sum->labels, sizeof(sum->labels), "%s", labels);
        sums->count++;
    }
    sum->values[METRIC_POOL_READY] += pool->ready;
    sum->values[METRIC_POOL_TARGET] += pool->target;
    sum->values[METRIC_POOL_MEMORY] += pool->memory_bytes;
}

static void tell_pools(FILE *out, const struct cella_engine *engine)
{
    static const enum metric metrics[] = {METRIC_POOL_READY, METRIC_POOL_TARGET,
                                          METRIC_POOL_MEMORY};
    static struct pool_sums sums; /* too large for comfort on a stack */
    sums.count = 0;
    cella_engine_pools(engine, add_pool, &sums);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        begin(out, metrics[i]);
        for (size_t j = 0; j < sums.count; j++) {
            (void)fprintf(out, "%s{%s} %" PRIu64 "\n", table[metrics[i]].name, sums.items[j].labels,
                          sums.items[j].values[metrics[i]]);
        }
    }
}

int metrics_text(const struct server *server, char **ret_text, size_t *ret_size,
                 struct cella_error *err)
{
    const struct metrics *metrics = &server->metrics;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    begin(out, METRIC_BUILD_INFO);
    (void)fprintf(out, "%s{version=\"%s\"} 1\n", table[METRIC_BUILD_INFO].name, cella_version());
    tell(out, METRIC_START_TIME, metrics->started);
    tell(out, METRIC_READY, server->state == SERVER_READY);
    tell(out, METRIC_CONNECTIONS, server->connection_count);
    tell(out, METRIC_JOBS, server->job_count);
    tell(out, METRIC_ANSWER_BYTES, (double)server->answer_bytes);
    tell(out, METRIC_BODY_BYTES, (double)server->body_bytes);
    tell_responses(out, metrics);
    tell_runs(out, metrics);
    tell_times(out, METRIC_RUN_SECONDS, &metrics->runs);
    tell(out, METRIC_QUEUE_RUNS, server->queue.count);
    tell(out, METRIC_QUEUE_BYTES, (double)server->queue.bytes);
    tell_times(out, METRIC_QUEUE_SECONDS, &metrics->queue);
    tell_refusals(out, metrics);
    tell(out, METRIC_AUDIT_LINES, (double)(server->audit.sequence - server->audit.failures));
    tell(out, METRIC_AUDIT_FAILURES, (double)server->audit.failures);
    if (server->engine != NULL) {
        tell_pools(out, server->engine);
    }
    if (fclose(out) != 0) {
        free(text);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}
