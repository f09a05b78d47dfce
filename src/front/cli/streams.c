/* Our standard streams, without blocking on them (see streams.h). */
#include "front/cli/streams.h"

#include <cella/cella.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open file of our own, non-blocking, for the pipe or terminal that `fd` is; else `fd` itself.
 * A regular file stays as it is: a new open file would have an offset of its own. */
static int open_anew(int fd, int access_mode)
{
    struct stat status;
    char path[sizeof("/proc/self/fd/") + 11];
    if (fstat(fd, &status) < 0 || !(S_ISFIFO(status.st_mode) || isatty(fd))) {
        return fd;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int opened = open(path, access_mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return opened >= 0 ? opened : fd;
}

void outlet_init(struct outlet *outlet, int fd)
{
    struct stat status;
    *outlet = (struct outlet){.fd = open_anew(fd, O_WRONLY)};
    outlet->reopened = outlet->fd != fd;
    outlet->terminal = isatty(fd) != 0;
    outlet->socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

void outlet_done(struct outlet *outlet)
{
    if (outlet->reopened) {
        (void)close(outlet->fd);
    }
    free(outlet->data);
    *outlet = (struct outlet){.fd = -1, .broken = true};
}

bool outlet_is_pending(const struct outlet *outlet)
{
    return !outlet->broken && outlet->start < outlet->end;
}

static void break_outlet(struct outlet *outlet, int error)
{
    bool gone = error == EPIPE || error == ECONNRESET ||
                (error == EIO && outlet->terminal); /* what is left of one that was closed */
    outlet->broken = true;
    outlet->error = gone ? 0 : error;
}

static bool make_room(struct outlet *outlet, size_t size)
{
    if (outlet->start > 0) {
        memmove(outlet->data, outlet->data + outlet->start, outlet->end - outlet->start);
        outlet->end -= outlet->start;
        outlet->start = 0;
    }
    if (size <= outlet->capacity - outlet->end) {
        return true;
    }
    size_t wanted;
    if (__builtin_add_overflow(outlet->end, size, &wanted) ||
        __builtin_add_overflow(wanted, wanted / 2, &wanted)) {
        return false;
    }
    char *data = realloc(outlet->data, wanted);
    if (data == NULL) {
        return false;
    }
    outlet->data = data;
    outlet->capacity = wanted;
    return true;
}

void outlet_add(struct outlet *outlet, const void *data, size_t size)
{
    if (outlet->broken || size == 0) {
        return;
    }
    if (size > outlet->capacity - outlet->end && !make_room(outlet, size)) {
        break_outlet(outlet, ENOMEM);
        return;
    }
    memcpy(outlet->data + outlet->end, data, size);
    outlet->end += size;
}

bool outlet_write(struct outlet *outlet)
{
    const char *data = outlet->data + outlet->start;
    size_t size = outlet->end - outlet->start;
    ssize_t written;
    if (outlet->socket) {
        written = send(outlet->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        /* A descriptor that blocks: poll() promises room for PIPE_BUF bytes and no more. */
        if (!outlet->reopened && size > PIPE_BUF) {
            size = PIPE_BUF;
        }
        written = write(outlet->fd, data, size);
    }
    if (written > 0) {
        outlet->start += (size_t)written;
        outlet->last = outlet->data[outlet->start - 1];
    } else if (written < 0 && errno != EAGAIN && errno != EINTR) {
        break_outlet(outlet, errno);
    }
    return written > 0;
}

void inlet_init(struct inlet *inlet, int fd)
{
    struct stat status;
    inlet->fd = fd < 0 ? -1 : open_anew(fd, O_RDONLY);
    inlet->reopened = inlet->fd != fd;
    inlet->untold = inlet->reopened && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
    inlet->at_end = fd < 0;
    inlet->ended = fd < 0; /* the library ends it behind what the request brings */
    inlet->start = 0;
    inlet->end = 0;
}

void inlet_done(struct inlet *inlet)
{
    if (inlet->reopened) {
        (void)close(inlet->fd);
    }
    inlet->fd = -1;
    inlet->reopened = false;
}

bool inlet_wants_input(const struct inlet *inlet)
{
    return !inlet->at_end && inlet->start == inlet->end;
}

bool inlet_must_try(const struct inlet *inlet)
{
    return inlet->untold && inlet_wants_input(inlet);
}

void inlet_read(struct inlet *inlet)
{
    ssize_t got = read(inlet->fd, inlet->data, sizeof(inlet->data));
    if (got < 0 && errno == EAGAIN) {
        inlet->untold = false; /* it has a writer, whose end poll() tells */
    }
    if (got > 0) {
        inlet->start = 0;
        inlet->end = (size_t)got;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        /* An error ends the input as well: EIO is what a terminal says to a background job. */
        inlet->at_end = true;
    }
}

void inlet_feed(struct inlet *inlet, struct cella_run *run)
{
    struct cella_error err;
    size_t taken;
    while (inlet->start < inlet->end) {
        if (cella_run_write_stdin(run, inlet->data + inlet->start, inlet->end - inlet->start,
                                  &taken, &err) < 0) {
            inlet->at_end = true; /* the run is over or about to be; its end tells why */
            inlet->start = inlet->end;
            break;
        }
        if (taken == 0) {
            return;
        }
        inlet->start += taken;
    }
    if (inlet->at_end && !inlet->ended) {
        inlet->ended = true;
        cella_run_close_stdin(run);
    }
}
