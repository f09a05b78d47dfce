/*
 * The part of history.h that searches, a part of the runs at a time: see history.c.
 *
 * How it works.  A filter may fit one run of a million, and the server has one loop: so each turn
 * looks at so many runs and no more, the newest first, in the order of their ids, and the next one
 * goes on before the last that was looked at.  Nothing is held in between, neither a lock nor a
 * statement: runs that are added meanwhile are newer than all that is told yet, and no run comes
 * twice or is left out but for those that are forgotten.
 */
#include "front/serve/fail.h"
#include "front/serve/records/history_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs that are looked at in one turn. */
#define LOOKED_AT_ONCE 1000
/* Lines are given behind the one with which they have so many bytes. */
#define PIECE_BYTES ((size_t)256 << 10)

struct history_search {
    struct history *history;
    enum history_form form;
    struct history_query query;   /* its texts are our own */
    char before[HISTORY_ID_SIZE]; /* what was not yet looked at; "": what `after` says */
    char last[HISTORY_ID_SIZE];   /* that was found; "": none */
    unsigned found;
    struct history_counts counts; /* of HISTORY_COUNTS */
    FILE *out;                    /* NULL: nothing is being written, to: */
    char *text;
    size_t size;
    bool is_over;
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

/* Words as SQLite's full-text search takes them literally: in quotes. */
static const char *quote(const char *words)
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

static void free_text(const char *text)
{
    void *own;
    memcpy(&own, &text, sizeof(own)); /* a const char *, which free() does not take */
    free(own);
}

int history_search_open(struct history *history, enum history_form form,
                        const struct history_query *query, struct history_search **ret_search,
                        struct cella_error *err)
{
    const char **texts[TEXT_COUNT];
    if (history == NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "this server keeps no history");
    }
    struct history_search *search = calloc(1, sizeof(*search));
    bool copied = search != NULL;
    if (copied) {
        *search = (struct history_search){.history = history, .form = form, .query = *query};
        texts_of(&search->query, texts);
        for (size_t i = 0; i < TEXT_COUNT; i++) {
            if (!copied) {
                *texts[i] = NULL; /* not ours */
            } else {
                copied = copy(texts[i]);
            }
        }
    }
    if (copied && query->text != NULL) {
        const char *words = quote(query->text);
        free_text(search->query.text);
        search->query.text = words;
        copied = words != NULL;
    }
    if (!copied) {
        history_search_close(search);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_search = search;
    return 0;
}

/* What was written, if it can be had. */
static int end_text(struct history_search *search)
{
    const int closed = search->out != NULL ? fclose(search->out) : 0;
    search->out = NULL;
    return closed == 0 ? 0 : -1;
}

void history_search_close(struct history_search *search)
{
    const char **texts[TEXT_COUNT];
    if (search == NULL) {
        return;
    }
    texts_of(&search->query, texts);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        free_text(*texts[i]);
    }
    (void)end_text(search); /* it goes */
    free(search->text);
    history_counts_done(&search->counts);
    free(search);
}

/* ---- a row ---- */

/* Of a row one JSON object, but for its last brace: the summary and the record, of which neither is
 * empty. */
static void write_run(sqlite3_stmt *statement, FILE *out)
{
    const char *summary = (const char *)sqlite3_column_text(statement, 1);
    const char *record = (const char *)sqlite3_column_text(statement, 2);
    (void)fprintf(out, "%.*s,%.*s", sqlite3_column_bytes(statement, 1) - 1, summary,
                  sqlite3_column_bytes(statement, 2) - 2, record + 1);
}

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

/* -1: memory is short. */
static int take_row(struct history_search *search, sqlite3_stmt *statement)
{
    FILE *out = search->out;
    if (search->form == HISTORY_COUNTS) {
        return history_counts_take(&search->counts, statement);
    }
    if (search->form == HISTORY_LIST) {
        (void)fputs(search->found > 0 ? "," : "", out);
        write_run(statement, out);
        (void)fputs("}", out);
    } else {
        write_run(statement, out);
        (void)fputs(",\"request\":", out);
        write_on_line(statement, 3, out);
        (void)fputs(",\"result\":", out);
        write_on_line(statement, 4, out);
        (void)fputs("}\n", out);
    }
    search->found++;
    (void)snprintf(search->last, sizeof(search->last), "%s",
                   (const char *)sqlite3_column_text(statement, 0));
    return 0;
}

/* ---- a turn ---- */

/* Runs that are looked at together: ids and numbers from which to which. */
struct part {
    char first[HISTORY_ID_SIZE]; /* "": there is none */
    sqlite3_int64 numbers[2];
    bool is_last;
};

static const char *before_of(const struct history_search *search)
{
    return search->before[0] != '\0' ? search->before : search->query.after;
}

static int find_part(const struct history_search *search, struct part *ret_part)
{
    const char *tenant = search->query.tenant;
    sqlite3_stmt *statement = search->history->statements[history_of(PART, tenant)];
    history_bind_any(statement, 1, before_of(search));
    (void)sqlite3_bind_int(statement, 2, LOOKED_AT_ONCE);
    history_bind_any(statement, 3, tenant);
    const int state = sqlite3_step(statement);
    if (state == SQLITE_ROW) {
        const char *first = (const char *)sqlite3_column_text(statement, 0);
        *ret_part = (struct part){
            .numbers = {sqlite3_column_int64(statement, 1), sqlite3_column_int64(statement, 2)},
            .is_last = sqlite3_column_int(statement, 3) < LOOKED_AT_ONCE};
        (void)snprintf(ret_part->first, sizeof(ret_part->first), "%s", first != NULL ? first : "");
    }
    history_unbind(statement);
    return state == SQLITE_ROW ? 0 : -1;
}

static void bind(const struct history_search *search, const struct part *part,
                 sqlite3_stmt *statement)
{
    const struct history_query *query = &search->query;
    history_bind_any(statement, 1, query->status);
    history_bind_any(statement, 2, query->language);
    history_bind_any(statement, 3, query->policy);
    history_bind_any(statement, 4, query->tag);
    history_bind_any(statement, 5, query->since);
    history_bind_any(statement, 6, query->until);
    history_bind_any(statement, 7, query->text);
    history_bind_any(statement, 8, query->tenant);
    history_bind_any(statement, 9, part->first);
    history_bind_any(statement, 10, before_of(search));
    (void)sqlite3_bind_int64(statement, 11, part->numbers[0]);
    (void)sqlite3_bind_int64(statement, 12, part->numbers[1]);
}

/* Whether there is enough for now, or at all. */
static bool is_full(const struct history_search *search)
{
    return (search->form == HISTORY_LIST && search->found == search->query.count) ||
           (search->form == HISTORY_LINES && ftell(search->out) >= (long)PIECE_BYTES);
}

/* Looks at the next part, and takes what fits. */
static int look(struct history_search *search, struct cella_error *err)
{
    static const enum statement statements[] = {
        [HISTORY_LIST] = LIST, [HISTORY_LINES] = EXPORT, [HISTORY_COUNTS] = COUNT};
    const enum statement which = history_of(statements[search->form], search->query.tenant);
    sqlite3_stmt *statement = search->history->statements[which];
    struct part part;
    int state = SQLITE_DONE, taken = 0;
    if (find_part(search, &part) < 0) {
        return history_failed(search->history, "be read", err);
    }
    bind(search, &part, statement);
    while (taken == 0 && !is_full(search) && (state = sqlite3_step(statement)) == SQLITE_ROW) {
        taken = take_row(search, statement);
    }
    if (state != SQLITE_ROW && state != SQLITE_DONE) {
        taken = history_failed(search->history, "be read", err);
    } else if (taken < 0) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    history_unbind(statement);
    search->is_over = is_full(search) ? search->form == HISTORY_LIST : part.is_last;
    (void)snprintf(search->before, sizeof(search->before), "%s",
                   is_full(search) ? search->last : part.first);
    return taken;
}

/* All was looked at, or enough. */
static void write_end(struct history_search *search)
{
    if (search->form == HISTORY_COUNTS) {
        history_counts_write(&search->counts, search->out);
    } else if (search->form == HISTORY_LIST && is_full(search)) {
        (void)fprintf(search->out, "],\"next\":\"%s\"}\n", search->last);
    } else if (search->form == HISTORY_LIST) {
        (void)fputs("],\"next\":null}\n", search->out);
    }
}

int history_search_next(struct history_search *search, char **ret_text, size_t *ret_size,
                        struct cella_error *err)
{
    *ret_text = NULL;
    *ret_size = 0;
    if (search->is_over) {
        return 0;
    }
    if (search->out == NULL) {
        search->out = open_memstream(&search->text, &search->size);
        if (search->out == NULL) {
            return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        }
        (void)fputs(search->form == HISTORY_LIST ? "{\"runs\":[" : "", search->out);
    }
    if (look(search, err) < 0) {
        return -1;
    }
    if (search->is_over) {
        write_end(search);
    } else if (search->form != HISTORY_LINES) {
        return 1; /* it is told at the end */
    }
    if (end_text(search) < 0) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_text = search->text;
    *ret_size = search->size;
    search->text = NULL;
    return 1;
}
