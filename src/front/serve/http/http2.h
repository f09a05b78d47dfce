/*
 * HTTP/2 on a connection (RFC 9113), by nghttp2: many exchanges at one time, each a stream.
 *
 * What a stream's head says is written as HTTP/1.1 has it and read by http.c, so that there is one
 * reader, as strict for both.
 */
#ifndef SERVE_HTTP2_H
#define SERVE_HTTP2_H

#include "front/serve/http/connection.h"

#include <stddef.h>

/* Streams of one connection at one time. */
#define HTTP2_STREAMS_MAX 100U

/* What a client begins with who knows that HTTP/2 is spoken, up to what HTTP/1.1 takes for the end
 * of a head. */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\n"

/* Speaks it from now on.  -1 when memory is short. */
int http2_begin(struct connection *connection) __attribute__((warn_unused_result));

#endif
