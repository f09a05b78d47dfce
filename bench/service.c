/*
 * Times runs by something that stays: `service ROUNDS JSON_FILE SOCKET JAVA_CLASSES`, of which the
 * last is a directory with the class Main of the Java line, for the bare machine.
 *
 * The contestants are the bare program, an engine that makes nothing ahead (cold), one that does
 * (warm), and a server at the Unix socket SOCKET over one kept connection (http).  Latency: in
 * turn, round after round, each round in an order of its own and with a pause after each run, in
 * which pools are filled again; from before the request is read to the result, when everything of
 * the run is dead.  Throughput: in turn, a number of clients at a time for a while, each beginning
 * anew when its run is over.  All in this one thread, so the load is in the figures.  Then what
 * becomes of a latency when other sandboxes are there, how fast output comes, and what a program
 * that waits in a pool has for itself.
 * Prints tables, and writes the same as JSON.  A run that does not print what it should is counted
 * as a failure.
 */
#include "service.h"

#include <cella/cella.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP       5
#define PAUSE_MS      20
#define LOAD_MS       2000
#define CLIENTS_MAX   64
#define ANSWER_SIZE   65536
#define EXPECTED      "499500"
#define CASE_ARGS_MAX 8

struct of_case {
    const char *name;
    char *bare[CASE_ARGS_MAX]; /* by absolute path; NULL at first: it has none */
    const char *request;
};

#define PYTHON_LINE "print(sum(range(1000)))"
#define PANDAS_LINE "import pandas; print(pandas.Series(range(1000)).sum())"
#define NODE_LINE   "let s = 0; for (let i = 0; i < 1000; i++) s += i; console.log(s)"
#define RUBY_LINE   "puts (0...1000).sum"
#define PHP_LINE    "echo array_sum(range(0, 999));"
#define R_LINE      "cat(sum(0:999), '\\n')"
#define JAVA_SOURCE                                                                                \
    "public class Main { public static void main(String[] a) { int s = 0; for (int i = 0; i < "    \
    "1000; i++) s += i; System.out.println(s); } }"
#define C_SOURCE                                                                                   \
    "#include <stdio.h>\\nint main(void) { int s = 0; for (int i = 0; i < 1000; i++) s += i; "     \
    "printf(\\\"%d\\\\n\\\", s); }"

static struct of_case cases[] = {
    {"echo", {"/bin/echo", EXPECTED}, "{\"command\": [\"/bin/echo\", \"" EXPECTED "\"]}"},
    {"python",
     {"/usr/bin/python3", "-c", PYTHON_LINE},
     "{\"language\": \"python\", \"code\": \"" PYTHON_LINE "\"}"},
    {"pandas", /* preloaded by that policy */
     {"/usr/bin/python3", "-c", PANDAS_LINE},
     "{\"language\": \"python\", \"policy\": \"data\", \"code\": \"" PANDAS_LINE "\"}"},
    {"ruby",
     {"/usr/bin/ruby", "-e", RUBY_LINE},
     "{\"language\": \"ruby\", \"code\": \"" RUBY_LINE "\"}"},
    {"php",
     {"/usr/bin/php", "-r", PHP_LINE},
     "{\"language\": \"php\", \"code\": \"<?php " PHP_LINE "\"}"},
    {"r",
     {"/usr/bin/Rscript", "--vanilla", "-e", "cat(sum(0:999))"},
     "{\"language\": \"r\", \"code\": \"cat(sum(0:999))\"}"},
    {"node",
     {"/usr/bin/node", "-e", NODE_LINE},
     "{\"language\": \"javascript\", \"code\": \"" NODE_LINE "\"}"},
    {"java",
     {"/usr/bin/java", "-cp", NULL, "Main"},
     "{\"language\": \"java\", \"code\": \"" JAVA_SOURCE "\"}"},
    {"c source", {NULL}, "{\"language\": \"c\", \"code\": \"" C_SOURCE "\"}"},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

enum way { BARE, COLD, WARM, HTTP, WAYS };
static const char *const way_names[WAYS] = {"bare", "cold", "warm", "http"};

struct figures {
    double *times_ms;
    int failures;
    int warm; /* of the results that said so */
};

static struct figures figures[CASES][WAYS];
static double per_second[WAYS][CLIENTS_MAX + 1];
static struct cella_engine *engines[WAYS]; /* of COLD and WARM */
static int server;

double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

_Noreturn void die(const char *what, const char *text)
{
    fprintf(stderr, "service: %s: %s\n", what, text);
    exit(1);
}

/* ---- one run ---- */

pid_t start_bare(char *const *words, int *ret_output)
{
    static char *environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        die("pipe", strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    const int error = posix_spawn(&pid, words[0], &actions, NULL, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        die(words[0], strerror(error));
    }
    *ret_output = ends[0];
    return pid;
}

static bool finish_bare(pid_t pid, int output)
{
    char text[ANSWER_SIZE];
    size_t size = 0;
    ssize_t got = 0;
    int status = 0;
    while ((got = read(output, text + size, sizeof(text) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    text[size] = '\0';
    close(output);
    return waitpid(pid, &status, 0) == pid && status == 0 && strstr(text, EXPECTED) != NULL;
}

static bool run_bare(const struct of_case *of_case)
{
    int output = -1;
    const pid_t pid = start_bare(of_case->bare, &output);
    return finish_bare(pid, output);
}

static struct cella_request *parse(const struct of_case *of_case)
{
    struct cella_request *request = NULL;
    struct cella_error err;
    if (cella_request_parse(of_case->request, strlen(of_case->request), &request, &err) != 0) {
        die(of_case->name, err.text);
    }
    return request;
}

static bool is_good(const struct cella_result *result)
{
    size_t size = 0;
    const char *text = cella_result_stdout(result, &size);
    return strcmp(cella_result_status(result), "ok") == 0 &&
           memmem(text, size, EXPECTED, strlen(EXPECTED)) != NULL;
}

static bool run_by_library(struct cella_engine *engine, const struct of_case *of_case,
                           bool *ret_warm)
{
    struct cella_request *request = parse(of_case);
    struct cella_result *result = NULL;
    struct cella_error err;
    char *json = NULL;
    size_t size = 0;
    if (cella_run(engine, request, &result, &err) != 0 ||
        cella_result_json(result, &json, &size, &err) != 0) {
        die(of_case->name, err.text);
    }
    const bool good = is_good(result);
    *ret_warm = strstr(json, "\"start\":\"warm\"") != NULL;
    free(json);
    cella_result_destroy(result);
    cella_request_destroy(request);
    return good;
}

static bool run_by_server(const struct of_case *of_case, bool *ret_warm)
{
    char text[ANSWER_SIZE];
    size_t size = 0;
    const char *body = NULL, *length = NULL;
    const int head = snprintf(text, sizeof(text),
                              "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                              "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                              strlen(of_case->request), of_case->request);
    if (send(server, text, (size_t)head, MSG_NOSIGNAL) != head) {
        die("server", strerror(errno));
    }
    do {
        const ssize_t got = recv(server, text + size, sizeof(text) - 1 - size, 0);
        if (got <= 0) {
            die("server", "its answer ends early, or is too long");
        }
        size += (size_t)got;
        text[size] = '\0';
        body = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "\r\nContent-Length: ");
    } while (body == NULL || length == NULL ||
             size < (size_t)(body + 4 - text) + strtoul(length + 18, NULL, 10));
    *ret_warm = strstr(text, "\"start\":\"warm\"") != NULL;
    return strncmp(text, "HTTP/1.1 200 ", 13) == 0 && strstr(body, EXPECTED) != NULL;
}

static bool run(enum way way, const struct of_case *of_case, bool *ret_warm)
{
    *ret_warm = false;
    switch (way) {
    case BARE:
        return run_bare(of_case);
    case HTTP:
        return run_by_server(of_case, ret_warm);
    default:
        return run_by_library(engines[way], of_case, ret_warm);
    }
}

/* ---- latency ---- */

/* What engines do meanwhile they do in processes of their own, but they have things to say. */
void rest(void)
{
    struct cella_error err;
    const double until = now_ms() + PAUSE_MS;
    struct pollfd wait = {.fd = cella_engine_fd(engines[WARM]), .events = POLLIN};
    for (double left = PAUSE_MS; left > 0; left = until - now_ms()) {
        if (poll(&wait, 1, (int)left + 1) > 0 && cella_engine_process(engines[WARM], &err) != 0) {
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
            if (way == BARE && of_case->bare[0] == NULL) {
                continue;
            }
            const double start = now_ms();
            const bool good = run(way, of_case, &warm);
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
            if (is_left_out(&cases[i]) || (way == BARE && cases[i].bare[0] == NULL)) {
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

static const struct of_case *const of_load = &cases[1]; /* the Python line */

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
    struct cella_request *request = parse(of_load);
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

static void measure_throughput(FILE *json)
{
    printf("\nruns of the Python line in a second, by clients at a time\n%8s %9s %9s %9s %12s\n",
           "clients", "bare", "cold", "warm", "warm / bare");
    for (int clients = 1; clients <= CLIENTS_MAX; clients *= 4) {
        double best[WAYS] = {0};
        for (int turn = 0; turn < 2; turn++) {
            for (enum way way = BARE; way <= WARM; way++) {
                const double found =
                    way == BARE ? load_bare(clients) : load_engine(engines[way], clients);
                best[way] = found > best[way] ? found : best[way];
                rest();
            }
        }
        for (enum way way = BARE; way <= WARM; way++) {
            per_second[way][clients] = best[way];
            fprintf(json,
                    "  {\"case\": \"throughput\", \"way\": \"%s\", \"clients\": %d, "
                    "\"per_second\": %.1f},\n",
                    way_names[way], clients, best[way]);
        }
        printf("%8d %9.0f %9.0f %9.0f %12.2f\n", clients, best[BARE], best[COLD], best[WARM],
               best[WARM] / best[BARE]);
    }
}

struct cella_engine *warm_engine(void)
{
    return engines[WARM];
}

bool run_warm_line(void)
{
    bool warm = false;
    return run(WARM, of_load, &warm);
}

/* ---- all of it ---- */

static void open_engines(void)
{
    struct cella_error err;
    struct cella_options options = {.size = sizeof(options),
                                    .budget_memory_bytes = UINT64_MAX, /* the load is ours */
                                    .budget_millicpus = UINT64_MAX};
    if (cella_engine_open(&options, &engines[WARM], &err) != 0) {
        die("engine", err.text);
    }
    options.pool_memory_bytes = CELLA_NO_POOLS;
    if (cella_engine_open(&options, &engines[COLD], &err) != 0) {
        die("engine", err.text);
    }
}

static void set_up_cases(char *java_classes)
{
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, "java") == 0) {
            cases[i].bare[2] = java_classes;
        }
    }
}

/* A thousand sandboxes have a dozen descriptors each, here and in the keeper. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server < 0 || connect(server, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        die(path, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    const int rounds = argc == 5 ? (int)strtol(argv[1], NULL, 10) : 0;
    FILE *json = rounds > 0 && rounds <= ROUNDS_MAX ? fopen(argv[2], "w") : NULL;
    if (json == NULL) {
        die("usage", "service ROUNDS JSON_FILE SOCKET JAVA_CLASSES");
    }
    set_up_cases(argv[4]);
    raise_limit();
    connect_to(argv[3]);
    open_engines();
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
    cella_engine_close(engines[WARM]);
    cella_engine_close(engines[COLD]);
    return fclose(json) != 0 || failures > 0;
}
