/*
 * The pack: argv and environment stay in it, files go into the workspace, or apart from it.
 *
 * The pack is what a caller made, checked once by the engine and checked again here; and a path
 * that slipped through both is opened below the workspace only, with the program's own rights.
 */
#include "base/error.h"
#include "base/fd.h"
#include "isolate/init/init.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int malformed(struct cella_error *err, const char *what)
{
    return error_set(err, CELLA_ERROR_BUG, 0, "malformed pack: %s", what);
}

static int take_pack(struct init *init, struct cella_error *err)
{
    struct stat file;
    const int seals = fcntl(INIT_FD_PACK, F_GET_SEALS);
    const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    if (seals < 0 || (seals & needed) != needed || fstat(INIT_FD_PACK, &file) != 0 ||
        file.st_size <= 0) {
        return malformed(err, "not a sealed file");
    }
    init->pack_size = (size_t)file.st_size;
    init->pack = pack_take(INIT_FD_PACK, init->pack_size, init->small_pack);
    return init->pack != NULL ? 0 : error_set(err, CELLA_ERROR_HOST, errno, "cannot read the pack");
}

static int make_parents(int workspace, const char *path, struct cella_error *err)
{
    char parent[PACK_PATH_MAX];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        const size_t length = (size_t)(slash - path);
        memcpy(parent, path, length);
        parent[length] = '\0';
        /* Everything in the workspace is ours so far: no link can stand in the way. */
        if (mkdirat(workspace, parent, 0755) != 0 && errno != EEXIST) {
            return error_set(err, CELLA_ERROR_CALLER, errno, "cannot make directory '%s'", parent);
        }
    }
    return 0;
}

static int write_file(int workspace, const struct pack_record *record, struct cella_error *err)
{
    char path[PACK_PATH_MAX];
    const size_t path_size = record->header.path_size;
    if (path_size >= sizeof(path) || path_size > record->header.size) {
        return malformed(err, "path too long");
    }
    memcpy(path, record->payload, path_size);
    path[path_size] = '\0';
    if (pack_path_problem(path, path_size) != NULL) {
        return malformed(err, pack_path_problem(path, path_size));
    }
    if (make_parents(workspace, path, err) != 0) {
        return -1;
    }
    AUTO_CLOSE int fd =
        sys_open_beneath(workspace, path, O_WRONLY | O_CREAT | O_EXCL, record->header.mode & 0777);
    if (fd < 0 || fd_write_full(fd, record->payload + path_size,
                                (size_t)record->header.size - path_size) < 0) {
        error_set(err, CELLA_ERROR_CALLER, errno, "cannot write '%s' into the workspace", path);
        return errno == ENOSPC ? error_set_hint(err, "raise disk_bytes or inodes") : -1;
    }
    return 0;
}

int init_write_files(struct init *init, struct cella_error *err)
{
    struct pack_record record;
    size_t offset = 0, args = 0, variables = 0;
    int next = 0;
    AUTO_CLOSE int workspace = open(INIT_PROGRAM, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (workspace < 0 && errno == ENOENT) {
        workspace = open(INIT_WORKSPACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (workspace < 0) {
        return error_set(err, CELLA_ERROR_HOST, errno, "cannot open the workspace");
    }
    if (take_pack(init, err) != 0) {
        return -1;
    }
    while ((next = pack_next(init->pack, init->pack_size, &offset, &record)) > 0) {
        const uint32_t type = record.header.type;
        if (type == PACK_FILE) {
            if (write_file(workspace, &record, err) != 0) {
                return -1;
            }
            continue;
        }
        char *text = pack_word(&record);
        if (text == NULL) {
            return malformed(err, "a word with a NUL inside");
        }
        if (type == PACK_PROGRAM) {
            init->program.path = text;
        } else if (type == PACK_ARG && args < PACK_ARGS_MAX) {
            init->program.argv[args++] = text;
        } else if (type == PACK_ENV && variables < PACK_ENV_MAX) {
            init->program.envp[variables++] = text;
        } else if (type != PACK_COLLECT) { /* globs are read when they are needed */
            return malformed(err, "an unknown record, or too many");
        }
    }
    if (next < 0 || init->program.path == NULL || args == 0) {
        return malformed(err, "cut short");
    }
    return 0;
}
