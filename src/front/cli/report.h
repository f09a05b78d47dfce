/*
 * What the command line says to a person, on standard error: errors, the verdict, notes.
 * Every line begins with "cella: ", so that it can be told from the program's own.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <cella/cella.h>
#include <stdbool.h>

/* Fills *err and returns -1.  `hint` may be NULL. */
int cli_fail(struct cella_error *err, enum cella_error_kind kind, const char *hint,
             const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Likewise with the text of the present errno behind it. */
int cli_fail_errno(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints an error, with field and hint, and returns the exit code it stands for. */
int report_error(const struct cella_error *err);
void report_note(const char *note);
/* The line that names what ended the run.  Nothing for a program that ended by itself: its exit
 * code says it, and standard error stays the program's. */
void report_verdict(const struct cella_result *result);

/* The program left a line unfinished where standard error goes: what is said next begins on a line
 * of its own. */
void report_break_line(void);
/* Before anything is printed to standard error that is not from here. */
void report_begin(void);

/* Whether text for `fd` may be coloured: a terminal that understands it, and NO_COLOR not set. */
bool report_has_color(int fd);

#endif
