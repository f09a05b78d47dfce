/*
 * Signs of life for whoever watches over this server (notify.h), as often as he wants them: they
 * are given from the loop, so that one that hangs gives none, and while the keeper answers.
 */
#ifndef SERVE_LIFE_H
#define SERVE_LIFE_H

#include <cella/cella.h>

struct server;

/* Where nobody wants any it does nothing. */
int life_watch(struct server *server, struct cella_error *err) __attribute__((warn_unused_result));

#endif
