/* Where a server's socket and state are when nobody says, and where its program is. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include <limits.h>
#include <stdbool.h>

#define SERVER_SOCKET_OF_ROOT "/run/cella/serve.sock"
#define SERVER_STATE_OF_ROOT  "/var/lib/cella"

/* Each is false when the environment does not tell, or the path is too long. */
bool place_of_socket(char ret_path[PATH_MAX]);
bool place_of_state(char ret_path[PATH_MAX]);
/* The program of that name beside this one, else the installed one. */
bool place_of_program(const char *name, char ret_path[PATH_MAX]);

#endif
