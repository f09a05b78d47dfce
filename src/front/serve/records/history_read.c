/* The part of history.h that finds: see history.c.  Divisions: one run; lists; counts. */
#include "front/serve/fail.h"
#include "front/serve/records/history_file.h"

#include <cella/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one run ---- */

static void bind_or_any(sqlite3_stmt *statement, int place, const char *text)
{
    if (text != NULL) {
        history_bind(statement, place, text, strlen(text));
    }
}

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
    bind_or_any(statement, 2, tenant);
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
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    if (code == 0) {
        *ret_found = found;
    }
    return code;
}

/* ---- lists ---- */

/* Which have letters and digits alone. */
#define BEHIND_ALL_IDS "~"

/* Words as SQLite's full-text search takes them literally: in quotes. */
static char *quote(const char *words)
{
    char *quoted = malloc(2 * strlen(words) + 3);
    char *end = quoted;
    if (quoted == NULL) {
        return NULL;
    }
    *end++ = '"';
    for (; *words != '\0'; words++) {
        if (*words == '"') {
            *end++ = '"';
        }
        *end++ = *words;
    }
    *end++ = '"';
    *end = '\0';
    return quoted;
}

int history_bind_query(struct history *history, enum statement which,
                       const struct history_query *query, struct cella_error *err)
{
    sqlite3_stmt *statement = history->statements[which];
    bind_or_any(statement, 1, query->status);
    bind_or_any(statement, 2, query->language);
    bind_or_any(statement, 3, query->policy);
    bind_or_any(statement, 4, query->tag);
    bind_or_any(statement, 5, query->since);
    bind_or_any(statement, 6, query->until);
    if (query->text != NULL) {
        char *words = quote(query->text);
        if (words == NULL) {
            return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        }
        (void)sqlite3_bind_text(statement, 7, words, -1, free);
    }
    bind_or_any(statement, 8, query->after != NULL ? query->after : BEHIND_ALL_IDS);
    (void)sqlite3_bind_int64(statement, 9, query->count > 0 ? (sqlite3_int64)query->count : -1);
    bind_or_any(statement, 10, query->tenant);
    return 0;
}

void history_unbind(struct history *history, enum statement which)
{
    (void)sqlite3_reset(history->statements[which]);
    (void)sqlite3_clear_bindings(history->statements[which]);
}

/* Neither part is empty. */
void history_write_run(sqlite3_stmt *statement, FILE *out)
{
    const char *summary = (const char *)sqlite3_column_text(statement, 1);
    const char *record = (const char *)sqlite3_column_text(statement, 2);
    (void)fprintf(out, "%.*s,%.*s", sqlite3_column_bytes(statement, 1) - 1, summary,
                  sqlite3_column_bytes(statement, 2) - 2, record + 1);
}

/* The rows, and the id of the last one where there may be more. */
static int write_rows(sqlite3_stmt *statement, unsigned count, FILE *out)
{
    char last[64] = "";
    unsigned rows = 0;
    int state;
    (void)fputs("{\"runs\":[", out);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        if (rows > 0) {
            (void)fputc(',', out);
        }
        history_write_run(statement, out);
        (void)fputc('}', out);
        (void)snprintf(last, sizeof(last), "%s", (const char *)sqlite3_column_text(statement, 0));
        rows++;
    }
    if (rows == count) {
        (void)fprintf(out, "],\"next\":\"%s\"}\n", last);
    } else {
        (void)fputs("],\"next\":null}\n", out);
    }
    return state == SQLITE_DONE ? 0 : -1;
}

/* A text that is written bit by bit. */
struct text {
    FILE *file; /* NULL: memory is short */
    char *data;
    size_t size;
};

static FILE *begin_text(struct text *text)
{
    *text = (struct text){.data = NULL};
    text->file = open_memstream(&text->data, &text->size);
    return text->file;
}

/* Gives it away when `code` is 0. */
static int end_text(struct text *text, int code, char **ret_json, size_t *ret_size,
                    struct cella_error *err)
{
    if ((text->file == NULL || fclose(text->file) != 0) && code == 0) {
        code = serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    if (code < 0) {
        free(text->data);
        return -1;
    }
    *ret_json = text->data;
    *ret_size = text->size;
    return 0;
}

static int none_kept(struct cella_error *err)
{
    return serve_fail(err, CELLA_ERROR_CALLER, "this server keeps no history");
}

int history_list(struct history *history, const struct history_query *query, char **ret_json,
                 size_t *ret_size, struct cella_error *err)
{
    struct text json;
    if (history == NULL) {
        return none_kept(err);
    }
    if (begin_text(&json) == NULL) {
        return end_text(&json, 0, ret_json, ret_size, err);
    }
    const enum statement which = history_of(LIST, query->tenant);
    int code = history_bind_query(history, which, query, err);
    if (code == 0 && write_rows(history->statements[which], query->count, json.file) < 0) {
        code = history_failed(history, "be read", err);
    }
    history_unbind(history, which);
    return end_text(&json, code, ret_json, ret_size, err);
}

/* ---- counts ---- */

struct counts {
    uint64_t runs;
    uint64_t well, late, ours; /* ok; limits of time; internal */
    uint64_t again, recovered; /* begun more than once; and ended then by themselves */
};

static int write_counts(sqlite3_stmt *statement, struct counts *ret_counts, FILE *out)
{
    struct counts counts = {.runs = 0};
    int state;
    (void)fputs("\"statuses\":{", out);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *status = (const char *)sqlite3_column_text(statement, 0);
        const uint64_t count = (uint64_t)sqlite3_column_int64(statement, 1);
        (void)fprintf(out, "%s\"%s\":%" PRIu64, counts.runs > 0 ? "," : "", status, count);
        counts.runs += count;
        counts.well += strcmp(status, "ok") == 0 ? count : 0;
        counts.late +=
            strcmp(status, "wall_time") == 0 || strcmp(status, "cpu_time") == 0 ? count : 0;
        const uint64_t again = (uint64_t)sqlite3_column_int64(statement, 2);
        const bool is_ours = strcmp(status, "internal") == 0;
        counts.ours += is_ours ? count : 0;
        counts.again += again;
        counts.recovered += is_ours ? 0 : again;
    }
    (void)fputs("}", out);
    *ret_counts = counts;
    return state == SQLITE_DONE ? 0 : -1;
}

static void write_rate(const char *name, uint64_t count, uint64_t of, FILE *out)
{
    if (of == 0) {
        (void)fprintf(out, "\"%s\":null", name);
    } else {
        (void)fprintf(out, "\"%s\":%.4f", name, (double)count / (double)of);
    }
}

#define MARK_COUNT 3

/* They come the shortest first; each mark is the time of the run that so many per cent do not
 * outlast. */
static int write_times(sqlite3_stmt *statement, FILE *out)
{
    static const struct {
        const char *name;
        unsigned percent;
    } marks[MARK_COUNT] = {{"p50", 50}, {"p90", 90}, {"p99", 99}};
    double sum = 0;
    uint64_t seen = 0;
    size_t mark = 0;
    int state;
    (void)fputs("\"wall_ms\":{", out);
    while ((state = sqlite3_step(statement)) == SQLITE_ROW) {
        const double time = sqlite3_column_double(statement, 0);
        const uint64_t count = (uint64_t)sqlite3_column_int64(statement, 1);
        sum += time;
        seen++;
        for (; mark < MARK_COUNT && seen * 100 >= count * marks[mark].percent; mark++) {
            (void)fprintf(out, "\"%s\":%.3f,", marks[mark].name, time);
        }
    }
    for (; mark < MARK_COUNT; mark++) {
        (void)fprintf(out, "\"%s\":null,", marks[mark].name);
    }
    if (seen == 0) {
        (void)fputs("\"average\":null}", out);
    } else {
        (void)fprintf(out, "\"average\":%.3f}", sum / (double)seen);
    }
    return state == SQLITE_DONE ? 0 : -1;
}

static void bind_within(sqlite3_stmt *statement, const struct history_query *query)
{
    bind_or_any(statement, 1, query->tenant);
    bind_or_any(statement, 2, query->since);
    bind_or_any(statement, 3, query->until);
}

int history_count(struct history *history, const struct history_query *query, char **ret_json,
                  size_t *ret_size, struct cella_error *err)
{
    struct text json;
    struct counts counts = {.runs = 0};
    int code = 0;
    if (history == NULL) {
        return none_kept(err);
    }
    FILE *out = begin_text(&json);
    if (out == NULL) {
        return end_text(&json, 0, ret_json, ret_size, err);
    }
    sqlite3_stmt *statement = history->statements[history_of(COUNT, query->tenant)];
    sqlite3_stmt *times = history->statements[history_of(TIMES, query->tenant)];
    bind_within(statement, query);
    bind_within(times, query);
    (void)fputs("{", out);
    if (write_counts(statement, &counts, out) < 0) {
        code = history_failed(history, "be read", err);
    }
    (void)fprintf(out, ",\"runs\":%" PRIu64 ",\"rates\":{", counts.runs);
    write_rate("success", counts.well, counts.runs, out);
    (void)fputs(",", out);
    write_rate("failure", counts.runs - counts.well, counts.runs, out);
    (void)fputs(",", out);
    write_rate("timeout", counts.late, counts.runs, out);
    (void)fputs(",", out);
    write_rate("internal", counts.ours, counts.runs, out);
    (void)fputs(",", out);
    write_rate("recovery", counts.recovered, counts.again, out);
    (void)fputs("},", out);
    if (code == 0 && write_times(times, out) < 0) {
        code = history_failed(history, "be read", err);
    }
    (void)fputs("}\n", out);
    (void)sqlite3_reset(statement);
    (void)sqlite3_reset(times);
    (void)sqlite3_clear_bindings(statement);
    (void)sqlite3_clear_bindings(times);
    return end_text(&json, code, ret_json, ret_size, err);
}
