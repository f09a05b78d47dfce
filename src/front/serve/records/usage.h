/*
 * What tenants have used of their processor seconds a day, where it outlives the server: usage.db
 * in the state directory, apart from the history, which forgets, and may be turned off.
 *
 * A run is there from before its program runs until it has ended.  One that is still there at the
 * next start was lost with the server.  It counts with what it may have used: the time from its
 * beginning until then on every processor, at most its limit.  So nobody gains by a crash.
 */
#ifndef SERVE_USAGE_H
#define SERVE_USAGE_H

#include <cella/cella.h>
#include <stdint.h>

struct checkpoints;
struct usage;

/* Of a run: it is not known, and counts likewise. */
#define USAGE_UNKNOWN UINT64_MAX

/* Counts the runs that were lost on that day, which is one since 1970, UTC. */
int usage_open(const char *directory, const struct checkpoints *checkpoints, int64_t day,
               struct usage **ret_usage, struct cella_error *err)
    __attribute__((warn_unused_result));
void usage_close(struct usage *usage);

/* In microseconds, as everywhere here.  What is of earlier days may be forgotten. */
int usage_read(struct usage *usage, const char *tenant, int64_t day, uint64_t *ret_us,
               struct cella_error *err) __attribute__((warn_unused_result));
/* A run, which may use at most so much. */
int usage_begin(struct usage *usage, const char *tenant, const char *run, uint64_t most_us,
                struct cella_error *err) __attribute__((warn_unused_result));
/* It has ended on that day; *ret_us is what it counts with. */
int usage_end(struct usage *usage, const char *tenant, const char *run, int64_t day, uint64_t us,
              uint64_t *ret_us, struct cella_error *err) __attribute__((warn_unused_result));

#endif
