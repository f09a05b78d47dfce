/*
 * The server's log: a line for each thing, to standard error or a file.  Never waits: who does not
 * read the log loses lines of it, and keeps nobody from being answered.
 */
#ifndef SERVE_LOG_H
#define SERVE_LOG_H

#include <cella/cella.h>

/* Appends to `path`, which is made when it is not there; the text must stay.  Without it lines go
 * to standard error. */
int log_open(const char *path, struct cella_error *err) __attribute__((warn_unused_result));
void log_close(void);
/* The same path again, of which somebody may have taken the file away. */
void log_reopen(void);

/* One line, with the time before it; what would break it becomes '?'. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
