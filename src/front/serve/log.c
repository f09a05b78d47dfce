/* See log.h. */
#include "front/serve/log.h"

#include "front/serve/fail.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* The one global state that there is. */
static int log_fd = STDERR_FILENO;
static const char *log_path; /* NULL: standard error */

int log_open(const char *path, struct cella_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0) {
        return serve_fail_errno(err, CELLA_ERROR_CALLER, "cannot open the log %s", path);
    }
    log_fd = fd;
    log_path = path;
    return 0;
}

void log_reopen(void)
{
    struct cella_error err;
    const int before = log_fd;
    if (log_path == NULL) {
        return;
    }
    if (log_open(log_path, &err) < 0) {
        log_line("goes on in this file: %s", err.text);
        return;
    }
    (void)close(before);
    log_line("goes on in a new file");
}

void log_close(void)
{
    if (log_fd != STDERR_FILENO) {
        (void)close(log_fd);
        log_fd = STDERR_FILENO;
    }
}

void log_line(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm parts;
    va_list args;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    size_t size = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &parts));
    size +=
        (size_t)snprintf(line + size, sizeof(line) - size, ".%03dZ ", (int)(now.tv_nsec / 1000000));
    va_start(args, format);
    (void)vsnprintf(line + size, sizeof(line) - 1 - size, format, args);
    va_end(args);
    for (; line[size] != '\0'; size++) {
        if ((unsigned char)line[size] < ' ' || line[size] == 127) {
            line[size] = '?';
        }
    }
    line[size++] = '\n';
    struct pollfd room = {.fd = log_fd, .events = POLLOUT};
    if (poll(&room, 1, 0) == 1 && write(log_fd, line, size) < 0) {
        return; /* there is nobody left to tell */
    }
}
