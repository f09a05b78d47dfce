/*
 * What a request is known by: its id, and its place in a trace (W3C Trace Context, version 00).
 *
 * Both are the client's where what it sent is well-formed, and ours where not: nobody is refused
 * for them.  An id is made of letters, digits and `-._~+/=:@`, so that it can stand in a log, in
 * JSON and in a header as it is.
 */
#ifndef SERVE_TRACE_H
#define SERVE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_head;

#define TRACE_REQUEST_ID_MAX 128U
#define TRACE_ID_DIGITS      32U /* hexadecimal */
#define TRACE_SPAN_DIGITS    16U
#define TRACE_STATE_MAX      512U /* a longer tracestate is left out, as if it had not been sent */
#define TRACE_STATE_MEMBERS  32U  /* likewise with more of them */
#define TRACE_PARENT_SIZE    56U  /* "00-TRACE-SPAN-FLAGS" and a NUL */
#define TRACE_SAMPLED        1U

struct trace {
    char request_id[TRACE_REQUEST_ID_MAX + 1];
    char id[TRACE_ID_DIGITS + 1];       /* of the trace */
    char parent[TRACE_SPAN_DIGITS + 1]; /* the client's span; "": the trace begins here */
    char span[TRACE_SPAN_DIGITS + 1];   /* of this request */
    unsigned flags;
    char state[TRACE_STATE_MAX + 1]; /* the client's, or "" */
};

/* `head` NULL: of a request that cannot be read.  `flags` are those of a trace that begins here. */
void trace_begin(struct trace *trace, const struct http_head *head, unsigned flags);
/* A new span's name. */
void trace_make_span(char ret_span[TRACE_SPAN_DIGITS + 1]);
/* What the request's span is to those that come below it. */
void trace_parent(const struct trace *trace, char ret_text[TRACE_PARENT_SIZE]);

/* ---- for tests ---- */

bool trace_is_request_id(const char *text);
/* False, and nothing is changed, when it is no traceparent. */
bool trace_read_parent(const char *text, struct trace *trace);
bool trace_is_state(const char *text);

#endif
