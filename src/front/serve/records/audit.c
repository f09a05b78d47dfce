/* See audit.h. */
#include "front/serve/records/audit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "front/serve/fail.h"
#include "front/serve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every byte of every text as "\u0000", and the names. */
#define LINE_BYTES_MAX 65536U

static const char *const event_names[AUDIT_EVENT_COUNT] = {
#define AUDIT_NAME(id, name, ...) [AUDIT_##id] = (name),
    AUDIT_EVENTS(AUDIT_NAME)
#undef AUDIT_NAME
};

void audit_init(struct audit *audit)
{
    *audit = (struct audit){.fd = -1};
}

void audit_close(struct audit *audit)
{
    fd_close(&audit->fd);
}

int audit_open(struct audit *audit, const char *path, struct cella_error *err)
{
    struct stat status;
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        return serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot open the audit log %s", path);
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        fd_close(&fd);
        (void)serve_fail(err, CELLA_ERROR_CALLER, "the audit log %s is no regular file", path);
        return serve_hint(err, "name a file that lines can be appended to");
    }
    fd_close(&audit->fd);
    audit->fd = fd;
    audit->is_torn = false;
    return 0;
}

/* ---- one line ---- */

static void write_texts(struct json_writer *writer, const struct audit_record *record)
{
    const struct {
        const char *name;
        const char *value;
    } members[] = {
#define AUDIT_MEMBER(field, ...) {#field, record->field},
        AUDIT_FIELDS(AUDIT_MEMBER)
#undef AUDIT_MEMBER
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].value != NULL && members[i].value[0] != '\0') {
            json_write_key(writer, members[i].name);
            json_write_text(writer, members[i].value, strnlen(members[i].value, AUDIT_VALUE_MAX));
        }
    }
}

static int make_line(const struct audit *audit, enum audit_event event,
                     const struct audit_record *record, struct buffer *line)
{
    struct json_writer writer;
    char time[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_realtime_ms(), time);
    json_write_init(&writer, line);
    json_write_open(&writer, '{');
    json_write_member(&writer, "time", time);
    json_write_key(&writer, "sequence");
    json_write_unsigned(&writer, audit->sequence);
    json_write_member(&writer, "event", event_names[event]);
    write_texts(&writer, record);
    if (record->code != 0) {
        json_write_key(&writer, "code");
        json_write_integer(&writer, record->code);
    }
    if (event == AUDIT_REQUEST_DENIED && audit->unwritten > 0) {
        json_write_key(&writer, "unwritten");
        json_write_unsigned(&writer, audit->unwritten);
    }
    json_write_close(&writer, '}');
    return writer.failed ? -1 : 0;
}

static int add_escape(struct buffer *out, unsigned code)
{
    return buffer_add_format(out, "\\u%04x", code);
}

/* JSON with every letter beyond ASCII escaped: others may stand for nothing one sees, or turn the
 * line around.  What comes is UTF-8. */
static int add_ascii(struct buffer *out, const char *text, size_t size)
{
    int failed = 0;
    for (size_t i = 0; i < size && failed == 0;) {
        const unsigned char lead = (unsigned char)text[i];
        if (lead < 0x7f) {
            failed = buffer_add(out, &text[i], 1);
            i++;
            continue;
        }
        const size_t length = lead == 0x7f ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        unsigned code = lead == 0x7f ? lead : lead & (0xffU >> (length + 1));
        for (size_t j = 1; j < length && i + j < size; j++) {
            code = code << 6 | ((unsigned char)text[i + j] & 0x3fU);
        }
        if (code >= 0x10000) {
            failed = add_escape(out, 0xd800 + ((code - 0x10000) >> 10));
            code = 0xdc00 + ((code - 0x10000) & 0x3ffU);
        }
        failed = failed < 0 ? failed : add_escape(out, code);
        i += length;
    }
    return failed;
}

/* A line that was written in part is ended first, so that it alone is lost. */
static int append(struct audit *audit, const struct buffer *line, struct cella_error *err)
{
    struct buffer out;
    buffer_init(&out, LINE_BYTES_MAX);
    if ((audit->is_torn && buffer_add(&out, "\n", 1) < 0) ||
        add_ascii(&out, line->data, line->size) < 0 || buffer_add(&out, "\n", 1) < 0) {
        buffer_done(&out);
        return serve_fail(err, CELLA_ERROR_HOST,
                          "the audit log cannot be written: "
                          "memory is short");
    }
    const ssize_t written = write(audit->fd, out.data, out.size);
    const bool whole = written == (ssize_t)out.size;
    if (written > 0) {
        audit->is_torn = !whole;
    }
    buffer_done(&out);
    if (whole) {
        return 0;
    }
    if (written >= 0) {
        errno = ENOSPC;
    }
    (void)serve_fail_errno(err, CELLA_ERROR_HOST, "the audit log cannot be written");
    return serve_hint(err, "make room on its disk, or see to the file");
}

/* Whether one more denial is written; who asks again and again shall not fill the disk. */
static bool takes_denial(struct audit *audit)
{
    const int64_t second = clock_realtime_ms() / 1000;
    if (second != audit->second) {
        audit->second = second;
        audit->denials = 0;
    }
    if (audit->denials < AUDIT_DENIALS) {
        audit->denials++;
        return true;
    }
    audit->unwritten++;
    return false;
}

int audit_write(struct audit *audit, enum audit_event event, const struct audit_record *record,
                struct cella_error *err)
{
    struct buffer line;
    if (audit->fd < 0 || (event == AUDIT_REQUEST_DENIED && !takes_denial(audit))) {
        return 0;
    }
    buffer_init(&line, LINE_BYTES_MAX);
    audit->sequence++;
    const int result = make_line(audit, event, record, &line) < 0
                           ? serve_fail(err, CELLA_ERROR_HOST,
                                        "the audit log cannot be written: "
                                        "memory is short")
                           : append(audit, &line, err);
    buffer_done(&line);
    if (result < 0) {
        audit->failures++;
        if (!audit->is_failing) {
            log_write(LOG_LEVEL_ERROR, NULL, "%s", err->text);
        }
    } else {
        if (audit->is_failing) {
            log_write(LOG_LEVEL_WARNING, NULL,
                      "the audit log is written again; it lacks %llu line%s",
                      (unsigned long long)audit->failures, serve_plural(audit->failures));
        }
        if (event == AUDIT_REQUEST_DENIED) {
            audit->unwritten = 0;
        }
    }
    audit->is_failing = result < 0;
    return result;
}
