/* What HTTP/2 does as time goes by, with a client that is slow, or wrong. */
#include "front/serve/server.h"
#include "fuzz/transport.h"
#include "tests/unit/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_DATA, FRAME_HEADERS, FRAME_RESET = 3 };

/* With the window that each stream has for its answer. */
static void begin_http2(uint32_t window)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const uint8_t settings[] = {0,
                                0,
                                6,
                                4,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                4,
                                (uint8_t)(window >> 24),
                                (uint8_t)(window >> 16),
                                (uint8_t)(window >> 8),
                                (uint8_t)window};
    const uint8_t update[] = {0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0}; /* of the connection's */
    send_bytes(preface, sizeof(preface) - 1);
    send_bytes(settings, sizeof(settings));
    send_bytes(update, sizeof(update));
}

/* A request without a body.  `method` is its number in HPACK's table: 2 GET, 3 POST.  How long it
 * is; at most 32 bytes. */
static size_t make_request(uint8_t *frame, uint8_t stream, uint8_t method, const char *path)
{
    const size_t path_size = strlen(path);
    const uint8_t begin[] = {
        0,    0, (uint8_t)(path_size + 7), FRAME_HEADERS, 4 | 1, 0, 0, 0, stream, 0x80 | method,
        0x86, 4, (uint8_t)path_size};
    assert_true(path_size <= 16);
    memcpy(frame, begin, sizeof(begin));
    memcpy(frame + sizeof(begin), path, path_size);
    memcpy(frame + sizeof(begin) + path_size,
           "\x01\x01"
           "a",
           3);
    return sizeof(begin) + path_size + 3;
}

static void ask(uint8_t stream, uint8_t method, const char *path)
{
    uint8_t frame[32];
    send_bytes(frame, make_request(frame, stream, method, path));
}

/* Whether such a frame is among those. */
static bool has_frame(const char *data, size_t size, uint8_t type, uint8_t stream)
{
    const uint8_t *bytes = (const uint8_t *)data;
    size_t at = 0;
    while (at + 9 <= size) {
        if (bytes[at + 3] == type && bytes[at + 8] == stream) {
            return true;
        }
        at += 9 + ((size_t)bytes[at] << 16 | (size_t)bytes[at + 1] << 8 | bytes[at + 2]);
    }
    return false;
}

static void test_a_stream_without_a_window_ends(void **state)
{
    (void)state;
    char data[4096];
    begin_http2(0);
    ask(1, 3, "/events");
    assert_int_equal(transport_exchanges(), 1);
    transport_print();
    transport_wait(25000);
    assert_false(has_frame(data, read_all(data, sizeof(data)), FRAME_RESET, 1));
    transport_wait(10000);
    assert_true(has_frame(data, read_all(data, sizeof(data)), FRAME_RESET, 1));
    assert_int_equal(transport_exchanges(), 0);
}

/* One that waits for its program may wait for long; once there is something its time begins. */
static void test_a_stream_whose_program_is_silent_goes_on(void **state)
{
    (void)state;
    char data[4096];
    begin_http2(5);
    ask(1, 3, "/events");
    transport_wait(300000);
    transport_print();
    transport_turn();
    assert_true(has_frame(data, read_all(data, sizeof(data)), FRAME_DATA, 1));
    transport_print(); /* the window is used up */
    transport_wait(25000);
    assert_int_equal(transport_exchanges(), 1);
    transport_wait(10000);
    assert_int_equal(transport_exchanges(), 0);
}

/* Room for one byte more, on stream 1. */
static void give_room(void)
{
    static const uint8_t update[] = {0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1};
    send_bytes(update, sizeof(update));
}

static void test_a_stream_that_is_given_room_bit_by_bit_ends(void **state)
{
    (void)state;
    begin_http2(0);
    ask(1, 2, "/large");
    for (unsigned i = 0; i < 3; i++) {
        give_room();
        read_some(65536);
        transport_wait(29000);
    }
    assert_int_equal(transport_exchanges(), 0);
    assert_false(transport_is_closed());
}

static void test_streams_that_are_taken_bit_by_bit_are_cut_off(void **state)
{
    (void)state;
    begin_http2(TRANSPORT_LARGE);
    ask(1, 2, "/large");
    assert_true(is_cut_off(10, 29000));
}

/* What comes at once is not begun at once, which transport.c looks at: others want their turn. */
static void test_many_streams_are_handled_in_turns(void **state)
{
    (void)state;
    uint8_t frames[50 * 32];
    size_t size = 0;
    begin_http2(65535);
    for (uint8_t stream = 1; stream < 100; stream += 2) {
        size += make_request(frames + size, stream, 3, "/run");
    }
    send_bytes(frames, size);
    assert_int_equal(transport_jobs(), 50);
}

/* Half of the places are for the first request of each connection; of the rest one has at most half
 * of those that it has found. */
static void test_one_connection_has_not_all_streams(void **state)
{
    (void)state;
    begin_http2(65535);
    transport_crowd(SERVER_EXCHANGES_MAX / 2 - 40);
    for (uint8_t stream = 1; stream < 100; stream += 2) {
        ask(stream, 3, "/run");
    }
    assert_int_equal(transport_exchanges(), 20);
    transport_crowd(SERVER_EXCHANGES_MAX / 2);
    transport_end_jobs();
    read_some(65536);
    assert_int_equal(transport_exchanges(), 0);
    for (uint8_t stream = 101; stream < 110; stream += 2) {
        ask(stream, 3, "/run");
    }
    assert_int_equal(transport_exchanges(), 1);
}

/* Of the indexed fields of HPACK 14 is ":status: 500". */
static void test_a_stream_whose_head_has_no_room(void **state)
{
    (void)state;
    static char data[4096];
    begin_http2(65535);
    ask(1, 2, "/overfull");
    const size_t size = read_all(data, sizeof(data));
    assert_true(has_frame(data, size, FRAME_HEADERS, 1));
    assert_non_null(memmem(data, size, "\1\x8e", 2)); /* behind the stream's number */
}

/* A server that ends waits until the socket has all of it, its last frame too. */
static void take_large(size_t step)
{
    static char data[TRANSPORT_LARGE + 65536];
    size_t size = 0;
    ssize_t got;
    begin_http2(TRANSPORT_LARGE);
    ask(1, 2, "/large");
    assert_true(transport_is_answering());
    while (transport_is_answering()) {
        got = transport_read(data + size, step);
        assert_true(got > 0);
        size += (size_t)got;
        transport_turn();
    }
    while ((got = transport_read(data + size, sizeof(data) - size)) > 0) {
        size += (size_t)got;
    }
    assert_true(size > TRANSPORT_LARGE);
}

/* How its frames and the room for them come to lie depends on the client. */
static void test_an_answer_is_on_its_way_until_it_is_sent(void **state)
{
    (void)state;
    for (size_t step = 1000; step < 16000; step += 5000) {
        take_large(step);
        transport_close();
        transport_open(NULL, NULL);
    }
}

static void test_a_client_that_takes_nothing_is_not_read_from(void **state)
{
    (void)state;
    begin_http2(65535);
    bool taken = true;
    for (uint32_t stream = 1; taken && stream < 1 << 20; stream += 2) {
        const uint8_t wrong[] = {0,
                                 0,
                                 2,
                                 FRAME_HEADERS,
                                 5, /* without a path: it is reset */
                                 0,
                                 (uint8_t)(stream >> 16),
                                 (uint8_t)(stream >> 8),
                                 (uint8_t)stream,
                                 0x82,
                                 0x86};
        taken = transport_send(wrong, sizeof(wrong));
    }
    assert_false(taken);
    assert_false(transport_is_reading());
    transport_wait(100000); /* as one that is idle */
    assert_true(transport_is_closed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTION_TEST(test_a_stream_without_a_window_ends),
        CONNECTION_TEST(test_a_stream_whose_program_is_silent_goes_on),
        CONNECTION_TEST(test_a_stream_that_is_given_room_bit_by_bit_ends),
        CONNECTION_TEST(test_streams_that_are_taken_bit_by_bit_are_cut_off),
        CONNECTION_TEST(test_many_streams_are_handled_in_turns),
        CONNECTION_TEST(test_one_connection_has_not_all_streams),
        CONNECTION_TEST(test_a_stream_whose_head_has_no_room),
        CONNECTION_TEST(test_an_answer_is_on_its_way_until_it_is_sent),
        CONNECTION_TEST(test_a_client_that_takes_nothing_is_not_read_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
