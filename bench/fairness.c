/*
 * What one tenant's flood does to another: `fairness ROUNDS JSON_FILE PORT LIGHT HEAVY LIMITED`,
 * the last three being keys of a server on that port of the loopback, LIMITED one that is for a
 * single request in an hour.
 *
 * A light tenant runs a Python line, one after the other over a kept connection, with a pause
 * between; in blocks by himself, and in blocks beside a heavy tenant who has FLOOD requests on
 * their way all the time, so that most of them wait for room.  Blocks follow upon each other in
 * turn, for the machine has its better and its worse minutes.  The heavy tenant's programs are, in
 * turn, the same line, and one that computes for half a second.  Last, how long a refusal takes: a
 * request of the limited key, on a connection of its own, by itself and beside both floods.
 *
 * All in this one thread, so the load is in the figures.  An answer that is not what it should be
 * is counted as a failure.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX  1000
#define BLOCK       20 /* runs of the light tenant */
#define FLOOD       32 /* requests of the heavy one at a time */
#define PAUSE_MS    20
#define FLOOD_MS    1000 /* before anything is measured beside it */
#define REQUEST_MAX 1024
#define ANSWER_MAX  16384

enum flood { NONE, LINES, COMPUTING, FLOODS };
static const char *const flood_names[] = {"alone", "lines", "computing"};
static const char *const programs[] = {"print(sum(range(1000)))", "print(sum(range(1000)))",
                                       "import time\\nt = time.process_time()\\n"
                                       "while time.process_time() - t < 0.5: pass\\nprint(499500)"};

struct client {
    int fd;
    char request[REQUEST_MAX];
    size_t size, sent;
    char answer[ANSWER_MAX];
    size_t got;
};

static in_port_t port;
static struct client flood[FLOOD];
static struct pollfd polled[FLOOD + 1];
static long flood_done, failures;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "fairness: %s: %s\n", what, why);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- a client ---- */

static void make_request(struct client *client, const char *key, const char *program)
{
    char body[REQUEST_MAX / 2];
    const int size =
        snprintf(body, sizeof(body), "{\"language\": \"python\", \"code\": \"%s\"}", program);
    client->size = (size_t)snprintf(client->request, REQUEST_MAX,
                                    "POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                    "application/json\r\nAuthorization: Bearer %s\r\n"
                                    "Content-Length: %d\r\n\r\n%s",
                                    key, size, body);
    if (client->size >= REQUEST_MAX) {
        die("request", "too long");
    }
}

static void connect_client(struct client *client)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        die("connect", strerror(errno));
    }
}

static void begin(struct client *client)
{
    client->got = 0;
    if (send(client->fd, client->request, client->size, MSG_NOSIGNAL) != (ssize_t)client->size) {
        die("send", strerror(errno));
    }
}

/* Whether the whole answer is there. */
static bool take(struct client *client)
{
    const ssize_t got =
        recv(client->fd, client->answer + client->got, ANSWER_MAX - 1 - client->got, 0);
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    if (got <= 0) {
        die("recv", got < 0 ? strerror(errno) : "closed");
    }
    client->got += (size_t)got;
    client->answer[client->got] = '\0';
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strstr(client->answer, "Content-Length: ");
    if (end == NULL) {
        return false;
    }
    if (length == NULL || length > end) {
        die("answer", client->answer);
    }
    return client->got >= (size_t)(end + 4 - client->answer) + strtoul(length + 16, NULL, 10);
}

/* ---- the flood ---- */

/* What of it has been answered is asked for again. */
static void go_on(size_t i)
{
    if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && take(&flood[i])) {
        flood_done++;
        failures += strncmp(flood[i].answer, "HTTP/1.1 200 ", 13) != 0;
        begin(&flood[i]);
    }
}

/* Until `one`, if there is one, has its answer; at most until then. */
static void serve(struct client *one, bool with_flood, double until)
{
    const nfds_t first = with_flood ? 0 : FLOOD;
    polled[FLOOD] = (struct pollfd){.fd = one != NULL ? one->fd : -1, .events = POLLIN};
    for (double left = until - now_ms(); left > 0; left = until - now_ms()) {
        if (poll(polled + first, FLOOD + 1 - first, (int)left + 1) < 0) {
            die("poll", strerror(errno));
        }
        if (one != NULL && polled[FLOOD].revents != 0 && take(one)) {
            return;
        }
        for (size_t i = first; i < FLOOD; i++) {
            go_on(i);
        }
    }
    if (one != NULL) {
        die("answer", "none in a minute");
    }
}

static void start_flood(enum flood kind, const char *key)
{
    for (size_t i = 0; i < FLOOD; i++) {
        connect_client(&flood[i]);
        make_request(&flood[i], key, programs[kind]);
        polled[i] = (struct pollfd){.fd = flood[i].fd, .events = POLLIN};
        begin(&flood[i]);
    }
    serve(NULL, true, now_ms() + FLOOD_MS);
}

/* Its clients go away, and with them their runs. */
static void stop_flood(void)
{
    for (size_t i = 0; i < FLOOD; i++) {
        close(flood[i].fd);
    }
    serve(NULL, false, now_ms() + FLOOD_MS);
}

/* ---- what is measured ---- */

static double times[FLOODS][ROUNDS_MAX + BLOCK], refusals[FLOODS][ROUNDS_MAX + BLOCK];
static double flood_seconds[FLOODS];
static long flood_counts[FLOODS];

static double run_light(struct client *light, bool with_flood)
{
    const double start = now_ms();
    begin(light);
    serve(light, with_flood, start + 60000);
    const double taken = now_ms() - start;
    failures += strncmp(light->answer, "HTTP/1.1 200 ", 13) != 0 ||
                strstr(light->answer, "\"stdout\":\"499500\\n\"") == NULL;
    serve(NULL, with_flood, now_ms() + PAUSE_MS);
    return taken;
}

/* With the connection that it needs, for a refusal before the body is read ends it. */
static double refuse_limited(struct client *limited, bool with_flood)
{
    const double start = now_ms();
    connect_client(limited);
    begin(limited);
    serve(limited, with_flood, start + 60000);
    const double taken = now_ms() - start;
    failures += strncmp(limited->answer, "HTTP/1.1 429 ", 13) != 0;
    close(limited->fd);
    return taken;
}

static void measure_block(enum flood kind, int done, struct client *light, struct client *limited,
                          const char *heavy)
{
    const double start = now_ms();
    if (kind != NONE) {
        start_flood(kind, heavy);
    }
    flood_done = 0;
    const double begun = now_ms();
    for (int i = 0; i < BLOCK; i++) {
        times[kind][done + i] = run_light(light, kind != NONE);
        refusals[kind][done + i] = refuse_limited(limited, kind != NONE);
    }
    flood_counts[kind] += flood_done;
    flood_seconds[kind] += (now_ms() - (kind != NONE ? begun : start)) / 1e3;
    if (kind != NONE) {
        stop_flood();
    }
}

static int compare(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

static void report(int rounds, FILE *json)
{
    printf("%-10s %9s %9s %9s %12s %10s %10s\n", "flood", "p50 ms", "p99 ms", "/ alone",
           "its runs/s", "429 p50", "429 p99");
    for (enum flood kind = NONE; kind < FLOODS; kind++) {
        qsort(times[kind], (size_t)rounds, sizeof(double), compare);
        qsort(refusals[kind], (size_t)rounds, sizeof(double), compare);
        const double p50 = times[kind][rounds / 2], p99 = times[kind][rounds * 99 / 100];
        const double refused50 = refusals[kind][rounds / 2];
        const double refused99 = refusals[kind][rounds * 99 / 100];
        const double rate = (double)flood_counts[kind] / flood_seconds[kind];
        printf("%-10s %9.2f %9.2f %9.2f %12.1f %10.2f %10.2f\n", flood_names[kind], p50, p99,
               p50 / times[NONE][rounds / 2], rate, refused50, refused99);
        fprintf(json,
                "  {\"case\": \"fairness\", \"flood\": \"%s\", \"rounds\": %d, \"p50_ms\": %.3f, "
                "\"p99_ms\": %.3f, \"flood_per_second\": %.1f, \"refusal_p50_ms\": %.3f, "
                "\"refusal_p99_ms\": %.3f},\n",
                flood_names[kind], rounds, p50, p99, rate, refused50, refused99);
    }
    if (failures > 0) {
        printf("FAILED %ld times\n", failures);
    }
}

int main(int argc, char **argv)
{
    static struct client light, limited;
    const int rounds = argc == 7 ? (int)strtol(argv[1], NULL, 10) : 0;
    FILE *json = rounds > 0 && rounds <= ROUNDS_MAX ? fopen(argv[2], "w") : NULL;
    if (json == NULL) {
        die("usage", "fairness ROUNDS JSON_FILE PORT LIGHT HEAVY LIMITED");
    }
    port = htons((in_port_t)strtol(argv[3], NULL, 10));
    connect_client(&light);
    make_request(&light, argv[4], programs[NONE]);
    make_request(&limited, argv[6], programs[NONE]);
    connect_client(&limited); /* the one request that it is for */
    begin(&limited);
    serve(&limited, false, now_ms() + 60000);
    close(limited.fd);
    for (int i = 0; i < BLOCK; i++) { /* pools fill */
        (void)run_light(&light, false);
    }
    for (int done = 0; done < rounds; done += BLOCK) {
        for (enum flood kind = NONE; kind < FLOODS; kind++) {
            measure_block(kind, done, &light, &limited, argv[5]);
        }
    }
    close(light.fd);
    fprintf(json, "[\n");
    report(rounds, json);
    fprintf(json, "  {\"case\": \"end\"}\n]\n");
    return fclose(json) != 0 || failures > 0;
}
