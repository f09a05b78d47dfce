/*
 * The program's terminal, where the request has one: a pseudo-terminal of the sandbox's own.
 *
 * Outside nobody knows of it: init carries bytes between its master and the two pipes that other
 * programs have for standard input and output.  So nothing that a guest does to its terminal
 * reaches a descriptor of the host's, and limits, counts and slow readers are those of a pipe.
 * Each way has one buffer; while that is full nothing more is read, and the kernel holds up whoever
 * writes.
 */
#include "base/attributes.h"
#include "base/error.h"
#include "isolate/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define WAY_SIZE 4096U

/* One way, from a descriptor to another. */
struct way {
    int from; /* -1: its end has come */
    int to;   /* -1: nobody takes anything any more */
    size_t size;
    size_t sent;
    uint64_t *written; /* is added to */
    unsigned char bytes[WAY_SIZE];
};

struct terminal {
    int master;
    int slave;
    struct way in;  /* from the pipe to the program */
    struct way out; /* and back */
};

static int set_nonblocking(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int init_open_terminal(struct init *init, struct cella_error *err)
{
    static struct terminal terminal; /* init allocates nothing; there is one */
    int unlocked = 0;
    terminal.master = init_move_away(open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    terminal.slave = -1;
    if (terminal.master >= 0 && ioctl(terminal.master, TIOCSPTLCK, &unlocked) == 0) {
        terminal.slave =
            init_move_away(ioctl(terminal.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    }
    if (terminal.slave < 0 || set_nonblocking(terminal.master) != 0 ||
        set_nonblocking(STDIN_FILENO) != 0 || set_nonblocking(STDOUT_FILENO) != 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot make a terminal");
    }
    terminal.in =
        (struct way){.from = STDIN_FILENO, .to = terminal.master, .written = &init->written_own};
    terminal.out =
        (struct way){.from = terminal.master, .to = STDOUT_FILENO, .written = &init->written_own};
    init->terminal = &terminal;
    init_resize_terminal(&terminal, init->start.terminal_rows, init->start.terminal_columns);
    return 0;
}

int init_enter_terminal(const struct terminal *terminal)
{
    /* The program's session has been made. */
    if (ioctl(terminal->slave, TIOCSCTTY, 0) != 0) {
        return -1;
    }
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (dup2(terminal->slave, stream) < 0) {
            return -1;
        }
    }
    return 0;
}

void init_resize_terminal(const struct terminal *terminal, uint16_t rows, uint16_t columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    IGNORE(ioctl(terminal->master, TIOCSWINSZ, &size) != 0); /* of a master it cannot fail */
}

/* The end of input is what a person would type for it. */
static void end_input(struct way *in)
{
    in->from = -1;
    in->bytes[0] = 4; /* ^D */
    in->size = 1;
    in->sent = 0;
}

static void fill(struct way *way)
{
    if (way->from < 0 || way->size > 0) {
        return;
    }
    const ssize_t got = read(way->from, way->bytes, WAY_SIZE);
    if (got > 0) {
        way->size = (size_t)got;
    } else if (got == 0 && way->from == STDIN_FILENO) {
        end_input(way);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        way->from = -1; /* EIO: nobody has the terminal open any more, at the end */
    }
}

/* -1 when nothing more goes now. */
static int empty(struct way *way)
{
    while (way->sent < way->size) {
        const ssize_t written = way->to < 0
                                    ? (ssize_t)(way->size - way->sent)
                                    : write(way->to, way->bytes + way->sent, way->size - way->sent);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
            return -1;
        }
        if (written < 0) {
            way->to = -1; /* nobody reads it: it is dropped from now on */
        } else {
            way->sent += (size_t)written;
            *way->written += way->to < 0 ? 0 : (uint64_t)written;
        }
    }
    way->size = 0;
    way->sent = 0;
    return 0;
}

void init_watch_terminal(const struct terminal *terminal,
                         struct pollfd ret_watched[INIT_TERMINAL_WATCHED])
{
    const bool in_waits = terminal->in.size > 0;
    const bool out_waits = terminal->out.size > 0;
    ret_watched[0] = (struct pollfd){.fd = in_waits ? -1 : terminal->in.from, .events = POLLIN};
    ret_watched[1] =
        (struct pollfd){.fd = terminal->master,
                        .events = (short)((in_waits ? POLLOUT : 0) | (out_waits ? 0 : POLLIN))};
    ret_watched[2] = (struct pollfd){.fd = out_waits ? terminal->out.to : -1, .events = POLLOUT};
}

void init_serve_terminal(struct terminal *terminal)
{
    fill(&terminal->in);
    IGNORE(empty(&terminal->in) != 0); /* then it waits */
    fill(&terminal->out);
    IGNORE(empty(&terminal->out) != 0);
}

void init_drain_terminal(struct terminal *terminal)
{
    struct way *out = &terminal->out;
    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    (void)close(terminal->slave); /* the last */
    do {
        while (empty(out) != 0) {
            IGNORE(poll(&room, 1, -1) < 0); /* the keeper ends us when nobody takes it */
        }
        fill(out);
    } while (out->size > 0);
    (void)close(STDOUT_FILENO); /* all was written */
    (void)close(STDIN_FILENO);
    (void)close(terminal->master);
}
