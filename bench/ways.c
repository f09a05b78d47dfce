/* See ways.h. */
#include "ways.h"

#include <arpa/inet.h>
#include <cella/cella.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAYS_WARM "\"start\":\"warm\""

#define PYTHON_LINE "print(sum(range(1000)))"
#define PANDAS_LINE "import pandas; print(pandas.Series(range(1000)).sum())"
#define NODE_LINE   "let s = 0; for (let i = 0; i < 1000; i++) s += i; console.log(s)"
#define RUBY_LINE   "puts (0...1000).sum"
#define PHP_LINE    "echo array_sum(range(0, 999));"
#define JAVA_SOURCE                                                                                \
    "public class Main { public static void main(String[] a) { int s = 0; for (int i = 0; i < "    \
    "1000; i++) s += i; System.out.println(s); } }"
#define C_SOURCE                                                                                   \
    "#include <stdio.h>\\nint main(void) { int s = 0; for (int i = 0; i < 1000; i++) s += i; "     \
    "printf(\\\"%d\\\\n\\\", s); }"

struct of_case cases[CASES] = {
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
const struct of_case *const of_load = &cases[1];
const char *const way_names[WAYS] = {"bare", "cold", "warm", "http", "go-judge"};

static struct cella_engine *engines[WAYS]; /* of COLD and WARM */
static union {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in tcp;
} addresses[WAYS];
static int connections[WAYS] = {-1, -1, -1, -1, -1}; /* HTTP, and JUDGE where it is there */

double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

_Noreturn void die(const char *what, const char *text)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, text);
    exit(1);
}

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

bool finish_bare(pid_t pid, int output)
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

struct cella_request *parse_case(const struct of_case *of_case)
{
    struct cella_request *request = NULL;
    struct cella_error err;
    if (cella_request_parse(of_case->request, strlen(of_case->request), &request, &err) != 0) {
        die(of_case->name, err.text);
    }
    return request;
}

bool is_good(const struct cella_result *result)
{
    size_t size = 0;
    const char *text = cella_result_stdout(result, &size);
    return strcmp(cella_result_status(result), "ok") == 0 &&
           memmem(text, size, EXPECTED, strlen(EXPECTED)) != NULL;
}

bool is_warm(const struct cella_result *result)
{
    struct cella_error err;
    char *json = NULL;
    size_t size = 0;
    if (cella_result_json(result, &json, &size, &err) != 0) {
        die("result", err.text);
    }
    const bool warm = strstr(json, SAYS_WARM) != NULL;
    free(json);
    return warm;
}

static bool run_by_library(struct cella_engine *engine, const struct of_case *of_case,
                           bool *ret_warm)
{
    struct cella_request *request = parse_case(of_case);
    struct cella_result *result = NULL;
    struct cella_error err;
    if (cella_run(engine, request, &result, &err) != 0) {
        die(of_case->name, err.text);
    }
    const bool good = is_good(result);
    *ret_warm = is_warm(result);
    cella_result_destroy(result);
    cella_request_destroy(request);
    return good;
}

/* ---- by a server ---- */

/* The very words of the bare case; none has anything that JSON would escape. */
static void write_judge_request(const struct of_case *of_case, char *request, size_t size)
{
    char words[2048] = "";
    for (size_t i = 0; of_case->bare[i] != NULL; i++) {
        const size_t used = strlen(words);
        snprintf(words + used, sizeof(words) - used, "%s\"%s\"", i > 0 ? ", " : "",
                 of_case->bare[i]);
    }
    snprintf(request, size,
             "{\"cmd\": [{\"args\": [%s], \"env\": [\"PATH=/usr/bin:/bin\", \"LANG=C.UTF-8\"], "
             "\"files\": [{\"content\": \"\"}, {\"name\": \"stdout\", \"max\": 10240}, "
             "{\"name\": \"stderr\", \"max\": 10240}], \"cpuLimit\": 10000000000, "
             "\"memoryLimit\": 1073741824, \"procLimit\": 64}]}",
             words);
}

void send_case(enum way way, int connection, const struct of_case *of_case)
{
    char text[8192], request[4096];
    if (way == JUDGE) {
        write_judge_request(of_case, request, sizeof(request));
    } else {
        snprintf(request, sizeof(request), "%s", of_case->request);
    }
    const int size = snprintf(text, sizeof(text),
                              "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                              "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                              way == JUDGE ? "/run" : "/v1/runs", strlen(request), request);
    if (send(connection, text, (size_t)size, MSG_NOSIGNAL) != size) {
        die(way_names[way], strerror(errno));
    }
}

bool take_answer(enum way way, int connection, struct answer *answer)
{
    char *text = answer->text;
    const ssize_t got = recv(connection, text + answer->size, ANSWER_SIZE - 1 - answer->size, 0);
    if (got <= 0) {
        die(way_names[way], "the answer ends early, or is too long");
    }
    answer->size += (size_t)got;
    text[answer->size] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\nContent-Length: ");
    return body != NULL && length != NULL &&
           answer->size >= (size_t)(body + 4 - text) + strtoul(length + 18, NULL, 10);
}

bool is_good_answer(enum way way, const struct answer *answer)
{
    return strncmp(answer->text, "HTTP/1.1 200 ", 13) == 0 &&
           (way != JUDGE || strstr(answer->text, "\"status\":\"Accepted\"") != NULL) &&
           strstr(answer->text, EXPECTED) != NULL;
}

static bool run_by_server(enum way way, const struct of_case *of_case, bool *ret_warm)
{
    struct answer answer = {.size = 0};
    send_case(way, connections[way], of_case);
    while (!take_answer(way, connections[way], &answer)) {
    }
    *ret_warm = strstr(answer.text, SAYS_WARM) != NULL;
    return is_good_answer(way, &answer);
}

bool has_way(enum way way, const struct of_case *of_case)
{
    switch (way) {
    case BARE:
        return of_case->bare[0] != NULL;
    case JUDGE: /* which shows its programs /usr and nothing of ours */
        return connections[JUDGE] >= 0 && of_case->bare[0] != NULL &&
               strcmp(of_case->name, "java") != 0;
    default:
        return true;
    }
}

bool run_case(enum way way, const struct of_case *of_case, bool *ret_warm)
{
    *ret_warm = false;
    switch (way) {
    case BARE:
        return run_bare(of_case);
    case HTTP:
    case JUDGE:
        return run_by_server(way, of_case, ret_warm);
    default:
        return run_by_library(engines[way], of_case, ret_warm);
    }
}

int connect_way(enum way way)
{
    const socklen_t size = way == HTTP ? sizeof(addresses[way].local) : sizeof(addresses[way].tcp);
    const int fd = socket(addresses[way].any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, &addresses[way].any, size) != 0) {
        die(way_names[way], strerror(errno));
    }
    return fd;
}

void open_ways(const char *server_socket, int judge_port, const char *java_classes)
{
    struct cella_error err;
    struct cella_options options = {.size = sizeof(options),
                                    .budget_memory_bytes = UINT64_MAX, /* the load is ours */
                                    .budget_millicpus = UINT64_MAX};
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, "java") == 0) {
            cases[i].bare[2] = strdup(java_classes);
        }
    }
    addresses[HTTP].local.sun_family = AF_UNIX;
    snprintf(addresses[HTTP].local.sun_path, sizeof(addresses[HTTP].local.sun_path), "%s",
             server_socket);
    connections[HTTP] = connect_way(HTTP);
    if (judge_port >= 0) {
        addresses[JUDGE].tcp = (struct sockaddr_in){.sin_family = AF_INET,
                                                    .sin_port = htons((uint16_t)judge_port),
                                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        connections[JUDGE] = connect_way(JUDGE);
    }
    if (cella_engine_open(&options, &engines[WARM], &err) != 0) {
        die("engine", err.text);
    }
    options.pool_memory_bytes = CELLA_NO_POOLS;
    if (cella_engine_open(&options, &engines[COLD], &err) != 0) {
        die("engine", err.text);
    }
}

void close_ways(void)
{
    cella_engine_close(engines[WARM]);
    cella_engine_close(engines[COLD]);
    close(connections[HTTP]);
    if (connections[JUDGE] >= 0) {
        close(connections[JUDGE]);
    }
}

struct cella_engine *engine_of(enum way way)
{
    return engines[way];
}
