/*
 * Times runs by something that stays: `service ROUNDS JSON_FILE SOCKET JAVA_CLASSES
 * [GO_JUDGE_PORT]`.  JAVA_CLASSES is a directory with the class Main of the Java line, for the bare
 * machine.
 *
 * The contestants are the bare program, an engine that makes nothing ahead (cold), one that does
 * (warm), a server at the Unix socket SOCKET over one kept connection (http), and go-judge where
 * there is one on that port of the loopback, likewise.  Latency: in turn, round after round, each
 * round in an order of its own and with a pause after each run, in which pools are filled again;
 * from before the request is read to the result, when everything of the run is dead.  Throughput:
 * in turn, a number of clients at a time for a while, by a server over connections of their own,
 * each beginning anew when its run is over.  All in this one thread, so the load is in the figures.
 * Then what becomes of a latency when other sandboxes are there, how fast output comes, and what a
 * program that waits in a pool has for itself.
 * Prints tables, and writes the same as JSON.  A run that does not print what it should is counted
 * as a failure.
 */
#include "service.h"
#include "ways.h"

#include <cella/cella.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP     5
#define PAUSE_MS    20
#define LOAD_MS     2000
#define CLIENTS_MAX 64

struct figures {
    double *times_ms;
    int failures;
    int warm; /* of the results that said so */
};

static struct figures figures[CASES][WAYS];

/* ---- latency ---- */

/* What engines do meanwhile they do in processes of their own, but they have things to say. */
void rest(void)
{
    struct cella_error err;
    const double until = now_ms() + PAUSE_MS;
    struct pollfd wait = {.fd = cella_engine_fd(engine_of(WARM)), .events = POLLIN};
    for (double left = PAUSE_MS; left > 0; left = until - now_ms()) {
        if (poll(&wait, 1, (int)left + 1) > 0 && cella_engine_process(engine_of(WARM), &err) != 0) {
            die("engine", err.text);
        }
    }
}

/* The host has not what it needs, or it is not wanted: $LEFT_OUT has names, each between spaces. */
static bool is_left_out(const struct of_case *of_case)
{
    const char *names = getenv("LEFT_OUT");
    char word[32];
    (void)snprintf(word, sizeof(word), " %s ", of_case->name);
    return (names != NULL && strstr(names, word) != NULL) ||
           (of_case->bare[0] != NULL && access(of_case->bare[0], X_OK) != 0);
}

static void measure_case(size_t index, int rounds)
{
    static unsigned state = 2463534242U; /* xorshift32 of Marsaglia */
    const struct of_case *of_case = &cases[index];
    for (int round = -WARM_UP; round < rounds; round++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        for (unsigned i = 0; i < WAYS; i++) {
            const enum way way = (enum way)((state + (state & 16 ? i : WAYS - i)) % WAYS);
            struct figures *one = &figures[index][way];
            bool warm = false;
            if (!has_way(way, of_case)) {
                continue;
            }
            const double start = now_ms();
            const bool good = run_case(way, of_case, &warm);
            if (round >= 0) {
                one->times_ms[round] = now_ms() - start;
                one->failures += !good;
                one->warm += warm;
            }
            rest();
        }
    }
}

int compare(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

static int report_latency(int rounds, FILE *json)
{
    int failures = 0;
    printf("%-10s %-6s %9s %9s %9s %10s %6s\n", "case", "way", "min ms", "median ms", "p99 ms",
           "bare / it", "warm");
    for (size_t i = 0; i < CASES; i++) {
        for (enum way way = 0; way < WAYS; way++) {
            struct figures *one = &figures[i][way];
            if (is_left_out(&cases[i]) || !has_way(way, &cases[i])) {
                continue;
            }
            qsort(one->times_ms, (size_t)rounds, sizeof(double), compare);
            const double median = one->times_ms[rounds / 2], p99 = one->times_ms[rounds * 99 / 100];
            const double bare = figures[i][BARE].times_ms[rounds / 2];
            printf("%-10s %-6s %9.2f %9.2f %9.2f %10.2f %5d%%", cases[i].name, way_names[way],
                   one->times_ms[0], median, p99, bare / median, one->warm * 100 / rounds);
            printf(one->failures > 0 ? "  FAILED %d times\n" : "\n", one->failures);
            fprintf(json,
                    "  {\"case\": \"%s\", \"way\": \"%s\", \"rounds\": %d, \"failures\": %d, "
                    "\"warm\": %d, \"min_ms\": %.3f, \"median_ms\": %.3f, \"p99_ms\": %.3f},\n",
                    cases[i].name, way_names[way], rounds, one->failures, one->warm,
                    one->times_ms[0], median, p99);
            failures += one->failures;
        }
    }
    return failures;
}

/* ---- throughput ---- */

static double load_bare(int clients)
{
    struct pollfd outputs[CLIENTS_MAX];
    pid_t pids[CLIENTS_MAX];
    int done = 0;
    const double start = now_ms();
    for (int i = 0; i < clients; i++) {
        pids[i] = start_bare(of_load->bare, &outputs[i].fd);
        outputs[i].events = POLLIN;
    }
    for (int left = clients; left > 0;) {
        if (poll(outputs, (nfds_t)clients, -1) < 0) {
            die("poll", strerror(errno));
        }
        for (int i = 0; i < clients; i++) {
            if (outputs[i].fd < 0 || outputs[i].revents == 0) {
                continue;
            }
            if (!finish_bare(pids[i], outputs[i].fd)) {
                die("load", "not the output of the program");
            }
            done++;
            outputs[i].fd = -1;
            if (now_ms() - start < LOAD_MS) {
                pids[i] = start_bare(of_load->bare, &outputs[i].fd);
            } else {
                left--;
            }
        }
    }
    return done / (now_ms() - start) * 1e3;
}

struct load {
    struct cella_engine *engine;
    double start;
    int going, done;
    struct cella_run *over[CLIENTS_MAX]; /* to be freed, and begun anew */
    int over_count;
};

static void is_over(void *context, struct cella_run *run)
{
    struct load *load = context;
    if (!is_good(cella_run_result(run))) {
        die("load", cella_result_message(cella_run_result(run)));
    }
    load->done++;
    load->over[load->over_count++] = run;
}

static void begin(struct load *load)
{
    const struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = load, .done = is_over};
    struct cella_request *request = parse_case(of_load);
    struct cella_run *unused = NULL;
    struct cella_error err;
    if (cella_run_start(load->engine, request, 0, &callbacks, &unused, &err) != 0) {
        die("load", err.text);
    }
    cella_request_destroy(request);
    load->going++;
}

static double load_engine(struct cella_engine *engine, int clients)
{
    struct load load = {.engine = engine, .start = now_ms()};
    struct cella_error err;
    struct pollfd wait = {.fd = cella_engine_fd(engine), .events = POLLIN};
    for (int i = 0; i < clients; i++) {
        begin(&load);
    }
    while (load.going > 0) {
        if (poll(&wait, 1, -1) < 0 || cella_engine_process(engine, &err) != 0) {
            die("load", err.text);
        }
        while (load.over_count > 0) {
            cella_run_free(load.over[--load.over_count]);
            load.going--;
            if (now_ms() - load.start < LOAD_MS) {
                begin(&load);
            }
        }
    }
    return load.done / (now_ms() - load.start) * 1e3;
}

static double load_server(enum way way, int clients)
{
    static struct answer answers[CLIENTS_MAX];
    struct pollfd connections[CLIENTS_MAX];
    int done = 0;
    const double start = now_ms();
    for (int i = 0; i < clients; i++) {
        connections[i] = (struct pollfd){.fd = connect_way(way), .events = POLLIN};
        answers[i].size = 0;
        send_case(way, connections[i].fd, of_load);
    }
    for (int left = clients; left > 0;) {
        if (poll(connections, (nfds_t)clients, -1) < 0) {
            die("poll", strerror(errno));
        }
        for (int i = 0; i < clients; i++) {
            if (connections[i].fd < 0 || connections[i].revents == 0 ||
                !take_answer(way, connections[i].fd, &answers[i])) {
                continue;
            }
            if (!is_good_answer(way, &answers[i])) {
                die("load", answers[i].text);
            }
            done++;
            answers[i].size = 0;
            if (now_ms() - start < LOAD_MS) {
                send_case(way, connections[i].fd, of_load);
            } else {
                left--;
                close(connections[i].fd);
                connections[i].fd = -1;
            }
        }
    }
    return done / (now_ms() - start) * 1e3;
}

static double load_way(enum way way, int clients)
{
    return way == BARE                  ? load_bare(clients)
           : way == COLD || way == WARM ? load_engine(engine_of(way), clients)
                                        : load_server(way, clients);
}

static void measure_throughput(FILE *json)
{
    printf("\nruns of the Python line in a second, by clients at a time\n%8s", "clients");
    for (enum way way = BARE; way < WAYS; way++) {
        printf(" %9s", has_way(way, of_load) ? way_names[way] : "");
    }
    printf(" %12s %12s\n", "warm / bare", "http / warm");
    for (int clients = 1; clients <= CLIENTS_MAX; clients *= 4) {
        double best[WAYS] = {0};
        for (int turn = 0; turn < 2; turn++) {
            for (enum way way = BARE; way < WAYS; way++) {
                const double found = has_way(way, of_load) ? load_way(way, clients) : 0;
                best[way] = found > best[way] ? found : best[way];
                rest();
            }
        }
        printf("%8d", clients);
        for (enum way way = BARE; way < WAYS; way++) {
            printf(" %9.0f", best[way]);
            fprintf(json,
                    "  {\"case\": \"throughput\", \"way\": \"%s\", \"clients\": %d, "
                    "\"per_second\": %.1f},\n",
                    way_names[way], clients, best[way]);
        }
        printf(" %12.2f %12.2f\n", best[WARM] / best[BARE], best[HTTP] / best[WARM]);
    }
}

bool run_warm_line(void)
{
    bool warm = false;
    return run_case(WARM, of_load, &warm);
}

/* ---- all of it ---- */

/* A thousand sandboxes have a dozen descriptors each, here and in the keeper. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    const int rounds = argc >= 5 ? (int)strtol(argv[1], NULL, 10) : 0;
    FILE *json = rounds > 0 && rounds <= ROUNDS_MAX ? fopen(argv[2], "w") : NULL;
    if (json == NULL) {
        die("usage", "service ROUNDS JSON_FILE SOCKET JAVA_CLASSES [GO_JUDGE_PORT]");
    }
    raise_limit();
    open_ways(argv[3], argc > 5 ? (int)strtol(argv[5], NULL, 10) : -1, argv[4]);
    for (size_t i = 0; i < CASES; i++) {
        for (enum way way = 0; way < WAYS; way++) {
            if ((figures[i][way].times_ms = calloc((size_t)rounds, sizeof(double))) == NULL) {
                die("memory", strerror(errno));
            }
        }
        if (!is_left_out(&cases[i])) {
            measure_case(i, rounds);
        }
    }
    fprintf(json, "[\n");
    const int failures = report_latency(rounds, json);
    measure_throughput(json);
    measure_room(rounds, json);
    fprintf(json, "  {\"case\": \"end\"}\n]\n");
    close_ways();
    return fclose(json) != 0 || failures > 0;
}
