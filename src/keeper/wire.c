/* See wire.h. */
#include "keeper/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire_frame {
    struct wire_frame *next;
    int descriptors[WIRE_DESCRIPTORS_MAX];
    size_t descriptor_count;
    size_t size;
    unsigned char bytes[];
};

union control_buffer {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(WIRE_DESCRIPTORS_MAX * sizeof(int))];
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

/* Takes the first descriptor and closes any other that came along.  The kernel puts all of them
 * into one control message, and no other kind is asked for. */
static int take_descriptors(struct msghdr *message)
{
    int taken = -1;
    const struct cmsghdr *part = CMSG_FIRSTHDR(message);
    if (part == NULL || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
        return -1;
    }
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
        if (taken < 0) {
            taken = fd;
        } else {
            (void)close(fd); /* nobody asked for it */
        }
    }
    return taken;
}

static bool is_well_formed(const union wire_request *request, size_t size, int pack, bool lost)
{
    if (size < sizeof(request->header) || request->header.version != KEEPER_PROTOCOL_VERSION) {
        return false;
    }
    switch (request->header.type) {
    case KEEPER_CREATE:
        return size == sizeof(request->create) && (pack >= 0 || lost) &&
               request->create.goes_first <= 1 && request->create.reserved == 0;
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
    union control_buffer control;
    struct iovec part = {.iov_base = ret_request, .iov_len = sizeof(*ret_request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = 0;
    do {
        got = recvmsg(wire->socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    const int pack = take_descriptors(&message);
    /* Cut to none at all: we have no room for it.  Cut to some: too many came. */
    const bool cut = (message.msg_flags & MSG_CTRUNC) != 0;
    if ((message.msg_flags & MSG_TRUNC) != 0 || (cut && pack >= 0) ||
        !is_well_formed(ret_request, (size_t)got, pack, cut)) {
        if (pack >= 0) {
            (void)close(pack); /* of a frame that is not read */
        }
        return -1;
    }
    *ret_pack = pack;
    return 1;
}

static int send_now(int socket, const void *bytes, size_t size, const int *descriptors,
                    size_t count)
{
    union control_buffer control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = &control;
        message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    return 1;
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
