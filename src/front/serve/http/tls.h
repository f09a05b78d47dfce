/*
 * TLS on a connection, by OpenSSL: bytes of the socket in, bytes of the protocol out, and back.  It
 * never touches the socket itself.
 *
 * By ALPN a client says which protocol it speaks inside: "h2" or "http/1.1".
 */
#ifndef SERVE_TLS_H
#define SERVE_TLS_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What waits to be sent at most: over that nothing more is taken. */
#define TLS_WAITING_MAX ((size_t)256 << 10)
/* What tls_read() gives at one time, at most: a record. */
#define TLS_READ_MAX 16384U

/* The certificate and its key. */
struct tls_host;

/* Both in PEM; the certificate may have those above it behind it.  Both NULL: *ret_host is NULL
 * too, and no TLS is spoken. */
int tls_host_open(const char *certificate, const char *key, struct tls_host **ret_host,
                  struct cella_error *err) __attribute__((warn_unused_result));
/* What is spoken with it goes on.  NULL is fine. */
void tls_host_close(struct tls_host *host);

/* For a client, which believes whom these authorities vouch for, in PEM; NULL: those of the
 * system. */
int tls_client_open(const char *authorities, struct tls_host **ret_host, struct cella_error *err)
    __attribute__((warn_unused_result));

struct tls;

/* NULL when memory is short. */
struct tls *tls_create(const struct tls_host *host) __attribute__((warn_unused_result));
/* A client's, of a server that must show that it is the one of that name, or address. */
struct tls *tls_connect(const struct tls_host *host, const char *name)
    __attribute__((warn_unused_result));
/* Why the server's certificate is not believed; NULL when it is, or was not yet shown. */
const char *tls_disbelief(const struct tls *tls);
void tls_destroy(struct tls *tls); /* NULL is fine */

/* These came by the socket.  -1 when memory is short. */
int tls_put(struct tls *tls, const char *data, size_t size) __attribute__((warn_unused_result));
/* What they say, at most TLS_READ_MAX bytes.  0: nothing more now; -1: nothing ever. */
ssize_t tls_read(struct tls *tls, char *ret_data) __attribute__((warn_unused_result));
/* Both have agreed on how to speak. */
bool tls_is_open(const struct tls *tls);
/* And the client wants it to be HTTP/2. */
bool tls_wants_http2(const struct tls *tls);

/* Takes what there is room for: how many bytes those were, or -1. */
ssize_t tls_write(struct tls *tls, const struct iovec *parts, size_t count)
    __attribute__((warn_unused_result));
/* Nothing more will be written. */
void tls_end(struct tls *tls);
/* What is to be sent by the socket, and that so much of it was. */
size_t tls_waiting(const struct tls *tls, char **ret_data);
void tls_sent(struct tls *tls, size_t size);

#endif
