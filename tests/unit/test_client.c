/*
 * The keeper's client against keepers that misbehave.  The fake keeper is this program itself,
 * started again: what it shall do is the number of the run that it is asked to create.
 */
#include "base/fd_passing.h"
#include "keeper/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FAKE_SOCKET   3
#define FAKE_SLEEP_MS 500
#define PATIENCE_MS   5000
#define DESCRIPTORS   64 /* looked at when counting what is open */
#define FULL_TRIES    100000

enum deed {
    DEED_ORDERLY = 1, /* HELLO, CREATED, STARTED, NOTICE, ENDED */
    DEED_NO_HELLO,
    DEED_TWO_HELLOS,
    DEED_REFUSE_RUN,
    DEED_REFUSE_ALL,
    DEED_UNENDED_TEXTS,
    DEED_GARBAGE,
    DEED_SHORT,
    DEED_LONG,
    DEED_HUGE,
    DEED_OLD_VERSION,
    DEED_UNKNOWN_TYPE,
    DEED_OUR_TYPE,
    DEED_FIVE_DESCRIPTORS,
    DEED_NINE_DESCRIPTORS,
    DEED_THREE_DESCRIPTORS,
    DEED_DESCRIPTORS_WITH_STARTED,
    DEED_EXIT,
    DEED_CRASH,
    DEED_LINGER, /* closes its socket and stays */
    DEED_AUDIT,  /* refuses with what it finds open and set as text */
    DEED_STOP,   /* answers a STOP with ENDED */
    DEED_SLEEP,  /* never reads again */
};

/* ---- the fake keeper ---- */

static void fake_send(const void *frame, size_t size, size_t descriptors)
{
    const int fds[FD_PASSED_MAX] = {STDIN_FILENO}; /* the others are the same */
    const struct iovec part = {(void *)(uintptr_t)frame, size};
    if (fd_send(FAKE_SOCKET, &part, 1, fds, descriptors, 0) != (ssize_t)size) {
        _exit(91);
    }
}

static void fake_header(enum keeper_frame_type type, uint64_t run, size_t size, size_t descriptors)
{
    char frame[2048] = {0};
    const struct keeper_frame_header header = {type, KEEPER_PROTOCOL_VERSION, run};
    memcpy(frame, &header, sizeof(header));
    fake_send(frame, size, descriptors);
}

static void fake_created(uint64_t run, size_t descriptors)
{
    fake_header(KEEPER_CREATED, run, sizeof(struct keeper_created), descriptors);
}

static void fake_orderly(uint64_t run)
{
    struct keeper_notice notice = {.header = {KEEPER_NOTICE, KEEPER_PROTOCOL_VERSION, run},
                                   .cause = KEEPER_CAUSE_WALL};
    struct keeper_ended ended = {.header = {KEEPER_ENDED, KEEPER_PROTOCOL_VERSION, run},
                                 .status = 256};
    fake_created(run, KEEPER_STREAMS);
    fake_header(KEEPER_STARTED, run, sizeof(struct keeper_started), 0);
    fake_send(&notice, sizeof(notice), 0);
    fake_send(&ended, sizeof(ended), 0);
}

static void fake_refuse(uint64_t run, enum cella_error_kind kind, const char *text)
{
    struct keeper_refused refused = {.header = {KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, run},
                                     .step = "clone"};
    refused.error.kind = kind;
    (void)snprintf(refused.error.text, sizeof(refused.error.text), "%s", text);
    fake_send(&refused, sizeof(refused), 0);
}

static void fake_unended_texts(uint64_t run)
{
    struct keeper_refused refused;
    memset(&refused, 'x', sizeof(refused));
    refused.header = (struct keeper_frame_header){KEEPER_REFUSED, KEEPER_PROTOCOL_VERSION, run};
    fake_send(&refused, sizeof(refused), 0);
}

static bool leads_nowhere(int fd)
{
    struct stat file, null;
    return fstat(fd, &file) == 0 && stat("/dev/null", &null) == 0 && file.st_rdev == null.st_rdev;
}

/* What the keeper inherits: nothing but its socket, no environment, no blocked or ignored signal,
 * a session of its own. */
static void fake_audit(uint64_t run, int pack)
{
    char text[256];
    size_t open_count = 0;
    for (int fd = FAKE_SOCKET + 1; fd < 256; fd++) {
        open_count += fd != pack && fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    sigset_t blocked;
    struct sigaction hangup;
    bool clean = sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGINT) &&
                 sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_DFL;
    (void)snprintf(text, sizeof(text),
                   "null %d%d, open %zu, environment %d, signals %d, session %d", leads_nowhere(0),
                   leads_nowhere(1), open_count, environ[0] != NULL, clean, getsid(0) == getpid());
    fake_refuse(run, CELLA_ERROR_CALLER, text);
}

static void fake_wrong_sizes(enum deed deed, uint64_t run)
{
    if (deed == DEED_GARBAGE) {
        fake_send("what", 4, 0);
    } else if (deed == DEED_SHORT) {
        fake_header(KEEPER_STARTED, run, sizeof(struct keeper_started) - 1, 0);
    } else if (deed == DEED_LONG) {
        fake_header(KEEPER_STARTED, run, sizeof(struct keeper_started) + 1, 0);
    } else if (deed == DEED_HUGE) {
        fake_header(KEEPER_REFUSED, run, 2048, 0);
    } else if (deed == DEED_UNKNOWN_TYPE) {
        fake_header((enum keeper_frame_type)99, run, sizeof(struct keeper_started), 0);
    } else if (deed == DEED_OUR_TYPE) {
        fake_header(KEEPER_STOP, run, sizeof(struct keeper_stop), 0);
    } else {
        struct keeper_started old = {.header = {KEEPER_STARTED, KEEPER_PROTOCOL_VERSION + 1, run}};
        fake_send(&old, sizeof(old), 0);
    }
}

static void fake_do(enum deed deed, uint64_t run, int pack)
{
    static char stop[sizeof(struct keeper_create)];
    switch (deed) {
    case DEED_ORDERLY:
        fake_orderly(run);
        break;
    case DEED_NO_HELLO:
        fake_created(run, KEEPER_STREAMS);
        break;
    case DEED_TWO_HELLOS:
        fake_header(KEEPER_HELLO, 0, sizeof(struct keeper_hello), 0);
        break;
    case DEED_REFUSE_RUN:
        fake_refuse(run, CELLA_ERROR_HOST, "cannot make the namespaces");
        break;
    case DEED_REFUSE_ALL:
        fake_refuse(0, CELLA_ERROR_HOST, "cannot make a user namespace");
        break;
    case DEED_UNENDED_TEXTS:
        fake_unended_texts(run);
        break;
    case DEED_FIVE_DESCRIPTORS:
        fake_created(run, 5);
        break;
    case DEED_NINE_DESCRIPTORS:
        fake_created(run, 9);
        break;
    case DEED_THREE_DESCRIPTORS:
        fake_created(run, 3);
        break;
    case DEED_DESCRIPTORS_WITH_STARTED:
        fake_header(KEEPER_STARTED, run, sizeof(struct keeper_started), KEEPER_STREAMS);
        break;
    case DEED_EXIT:
        _exit(42);
    case DEED_CRASH:
        (void)raise(SIGKILL);
        break;
    case DEED_LINGER:
        (void)close(FAKE_SOCKET);
        (void)poll(NULL, 0, FAKE_SLEEP_MS);
        break;
    case DEED_AUDIT:
        fake_audit(run, pack);
        break;
    case DEED_STOP:
        if (recv(FAKE_SOCKET, stop, sizeof(stop), 0) == sizeof(struct keeper_stop)) {
            fake_header(KEEPER_ENDED, run, sizeof(struct keeper_ended), 0);
        }
        break;
    case DEED_SLEEP:
        (void)poll(NULL, 0, FAKE_SLEEP_MS);
        break;
    default:
        fake_wrong_sizes(deed, run);
        break;
    }
}

/* Takes one CREATE, does what its number says, and ends with its socket. */
static int fake_keeper(void)
{
    static struct keeper_create create;
    struct fd_passed passed;
    const ssize_t size = fd_receive(FAKE_SOCKET, &create, sizeof(create), 0, &passed);
    if (size == 0) {
        return 0;
    }
    if (size != (ssize_t)sizeof(create) || passed.count != 1) {
        return 92;
    }
    const int pack = passed.fds[0];
    enum deed deed = (enum deed)create.header.run;
    if (deed != DEED_NO_HELLO && deed != DEED_REFUSE_ALL) {
        fake_header(KEEPER_HELLO, 0, sizeof(struct keeper_hello), 0);
    }
    fake_do(deed, create.header.run, pack);
    char end;
    return recv(FAKE_SOCKET, &end, 1, 0) == 0 ? 0 : 93;
}

/* ---- the tests ---- */

static struct keeper_client *open_client(void)
{
    struct keeper_client *client = NULL;
    struct cella_error err = {0};
    if (keeper_client_open("/proc/self/exe", &client, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return client;
}

static void ask_for(struct keeper_client *client, enum deed deed)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    struct cella_error err;
    assert_non_null(plan);
    int pack = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(pack >= 0);
    assert_int_equal(keeper_client_create(client, deed, 0, false, plan, pack, &err), 1);
    assert_int_equal(close(pack), 0);
    free(plan);
}

/* Waits for what comes; 0 when nothing does. */
static int receive(struct keeper_client *client, struct keeper_message *message,
                   struct cella_error *err)
{
    struct pollfd ready = {.fd = keeper_client_socket(client), .events = POLLIN};
    int result = 0;
    while (result == 0 && poll(&ready, 1, PATIENCE_MS) == 1) {
        result = keeper_client_receive(client, message, err);
    }
    return result;
}

static size_t count_open(void)
{
    size_t count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void an_orderly_run(void **unused)
{
    (void)unused;
    size_t open_before = count_open();
    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_ORDERLY);

    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_CREATED);
    assert_int_equal(message.frame.header.run, DEED_ORDERLY);
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        assert_int_equal(fcntl(message.streams[i], F_GETFD), FD_CLOEXEC);
        assert_int_equal(close(message.streams[i]), 0);
    }
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_STARTED);
    assert_int_equal(message.streams[0], -1);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_NOTICE);
    assert_int_equal(message.frame.notice.cause, KEEPER_CAUSE_WALL);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_ENDED);
    assert_int_equal(message.frame.ended.status, 256);
    assert_int_equal(keeper_client_receive(client, &message, &err), 0);
    keeper_client_close(client);
    assert_int_equal(count_open(), open_before);
}

static void a_stop_arrives(void **unused)
{
    (void)unused;
    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_STOP);
    assert_int_equal(keeper_client_stop(client, DEED_STOP, &err), 1);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_ENDED);
    keeper_client_close(client);
}

static void the_keeper_inherits_nothing(void **unused)
{
    (void)unused;
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, hangup;
    assert_int_equal(sigprocmask(SIG_BLOCK, &interrupt, &before), 0);
    assert_int_equal(sigaction(SIGHUP, &ignore, &hangup), 0);
    int leak = open("/dev/zero", O_RDONLY); /* without O_CLOEXEC, as a careless caller has it */
    assert_true(leak >= 0);

    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_AUDIT);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_string_equal(message.frame.refused.error.text,
                        "null 11, open 0, environment 0, signals 1, session 1");
    keeper_client_close(client);

    assert_int_equal(close(leak), 0);
    assert_int_equal(sigaction(SIGHUP, &hangup, NULL), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

static void a_refused_run_is_handed_out(void **unused)
{
    (void)unused;
    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_REFUSE_RUN);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_REFUSED);
    assert_int_equal(message.frame.refused.error.kind, CELLA_ERROR_HOST);
    assert_string_equal(message.frame.refused.error.text, "cannot make the namespaces");
    assert_string_equal(message.frame.refused.step, "clone");
    keeper_client_close(client);
}

static void texts_without_an_end_get_one(void **unused)
{
    (void)unused;
    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_UNENDED_TEXTS);
    assert_int_equal(receive(client, &message, &err), 1);
    const struct keeper_refused *refused = &message.frame.refused;
    assert_int_equal(strlen(refused->error.text), sizeof(refused->error.text) - 1);
    assert_int_equal(strlen(refused->error.field), sizeof(refused->error.field) - 1);
    assert_int_equal(strlen(refused->error.hint), sizeof(refused->error.hint) - 1);
    assert_int_equal(strlen(refused->step), sizeof(refused->step) - 1);
    assert_int_equal(refused->error.kind, CELLA_ERROR_BUG);
    keeper_client_close(client);
}

/* Each of these loses the keeper, for good, with this text, and leaves no descriptor. */
static void what_loses_the_keeper(void **unused)
{
    (void)unused;
    static const struct {
        enum deed deed;
        enum cella_error_kind kind;
        const char *text;
    } rows[] = {
        {DEED_REFUSE_ALL, CELLA_ERROR_HOST, "cannot make a user namespace"},
        {DEED_NO_HELLO, CELLA_ERROR_BUG, "the keeper broke the protocol: it did not greet first"},
        {DEED_TWO_HELLOS, CELLA_ERROR_BUG, "the keeper broke the protocol: it greeted twice"},
        {DEED_GARBAGE, CELLA_ERROR_BUG,
         "the keeper broke the protocol: not a frame of this version"},
        {DEED_OLD_VERSION, CELLA_ERROR_BUG,
         "the keeper broke the protocol: not a frame of this version"},
        {DEED_HUGE, CELLA_ERROR_BUG, "the keeper broke the protocol: not a frame of this version"},
        {DEED_SHORT, CELLA_ERROR_BUG,
         "the keeper broke the protocol: a frame of a wrong type or size"},
        {DEED_LONG, CELLA_ERROR_BUG,
         "the keeper broke the protocol: a frame of a wrong type or size"},
        {DEED_UNKNOWN_TYPE, CELLA_ERROR_BUG,
         "the keeper broke the protocol: a frame of a wrong type or size"},
        {DEED_OUR_TYPE, CELLA_ERROR_BUG,
         "the keeper broke the protocol: a frame of a wrong type or size"},
        {DEED_FIVE_DESCRIPTORS, CELLA_ERROR_BUG,
         "the keeper broke the protocol: more descriptors than belong to any frame"},
        {DEED_NINE_DESCRIPTORS, CELLA_ERROR_BUG,
         "the keeper broke the protocol: more descriptors than belong to any frame"},
        {DEED_DESCRIPTORS_WITH_STARTED, CELLA_ERROR_BUG,
         "the keeper broke the protocol: descriptors with a frame that has none"},
        {DEED_EXIT, CELLA_ERROR_HOST, "the keeper has ended unexpectedly, with exit code 42"},
        {DEED_CRASH, CELLA_ERROR_HOST, "the keeper has ended unexpectedly, by signal SIGKILL"},
        {DEED_LINGER, CELLA_ERROR_HOST, "the keeper has closed its socket"},
    };
    size_t open_before = count_open();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct keeper_client *client = open_client();
        struct keeper_message message;
        struct plan *plan = calloc(1, sizeof(*plan));
        struct cella_error err = {0}, again = {0};
        assert_non_null(plan);
        ask_for(client, rows[i].deed);
        int result = receive(client, &message, &err);
        if (result != -1 || err.kind != rows[i].kind || strcmp(err.text, rows[i].text) != 0) {
            fail_msg("deed %d: %d, kind %d, \"%s\"", rows[i].deed, result, err.kind, err.text);
        }
        assert_int_equal(keeper_client_receive(client, &message, &again), -1);
        assert_string_equal(again.text, rows[i].text);
        assert_int_equal(keeper_client_create(client, 1, 0, false, plan, 0, &again), -1);
        assert_string_equal(again.text, rows[i].text);
        assert_int_equal(keeper_client_stop(client, 1, &again), -1);
        free(plan);
        keeper_client_close(client);
        assert_int_equal(count_open(), open_before);
    }
}

/* As when this process has no room for descriptors: the frame comes, and nothing leaks. */
static void too_few_descriptors_are_none(void **unused)
{
    (void)unused;
    size_t open_before = count_open();
    struct keeper_client *client = open_client();
    struct keeper_message message;
    struct cella_error err;
    ask_for(client, DEED_THREE_DESCRIPTORS);
    assert_int_equal(receive(client, &message, &err), 1);
    assert_int_equal(message.frame.header.type, KEEPER_CREATED);
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        assert_int_equal(message.streams[i], -1);
    }
    keeper_client_close(client);
    assert_int_equal(count_open(), open_before);
}

static void a_death_that_the_socket_hides(void **unused)
{
    (void)unused;
    struct keeper_client *client = open_client();
    struct cella_error err;
    assert_int_equal(keeper_client_died(client, &err), -1);
    assert_string_equal(err.text, "the keeper has closed its socket");
    keeper_client_close(client);
}

/* A keeper that does not read never makes us wait. */
static void a_full_socket_is_no_error(void **unused)
{
    (void)unused;
    struct keeper_client *client = open_client();
    struct cella_error err;
    int sent = 1;
    ask_for(client, DEED_SLEEP);
    for (int i = 0; i < FULL_TRIES && sent == 1; i++) {
        sent = keeper_client_stop(client, 1, &err);
    }
    assert_int_equal(sent, 0);
    struct pollfd death = {.fd = keeper_client_pidfd(client), .events = POLLIN};
    assert_int_equal(poll(&death, 1, 0), 0);
    keeper_client_close(client);
}

static void a_keeper_that_is_not_there(void **unused)
{
    (void)unused;
    size_t open_before = count_open();
    struct keeper_client *client = NULL;
    struct cella_error err;
    assert_int_equal(keeper_client_open("/nonexistent/keeper", &client, &err), -1);
    assert_null(client);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_string_equal(err.text, "cannot start the keeper /nonexistent/keeper: "
                                  "No such file or directory");
    assert_int_equal(count_open(), open_before);
    keeper_client_close(NULL);
}

int main(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "cella-keeper") == 0) {
        return fake_keeper();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orderly_run),
        cmocka_unit_test(a_stop_arrives),
        cmocka_unit_test(the_keeper_inherits_nothing),
        cmocka_unit_test(a_refused_run_is_handed_out),
        cmocka_unit_test(texts_without_an_end_get_one),
        cmocka_unit_test(what_loses_the_keeper),
        cmocka_unit_test(too_few_descriptors_are_none),
        cmocka_unit_test(a_death_that_the_socket_hides),
        cmocka_unit_test(a_full_socket_is_no_error),
        cmocka_unit_test(a_keeper_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
