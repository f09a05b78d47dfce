/*
 * The part of history.h that tells everything, a piece at a time: see history.c.
 *
 * How it works.  Each piece is a list of its own, of those before the last one that was told, the
 * newest first.  So nothing is held between two pieces, neither a lock nor memory: runs that are
 * added meanwhile are newer than all that is told yet, and no run comes twice or is left out but
 * for those that are forgotten.
 */
#include "front/serve/fail.h"
#include "front/serve/records/history_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A piece is ended behind the line with which it has so many bytes. */
#define PIECE_BYTES ((size_t)256 << 10)

struct history_export {
    struct history *history;
    struct history_query query; /* its texts are our own */
    char *last;                 /* the id that was told last; NULL: the caller's `after`, or none */
};

/* ---- beginning and end ---- */

/* False: memory is short. */
static bool copy(const char **text)
{
    if (*text != NULL) {
        *text = strdup(*text);
        return *text != NULL;
    }
    return true;
}

/* The texts of a query, one after the other. */
#define TEXT_COUNT 9
static void texts_of(struct history_query *query, const char **ret_texts[TEXT_COUNT])
{
    const char **const texts[TEXT_COUNT] = {&query->tenant, &query->status, &query->language,
                                            &query->policy, &query->tag,    &query->since,
                                            &query->until,  &query->text,   &query->after};
    memcpy(ret_texts, texts, sizeof(texts));
}

int history_export_open(struct history *history, const struct history_query *query,
                        struct history_export **ret_export, struct cella_error *err)
{
    const char **texts[TEXT_COUNT];
    if (history == NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "this server keeps no history");
    }
    struct history_export *export = calloc(1, sizeof(*export));
    bool copied = export != NULL;
    if (copied) {
        *export = (struct history_export){.history = history, .query = *query};
        texts_of(&export->query, texts);
        for (size_t i = 0; i < TEXT_COUNT; i++) {
            if (!copied) {
                *texts[i] = NULL; /* not ours */
            } else {
                copied = copy(texts[i]);
            }
        }
    }
    if (!copied) {
        history_export_close(export);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_export = export;
    return 0;
}

void history_export_close(struct history_export *export)
{
    const char **texts[TEXT_COUNT];
    if (export == NULL) {
        return;
    }
    texts_of(&export->query, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        void *own;
        memcpy(&own, texts[i], sizeof(own)); /* a const char *, which free() does not take */
        free(own);
    }
    free(export->last);
    free(export);
}

/* ---- a piece ---- */

/* JSON on one line: line breaks in it stand between its words, where a space does as well. */
static void write_on_line(sqlite3_stmt *statement, int column, FILE *out)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    const size_t size = (size_t)sqlite3_column_bytes(statement, column);
    if (size == 0) {
        (void)fputs("null", out);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        (void)putc(text[i] == '\n' || text[i] == '\r' ? ' ' : text[i], out);
    }
}

/* Lines until the piece is large enough.  Returns how many, or -1 when it cannot be read. */
static int write_lines(sqlite3_stmt *statement, FILE *out, char **last)
{
    int lines = 0;
    int state = SQLITE_DONE;
    while (ftell(out) < (long)PIECE_BYTES && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        history_write_run(statement, out);
        (void)fputs(",\"request\":", out);
        write_on_line(statement, 3, out);
        (void)fputs(",\"result\":", out);
        write_on_line(statement, 4, out);
        (void)fputs("}\n", out);
        free(*last);
        *last = strdup((const char *)sqlite3_column_text(statement, 0));
        if (*last == NULL) {
            return -1;
        }
        lines++;
    }
    return state == SQLITE_DONE || state == SQLITE_ROW ? lines : -1;
}

int history_export_next(struct history_export *export, char **ret_text, size_t *ret_size,
                        struct cella_error *err)
{
    struct history_query query = export->query;
    char *text = NULL;
    size_t size = 0;
    query.after = export->last != NULL ? export->last : query.after;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    int lines = -1;
    const enum statement which = history_of(EXPORT, query.tenant);
    if (history_bind_query(export->history, which, &query, err) == 0) {
        sqlite3_stmt *statement = export->history->statements[which];
        char *last = NULL;
        lines = write_lines(statement, out, &last);
        if (lines < 0) {
            (void)history_failed(export->history, "be read", err);
        }
        history_unbind(export->history, which);
        if (last != NULL) {
            free(export->last);
            export->last = last;
        }
    }
    if (fclose(out) != 0 && lines >= 0) {
        lines = serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    if (lines <= 0) {
        free(text);
        return lines;
    }
    *ret_text = text;
    *ret_size = size;
    return 1;
}
