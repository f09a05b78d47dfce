/* See places.h. */
#include "front/places.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- directories ---- */

/* mkdir -p, for us alone. */
static int make_directories(const char *path, struct cella_error *err)
{
    char part[PATH_MAX];
    const size_t size = strlen(path);
    if (size == 0 || size >= sizeof(part)) {
        return error_set(err, CELLA_ERROR_CALLER, size == 0 ? ENOENT : ENAMETOOLONG,
                         "cannot make the directory %s", path);
    }
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST) {
            return error_set(err, CELLA_ERROR_CALLER, errno, "cannot make the directory %s", part);
        }
    }
    return 0;
}

int place_open_directory(const char *path, struct cella_error *err)
{
    if (make_directories(path, err) < 0) {
        return -1;
    }
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, CELLA_ERROR_CALLER, errno, "cannot open the directory %s", path);
    }
    return fd;
}
