/*
 * How often runs end, and leave their room to others: for whoever is told when to come again.
 *
 * What counts is the time from one end to the next while there were runs, the last ones most; and
 * the present one, where that is longer already.  It is an estimate: nobody knows how long a
 * program will run.
 */
#ifndef SERVE_PACE_H
#define SERVE_PACE_H

#include <stdint.h>

/* Nobody is told to stay away for longer. */
#define PACE_SECONDS_MAX 300U

struct pace {
    unsigned taken;
    uint64_t since_ms; /* the last end or, where nothing ran then, the next beginning */
    uint64_t mean_ms;  /* from one end to the next; 0: none has been seen */
};

void pace_take(struct pace *pace, uint64_t now_ms);
void pace_free(struct pace *pace, uint64_t now_ms);
/* In which so many will have ended, rounded up: from 1 to PACE_SECONDS_MAX. */
unsigned pace_seconds(const struct pace *pace, unsigned count, uint64_t now_ms);

#endif
