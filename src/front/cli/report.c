/* What the command line says to a person (see report.h). */
#include "front/cli/report.h"

#include <cella/host.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(struct cella_error *err, enum cella_error_kind kind, const char *hint,
             const char *format, ...)
{
    va_list arguments;
    *err = (struct cella_error){.kind = kind};
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);
    if (hint != NULL) {
        (void)snprintf(err->hint, sizeof(err->hint), "%s", hint);
    }
    return -1;
}

int cli_fail_errno(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
{
    int saved_errno = errno;
    va_list arguments;
    *err = (struct cella_error){.kind = kind, .sys_errno = saved_errno};
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);
    size_t length = strlen(err->text);
    (void)snprintf(err->text + length, sizeof(err->text) - length, ": %s", strerror(saved_errno));
    return -1;
}

bool report_has_color(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fd) && (no_color == NULL || no_color[0] == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

/* About the one terminal that we have, like what stdio remembers of it. */
static bool line_is_open;

void report_break_line(void)
{
    line_is_open = true;
}

void report_begin(void)
{
    if (line_is_open) {
        (void)fputc('\n', stderr);
        line_is_open = false;
    }
}

int report_error(const struct cella_error *err)
{
    report_begin();
    bool color = report_has_color(STDERR_FILENO);
    (void)fprintf(stderr, "%scella:%s %s\n", color ? "\033[1;31m" : "", color ? "\033[0m" : "",
                  err->text);
    if (err->field[0] != '\0') {
        (void)fprintf(stderr, "  field: %s\n", err->field);
    }
    if (err->hint[0] != '\0') {
        (void)fprintf(stderr, "  hint: %s\n", err->hint);
    }
    return cella_error_exit_code(err->kind);
}

void report_note(const char *note)
{
    report_begin();
    (void)fprintf(stderr, "cella: note: %s\n", note);
}

void report_verdict(const struct cella_result *result)
{
    const char *status = cella_result_status(result);
    if (strcmp(status, "ok") == 0 || strcmp(status, "exit") == 0) {
        return;
    }
    report_begin();
    bool color = report_has_color(STDERR_FILENO);
    (void)fprintf(stderr, "cella: %s%s%s: %s\n", color ? "\033[1;31m" : "", status,
                  color ? "\033[0m" : "", cella_result_message(result));
    if (cella_result_error(result)->hint[0] != '\0') {
        (void)fprintf(stderr, "  hint: %s\n", cella_result_error(result)->hint);
    }
}
