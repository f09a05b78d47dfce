/* See wire.h. */
#include "keeper/wire.h"

#include "base/fd_passing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wire_frame {
    struct wire_frame *next;
    int descriptors[WIRE_DESCRIPTORS_MAX];
    size_t descriptor_count;
    size_t size;
    unsigned char bytes[];
};

void wire_init(struct wire *wire, int socket)
{
    *wire = (struct wire){.socket = socket};
}

static void close_descriptors(const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(descriptors[i]); /* sent, or of no use to anyone any more */
    }
}

static void drop_first(struct wire *wire)
{
    struct wire_frame *frame = wire->first;
    wire->first = frame->next;
    wire->last = wire->first == NULL ? NULL : wire->last;
    wire->queued--;
    close_descriptors(frame->descriptors, frame->descriptor_count);
    free(frame);
}

void wire_done(struct wire *wire)
{
    while (wire->first != NULL) {
        drop_first(wire);
    }
}

static bool is_well_formed(const union wire_request *request, size_t size, int pack, bool lost)
{
    if (size < sizeof(request->header) || request->header.version != KEEPER_PROTOCOL_VERSION) {
        return false;
    }
    switch (request->header.type) {
    case KEEPER_CREATE:
        return size == sizeof(request->create) && (pack >= 0 || lost) &&
               request->create.turn < KEEPER_TURNS && request->create.reserved == 0;
    case KEEPER_POOL: /* with or without */
        return size == sizeof(request->pool);
    case KEEPER_STOP:
        return size == sizeof(request->stop) && pack < 0;
    case KEEPER_TELL:
        return size == sizeof(request->tell) && pack < 0 && request->tell.signal >= 0 &&
               request->tell.signal < NSIG && request->tell.rows <= TERMINAL_SIZE_MAX &&
               request->tell.columns <= TERMINAL_SIZE_MAX;
    case KEEPER_PING:
        return size == sizeof(request->ping) && pack < 0;
    default:
        return false;
    }
}

int wire_receive(struct wire *wire, union wire_request *ret_request, int *ret_pack)
{
    struct fd_passed passed;
    const ssize_t got = fd_receive(wire->socket, ret_request, sizeof(*ret_request), 0, &passed);
    if (got < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    fd_passed_close(&passed, 1); /* nobody asked for more */
    const int pack = passed.count > 0 ? passed.fds[0] : -1;
    /* One that is lacking and none there: we have no room for it. */
    if (passed.is_cut || (passed.lacks_fds && pack >= 0) ||
        !is_well_formed(ret_request, (size_t)got, pack, passed.lacks_fds)) {
        fd_passed_close(&passed, 0); /* of a frame that is not read */
        return -1;
    }
    *ret_pack = pack;
    return 1;
}

/* 1: it is sent; 0: there is no room for it now. */
static int send_now(int socket, const void *bytes, size_t size, const int *descriptors,
                    size_t count)
{
    const struct iovec part = {(void *)(uintptr_t)bytes, size}; /* only read */
    if (fd_send(socket, &part, 1, descriptors, count, 0) >= 0) {
        return 1;
    }
    return errno == EAGAIN ? 0 : -1;
}

static void queue(struct wire *wire, const void *frame, size_t size, const int *descriptors,
                  size_t count)
{
    struct wire_frame *waiting = malloc(sizeof(*waiting) + size);
    if (waiting == NULL) {
        close_descriptors(descriptors, count);
        wire->broken = true;
        return;
    }
    *waiting = (struct wire_frame){.size = size, .descriptor_count = count};
    for (size_t i = 0; i < count; i++) {
        waiting->descriptors[i] = descriptors[i];
    }
    memcpy(waiting->bytes, frame, size);
    if (wire->last != NULL) {
        wire->last->next = waiting;
    } else {
        wire->first = waiting;
    }
    wire->last = waiting;
    wire->queued++;
}

void wire_send(struct wire *wire, const void *frame, size_t size, const int *descriptors,
               size_t descriptor_count)
{
    const int sent = wire->first == NULL
                         ? send_now(wire->socket, frame, size, descriptors, descriptor_count)
                         : 0;
    if (sent == 0) {
        queue(wire, frame, size, descriptors, descriptor_count);
    } else {
        close_descriptors(descriptors, descriptor_count);
        wire->broken = wire->broken || sent < 0;
    }
}

void wire_flush(struct wire *wire)
{
    int sent = 1;
    while (wire->first != NULL && sent > 0) {
        const struct wire_frame *frame = wire->first;
        sent = send_now(wire->socket, frame->bytes, frame->size, frame->descriptors,
                        frame->descriptor_count);
        if (sent > 0) {
            drop_first(wire);
        }
    }
    wire->broken = wire->broken || sent < 0;
}
