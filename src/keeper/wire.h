/*
 * The keeper's side of the socket to its engine: frames in, checked for size; frames out, queued
 * when the engine is slow, so that a stalled engine stops no clock.
 */
#ifndef KEEPER_WIRE_H
#define KEEPER_WIRE_H

#include "base/attributes.h"
#include "keeper/protocol.h"

#include <stdbool.h>
#include <stddef.h>

#define WIRE_DESCRIPTORS_MAX 4

/* With this many frames waiting nothing more is read from the engine. */
#define WIRE_QUEUE_MAX 4096

struct wire_frame; /* one that waits */

struct wire {
    int socket; /* never blocks */
    struct wire_frame *first, *last;
    size_t queued;
    bool broken; /* the engine is gone, or a frame could not be kept: the keeper must end */
};

union wire_request {
    struct keeper_frame_header header;
    struct keeper_create create;
    struct keeper_stop stop;
    struct keeper_pool pool;
    struct keeper_ping ping;
    struct keeper_tell tell;
};

void wire_init(struct wire *wire, int socket);
void wire_done(struct wire *wire);

/* One frame from the engine.  Returns 1 with *ret_request and, for CREATE and some POOL, the pack
 * in *ret_pack (else -1), 0 when there is none now, -1 when the engine is gone or speaks another
 * language. */
int wire_receive(struct wire *wire, union wire_request *ret_request, int *ret_pack) MUST_CHECK;

/* Sends a frame or queues it.  The descriptors are taken over and closed. */
void wire_send(struct wire *wire, const void *frame, size_t size, const int *descriptors,
               size_t descriptor_count);

/* Sends what is queued as far as there is room. */
void wire_flush(struct wire *wire);

#endif
