/* What history.c and the others of its files know of the database; usage.c has a few of these. */
#ifndef SERVE_HISTORY_FILE_H
#define SERVE_HISTORY_FILE_H

#include "front/serve/records/checkpoints.h"
#include "front/serve/records/history.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum statement {
    ACCEPT,
    ADD,
    FINISH,
    SEARCHABLE,
    FIND,
    PART,
    PART_OF_TENANT,
    LIST,
    LIST_OF_TENANT,
    EXPORT,
    EXPORT_OF_TENANT,
    COUNT,
    COUNT_OF_TENANT,
    LOST,
    SIZE,
    OLDEST,
    FORGET,
    FORGET_TEXT,
    KEY_FIND,
    KEY_ADD,
    KEY_FORGET_OLD,
    KEY_FORGET_MANY,
    TIMES_FIND,
    TIMES_ADD,
    TIMES_FORGET_OF_CODE,
    TIMES_FORGET_OLD,
    BATCH_ADD,
    BATCH_FINISH,
    BATCH_FIND,
    BATCH_FORGET,
    STATEMENT_COUNT
};

struct history {
    sqlite3 *database;
    struct checkpoint_log log;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    uint64_t max_bytes;
    uint64_t bytes;
    unsigned max_days;
};

/* One that gives no rows. */
int history_step(sqlite3_stmt *statement);
/* The run's key, in a transaction of the caller's. */
int history_put_key(struct history *history, const struct history_run *run);

/* What SQLite said last: that what is in a database cannot be read, say.  Returns -1. */
int history_tell(sqlite3 *database, const char *of, const char *what, struct cella_error *err);
/* Likewise.  Returns -1. */
int history_failed(const struct history *history, const char *what, struct cella_error *err);

/* What a statement that is for all runs is for those of one tenant: so he is found by an index, and
 * waits for nobody else's.  NULL: all. */
static inline enum statement history_of(enum statement which, const char *tenant)
{
    return tenant != NULL ? which + 1 : which;
}

/* A text that stays until the statement is reset. */
static inline void history_bind(sqlite3_stmt *statement, int place, const char *text, size_t size)
{
    (void)sqlite3_bind_text64(statement, place, text, size, SQLITE_STATIC, SQLITE_UTF8);
}

/* Likewise; NULL stands for any. */
static inline void history_bind_any(sqlite3_stmt *statement, int place, const char *text)
{
    if (text != NULL) {
        history_bind(statement, place, text, strlen(text));
    }
}

static inline void history_unbind(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* ---- history_counts.c ---- */

#define HISTORY_STATUSES_MAX 32U

struct history_counts {
    uint64_t runs, again, recovered; /* begun more than once; and ended then by themselves */
    struct history_status {
        char word[32];
        uint64_t runs;
    } statuses[HISTORY_STATUSES_MAX];
    size_t status_count;
    double *times; /* that each took, in milliseconds */
    size_t time_count, time_room;
};

/* A row of COUNT.  -1: memory is short. */
int history_counts_take(struct history_counts *counts, sqlite3_stmt *statement)
    __attribute__((warn_unused_result));
void history_counts_write(struct history_counts *counts, FILE *out);
void history_counts_done(struct history_counts *counts);

#endif
