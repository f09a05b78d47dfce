/* The part of history.h that knows what runs of the same code took: see history.c. */
#include "front/serve/records/history_file.h"

#include <string.h>

/* Of all codes together; the oldest go. */
#define TIMES_MAX 100000

static void bind_code(sqlite3_stmt *statement, const struct history_code *code)
{
    history_bind(statement, 1, code->tenant, strlen(code->tenant));
    history_bind(statement, 2, code->digest, strlen(code->digest));
}

int history_find_times(struct history *history, const struct history_code *code,
                       double ret_wall_ms[HISTORY_TIMES_OF_CODE], size_t *ret_count,
                       struct cella_error *err)
{
    size_t count = 0;
    int state = SQLITE_DONE;
    if (history == NULL) {
        *ret_count = 0;
        return 0;
    }
    sqlite3_stmt *statement = history->statements[TIMES_FIND];
    bind_code(statement, code);
    (void)sqlite3_bind_int(statement, 3, HISTORY_TIMES_OF_CODE);
    while (count < HISTORY_TIMES_OF_CODE && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        ret_wall_ms[count++] = sqlite3_column_double(statement, 0);
    }
    const bool failed = state != SQLITE_DONE && state != SQLITE_ROW;
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    if (failed) {
        return history_failed(history, "be read", err);
    }
    *ret_count = count;
    return 0;
}

int history_add_time(struct history *history, const struct history_code *code, double wall_ms,
                     struct cella_error *err)
{
    if (history == NULL) {
        return 0;
    }
    sqlite3_stmt *add = history->statements[TIMES_ADD];
    sqlite3_stmt *of_code = history->statements[TIMES_FORGET_OF_CODE];
    sqlite3_stmt *old = history->statements[TIMES_FORGET_OLD];
    bind_code(add, code);
    (void)sqlite3_bind_double(add, 3, wall_ms);
    bind_code(of_code, code);
    (void)sqlite3_bind_int(of_code, 3, HISTORY_TIMES_OF_CODE);
    (void)sqlite3_bind_int(old, 1, TIMES_MAX);
    return history_step(add) < 0 || history_step(of_code) < 0 || history_step(old) < 0
               ? history_failed(history, "be written", err)
               : 0;
}
