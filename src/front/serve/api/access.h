/*
 * Who may ask.
 *
 *   by the Unix socket   the server's own user and root
 *   by TCP, with keys    whoever brings one
 *   by TCP, without      every program of this host, but no page that a browser has from elsewhere
 */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

struct exchange;

/* With the head alone, when its route is known, if it has one.  -1 when not, which is answered. */
int access_check(struct exchange *exchange) __attribute__((warn_unused_result));

#endif
