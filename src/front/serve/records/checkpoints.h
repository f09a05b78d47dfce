/*
 * Checkpoints of the databases in the state directory, outside of the server's loop.
 *
 * A commit writes to a database's log (history.db-wal); a checkpoint brings what stands there into
 * the database, and waits for the disk twice, some ten milliseconds and more.  SQLite by itself
 * does it in the commit that made the log long, for which everybody would wait.  So a process apart
 * does it, which is asked with one byte and answers nothing.  It has the server's confinement
 * (confine.h), connections of its own, and nothing of a client's but what stands in the files.
 *
 * A commit is in the log, which the kernel has, whether this process lives or not: nothing gets
 * lost by its end.  Without it, or when it cannot keep up, the commit does the checkpoint itself.
 */
#ifndef SERVE_CHECKPOINTS_H
#define SERVE_CHECKPOINTS_H

#include <cella/cella.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

struct settings;

/* What is to be said to a new connection: a log that was longer once is cut when it begins anew. */
#define CHECKPOINT_LOG_SIZE "PRAGMA journal_size_limit = 67108864;"

/* X(id, name): the files, in the state directory. */
#define CHECKPOINT_FILES(X)                                                                        \
    X(HISTORY, "history.db")                                                                       \
    X(USAGE, "usage.db")

#define CHECKPOINT_ENUM(id, ...) CHECKPOINT_##id,
enum checkpoint_file { CHECKPOINT_FILES(CHECKPOINT_ENUM) CHECKPOINT_FILE_COUNT };
#undef CHECKPOINT_ENUM

/* The process. */
struct checkpoints {
    int socket; /* -1: there is none */
    pid_t pid;
};

/* The log of one database, in pages. */
struct checkpoint_log {
    const struct checkpoints *by;
    enum checkpoint_file file;
    int asked;    /* its length when a checkpoint was asked for last; 0: not yet */
    int first;    /* likewise the first time since it was empty */
    bool is_told; /* that commits do checkpoints */
};

/* Before any database is open in this process: SQLite's own notes of a file must not be copied
 * with it. */
int checkpoints_open(const struct settings *settings, struct checkpoints *ret_checkpoints,
                     struct cella_error *err) __attribute__((warn_unused_result));
/* Waits until it has ended; after that commits do checkpoints.  Half-opened ones too. */
void checkpoints_close(struct checkpoints *checkpoints);

/* The server's connection to a file, which is made when it is not there; its commits do no
 * checkpoints from now on.  What the process of a server that was killed may still do to it is
 * waited for until checkpoints_connected().  `*ret_database` is to be closed on failure too, of
 * which it knows the reason.  `checkpoints` and `log` must outlive it. */
int checkpoints_connect(const struct checkpoints *checkpoints, const char *directory,
                        enum checkpoint_file file, struct checkpoint_log *log,
                        sqlite3 **ret_database) __attribute__((warn_unused_result));
void checkpoints_connected(sqlite3 *database);

#endif
