/*
 * Our standard streams on the way to and from a program, without ever blocking on them: somebody
 * reading our output slowly, or not at all, must not keep us from looking after the run.
 *
 * The descriptors that we were given are shared with whoever started us, so O_NONBLOCK is never set
 * on them.  A pipe or terminal is opened anew, which gives an open file of our own; for anything
 * else at most PIPE_BUF bytes are written, and only when poll() says that there is room.
 */
#ifndef CLI_STREAMS_H
#define CLI_STREAMS_H

#include <stdbool.h>
#include <stddef.h>

struct cella_run;

/* What the program wrote and we have not yet passed on; bounded by the limits on its output. */
struct outlet {
    int fd;
    bool reopened; /* fd is ours: close it */
    bool socket;
    bool terminal;
    bool broken; /* what comes is dropped */
    int error;   /* why it is broken; 0: its reader is gone */
    char last;   /* byte written */
    char *data;
    size_t start;
    size_t end;
    size_t capacity;
};

void outlet_init(struct outlet *outlet, int fd);
void outlet_done(struct outlet *outlet);
void outlet_add(struct outlet *outlet, const void *data, size_t size);
bool outlet_is_pending(const struct outlet *outlet);
/* After poll() said that there is room.  Whether anything was written. */
bool outlet_write(struct outlet *outlet);

#define INLET_SIZE 65536

/* What was read of our standard input and the program has not yet taken. */
struct inlet {
    int fd;
    bool reopened;
    bool ended; /* nothing more comes, and the program was told */
    bool at_end;
    bool untold; /* poll() may not tell of the end: see inlet_must_try() */
    size_t start;
    size_t end;
    char data[INLET_SIZE];
};

/* fd -1: an empty input. */
void inlet_init(struct inlet *inlet, int fd);
void inlet_done(struct inlet *inlet);
/* Whether poll() should watch inlet->fd. */
bool inlet_wants_input(const struct inlet *inlet);
/* Whether it is to be read from without waiting for poll(): of a pipe whose writer had gone when it
 * was opened anew, poll() does not tell that it is at its end. */
bool inlet_must_try(const struct inlet *inlet);
/* After poll() said that there is something, or without. */
void inlet_read(struct inlet *inlet);
/* Gives the program what it has room for, and the end when it is reached. */
void inlet_feed(struct inlet *inlet, struct cella_run *run);

#endif
