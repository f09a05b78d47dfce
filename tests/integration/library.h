/*
 * What the tests of the library share: an engine as the state of a group, requests from short
 * texts, and callbacks that write down what they saw.
 */
#ifndef TESTS_LIBRARY_H
#define TESTS_LIBRARY_H

#include <cella/cella.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

static inline int open_engine(void **state)
{
    struct cella_engine *engine = NULL;
    struct cella_error err;
    if (cella_engine_open(NULL, &engine, &err) < 0) {
        fail_msg("%s (%s)", err.text, err.hint);
    }
    *state = engine;
    return 0;
}

static inline int close_engine(void **state)
{
    cella_engine_close(*state);
    return 0;
}

static inline struct cella_request *parse(const char *json)
{
    struct cella_request *request = NULL;
    struct cella_error err;
    if (cella_request_parse(json, strlen(json), &request, &err) < 0) {
        fail_msg("%s: %s (%s)", err.field, err.text, err.hint);
    }
    return request;
}

/* A shell command, as a request. */
static inline struct cella_request *shell(const char *script)
{
    struct cella_request *request = parse("{\"command\": [\"/bin/sh\", \"-c\"]}");
    struct cella_error err;
    assert_int_equal(cella_request_add(request, "command", script, &err), 0);
    return request;
}

static inline void set(struct cella_request *request, const char *field, const char *value)
{
    struct cella_error err;
    if (cella_request_set(request, field, value, &err) < 0) {
        fail_msg("%s: %s (%s)", err.field, err.text, err.hint);
    }
}

static inline struct cella_request *c_program(const char *code)
{
    struct cella_request *request = parse("{\"language\": \"c\", \"code\": \"\"}");
    set(request, "code", code);
    return request;
}

static inline struct cella_result *run(struct cella_engine *engine, struct cella_request *request)
{
    struct cella_result *result = NULL;
    struct cella_error err;
    if (cella_run(engine, request, &result, &err) < 0) {
        fail_msg("%s: %s (%s)", err.field, err.text, err.hint);
    }
    cella_request_destroy(request);
    return result;
}

static inline void assert_status(const struct cella_result *result, const char *status)
{
    if (strcmp(cella_result_status(result), status) != 0) {
        size_t size;
        fail_msg("%s instead of %s: %s\n%s", cella_result_status(result), status,
                 cella_result_message(result), cella_result_stderr(result, &size));
    }
}

static inline void assert_stdout(const struct cella_result *result, const char *text)
{
    size_t size;
    assert_string_equal(cella_result_stdout(result, &size), text);
    assert_int_equal(size, strlen(text));
}

/* Whether the result's JSON has this text in it. */
static inline bool json_has(const struct cella_result *result, const char *text)
{
    char *json = NULL;
    size_t size;
    struct cella_error err;
    assert_int_equal(cella_result_json(result, &json, &size, &err), 0);
    assert_int_equal(strlen(json), size);
    bool has = strstr(json, text) != NULL;
    free(json);
    return has;
}

static inline size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

/* The pid of the one child that this process has. */
static inline pid_t keeper_pid(void)
{
    char path[64];
    int pid = 0;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    assert_int_equal(fscanf(children, "%d", &pid), 1);
    (void)fclose(children);
    return pid;
}

/* What the callbacks saw of one run. */
struct seen {
    struct cella_engine *engine;
    struct cella_run *run;
    char output[2][256];
    size_t size[2];
    int calls, begun, done;
    bool free_on_output, process_on_output, start_on_done;
    struct cella_error err;
};

static inline void on_output(void *context, struct cella_run *run, enum cella_stream stream,
                             const void *data, size_t size)
{
    struct seen *seen = context;
    seen->calls++;
    size_t room = sizeof(seen->output[0]) - 1 - seen->size[stream];
    size_t taken = size < room ? size : room;
    memcpy(seen->output[stream] + seen->size[stream], data, taken);
    seen->size[stream] += taken;
    if (seen->process_on_output) {
        assert_int_equal(cella_engine_process(seen->engine, &seen->err), -1);
    }
    if (seen->free_on_output) {
        cella_run_free(run);
    }
}

static inline void on_begun(void *context, struct cella_run *run)
{
    struct seen *seen = context;
    assert_null(cella_run_result(run));
    seen->begun++;
}

static inline void on_done(void *context, struct cella_run *run)
{
    struct seen *seen = context;
    assert_non_null(cella_run_result(run));
    seen->done++;
    if (seen->start_on_done) {
        struct cella_request *request = shell("echo second");
        seen->start_on_done = false;
        const struct cella_callbacks callbacks = {.size = sizeof(callbacks),
                                                  .context = seen,
                                                  .output = on_output,
                                                  .done = on_done,
                                                  .begun = on_begun};
        assert_int_equal(
            cella_run_start(seen->engine, request, 0, &callbacks, &seen->run, &seen->err), 0);
        cella_request_destroy(request);
    }
}

static inline struct cella_run *start(struct cella_engine *engine, struct cella_request *request,
                                      unsigned flags, struct seen *seen)
{
    const struct cella_callbacks callbacks = {.size = sizeof(callbacks),
                                              .context = seen,
                                              .output = on_output,
                                              .done = on_done,
                                              .begun = on_begun};
    struct cella_error err;
    seen->engine = engine;
    if (cella_run_start(engine, request, flags, &callbacks, &seen->run, &err) < 0) {
        fail_msg("%s (%s)", err.text, err.hint);
    }
    cella_request_destroy(request);
    return seen->run;
}

/* One turn of an event loop; fails when nothing happens. */
static inline void turn(struct cella_engine *engine)
{
    struct cella_error err;
    struct pollfd ready = {.fd = cella_engine_fd(engine), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    assert_int_equal(cella_engine_process(engine, &err), 0);
}

static inline void wait_done(struct seen *seen, int times)
{
    while (seen->done < times) {
        turn(seen->engine);
    }
}

/* Fails when a run ends before it says anything. */
static inline void wait_output(struct seen *seen)
{
    int done = seen->done;
    while (seen->calls == 0) {
        turn(seen->engine);
        assert_int_equal(seen->done, done);
    }
}

#endif
