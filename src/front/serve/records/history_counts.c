/* The part of history.h that counts the runs which a search finds: see history_search.c. */
#include "front/serve/records/history_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First room for times. */
#define TIMES_FIRST 1024U

/* ---- taking ---- */

/* They stand in the order of their words. */
static void count_status(struct history_counts *counts, const char *word)
{
    size_t place = 0;
    while (place < counts->status_count && strcmp(counts->statuses[place].word, word) < 0) {
        place++;
    }
    struct history_status *status = &counts->statuses[place];
    const bool is_known = place < counts->status_count && strcmp(status->word, word) == 0;
    if (!is_known && counts->status_count == HISTORY_STATUSES_MAX) {
        return; /* there are fewer words than that */
    }
    if (!is_known) {
        memmove(status + 1, status, (counts->status_count - place) * sizeof(*status));
        *status = (struct history_status){.runs = 0};
        (void)snprintf(status->word, sizeof(status->word), "%s", word);
        counts->status_count++;
    }
    status->runs++;
}

static int add_time(struct history_counts *counts, double wall_ms)
{
    if (counts->time_count == counts->time_room) {
        const size_t room = counts->time_room > 0 ? 2 * counts->time_room : TIMES_FIRST;
        double *times = realloc(counts->times, room * sizeof(*times));
        if (times == NULL) {
            return -1;
        }
        counts->times = times;
        counts->time_room = room;
    }
    counts->times[counts->time_count++] = wall_ms;
    return 0;
}

int history_counts_take(struct history_counts *counts, sqlite3_stmt *statement)
{
    const char *word = (const char *)sqlite3_column_text(statement, 1);
    const bool was_again = sqlite3_column_int(statement, 2) != 0;
    word = word != NULL ? word : "";
    count_status(counts, word);
    counts->runs++;
    counts->again += was_again;
    counts->recovered += was_again && strcmp(word, "internal") != 0;
    return sqlite3_column_type(statement, 3) == SQLITE_NULL
               ? 0
               : add_time(counts, sqlite3_column_double(statement, 3));
}

void history_counts_done(struct history_counts *counts)
{
    free(counts->times);
}

/* ---- writing ---- */

static uint64_t count_of(const struct history_counts *counts, const char *word)
{
    for (size_t i = 0; i < counts->status_count; i++) {
        if (strcmp(counts->statuses[i].word, word) == 0) {
            return counts->statuses[i].runs;
        }
    }
    return 0;
}

/* Of none there is no rate. */
static void write_rate(const char *name, uint64_t count, uint64_t of, FILE *out)
{
    if (of == 0) {
        (void)fprintf(out, "\"%s\":null", name);
    } else {
        (void)fprintf(out, "\"%s\":%.4f", name, (double)count / (double)of);
    }
}

static void write_statuses(const struct history_counts *counts, FILE *out)
{
    (void)fprintf(out, "{\"runs\":%" PRIu64 ",\"statuses\":{", counts->runs);
    for (size_t i = 0; i < counts->status_count; i++) {
        (void)fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", counts->statuses[i].word,
                      counts->statuses[i].runs);
    }
    (void)fputs("},\"status_rates\":{", out);
    for (size_t i = 0; i < counts->status_count; i++) {
        (void)fputs(i > 0 ? "," : "", out);
        write_rate(counts->statuses[i].word, counts->statuses[i].runs, counts->runs, out);
    }
    (void)fputs("}", out);
}

static void write_rates(const struct history_counts *counts, FILE *out)
{
    const uint64_t well = count_of(counts, "ok");
    const uint64_t late = count_of(counts, "wall_time") + count_of(counts, "cpu_time");
    (void)fputs(",\"rates\":{", out);
    write_rate("success", well, counts->runs, out);
    (void)fputs(",", out);
    write_rate("failure", counts->runs - well, counts->runs, out);
    (void)fputs(",", out);
    write_rate("timeout", late, counts->runs, out);
    (void)fputs(",", out);
    write_rate("internal", count_of(counts, "internal"), counts->runs, out);
    (void)fputs(",", out);
    write_rate("recovery", counts->recovered, counts->again, out);
    (void)fputs("}", out);
}

static int compare(const void *one, const void *other)
{
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

/* Each mark is the time of the run that so many per cent do not outlast. */
static void write_times(struct history_counts *counts, FILE *out)
{
    static const unsigned marks[] = {50, 90, 99};
    const size_t count = counts->time_count;
    double sum = 0;
    (void)fputs(",\"wall_ms\":{", out);
    if (count > 0) {
        qsort(counts->times, count, sizeof(counts->times[0]), compare);
    }
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (count == 0) {
            (void)fprintf(out, "\"p%u\":null,", marks[i]);
        } else {
            (void)fprintf(out, "\"p%u\":%.3f,", marks[i],
                          counts->times[(count * marks[i] + 99) / 100 - 1]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        sum += counts->times[i];
    }
    if (count == 0) {
        (void)fputs("\"average\":null}", out);
    } else {
        (void)fprintf(out, "\"average\":%.3f}", sum / (double)count);
    }
}

void history_counts_write(struct history_counts *counts, FILE *out)
{
    write_statuses(counts, out);
    write_rates(counts, out);
    write_times(counts, out);
    (void)fputs("}\n", out);
}
