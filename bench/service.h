/*
 * What service.c and room.c have in common.
 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ROUNDS_MAX 1000

/* For qsort(): doubles. */
int compare(const void *a, const void *b);

/* The Python line by the engine that makes things ahead: whether that printed it all. */
bool run_warm_line(void);
/* Gives that engine time for what it makes. */
void rest(void);

/* room.c */
void measure_room(int rounds, FILE *json);

#endif
