/* The part of history.h that finds one run: see history.c.  history_search.c finds many. */
#include "front/serve/fail.h"
#include "front/serve/records/history_file.h"

#include <cella/wire.h>
#include <stdlib.h>
#include <string.h>

/* Of a row of FIND. */
static enum history_found look_at(sqlite3_stmt *statement)
{
    if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
        return HISTORY_PENDING;
    }
    if (sqlite3_column_bytes(statement, 0) > 0) {
        return HISTORY_RESULT;
    }
    return (sqlite3_column_int(statement, 1) & (int)CELLA_KEEP_OUTPUT) != 0 ? HISTORY_TOO_LARGE
                                                                            : HISTORY_NOT_KEPT;
}

int history_find(struct history *history, const char *id, const char *tenant,
                 enum history_found *ret_found, char **ret_json, size_t *ret_size,
                 struct cella_error *err)
{
    if (history == NULL) {
        *ret_found = HISTORY_NONE;
        return 0;
    }
    sqlite3_stmt *statement = history->statements[FIND];
    history_bind(statement, 1, id, strlen(id));
    history_bind_any(statement, 2, tenant);
    const int state = sqlite3_step(statement);
    int code = 0;
    enum history_found found = state == SQLITE_ROW ? look_at(statement) : HISTORY_NONE;
    if (state != SQLITE_ROW && state != SQLITE_DONE) {
        code = history_failed(history, "be read", err);
    } else if (found == HISTORY_RESULT) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        const size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        char *json = text != NULL ? malloc(size + 1) : NULL;
        if (json == NULL) {
            code = serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        } else {
            memcpy(json, text, size);
            json[size] = '\0';
            *ret_json = json;
            *ret_size = size;
        }
    }
    history_unbind(statement);
    if (code == 0) {
        *ret_found = found;
    }
    return code;
}
