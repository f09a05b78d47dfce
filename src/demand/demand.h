/*
 * What runs want, and so how many sandboxes shall be ready for which plan.  Pure: time is an
 * argument.
 *
 * A kind of run is known by a key, the digest of everything that its sandboxes are made by.  Who
 * wants one for the second time gets a pool.  A pool shall have ready what was wanted at one time,
 * at the most, of late; what nobody has wanted for a while is given back, and so is, when memory is
 * short, the pool that was wanted longest ago.
 */
#ifndef DEMAND_DEMAND_H
#define DEMAND_DEMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMAND_KEY_SIZE  32
#define DEMAND_KINDS_MAX 64 /* that are remembered; the one wanted longest ago is forgotten */

/* Ready at one time of one kind. */
#define DEMAND_READY_MAX 64

/* What was wanted at one time is looked at over so long, and what nobody wants stays so long. */
#define DEMAND_WINDOW_US (UINT64_C(5) * 1000000)
#define DEMAND_IDLE_US   (UINT64_C(60) * 1000000)

/* What one costs while it waits, as a round figure: init, and a program that shares nearly all. */
#define DEMAND_SANDBOX_BYTES (UINT64_C(2) * 1024 * 1024)

struct demand_kind {
    unsigned char key[DEMAND_KEY_SIZE];
    uint64_t id;          /* of its pool; 0: it has none */
    uint64_t wanted;      /* how often; 0: this place is free */
    uint64_t wanted_us;   /* last */
    uint64_t window_us;   /* when this one began */
    uint32_t held;        /* by those who point to it */
    uint32_t active;      /* runs of it now */
    uint32_t peak;        /* at one time, in this window */
    uint32_t peak_before; /* in the one before */
    uint32_t target;      /* what shall be ready */
    uint64_t held_bytes;  /* by its zygote */
    uint64_t each_bytes;  /* that a ready one costs; 0: as most, DEMAND_SANDBOX_BYTES */
};

struct demand {
    struct demand_kind kinds[DEMAND_KINDS_MAX];
    uint64_t memory_max_bytes; /* 0: no pools at all */
    uint64_t last_id;
};

void demand_init(struct demand *demand, uint64_t memory_max_bytes);

/* One more is wanted.  The kind, which stays what it is until demand_release(); NULL when there are
 * no pools. */
struct demand_kind *demand_want(struct demand *demand, const unsigned char key[DEMAND_KEY_SIZE],
                                uint64_t now_us);
void demand_hold(struct demand_kind *kind);
void demand_release(struct demand_kind *kind);
/* The kind with that pool, or NULL. */
struct demand_kind *demand_find(struct demand *demand, uint64_t id);
/* A run of it begins, or is over. */
void demand_began(struct demand_kind *kind);
void demand_ended(struct demand_kind *kind);

/* What shall be ready now.  `set` is called for each pool whose size changes: with 0 it is given
 * up, and its number never used again.  Returns when to look again; UINT64_MAX: after the next
 * event. */
uint64_t demand_step(struct demand *demand, uint64_t now_us,
                     void (*set)(void *context, const struct demand_kind *kind), void *context);

#endif
