/*
 * The server's log: a line for each thing, to standard error or a file.  Never waits: who does not
 * read the log loses lines of it, and keeps nobody from being answered.
 *
 * A line is text, or one JSON object: {"time", "level", "message"} and what it is about.
 */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

#include <cella/cella.h>
#include <stdint.h>

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* What a line is about; NULL, "" and 0: nothing of the kind. */
struct log_about {
    const char *request_id;
    const char *trace_id;
    const char *run;
    const char *tenant;
    /* Of an answer; the text says so anyhow. */
    int status;
    uint64_t duration_ms;
};

/* Appends to `path`, which is made when it is not there; on failure lines go where they went
 * before, at first to standard error.  1 when that is another file than before, else 0. */
int log_open(const char *path, struct cella_error *err) __attribute__((warn_unused_result));
/* Back to standard error. */
void log_close(void);
void log_set_format(enum log_format format);

/* One line; what would break it becomes '?'.  `about` may be NULL. */
void log_write(enum log_level level, const struct log_about *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What is about nothing in particular. */
#define log_line(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)

#endif
