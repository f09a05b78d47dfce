/*
 * The server's engine, and its keeper: started by the spawner, tried by a program that does nothing
 * before runs are taken, and replaced by another when it is lost, as long as the one before has
 * worked.
 */
#ifndef SERVE_KEEPERS_H
#define SERVE_KEEPERS_H

#include <cella/cella.h>

struct server;

/* The first one; the server is ready when the trial has ended well. */
int keepers_open(struct server *server, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Nothing holds anything of the engine any more.  Where there is none it does nothing. */
void keepers_close(struct server *server);
/* A job has ended: perhaps it was the last that held an engine which is lost. */
void keepers_settle(struct server *server);

#endif
