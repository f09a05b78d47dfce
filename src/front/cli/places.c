/* See places.h. */
#include "front/cli/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "DIRECTORY/NAME", when the directory is an absolute path, as the XDG specification wants it. */
static bool beneath(const char *directory, const char *name, char ret_path[PATH_MAX])
{
    if (directory == NULL || directory[0] != '/') {
        return false;
    }
    int size = snprintf(ret_path, PATH_MAX, "%s/%s", directory, name);
    return size > 0 && size < PATH_MAX;
}

bool place_of_socket(char ret_path[PATH_MAX])
{
    if (geteuid() == 0) {
        (void)snprintf(ret_path, PATH_MAX, SERVER_SOCKET_OF_ROOT);
        return true;
    }
    return beneath(getenv("XDG_RUNTIME_DIR"), "cella/serve.sock", ret_path);
}

bool place_of_state(char ret_path[PATH_MAX])
{
    if (geteuid() == 0) {
        (void)snprintf(ret_path, PATH_MAX, SERVER_STATE_OF_ROOT);
        return true;
    }
    return beneath(getenv("XDG_STATE_HOME"), "cella", ret_path) ||
           beneath(getenv("HOME"), ".local/state/cella", ret_path);
}

bool place_of_program(const char *name, char ret_path[PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[size > 0 ? size : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (beneath(program, name, ret_path) && access(ret_path, X_OK) == 0) {
            return true;
        }
    }
    return beneath(CELLA_LIBEXEC_DIR, name, ret_path) && access(ret_path, X_OK) == 0;
}
