/*
 * Asking systemd for a scope, against managers that are not what they should be: none may hold the
 * keeper up, and nothing they say makes it believe that it was moved.  The true one is met in the
 * virtual machine (tests/vm).
 */
#include "isolate/native/scope.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME     "cella-1-2"
#define ACCEPTED "OK 0123456789abcdef0123456789abcdef\r\n"
#define WAIT_MS  500
#define SLACK_MS 2000 /* of a busy machine */

enum deed {
    DEED_SILENT,      /* never answers */
    DEED_REJECT,      /* knows nobody */
    DEED_NO_LINE_END, /* the answer to who we are does not end */
    DEED_ERROR,       /* answers the call with an error */
    DEED_CLOSE,       /* goes away after the call */
    DEED_FLOOD,       /* speaks of other things without end */
    DEED_HUGE,        /* announces a message of 8 GiB */
    DEED_CHECK,       /* looks at the call, goes away when it is as it should be, else is silent */
};

/* ---- the manager ---- */

static uint32_t number_at(const unsigned char *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return number;
}

/* By what it says itself. */
static size_t call_size(const unsigned char *call)
{
    return 16 + ((size_t)number_at(call + 12) + 7) / 8 * 8 + number_at(call + 4);
}

/* "BEGIN\r\n", then the call. */
static size_t read_call(int client, unsigned char *bytes, size_t size)
{
    char byte = 0;
    while (byte != '\n') { /* of the line that says who we are, which may come in parts */
        assert_int_equal(read(client, &byte, 1), 1);
    }
    assert_int_equal(write(client, ACCEPTED, strlen(ACCEPTED)), strlen(ACCEPTED));
    size_t have = 0;
    while (have < size && (have < 7 + 16 || have < 7 + call_size(bytes + 7))) {
        ssize_t got = read(client, bytes + have, size - have);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
    return have;
}

/* What is said about sizes fits, and the name is the first argument. */
static bool is_call(const unsigned char *bytes, size_t size)
{
    if (size < 7 + 16 || memcmp(bytes, "BEGIN\r\n", 7) != 0) {
        return false;
    }
    const unsigned char *call = bytes + 7;
    const size_t fields = ((size_t)number_at(call + 12) + 7) / 8 * 8;
    return call[1] == 1 && call_size(call) == size - 7 &&
           number_at(call + 16 + fields) == strlen(NAME ".scope") &&
           strcmp((const char *)call + 16 + fields + 4, NAME ".scope") == 0;
}

static void say(int client, unsigned char type, uint32_t body, unsigned times)
{
    unsigned char message[16] = {'l', type, 0, 1};
    memcpy(message + 4, &body, sizeof(body));
    for (unsigned i = 0; i < times; i++) {
        if (send(client, message, sizeof(message), MSG_NOSIGNAL) < 0) {
            return;
        }
    }
}

static void act(int client, enum deed deed)
{
    unsigned char bytes[2048];
    if (deed == DEED_REJECT || deed == DEED_NO_LINE_END) {
        const char *line = deed == DEED_REJECT ? "REJECTED EXTERNAL\r\n" : "OK 0";
        (void)!write(client, line, strlen(line));
    } else if (deed != DEED_SILENT) {
        const size_t size = read_call(client, bytes, sizeof(bytes));
        if (deed == DEED_ERROR) {
            say(client, 3, 0, 1);
        } else if (deed == DEED_FLOOD) {
            say(client, 4, 0, 1U << 30);
        } else if (deed == DEED_HUGE) {
            say(client, 4, UINT32_MAX, 1);
        } else if (deed == DEED_CLOSE || is_call(bytes, size)) {
            _exit(0);
        }
    }
    pause();
}

/* ---- the tests ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long a manager of that kind holds us up. */
static int64_t meet(enum deed deed)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[] = "/tmp/scope-XXXXXX";
    assert_non_null(mkdtemp(directory));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/private", directory);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server, 1), 0);
    pid_t manager = fork();
    if (manager == 0) {
        act(accept(server, NULL, NULL), deed);
        _exit(1);
    }
    close(server);
    const int64_t started = now_ms();
    assert_false(scope_enter(address.sun_path, NAME, WAIT_MS));
    const int64_t took = now_ms() - started;
    kill(manager, SIGKILL);
    waitpid(manager, NULL, 0);
    unlink(address.sun_path);
    rmdir(directory);
    return took;
}

static void test_there_is_none(void **state)
{
    (void)state;
    assert_false(scope_enter("/nonexistent/private", NAME, WAIT_MS));
}

static void test_it_ends_soon(void **state)
{
    (void)state;
    static const enum deed deeds[] = {DEED_REJECT, DEED_ERROR, DEED_CLOSE, DEED_CHECK};
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        assert_true(meet(deeds[i]) < WAIT_MS);
    }
}

static void test_it_ends_in_time(void **state)
{
    (void)state;
    static const enum deed deeds[] = {DEED_SILENT, DEED_NO_LINE_END, DEED_FLOOD, DEED_HUGE};
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        assert_in_range(meet(deeds[i]), WAIT_MS - 1, WAIT_MS + SLACK_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_none),
        cmocka_unit_test(test_it_ends_soon),
        cmocka_unit_test(test_it_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
