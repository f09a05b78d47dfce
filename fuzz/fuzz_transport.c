/*
 * Any client on any connection: what it sends and when, whether it reads, what the programs do
 * meanwhile, and how time goes by.  Nothing may be used after it was freed, be counted for ever,
 * or last longer than its time.
 *
 * The input is a list of steps, each a letter and what it needs.
 */
#include "fuzz/transport.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than anything may take that a client does not do: see the times of exchange.h,
 * connection.h and websocket.h.  And what requests it has sent by then may begin, one after the
 * other. */
#define LONG_MS  200000U
#define RUNS_MAX 4096U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t next(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static void send_text(const char *text)
{
    (void)transport_send(text, strlen(text));
}

static void send_some(struct input *input)
{
    size_t size = next(input);
    size = size < input->size ? size : input->size;
    (void)transport_send(input->data, size);
    input->data += size;
    input->size -= size;
}

static void read_some(void)
{
    static char data[65536];
    while (transport_read(data, sizeof(data)) > 0) {
        transport_turn();
    }
}

/* What is long to find by chance. */
static void begin_http2(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    (void)transport_send(preface, sizeof(preface)); /* with the settings, which are empty */
}

/* Small streams of HTTP/2, by the static table: a method and a path. */
static void send_stream(struct input *input)
{
    static const char *const paths[] = {"/small", "/large",  "/pieces", "/broken",
                                        "/run",   "/events", "/echo",   "/early"};
    const uint8_t choice = next(input);
    const uint8_t stream = next(input);
    const char *path = paths[choice % 8];
    char frame[64] = {0};
    const size_t path_size = strlen(path);
    const uint8_t block = (uint8_t)(path_size + 8);
    frame[2] = (char)block;
    frame[3] = 1;                                        /* HEADERS */
    frame[4] = (char)(4 | ((choice & 16) != 0 ? 1 : 0)); /* END_HEADERS, perhaps END_STREAM */
    frame[8] = (char)stream;
    frame[9] = (char)((choice & 8) != 0 ? 0x82 : 0x83); /* GET or POST */
    frame[10] = (char)0x86;                             /* http */
    frame[11] = 0x04;                                   /* :path */
    frame[12] = (char)path_size;
    /* Its end is that of :authority, which is two letters. */
    (void)snprintf(frame + 13, sizeof(frame) - 13, "%s\x01\x02%s", path, "ab");
    (void)transport_send(frame, 9U + block);
}

static void begin_websocket(void)
{
    send_text("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
}

/* A whole frame, whose mask is zero. */
static void send_frame(struct input *input)
{
    char frame[6] = {(char)next(input), 0};
    size_t size = next(input) % 126;
    size = size < input->size ? size : input->size;
    frame[1] = (char)(0x80 | size);
    (void)transport_send(frame, sizeof(frame));
    (void)transport_send(input->data, size);
    input->data += size;
    input->size -= size;
}

static void step(struct input *input)
{
    switch (next(input) % 16) {
    case 0:
        send_some(input);
        break;
    case 1:
        read_some();
        break;
    case 2:
        transport_turn();
        break;
    case 3:
        transport_wait(next(input) * 500U);
        break;
    case 4:
        transport_print();
        break;
    case 5:
        transport_end_jobs();
        break;
    case 6:
        transport_take_input((next(input) & 1) != 0);
        break;
    case 7:
        begin_http2();
        break;
    case 8:
        send_stream(input);
        break;
    case 9:
        begin_websocket();
        break;
    case 10:
        send_frame(input);
        break;
    case 11:
        transport_drain();
        break;
    case 12:
        transport_leave();
        break;
    case 13:
        send_text("GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
        break;
    case 14:
        send_text("POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        break;
    default:
        send_text("POST /run HTTP/1.1\r\nHost: a\r\n\r\n");
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    transport_open(NULL, NULL);
    while (input.size > 0 && !transport_is_closed()) {
        step(&input);
    }
    /* With its programs ended, nothing holds it but the client, which does nothing any more. */
    transport_take_input(true);
    transport_turn();
    for (unsigned i = 0; i < RUNS_MAX && transport_jobs() > 0; i++) {
        transport_end_jobs();
        transport_turn();
    }
    transport_wait(LONG_MS);
    if (!transport_is_closed() || transport_jobs() > 0 || transport_exchanges() > 0) {
        abort();
    }
    transport_close();
    return 0;
}
