/*
 * Where a server's socket, its state and its configuration are when nobody says, and what it makes
 * there: for whoever starts one, and for whoever looks for one.
 */
#ifndef FRONT_PLACES_H
#define FRONT_PLACES_H

#include <cella/error.h>
#include <limits.h>
#include <stdbool.h>

#define SERVER_SOCKET_OF_ROOT "/run/cella/serve.sock"
#define SERVER_STATE_OF_ROOT  "/var/lib/cella"
#define SERVER_CONFIG_OF_ROOT "/etc/cella/serve.yaml"
/* A policy that a server with --workspace makes for itself when it starts. */
#define SERVER_WORKSPACE_POLICY "execute-workspace"

/* Each is false when the environment does not tell, or the path is too long. */
bool place_of_socket(char ret_path[PATH_MAX]);
bool place_of_state(char ret_path[PATH_MAX]);
bool place_of_config(char ret_path[PATH_MAX]);
/* "DIRECTORY/NAME", when the directory is an absolute path, as the XDG specification wants it. */
bool place_beneath(const char *directory, const char *name, char ret_path[PATH_MAX]);

/* The directory, which is made, for us alone, with those above it where they are not there. */
int place_open_directory(const char *path, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
