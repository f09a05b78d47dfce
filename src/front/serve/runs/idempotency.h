/*
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that comes again, because
 * its sender does not know whether it has arrived, is answered with the run that it began the first
 * time.
 *
 * A run, or batch, with a key is remembered from its beginning on, as one that is fetched later is,
 * and goes on when its client goes away: so the key finds it, also after the server was killed.
 * Keys are a tenant's own, and bounded in time and number (history.h).
 */
#ifndef SERVE_IDEMPOTENCY_H
#define SERVE_IDEMPOTENCY_H

#include "front/serve/http/http.h"
#include "front/serve/runs/batch.h"
#include "front/serve/runs/job.h"

#include <cella/cella.h>
#include <stdbool.h>

#define IDEMPOTENCY_KEY_MAX 255U /* letters */

/* The key that a request has, malloc'ed, or NULL.  CELLA_ERROR_CALLER when it is none. */
int idempotency_key(const struct http_head *head, char **ret_key, struct cella_error *err)
    __attribute__((warn_unused_result));

/* Whether the exchange's key was used before; then this has answered. */
bool idempotency_answer(struct exchange *exchange, enum job_way way);
/* Likewise of a batch. */
bool idempotency_answer_batch(struct exchange *exchange, enum job_way way);

#endif
