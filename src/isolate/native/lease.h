/*
 * Host uids for runs, one or several in a row.  A uid of the range belongs to at most one run on
 * the whole host: a lease is an exclusive lock on the uid's byte of a file, and the run's init
 * inherits the locked open file, so that the kernel cannot give the uid away while the run lives,
 * even when the keeper is killed.
 */
#ifndef ISOLATE_NATIVE_LEASE_H
#define ISOLATE_NATIVE_LEASE_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stdint.h>

#define LEASE_DIRECTORY "/run/cella"
#define LEASE_COUNT_MAX 256

struct lease {
    int fd; /* -1: none */
    uint32_t uid;
    uint32_t count; /* of uids, from that one on */
};

/* CELLA_ERROR_HOST when the range is claimed by an account or /etc/subuid, or the file cannot be
 * used; CELLA_ERROR_BUSY when so many are not free. */
int lease_take(uint32_t count, struct lease *ret_lease, struct cella_error *err) MUST_CHECK;

/* When every process of the run is gone. */
void lease_release(struct lease *lease);

#endif
