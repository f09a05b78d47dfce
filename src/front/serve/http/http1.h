/*
 * HTTP/1.1 on a connection: one exchange after the other.  What a client sends before it has its
 * answer waits.
 */
#ifndef SERVE_HTTP1_H
#define SERVE_HTTP1_H

#include "front/serve/http/connection.h"

extern const struct protocol http1_protocol;

#endif
