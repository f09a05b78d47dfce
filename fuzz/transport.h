/*
 * One connection of the server, with a client and a clock that a test or a fuzzer moves.
 *
 * Connection, exchange and the protocols are the server's own; the loop, the routes and the jobs
 * are stand-ins, in transport.c.  There is one of it at one time.
 */
#ifndef FUZZ_TRANSPORT_H
#define FUZZ_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What there is:
 *   GET  /small   a short answer            GET  /large   one of TRANSPORT_LARGE bytes
 *   POST /echo    what it was sent          GET  /pieces  one of three pieces
 *   POST /run     answered by a job         POST /events  a job's events
 *   POST /early   refused by its head       GET  /broken  pieces that break off
 *   GET  /ws      the run by WebSocket of interactive.h
 *   GET  /medium  one that fits into what waits for TLS, and into no socket
 *   GET  /overfull  one whose head is too large
 */
#define TRANSPORT_MEDIUM ((size_t)100 << 10)
#define TRANSPORT_LARGE  ((size_t)1 << 20)

/* A client has connected; with a certificate and its key, both in PEM, it speaks TLS. */
void transport_open(const char *certificate, const char *key);
/* It ends, and with it the server: nothing may be left. */
void transport_close(void);

/* The client sends; false when the server does not read now.  What comes to it stays unread. */
bool transport_send(const void *data, size_t size);
/* What it then reads, at most `size`; 0: nothing now; -1: nothing ever. */
ssize_t transport_read(void *data, size_t size);
/* It goes. */
void transport_leave(void);

/* What the loop would do now. */
void transport_turn(void);
/* Time goes by, with whatever falls due. */
void transport_wait(unsigned ms);

/* ---- what the programs of the jobs do ---- */

/* Each writes a line. */
void transport_print(void);
/* Each ends; those that wait for a result get it. */
void transport_end_jobs(void);
/* Whether they take standard input. */
void transport_take_input(bool takes);
void transport_drain(void);

bool transport_is_closed(void);
/* Whether the server reads from the client. */
bool transport_is_reading(void);
unsigned transport_jobs(void);
/* Of this connection, beside so many of others from now on. */
unsigned transport_exchanges(void);
void transport_crowd(unsigned others);
/* Something is still to be sent, for which a server that ends waits. */
bool transport_is_answering(void);

#endif
