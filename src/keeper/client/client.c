/*
 * The engine's end of the socket to its keeper: see client.h.
 *
 * Divisions: starting and ending the process; sending; receiving and checking.
 */
#include "keeper/client/client.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/fd_passing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the keeper finds its socket. */
#define KEEPER_FD_SOCKET 3

/* How long the keeper may take to end its runs and itself. */
#define KEEPER_CLOSE_MS 10000

/* How long a keeper whose socket has closed may take to be dead, for an error that says how. */
#define KEEPER_DEATH_MS 100

struct keeper_client {
    int socket;
    int pidfd;
    bool greeted;
    struct cella_error lost; /* kind CELLA_ERROR_NONE while all is well */
};

static int spawn_keeper(const char *path, int socket, pid_t *ret_pid, struct cella_error *err);
static int check_message(struct keeper_client *client, struct fd_passed *passed, size_t size,
                         struct keeper_message *message);

/* ---- the process ---- */

int keeper_client_open(const char *path, struct keeper_client **ret_client, struct cella_error *err)
{
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a socket for the keeper");
    }
    AUTO_CLOSE int ours = pair[0];
    AUTO_CLOSE int theirs = pair[1];
    pid_t pid = -1;
    if (spawn_keeper(path, theirs, &pid, err) < 0) {
        return -1;
    }
    return keeper_client_adopt(take_fd(&ours), pid, ret_client, err);
}

int keeper_client_adopt(int socket, pid_t pid, struct keeper_client **ret_client,
                        struct cella_error *err)
{
    AUTO_CLOSE int ours = socket;
    AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    struct keeper_client *client = pidfd >= 0 ? malloc(sizeof(*client)) : NULL;
    if (client == NULL) {
        error_set(err, CELLA_ERROR_HOST, errno, "cannot watch the keeper");
        /* Our child that nobody has waited for: the number is still its own. */
        IGNORE(kill(pid, SIGKILL) < 0);
        IGNORE(waitpid(pid, NULL, 0) < 0); /* no child any more: all the same */
        return -1;
    }
    *client = (struct keeper_client){.socket = take_fd(&ours), .pidfd = take_fd(&pidfd)};
    *ret_client = client;
    return 0;
}

/* Standard input and output lead nowhere, errors go where ours go, nothing else is open.
 * Each returns an errno, as the functions of posix_spawn do. */
static int add_file_actions(posix_spawn_file_actions_t *actions, int socket)
{
    /* First the socket, which may itself have one of the numbers that are opened next. */
    int number = posix_spawn_file_actions_adddup2(actions, socket, KEEPER_FD_SOCKET);
    if (number == 0) {
        number = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    }
    if (number == 0) {
        number = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
    }
    if (number == 0 && fcntl(STDERR_FILENO, F_GETFD) < 0) {
        number = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDERR_FILENO);
    }
    if (number == 0) {
        number = posix_spawn_file_actions_addclosefrom_np(actions, KEEPER_FD_SOCKET + 1);
    }
    return number;
}

/* Our caller's signals are not the keeper's, and an interrupt typed at the terminal ends the run,
 * not the keeper, which must still clean up: so a session of its own. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int number = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF);
    if (number == 0) {
        number = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (number == 0) {
        number = posix_spawnattr_setsigdefault(attributes, &all);
    }
    return number;
}

/* Nothing of our environment, but the fault that a test build is to inject. */
static int make_environment(char **ret_variable)
{
    *ret_variable = NULL;
#ifdef CELLA_TESTING
    const char *fault = getenv("CELLA_FAULT");
    if (fault != NULL && asprintf(ret_variable, "CELLA_FAULT=%s", fault) < 0) {
        return -1;
    }
#endif
    return 0;
}

static int spawn_keeper(const char *path, int socket, pid_t *ret_pid, struct cella_error *err)
{
    char name[] = "cella-keeper";
    char *const argv[] = {name, NULL};
    AUTO_FREE char *variable = NULL;
    if (make_environment(&variable) < 0) {
        return error_set_memory(err);
    }
    char *const environment[] = {variable, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return error_set_memory(err);
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions); /* frees only */
        return error_set_memory(err);
    }
    int number = add_file_actions(&actions, socket);
    if (number == 0) {
        number = set_attributes(&attributes);
    }
    if (number == 0) {
        number = posix_spawn(ret_pid, path, &actions, &attributes, argv, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    if (number != 0) {
        error_set(err, CELLA_ERROR_HOST, number, "cannot start the keeper %s", path);
        return number == ENOENT ? error_set_hint(err, "install it, or say where it is in the "
                                                      "environment variable CELLA_KEEPER")
                                : -1;
    }
    return 0;
}

static bool wait_for_death(int pidfd, int timeout_ms)
{
    struct pollfd death = {.fd = pidfd, .events = POLLIN};
    int count;
    do {
        count = poll(&death, 1, timeout_ms);
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

void keeper_client_close(struct keeper_client *client)
{
    if (client == NULL) {
        return;
    }
    fd_close(&client->socket);
    if (client->pidfd >= 0) {
        /* The kernel then ends its runs.  Fails for one that has just died, and in a process that
         * has confined itself: whoever has started the keeper for it ends it then. */
        const bool lives = !wait_for_death(client->pidfd, KEEPER_CLOSE_MS) &&
                           pidfd_send_signal(client->pidfd, SIGKILL, NULL, 0) < 0 && errno == EPERM;
        siginfo_t ignored;
        while (!lives && waitid(P_PIDFD, (id_t)client->pidfd, &ignored, WEXITED) < 0 &&
               errno == EINTR) {
        }
        fd_close(&client->pidfd);
    }
    free(client);
}

int keeper_client_socket(const struct keeper_client *client)
{
    return client->socket;
}

int keeper_client_pidfd(const struct keeper_client *client)
{
    return client->pidfd;
}

/* Says how the keeper ended, where that can be told: it stays to be waited for. */
static void add_ending(struct keeper_client *client)
{
    siginfo_t info = {0};
    if (!wait_for_death(client->pidfd, KEEPER_DEATH_MS) ||
        waitid(P_PIDFD, (id_t)client->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0) {
        return;
    }
    if (info.si_code == CLD_EXITED) {
        error_set(&client->lost, CELLA_ERROR_HOST, 0,
                  "the keeper has ended unexpectedly, with exit code %d", info.si_status);
    } else {
        const char *name = sigabbrev_np(info.si_status);
        error_set(&client->lost, CELLA_ERROR_HOST, 0,
                  "the keeper has ended unexpectedly, by signal %s%s", name != NULL ? "SIG" : "",
                  name != NULL ? name : "of no name");
    }
    error_set_hint(&client->lost, "open a new engine; what the keeper said is on standard error");
}

static int lose_to_death(struct keeper_client *client)
{
    error_set(&client->lost, CELLA_ERROR_HOST, 0, "the keeper has closed its socket");
    error_set_hint(&client->lost, "open a new engine");
    add_ending(client);
    return -1;
}

static int lose_to_bug(struct keeper_client *client, const char *what)
{
    /* Nobody can say any more what it does; with it the kernel ends its runs. */
    IGNORE(pidfd_send_signal(client->pidfd, SIGKILL, NULL, 0) < 0);
    return error_set(&client->lost, CELLA_ERROR_BUG, 0, "the keeper broke the protocol: %s", what);
}

/* ---- sending ---- */

static int send_parts(struct keeper_client *client, const struct iovec *parts, size_t count,
                      int pack, struct cella_error *err)
{
    if (client->lost.kind == CELLA_ERROR_NONE) {
        if (fd_send(client->socket, parts, count, &pack, pack >= 0 ? 1 : 0, MSG_DONTWAIT) >= 0) {
            return 1; /* a message of this kind goes whole or not at all */
        }
        /* Descriptors in flight are counted for each user, and fewer are in flight later. */
        if (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS) {
            return 0;
        }
        if (errno == EPIPE || errno == ECONNRESET) {
            /* What it said before its end is still to be read, and may say why. */
            return 0;
        }
        error_set(&client->lost, CELLA_ERROR_HOST, errno, "cannot write to the keeper");
    }
    *err = client->lost;
    return -1;
}

static int send_frame(struct keeper_client *client, const void *frame, size_t size,
                      struct cella_error *err)
{
    const struct iovec part = {(void *)(uintptr_t)frame,
                               size}; /* only read; no const in the type */
    return send_parts(client, &part, 1, -1, err);
}

/* A frame that ends in a plan goes out in two parts, without a copy of that. */
static int send_with_plan(struct keeper_client *client, const void *front, size_t front_size,
                          const struct plan *plan, int pack, struct cella_error *err)
{
    const struct iovec parts[] = {
        {(void *)(uintptr_t)front, front_size}, /* likewise */
        {(void *)(uintptr_t)plan, sizeof(*plan)},
    };
    return send_parts(client, parts, ARRAY_LENGTH(parts), pack, err);
}

int keeper_client_create(struct keeper_client *client, uint64_t run, uint64_t pool,
                         enum keeper_turn turn, const struct plan *plan, int pack,
                         struct cella_error *err)
{
    const struct {
        struct keeper_frame_header header;
        uint64_t pool;
        uint32_t turn, reserved;
    } front = {{KEEPER_CREATE, KEEPER_PROTOCOL_VERSION, run}, pool, (uint32_t)turn, 0};
    static_assert(offsetof(struct keeper_create, plan) == sizeof(front) &&
                      sizeof(struct keeper_create) == sizeof(front) + sizeof(struct plan),
                  "no padding in struct keeper_create");
    return send_with_plan(client, &front, sizeof(front), plan, pack, err);
}

int keeper_client_pool(struct keeper_client *client, uint64_t pool, uint32_t size, bool one_shot,
                       const struct plan *plan, int pack, struct cella_error *err)
{
    const struct {
        struct keeper_frame_header header;
        uint32_t size, one_shot;
    } front = {{KEEPER_POOL, KEEPER_PROTOCOL_VERSION, pool}, size, one_shot};
    static_assert(offsetof(struct keeper_pool, plan) == sizeof(front) &&
                      sizeof(struct keeper_pool) == sizeof(front) + sizeof(struct plan),
                  "no padding in struct keeper_pool");
    return send_with_plan(client, &front, sizeof(front), plan, pack, err);
}

int keeper_client_stop(struct keeper_client *client, uint64_t run, struct cella_error *err)
{
    const struct keeper_stop frame = {.header = {KEEPER_STOP, KEEPER_PROTOCOL_VERSION, run}};
    return send_frame(client, &frame, sizeof(frame), err);
}

int keeper_client_tell(struct keeper_client *client, uint64_t run, int signal, unsigned rows,
                       unsigned columns, struct cella_error *err)
{
    const struct keeper_tell frame = {.header = {KEEPER_TELL, KEEPER_PROTOCOL_VERSION, run},
                                      .signal = signal,
                                      .rows = (uint16_t)rows,
                                      .columns = (uint16_t)columns};
    return send_frame(client, &frame, sizeof(frame), err);
}

int keeper_client_ping(struct keeper_client *client, struct cella_error *err)
{
    const struct keeper_ping frame = {.header = {KEEPER_PING, KEEPER_PROTOCOL_VERSION, 0}};
    return send_frame(client, &frame, sizeof(frame), err);
}

/* ---- receiving ---- */

/* Moves the descriptors that came into the message; -1 when more came than belong to it. */
static int take_streams(struct fd_passed *passed, struct keeper_message *message)
{
    const bool is_surplus = passed->count > KEEPER_STREAMS;
    for (size_t i = 0; passed->count == KEEPER_STREAMS && i < KEEPER_STREAMS; i++) {
        message->streams[i] = take_fd(&passed->fds[i]);
    }
    fd_passed_close(passed, 0);
    return is_surplus ? -1 : 0;
}

static void close_streams(struct keeper_message *message)
{
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        fd_close(&message->streams[i]);
    }
}

/* The size of a frame that may come, or 0. */
static size_t frame_size(uint32_t type)
{
    switch (type) {
    case KEEPER_HELLO:
        return sizeof(struct keeper_hello);
    case KEEPER_CREATED:
        return sizeof(struct keeper_created);
    case KEEPER_REFUSED:
        return sizeof(struct keeper_refused);
    case KEEPER_STARTED:
        return sizeof(struct keeper_started);
    case KEEPER_NOTICE:
        return sizeof(struct keeper_notice);
    case KEEPER_ENDED:
        return sizeof(struct keeper_ended);
    case KEEPER_POOL_STATE:
        return sizeof(struct keeper_pool_state);
    case KEEPER_PONG:
        return sizeof(struct keeper_ping);
    default:
        return 0;
    }
}

/* Returns 1 with a message, 0 with none, -1 when the keeper is lost now. */
static int receive_once(struct keeper_client *client, struct keeper_message *message)
{
    struct fd_passed passed;
    for (size_t i = 0; i < KEEPER_STREAMS; i++) {
        message->streams[i] = -1;
    }
    ssize_t size;
    do {
        /* A keeper that has ended with a frame of ours unread leaves ECONNRESET, once, and behind
         * it what it had said. */
        size = fd_receive(client->socket, &message->frame, sizeof(message->frame), MSG_DONTWAIT,
                          &passed);
    } while (size < 0 && errno == ECONNRESET);
    if (size < 0 && errno == EAGAIN) {
        return 0;
    }
    if (size < 0) {
        return error_set(&client->lost, CELLA_ERROR_HOST, errno, "cannot read from the keeper");
    }
    if (size == 0) {
        return lose_to_death(client);
    }
    return check_message(client, &passed, (size_t)size, message);
}

static int check_message(struct keeper_client *client, struct fd_passed *passed, size_t size,
                         struct keeper_message *message)
{
    if (take_streams(passed, message) < 0) {
        return lose_to_bug(client, "more descriptors than belong to any frame");
    }
    const struct keeper_frame_header *frame = &message->frame.header;
    const char *problem = NULL;
    if (size < sizeof(*frame) || passed->is_cut || frame->version != KEEPER_PROTOCOL_VERSION) {
        problem = "not a frame of this version";
    } else if (size != frame_size(frame->type)) {
        problem = "a frame of a wrong type or size";
    } else if (frame->type != KEEPER_CREATED && message->streams[0] >= 0) {
        problem = "descriptors with a frame that has none";
    } else if (frame->type == KEEPER_HELLO && client->greeted) {
        problem = "it greeted twice";
    } else if (frame->type != KEEPER_HELLO && !client->greeted &&
               !(frame->type == KEEPER_REFUSED && frame->run == 0)) {
        problem = "it did not greet first";
    }
    if (problem != NULL) {
        close_streams(message);
        return lose_to_bug(client, problem);
    }
    return 1;
}

/* Its texts come from another process: they end where their room ends, and the kind is known. */
static void end_texts(struct cella_error *error)
{
    error->field[sizeof(error->field) - 1] = '\0';
    error->text[sizeof(error->text) - 1] = '\0';
    error->hint[sizeof(error->hint) - 1] = '\0';
    if ((unsigned)error->kind > CELLA_ERROR_BUG) {
        error->kind = CELLA_ERROR_BUG;
    }
}

static void sanitize_refused(struct keeper_refused *refused)
{
    struct cella_error *error = &refused->error;
    end_texts(error);
    refused->step[sizeof(refused->step) - 1] = '\0';
    if (error->kind == CELLA_ERROR_NONE) {
        error->kind = CELLA_ERROR_BUG;
    }
}

int keeper_client_receive(struct keeper_client *client, struct keeper_message *ret_message,
                          struct cella_error *err)
{
    int result = client->lost.kind == CELLA_ERROR_NONE ? 1 : -1;
    while (result == 1) {
        result = receive_once(client, ret_message);
        if (result != 1) {
            break;
        }
        const struct keeper_frame_header *frame = &ret_message->frame.header;
        if (frame->type == KEEPER_HELLO) {
            client->greeted = true;
            continue; /* it greets once, so this goes on once */
        }
        if (frame->type == KEEPER_POOL_STATE) {
            end_texts(&ret_message->frame.pool_state.error);
        }
        if (frame->type == KEEPER_REFUSED) {
            sanitize_refused(&ret_message->frame.refused);
            if (frame->run == 0) { /* not a run: the keeper itself cannot work here */
                client->lost = ret_message->frame.refused.error;
                result = -1;
                break;
            }
        }
        return 1;
    }
    if (result < 0) {
        *err = client->lost;
    }
    return result;
}

int keeper_client_died(struct keeper_client *client, struct cella_error *err)
{
    if (client->lost.kind == CELLA_ERROR_NONE) {
        (void)lose_to_death(client); /* always -1 */
    }
    *err = client->lost;
    return -1;
}
