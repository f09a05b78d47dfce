/* Messages with descriptors: what comes out of the other end. */
#include "base/fd_passing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return 0;
}

static void send_text(const char *text, const int *fds, size_t count)
{
    const struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    assert_int_equal(fd_send(pair[0], &part, 1, fds, count, 0), strlen(text));
}

static void parts_are_one_message(void **state)
{
    (void)state;
    char front[] = "front ", rest[] = "and the rest", got[64] = "";
    const struct iovec parts[] = {{front, strlen(front)}, {rest, strlen(rest)}};
    struct fd_passed passed;
    assert_int_equal(fd_send(pair[0], parts, 2, NULL, 0, 0), strlen(front) + strlen(rest));
    assert_int_equal(fd_receive(pair[1], got, sizeof(got), 0, &passed), 18);
    assert_string_equal(got, "front and the rest");
    assert_int_equal(passed.count, 0);
    assert_false(passed.is_cut);
    assert_false(passed.lacks_fds);
}

static void descriptors_are_the_receivers(void **state)
{
    (void)state;
    char got[8];
    struct fd_passed passed;
    struct stat sent, came;
    int fds[FD_PASSED_MAX];
    for (size_t i = 0; i < FD_PASSED_MAX; i++) {
        fds[i] = i % 2 == 0 ? pair[0] : pair[1];
    }
    send_text("x", fds, FD_PASSED_MAX);
    assert_int_equal(fd_receive(pair[1], got, sizeof(got), 0, &passed), 1);
    assert_int_equal(passed.count, FD_PASSED_MAX);
    assert_false(passed.lacks_fds);
    for (size_t i = 0; i < FD_PASSED_MAX; i++) {
        assert_int_equal(fcntl(passed.fds[i], F_GETFD), FD_CLOEXEC);
        assert_int_equal(fstat(fds[i], &sent), 0);
        assert_int_equal(fstat(passed.fds[i], &came), 0);
        assert_int_equal(sent.st_ino, came.st_ino);
    }
    const int second = passed.fds[1];
    fd_passed_close(&passed, 1);
    assert_int_equal(passed.count, 1);
    assert_int_equal(fcntl(second, F_GETFD), -1);
    fd_passed_close(&passed, 0);
    assert_int_equal(passed.count, 0);
}

static void too_many_are_not_sent(void **state)
{
    (void)state;
    char byte = 'x';
    const struct iovec part = {&byte, 1};
    int fds[FD_PASSED_MAX + 1];
    for (size_t i = 0; i <= FD_PASSED_MAX; i++) {
        fds[i] = pair[0];
    }
    assert_int_equal(fd_send(pair[0], &part, 1, fds, FD_PASSED_MAX + 1, 0), -1);
    assert_int_equal(errno, EINVAL);
}

static void what_is_cut_is_told(void **state)
{
    (void)state;
    char got[2];
    struct fd_passed passed;
    send_text("longer", NULL, 0);
    assert_int_equal(fd_receive(pair[1], got, sizeof(got), 0, &passed), 2);
    assert_true(passed.is_cut);
}

/* A process that may have no descriptor more learns that there were some. */
static void descriptors_without_room_are_told(void **state)
{
    (void)state;
    char got[2];
    struct fd_passed passed;
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    send_text("x", &pair[0], 1);
    now = before;
    now.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(fd_receive(pair[1], got, sizeof(got), 0, &passed), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(passed.count, 0);
    assert_true(passed.lacks_fds);
}

static void none_of_it_ends_us(void **state)
{
    (void)state;
    char byte = 'x';
    const struct iovec part = {&byte, 1};
    struct fd_passed passed = {.count = 1};
    assert_int_equal(fd_receive(pair[0], &byte, 1, MSG_DONTWAIT, &passed), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(passed.count, 0);
    assert_int_equal(shutdown(pair[1], SHUT_RDWR), 0);
    assert_int_equal(fd_send(pair[0], &part, 1, NULL, 0, 0), -1); /* and no SIGPIPE */
    assert_int_equal(errno, EPIPE);
    assert_int_equal(fd_receive(pair[0], &byte, 1, 0, &passed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_are_one_message, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(descriptors_are_the_receivers, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(too_many_are_not_sent, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(what_is_cut_is_told, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(descriptors_without_room_are_told, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(none_of_it_ends_us, open_pair, close_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
