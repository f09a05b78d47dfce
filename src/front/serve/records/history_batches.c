/* The part of history.h that keeps what became of batches that were accepted: see history.c. */
#include "front/serve/fail.h"
#include "front/serve/records/history_file.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400
/* The part of the history's room that is for them, beside that of runs. */
#define ROOM_DIVISOR 4

int history_accept_batch(struct history *history, const char *id, const char *tenant,
                         const struct history_key *key, struct cella_error *err)
{
    if (history == NULL) {
        (void)serve_fail(err, CELLA_ERROR_CALLER,
                         "this server keeps no history, so no batch can be fetched later");
        return serve_hint(err, "ask without %s",
                          key != NULL ? "Idempotency-Key" : "`Prefer: respond-async`");
    }
    const struct history_run named = {.id = id, .tenant = tenant, .key = key};
    sqlite3_stmt *add = history->statements[BATCH_ADD];
    history_bind(add, 1, id, strlen(id));
    history_bind(add, 2, tenant, strlen(tenant));
    (void)sqlite3_bind_int64(add, 3, (sqlite3_int64)time(NULL));
    if (sqlite3_exec(history->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        history_step(add) < 0 || (key != NULL && history_put_key(history, &named) < 0) ||
        sqlite3_exec(history->database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        (void)history_failed(history, "be written", err);
        (void)sqlite3_exec(history->database, "ROLLBACK", NULL, NULL, NULL);
        return -1;
    }
    return 0;
}

int history_finish_batch(struct history *history, const char *id, const char *json, size_t size,
                         struct cella_error *err)
{
    sqlite3_stmt *finish = history->statements[BATCH_FINISH];
    sqlite3_stmt *forget = history->statements[BATCH_FORGET];
    history_bind(finish, 1, id, strlen(id));
    history_bind(finish, 2, json, size);
    (void)sqlite3_bind_int64(finish, 3, (sqlite3_int64)size);
    (void)sqlite3_bind_int64(forget, 1, (sqlite3_int64)(history->max_bytes / ROOM_DIVISOR));
    (void)sqlite3_bind_int64(
        forget, 2, (sqlite3_int64)time(NULL) - (sqlite3_int64)history->max_days * DAY_SECONDS);
    history_bind(forget, 3, id, strlen(id));
    return history_step(finish) < 0 || history_step(forget) < 0
               ? history_failed(history, "be written", err)
               : 0;
}

int history_find_batch(struct history *history, const char *id, const char *tenant, bool *ret_found,
                       char **ret_json, size_t *ret_size, struct cella_error *err)
{
    *ret_found = false;
    *ret_json = NULL;
    if (history == NULL) {
        return 0;
    }
    sqlite3_stmt *statement = history->statements[BATCH_FIND];
    history_bind(statement, 1, id, strlen(id));
    if (tenant != NULL) {
        history_bind(statement, 2, tenant, strlen(tenant));
    }
    const int state = sqlite3_step(statement);
    int code = 0;
    if (state == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        const size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        *ret_found = true;
        if (text != NULL && (*ret_json = malloc(size + 1)) != NULL) {
            memcpy(*ret_json, text, size + 1);
            *ret_size = size;
        } else if (text != NULL) {
            code = serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        }
    } else if (state != SQLITE_DONE) {
        code = history_failed(history, "be read", err);
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return code;
}
