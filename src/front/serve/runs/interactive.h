/*
 * `GET /v1/runs/interactive`: a run by WebSocket, whose standard input is given as it goes on.
 *
 * The client's first message is the request.  Each of those that follow is one frame of INPUTS, an
 * object with its "type"; a binary message is standard input as it is.  What comes back are the
 * events of the run, each an object with its "type": started, stdout, stderr, result; or, when
 * there is no run or a frame is wrong, problem, and the end.
 */
#ifndef SERVE_INTERACTIVE_H
#define SERVE_INTERACTIVE_H

#include <cella/cella.h>

struct exchange;

/* X(id, type, schema, form, meaning), as in events.h */
#define INPUTS(X)                                                                                  \
    X(STDIN, "stdin", "Input", MEMBERS, "bytes of standard input")                                 \
    X(EOF, "eof", "Nothing", MEMBERS, "the end of standard input")                                 \
    X(SIGNAL, "signal", "Signal", MEMBERS, "a signal for the program itself")                      \
    X(RESIZE, "resize", "Size", MEMBERS, "another size of its terminal")

/* How long the first message may take. */
#define INTERACTIVE_FIRST_MS 10000U

void interactive_get(struct exchange *exchange);
/* Of "SIGINT" or "INT"; 0: no signal has that name. */
int interactive_signal(const char *name);
/* Tells of the error and closes: there is nothing more that its client could ask for. */
void interactive_refuse(struct exchange *exchange, const struct cella_error *error);

#endif
