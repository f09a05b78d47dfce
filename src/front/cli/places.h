/* Where the programs are that this one becomes, and what a server is told. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include <cella/error.h>
#include <limits.h>
#include <stdbool.h>

/* The program of that name beside this one, else the installed one; false when there is none. */
bool place_of_program(const char *name, char ret_path[PATH_MAX]);
/* The state directory of `cella serve`, with that configuration file or, for NULL, the usual one.
 * Returns 0; the exit code, where that program has said what is wrong; or -1. */
int place_of_server_state(const char *config, char ret_path[PATH_MAX], struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
