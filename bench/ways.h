/*
 * One run of a program by each way of having it run.
 */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define EXPECTED      "499500" /* what every case prints */
#define CASE_ARGS_MAX 8
#define ANSWER_SIZE   65536

struct cella_engine;
struct cella_request;
struct cella_result;

/* The bare program; an engine that makes nothing ahead, and one that does; `cella serve` over one
 * kept connection; go-judge likewise. */
enum way { BARE, COLD, WARM, HTTP, JUDGE, WAYS };
extern const char *const way_names[WAYS];

struct of_case {
    const char *name;
    char *bare[CASE_ARGS_MAX]; /* by absolute path; NULL at first: it has none */
    const char *request;
};

#define CASES 9
extern struct of_case cases[CASES];
extern const struct of_case *const of_load; /* the Python line */

double now_ms(void);
_Noreturn void die(const char *what, const char *text);

/* What the ways need.  A negative port: there is no go-judge. */
void open_ways(const char *server_socket, int judge_port, const char *java_classes);
void close_ways(void);
struct cella_engine *engine_of(enum way way); /* COLD or WARM */

/* Whether a case can be run in that way here. */
bool has_way(enum way way, const struct of_case *of_case);
/* Whether it printed what it should; *ret_warm: its result said that it was warm. */
bool run_case(enum way way, const struct of_case *of_case, bool *ret_warm);

/* The parts of it, for many at a time. */
pid_t start_bare(char *const *words, int *ret_output);
bool finish_bare(pid_t pid, int output);
struct cella_request *parse_case(const struct of_case *of_case);
bool is_good(const struct cella_result *result);
bool is_warm(const struct cella_result *result);

/* Likewise by HTTP or JUDGE: one more connection, which is the caller's; a request by it; and what
 * there is of the answer, whether that is all. */
struct answer {
    char text[ANSWER_SIZE];
    size_t size; /* 0 at first */
};
int connect_way(enum way way);
void send_case(enum way way, int connection, const struct of_case *of_case);
bool take_answer(enum way way, int connection, struct answer *answer);
bool is_good_answer(enum way way, const struct answer *answer);

#endif
