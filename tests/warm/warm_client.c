/*
 * One engine for many requests: `warm_client cold|warm|any`.
 *
 * Each line of standard input is a request; for each comes its result as a line.  `warm` runs a
 * request again until its program was a zygote's child, so that a test cannot take a cold start for
 * a warm one; it gives up after RUNS_MAX.  `cold` has nothing made ahead.
 */
#include <cella/cella.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX  60
#define SETTLE_MS 100 /* after a run that was not warm, for what is being made */

static void die(const char *what, const char *text)
{
    fprintf(stderr, "warm_client: %s: %s\n", what, text);
    exit(1);
}

static char *run_once(struct cella_engine *engine, const struct cella_request *request)
{
    struct cella_error err;
    struct cella_result *result = NULL;
    char *json = NULL;
    size_t size = 0;
    if (cella_run(engine, request, &result, &err) != 0 &&
        cella_result_refused(&err, &result, &err) != 0) {
        die("result", err.text);
    }
    if (cella_result_json(result, &json, &size, &err) != 0) {
        die("result", err.text);
    }
    cella_result_destroy(result);
    return json;
}

static void settle(struct cella_engine *engine)
{
    struct cella_error err;
    struct pollfd wait = {.fd = cella_engine_fd(engine), .events = POLLIN};
    while (poll(&wait, 1, SETTLE_MS) > 0) {
        if (cella_engine_process(engine, &err) != 0) {
            die("engine", err.text);
        }
    }
}

static void answer(struct cella_engine *engine, const char *line, size_t size, bool warm)
{
    struct cella_error err;
    struct cella_request *request = NULL;
    char *json = NULL;
    if (cella_request_parse(line, size, &request, &err) != 0) {
        die("request", err.text);
    }
    for (int i = 0; i < RUNS_MAX; i++) {
        free(json);
        json = run_once(engine, request);
        if (!warm || strstr(json, "\"start\":\"warm\"") != NULL) {
            break;
        }
        settle(engine);
    }
    cella_request_destroy(request);
    puts(json);
    fflush(stdout);
    free(json);
}

int main(int count, char **words)
{
    struct cella_options options = {.size = sizeof(options)};
    struct cella_engine *engine = NULL;
    struct cella_error err;
    char *line = NULL;
    size_t room = 0;
    ssize_t got = 0;
    if (count != 2) {
        die("usage", "warm_client cold|warm|any");
    }
    if (strcmp(words[1], "cold") == 0) {
        options.pool_memory_bytes = CELLA_NO_POOLS;
    }
    if (cella_engine_open(&options, &engine, &err) != 0) {
        die("engine", err.text);
    }
    while ((got = getline(&line, &room, stdin)) > 0) {
        answer(engine, line, (size_t)got, strcmp(words[1], "warm") == 0);
    }
    free(line);
    cella_engine_close(engine);
    return 0;
}
