/* The part of history.h that knows what an Idempotency-Key has begun: see history.c. */
#include "front/serve/records/history_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Keys that go in one turn, when their time is over: more than one comes. */
#define FORGOTTEN_AT_ONCE 16

static void bind_key(sqlite3_stmt *statement, const char *tenant, const struct history_key *key)
{
    history_bind(statement, 1, tenant, strlen(tenant));
    history_bind(statement, 2, key->name, strlen(key->name));
}

int history_put_key(struct history *history, const struct history_run *run)
{
    const sqlite3_int64 now = (sqlite3_int64)time(NULL);
    sqlite3_stmt *add = history->statements[KEY_ADD];
    sqlite3_stmt *old = history->statements[KEY_FORGET_OLD];
    sqlite3_stmt *many = history->statements[KEY_FORGET_MANY];
    bind_key(add, run->tenant, run->key);
    history_bind(add, 3, run->key->digest, strlen(run->key->digest));
    history_bind(add, 4, run->id, strlen(run->id));
    (void)sqlite3_bind_int64(add, 5, now);
    (void)sqlite3_bind_int64(old, 1, now - HISTORY_KEY_SECONDS);
    (void)sqlite3_bind_int(old, 2, FORGOTTEN_AT_ONCE);
    history_bind(many, 1, run->tenant, strlen(run->tenant));
    (void)sqlite3_bind_int(many, 2, HISTORY_KEYS_MAX);
    return history_step(add) < 0 || history_step(old) < 0 || history_step(many) < 0 ? -1 : 0;
}

int history_find_key(struct history *history, const char *tenant, const struct history_key *key,
                     enum history_key_found *ret_found, char ret_id[HISTORY_ID_SIZE],
                     struct cella_error *err)
{
    *ret_found = HISTORY_KEY_NONE;
    if (history == NULL) {
        return 0;
    }
    sqlite3_stmt *statement = history->statements[KEY_FIND];
    bind_key(statement, tenant, key);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)time(NULL) - HISTORY_KEY_SECONDS);
    const int state = sqlite3_step(statement);
    int code = 0;
    if (state == SQLITE_ROW) {
        const char *digest = (const char *)sqlite3_column_text(statement, 0);
        const char *id = (const char *)sqlite3_column_text(statement, 1);
        const bool same = digest != NULL && strcmp(digest, key->digest) == 0;
        *ret_found = same ? HISTORY_KEY_SAME : HISTORY_KEY_OTHER;
        (void)snprintf(ret_id, HISTORY_ID_SIZE, "%s", id != NULL ? id : "");
    } else if (state != SQLITE_DONE) {
        code = history_failed(history, "be read", err);
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return code;
}
