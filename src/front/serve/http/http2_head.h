/*
 * The head of a request of HTTP/2, as lines like those of HTTP/1.1, which http.c reads.
 */
#ifndef SERVE_HTTP2_HEAD_H
#define SERVE_HTTP2_HEAD_H

#include <stddef.h>

struct exchange;

/* At the end of what the exchange has of its head; when there is no room it is full, for good. */
void http2_append(struct exchange *exchange, const void *text, size_t size);
/* Puts the pseudo header fields where HTTP/1.1 has them.  -1 when memory is short. */
int http2_rewrite_head(struct exchange *exchange) __attribute__((warn_unused_result));

#endif
