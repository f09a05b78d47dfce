/*
 * See tenants.h.  Divisions: keys; processor seconds; bounds; what is told of them.
 */
#include "front/serve/tenants/tenants.h"

#include "base/clock.h"
#include "front/serve/fail.h"
#include "front/serve/host/loop.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"
#include "front/serve/records/metrics.h"
#include "front/serve/records/usage.h"
#include "front/serve/runs/batch.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <cella/wire.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define DAY_SECONDS 86400
#define SECOND_US   UINT64_C(1000000)
/* News of the directory that are read in one go. */
#define NEWS_SIZE 4096U

static int64_t today(void)
{
    return (int64_t)time(NULL) / DAY_SECONDS;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- keys ---- */

/* The same key, whose bounds may be others.  One that has only its name was made in its place. */
static const struct key *find_same(const struct keys *keys, const struct key *key)
{
    const struct key *found = keys_find_name(keys, key->name);
    return found != NULL && memcmp(found->digest, key->digest, sizeof(key->digest)) == 0 ? found
                                                                                         : NULL;
}

/* Who has that name, of those whose keys hold. */
static struct tenant *find_name(struct server *server, const char *name)
{
    struct tenant *tenant = TAILQ_FIRST(&server->tenants.list);
    while (tenant != NULL && (tenant->is_revoked || strcmp(tenant->key.name, name) != 0)) {
        tenant = TAILQ_NEXT(tenant, link);
    }
    return tenant;
}

static void report_keys(struct server *server, enum audit_event event, const struct keys *of,
                        const struct keys *beside)
{
    struct cella_error unused; /* it is told already */
    for (size_t i = 0; i < of->count; i++) {
        const char *name = of->items[i].name;
        if (find_same(beside, &of->items[i]) == NULL) {
            const struct audit_record record = {.tenant = name, .key = name};
            (void)audit_write(&server->audit, event, &record, &unused);
            log_line("the key of %s is %s", name, event == AUDIT_KEY_CREATED ? "new" : "revoked");
        }
    }
}

/* Who has a key no more is stopped at once. */
static void compare(struct server *server)
{
    struct tenants *tenants = &server->tenants;
    for (struct tenant *tenant = TAILQ_FIRST(&tenants->list); tenant != NULL;
         tenant = TAILQ_NEXT(tenant, link)) {
        const struct key *key = find_same(&tenants->keys, &tenant->key);
        if (tenant->is_revoked) {
            continue; /* for ever: what it has begun to ask is not the next one's */
        }
        if (key != NULL) {
            tenant->key = *key;
            continue;
        }
        tenant->is_revoked = true;
        batch_cancel_all(server, tenant->key.name);
        job_cancel_tenant(server, tenant->key.name);
    }
}

static void tell_of_none(const struct tenants *tenants)
{
    if (tenants->demanded) {
        log_line(
            "there are no keys: nobody may use it by TCP, since it listens for other hosts too");
    } else {
        log_line("there are no keys: every user of this host may use it by TCP, and nobody else");
    }
}

/* What cannot be read lets nobody in. */
static void read_again(struct server *server)
{
    struct tenants *tenants = &server->tenants;
    struct keys keys = {.demanded = true};
    const bool were_demanded = tenants->keys.demanded;
    struct cella_error err;
    if (keys_read(server->state_fd, &keys, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "nobody gets in with a key: %s", err.text);
    }
    report_keys(server, AUDIT_KEY_REVOKED, &tenants->keys, &keys);
    report_keys(server, AUDIT_KEY_CREATED, &keys, &tenants->keys);
    keys_done(&tenants->keys);
    tenants->keys = keys;
    compare(server);
    if (were_demanded && !keys.demanded) {
        tell_of_none(tenants);
    }
}

/* Whatever the kernel has to tell of the directory. */
static void on_news(void *context)
{
    struct server *server = context;
    _Alignas(struct inotify_event) char news[NEWS_SIZE];
    bool is_changed = false;
    ssize_t size;
    while ((size = read(loop_socket(server->tenants.watch), news, sizeof(news))) > 0) {
        for (const char *at = news; at < news + size;) {
            const struct inotify_event *event = (const void *)at;
            is_changed = is_changed || (event->mask & IN_Q_OVERFLOW) != 0 ||
                         (event->len > 0 && strcmp(event->name, KEYS_FILE) == 0);
            at += sizeof(*event) + event->len;
        }
    }
    if (is_changed) {
        read_again(server);
    }
}

static int watch_directory(struct server *server, struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_news};
    char path[40];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", server->state_fd);
    const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 ||
        inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_MOVE | IN_DELETE | IN_ATTRIB) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_HOST, "cannot watch the state directory");
        if (fd >= 0) {
            (void)close(fd);
        }
        return serve_hint(err, "raise fs.inotify.max_user_instances");
    }
    server->tenants.watch = loop_add_descriptor(server->loop, fd, &events, server);
    return server->tenants.watch != NULL
               ? 0
               : serve_fail(err, CELLA_ERROR_HOST, "cannot watch the state directory");
}

int tenants_check_keys(const struct keys *keys, const char *remote, struct cella_error *err)
{
    if (remote == NULL || keys->demanded) {
        return 0;
    }
    (void)serve_fail(err, CELLA_ERROR_CALLER,
                     "%s is for others than this host too, and there are no keys", remote);
    return serve_hint(err, "make one with 'cella key create NAME', or listen on 127.0.0.1 or "
                           "[::1]");
}

int tenants_open(struct server *server, const char *remote, struct cella_error *err)
{
    struct tenants *tenants = &server->tenants;
    TAILQ_INIT(&tenants->list);
    tenants->demanded = remote != NULL;
    return watch_directory(server, err) < 0 || /* first: so no change is missed */
                   keys_read(server->state_fd, &tenants->keys, err) < 0 ||
                   usage_open(server->settings->state, &server->checkpoints, today(),
                              &tenants->usage, err) < 0 ||
                   tenants_check_keys(&tenants->keys, remote, err) < 0
               ? -1
               : 0;
}

void tenants_tell(const struct server *server, const char *remote)
{
    const struct tenants *tenants = &server->tenants;
    const size_t count = tenants->keys.count;
    if (tenants->keys.demanded) {
        log_line("there %s %zu key%s, and by TCP one is demanded", count == 1 ? "is" : "are", count,
                 serve_plural(count));
        if (remote != NULL && server->settings->tls_certificate == NULL) {
            log_write(LOG_LEVEL_WARNING, NULL,
                      "whoever is on the way to %s can read keys and programs: there is no TLS",
                      remote);
        }
    } else if (server->settings->listen.count > 0) {
        tell_of_none(tenants);
    }
}

void tenants_close(struct server *server)
{
    struct tenants *tenants = &server->tenants;
    while (!TAILQ_EMPTY(&tenants->list)) {
        struct tenant *tenant = TAILQ_FIRST(&tenants->list);
        TAILQ_REMOVE(&tenants->list, tenant, link);
        free(tenant);
    }
    if (tenants->watch != NULL) {
        loop_close(tenants->watch);
        tenants->watch = NULL;
    }
    keys_done(&tenants->keys);
    usage_close(tenants->usage);
    tenants->usage = NULL;
}

bool tenants_are_demanded(struct server *server)
{
    on_news(server); /* before its turn in the loop: what was revoked is, from now on */
    return server->tenants.demanded || server->tenants.keys.demanded;
}

static void begin_day(struct server *server, struct tenant *tenant);

struct tenant *tenants_find(struct server *server, const char *text)
{
    struct tenants *tenants = &server->tenants;
    const struct key *key = keys_find(&tenants->keys, text);
    if (key == NULL) {
        return NULL;
    }
    struct tenant *tenant = find_name(server, key->name);
    if (tenant == NULL && (tenant = calloc(1, sizeof(*tenant))) != NULL) {
        tenant->key = *key;
        tenant->cpu_day = -1;
        TAILQ_INSERT_TAIL(&tenants->list, tenant, link);
    }
    if (tenant != NULL && key->bounds[KEY_CPU_SECONDS] > 0) {
        begin_day(server, tenant); /* whatever is asked for: each answer tells of it */
    }
    return tenant; /* without memory there is none */
}

/* ---- processor seconds ---- */

/* Whatever the clock has done: what is of this day. */
static void begin_day(struct server *server, struct tenant *tenant)
{
    struct cella_error err;
    const int64_t day = today();
    if (tenant->cpu_day == day) {
        return;
    }
    tenant->cpu_us = 0;
    tenant->cpu_day = day;
    if (usage_read(server->tenants.usage, tenant->key.name, day, &tenant->cpu_us, &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "what %s has used today is not known: %s",
                  tenant->key.name, err.text);
    }
}

void tenant_begin_run(struct server *server, struct tenant *tenant, const struct cella_run *run)
{
    struct cella_run_info info = {.size = sizeof(info)};
    struct cella_error err;
    pace_take(&server->pace, clock_monotonic_ms());
    if (tenant == NULL) {
        return;
    }
    pace_take(&tenant->pace, clock_monotonic_ms());
    if (tenant->key.bounds[KEY_CPU_SECONDS] == 0) {
        return;
    }
    cella_run_info(run, &info);
    if (usage_begin(server->tenants.usage, tenant->key.name, cella_run_id(run), info.cpu_max_us,
                    &err) < 0) {
        log_write(LOG_LEVEL_ERROR, NULL, "a run of %s does not count if this server is killed: %s",
                  tenant->key.name, err.text);
    }
}

void tenant_end_run(struct server *server, struct tenant *tenant, const char *id,
                    const struct cella_result *result)
{
    struct cella_error err;
    uint64_t us = result != NULL ? cella_result_cpu_us(result) : 0;
    pace_free(&server->pace, clock_monotonic_ms());
    if (tenant == NULL) {
        return;
    }
    pace_free(&tenant->pace, clock_monotonic_ms());
    if (tenant->key.bounds[KEY_CPU_SECONDS] == 0) {
        return;
    }
    if (us == 0 && (result == NULL || cella_result_error(result)->kind != CELLA_ERROR_NONE)) {
        us = USAGE_UNKNOWN; /* its keeper was killed, say */
    }
    begin_day(server, tenant); /* before it is in the file */
    if (usage_end(server->tenants.usage, tenant->key.name, id, tenant->cpu_day, us, &us, &err) <
        0) {
        log_write(LOG_LEVEL_ERROR, NULL, "what %s has used is lost if this server ends: %s",
                  tenant->key.name, err.text);
    }
    struct tenant *heir = tenant->is_revoked ? find_name(server, tenant->key.name) : tenant;
    if (heir != NULL && heir->cpu_day == tenant->cpu_day) { /* else he reads it from the file */
        heir->cpu_us += us;
    }
}

static uint64_t day_seconds_left(void)
{
    return (uint64_t)(DAY_SECONDS - time(NULL) % DAY_SECONDS);
}

/* ---- bounds ---- */

static struct bucket_rate rate_of(const struct tenant *tenant)
{
    return (struct bucket_rate){tenant->key.bounds[KEY_RATE], tenant->key.bounds[KEY_RATE_SECONDS]};
}

/* Later than after that time it makes no sense, and is not in vain for what is known now. */
static int refuse(struct exchange *exchange, enum refusal refusal, uint64_t seconds,
                  struct cella_error *err)
{
    exchange->retry_seconds = (unsigned)(seconds > 0 ? seconds : 1);
    metrics_count_refusal(&exchange->server->metrics, refusal);
    return serve_hint(err, "come again in %u s", exchange->retry_seconds);
}

int tenant_check_rate(struct exchange *exchange, struct cella_error *err)
{
    struct tenant *tenant = exchange->tenant;
    const uint64_t now = now_ns();
    if (tenant == NULL || tenant->key.bounds[KEY_RATE] == 0) {
        return 0;
    }
    const struct bucket_rate rate = rate_of(tenant);
    if (bucket_take(&tenant->bucket, rate, now)) {
        return 0;
    }
    (void)serve_fail(err, CELLA_ERROR_BUSY, "the key of %s is for %llu request%s in %llu s",
                     tenant->key.name, (unsigned long long)rate.count, serve_plural(rate.count),
                     (unsigned long long)rate.seconds);
    return refuse(exchange, REFUSAL_RATE, bucket_next_seconds(&tenant->bucket, rate, now), err);
}

int tenant_check_cpu(struct server *server, struct tenant *tenant, struct cella_error *err)
{
    if (tenant == NULL) {
        return 0;
    }
    const uint64_t most = tenant->key.bounds[KEY_CPU_SECONDS];
    begin_day(server, tenant);
    if (most == 0 || tenant->cpu_us < most * SECOND_US) {
        return 0;
    }
    (void)serve_fail(err, CELLA_ERROR_BUSY,
                     "the key of %s is for %llu processor second%s a day, and no more is left",
                     tenant->key.name, (unsigned long long)most, serve_plural(most));
    return serve_hint(err, "come again tomorrow, UTC");
}

int tenant_check_run(struct exchange *exchange, struct cella_error *err)
{
    struct tenant *tenant = exchange->tenant;
    struct server *server = exchange->server;
    if (tenant == NULL) {
        return 0;
    }
    const uint64_t *bounds = tenant->key.bounds;
    if (bounds[KEY_CONCURRENCY] > 0 && tenant->runs >= bounds[KEY_CONCURRENCY]) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "the key of %s is for %llu run%s at one time",
                         tenant->key.name, (unsigned long long)bounds[KEY_CONCURRENCY],
                         serve_plural(bounds[KEY_CONCURRENCY]));
        (void)refuse(exchange, REFUSAL_CONCURRENCY,
                     pace_seconds(&tenant->pace, 1, clock_monotonic_ms()), err);
        return serve_hint(err, "come again when one of them has ended");
    }
    if (tenant_check_cpu(server, tenant, err) < 0) {
        const struct cella_error error = *err;
        (void)refuse(exchange, REFUSAL_CPU, day_seconds_left(), err);
        *err = error;
        return -1;
    }
    return 0;
}

/* Whoever takes his answers is not held up by one who does not. */
bool tenant_answers_wait(const struct server *server, const struct tenant *tenant, size_t most)
{
    const size_t all = server->answer_bytes;
    const size_t left = all < most ? most - all : 0;
    return tenant == NULL
               ? all > most
               : tenant->answer_bytes > left && tenant->answer_bytes > TENANT_ANSWER_SMALL;
}

static int forbid(struct server *server, const struct key *key, const char *policy,
                  struct cella_error *err)
{
    char names[sizeof(err->hint)] = "";
    (void)serve_fail(err, CELLA_ERROR_POLICY, "the key of %s is not for the policy '%s'", key->name,
                     policy);
    (void)snprintf(err->field, sizeof(err->field), "policy");
    for (size_t i = 0; i < key->policy_count; i++) {
        const size_t size = strlen(names); /* what does not fit is cut */
        (void)snprintf(names + size, sizeof(names) - size, "%s%s", i > 0 ? ", " : "",
                       key->policies[i]);
    }
    metrics_count_refusal(&server->metrics, REFUSAL_POLICY);
    return serve_hint(err, "it is for: %s", names);
}

int tenant_check_policy(struct server *server, const struct tenant *tenant, const char *policy,
                        struct cella_error *err)
{
    if (tenant == NULL) {
        return 0;
    }
    const struct key *key = &tenant->key;
    if (tenant->is_revoked) { /* while the rest of the request came */
        metrics_count_refusal(&server->metrics, REFUSAL_KEY);
        return serve_fail(err, CELLA_ERROR_POLICY, "the key of %s is revoked", key->name);
    }
    size_t i = 0;
    while (policy != NULL && i < key->policy_count && strcmp(policy, key->policies[i]) != 0) {
        i++;
    }
    return i == key->policy_count ? forbid(server, key, policy, err) : 0;
}

int tenant_take_request(struct server *server, const struct tenant *tenant,
                        struct cella_request *request, struct cella_error *err)
{
    const char *policy = cella_request_policy(request);
    if (tenant == NULL) {
        return 0;
    }
    if (tenant_check_policy(server, tenant, policy, err) < 0) {
        return -1;
    }
    const struct key *key = &tenant->key;
    if (policy == NULL && cella_request_set(request, "policy", key->policies[0], err) < 0) {
        return -1;
    }
    return cella_request_set_tenant(request, key->name, err);
}

void tenant_explain(const struct tenant *tenant, const struct cella_request *request,
                    struct cella_error *err)
{
    if (tenant == NULL || err->kind != CELLA_ERROR_POLICY || strcmp(err->field, "policy") != 0) {
        return;
    }
    const char *name = tenant->key.name;
    (void)serve_fail(err, CELLA_ERROR_POLICY,
                     "the key of %s is for the policy '%s', which this server does not have", name,
                     cella_request_policy(request));
    (void)serve_hint(err,
                     "the operator must add that policy, or make another key: 'cella key "
                     "revoke %s', 'cella key create %s --key-policy NAME'",
                     name, name);
}

/* ---- what is told of them ---- */

static void add(char *fields, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char *fields, const char *format, ...)
{
    const size_t size = strlen(fields);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fields + size, TENANT_FIELDS_MAX - size, format, args); /* there is room */
    va_end(args);
}

/* As draft-ietf-httpapi-ratelimit-headers has them. */
void tenant_fields(const struct tenant *tenant, char ret_fields[TENANT_FIELDS_MAX])
{
    const uint64_t now = now_ns();
    ret_fields[0] = '\0';
    if (tenant == NULL) {
        return;
    }
    const uint64_t *bounds = tenant->key.bounds;
    const uint64_t cpu = bounds[KEY_CPU_SECONDS], used = tenant->cpu_us / SECOND_US;
    const char *comma = bounds[KEY_RATE] > 0 && cpu > 0 ? ", " : "";
    if (bounds[KEY_RATE] == 0 && cpu == 0) {
        return;
    }
    add(ret_fields, "RateLimit-Policy: ");
    if (bounds[KEY_RATE] > 0) {
        add(ret_fields, "\"rate\";q=%llu;w=%llu", (unsigned long long)bounds[KEY_RATE],
            (unsigned long long)bounds[KEY_RATE_SECONDS]);
    }
    if (cpu > 0) {
        add(ret_fields, "%s\"cpu\";q=%llu;qu=\"cpu-seconds\";w=%d", comma, (unsigned long long)cpu,
            DAY_SECONDS);
    }
    add(ret_fields, "\r\nRateLimit: ");
    if (bounds[KEY_RATE] > 0) {
        add(ret_fields, "\"rate\";r=%llu;t=%llu",
            (unsigned long long)bucket_left(&tenant->bucket, rate_of(tenant), now),
            (unsigned long long)bucket_full_seconds(&tenant->bucket, now));
    }
    if (cpu > 0) {
        add(ret_fields, "%s\"cpu\";r=%llu;t=%llu", comma,
            (unsigned long long)(used < cpu ? cpu - used : 0),
            (unsigned long long)day_seconds_left());
    }
    add(ret_fields, "\r\n");
}
