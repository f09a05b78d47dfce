/* What tests of the protocols of a connection have in common: a client that is slow, or wrong. */
#ifndef TESTS_CONNECTION_H
#define TESTS_CONNECTION_H

#include "fuzz/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline int setup(void **state)
{
    (void)state;
    transport_open(NULL, NULL);
    return 0;
}

/* Nothing is left of it: transport_close() asserts that. */
static inline int teardown(void **state)
{
    (void)state;
    transport_close();
    return 0;
}

static inline void send_bytes(const void *data, size_t size)
{
    assert_true(transport_send(data, size));
}

/* What has come, and how much that is. */
static inline size_t read_all(char *data, size_t max)
{
    size_t size = 0;
    ssize_t got;
    while (size < max && (got = transport_read(data + size, max - size)) > 0) {
        size += (size_t)got;
        transport_turn();
    }
    return size;
}

/* Reads so many bytes, as far as they come. */
static inline void read_some(size_t size)
{
    static char data[65536];
    ssize_t got = 1;
    while (size > 0 && got > 0) {
        got = transport_read(data, size < sizeof(data) ? size : sizeof(data));
        size -= got > 0 ? (size_t)got : 0;
        transport_turn();
    }
}

/* Takes that much every so often, and what comes of it within two minutes. */
static inline bool is_cut_off(size_t size, unsigned ms)
{
    for (unsigned passed = 0; passed < 120000 && !transport_is_closed(); passed += ms) {
        read_some(size);
        transport_wait(ms);
    }
    return transport_is_closed();
}

#define CONNECTION_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
