/* See batches.h. */
#include "front/serve/runs/batches.h"

#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/records/history.h"
#include "front/serve/records/report.h"
#include "front/serve/runs/batch.h"
#include "front/serve/runs/idempotency.h"
#include "front/serve/server.h"

#include <stdlib.h>
#include <string.h>

void batches_post(struct exchange *exchange)
{
    struct cella_error error;
    char id[ID_SIZE];
    const enum job_way way = job_way_of(&exchange->head);
    if (exchange->body_size == 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request has no body");
        (void)serve_hint(&error, "send {\"program\": {...}, \"tests\": [...]}");
        answer_problem(exchange, 0, &error);
        return;
    }
    if (idempotency_key(&exchange->head, &exchange->idempotency_key, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    if (exchange->idempotency_key != NULL && idempotency_answer_batch(exchange, way)) {
        return;
    }
    if (batch_start(exchange, exchange->body, exchange->body_size, way, id, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (way == JOB_STREAMS) {
        answer_events(exchange);
    } else if (way == JOB_STAYS) {
        answer_accepted(exchange, BATCHES "/", id);
    }
}

static const char *id_of(const struct exchange *exchange)
{
    return exchange->head.path + strlen(BATCHES "/");
}

static void answer_none(struct exchange *exchange, const char *what)
{
    struct cella_error error;
    (void)serve_fail(&error, CELLA_ERROR_CALLER, "no batch '%.64s' is %s", id_of(exchange), what);
    answer_problem(exchange, 404, &error);
}

void batches_get(struct exchange *exchange)
{
    struct cella_error error;
    bool found;
    char *json;
    size_t size = 0;
    if (history_find_batch(exchange->server->history, id_of(exchange), exchange_sees(exchange),
                           &found, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (!found) {
        answer_none(exchange, "known");
    } else if (json != NULL) {
        answer_json(exchange, 200, json, size);
    } else if (batch_is_going(exchange->server, id_of(exchange))) {
        answer_under_way(exchange, id_of(exchange));
    } else {
        (void)serve_fail(&error, CELLA_ERROR_HOST,
                         "what became of the batch was not written down: the server ended "
                         "meanwhile, or could not write");
        (void)serve_hint(&error, "ask for it again");
        answer_problem(exchange, 410, &error);
    }
}

void batches_delete(struct exchange *exchange)
{
    if (batch_cancel(exchange->server, id_of(exchange), exchange_sees(exchange)) < 0) {
        answer_none(exchange, "on its way");
        return;
    }
    report_cancelled(exchange, id_of(exchange));
    answer_under_way(exchange, id_of(exchange));
}
