/* Buffers, growing arrays, descriptors read and written in full, moments as text. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_adds(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 0);
    assert_null(buffer.data);
    assert_int_equal(buffer_add(&buffer, "a\0b", 3), 0);
    assert_int_equal(buffer_add_string(&buffer, "cd"), 0);
    assert_int_equal(buffer_add_format(&buffer, "%d-%s", 42, "x"), 0);
    assert_int_equal(buffer.size, 9);
    assert_memory_equal(buffer.data, "a\0bcd42-x", 10);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(buffer_add(&buffer, "0123456789", 10), 0);
    }
    assert_int_equal(buffer.size, 100009);
    assert_string_equal(buffer.data + buffer.size - 3, "789");
    buffer_done(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

static void test_limit(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_int_equal(buffer_add(&buffer, "123456789", 9), 0);
    assert_int_equal(buffer_add(&buffer, "ab", 2), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(buffer_add_format(&buffer, "%s", "ab"), -1);
    assert_int_equal(buffer.size, 9);
    assert_string_equal(buffer.data, "123456789");
    assert_int_equal(buffer_add(&buffer, "a", 1), 0);
    assert_int_equal(buffer_add(&buffer, "", 0), 0);
    assert_int_equal(buffer_add(&buffer, "b", 1), -1);
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_string_equal(buffer.data, "123456789a");
    buffer_done(&buffer);
}

static void test_reserve(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    char *room = buffer_reserve(&buffer, 1000);
    assert_non_null(room);
    memset(room, 'r', 1000);
    assert_int_equal(buffer.size, 0);
    buffer_commit(&buffer, 3);
    assert_string_equal(buffer.data, "rrr");
    buffer_done(&buffer);
}

static void test_grows_an_array(void **state)
{
    (void)state;
    int *items = NULL;
    for (size_t count = 0; count < 1000; count++) {
        int *grown = alloc_grow(items, count, sizeof(*items));
        assert_non_null(grown);
        items = grown;
        items[count] = (int)count;
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
    free(items);
    assert_null(alloc_grow(NULL, SIZE_MAX / 2 + 1, 1));
    assert_null(alloc_grow(NULL, (size_t)1 << 40, (size_t)1 << 40));
    assert_null(alloc_copy("", SIZE_MAX));
    AUTO_FREE char *copy = alloc_copy("ab", 2);
    assert_string_equal(copy, "ab");
}

static void test_descriptors(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fd_write_full(ends[1], "hello", 5), 0);
    char text[16];
    assert_int_equal(fd_read_full(ends[0], text, 3), 3);
    assert_memory_equal(text, "hel", 3);
    int taken = take_fd(&ends[1]);
    assert_int_equal(ends[1], -1);
    fd_close(&ends[1]); /* a negative one: nothing happens */
    errno = ENOTTY;
    fd_close(&taken);
    assert_int_equal(taken, -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(fd_read_full(ends[0], text, sizeof(text)), 2); /* up to the end */
    fd_close(&ends[0]);
    assert_int_equal(fd_read_full(-1, text, 1), -1);
    assert_int_equal(fd_write_full(-1, text, 1), -1);
}

static void check_moment(int64_t unix_ms, const char *expected)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_rfc3339(unix_ms, text);
    assert_string_equal(text, expected);
}

static void test_moments(void **state)
{
    (void)state;
    check_moment(0, "1970-01-01T00:00:00.000Z");
    check_moment(951782400123, "2000-02-29T00:00:00.123Z");
    check_moment(951868799999, "2000-02-29T23:59:59.999Z");
    check_moment(4107542400000, "2100-03-01T00:00:00.000Z"); /* 2100 has no leap day */
    check_moment(1767225599999, "2025-12-31T23:59:59.999Z");
    check_moment(-1, "1969-12-31T23:59:59.999Z");
    check_moment(INT64_MIN, "0000-01-01T00:00:00.000Z");
    check_moment(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_true(clock_realtime_ms() > INT64_C(1700000000000));
    uint64_t before = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds),        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_reserve),     cmocka_unit_test(test_grows_an_array),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
