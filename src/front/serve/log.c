/* See log.h. */
#include "front/serve/log.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "front/serve/fail.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one line: what a message may have, and with what it is about, escaped. */
#define MESSAGE_MAX    1024U
#define TEXT_MAX       2048U
#define LINE_MAX_BYTES 16384U

/* The one global state that there is: these two. */
static int log_fd = STDERR_FILENO;
static enum log_format log_format = LOG_FORMAT_TEXT;

static bool is_same(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int log_open(const char *path, struct cella_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0) {
        return serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot open the log %s", path);
    }
    const bool moves = !is_same(fd, log_fd);
    log_close();
    log_fd = fd;
    return moves ? 1 : 0;
}

void log_close(void)
{
    if (log_fd != STDERR_FILENO) {
        (void)close(log_fd);
        log_fd = STDERR_FILENO;
    }
}

void log_set_format(enum log_format format)
{
    log_format = format;
}

static const char *const level_words[] = {
    [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_ERROR] = "error"};

/* What does not fit is left out. */
static size_t add_word(char *line, size_t size, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0') {
        return size;
    }
    const int more = snprintf(line + size, TEXT_MAX - size, " %s=%s", name, value);
    return more > 0 && (size_t)more < TEXT_MAX - size ? size + (size_t)more : size;
}

static void write_text(struct buffer *out, enum log_level level, const struct log_about *about,
                       const char *time, const char *message)
{
    char line[TEXT_MAX];
    size_t size = (size_t)snprintf(
        line, sizeof(line), "%s %s%s%s", time, level != LOG_LEVEL_INFO ? level_words[level] : "",
        level != LOG_LEVEL_INFO ? ": " : "", message); /* which is shorter */
    size = add_word(line, size, "run", about->run);
    size = add_word(line, size, "tenant", about->tenant);
    size = add_word(line, size, "request", about->request_id);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 127) {
            line[i] = '?';
        }
    }
    if (buffer_add(out, line, size) < 0) {
        /* an empty line says that something was */
    }
}

static void write_json(struct buffer *line, enum log_level level, const struct log_about *about,
                       const char *time, const char *message)
{
    struct json_writer writer;
    json_write_init(&writer, line);
    json_write_open(&writer, '{');
    json_write_member(&writer, "time", time);
    json_write_member(&writer, "level", level_words[level]);
    json_write_member(&writer, "message", message);
    const struct {
        const char *name;
        const char *value;
    } members[] = {{"request_id", about->request_id},
                   {"trace_id", about->trace_id},
                   {"run", about->run},
                   {"tenant", about->tenant}};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].value != NULL && members[i].value[0] != '\0') {
            json_write_member(&writer, members[i].name, members[i].value);
        }
    }
    if (about->status != 0) {
        json_write_key(&writer, "status");
        json_write_integer(&writer, about->status);
        json_write_key(&writer, "duration_ms");
        json_write_unsigned(&writer, about->duration_ms);
    }
    json_write_close(&writer, '}');
}

void log_write(enum log_level level, const struct log_about *about, const char *format, ...)
{
    static const struct log_about nothing = {.status = 0};
    char message[MESSAGE_MAX];
    char time[CLOCK_RFC3339_SIZE];
    struct buffer line;
    va_list args;
    clock_rfc3339(clock_realtime_ms(), time);
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    buffer_init(&line, LINE_MAX_BYTES);
    if (log_format == LOG_FORMAT_JSON) {
        write_json(&line, level, about != NULL ? about : &nothing, time, message);
    } else {
        write_text(&line, level, about != NULL ? about : &nothing, time, message);
    }
    struct pollfd room = {.fd = log_fd, .events = POLLOUT};
    if (buffer_add_string(&line, "\n") < 0 || poll(&room, 1, 0) != 1 ||
        write(log_fd, line.data, line.size) < 0) {
        /* there is nobody left to tell */
    }
    buffer_done(&line);
}
