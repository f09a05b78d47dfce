/*
 * HTTP/1.1 as it comes in (RFC 9112): the head of a request and the chunks of a body.  Pure: bytes
 * in, what they say out; nothing is allocated and nobody waits.
 *
 * Strict, because what two programs read differently is how requests are smuggled past one of them:
 * lines end with CRLF, no header is folded, no name is followed by a space, the length of the body
 * is said once, and by Content-Length or by chunks but never by both.
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX    16384U /* request line and headers together */
#define HTTP_HEADERS_MAX 64U
#define HTTP_LINE_MAX    1024U /* of chunk sizes and trailers, each */
#define HTTP_TRAILER_MAX 16U   /* lines */

struct http_header {
    const char *name;
    const char *value;
};

/* Texts lie in the head, which http_parse_head() has cut into strings. */
struct http_head {
    const char *method;
    const char *path;  /* begins with '/' */
    const char *query; /* behind the '?', or "" */
    bool is_1_0;
    bool keep_alive;
    bool has_body; /* by length or in chunks */
    bool is_chunked;
    bool expects_continue;
    uint64_t content_length; /* 0 when is_chunked */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* Why a request cannot be read. */
struct http_refusal {
    int status;
    const char *text; /* static */
};

/* Bytes of the head that `data` begins with, up to and with its empty line; 0 when it is not all
 * there.  `seen` of them were looked at before. */
size_t http_head_size(const char *data, size_t size, size_t seen);

/* Reads a head of that size.  -1 with the refusal when it is none. */
int http_parse_head(char *data, size_t size, struct http_head *ret_head,
                    struct http_refusal *ret_refusal) __attribute__((warn_unused_result));

/* The value of a header that comes once, or NULL. */
const char *http_header(const struct http_head *head, const char *name);
/* Likewise; NULL also when it comes more than once: then nobody knows which one was meant. */
const char *http_header_once(const struct http_head *head, const char *name);
/* How often it comes. */
size_t http_header_count(const struct http_head *head, const char *name);
/* Whether a header, as a list separated by commas, has that word. */
bool http_header_has(const struct http_head *head, const char *name, const char *word);

/* For how many seconds it would have an answer waited for: `Prefer: wait=N` (RFC 7240).
 * UINT64_MAX: it does not say. */
uint64_t http_preferred_wait(const struct http_head *head);

/* A chunked body on its way. */
struct http_chunks {
    enum {
        CHUNK_SIZE,
        CHUNK_SIZE_LF,
        CHUNK_EXTENSION,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER,
        CHUNK_TRAILER_LF,
        CHUNK_DONE
    } state;
    uint64_t remaining; /* of the chunk's data */
    unsigned digits;    /* of its size */
    unsigned line_size;
    unsigned trailers;
};

/* Takes what is there up to the end of the body, and moves the data in it to the front of `data`:
 * *ret_taken bytes of it were read, *ret_size are data.  state is CHUNK_DONE at the end. */
int http_take_chunks(struct http_chunks *chunks, char *data, size_t size, size_t *ret_taken,
                     size_t *ret_size, struct http_refusal *ret_refusal)
    __attribute__((warn_unused_result));

/* "Not Found" for 404. */
const char *http_reason(int status);

#endif
