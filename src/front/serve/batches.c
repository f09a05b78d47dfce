/* See batches.h. */
#include "front/serve/batches.h"

#include "front/serve/answer.h"
#include "front/serve/batch.h"
#include "front/serve/exchange.h"
#include "front/serve/fail.h"
#include "front/serve/http.h"
#include "front/serve/server.h"

#include <stdio.h>
#include <string.h>

static enum batch_way way_of(const struct http_head *head)
{
    return http_header_has(head, "Accept", "text/event-stream") ? BATCH_STREAMS : BATCH_ANSWERS;
}

void batches_post(struct exchange *exchange)
{
    struct cella_error error;
    char id[ID_SIZE];
    const enum batch_way way = way_of(&exchange->head);
    if (exchange->body_size == 0) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the request has no body");
        (void)serve_hint(&error, "send {\"program\": {...}, \"tests\": [...]}");
        answer_problem(exchange, 0, &error);
        return;
    }
    if (batch_start(exchange, exchange->body, exchange->body_size, way, id, &error) < 0) {
        answer_problem(exchange, 0, &error);
    } else if (way == BATCH_STREAMS) {
        answer_events(exchange);
    }
}
