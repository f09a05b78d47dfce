/* Where the programs are that this one becomes. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include <limits.h>
#include <stdbool.h>

/* The program of that name beside this one, else the installed one; false when there is none. */
bool place_of_program(const char *name, char ret_path[PATH_MAX]);

#endif
