/*
 * What all runs and pools of the keeper work with.
 */
#ifndef KEEPER_COMMON_H
#define KEEPER_COMMON_H

#include "isolate/native/sandbox.h"
#include "keeper/ceiling.h"
#include "keeper/express.h"
#include "keeper/wire.h"

struct common {
    struct sandbox_host host;
    struct ceiling ceiling;
    struct wire wire;
    struct express express;
    int epoll;
    unsigned ending; /* sandboxes whose end has been told and that are not yet gone */
};

#endif
