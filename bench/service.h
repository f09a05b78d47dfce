/*
 * What service.c and room.c have in common.
 */
#ifndef BENCH_SERVICE_H
#define BENCH_SERVICE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct cella_engine;

#define ROUNDS_MAX 1000

double now_ms(void);
_Noreturn void die(const char *what, const char *text);
/* For qsort(): doubles. */
int compare(const void *a, const void *b);

/* Starts a program, with its output on a pipe. */
pid_t start_bare(char *const *words, int *ret_output);

/* The engine that makes things ahead, and the Python line by it: whether that printed it all. */
struct cella_engine *warm_engine(void);
bool run_warm_line(void);
/* Gives that engine time for what it makes. */
void rest(void);

/* room.c */
void measure_room(int rounds, FILE *json);

#endif
