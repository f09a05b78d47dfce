/*
 * Filling a struct cella_error: see error.h.
 *
 * Every text is made in a local array first, because its arguments may be texts of the very error
 * that is being filled, and the whole struct is cleared, because it crosses sockets as it stands.
 */
#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct error_kind_info kind_table[] = {
    [CELLA_ERROR_NONE] = {"none", 0, 200},       [CELLA_ERROR_CALLER] = {"caller", 126, 400},
    [CELLA_ERROR_POLICY] = {"policy", 126, 403}, [CELLA_ERROR_RUNTIME] = {"runtime", 127, 400},
    [CELLA_ERROR_BUSY] = {"busy", 125, 429},     [CELLA_ERROR_HOST] = {"host", 125, 500},
    [CELLA_ERROR_BUG] = {"bug", 125, 500},
};

/* Texts quote what callers and guests sent, and end on terminals and in JSON: what is not UTF-8 and
 * what would steer a terminal becomes '?'. */
static void make_printable(char *text)
{
    size_t size = strlen(text);
    size_t offset = 0;
    while (offset < size) {
        uint32_t code = 0;
        size_t length = utf8_decode(text + offset, size - offset, &code);
        if (length == 0 || utf8_is_control(code)) {
            length = length == 0 ? 1 : length;
            memset(text + offset, '?', length);
        }
        offset += length;
    }
}

static void format_text(char *text, size_t capacity, const char *format, va_list args)
    PRINTF_LIKE(3, 0);

static void format_text(char *text, size_t capacity, const char *format, va_list args)
{
    int length = vsnprintf(text, capacity, format, args);
    if (length < 0) {
        text[0] = '\0';
    } else if ((size_t)length >= capacity) {
        text[utf8_cut(text, capacity - 1)] = '\0';
    }
    make_printable(text);
}

static const char *errno_text(int sys_errno)
{
#ifdef __GLIBC__
    /* glibc's strerror() translates, which may allocate. */
    const char *text = strerrordesc_np(sys_errno);
    return text != NULL ? text : "unknown error";
#else
    return strerror(sys_errno); /* musl: static text */
#endif
}

int error_set(struct cella_error *err, enum cella_error_kind kind, int sys_errno,
              const char *format, ...)
{
    int saved_errno = errno;
    char text[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    format_text(text, sizeof(text), format, args);
    va_end(args);
    memset(err, 0, sizeof(*err));
    err->kind = kind;
    err->sys_errno = sys_errno;
    size_t size = strlen(text);
    memcpy(err->text, text, size);
    if (sys_errno != 0) {
        size_t room = sizeof(err->text) - size;
        (void)snprintf(err->text + size, room, ": %s", errno_text(sys_errno)); /* a cut is fine */
    }
    if (kind == CELLA_ERROR_HOST && (sys_errno == EMFILE || sys_errno == ENFILE)) {
        /* The host lacks nothing for good: there are descriptors again when others are closed. */
        err->kind = CELLA_ERROR_BUSY;
        (void)error_set_hint(err, "free runs that are done, try again later, or raise %s",
                             sys_errno == EMFILE ? "the limit on open files (`ulimit -n`)"
                                                 : "the host's limit on open files (fs.file-max)");
    }
    errno = saved_errno;
    return -1;
}

int error_set_field(struct cella_error *err, const char *format, ...)
{
    int saved_errno = errno;
    char field[sizeof(err->field)] = "";
    va_list args;
    va_start(args, format);
    format_text(field, sizeof(field), format, args);
    va_end(args);
    memcpy(err->field, field, sizeof(field));
    errno = saved_errno;
    return -1;
}

int error_set_hint(struct cella_error *err, const char *format, ...)
{
    int saved_errno = errno;
    char hint[sizeof(err->hint)] = "";
    va_list args;
    va_start(args, format);
    format_text(hint, sizeof(hint), format, args);
    va_end(args);
    memcpy(err->hint, hint, sizeof(hint));
    errno = saved_errno;
    return -1;
}

int error_set_memory(struct cella_error *err)
{
    return error_set(err, CELLA_ERROR_HOST, ENOMEM, "memory is short");
}

const struct error_kind_info *error_kind_info(enum cella_error_kind kind)
{
    /* A kind may have crossed a socket: an unknown one is a bug of its sender. */
    return &kind_table[(size_t)kind < ARRAY_LENGTH(kind_table) ? kind : CELLA_ERROR_BUG];
}

enum cella_error_kind error_kind_by_name(const char *name)
{
    for (size_t kind = 0; name != NULL && kind < ARRAY_LENGTH(kind_table); kind++) {
        if (strcmp(kind_table[kind].name, name) == 0) {
            return (enum cella_error_kind)kind;
        }
    }
    return CELLA_ERROR_BUG;
}
