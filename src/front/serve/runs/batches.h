/* The routes of batches (batch.h): to begin, fetch and cancel them. */
#ifndef SERVE_BATCHES_H
#define SERVE_BATCHES_H

#define BATCHES "/v1/batches"

struct exchange;

void batches_post(struct exchange *exchange);
void batches_get(struct exchange *exchange);
void batches_delete(struct exchange *exchange);

#endif
