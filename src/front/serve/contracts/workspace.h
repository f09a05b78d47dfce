/*
 * The directory of the operator's in which programs of /execute work, where there is one: a policy
 * is made for it in the state directory, and the contract asks for that.
 */
#ifndef SERVE_WORKSPACE_H
#define SERVE_WORKSPACE_H

#include <cella/cella.h>

struct server;

/* Makes the policy, and has server->policies_dir say where it is looked for.  Without a workspace
 * there is nothing to do. */
int workspace_open(struct server *server, struct cella_error *err)
    __attribute__((warn_unused_result));
void workspace_close(struct server *server);

#endif
