/* See fail.h. */
#include "front/serve/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void format_text(char *text, size_t capacity, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* What callers sent is in it, and it goes to logs and terminals. */
static void format_text(char *text, size_t capacity, const char *format, va_list args)
{
    (void)vsnprintf(text, capacity, format, args);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || (unsigned char)*at >= 127) {
            *at = '?';
        }
    }
}

int serve_fail(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
{
    va_list args;
    *err = (struct cella_error){.kind = kind};
    va_start(args, format);
    format_text(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}

int serve_fail_errno(struct cella_error *err, enum cella_error_kind kind, const char *format, ...)
{
    int saved_errno = errno;
    va_list args;
    *err = (struct cella_error){.kind = kind, .sys_errno = saved_errno};
    va_start(args, format);
    format_text(err->text, sizeof(err->text), format, args);
    va_end(args);
    size_t length = strlen(err->text);
    (void)snprintf(err->text + length, sizeof(err->text) - length, ": %s", strerror(saved_errno));
    return -1;
}

int serve_hint(struct cella_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_text(err->hint, sizeof(err->hint), format, args);
    va_end(args);
    return -1;
}
