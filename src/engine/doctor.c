/*
 * Doctor: is this host fit to run programs?  Each row of doctor.h in turn, then the interpreters,
 * and at the end the proof: a program is run.
 */
#include "engine/doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct probe {
    void (*look)(struct doctor_row *row);
    const char *name;
};

#define PROBE_ROW(function, name) {function, name},
static const struct probe probes[] = {DOCTOR_KERNEL(PROBE_ROW) DOCTOR_HOST(PROBE_ROW)};

/* Where findings go. */
struct doctor_sink {
    void (*row)(void *context, const struct cella_finding *finding);
    void *context;
};

static void look_at_languages(const struct cella_options *options, const struct doctor_sink *sink);
static void look_at_run(const struct cella_options *options, const struct doctor_sink *sink);

static void give(const struct doctor_sink *sink, const char *name, const struct doctor_row *row)
{
    struct cella_finding finding = {
        .name = name,
        .fitness = row->fitness,
        .found = row->found,
        .meaning = row->meaning,
        .remedy = row->remedy,
    };
    sink->row(sink->context, &finding);
}

int cella_doctor(const struct cella_options *options,
                 void (*row)(void *context, const struct cella_finding *finding), void *context,
                 struct cella_error *err)
{
    struct doctor_sink sink = {row, context};
    (void)err; /* what goes wrong here is a finding */
    for (size_t i = 0; i < ARRAY_LENGTH(probes); i++) {
        struct doctor_row result = {.fitness = CELLA_FIT};
        probes[i].look(&result);
        give(&sink, probes[i].name, &result);
    }
    look_at_languages(options, &sink);
    look_at_run(options, &sink);
    return 0;
}

void doctor_found(struct doctor_row *row, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(row->found, sizeof(row->found), format, arguments);
    va_end(arguments);
}

void doctor_gap(struct doctor_row *row, enum cella_fitness fitness, const char *meaning,
                const char *remedy)
{
    row->fitness = fitness;
    (void)snprintf(row->meaning, sizeof(row->meaning), "%s", meaning);
    (void)snprintf(row->remedy, sizeof(row->remedy), "%s", remedy);
}

bool doctor_read_line(const char *path, char *ret_line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, ret_line, size - 1);
    (void)close(fd);
    ret_line[got > 0 ? got : 0] = '\0';
    ret_line[strcspn(ret_line, "\n")] = '\0';
    for (char *c = ret_line; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return got >= 0;
}

struct language_counts {
    size_t all;
    size_t present;
};

static void count_language(void *context, const struct cella_language *language)
{
    struct language_counts *counts = context;
    counts->all++;
    counts->present += language->path[0] != '\0';
}

/* Nobody needs all of them: one is enough. */
static void look_at_languages(const struct cella_options *options, const struct doctor_sink *sink)
{
    struct cella_error err;
    struct language_counts counts = {0};
    struct doctor_row row = {.fitness = CELLA_FIT};
    if (cella_languages(options, count_language, &counts, &err) < 0) {
        doctor_found(&row, "%s", err.text);
        doctor_gap(&row, CELLA_PARTIAL, "languages are refused, all or those of such files",
                   err.hint);
    } else {
        doctor_found(&row, "%zu of %zu are installed; 'cella languages' lists them", counts.present,
                     counts.all);
    }
    if (counts.all > 0 && counts.present == 0) {
        doctor_gap(&row, CELLA_PARTIAL, "commands alone can be run", "cella languages");
    }
    give(sink, "languages", &row);
}

static int run_true(struct cella_engine *engine, struct cella_result **ret_result,
                    struct cella_error *err)
{
    struct cella_request *request;
    if (cella_request_create(&request, err) < 0) {
        return -1;
    }
    int result = cella_request_add(request, "command", "/bin/true", err);
    if (result == 0) {
        result = cella_run(engine, request, ret_result, err);
    }
    cella_request_destroy(request);
    return result;
}

static void look_at_run(const struct cella_options *options, const struct doctor_sink *sink)
{
    struct cella_engine *engine = NULL;
    struct cella_result *result = NULL;
    struct cella_error err;
    struct doctor_row row = {.fitness = CELLA_FIT};
    if (cella_engine_open(options, &engine, &err) < 0 || run_true(engine, &result, &err) < 0) {
        doctor_found(&row, "%s", err.text);
        doctor_gap(&row, CELLA_UNFIT, "nothing can be run", err.hint);
    } else if (strcmp(cella_result_status(result), "ok") != 0) {
        doctor_found(&row, "%s: %s", cella_result_status(result), cella_result_message(result));
        doctor_gap(&row, CELLA_UNFIT, "nothing can be run", "");
    } else {
        char note[CELLA_NOTE_MAX];
        doctor_found(&row, "/bin/true ran in a sandbox");
        if (cella_result_note(result, 0, note)) {
            doctor_gap(&row, CELLA_PARTIAL,
                       "no control group could be used: limits are held by supervision", "");
        }
    }
    cella_result_destroy(result);
    cella_engine_close(engine);
    give(sink, "a run", &row);
}
