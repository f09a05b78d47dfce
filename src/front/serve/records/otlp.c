/* See otlp.h.  Divisions: opening and closing; spans; a batch; its answer. */
#include "front/serve/records/otlp.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "front/serve/fail.h"
#include "front/serve/http/tls.h"
#include "front/serve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 8192U
#define CLOSE_MS   500 /* for the last batch */

struct otlp {
    struct loop *loop;
    struct loop_watch *clock; /* of no descriptor that ever tells anything */
    struct otlp_address address;
    const struct spawner *spawner;
    struct tls_host *tls_host; /* NULL: it is spoken in clear */

    struct buffer waiting; /* spans with commas between */
    unsigned waiting_count;

    struct buffer batch; /* on its way: the whole request; size 0: none is */
    unsigned batch_count;
    unsigned attempts;
    struct loop_watch *watch; /* of its connection; NULL: it waits to be sent again */
    struct tls *tls;          /* on it; NULL: none */
    size_t sent;
    char answer[ANSWER_MAX];
    size_t answer_size;

    struct otlp_counts counts;
    bool is_failing;
};

static void send_batch(struct otlp *otlp);
static void end_attempt(struct otlp *otlp);

/* ---- opening and closing ---- */

static void on_clock(void *context)
{
    struct otlp *otlp = context;
    if (otlp->watch != NULL) {
        end_attempt(otlp); /* its time is over; the answer may be there but for its end */
    } else {
        send_batch(otlp);
    }
}

int otlp_open(struct loop *loop, const struct otlp_address *address, const struct spawner *spawner,
              struct otlp **ret_otlp, struct cella_error *err)
{
    static const struct loop_events events = {.timeout = on_clock};
    const char *authorities = getenv("OTEL_EXPORTER_OTLP_CERTIFICATE");
    struct otlp *otlp = calloc(1, sizeof(*otlp));
    if (otlp == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    authorities = authorities != NULL && authorities[0] != '\0' ? authorities : NULL;
    if (address->is_secure && tls_client_open(authorities, &otlp->tls_host, err) < 0) {
        free(otlp);
        return -1;
    }
    otlp->loop = loop;
    otlp->address = *address;
    otlp->spawner = spawner;
    buffer_init(&otlp->waiting, OTLP_BYTES_MAX);
    buffer_init(&otlp->batch, 0);
    otlp->clock = loop_add_timer(loop, &events, otlp);
    if (otlp->clock == NULL) {
        tls_host_close(otlp->tls_host);
        free(otlp);
        return serve_fail(err, CELLA_ERROR_HOST, "cannot watch a clock");
    }
    *ret_otlp = otlp;
    return 0;
}

struct otlp_counts otlp_counted(const struct otlp *otlp)
{
    return otlp != NULL ? otlp->counts : (struct otlp_counts){.sent = 0};
}

/* ---- spans ---- */

static void write_member(struct json_writer *writer, const char *key, const char *value)
{
    json_write_key(writer, key);
    json_write_text(writer, value, strlen(value));
}

static void write_attribute(struct json_writer *writer, const struct otlp_attribute *attribute)
{
    char number[24];
    if (attribute->text != NULL && attribute->text[0] == '\0') {
        return;
    }
    json_write_open(writer, '{');
    write_member(writer, "key", attribute->key);
    json_write_key(writer, "value");
    json_write_open(writer, '{');
    if (attribute->text != NULL) {
        json_write_key(writer, "stringValue");
        json_write_text(writer, attribute->text, strnlen(attribute->text, OTLP_VALUE_MAX));
    } else {
        (void)snprintf(number, sizeof(number), "%" PRId64, attribute->number);
        write_member(writer, "intValue", number);
    }
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

static void write_moment(struct json_writer *writer, const char *key, int64_t us)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%" PRId64 "000", us);
    write_member(writer, key, text);
}

static void write_span(struct json_writer *writer, const struct otlp_span *span)
{
    const struct trace *trace = span->trace;
    const char *parent = span->span != NULL ? trace->span : trace->parent;
    json_write_open(writer, '{');
    write_member(writer, "traceId", trace->id);
    write_member(writer, "spanId", span->span != NULL ? span->span : trace->span);
    if (parent[0] != '\0') {
        write_member(writer, "parentSpanId", parent);
    }
    if (trace->state[0] != '\0') {
        write_member(writer, "traceState", trace->state);
    }
    json_write_key(writer, "name");
    json_write_text(writer, span->name, strnlen(span->name, OTLP_VALUE_MAX));
    json_write_key(writer, "kind");
    json_write_integer(writer, span->kind);
    write_moment(writer, "startTimeUnixNano", span->from_us);
    write_moment(writer, "endTimeUnixNano",
                 span->to_us < span->from_us ? span->from_us : span->to_us);
    json_write_key(writer, "attributes");
    json_write_open(writer, '[');
    for (size_t i = 0; i < OTLP_ATTRIBUTES && span->attributes[i].key != NULL; i++) {
        write_attribute(writer, &span->attributes[i]);
    }
    json_write_close(writer, ']');
    json_write_key(writer, "status");
    json_write_open(writer, '{');
    if (span->failed) {
        json_write_key(writer, "code");
        json_write_integer(writer, 2); /* STATUS_CODE_ERROR */
    }
    json_write_close(writer, '}');
    json_write_close(writer, '}');
}

void otlp_add(struct otlp *otlp, const struct otlp_span *span)
{
    struct json_writer writer;
    if (otlp == NULL || (span->trace->flags & TRACE_SAMPLED) == 0) {
        return;
    }
    const size_t before = otlp->waiting.size;
    json_write_init(&writer, &otlp->waiting);
    writer.comma = before > 0;
    if (otlp->waiting_count < OTLP_SPANS_MAX) {
        write_span(&writer, span);
    } else {
        writer.failed = true;
    }
    if (writer.failed) {
        otlp->waiting.size = before; /* without what was written of it */
        otlp->counts.dropped++;
        return;
    }
    otlp->waiting_count++;
    if (otlp->batch.size > 0) {
        return; /* it follows when that one is over */
    }
    if (otlp->waiting_count >= OTLP_BATCH_MAX) {
        send_batch(otlp);
    } else if (otlp->waiting_count == 1) {
        loop_set_timer(otlp->clock, OTLP_BATCH_MS);
    }
}

/* ---- a batch ---- */

static void drop_batch(struct otlp *otlp)
{
    buffer_done(&otlp->batch);
    buffer_init(&otlp->batch, 0);
    otlp->batch_count = 0;
}

/* What waits becomes the batch: a request as it goes over the wire. */
static int make_batch(struct otlp *otlp)
{
    static const char before[] = "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
                                 "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cella\"}},"
                                 "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"";
    static const char between[] =
        "\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"cella\"},\"spans\":[";
    static const char behind[] = "]}]}]}";
    const char *version = cella_version();
    const size_t size = sizeof(before) - 1 + strlen(version) + sizeof(between) - 1 +
                        otlp->waiting.size + sizeof(behind) - 1;
    struct buffer *batch = &otlp->batch;
    if (buffer_add_format(batch,
                          "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\nConnection: close\r\n%s\r\n",
                          otlp->address.path, otlp->address.host, size,
                          otlp->address.headers) < 0 ||
        buffer_add_string(batch, before) < 0 || buffer_add_string(batch, version) < 0 ||
        buffer_add_string(batch, between) < 0 ||
        buffer_add(batch, otlp->waiting.data, otlp->waiting.size) < 0 ||
        buffer_add_string(batch, behind) < 0) {
        drop_batch(otlp);
        return -1;
    }
    otlp->batch_count = otlp->waiting_count;
    otlp->attempts = 0;
    buffer_done(&otlp->waiting);
    buffer_init(&otlp->waiting, OTLP_BYTES_MAX);
    otlp->waiting_count = 0;
    return 0;
}

static void on_answer(void *context, const char *data, size_t size);

/* How many bytes were taken, 0 when there is no room; -1 when there never will be. */
static ssize_t send_some(int fd, const char *data, size_t size)
{
    const ssize_t sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

/* Likewise of all that TLS has made: 1 when that was taken. */
static int send_encrypted(struct tls *tls, int fd)
{
    char *data;
    size_t size;
    while ((size = tls_waiting(tls, &data)) > 0) {
        const ssize_t sent = send_some(fd, data, size);
        if (sent <= 0) {
            return (int)sent;
        }
        tls_sent(tls, (size_t)sent);
    }
    return 1;
}

/* Sends what the socket takes of the batch.  Whether the rest waits for room there; -1 when there
 * never will be.  What TLS cannot take yet goes out when the collector has answered it. */
static int push(struct otlp *otlp, int fd)
{
    ssize_t taken;
    do {
        struct iovec part = {otlp->batch.data + otlp->sent, otlp->batch.size - otlp->sent};
        taken = part.iov_len == 0   ? 0
                : otlp->tls != NULL ? tls_write(otlp->tls, &part, 1)
                                    : send_some(fd, part.iov_base, part.iov_len);
        otlp->sent += taken > 0 ? (size_t)taken : 0;
        const int sent = otlp->tls != NULL ? send_encrypted(otlp->tls, fd) : 1;
        if (taken < 0 || sent <= 0) {
            return taken < 0 || sent < 0 ? -1 : 1;
        }
    } while (taken > 0);
    return otlp->tls == NULL && otlp->sent < otlp->batch.size;
}

static void on_room(void *context)
{
    struct otlp *otlp = context;
    const int waits = push(otlp, loop_socket(otlp->watch));
    if (waits < 0) {
        end_attempt(otlp);
    } else if (waits > 0) {
        loop_want_room(otlp->watch);
    }
}

static void on_gone(void *context)
{
    struct otlp *otlp = context;
    otlp->watch = NULL; /* it is closed already */
    end_attempt(otlp);
}

/* A socket on its way to the collector; -1 when there is none. */
static int begin_attempt(struct otlp *otlp)
{
    otlp->sent = 0;
    otlp->answer_size = 0;
    if (otlp->tls_host != NULL) {
        otlp->tls = tls_connect(otlp->tls_host, otlp->address.name);
        if (otlp->tls == NULL) {
            return -1;
        }
    }
    return spawner_connect(otlp->spawner);
}

static void send_batch(struct otlp *otlp)
{
    static const struct loop_events events = {
        .received = on_answer, .has_room = on_room, .gone = on_gone};
    if (otlp->batch.size == 0 && otlp->waiting_count == 0) {
        return;
    }
    if (otlp->batch.size == 0 && make_batch(otlp) < 0) {
        loop_set_timer(otlp->clock, OTLP_BATCH_MS); /* memory may not be short then */
        return;
    }
    otlp->attempts++;
    const int fd = begin_attempt(otlp);
    if (fd >= 0) {
        otlp->watch = loop_add_socket(otlp->loop, fd, &events, otlp);
    }
    if (otlp->watch == NULL) {
        end_attempt(otlp);
        return;
    }
    loop_set_timer(otlp->clock, OTLP_TIME_MS);
    loop_want_room(otlp->watch);
}

/* ---- its answer ---- */

/* The status of the answer, as far as it is there; 0: none. */
static int status_of(const struct otlp *otlp)
{
    static const char version[] = "HTTP/1.";
    const size_t at = sizeof(version) + 1; /* behind "HTTP/1.1 " */
    return otlp->answer_size > at + 3 && memcmp(otlp->answer, version, sizeof(version) - 1) == 0
               ? (int)strtol(otlp->answer + at, NULL, 10)
               : 0;
}

/* Whether all of it is there, when it says how long it is. */
static bool is_whole(const struct otlp *otlp)
{
    static const char name[] = "\r\ncontent-length:";
    const char *end = strstr(otlp->answer, "\r\n\r\n");
    const char *length = strcasestr(otlp->answer, name);
    if (end == NULL || length == NULL || length > end) {
        return false;
    }
    const unsigned long size = strtoul(length + sizeof(name) - 1, NULL, 10);
    return otlp->answer_size - (size_t)(end + 4 - otlp->answer) >= size;
}

/* Returns whether more may come. */
static bool take_answer(struct otlp *otlp, const char *data, size_t size)
{
    const size_t room = ANSWER_MAX - 1 - otlp->answer_size;
    const size_t part = size < room ? size : room;
    memcpy(otlp->answer + otlp->answer_size, data, part);
    otlp->answer_size += part;
    otlp->answer[otlp->answer_size] = '\0';
    return !is_whole(otlp) && part == size;
}

/* Likewise, as it comes by the socket. */
static bool pull(struct otlp *otlp, const char *data, size_t size)
{
    char inside[TLS_READ_MAX];
    if (otlp->tls == NULL) {
        return take_answer(otlp, data, size);
    }
    ssize_t got = tls_put(otlp->tls, data, size);
    bool goes_on = got == 0;
    while (goes_on && (got = tls_read(otlp->tls, inside)) > 0) {
        goes_on = take_answer(otlp, inside, (size_t)got);
    }
    return goes_on && got == 0;
}

static void on_answer(void *context, const char *data, size_t size)
{
    struct otlp *otlp = context;
    if (pull(otlp, data, size)) {
        on_room(otlp); /* TLS may take now what it could not */
    } else {
        end_attempt(otlp);
    }
}

/* Spans that the collector took but did not want. */
static uint64_t rejected_of(const struct otlp *otlp)
{
    static const char name[] = "\"rejectedSpans\"";
    const char *body = strstr(otlp->answer, "\r\n\r\n");
    const char *at = body != NULL ? strstr(body, name) : NULL;
    if (at == NULL) {
        return 0;
    }
    at += sizeof(name) - 1;
    at += strspn(at, " :\""); /* a number, or as text */
    const uint64_t count = strtoull(at, NULL, 10);
    return count < otlp->batch_count ? count : otlp->batch_count;
}

static void tell_state(struct otlp *otlp, bool failed, int status, const char *disbelief)
{
    if (failed && !otlp->is_failing) {
        if (disbelief != NULL) {
            log_write(LOG_LEVEL_WARNING, NULL,
                      "traces are dropped: the certificate of %s is not believed: %s",
                      otlp->address.host, disbelief);
        } else if (status != 0) {
            log_write(LOG_LEVEL_WARNING, NULL, "traces are dropped: %s answers %d",
                      otlp->address.host, status);
        } else {
            log_write(LOG_LEVEL_WARNING, NULL, "traces are dropped: %s does not answer",
                      otlp->address.host);
        }
    } else if (!failed && otlp->is_failing) {
        log_line("traces are taken again by %s", otlp->address.host);
    }
    otlp->is_failing = failed;
}

/* It was taken, or is sent again later, or is dropped.  Then what waits is the next. */
static void end_attempt(struct otlp *otlp)
{
    const int status = otlp->answer_size > 0 ? status_of(otlp) : 0;
    const char *disbelief = otlp->tls != NULL ? tls_disbelief(otlp->tls) : NULL; /* static */
    if (otlp->watch != NULL) {
        loop_close(otlp->watch);
        otlp->watch = NULL;
    }
    tls_destroy(otlp->tls);
    otlp->tls = NULL;
    const bool is_taken = status >= 200 && status < 300;
    const bool may_be_later =
        status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
    if (!is_taken && may_be_later && otlp->attempts < OTLP_ATTEMPTS) {
        loop_set_timer(otlp->clock, OTLP_PAUSE_MS << (otlp->attempts - 1));
        return;
    }
    const uint64_t dropped = is_taken ? rejected_of(otlp) : otlp->batch_count;
    otlp->counts.dropped += dropped;
    otlp->counts.sent += otlp->batch_count - dropped;
    tell_state(otlp, !is_taken, status, disbelief);
    drop_batch(otlp);
    loop_set_timer(otlp->clock, otlp->waiting_count > 0 ? OTLP_BATCH_MS : 0);
}

/* Sends it and waits for the answer, as long as there is time. */
static void talk(struct otlp *otlp, int fd)
{
    const uint64_t until = clock_monotonic_ms() + CLOSE_MS;
    struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
    char data[ANSWER_MAX];
    bool goes_on = true;
    for (uint64_t now = clock_monotonic_ms(); goes_on && now < until; now = clock_monotonic_ms()) {
        if (poll(&poller, 1, (int)(until - now)) != 1) {
            return;
        }
        const ssize_t got =
            (poller.revents & POLLIN) != 0 ? recv(fd, data, sizeof(data), MSG_DONTWAIT) : 0;
        goes_on = (poller.revents & POLLIN) == 0 ? (poller.revents & (POLLERR | POLLHUP)) == 0
                                                 : got > 0 && pull(otlp, data, (size_t)got);
        const int waits = goes_on ? push(otlp, fd) : 0;
        goes_on = goes_on && waits >= 0;
        poller.events = waits > 0 ? POLLIN | POLLOUT : POLLIN;
    }
}

/* Without the loop, which has ended; what it says does not matter any more. */
static void send_last(struct otlp *otlp)
{
    if (otlp->batch.size == 0 && (otlp->waiting_count == 0 || make_batch(otlp) < 0)) {
        return;
    }
    const int fd = begin_attempt(otlp);
    if (fd < 0) {
        return;
    }
    talk(otlp, fd);
    (void)close(fd);
    if (otlp->answer_size == 0) {
        log_write(LOG_LEVEL_WARNING, NULL, "the last traces may not have been taken");
    }
}

void otlp_close(struct otlp *otlp)
{
    if (otlp == NULL) {
        return;
    }
    if (otlp->watch != NULL) {
        loop_close(otlp->watch);
    }
    loop_close(otlp->clock);
    tls_destroy(otlp->tls);
    otlp->tls = NULL;
    send_last(otlp);
    tls_destroy(otlp->tls);
    tls_host_close(otlp->tls_host);
    buffer_done(&otlp->waiting);
    buffer_done(&otlp->batch);
    free(otlp);
}
