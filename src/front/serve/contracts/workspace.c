/* See workspace.h. */
#include "front/serve/contracts/workspace.h"

#include "base/fd.h"
#include "base/json_write.h"
#include "base/paths.h"
#include "front/places.h"
#include "front/serve/contracts/execute.h"
#include "front/serve/fail.h"
#include "front/serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "policies" /* in the state directory */
/* Covered before a sandbox without privilege looks for what it is to show. */
#define BUILD_PLACE "/tmp/"
#define FILE_NAME   SERVER_WORKSPACE_POLICY ".yaml"

/* JSON, which YAML is a superset of, and which has an escape for whatever a path may hold. */
static int write_text(const char *directory, struct buffer *ret_text)
{
    struct json_writer json;
    buffer_init(ret_text, 0);
    json_write_init(&json, ret_text);
    json_write_open(&json, '{');
    json_write_member(&json, "description",
                      "calls of /execute, which work in the operator's directory");
    json_write_member(&json, "extends", EXECUTE_POLICY);
    json_write_key(&json, "loosen");
    json_write_bool(&json, true);
    json_write_key(&json, "mounts");
    json_write_open(&json, '[');
    json_write_open(&json, '{');
    json_write_member(&json, "path", directory);
    json_write_member(&json, "at", "/workspace");
    json_write_member(&json, "access", "writable");
    json_write_close(&json, '}');
    json_write_close(&json, ']');
    json_write_close(&json, '}');
    return json.failed || buffer_add(ret_text, "\n", 1) < 0 ? -1 : 0;
}

static int write_policy(int state_fd, const struct buffer *text, struct cella_error *err)
{
    static const char fresh[] = FILE_NAME ".new";
    AUTO_CLOSE int directory = paths_open_own(state_fd, DIRECTORY, true);
    AUTO_CLOSE int file = -1;
    if (directory >= 0) {
        (void)unlinkat(directory, fresh, 0); /* of a start that was broken off */
        file = openat(directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (file < 0 || fd_write_full(file, text->data, text->size) < 0 ||
        renameat(directory, fresh, directory, FILE_NAME) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST,
                                "cannot write the policy of the workspace to the state directory");
    }
    return 0;
}

/* The real path: no part of a mount's source may be a link. */
static char *find_directory(const char *path, struct cella_error *err)
{
    struct stat found;
    char *real = realpath(path, NULL);
    if (real == NULL || stat(real, &found) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_CALLER, "--workspace %s", path);
    } else if (!S_ISDIR(found.st_mode)) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "--workspace %s is no directory", path);
    } else if (geteuid() != 0 && strncmp(real, BUILD_PLACE, strlen(BUILD_PLACE)) == 0) {
        (void)serve_fail(
            err, CELLA_ERROR_CALLER,
            "--workspace %s lies in /tmp, where an ordinary user's sandboxes are built", path);
        (void)serve_hint(err, "name a directory elsewhere");
    } else {
        return real;
    }
    free(real);
    return NULL;
}

int workspace_open(struct server *server, struct cella_error *err)
{
    const struct settings *settings = server->settings;
    struct buffer text;
    if (settings->workspace == NULL) {
        return 0;
    }
    char *directory = find_directory(settings->workspace, err);
    if (directory == NULL) {
        return -1;
    }
    const bool written = write_text(directory, &text) == 0;
    free(directory);
    int result = written ? write_policy(server->state_fd, &text, err)
                         : serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    buffer_done(&text);
    if (result == 0 && asprintf(&server->policies_dir, "%s/" DIRECTORY, settings->state) < 0) {
        server->policies_dir = NULL;
        result = serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    return result;
}

void workspace_close(struct server *server)
{
    free(server->policies_dir);
    server->policies_dir = NULL;
}
