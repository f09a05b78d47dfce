/* See places.h. */
#include "front/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool place_beneath(const char *directory, const char *name, char ret_path[PATH_MAX])
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
    return place_beneath(getenv("XDG_RUNTIME_DIR"), "cella/serve.sock", ret_path);
}

bool place_of_state(char ret_path[PATH_MAX])
{
    if (geteuid() == 0) {
        (void)snprintf(ret_path, PATH_MAX, SERVER_STATE_OF_ROOT);
        return true;
    }
    return place_beneath(getenv("XDG_STATE_HOME"), "cella", ret_path) ||
           place_beneath(getenv("HOME"), ".local/state/cella", ret_path);
}

bool place_of_config(char ret_path[PATH_MAX])
{
    if (geteuid() == 0) {
        (void)snprintf(ret_path, PATH_MAX, SERVER_CONFIG_OF_ROOT);
        return true;
    }
    return place_beneath(getenv("XDG_CONFIG_HOME"), "cella/serve.yaml", ret_path) ||
           place_beneath(getenv("HOME"), ".config/cella/serve.yaml", ret_path);
}
