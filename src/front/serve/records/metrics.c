/* See metrics.h. */
#include "front/serve/records/metrics.h"

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

static void observe(struct histogram *histogram, double seconds)
{
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && seconds > bounds[bucket]) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->seconds += seconds;
}

void metrics_count_response(struct metrics *metrics, int status, uint64_t duration_ms)
{
    const int place = status - METRICS_STATUS_MIN;
    if (place >= 0 && place < METRICS_STATUSES) {
        metrics->responses[place]++;
    }
    observe(&metrics->requests, (double)duration_ms / 1e3);
}

static void count_verdict(struct metrics *metrics, const char *verdict, bool is_warm,
                          double seconds)
{
    for (size_t i = 0; i < METRICS_VERDICTS; i++) {
        if (metrics->verdicts[i].word[0] == '\0') {
            (void)snprintf(metrics->verdicts[i].word, sizeof(metrics->verdicts[i].word), "%s",
                           verdict);
        }
        if (strcmp(metrics->verdicts[i].word, verdict) == 0) {
            metrics->verdicts[i].counts[is_warm]++;
            observe(&metrics->verdicts[i].durations, seconds);
            return;
        }
    }
}

static void count_limit(struct metrics *metrics, const char *limit)
{
    for (size_t i = 0; i < METRICS_VERDICTS; i++) {
        if (metrics->limits[i].word[0] == '\0') {
            (void)snprintf(metrics->limits[i].word, sizeof(metrics->limits[i].word), "%s", limit);
        }
        if (strcmp(metrics->limits[i].word, limit) == 0) {
            metrics->limits[i].count++;
            return;
        }
    }
}

void metrics_count_run(struct metrics *metrics, const struct cella_result *result,
                       uint64_t duration_ms)
{
    const char *limit;
    count_verdict(metrics, cella_result_status(result), cella_result_is_warm(result) != 0,
                  (double)duration_ms / 1e3);
    for (size_t i = 0; (limit = cella_result_limit_hit(result, i)) != NULL; i++) {
        count_limit(metrics, limit);
    }
}

static double seconds_between(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

void metrics_count_stages(struct metrics *metrics, const struct cella_run_info *info, bool is_warm)
{
    const struct cella_stage_times *run = &info->run, *compile = &info->compile;
    if (compile->ended_us > 0 && compile->begun_us > 0) {
        observe(&metrics->compile, seconds_between(compile->begun_us, compile->ended_us));
    }
    if (run->started_us > 0) {
        observe(&metrics->setup[is_warm], seconds_between(run->begun_us, run->started_us));
        observe(&metrics->program, seconds_between(run->started_us, run->ended_us));
    }
}

void metrics_count_wait(struct metrics *metrics, uint64_t duration_ms)
{
    observe(&metrics->queue, (double)duration_ms / 1e3);
}

void metrics_count_refusal(struct metrics *metrics, enum refusal refusal)
{
    metrics->refusals[refusal]++;
}

/* ---- telling ---- */

struct teller {
    FILE *out;
    enum metrics_form form;
};

/* A counter's family has no "_total" in OpenMetrics; its values do in both. */
static void begin(const struct teller *teller, enum metric metric)
{
    const char *name = table[metric].name;
    size_t size = strlen(name);
    if (teller->form == METRICS_OPEN && strcmp(table[metric].type, "counter") == 0) {
        size -= strlen("_total");
    }
    (void)fprintf(teller->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)size, name,
                  table[metric].help, (int)size, name, table[metric].type);
}

static void tell(const struct teller *teller, enum metric metric, double value)
{
    begin(teller, metric);
    (void)fprintf(teller->out, "%s %.17g\n", table[metric].name, value);
}

static void tell_responses(const struct teller *teller, const struct metrics *metrics)
{
    begin(teller, METRIC_RESPONSES);
    for (int i = 0; i < METRICS_STATUSES; i++) {
        if (metrics->responses[i] > 0) {
            (void)fprintf(teller->out, "%s{code=\"%d\"} %" PRIu64 "\n",
                          table[METRIC_RESPONSES].name, METRICS_STATUS_MIN + i,
                          metrics->responses[i]);
        }
    }
}

/* One row of a family; `label` is `name="value"` or "". */
static void tell_histogram(const struct teller *teller, enum metric metric, const char *label,
                           const struct histogram *histogram)
{
    const char *name = table[metric].name;
    const char *comma = label[0] != '\0' ? "," : "";
    char set[64] = "";
    uint64_t sum = 0;
    for (size_t i = 0; i < METRICS_BUCKETS - 1; i++) {
        const bool is_whole = bounds[i] >= 1; /* OpenMetrics wants these as 1.0 */
        sum += histogram->buckets[i];
        (void)fprintf(teller->out, "%s_bucket{%s%sle=\"%g%s\"} %" PRIu64 "\n", name, label, comma,
                      bounds[i], is_whole && teller->form == METRICS_OPEN ? ".0" : "", sum);
    }
    if (label[0] != '\0') {
        (void)snprintf(set, sizeof(set), "{%s}", label);
    }
    sum += histogram->buckets[METRICS_BUCKETS - 1];
    (void)fprintf(teller->out,
                  "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n%s_sum%s %.17g\n%s_count%s %" PRIu64
                  "\n",
                  name, label, comma, sum, name, set, histogram->seconds, name, set, sum);
}

static void tell_plain(const struct teller *teller, enum metric metric,
                       const struct histogram *histogram)
{
    begin(teller, metric);
    tell_histogram(teller, metric, "", histogram);
}

static void tell_verdicts(const struct teller *teller, const struct metrics *metrics)
{
    char label[40];
    begin(teller, METRIC_RUNS);
    for (size_t i = 0; i < METRICS_VERDICTS && metrics->verdicts[i].word[0] != '\0'; i++) {
        for (int warm = 0; warm < 2; warm++) {
            (void)fprintf(teller->out, "%s{status=\"%s\",start=\"%s\"} %" PRIu64 "\n",
                          table[METRIC_RUNS].name, metrics->verdicts[i].word,
                          warm != 0 ? "warm" : "cold", metrics->verdicts[i].counts[warm]);
        }
    }
    begin(teller, METRIC_RUN_SECONDS);
    for (size_t i = 0; i < METRICS_VERDICTS && metrics->verdicts[i].word[0] != '\0'; i++) {
        (void)snprintf(label, sizeof(label), "status=\"%s\"", metrics->verdicts[i].word);
        tell_histogram(teller, METRIC_RUN_SECONDS, label, &metrics->verdicts[i].durations);
    }
    begin(teller, METRIC_LIMITS);
    for (size_t i = 0; i < METRICS_VERDICTS && metrics->limits[i].word[0] != '\0'; i++) {
        (void)fprintf(teller->out, "%s{limit=\"%s\"} %" PRIu64 "\n", table[METRIC_LIMITS].name,
                      metrics->limits[i].word, metrics->limits[i].count);
    }
}

static void tell_runs(const struct teller *teller, const struct metrics *metrics)
{
    tell_verdicts(teller, metrics);
    begin(teller, METRIC_SETUP_SECONDS);
    tell_histogram(teller, METRIC_SETUP_SECONDS, "start=\"cold\"", &metrics->setup[0]);
    tell_histogram(teller, METRIC_SETUP_SECONDS, "start=\"warm\"", &metrics->setup[1]);
    tell_plain(teller, METRIC_PROGRAM_SECONDS, &metrics->program);
    tell_plain(teller, METRIC_COMPILE_SECONDS, &metrics->compile);
    tell_plain(teller, METRIC_REQUEST_SECONDS, &metrics->requests);
}

static void tell_refusals(const struct teller *teller, const struct metrics *metrics)
{
    static const char *const reasons[REFUSAL_COUNT] = {
#define REFUSAL_ROW(id, reason) reason,
        REFUSALS(REFUSAL_ROW)
#undef REFUSAL_ROW
    };
    begin(teller, METRIC_REFUSALS);
    for (enum refusal refusal = 0; refusal < REFUSAL_COUNT; refusal++) {
        (void)fprintf(teller->out, "%s{reason=\"%s\"} %" PRIu64 "\n", table[METRIC_REFUSALS].name,
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
    sum->values[METRIC_POOL_MADE] += pool->made;
    sum->values[METRIC_POOL_TAKEN] += pool->taken;
    sum->values[METRIC_POOL_DEAD] += pool->zygotes_dead;
}

static void tell_pools(const struct teller *teller, const struct cella_engine *engine)
{
    static const enum metric metrics[] = {METRIC_POOL_READY, METRIC_POOL_TARGET, METRIC_POOL_MEMORY,
                                          METRIC_POOL_MADE,  METRIC_POOL_TAKEN,  METRIC_POOL_DEAD};
    static struct pool_sums sums; /* too large for comfort on a stack */
    sums.count = 0;
    cella_engine_pools(engine, add_pool, &sums);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        begin(teller, metrics[i]);
        for (size_t j = 0; j < sums.count; j++) {
            (void)fprintf(teller->out, "%s{%s} %" PRIu64 "\n", table[metrics[i]].name,
                          sums.items[j].labels, sums.items[j].values[metrics[i]]);
        }
    }
}

int metrics_text(const struct server *server, enum metrics_form form, char **ret_text,
                 size_t *ret_size, struct cella_error *err)
{
    const struct metrics *metrics = &server->metrics;
    char *text = NULL;
    size_t size = 0;
    const struct teller teller = {.out = open_memstream(&text, &size), .form = form};
    if (teller.out == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    begin(&teller, METRIC_BUILD_INFO);
    (void)fprintf(teller.out, "%s{version=\"%s\"} 1\n", table[METRIC_BUILD_INFO].name,
                  cella_version());
    begin(&teller, METRIC_CONFINEMENT);
    for (enum confine_layer i = 0; i < CONFINE_COUNT; i++) {
        (void)fprintf(teller.out, "%s{layer=\"%s\"} %d\n", table[METRIC_CONFINEMENT].name,
                      confine_name(i), server->confined[i] ? 1 : 0);
    }
    tell(&teller, METRIC_START_TIME, metrics->started);
    tell(&teller, METRIC_READY, server->state == SERVER_READY);
    tell(&teller, METRIC_CONNECTIONS, server->connection_count);
    tell(&teller, METRIC_JOBS, server->job_count);
    tell(&teller, METRIC_ANSWER_BYTES, (double)server->answer_bytes);
    tell(&teller, METRIC_BODY_BYTES, (double)server->body_bytes);
    tell_responses(&teller, metrics);
    tell_runs(&teller, metrics);
    tell(&teller, METRIC_QUEUE_RUNS, server->queue.count);
    tell(&teller, METRIC_QUEUE_BYTES, (double)server->queue.bytes);
    tell_plain(&teller, METRIC_QUEUE_SECONDS, &metrics->queue);
    tell_refusals(&teller, metrics);
    tell(&teller, METRIC_AUDIT_LINES, (double)(server->audit.sequence - server->audit.failures));
    tell(&teller, METRIC_AUDIT_FAILURES, (double)server->audit.failures);
    tell(&teller, METRIC_SPANS_SENT, (double)otlp_counted(server->otlp).sent);
    tell(&teller, METRIC_SPANS_DROPPED, (double)otlp_counted(server->otlp).dropped);
    if (server->engine != NULL) {
        tell_pools(&teller, server->engine);
    }
    if (form == METRICS_OPEN) {
        (void)fputs("# EOF\n", teller.out);
    }
    if (fclose(teller.out) != 0) {
        free(text);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}
