/* Standard input on its way into a pipe: at, under and over its room, and with nobody reading. */
#include "engine/feed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PIPE_SIZE 4096

/* A pipe that holds PIPE_SIZE bytes and whose writing end does not block. */
static void make_pipe(int ends[2])
{
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
}

static void close_pipe(int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void the_requests_bytes(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {0, 1, PIPE_SIZE - 1, PIPE_SIZE, PIPE_SIZE + 1, 5 * PIPE_SIZE};
    static char data[5 * PIPE_SIZE], back[5 * PIPE_SIZE];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i * 7 + i / 256);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct feed feed;
        int ends[2];
        size_t got = 0;
        int turns = 0;
        make_pipe(ends);
        assert_int_equal(feed_init(&feed, data, sizes[i], false), 0);
        enum feed_state state = feed_flush(&feed, ends[1]);
        assert_int_equal(state, sizes[i] <= PIPE_SIZE ? FEED_ENDED : FEED_WAITING);
        while (got < sizes[i] && turns++ < 100) {
            ssize_t size = read(ends[0], back + got, sizeof(back) - got);
            assert_true(size > 0);
            got += (size_t)size;
            state = feed_flush(&feed, ends[1]);
        }
        assert_int_equal(state, FEED_ENDED);
        assert_memory_equal(back, data, sizes[i]);
        feed_done(&feed);
        close_pipe(ends);
    }
}

static void live_bytes_follow_the_requests(void **unused)
{
    (void)unused;
    struct feed feed;
    int ends[2];
    char back[16] = "";
    make_pipe(ends);
    assert_int_equal(feed_init(&feed, "one ", 4, true), 0);
    assert_int_equal(feed_take(&feed, "two ", 4), 4);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_IDLE);
    assert_int_equal(feed_take(&feed, "three", 5), 5);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_IDLE);
    assert_int_equal(read(ends[0], back, sizeof(back)), 13);
    assert_string_equal(back, "one two three");
    feed.stay_open = false;
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_ENDED);
    assert_int_equal(feed_take(&feed, "late", 4), 4); /* nobody reads it */
    feed_done(&feed);
    close_pipe(ends);
}

static void room_has_an_end(void **unused)
{
    (void)unused;
    static char data[FEED_LIVE_MAX + 1];
    static char back[FEED_LIVE_MAX];
    struct feed feed;
    int ends[2];
    make_pipe(ends);
    assert_int_equal(feed_init(&feed, NULL, 0, true), 0);
    assert_int_equal(feed_take(&feed, data, FEED_LIVE_MAX - 1), FEED_LIVE_MAX - 1);
    assert_int_equal(feed_take(&feed, data, 2), 1);
    assert_int_equal(feed_take(&feed, data, 1), 0);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_WAITING);
    assert_int_equal(feed_take(&feed, data, sizeof(data)), PIPE_SIZE);
    assert_int_equal(read(ends[0], back, sizeof(back)), PIPE_SIZE);
    feed_done(&feed);
    close_pipe(ends);

    /* The request's bytes may be more; then there is room for live ones only when they are gone. */
    make_pipe(ends);
    assert_int_equal(feed_init(&feed, data, sizeof(data), true), 0);
    assert_int_equal(feed_take(&feed, data, 1), 0);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_WAITING);
    assert_int_equal(feed_take(&feed, data, sizeof(data)), PIPE_SIZE - 1);
    feed_done(&feed);
    close_pipe(ends);
}

static void nobody_reads(void **unused)
{
    (void)unused;
    struct feed feed;
    struct sigaction action;
    sigset_t pending, mask;
    int ends[2];
    make_pipe(ends);
    (void)close(ends[0]);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL); /* a signal would end this test */
    assert_int_equal(feed_init(&feed, "bytes", 5, true), 0);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_ENDED);
    assert_int_equal(feed_take(&feed, "more", 4), 4);
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGPIPE));
    feed_done(&feed);
    (void)close(ends[1]);
}

/* A SIGPIPE that was waiting before is its owner's and stays. */
static void somebody_elses_signal_stays(void **unused)
{
    (void)unused;
    const struct timespec now = {0, 0};
    struct feed feed;
    sigset_t broken_pipe, before, pending;
    int ends[2];
    make_pipe(ends);
    (void)close(ends[0]);
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    assert_int_equal(sigprocmask(SIG_BLOCK, &broken_pipe, &before), 0);
    assert_int_equal(raise(SIGPIPE), 0);
    assert_int_equal(feed_init(&feed, "bytes", 5, false), 0);
    assert_int_equal(feed_flush(&feed, ends[1]), FEED_ENDED);
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigtimedwait(&broken_pipe, NULL, &now), SIGPIPE);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    feed_done(&feed);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_requests_bytes),
        cmocka_unit_test(live_bytes_follow_the_requests),
        cmocka_unit_test(room_has_an_end),
        cmocka_unit_test(nobody_reads),
        cmocka_unit_test(somebody_elses_signal_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
