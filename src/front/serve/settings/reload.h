/*
 * Reading the configuration and the languages again, while runs go on: what can change changes, of
 * the rest the log says that it waits for another start.  A file that is wrong changes nothing.
 * Policies need no telling.
 */
#ifndef SERVE_RELOAD_H
#define SERVE_RELOAD_H

struct server;

/* Opens the log anew in any case: somebody may have moved its file away. */
void reload(struct server *server);

#endif
