/*
 * See loop.h.
 *
 * Of libwebsockets this takes the loop, in the form of its raw roles: `raw-file` for a descriptor,
 * whose only event is that it can be read from, and `raw-skt` for a socket, which it reads from
 * and we send to.  (Its role for HTTP says nothing to a client whose request is malformed, takes
 * a chunked body for one of 100 MiB, and calls back for the same body twice when another request
 * follows while the first is worked on; so HTTP is read in http.c.)
 *
 * It closes a connection when its callback returns -1, or from a timeout.
 */
#include "front/serve/loop.h"

#include "front/serve/fail.h"
#include "front/serve/log.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one read of a socket takes at most: others wait meanwhile. */
#define LOOP_READ_SIZE 65536U
/* Its LWS_SET_TIMER_USEC_CANCEL is taken for a time that is over: a year stands for never. */
#define NEVER_US ((lws_usec_t)365 * 24 * 3600 * 1000000)
/* Descriptors that libwebsockets has for itself. */
#define LOOP_OWN_WATCHES 8U

struct loop {
    struct lws_context *context;
    bool stopped;
};

struct loop_watch {
    struct lws *wsi;
    const struct loop_events *events;
    void *context;
    bool called; /* one of its functions is at work */
    bool closed;
};

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size);

static const struct lws_protocols protocols[] = {
    {.name = "cella", .callback = on_event, .rx_buffer_size = LOOP_READ_SIZE},
    {.name = NULL},
};

static void log_lws(int level, const char *line)
{
    (void)level;
    log_line("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

int loop_create(unsigned watches_max, struct loop **ret_loop, struct cella_error *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .gid = -1, /* it changes neither */
        .uid = -1,
        .fd_limit_per_thread = watches_max + LOOP_OWN_WATCHES,
        .pt_serv_buf_size = LOOP_READ_SIZE,
    };
    lws_set_log_level(LLL_ERR, log_lws);
    if (loop != NULL) {
        loop->context = lws_create_context(&info);
    }
    if (loop == NULL || loop->context == NULL) {
        free(loop);
        return serve_fail(err, CELLA_ERROR_HOST, "cannot make the event loop");
    }
    *ret_loop = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (loop != NULL) {
        lws_context_destroy(loop->context);
        free(loop);
    }
}

/* ---- watches ---- */

static struct loop_watch *add(struct loop *loop, int fd, lws_adoption_type type,
                              const struct loop_events *events, void *context)
{
    struct loop_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        (void)close(fd);
        return NULL;
    }
    *watch = (struct loop_watch){.events = events, .context = context};
    const lws_adopt_desc_t info = {
        .vh = lws_get_vhost_by_name(loop->context, "default"),
        .type = type,
        .fd = {.sockfd = fd},
        .vh_prot_name = protocols[0].name,
        .opaque = watch,
    };
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&info);
    if (wsi == NULL) {
        if ((type & LWS_ADOPT_SOCKET) == 0) { /* a socket is closed by now */
            (void)close(fd);
        }
        free(watch);
        return NULL;
    }
    watch->wsi = wsi;
    return watch;
}

struct loop_watch *loop_add_descriptor(struct loop *loop, int fd, const struct loop_events *events,
                                       void *context)
{
    return add(loop, fd, LWS_ADOPT_RAW_FILE_DESC, events, context);
}

struct loop_watch *loop_add_socket(struct loop *loop, int fd, const struct loop_events *events,
                                   void *context)
{
    return add(loop, fd, LWS_ADOPT_SOCKET, events, context);
}

void loop_close(struct loop_watch *watch)
{
    if (watch->closed) {
        return;
    }
    watch->closed = true;
    if (!watch->called) {
        lws_set_timeout(watch->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
}

int loop_socket(const struct loop_watch *watch)
{
    return lws_get_socket_fd(watch->wsi);
}

void loop_want_room(struct loop_watch *watch)
{
    if (!watch->closed) {
        (void)lws_callback_on_writable(watch->wsi); /* fails for a connection that is closing */
    }
}

void loop_set_reading(struct loop_watch *watch, bool reading)
{
    if (!watch->closed) {
        (void)lws_rx_flow_control(watch->wsi, reading); /* likewise */
    }
}

void loop_set_timer(struct loop_watch *watch, unsigned ms)
{
    if (!watch->closed) {
        lws_set_timer_usecs(watch->wsi, ms == 0 ? NEVER_US : (lws_usec_t)ms * 1000);
    }
}

/* ---- the loop ---- */

static void call(struct loop_watch *watch, enum lws_callback_reasons reason, const void *in,
                 size_t size)
{
    switch (reason) {
    case LWS_CALLBACK_RAW_RX_FILE:
        watch->events->readable(watch->context);
        break;
    case LWS_CALLBACK_RAW_RX:
        watch->events->received(watch->context, in, size);
        break;
    case LWS_CALLBACK_RAW_WRITEABLE:
        watch->events->has_room(watch->context);
        break;
    case LWS_CALLBACK_TIMER:
        watch->events->timeout(watch->context);
        break;
    default:
        break;
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    (void)user;
    struct loop_watch *watch = lws_get_opaque_user_data(wsi);
    switch (reason) {
    case LWS_CALLBACK_RAW_RX_FILE:
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_RAW_WRITEABLE:
    case LWS_CALLBACK_TIMER:
        if (watch != NULL && !watch->closed) {
            watch->called = true;
            call(watch, reason, in, size);
            watch->called = false;
        }
        return watch == NULL || watch->closed ? -1 : 0;
    case LWS_CALLBACK_RAW_CLOSE:
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        if (watch != NULL && watch->wsi != NULL) { /* else it was never added */
            bool is_news = !watch->closed && watch->events->gone != NULL;
            watch->closed = true;
            if (is_news) {
                watch->events->gone(watch->context);
            }
            (void)lws_set_opaque_user_data(wsi, NULL);
            free(watch);
        }
        return 0;
    default:
        return 0;
    }
}

int loop_run(struct loop *loop, struct cella_error *err)
{
    while (!loop->stopped) {
        if (lws_service(loop->context, 0) < 0) {
            return serve_fail(err, CELLA_ERROR_HOST, "the event loop failed");
        }
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
    lws_cancel_service(loop->context); /* also when nothing else happens any more */
}
