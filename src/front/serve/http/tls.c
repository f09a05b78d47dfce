/* See tls.h. */
#include "front/serve/http/tls.h"

#include "base/attributes.h"
#include "front/serve/fail.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 256 /* a host's has 253 characters at most */

struct tls_host {
    SSL_CTX *context;
};

struct tls {
    SSL *ssl;
    BIO *in;  /* of the socket; both are the SSL's */
    BIO *out; /* for it */
};

/* ---- the host ---- */

/* Errors of OpenSSL stand in a queue of the thread's, in which the next call must find none. */
static int fail_ssl(struct cella_error *err, const char *what, const char *path)
{
    const unsigned long error = ERR_peek_error();
    const char *reason =
        ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    (void)serve_fail(err, CELLA_ERROR_HOST, "cannot use %s %s: %s", what, path,
                     reason != NULL ? reason : "it is none");
    ERR_clear_error();
    return -1;
}

/* HTTP/2 where the client offers it. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char known[] = "\x02h2\x08http/1.1";
    (void)ssl;
    (void)context;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, ret_size, known, sizeof(known) - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int tls_host_open(const char *certificate, const char *key, struct tls_host **ret_host,
                  struct cella_error *err)
{
    if (certificate == NULL && key == NULL) {
        *ret_host = NULL;
        return 0;
    }
    if (certificate == NULL || key == NULL) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "TLS needs a certificate and its key");
        return serve_hint(err, "give --tls-certificate and --tls-key, or neither");
    }
    struct tls_host *host = calloc(1, sizeof(*host));
    if (host != NULL) {
        host->context = SSL_CTX_new(TLS_server_method());
    }
    if (host == NULL || host->context == NULL ||
        SSL_CTX_set_min_proto_version(host->context, TLS1_2_VERSION) != 1) {
        tls_host_close(host);
        return serve_fail(err, CELLA_ERROR_HOST, "cannot make ready for TLS");
    }
    (void)SSL_CTX_set_options(host->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(host->context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Who comes again brings a ticket: nothing is held for him here. */
    (void)SSL_CTX_set_session_cache_mode(host->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(host->context, choose_protocol, NULL);
    int result = 0;
    if (SSL_CTX_use_certificate_chain_file(host->context, certificate) != 1) {
        result = fail_ssl(err, "the certificate", certificate);
    } else if (SSL_CTX_use_PrivateKey_file(host->context, key, SSL_FILETYPE_PEM) != 1 ||
               SSL_CTX_check_private_key(host->context) != 1) {
        result = fail_ssl(err, "the key", key);
    }
    if (result < 0) {
        tls_host_close(host);
        return serve_hint(err,
                          "each must be a file in PEM that the server's user can read, and the "
                          "key that of the certificate");
    }
    *ret_host = host;
    return 0;
}

void tls_host_close(struct tls_host *host)
{
    if (host != NULL) {
        SSL_CTX_free(host->context);
        free(host);
    }
}

int tls_client_open(const char *authorities, struct tls_host **ret_host, struct cella_error *err)
{
    struct tls_host *host = calloc(1, sizeof(*host));
    if (host != NULL) {
        host->context = SSL_CTX_new(TLS_client_method());
    }
    if (host == NULL || host->context == NULL ||
        SSL_CTX_set_min_proto_version(host->context, TLS1_2_VERSION) != 1) {
        tls_host_close(host);
        return serve_fail(err, CELLA_ERROR_HOST, "cannot make ready for TLS");
    }
    SSL_CTX_set_verify(host->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(host->context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (authorities != NULL ? SSL_CTX_load_verify_file(host->context, authorities) != 1
                            : SSL_CTX_set_default_verify_paths(host->context) != 1) {
        tls_host_close(host);
        return fail_ssl(err, "the authorities",
                        authorities != NULL ? authorities : "of the system");
    }
    *ret_host = host;
    return 0;
}

/* ---- one connection ---- */

static struct tls *create(const struct tls_host *host)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        return NULL;
    }
    tls->ssl = SSL_new(host->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        SSL_free(tls->ssl);
        (void)BIO_free(tls->in);
        (void)BIO_free(tls->out);
        free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    return tls;
}

struct tls *tls_create(const struct tls_host *host)
{
    struct tls *tls = create(host);
    if (tls != NULL) {
        SSL_set_accept_state(tls->ssl);
    }
    return tls;
}

struct tls *tls_connect(const struct tls_host *host, const char *name)
{
    struct tls *tls = create(host);
    if (tls == NULL) {
        return NULL;
    }
    char copy[NAME_SIZE]; /* OpenSSL's macro takes what it may write to */
    const int length = snprintf(copy, sizeof(copy), "%s", name);
    SSL_set_connect_state(tls->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name) != 1 &&
        (SSL_set1_host(tls->ssl, name) != 1 || length >= NAME_SIZE ||
         SSL_set_tlsext_host_name(tls->ssl, copy) != 1)) {
        tls_destroy(tls);
        tls = NULL;
    }
    ERR_clear_error(); /* that a name is no address is one to OpenSSL */
    return tls;
}

const char *tls_disbelief(const struct tls *tls)
{
    const long result = SSL_get_verify_result(tls->ssl);
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

void tls_destroy(struct tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl);
        free(tls);
    }
}

int tls_put(struct tls *tls, const char *data, size_t size)
{
    size_t taken;
    return BIO_write_ex(tls->in, data, size, &taken) == 1 && taken == size ? 0 : -1;
}

/* In clear, as it was asked: who has forgotten the 's' in "https" sees no more than a connection
 * that ends. */
static void tell_of_tls(const struct tls *tls)
{
    static const char body[] = "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                               "\"detail\":\"at this address the server speaks TLS\","
                               "\"field\":null,\"hint\":\"ask it by https\"}";
    IGNORE(BIO_printf(tls->out,
                      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                      "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                      sizeof(body) - 1, body) < 0); /* then it sees just that */
}

/* What a call of OpenSSL has come to when it did nothing. */
static int outcome(const struct tls *tls, int result)
{
    const int error = SSL_get_error(tls->ssl, result);
    const unsigned long reason = ERR_peek_error();
    if (ERR_GET_LIB(reason) == ERR_LIB_SSL && ERR_GET_REASON(reason) == SSL_R_HTTP_REQUEST) {
        tell_of_tls(tls);
    }
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

ssize_t tls_read(struct tls *tls, char *ret_data)
{
    size_t size = 0;
    const int result = SSL_read_ex(tls->ssl, ret_data, TLS_READ_MAX, &size);
    return result == 1 ? (ssize_t)size : outcome(tls, result);
}

bool tls_is_open(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl) == 1;
}

bool tls_wants_http2(const struct tls *tls)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    return size == 2 && name[0] == 'h' && name[1] == '2';
}

ssize_t tls_write(struct tls *tls, const struct iovec *parts, size_t count)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const char *data = parts[i].iov_base;
        size_t left = parts[i].iov_len;
        while (left > 0) {
            size_t written = 0;
            if (BIO_pending(tls->out) > (int)TLS_WAITING_MAX) {
                return (ssize_t)taken;
            }
            const int result = SSL_write_ex(tls->ssl, data, left, &written);
            if (result != 1) {
                return outcome(tls, result) == 0 ? (ssize_t)taken : -1;
            }
            taken += written;
            data += written;
            left -= written;
        }
    }
    return (ssize_t)taken;
}

void tls_end(struct tls *tls)
{
    IGNORE(SSL_shutdown(tls->ssl) < 0); /* its word is in `out`, if there is to be one */
    ERR_clear_error();
}

size_t tls_waiting(const struct tls *tls, char **ret_data)
{
    const long size = BIO_get_mem_data(tls->out, ret_data);
    return size > 0 ? (size_t)size : 0;
}

void tls_sent(struct tls *tls, size_t size)
{
    char passed[4096];
    while (size > 0) {
        size_t read = 0;
        if (BIO_read_ex(tls->out, passed, size < sizeof(passed) ? size : sizeof(passed), &read) !=
            1) {
            return; /* cannot be: they are there */
        }
        size -= read;
    }
}
