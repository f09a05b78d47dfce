/*
 * The engine's end of the socket to its keeper: starts the keeper, sends what it is told, hands out
 * the frames that come, and ends the keeper with itself.
 *
 * Nothing here waits, but keeper_client_close().  What comes is checked before it is handed out:
 * size, version, type, and that no more descriptors come than belong to it.  A keeper that breaks
 * the protocol, or is gone, is lost for good: from then on every call fails with the same error.
 */
#ifndef KEEPER_CLIENT_CLIENT_H
#define KEEPER_CLIENT_CLIENT_H

#include "base/attributes.h"
#include "keeper/protocol.h"

#include <cella/error.h>
#include <stdbool.h>
#include <sys/types.h>

struct keeper_client;

/* The streams that come with KEEPER_CREATED, in this order. */
enum keeper_stream {
    KEEPER_STDIN,
    KEEPER_STDOUT,
    KEEPER_STDERR,
    KEEPER_COLLECTED,
    KEEPER_STREAMS,
};

/* A frame from the keeper, never HELLO. */
struct keeper_message {
    union {
        struct keeper_frame_header header;
        struct keeper_created created;
        struct keeper_refused refused;
        struct keeper_started started;
        struct keeper_notice notice;
        struct keeper_ended ended;
        struct keeper_pool_state pool_state;
        struct keeper_ping pong;
    } frame;
    /* With KEEPER_CREATED, the receiver's to close: all four, or all -1 when this process has no
     * room for more descriptors. */
    int streams[KEEPER_STREAMS];
};

/* Starts the program at `path` as keeper and returns at once: whether it can work shows in the
 * first keeper_client_receive().  CELLA_ERROR_HOST when it cannot even be started. */
int keeper_client_open(const char *path, struct keeper_client **ret_client,
                       struct cella_error *err) MUST_CHECK;
/* Likewise with a keeper that the caller has started, as its child.  Takes both in any case. */
int keeper_client_adopt(int socket, pid_t pid, struct keeper_client **ret_client,
                        struct cella_error *err) MUST_CHECK;
/* Lets go of the keeper, which ends every run that it has, and waits until it is gone: it is killed
 * when it takes too long.  NULL is fine. */
void keeper_client_close(struct keeper_client *client);

/* Readable when there is a frame. */
int keeper_client_socket(const struct keeper_client *client);
/* Readable when the keeper has died. */
int keeper_client_pidfd(const struct keeper_client *client);

/* Each returns 1 when the frame is on its way, 0 when the socket is full for now, -1 when the
 * keeper is lost.  `pack` stays the caller's. */
int keeper_client_create(struct keeper_client *client, uint64_t run, uint64_t pool,
                         enum keeper_turn turn, const struct plan *plan, int pack,
                         struct cella_error *err) MUST_CHECK;
/* `pack` -1: none; else it starts the pool's zygote, or its one-shots. */
int keeper_client_pool(struct keeper_client *client, uint64_t pool, uint32_t size, bool one_shot,
                       const struct plan *plan, int pack, struct cella_error *err) MUST_CHECK;
int keeper_client_stop(struct keeper_client *client, uint64_t run,
                       struct cella_error *err) MUST_CHECK;

/* A signal, 0 for none, and a size of its terminal, 0 for none, to a program that runs. */
int keeper_client_tell(struct keeper_client *client, uint64_t run, int signal, unsigned rows,
                       unsigned columns, struct cella_error *err) MUST_CHECK;
int keeper_client_ping(struct keeper_client *client, struct cella_error *err) MUST_CHECK;

/* Returns 1 with a frame, 0 when none is there, -1 when the keeper is lost. */
int keeper_client_receive(struct keeper_client *client, struct keeper_message *ret_message,
                          struct cella_error *err) MUST_CHECK;

/* To be called when the pidfd is readable and no frame is left: the socket alone may not tell, as
 * a child that the keeper has just cloned holds a copy of it.  Returns -1. */
int keeper_client_died(struct keeper_client *client, struct cella_error *err);

#endif
