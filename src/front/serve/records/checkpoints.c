/*
 * See checkpoints.h.  Divisions: the process apart; the server's end.
 *
 * How it works.  Every commit tells how long the log is.  From 1000 pages on a checkpoint is asked
 * for, and again after each 1000 more.  When all of the log is in the database, the next commit
 * begins it anew.  Commits that come meanwhile keep it from that; so the process goes on behind
 * them a few times, each shorter than the one before.
 */
#include "front/serve/records/checkpoints.h"

#include "front/serve/host/apart.h"
#include "front/serve/host/confine.h"
#include "front/serve/log.h"
#include "front/serve/settings/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKED_FD 3 /* of the process apart */
/* Pages of the log, as many as SQLite itself takes for a checkpoint. */
#define ASKED_PAGES 1000
/* More than there were when one was asked for first: 64 MiB.  Nobody has kept up with that, and the
 * commit does it itself. */
#define OWN_PAGES 16384
/* Checkpoints one after the other. */
#define TIMES_MAX 8
/* How long the process of a server that was killed may be at its last one. */
#define LEFT_MS 5000

#define CHECKPOINT_NAME(id, name) name,
static const char *const names[] = {CHECKPOINT_FILES(CHECKPOINT_NAME)};

/* ---- the process apart ---- */

/* Each knows the log as it was when it began: all of it is done when it has not grown meanwhile.
 * One that fails is asked for again, and made by a commit in the end. */
static void checkpoint(sqlite3 *database)
{
    int pages = 0, before = -1;
    for (int i = 0; i < TIMES_MAX && pages != before; i++) {
        before = pages;
        if (sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, NULL) !=
            SQLITE_OK) {
            return;
        }
    }
}

/* Returns what SQLite says. */
static int connect_file(const char *directory, enum checkpoint_file file, int flags,
                        sqlite3 **ret_database)
{
    char *path = NULL;
    *ret_database = NULL;
    if (asprintf(&path, "%s/%s", directory, names[file]) < 0) {
        return SQLITE_NOMEM;
    }
    const int code = sqlite3_open_v2(
        path, ret_database,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | flags, NULL);
    free(path);
    return code;
}

/* NULL: it is not to be had now.  A log is known to a connection that has read from it once. */
static sqlite3 *connect_once(const char *directory, enum checkpoint_file file)
{
    static const char text[] = "PRAGMA synchronous = NORMAL; SELECT 1 FROM sqlite_schema";
    sqlite3 *database;
    if (connect_file(directory, file, 0, &database) != SQLITE_OK ||
        sqlite3_exec(database, text, NULL, NULL, NULL) != SQLITE_OK) {
        (void)sqlite3_close(database);
        return NULL;
    }
    return database;
}

/* Until the server is gone.  Connections are not closed: the last one of a database would bring it
 * to its end, which is the next server's. */
static void serve(const char *directory)
{
    sqlite3 *databases[CHECKPOINT_FILE_COUNT] = {NULL};
    char asked[64]; /* several times for the same, when it took long */
    ssize_t size;
    while ((size = read(ASKED_FD, asked, sizeof(asked))) > 0 || (size < 0 && errno == EINTR)) {
        for (enum checkpoint_file i = 0; size > 0 && i < CHECKPOINT_FILE_COUNT; i++) {
            const bool is_asked = memchr(asked, (int)i, (size_t)size) != NULL;
            if (is_asked && databases[i] == NULL) {
                databases[i] = connect_once(directory, i);
            }
            if (is_asked && databases[i] != NULL) {
                checkpoint(databases[i]);
            }
        }
    }
}

/* What ends the server by a signal lets its runs end first, and commits come until then. */
static int block_signals(void)
{
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGHUP);
    return sigprocmask(SIG_BLOCK, &ends, NULL);
}

static void run(const struct settings *settings, int socket)
{
    bool holds[CONFINE_COUNT];
    struct cella_error unused;
    (void)prctl(PR_SET_NAME, "cella-records");
    if (dup2(socket, ASKED_FD) == ASKED_FD && close_range(ASKED_FD + 1, ~0U, 0) == 0 &&
        block_signals() == 0 && confine(settings, holds, &unused) == 0) {
        serve(settings->state);
    }
    _exit(0);
}

/* ---- the server's end ---- */

int checkpoints_open(const struct settings *settings, struct checkpoints *ret_checkpoints,
                     struct cella_error *err)
{
    int socket = -1;
    const pid_t pid = apart_fork(SOCK_STREAM, "a process for checkpoints", &socket, err);
    if (pid < 0) {
        return -1;
    }
    if (pid == 0) {
        run(settings, socket);
    }
    *ret_checkpoints = (struct checkpoints){.socket = socket, .pid = pid};
    return 0;
}

void checkpoints_close(struct checkpoints *checkpoints)
{
    apart_end(&checkpoints->socket, &checkpoints->pid);
}

/* False: nobody is there.  One that has not read the last time has enough to do. */
static bool ask(const struct checkpoint_log *log)
{
    const char byte = (char)log->file;
    return send(log->by->socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 || errno == EAGAIN;
}

static int on_commit(void *context, sqlite3 *database, const char *name, int pages)
{
    struct checkpoint_log *log = context;
    if (pages < log->asked) { /* it has begun anew */
        log->asked = log->first = 0;
    }
    if (pages - log->asked < ASKED_PAGES) {
        return SQLITE_OK;
    }
    log->asked = pages;
    log->first = log->first > 0 ? log->first : pages;
    if (pages - log->first >= OWN_PAGES || !ask(log)) {
        if (log->by->socket >= 0 && !log->is_told) {
            log->is_told = true;
            log_write(LOG_LEVEL_WARNING, NULL,
                      "cella-records is gone, or slow: the server does checkpoints of %s itself",
                      names[log->file]);
        }
        /* One that fails is made after the next pages: what was committed is. */
        (void)sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return SQLITE_OK;
}

int checkpoints_connect(const struct checkpoints *checkpoints, const char *directory,
                        enum checkpoint_file file, struct checkpoint_log *log,
                        sqlite3 **ret_database)
{
    const int code = connect_file(directory, file, SQLITE_OPEN_CREATE, ret_database);
    if (code != SQLITE_OK) {
        return -1;
    }
    *log = (struct checkpoint_log){.by = checkpoints, .file = file};
    (void)sqlite3_wal_hook(*ret_database, on_commit, log); /* in the place of SQLite's own */
    (void)sqlite3_busy_timeout(*ret_database, LEFT_MS);
    return 0;
}

/* Who holds it longer from then on is no server, and the loop does not wait for him. */
void checkpoints_connected(sqlite3 *database)
{
    (void)sqlite3_busy_timeout(database, 0);
}
