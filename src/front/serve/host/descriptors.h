/* How many descriptors this process may have, and how many of them are for connections. */
#ifndef SERVE_DESCRIPTORS_H
#define SERVE_DESCRIPTORS_H

/* Connections at one time, as far as there may be descriptors for them.  For one more the one that
 * has been idle for longest is closed.  TCP, which is everybody's on this host, leaves some to the
 * Unix socket. */
#define CONNECTIONS_MAX  11000U
#define CONNECTIONS_KEPT 1000U /* or a tenth, where that is less */
/* Descriptors that connections leave to runs, of which few are in sandboxes at one time. */
#define DESCRIPTORS_KEPT 4096U

/* Takes as many as it may have; each run takes some, in the engine and in the keeper, which
 * inherits the limit. */
void descriptors_raise(unsigned *ret_connections, unsigned *ret_tcp);

#endif
