/*
 * Runs that go first: of tenants who have nothing else running, while others have much.
 *
 * Room for a run is not yet a processor.  Beside programs that compute, one that would be done in a
 * millisecond waits for a turn each time that it, or its init, is woken up.  So while one that goes
 * first runs, the control groups of those that do not are idle ones (cpu.idle, Linux 5.15): the
 * kernel runs them where nobody else wants to.
 *
 * That lasts EXPRESS_US at most, which is much for a short program and little for a long one.  The
 * others lose what those that go first use meanwhile, and that is half a processor at most, over
 * any longer time: who has used it up does not go first.  So nobody's limit of time on the clock
 * loses its meaning.
 */
#ifndef KEEPER_EXPRESS_H
#define KEEPER_EXPRESS_H

#include "keeper/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPRESS_US UINT64_C(20000)
/* Processor time that may have been saved up of that half. */
#define EXPRESS_SAVED_US UINT64_C(50000)
/* Groups that are made idle: each is some work for the kernel. */
#define EXPRESS_OTHERS_MAX 32U

struct express {
    uint64_t run; /* that goes first; 0: none */
    uint64_t began_us;
    uint64_t saved_us;  /* processor time that may be used so */
    uint64_t looked_us; /* when that was reckoned; 0: never */
};

/* A run of that number is to go first of those that there are. */
void express_begin(struct express *express, uint64_t id, struct run *const *runs, size_t count);
/* One is there that was not. */
void express_join(struct express *express, struct run *run);
/* The run of that number is over; it may be gone. */
void express_leave(struct express *express, uint64_t id, struct run *const *runs, size_t count);
/* Whether its time is over. */
void express_look(struct express *express, struct run *const *runs, size_t count);
/* In how many milliseconds that is to be looked at; -1: not at all. */
int express_wait_ms(const struct express *express);

#endif
