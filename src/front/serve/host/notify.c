/* See notify.h. */
#include "front/serve/host/notify.h"

#include "base/clock.h"
#include "base/units.h"
#include "front/serve/fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 256U

static int bad_address(const char *path, struct cella_error *err)
{
    return serve_fail(err, CELLA_ERROR_HOST,
                      "NOTIFY_SOCKET=%s is no absolute path and no abstract name", path);
}

/* A path, or a name in the kernel's own space after '@'. */
static int connect_to(const char *path, struct cella_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof(address.sun_path)) {
        return bad_address(path, err);
    }
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0) {
        (void)serve_fail_errno(err, CELLA_ERROR_HOST, "cannot speak to NOTIFY_SOCKET=%s", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

/* Microseconds, for the process of that number if one is named. */
static int read_watchdog(uint64_t *ret_ms, struct cella_error *err)
{
    const char *text = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t us;
    uint64_t number;
    *ret_ms = 0;
    if (text == NULL || (pid != NULL && (units_parse_count(pid, &number) != NULL ||
                                         number != (uint64_t)getpid()))) {
        return 0;
    }
    char *end = NULL;
    us = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || us < 1000) {
        return serve_fail(err, CELLA_ERROR_HOST, "WATCHDOG_USEC=%s is no time", text);
    }
    *ret_ms = us / 1000;
    return 0;
}

int notify_open(struct notify *ret_notify, struct cella_error *err)
{
    struct notify notify = {.socket = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    if (read_watchdog(&notify.watch_over_ms, err) < 0) {
        return -1;
    }
    if (path != NULL && path[0] != '\0') {
        notify.socket = connect_to(path, err);
        if (notify.socket < 0) {
            return -1;
        }
    } else {
        notify.watch_over_ms = 0;
    }
    (void)unsetenv("NOTIFY_SOCKET"); /* these names are good */
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    *ret_notify = notify;
    return 0;
}

void notify_close(struct notify *notify)
{
    if (notify->socket >= 0) {
        (void)close(notify->socket);
        notify->socket = -1;
    }
}

static void send_message(const struct notify *notify, const char *message)
{
    if (notify->socket >= 0 &&
        send(notify->socket, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        return; /* as if nobody listened */
    }
}

void notify_send(const struct notify *notify, const char *state, const char *status)
{
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof(message), "%s%s%s%s", state,
                   state[0] != '\0' && status != NULL ? "\n" : "", status != NULL ? "STATUS=" : "",
                   status != NULL ? status : "");
    send_message(notify, message);
}

void notify_reloading(const struct notify *notify)
{
    char message[MESSAGE_MAX];
    (void)snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                   clock_monotonic_us());
    send_message(notify, message);
}
