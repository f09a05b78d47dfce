/* See places.h. */
#include "front/cli/places.h"

#include "front/places.h"

#include <string.h>
#include <unistd.h>

bool place_of_program(const char *name, char ret_path[PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[size > 0 ? size : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (place_beneath(program, name, ret_path) && access(ret_path, X_OK) == 0) {
            return true;
        }
    }
    return place_beneath(CELLA_LIBEXEC_DIR, name, ret_path) && access(ret_path, X_OK) == 0;
}
