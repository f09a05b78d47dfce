/* What the protocols of a connection do as time goes by, with a client that is slow, or wrong. */
#include "front/serve/server.h"
#include "fuzz/transport.h"
#include "tests/unit/connection.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- HTTP/1.1 ---- */

static void ask_by_http1(const char *method, const char *path)
{
    char head[128];
    const int size =
        snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, path);
    send_bytes(head, (size_t)size);
}

static void test_an_answer_that_is_taken_bit_by_bit_is_cut_off(void **state)
{
    (void)state;
    ask_by_http1("GET", "/large");
    assert_true(is_cut_off(100, 29000));
    assert_int_equal(transport_exchanges(), 0);
}

/* At 1.3 KiB a second. */
static void test_an_answer_that_is_taken_slowly_is_not(void **state)
{
    (void)state;
    ask_by_http1("GET", "/large");
    assert_false(is_cut_off(20000, 15000));
    assert_int_equal(transport_exchanges(), 1);
}

static void print_much(void)
{
    for (unsigned i = 0; i < 100000; i++) {
        transport_print();
    }
    transport_turn();
}

static void test_events_that_are_taken_bit_by_bit_are_cut_off(void **state)
{
    (void)state;
    ask_by_http1("POST", "/events");
    print_much();
    assert_true(is_cut_off(10, 29000));
}

static void test_events_that_do_not_come_are_waited_for(void **state)
{
    (void)state;
    ask_by_http1("POST", "/events");
    for (unsigned i = 0; i < 10; i++) {
        transport_wait(300000);
        transport_print();
        transport_turn();
        assert_false(transport_is_closed());
        read_some(65536);
    }
    assert_int_equal(transport_jobs(), 1);
}

static void test_a_client_that_goes_behind_its_next_request(void **state)
{
    (void)state;
    ask_by_http1("POST", "/run");
    ask_by_http1("GET", "/small");
    assert_false(transport_is_reading());
    assert_int_equal(transport_exchanges(), 1);
    transport_leave();
    transport_turn();
    assert_true(transport_is_closed());
    assert_int_equal(transport_exchanges(), 0); /* its run is left, and cancelled */
}

static void expect_answer(const char *begin)
{
    char data[4096] = "";
    (void)read_all(data, sizeof(data) - 1);
    data[strlen(begin)] = '\0';
    assert_string_equal(data, begin);
}

static void test_a_head_without_room_is_a_failure_of_ours(void **state)
{
    (void)state;
    ask_by_http1("GET", "/overfull");
    expect_answer("HTTP/1.1 500 Internal Server Error\r\nDate: ");
    ask_by_http1("GET", "/small"); /* it goes on */
    expect_answer("HTTP/1.1 200 OK\r\n");
}

static void test_one_request_too_many_is_refused(void **state)
{
    (void)state;
    transport_crowd(SERVER_EXCHANGES_MAX - 1);
    ask_by_http1("GET", "/small");
    expect_answer("HTTP/1.1 200 OK\r\n");
    transport_crowd(SERVER_EXCHANGES_MAX);
    ask_by_http1("GET", "/small");
    expect_answer("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n");
    transport_wait(10000);
    assert_true(transport_is_closed());
}

/* ---- WebSocket ---- */

static void send_frame(uint8_t first, const char *payload)
{
    const size_t size = strlen(payload);
    char frame[6 + 126] = {(char)first, (char)(0x80 | size)}; /* the mask is zero */
    (void)snprintf(frame + 6, sizeof(frame) - 6, "%s", payload);
    send_bytes(frame, 6 + size);
}

static void begin_websocket(void)
{
    static const char head[] = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                               "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    send_bytes(head, sizeof(head) - 1);
    send_frame(0x81, "{}");
    assert_int_equal(transport_jobs(), 1);
}

static void test_a_client_is_not_silent_when_it_is_not_read_from(void **state)
{
    (void)state;
    char data[4096];
    begin_websocket();
    transport_take_input(false);
    send_frame(0x82, "input");
    assert_false(transport_is_reading());
    for (unsigned i = 0; i < 20; i++) {
        transport_wait(15000);
        assert_false(transport_is_closed());
        (void)read_all(data, sizeof(data)); /* pings */
    }
    transport_take_input(true);
    transport_turn();
    assert_true(transport_is_reading());
    transport_wait(15000);
    assert_false(transport_is_closed());
    transport_wait(60000); /* now it could answer */
    assert_true(transport_is_closed());
}

static void test_a_client_that_reads_slowly_is_not_silent(void **state)
{
    (void)state;
    begin_websocket();
    print_much();
    assert_false(is_cut_off(8192, 15000));
    transport_wait(60000); /* now it takes nothing */
    assert_true(transport_is_closed());
}

static void test_messages_that_are_taken_bit_by_bit_are_cut_off(void **state)
{
    (void)state;
    begin_websocket();
    print_much();
    assert_true(is_cut_off(10, 15000));
}

static void test_what_is_printed_does_not_prolong_the_end(void **state)
{
    (void)state;
    begin_websocket();
    send_frame(0x83, "no such opcode");
    for (unsigned i = 0; i < 50 && !transport_is_closed(); i++) {
        transport_print();
        transport_wait(100);
    }
    assert_true(transport_is_closed());
}

/* ---- TLS ---- */

static void write_certificate(const char *path)
{
    FILE *file = fopen(path, "we");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_true(file != NULL && key != NULL && certificate != NULL);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

struct secure {
    char path[32]; /* of the server's certificate and key */
    SSL_CTX *context;
    SSL *ssl;
};

/* Whether the server takes what the client would say. */
static bool pass_on(SSL *ssl)
{
    static char data[65536];
    const int size = BIO_read(SSL_get_wbio(ssl), data, sizeof(data));
    return size <= 0 || transport_send(data, (size_t)size);
}

static void open_secure(struct secure *secure)
{
    static char data[65536];
    (void)snprintf(secure->path, sizeof(secure->path), "/tmp/test_connection.XXXXXX");
    const int fd = mkstemp(secure->path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    write_certificate(secure->path);
    transport_open(secure->path, secure->path);
    secure->context = SSL_CTX_new(TLS_client_method());
    secure->ssl = SSL_new(secure->context);
    assert_non_null(secure->ssl);
    SSL_set_bio(secure->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    while (SSL_connect(secure->ssl) != 1) {
        assert_true(pass_on(secure->ssl));
        const ssize_t size = transport_read(data, sizeof(data));
        assert_true(size > 0);
        assert_int_equal(BIO_write(SSL_get_rbio(secure->ssl), data, (int)size), size);
    }
    assert_true(pass_on(secure->ssl));
}

static void close_secure(struct secure *secure)
{
    transport_close();
    SSL_free(secure->ssl);
    SSL_CTX_free(secure->context);
    assert_int_equal(unlink(secure->path), 0);
}

static void test_keys_that_are_changed_for_ever(void **state)
{
    (void)state;
    static char data[65536];
    struct secure secure;
    bool taken = true;
    open_secure(&secure);
    for (unsigned i = 0; taken && i < 100000; i++) { /* it reads none of the answers */
        assert_int_equal(SSL_key_update(secure.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(secure.ssl), 1);
        taken = pass_on(secure.ssl);
    }
    assert_false(taken);
    assert_false(transport_is_reading());
    while (transport_read(data, sizeof(data)) > 0) {
        transport_turn();
    }
    assert_true(transport_is_reading());
    close_secure(&secure);
}

/* All of the answer is written, its stream is closed, and most of it waits for the socket. */
static void test_an_answer_is_on_its_way_while_it_waits_encrypted(void **state)
{
    (void)state;
    static const char said[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                               "\0\0\6\4\0\0\0\0\0\0\4\0\x0f\0\0" /* a large window for all, */
                               "\0\0\4\x8\0\0\0\0\0\0\x0f\0\0"
                               "\0\0\xe\1\5\0\0\0\1\x82\x86\4\7/medium\1\1a"; /* and a GET */
    static char data[65536];
    struct secure secure;
    open_secure(&secure);
    assert_int_equal(SSL_write(secure.ssl, said, sizeof(said) - 1), sizeof(said) - 1);
    assert_true(pass_on(secure.ssl));
    assert_int_equal(transport_exchanges(), 0);
    size_t size = 0;
    ssize_t got = 1;
    while (transport_is_answering()) {
        got = transport_read(data, 1000);
        assert_true(got > 0);
        size += (size_t)got;
        transport_turn();
    }
    while ((got = transport_read(data, sizeof(data))) > 0) {
        size += (size_t)got;
    }
    assert_true(size > TRANSPORT_MEDIUM);
    close_secure(&secure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTION_TEST(test_an_answer_that_is_taken_bit_by_bit_is_cut_off),
        CONNECTION_TEST(test_an_answer_that_is_taken_slowly_is_not),
        CONNECTION_TEST(test_events_that_are_taken_bit_by_bit_are_cut_off),
        CONNECTION_TEST(test_events_that_do_not_come_are_waited_for),
        CONNECTION_TEST(test_a_client_that_goes_behind_its_next_request),
        CONNECTION_TEST(test_a_head_without_room_is_a_failure_of_ours),
        CONNECTION_TEST(test_one_request_too_many_is_refused),
        CONNECTION_TEST(test_a_client_is_not_silent_when_it_is_not_read_from),
        CONNECTION_TEST(test_a_client_that_reads_slowly_is_not_silent),
        CONNECTION_TEST(test_messages_that_are_taken_bit_by_bit_are_cut_off),
        CONNECTION_TEST(test_what_is_printed_does_not_prolong_the_end),
        cmocka_unit_test(test_keys_that_are_changed_for_ever),
        cmocka_unit_test(test_an_answer_is_on_its_way_while_it_waits_encrypted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
