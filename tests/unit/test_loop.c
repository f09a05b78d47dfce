/* The loop of the server: what is told, when, and what is not after a watch was closed. */
#include "front/serve/host/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 200U

static uint64_t now_ms = 1000;

/* In the place of base/clock.c's: a test can let time pass. */
uint64_t __wrap_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void)
{
    return now_ms * 1000;
}

struct watcher {
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_watch *victim; /* is closed when this one is told of anything */
    int other;                 /* end of the socket */
    unsigned received, rooms, gone, timeouts;
    unsigned order; /* of its timeout */
    bool closes_itself;
    bool goes_on; /* does not stop the loop, until it is gone */
};

static unsigned told;

static void note(struct watcher *watcher)
{
    if (watcher->victim != NULL) {
        loop_close(watcher->victim);
    }
    if (watcher->closes_itself) {
        loop_close(watcher->watch);
    }
    if (!watcher->goes_on) {
        loop_stop(watcher->loop);
    }
}

static void on_readable(void *context)
{
    struct watcher *watcher = context;
    watcher->received++;
    note(watcher);
}

static void on_received(void *context, const char *data, size_t size)
{
    struct watcher *watcher = context;
    (void)data;
    watcher->received += (unsigned)size;
    note(watcher);
}

static void on_room(void *context)
{
    struct watcher *watcher = context;
    watcher->rooms++;
    note(watcher);
}

static void on_gone(void *context)
{
    struct watcher *watcher = context;
    watcher->gone++;
    loop_stop(watcher->loop);
}

static void on_timeout(void *context)
{
    struct watcher *watcher = context;
    watcher->timeouts++;
    watcher->order = ++told;
    note(watcher);
}

static const struct loop_events events = {.readable = on_readable,
                                          .received = on_received,
                                          .has_room = on_room,
                                          .gone = on_gone,
                                          .timeout = on_timeout};

static struct loop *make_loop(unsigned max)
{
    struct loop *loop = NULL;
    struct cella_error err;
    assert_int_equal(loop_create(max, &loop, &err), 0);
    told = 0;
    return loop;
}

static void watch_socket(struct loop *loop, struct watcher *watcher)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    *watcher = (struct watcher){.loop = loop, .other = ends[1]};
    watcher->watch = loop_add_socket(loop, ends[0], &events, watcher);
    assert_non_null(watcher->watch);
}

/* One loop_run() until a watcher stops it.  A loop that was stopped stays so: each is used once. */
static void run(struct loop *loop)
{
    struct cella_error err;
    assert_int_equal(loop_run(loop, &err), 0);
}

static void test_what_comes_is_told(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher watcher;
    (void)state;
    watch_socket(loop, &watcher);
    assert_int_equal(write(watcher.other, "abc", 3), 3);
    run(loop);
    assert_int_equal(watcher.received, 3);
    assert_int_equal(watcher.rooms + watcher.gone, 0);
    loop_destroy(loop);
    assert_int_equal(read(watcher.other, &told, 1), 0); /* its end was closed */
    (void)close(watcher.other);
}

static void test_room_is_told_once_for_each_wish(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher asks, timer;
    (void)state;
    watch_socket(loop, &asks);
    watch_socket(loop, &timer);
    asks.goes_on = true;
    loop_want_room(asks.watch);
    loop_want_room(asks.watch);
    loop_set_timer(timer.watch, 1);
    now_ms += 1;
    run(loop);
    assert_int_equal(asks.rooms, 1);
    loop_destroy(loop);
    (void)close(asks.other);
    (void)close(timer.other);
}

static void test_what_is_not_read_is_not_told(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher deaf, hears;
    (void)state;
    watch_socket(loop, &deaf);
    watch_socket(loop, &hears);
    loop_set_reading(deaf.watch, false);
    assert_int_equal(write(deaf.other, "a", 1), 1);
    assert_int_equal(write(hears.other, "a", 1), 1);
    run(loop);
    assert_int_equal(deaf.received, 0);
    assert_int_equal(hears.received, 1);
    loop_destroy(loop);
    (void)close(deaf.other);
    (void)close(hears.other);
}

static void test_the_end_is_told_behind_what_came(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher watcher;
    (void)state;
    watch_socket(loop, &watcher);
    assert_int_equal(write(watcher.other, "abc", 3), 3);
    (void)close(watcher.other);
    watcher.goes_on = true;
    run(loop);
    assert_int_equal(watcher.received, 3);
    loop_destroy(loop);
}

static void test_one_that_is_gone_both_ways_is_told_unread(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher watcher;
    (void)state;
    watch_socket(loop, &watcher);
    loop_set_reading(watcher.watch, false);
    (void)close(watcher.other);
    run(loop);
    assert_int_equal(watcher.gone, 1);
    assert_int_equal(watcher.received, 0);
    loop_destroy(loop);
}

/* As TCP tells of one that has closed. */
static void test_one_that_sends_no_more_is_told_unread(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher watcher;
    (void)state;
    watch_socket(loop, &watcher);
    loop_set_reading(watcher.watch, false);
    assert_int_equal(write(watcher.other, "abc", 3), 3);
    assert_int_equal(shutdown(watcher.other, SHUT_WR), 0);
    run(loop);
    assert_int_equal(watcher.gone, 1);
    assert_int_equal(watcher.received, 0);
    loop_destroy(loop);
    (void)close(watcher.other);
}

/* Two are told of in one turn; the one closes the other. */
static void test_nothing_is_told_of_one_that_was_closed(void **state)
{
    struct loop *loop = make_loop(4);
    struct watcher pair[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        watch_socket(loop, &pair[i]);
        assert_int_equal(write(pair[i].other, "a", 1), 1);
        loop_want_room(pair[i].watch);
        loop_set_timer(pair[i].watch, 1);
    }
    now_ms += 1;
    pair[0].victim = pair[1].watch;
    pair[1].victim = pair[0].watch;
    pair[0].closes_itself = pair[1].closes_itself = true;
    run(loop);
    unsigned all = 0;
    for (int i = 0; i < 2; i++) {
        all += pair[i].received + pair[i].rooms + pair[i].timeouts + pair[i].gone;
        assert_true(read(pair[i].other, &told, 1) <= 0); /* closed, and with it what was unread */
        (void)close(pair[i].other);
    }
    assert_int_equal(all, 1);
    loop_destroy(loop);
}

static void test_timers_come_in_their_order(void **state)
{
    struct loop *loop = make_loop(MANY + 1);
    struct watcher watchers[MANY];
    struct watcher last;
    uint32_t seed = 7;
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        watch_socket(loop, &watchers[i]);
        watchers[i].goes_on = true;
        loop_set_timer(watchers[i].watch, 5000);
    }
    unsigned due[MANY];
    for (unsigned i = 0; i < MANY; i++) { /* each is set anew, and every seventh stopped */
        seed = seed * 1103515245U + 12345U;
        due[i] = i % 7 == 0 ? 0 : 1 + (seed >> 16) % 1000;
        loop_set_timer(watchers[i].watch, due[i]);
    }
    watch_socket(loop, &last);
    loop_set_timer(last.watch, 2000);
    now_ms += 2000;
    run(loop);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(watchers[i].timeouts, due[i] > 0);
        for (unsigned k = 0; k < MANY; k++) {
            assert_false(due[i] > 0 && due[i] < due[k] && watchers[i].order > watchers[k].order);
        }
        (void)close(watchers[i].other);
    }
    assert_int_equal(last.order, told);
    (void)close(last.other);
    loop_destroy(loop);
}

static void test_descriptors_are_told_until_they_are_read(void **state)
{
    struct loop *loop = make_loop(2);
    struct watcher watcher = {.loop = loop};
    (void)state;
    const int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    watcher.watch = loop_add_descriptor(loop, fd, &events, &watcher);
    assert_int_equal(loop_socket(watcher.watch), fd);
    run(loop);
    assert_int_equal(watcher.received, 1);
    loop_destroy(loop);
}

static struct watcher late; /* comes where memory was freed */

/* Told in every turn; the fourth is the last. */
static void on_turn(void *context)
{
    struct watcher *watcher = context;
    if (++watcher->received == 2) {
        late = (struct watcher){.loop = watcher->loop};
        assert_non_null(loop_add_descriptor(watcher->loop, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                            &events, &late));
    } else if (watcher->received == 4) {
        loop_stop(watcher->loop);
    }
}

/* What another process has open too goes on having events: nobody is told of them, least of all
 * whoever is now where that watch was. */
static void test_one_that_is_open_elsewhere_is_closed_all_the_same(void **state)
{
    static const struct loop_events turns = {.readable = on_turn};
    static char data[100000]; /* more than is read at once */
    struct loop *loop = make_loop(3);
    struct watcher watcher, clock = {.loop = loop};
    (void)state;
    watch_socket(loop, &watcher);
    watcher.closes_itself = watcher.goes_on = true;
    const int elsewhere = dup(loop_socket(watcher.watch));
    assert_true(write(watcher.other, data, sizeof(data)) > 65536);
    assert_non_null(
        loop_add_descriptor(loop, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), &turns, &clock));
    run(loop);
    assert_int_equal(watcher.received, 65536);
    assert_int_equal(watcher.gone, 0);
    assert_int_equal(late.received, 0);
    loop_destroy(loop);
    (void)close(elsewhere);
    (void)close(watcher.other);
}

static void test_no_more_than_there_is_room_for(void **state)
{
    struct loop *loop = make_loop(1);
    struct watcher watcher;
    (void)state;
    watch_socket(loop, &watcher);
    const int fd = eventfd(0, EFD_CLOEXEC);
    assert_null(loop_add_descriptor(loop, fd, &events, &watcher));
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was taken all the same */
    loop_destroy(loop);
    (void)close(watcher.other);
}

/* In one turn one goes and another comes: there is one at any time. */
static void test_one_that_was_closed_takes_no_room(void **state)
{
    struct loop *loop = make_loop(1);
    struct watcher watcher, next;
    (void)state;
    watch_socket(loop, &watcher);
    loop_close(watcher.watch);
    watch_socket(loop, &next);
    loop_set_timer(next.watch, 1);
    now_ms += 1;
    run(loop);
    assert_int_equal(next.timeouts, 1);
    loop_destroy(loop);
    (void)close(watcher.other);
    (void)close(next.other);
}

static void test_a_timer_needs_no_descriptor(void **state)
{
    struct loop *loop = make_loop(2);
    struct watcher first = {.loop = loop, .goes_on = true}, second = {.loop = loop};
    (void)state;
    first.watch = loop_add_timer(loop, &events, &first);
    second.watch = loop_add_timer(loop, &events, &second);
    assert_true(first.watch != NULL && second.watch != NULL);
    assert_null(loop_add_timer(loop, &events, NULL));
    first.closes_itself = true;
    loop_set_reading(second.watch, false); /* which says nothing of a timer */
    loop_set_timer(first.watch, 5);
    loop_set_timer(second.watch, 10);
    now_ms += 10;
    run(loop);
    assert_int_equal(first.timeouts, 1);
    assert_int_equal(second.timeouts, 1);
    assert_int_equal(second.order, first.order + 1);
    loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_is_told),
        cmocka_unit_test(test_room_is_told_once_for_each_wish),
        cmocka_unit_test(test_what_is_not_read_is_not_told),
        cmocka_unit_test(test_the_end_is_told_behind_what_came),
        cmocka_unit_test(test_one_that_is_gone_both_ways_is_told_unread),
        cmocka_unit_test(test_one_that_sends_no_more_is_told_unread),
        cmocka_unit_test(test_nothing_is_told_of_one_that_was_closed),
        cmocka_unit_test(test_timers_come_in_their_order),
        cmocka_unit_test(test_descriptors_are_told_until_they_are_read),
        cmocka_unit_test(test_one_that_is_open_elsewhere_is_closed_all_the_same),
        cmocka_unit_test(test_no_more_than_there_is_room_for),
        cmocka_unit_test(test_one_that_was_closed_takes_no_room),
        cmocka_unit_test(test_a_timer_needs_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
