/* See usage.h. */
#include "front/serve/records/usage.h"

#include "base/clock.h"
#include "front/keys.h"
#include "front/serve/fail.h"
#include "front/serve/log.h"
#include "front/serve/records/history_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than anything runs for, and such that sums of many fit. */
#define MOST_US ((uint64_t)1 << 50)
/* Runs that were lost; no server has so many at one time. */
#define LOST_MAX 100000U

static const char tables[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" CHECKPOINT_LOG_SIZE
    "CREATE TABLE IF NOT EXISTS days("
    " tenant TEXT NOT NULL,"
    " day INTEGER NOT NULL,"
    " us INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, day)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS runs("
    " id TEXT PRIMARY KEY,"
    " tenant TEXT NOT NULL,"
    " began_at INTEGER NOT NULL," /* Unix time, in milliseconds */
    " most_us INTEGER NOT NULL) WITHOUT ROWID;";

enum usage_statement {
    USAGE_BEGIN,
    USAGE_FIND,
    USAGE_FIRST,
    USAGE_ADD,
    USAGE_END,
    USAGE_READ,
    USAGE_FORGET,
    USAGE_STATEMENTS
};

static const char *const statements[USAGE_STATEMENTS] = {
    [USAGE_BEGIN] = "INSERT OR REPLACE INTO runs(id, tenant, began_at, most_us)"
                    " VALUES(?1, ?2, ?3, ?4)",
    [USAGE_FIND] = "SELECT began_at, most_us FROM runs WHERE id = ?1",
    [USAGE_FIRST] = "SELECT id, tenant FROM runs LIMIT 1",
    [USAGE_ADD] = "INSERT INTO days(tenant, day, us) VALUES(?1, ?2, ?3)"
                  " ON CONFLICT(tenant, day) DO UPDATE SET us = us + excluded.us",
    [USAGE_END] = "DELETE FROM runs WHERE id = ?1",
    [USAGE_READ] = "SELECT us FROM days WHERE tenant = ?1 AND day = ?2",
    /* Clocks are set back sometimes. */
    [USAGE_FORGET] = "DELETE FROM days WHERE tenant = ?1 AND day < ?2 - 7",
};

struct usage {
    sqlite3 *database;
    struct checkpoint_log log;
    sqlite3_stmt *statements[USAGE_STATEMENTS];
    uint64_t processors;
};

static int failed(const struct usage *usage, const char *what, struct cella_error *err)
{
    return history_tell(usage->database, "what tenants use", what, err);
}

static int run_text(struct usage *usage, const char *sql)
{
    return sqlite3_exec(usage->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int count_lost(struct usage *usage, int64_t day, struct cella_error *err);

/* ---- the file ---- */

static int prepare(struct usage *usage, struct cella_error *err)
{
    if (run_text(usage, tables) < 0) {
        return failed(usage, "be written", err);
    }
    for (int i = 0; i < USAGE_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(usage->database, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &usage->statements[i], NULL) != SQLITE_OK) {
            return failed(usage, "be read", err);
        }
    }
    return 0;
}

int usage_open(const char *directory, const struct checkpoints *checkpoints, int64_t day,
               struct usage **ret_usage, struct cella_error *err)
{
    struct usage *usage = calloc(1, sizeof(*usage));
    if (usage == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    usage->processors = processors > 0 ? (uint64_t)processors : 1;
    const mode_t mask = umask(077);
    int code = checkpoints_connect(checkpoints, directory, CHECKPOINT_USAGE, &usage->log,
                                   &usage->database) < 0
                   ? failed(usage, "be opened", err)
                   : prepare(usage, err);
    if (code == 0) {
        code = count_lost(usage, day, err);
    }
    (void)umask(mask);
    if (code < 0) {
        usage_close(usage);
        return -1;
    }
    checkpoints_connected(usage->database);
    *ret_usage = usage;
    return 0;
}

void usage_close(struct usage *usage)
{
    if (usage == NULL) {
        return;
    }
    for (int i = 0; i < USAGE_STATEMENTS; i++) {
        (void)sqlite3_finalize(usage->statements[i]);
    }
    (void)sqlite3_close(usage->database);
    free(usage);
}

/* ---- runs ---- */

int usage_read(struct usage *usage, const char *tenant, int64_t day, uint64_t *ret_us,
               struct cella_error *err)
{
    sqlite3_stmt *statement = usage->statements[USAGE_READ];
    sqlite3_stmt *forget = usage->statements[USAGE_FORGET];
    history_bind(statement, 1, tenant, strlen(tenant));
    (void)sqlite3_bind_int64(statement, 2, day);
    const int state = sqlite3_step(statement);
    const sqlite3_int64 us = state == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    const bool read = state == SQLITE_ROW || state == SQLITE_DONE;
    const int code = read ? 0 : failed(usage, "be read", err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    if (code < 0) {
        return -1;
    }
    history_bind(forget, 1, tenant, strlen(tenant));
    (void)sqlite3_bind_int64(forget, 2, day);
    (void)history_step(forget); /* another time, else */
    *ret_us = (uint64_t)us;
    return 0;
}

int usage_begin(struct usage *usage, const char *tenant, const char *run, uint64_t most_us,
                struct cella_error *err)
{
    sqlite3_stmt *statement = usage->statements[USAGE_BEGIN];
    history_bind(statement, 1, run, strlen(run));
    history_bind(statement, 2, tenant, strlen(tenant));
    (void)sqlite3_bind_int64(statement, 3, clock_realtime_ms());
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)(most_us < MOST_US ? most_us : MOST_US));
    return history_step(statement) < 0 ? failed(usage, "be written", err) : 0;
}

/* The most that it may have used.  0 for a run that is not there. */
static uint64_t guess(struct usage *usage, const char *run)
{
    sqlite3_stmt *statement = usage->statements[USAGE_FIND];
    uint64_t us = 0;
    history_bind(statement, 1, run, strlen(run));
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const int64_t since_ms = clock_realtime_ms() - sqlite3_column_int64(statement, 0);
        us = (uint64_t)sqlite3_column_int64(statement, 1);
        if (since_ms >= 0 && (uint64_t)since_ms < us / 1000 / usage->processors) {
            us = (uint64_t)since_ms * 1000 * usage->processors;
        } /* else the clock was set back, and nobody knows */
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return us;
}

int usage_end(struct usage *usage, const char *tenant, const char *run, int64_t day, uint64_t us,
              uint64_t *ret_us, struct cella_error *err)
{
    sqlite3_stmt *add = usage->statements[USAGE_ADD];
    sqlite3_stmt *end = usage->statements[USAGE_END];
    us = us == USAGE_UNKNOWN ? guess(usage, run) : us;
    us = us < MOST_US ? us : MOST_US;
    *ret_us = us; /* it counts, also when it cannot be written */
    if (run_text(usage, "BEGIN IMMEDIATE") < 0) {
        return failed(usage, "be written", err);
    }
    history_bind(add, 1, tenant, strlen(tenant));
    (void)sqlite3_bind_int64(add, 2, day);
    (void)sqlite3_bind_int64(add, 3, (sqlite3_int64)us);
    history_bind(end, 1, run, strlen(run));
    if (history_step(add) < 0 || history_step(end) < 0 || run_text(usage, "COMMIT") < 0) {
        (void)failed(usage, "be written", err);
        (void)run_text(usage, "ROLLBACK"); /* fails where SQLite has done so already */
        return -1;
    }
    return 0;
}

/* ---- runs that were lost ---- */

struct lost {
    char run[HISTORY_ID_SIZE];
    char tenant[KEY_NAME_SIZE];
};

static bool find_first(struct usage *usage, struct lost *ret_lost)
{
    sqlite3_stmt *statement = usage->statements[USAGE_FIRST];
    const bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found) { /* what usage_begin() was given fits */
        (void)snprintf(ret_lost->run, sizeof(ret_lost->run), "%s",
                       (const char *)sqlite3_column_text(statement, 0));
        (void)snprintf(ret_lost->tenant, sizeof(ret_lost->tenant), "%s",
                       (const char *)sqlite3_column_text(statement, 1));
    }
    (void)sqlite3_reset(statement);
    return found;
}

static int count_lost(struct usage *usage, int64_t day, struct cella_error *err)
{
    struct lost lost;
    unsigned count = 0;
    uint64_t us = 0, sum_us = 0;
    while (count < LOST_MAX && find_first(usage, &lost)) {
        if (usage_end(usage, lost.tenant, lost.run, day, USAGE_UNKNOWN, &us, err) < 0) {
            return -1;
        }
        count++;
        sum_us += us;
    }
    if (count > 0) {
        log_line("%u run%s of tenants had no end: counted with %.1f processor seconds", count,
                 serve_plural(count), (double)sum_us / 1e6);
    }
    return 0;
}
