/* See report.h. */
#include "front/serve/records/report.h"

#include "base/clock.h"
#include "front/serve/api/api.h"
#include "front/serve/http/exchange.h"
#include "front/serve/records/audit.h"
#include "front/serve/server.h"

#include <cella/wire.h>
#include <stdio.h>
#include <string.h>

#define REQUEST_TEXT_MAX 256U /* of method and path */
#define DETAIL_MAX       AUDIT_VALUE_MAX

/* ---- requests ---- */

/* What is known of a request.  Texts lie in it. */
struct request_facts {
    char client[RECORD_CLIENT_SIZE];
    char request[REQUEST_TEXT_MAX];
};

static struct audit_record record_of(const struct exchange *exchange, struct request_facts *facts)
{
    connection_client(exchange->connection, facts->client);
    (void)snprintf(facts->request, sizeof(facts->request), "%s %s", exchange->head.method,
                   exchange->head.path); /* a cut is fine */
    return (struct audit_record){.tenant = exchange_tenant(exchange),
                                 .client = facts->client,
                                 .request_id = exchange->trace.request_id,
                                 .trace_id = exchange->trace.id,
                                 .request = facts->request};
}

static void tell(struct server *server, enum audit_event event, const struct audit_record *record)
{
    struct cella_error err;
    (void)audit_write(&server->audit, event, record, &err); /* which says so itself */
}

void report_server(struct server *server, enum audit_event event, const char *detail)
{
    const struct audit_record record = {.detail = detail};
    tell(server, event, &record);
}

void report_cancelled(struct exchange *exchange, const char *id)
{
    struct request_facts facts;
    struct audit_record record = record_of(exchange, &facts);
    record.run = id;
    tell(exchange->server, AUDIT_RUN_CANCELLED, &record);
}

void report_exported(struct exchange *exchange)
{
    struct request_facts facts;
    struct audit_record record = record_of(exchange, &facts);
    record.detail = exchange->head.query;
    tell(exchange->server, AUDIT_HISTORY_READ, &record);
}

void report_denied(struct exchange *exchange, int status, const struct cella_error *error)
{
    struct request_facts facts;
    if (status == 401 || status == 403 || status == 429) {
        struct audit_record record = record_of(exchange, &facts);
        record.detail = error->text;
        record.code = status;
        tell(exchange->server, AUDIT_REQUEST_DENIED, &record);
    }
}

void report_answered(const struct exchange *exchange)
{
    struct request_facts facts;
    char name[REQUEST_TEXT_MAX];
    const int status = exchange->answer.status;
    const char *path = exchange->route != NULL ? exchange->route->path : "";
    if (exchange->server->otlp == NULL || status == 0 ||
        (status == 200 && strchr(exchange->head.path + 1, '/') == NULL &&
         strcmp(exchange->head.method, "GET") == 0)) {
        return; /* those who look after the server do it all the time */
    }
    const struct audit_record record = record_of(exchange, &facts);
    const int64_t now_ms = clock_realtime_ms();
    (void)snprintf(name, sizeof(name), "%s %s", exchange->head.method, path);
    const struct otlp_span span = {
        .trace = &exchange->trace,
        .name = path[0] != '\0' ? name : exchange->head.method,
        .kind = OTLP_SERVER,
        .from_us = (now_ms - (int64_t)(clock_monotonic_ms() - exchange->began_ms)) * 1000,
        .to_us = now_ms * 1000,
        .failed = status >= 500,
        .attributes = {{"http.request.method", exchange->head.method, 0},
                       {"url.path", exchange->head.path, 0},
                       {"http.route", path, 0},
                       {"http.response.status_code", NULL, status},
                       {"client.address", record.client, 0},
                       {"cella.request_id", record.request_id, 0},
                       {"cella.tenant", record.tenant, 0},
                       {"cella.run_id", exchange->run_id, 0}},
    };
    otlp_add(exchange->server->otlp, &span);
}

/* ---- runs ---- */

static void trace_stage(struct server *server, const struct record *record, const char *id,
                        const struct otlp_span *like, const char *name, uint64_t from_us,
                        uint64_t to_us)
{
    char own[TRACE_SPAN_DIGITS + 1];
    struct otlp_span span = *like;
    if (to_us == 0 || to_us < from_us) {
        return; /* it never was */
    }
    trace_make_span(own);
    span.trace = &record->trace;
    span.span = own;
    span.name = name;
    span.from_us += (int64_t)from_us;
    span.to_us += (int64_t)to_us;
    span.attributes[0] = (struct otlp_attribute){"cella.run_id", id, 0};
    otlp_add(server->otlp, &span);
}

/* Waiting for room, compiling, and the program from the making of its sandbox on: each below the
 * request, which may be over already. */
static void trace_run(struct server *server, const struct record *record, const char *id,
                      const struct cella_run_info *info, const struct cella_result *result)
{
    const struct cella_stage_times *compile = &info->compile, *run = &info->run;
    const char *status = cella_result_status(result);
    const int64_t base_us = info->queued_at_ms * 1000;
    const struct otlp_span waits = {.kind = OTLP_INTERNAL, .from_us = base_us, .to_us = base_us};
    struct otlp_span works = waits;
    const struct otlp_attribute attributes[] = {
        {"cella.run_id", id, 0},
        {"cella.status", status, 0},
        {"cella.language", info->language, 0},
        {"cella.policy", info->policy, 0},
        {"cella.plan_digest", info->plan_digest, 0},
        {"cella.start", cella_result_is_warm(result) ? "warm" : "cold", 0},
        {"cella.exit_code", cella_result_exit_code(result) < 0 ? "" : NULL,
         cella_result_exit_code(result)},
    };
    memcpy(works.attributes, attributes, sizeof(attributes));
    works.failed = strcmp(status, "internal") == 0;
    trace_stage(server, record, id, &waits, "queue", compile->waited_us, compile->begun_us);
    trace_stage(server, record, id, &waits, "compile", compile->begun_us, compile->ended_us);
    trace_stage(server, record, id, &waits, "queue", run->waited_us,
                run->begun_us > 0 ? run->begun_us : run->ended_us);
    if (run->begun_us > 0) {
        trace_stage(server, record, id, &works, "run", run->begun_us, run->ended_us);
    }
}

/* Notes the policy by which it goes, if it is not what it was. */
static void note_policy(struct server *server, const struct audit_record *of)
{
    struct report_policies *seen = &server->policies;
    char detail[DETAIL_MAX];
    size_t place = 0;
    while (place < seen->count && strcmp(seen->items[place].name, of->policy) != 0) {
        place++;
    }
    const bool is_known = place < seen->count;
    if (is_known && strcmp(seen->items[place].digest, of->policy_digest) == 0) {
        return;
    }
    if (!is_known && seen->count == REPORT_POLICIES_MAX) {
        place = seen->next++ % REPORT_POLICIES_MAX;
    } else if (!is_known) {
        seen->count++;
    }
    (void)snprintf(detail, sizeof(detail), "its digest was %s", seen->items[place].digest);
    (void)snprintf(seen->items[place].name, sizeof(seen->items[place].name), "%s", of->policy);
    (void)snprintf(seen->items[place].digest, sizeof(seen->items[place].digest), "%s",
                   of->policy_digest);
    const struct audit_record record = {.policy = of->policy,
                                        .policy_digest = of->policy_digest,
                                        .run = of->run,
                                        .detail = is_known ? detail : NULL};
    tell(server, is_known ? AUDIT_POLICY_CHANGED : AUDIT_POLICY_USED, &record);
}

int report_created(struct server *server, const struct exchange *exchange,
                   const struct record *record, const struct cella_run *run,
                   struct cella_error *err)
{
    struct cella_run_info info = {.size = sizeof(info)};
    struct request_facts facts;
    if (server->audit.fd < 0) {
        return 0; /* most servers: this is in the way of every run */
    }
    struct audit_record line = {.tenant = record->tenant,
                                .client = record->client,
                                .request_id = record->trace.request_id,
                                .trace_id = record->trace.id};
    if (exchange != NULL) {
        line = record_of(exchange, &facts);
    }
    cella_run_info(run, &info);
    line.run = cella_run_id(run);
    line.language = info.language;
    line.policy = info.policy;
    line.policy_digest = info.policy_digest;
    line.plan_digest = info.plan_digest;
    line.request_digest = record->request_digest;
    note_policy(server, &line);
    return audit_write(&server->audit, AUDIT_RUN_CREATED, &line, err) < 0 &&
                   server->settings->audit_failure == REPORT_REFUSE
               ? -1
               : 0;
}

/* "ptrace 3, mount 1"; the last ones are left out when they do not fit. */
static void list_calls(const struct cella_result *result, char ret_text[DETAIL_MAX])
{
    size_t size = 0;
    unsigned count = 0;
    const char *name;
    ret_text[0] = '\0';
    for (size_t i = 0; (name = cella_result_refused_call(result, i, &count)) != NULL; i++) {
        const int more =
            snprintf(ret_text + size, DETAIL_MAX - size, "%s%s %u", i > 0 ? ", " : "", name, count);
        if (more < 0 || (size_t)more >= DETAIL_MAX - size) {
            ret_text[size] = '\0';
            return;
        }
        size += (size_t)more;
    }
}

static void audit_end(struct server *server, const struct record *record, const char *id,
                      const struct cella_result *result)
{
    const char *limit;
    char calls[DETAIL_MAX];
    struct audit_record line = {.tenant = record->tenant,
                                .request_id = record->trace.request_id,
                                .trace_id = record->trace.id,
                                .run = id,
                                .status = cella_result_status(result)};
    for (size_t i = 0; (limit = cella_result_limit_hit(result, i)) != NULL; i++) {
        line.detail = limit;
        tell(server, AUDIT_LIMIT_HIT, &line);
    }
    list_calls(result, calls);
    if (calls[0] != '\0') {
        line.detail = calls;
        tell(server, AUDIT_CALLS_REFUSED, &line);
    }
    line.detail = cella_result_message(result);
    tell(server, AUDIT_RUN_ENDED, &line);
}

void report_ended(struct server *server, const struct record *record, const char *id,
                  const struct cella_run *run, const struct cella_result *result)
{
    struct cella_run_info info = {.size = sizeof(info)};
    if (run != NULL) {
        cella_run_info(run, &info);
        metrics_count_stages(&server->metrics, &info, cella_result_is_warm(result) != 0);
        if (server->otlp != NULL) {
            trace_run(server, record, id, &info, result);
        }
    }
    if (server->audit.fd >= 0) {
        audit_end(server, record, id, result);
    }
}
