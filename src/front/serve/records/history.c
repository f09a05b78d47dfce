/*
 * See history.h.  Divisions: the file; what goes; adding.  history_read.c and others find.
 *
 * How it works: write-ahead logging, and a commit for each change, which the kernel has when the
 * call returns: this process may be killed at any time and loses nothing.  That the host loses its
 * power may cost the last seconds.  The columns by which runs are found are made by SQLite from
 * the summary, so that there is one place that says what a run was.
 */
#include "front/serve/records/history.h"

#include "front/serve/fail.h"
#include "front/serve/log.h"
#include "front/serve/records/history_file.h"

#include <cella/wire.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Of the code and of each stream: what is found by its words. */
#define SEARCHED_BYTES_MAX 65536
/* Of a result that somebody waits for: he has it, and others want their turn.  A longer one is not
 * kept. */
#define RESULT_BYTES_MAX ((size_t)4 << 20)
/* Of one that is fetched later: of a longer one the short form is kept.  SQLite has no row of a
 * gigabyte. */
#define RESULT_FETCHED_MAX ((size_t)512 << 20)
/* Rows that go in one turn: others want their turn too. */
#define FORGOTTEN_AT_ONCE 16
#define DAY_SECONDS       86400

/* The format of the file is a number in it, so that a later Cella knows what it reads. */
#define FORMAT 2

static const char tables[] =
    "CREATE TABLE runs("
    " number INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " tenant TEXT NOT NULL,"
    " added_at INTEGER NOT NULL," /* Unix time */
    " bytes INTEGER NOT NULL,"
    " kept INTEGER NOT NULL," /* CELLA_KEEP_..., by its policy */
    " record TEXT NOT NULL,"
    " summary TEXT," /* NULL: still on its way */
    " status TEXT AS (summary ->> '$.status') STORED,"
    " language TEXT AS (summary ->> '$.language.name') STORED,"
    " policy TEXT AS (summary ->> '$.policy.name') STORED,"
    " tag TEXT AS (summary ->> '$.tag') STORED,"
    " queued_at TEXT AS (summary ->> '$.queued_at') STORED,"
    " attempts INTEGER AS (summary ->> '$.attempts') STORED,"
    " wall_ms REAL AS (summary ->> '$.usage.wall_ms') STORED,"
    " request TEXT NOT NULL," /* 'null': not kept */
    " result TEXT);"          /* '': not kept */
    "CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(code, stdout, stderr);";

/* What an Idempotency-Key has begun. */
static const char keys[] = "CREATE TABLE IF NOT EXISTS keys("
                           " number INTEGER PRIMARY KEY,"
                           " tenant TEXT NOT NULL,"
                           " name TEXT NOT NULL,"
                           " digest TEXT NOT NULL,"
                           " run TEXT NOT NULL,"
                           " added_at INTEGER NOT NULL," /* Unix time */
                           " UNIQUE(tenant, name));"
                           "CREATE INDEX IF NOT EXISTS keys_of ON keys(tenant, number);";

/* How a tenant's runs are found; what the same code took; and what became of batches. */
static const char others[] = "CREATE INDEX IF NOT EXISTS runs_of ON runs(tenant, id);"
                             "CREATE TABLE IF NOT EXISTS times("
                             " number INTEGER PRIMARY KEY,"
                             " tenant TEXT NOT NULL,"
                             " digest TEXT NOT NULL,"
                             " wall_ms REAL NOT NULL);"
                             "CREATE INDEX IF NOT EXISTS times_of ON times(tenant, digest, number);"
                             "CREATE TABLE IF NOT EXISTS batches("
                             " number INTEGER PRIMARY KEY,"
                             " id TEXT NOT NULL UNIQUE,"
                             " tenant TEXT NOT NULL,"
                             " added_at INTEGER NOT NULL," /* Unix time */
                             " bytes INTEGER NOT NULL DEFAULT 0,"
                             " result TEXT);"; /* NULL: still on its way, or lost with the server */

/* From format 1, which had no records. */
static const char before_tables[] = "ALTER TABLE runs RENAME TO runs_1;";
static const char behind_tables[] =
    "INSERT INTO runs(number, id, tenant, added_at, bytes, kept, record, summary, request, result)"
    " SELECT number, id, tenant, added_at, bytes, 3,"
    " json_object('tenant', nullif(tenant, ''), 'request_id', NULL, 'trace_id', NULL, "
    "'request_digest', NULL),"
    " summary, request, result FROM runs_1;"
    "DROP TABLE runs_1;";

/* Of a search: those from ?9 on and before ?10, whose numbers are ?11 to ?12.  Ids are of letters,
 * before which there is nothing but "", and behind which "~". */
#define FILTERED(of_tenant)                                                                        \
    " FROM runs WHERE summary IS NOT NULL"                                                         \
    " AND (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR language = ?2)"                           \
    " AND (?3 IS NULL OR policy = ?3) AND (?4 IS NULL OR tag = ?4)"                                \
    " AND (?5 IS NULL OR queued_at >= ?5) AND (?6 IS NULL OR queued_at < ?6)"                      \
    " AND (?7 IS NULL OR number IN (SELECT rowid FROM texts"                                       \
    " WHERE texts MATCH ?7 AND rowid BETWEEN ?11 AND ?12))"                                        \
    " AND id >= ?9 AND id < coalesce(?10, '~')" of_tenant " ORDER BY id DESC"
#define OF_TENANT " AND tenant = ?8"

/* The part of the runs that is looked at next. */
#define PART_OF(of_tenant)                                                                         \
    "SELECT min(id), min(number), max(number), count(*) FROM (SELECT id, number FROM runs"         \
    " WHERE id < coalesce(?1, '~')" of_tenant " ORDER BY id DESC LIMIT ?2)"

/* length() of a text counts characters. */
#define REQUEST_BYTES "length(CAST(?3 AS BLOB))"
#define LOST_RESULT   "json_set(?2, '$.id', id)"
#define RESULT_BYTES  "length(CAST(?5 AS BLOB))"

static const char *const statements[STATEMENT_COUNT] = {
    [ACCEPT] = "INSERT INTO runs(id, tenant, added_at, bytes, request, kept, record)"
               " VALUES(?1, ?6, ?2, " REQUEST_BYTES ", ?3, ?7, ?8) RETURNING number, 0",
    [ADD] = "INSERT INTO runs(id, tenant, added_at, bytes, request, kept, record, summary, result)"
            " VALUES(?1, ?6, ?2, " REQUEST_BYTES " + " RESULT_BYTES ", ?3, ?7, ?8, ?4, ?5)"
            " RETURNING number, bytes",
    [FINISH] = "UPDATE runs SET summary = ?4, result = ?5, request = coalesce(?3, request),"
               " bytes = iif(?3 IS NULL, bytes, " REQUEST_BYTES ") + " RESULT_BYTES
               " WHERE id = ?1 RETURNING number, bytes",
    [SEARCHABLE] = "INSERT INTO texts(rowid, code, stdout, stderr) SELECT number,"
                   " substr(request ->> '$.code', 1, ?4), ?2, ?3 FROM runs WHERE number = ?1",
    [FIND] = "SELECT result, kept FROM runs WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)",
    [PART] = PART_OF(""),
    [PART_OF_TENANT] = PART_OF(" AND tenant = ?3"),
    [LIST] = "SELECT id, summary, record" FILTERED(""),
    [LIST_OF_TENANT] = "SELECT id, summary, record" FILTERED(OF_TENANT),
    [EXPORT] = "SELECT id, summary, record, request, result" FILTERED(""),
    [EXPORT_OF_TENANT] = "SELECT id, summary, record, request, result" FILTERED(OF_TENANT),
    [COUNT] = "SELECT id, status, attempts > 1, wall_ms" FILTERED(""),
    [COUNT_OF_TENANT] = "SELECT id, status, attempts > 1, wall_ms" FILTERED(OF_TENANT),
    [LOST] = "UPDATE runs SET summary = json_set(?1, '$.id', id), result = " LOST_RESULT ","
             " bytes = bytes + length(CAST(" LOST_RESULT " AS BLOB)) WHERE result IS NULL",
    /* Those on their way do not count: nothing goes for what cannot go itself. */
    [SIZE] = "SELECT sum(bytes) FROM runs WHERE result IS NOT NULL",
    [OLDEST] = "SELECT number, bytes, added_at FROM runs WHERE result IS NOT NULL"
               " ORDER BY number LIMIT 1",
    [FORGET] = "DELETE FROM runs WHERE number = ?1",
    [FORGET_TEXT] = "DELETE FROM texts WHERE rowid = ?1",
    [KEY_FIND] = "SELECT digest, run FROM keys WHERE tenant = ?1 AND name = ?2 AND added_at > ?3",
    [KEY_ADD] = "INSERT OR REPLACE INTO keys(tenant, name, digest, run, added_at)"
                " VALUES(?1, ?2, ?3, ?4, ?5)",
    [KEY_FORGET_OLD] = "DELETE FROM keys WHERE added_at <= ?1"
                       " AND number IN (SELECT number FROM keys ORDER BY number LIMIT ?2)",
    [TIMES_FIND] = "SELECT wall_ms FROM times WHERE tenant = ?1 AND digest = ?2"
                   " ORDER BY number DESC LIMIT ?3",
    [TIMES_ADD] = "INSERT INTO times(tenant, digest, wall_ms) VALUES(?1, ?2, ?3)",
    [TIMES_FORGET_OF_CODE] =
        "DELETE FROM times WHERE number IN (SELECT number FROM times"
        " WHERE tenant = ?1 AND digest = ?2 ORDER BY number DESC LIMIT -1 OFFSET ?3)",
    [TIMES_FORGET_OLD] = "DELETE FROM times WHERE number <= (SELECT max(number) FROM times) - ?1",
    [BATCH_ADD] = "INSERT INTO batches(id, tenant, added_at) VALUES(?1, ?2, ?3)",
    [BATCH_FINISH] = "UPDATE batches SET result = ?2, bytes = ?3 WHERE id = ?1",
    [BATCH_FIND] = "SELECT result FROM batches WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)",
    /* The oldest, of more than there is room for; and those whose time is over.  The one that has
     * just ended stays: its client is about to fetch it. */
    [BATCH_FORGET] = "DELETE FROM batches WHERE id <> ?3 AND (added_at < ?2 OR number IN"
                     " (SELECT number FROM (SELECT number, bytes, sum(bytes)"
                     " OVER (ORDER BY number DESC) AS size FROM batches)"
                     " WHERE size > ?1 AND bytes > 0))", /* 0: it is on its way */
    [KEY_FORGET_MANY] = "DELETE FROM keys WHERE number IN (SELECT number FROM keys"
                        " WHERE tenant = ?1 ORDER BY number DESC LIMIT -1 OFFSET ?2)",
};

/* ---- the file ---- */

int history_tell(sqlite3 *database, const char *of, const char *what, struct cella_error *err)
{
    const int code = sqlite3_errcode(database);
    (void)serve_fail(err, CELLA_ERROR_HOST, "%s cannot %s: %s", of, what, sqlite3_errmsg(database));
    return serve_hint(err, code == SQLITE_FULL    ? "make room on its disk"
                           : code == SQLITE_IOERR ? "see whether the state directory is read-only, "
                                                    "and what the kernel says of its disk"
                                                  : "see to the state directory");
}

int history_failed(const struct history *history, const char *what, struct cella_error *err)
{
    return history_tell(history->database, "the history", what, err);
}

int history_step(sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    const int end = sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE && end == SQLITE_OK ? 0 : -1;
}

static int run_text(struct history *history, const char *sql)
{
    return sqlite3_exec(history->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int read_format(struct history *history, int *ret_format, struct cella_error *err)
{
    sqlite3_stmt *statement = NULL;
    int format = -1;
    if (sqlite3_prepare_v2(history->database, "PRAGMA user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        format = sqlite3_column_int(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    if (format < 0) {
        return history_failed(history, "be read", err);
    }
    if (format > FORMAT) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "%s was written by another version of Cella",
                         sqlite3_db_filename(history->database, "main"));
        return serve_hint(err, "move it away, or choose another state directory");
    }
    *ret_format = format;
    return 0;
}

/* All of it or, when this process or its host ends meanwhile, none. */
static int make_tables(struct history *history, int format)
{
    char version[40];
    (void)snprintf(version, sizeof(version), "PRAGMA user_version = %d", FORMAT);
    return format == FORMAT || (run_text(history, "BEGIN IMMEDIATE") == 0 &&
                                (format == 0 || run_text(history, before_tables) == 0) &&
                                run_text(history, tables) == 0 &&
                                (format == 0 || run_text(history, behind_tables) == 0) &&
                                run_text(history, version) == 0 && run_text(history, "COMMIT") == 0)
               ? 0
               : -1;
}

static int prepare(struct history *history, int format, struct cella_error *err)
{
    if (run_text(history,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" CHECKPOINT_LOG_SIZE) <
            0 ||
        make_tables(history, format) < 0 || run_text(history, keys) < 0 ||
        run_text(history, others) < 0) {
        return history_failed(history, "be made", err);
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(history->database, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &history->statements[i], NULL) != SQLITE_OK) {
            return history_failed(history, "be used", err);
        }
    }
    return 0;
}

/* Runs that were accepted, and of which the last server has seen no end. */
static int tell_lost(struct history *history, struct cella_error *err)
{
    struct cella_error error;
    struct cella_result *result = NULL;
    char *summary = NULL, *json = NULL;
    size_t summary_size = 0, size = 0;
    (void)serve_fail(&error, CELLA_ERROR_HOST, "the server ended while the run was on its way");
    (void)serve_hint(&error, "run it again");
    int code = cella_result_refused(&error, &result, err);
    if (code == 0) {
        code = cella_result_summary_json(result, &summary, &summary_size, err);
    }
    if (code == 0) {
        code = cella_result_json(result, &json, &size, err);
    }
    if (code == 0) {
        sqlite3_stmt *statement = history->statements[LOST];
        (void)sqlite3_bind_text(statement, 1, summary, (int)summary_size, SQLITE_STATIC);
        (void)sqlite3_bind_text(statement, 2, json, (int)size, SQLITE_STATIC);
        code = history_step(statement) < 0 ? history_failed(history, "be written", err) : 0;
    }
    const int lost = sqlite3_changes(history->database);
    if (code == 0 && lost > 0) {
        log_line("the server before has lost %d run%s", lost, serve_plural((uint64_t)lost));
    }
    free(summary);
    free(json);
    cella_result_destroy(result);
    return code;
}

static void count_bytes(struct history *history)
{
    sqlite3_stmt *statement = history->statements[SIZE];
    history->bytes =
        sqlite3_step(statement) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
}

int history_open(const char *directory, const struct checkpoints *checkpoints, uint64_t max_bytes,
                 unsigned max_days, struct history **ret_history, struct cella_error *err)
{
    int format = 0;
    if (max_bytes == 0) {
        *ret_history = NULL;
        return 0;
    }
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    history->max_bytes = max_bytes;
    history->max_days = max_days;
    const mode_t mask = umask(077); /* what programs wrote is nobody else's */
    int code = checkpoints_connect(checkpoints, directory, CHECKPOINT_HISTORY, &history->log,
                                   &history->database) < 0
                   ? history_failed(history, "be opened", err)
                   : 0;
    if (code == 0) {
        code = read_format(history, &format, err);
    }
    if (code == 0) {
        code = prepare(history, format, err);
    }
    if (code == 0) {
        code = tell_lost(history, err);
    }
    (void)umask(mask);
    if (code < 0) {
        history_close(history);
        return -1;
    }
    checkpoints_connected(history->database);
    count_bytes(history);
    *ret_history = history;
    return 0;
}

void history_set_bounds(struct history *history, uint64_t max_bytes, unsigned max_days)
{
    if (history != NULL) {
        history->max_bytes = max_bytes;
        history->max_days = max_days;
    }
}

void history_close(struct history *history)
{
    if (history == NULL) {
        return;
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(history->statements[i]);
    }
    (void)sqlite3_close(history->database); /* what was changed is committed */
    free(history);
}

/* ---- what goes ---- */

/* Returns whether one went. */
static bool forget_oldest(struct history *history, sqlite3_int64 now)
{
    sqlite3_stmt *oldest = history->statements[OLDEST];
    sqlite3_int64 number = 0, bytes = 0;
    bool goes = false;
    if (sqlite3_step(oldest) == SQLITE_ROW) {
        number = sqlite3_column_int64(oldest, 0);
        bytes = sqlite3_column_int64(oldest, 1);
        goes =
            history->bytes > history->max_bytes ||
            now - sqlite3_column_int64(oldest, 2) > (sqlite3_int64)history->max_days * DAY_SECONDS;
    }
    (void)sqlite3_reset(oldest);
    if (!goes) {
        return false;
    }
    (void)sqlite3_bind_int64(history->statements[FORGET], 1, number);
    (void)sqlite3_bind_int64(history->statements[FORGET_TEXT], 1, number);
    if (history_step(history->statements[FORGET]) < 0 ||
        history_step(history->statements[FORGET_TEXT]) < 0) {
        return false;
    }
    history->bytes -= (uint64_t)bytes < history->bytes ? (uint64_t)bytes : history->bytes;
    return true;
}

static void forget_old(struct history *history)
{
    const sqlite3_int64 now = (sqlite3_int64)time(NULL);
    for (int i = 0; i < FORGOTTEN_AT_ONCE && forget_oldest(history, now); i++) {
    }
}

/* ---- adding ---- */

static const char no_request[] = "null";

/* What a row has of a run from its beginning. */
static void bind_run(sqlite3_stmt *statement, const struct history_run *run)
{
    history_bind(statement, 1, run->id, strlen(run->id));
    if (!run->is_accepted) {
        (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)time(NULL));
        history_bind(statement, 3, run->request != NULL ? run->request : no_request,
                     run->request != NULL ? run->request_size : sizeof(no_request) - 1);
        history_bind(statement, 6, run->tenant, strlen(run->tenant));
        (void)sqlite3_bind_int64(statement, 7, run->keeps);
        history_bind(statement, 8, run->record, strlen(run->record));
    }
}

static int add_row(struct history *history, sqlite3_stmt *statement, sqlite3_int64 *ret_number)
{
    const bool added = sqlite3_step(statement) == SQLITE_ROW;
    if (added) {
        *ret_number = sqlite3_column_int64(statement, 0);
        history->bytes += (uint64_t)sqlite3_column_int64(statement, 1);
    }
    const int end = sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return added && end == SQLITE_OK ? 0 : -1;
}

int history_accept(struct history *history, const struct history_run *run, struct cella_error *err)
{
    sqlite3_int64 number;
    if (history == NULL) {
        (void)serve_fail(err, CELLA_ERROR_CALLER,
                         "this server keeps no history, so no run can be fetched later");
        return serve_hint(err, "ask without %s",
                          run->key != NULL ? "Idempotency-Key" : "`Prefer: respond-async`");
    }
    if (run_text(history, "BEGIN IMMEDIATE") < 0) {
        return history_failed(history, "be written", err);
    }
    bind_run(history->statements[ACCEPT], run);
    if (add_row(history, history->statements[ACCEPT], &number) < 0 ||
        (run->key != NULL && history_put_key(history, run) < 0) ||
        run_text(history, "COMMIT") < 0) {
        (void)history_failed(history, "be written", err);
        (void)run_text(history, "ROLLBACK"); /* fails where SQLite has done so already */
        count_bytes(history);
        return -1;
    }
    return 0;
}

/* The beginning of a stream, without half a character at its end. */
static void bind_searched(sqlite3_stmt *statement, int place, const char *text, size_t size)
{
    size = size < SEARCHED_BYTES_MAX ? size : SEARCHED_BYTES_MAX;
    const size_t zero = strnlen(text, size); /* nothing is found behind one */
    while (size == SEARCHED_BYTES_MAX && size > 0 &&
           ((unsigned char)text[size - 1] & 0xc0) == 0x80) {
        size--;
    }
    history_bind(statement, place, text, zero < size ? zero : size);
}

/* What of it is kept as it is.  What alone is more than there is room for would push out everything
 * and then go itself. */
static size_t result_max(const struct history *history, const struct history_run *run)
{
    const size_t max = run->is_accepted ? RESULT_FETCHED_MAX : RESULT_BYTES_MAX;
    const size_t least = sizeof(no_request) - 1; /* of the row's request */
    const uint64_t room = history->max_bytes > least ? history->max_bytes - least : 0;
    return room < max ? (size_t)room : max;
}

/* The JSON of a result, or of its short form: NULL when it is not to be kept, or not to be had. */
static char *take_json(const struct history *history, const struct history_run *run,
                       const struct cella_result *result, size_t *ret_size)
{
    struct cella_error unused;
    char *json = NULL;
    const size_t max = result_max(history, run);
    *ret_size = 0;
    if ((run->keeps & CELLA_KEEP_OUTPUT) == 0) {
        return NULL;
    }
    if (cella_result_bytes(result) <= max && /* its JSON is no shorter */
        cella_result_json(result, &json, ret_size, &unused) == 0 && *ret_size <= max) {
        return json;
    }
    free(json);
    json = NULL;
    if (run->is_accepted && cella_result_short_json(result, &json, ret_size, &unused) == 0 &&
        *ret_size <= max) {
        return json; /* nobody has it from elsewhere */
    }
    free(json);
    *ret_size = 0;
    return NULL;
}

/* What of the run is found by its words.  The request is there already. */
static int make_searchable(struct history *history, const struct history_run *run,
                           const struct cella_result *result, sqlite3_int64 number)
{
    sqlite3_stmt *statement = history->statements[SEARCHABLE];
    size_t size = 0;
    (void)sqlite3_bind_int64(statement, 1, number);
    if ((run->keeps & CELLA_KEEP_OUTPUT) != 0) {
        const char *text = cella_result_stdout(result, &size);
        bind_searched(statement, 2, text, size);
        text = cella_result_stderr(result, &size);
        bind_searched(statement, 3, text, size);
    }
    (void)sqlite3_bind_int(statement, 4, SEARCHED_BYTES_MAX);
    return history_step(statement);
}

static int add(struct history *history, const struct history_run *run,
               const struct cella_result *result, struct cella_error *err)
{
    sqlite3_stmt *statement = history->statements[run->is_accepted ? FINISH : ADD];
    char *summary = NULL;
    size_t summary_size = 0, json_size = 0;
    sqlite3_int64 number = 0;
    if (cella_result_summary_json(result, &summary, &summary_size, err) < 0) {
        return -1;
    }
    char *json = take_json(history, run, result, &json_size);
    bind_run(statement, run);
    if (run->request_size > history->max_bytes - json_size) {
        history_bind(statement, 3, no_request, sizeof(no_request) - 1);
    }
    history_bind(statement, 4, summary, summary_size);
    history_bind(statement, 5, json != NULL ? json : "", json_size);
    const int code = add_row(history, statement, &number) < 0 ||
                             make_searchable(history, run, result, number) < 0
                         ? history_failed(history, "be written", err)
                         : 0;
    free(summary);
    free(json);
    return code;
}

int history_add(struct history *history, const struct history_run *run,
                const struct cella_result *result, struct cella_error *err)
{
    if (history == NULL) {
        return 0;
    }
    const int began = run_text(history, "BEGIN IMMEDIATE");
    int code =
        began < 0 ? history_failed(history, "be written", err) : add(history, run, result, err);
    if (code == 0) {
        forget_old(history);
        code = run_text(history, "COMMIT") < 0 ? history_failed(history, "be written", err) : 0;
    }
    if (code < 0 && began == 0) {
        (void)run_text(history, "ROLLBACK"); /* fails where SQLite has done so already */
        count_bytes(history);
    }
    return code;
}
