/* What history.c and the others of its files know of the database; usage.c has a few of these. */
#ifndef SERVE_HISTORY_FILE_H
#define SERVE_HISTORY_FILE_H

#include "front/serve/records/history.h"

#include <sqlite3.h>
#include <stdio.h>

enum statement {
    ACCEPT,
    ADD,
    FINISH,
    SEARCHABLE,
    FIND,
    LIST,
    LIST_OF_TENANT,
    EXPORT,
    EXPORT_OF_TENANT,
    COUNT,
    COUNT_OF_TENANT,
    TIMES,
    TIMES_OF_TENANT,
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

/* LIST or EXPORT, or that of a tenant, with what is asked for.  history_unbind() ends it; until
 * then `query` must stay. */
int history_bind_query(struct history *history, enum statement which,
                       const struct history_query *query, struct cella_error *err);
void history_unbind(struct history *history, enum statement which);
/* Of a row of these one JSON object, but for its last brace: the summary and the record. */
void history_write_run(sqlite3_stmt *statement, FILE *out);

/* A text that stays until the statement is reset. */
static inline void history_bind(sqlite3_stmt *statement, int place, const char *text, size_t size)
{
    (void)sqlite3_bind_text64(statement, place, text, size, SQLITE_STATIC, SQLITE_UTF8);
}

#endif
