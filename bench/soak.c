/*
 * A long time: `soak RUNS JSON_FILE`.
 *
 * Python lines through one engine that makes things ahead, four on their way at any time.  After
 * each tenth of the runs it tells what this process and its keeper hold: resident memory,
 * descriptors, processes below the keeper, the control groups and mounts of the host.  What grows
 * with the runs would show.
 */
#include "ways.h"

#include <cella/cella.h>
#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONCURRENT 4
#define STEPS      10
#define SETTLE_MS  1000

static struct {
    struct cella_engine *engine;
    struct cella_request *request;
    long begun, done, warm;
    struct cella_run *over[CONCURRENT]; /* to be freed */
    int over_count;
} soak;

static void is_over(void *context, struct cella_run *run)
{
    const struct cella_result *result = cella_run_result(run);
    (void)context;
    if (!is_good(result)) {
        die("not the output of the program", cella_result_message(result));
    }
    soak.warm += is_warm(result);
    soak.done++;
    soak.over[soak.over_count++] = run;
}

static void begin(void)
{
    const struct cella_callbacks callbacks = {.size = sizeof(callbacks), .done = is_over};
    struct cella_run *unused = NULL;
    struct cella_error err;
    if (cella_run_start(soak.engine, soak.request, 0, &callbacks, &unused, &err) != 0) {
        die("run", err.text);
    }
    soak.begun++;
}

static void step(int wait_ms)
{
    struct cella_error err;
    struct pollfd wait = {.fd = cella_engine_fd(soak.engine), .events = POLLIN};
    if (poll(&wait, 1, wait_ms) > 0 && cella_engine_process(soak.engine, &err) != 0) {
        die("engine", err.text);
    }
    while (soak.over_count > 0) {
        cella_run_free(soak.over[--soak.over_count]);
    }
}

/* ---- what is held ---- */

static long count_entries(const char *directory)
{
    long count = 0;
    DIR *dir = opendir(directory);
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count - 2; /* "." and ".." */
}

static long resident_kib(int pid)
{
    char path[64], line[256];
    long found = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            found = strtol(line + 6, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static long descriptors(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    return count_entries(path);
}

/* Children of a process; *ret_last is the pid of one. */
static long children(int pid, int *ret_last)
{
    char path[64];
    long count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fscanf(file, "%d", ret_last) == 1) {
        count++;
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static long mounts(void)
{
    long count = 0;
    FILE *file = fopen("/proc/self/mounts", "r");
    for (int byte = 0; file != NULL && (byte = fgetc(file)) != EOF;) {
        count += byte == '\n';
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static long control_groups(void)
{
    glob_t found = {.gl_pathc = 0};
    (void)glob("/sys/fs/cgroup/cella/cella-*", 0, NULL, &found);
    (void)glob("/sys/fs/cgroup/*/cella/cella-*", GLOB_APPEND, NULL, &found);
    const long count = (long)found.gl_pathc;
    globfree(&found);
    return count;
}

static void report(double began, FILE *json)
{
    int keeper = 0, unused = 0;
    const double until = now_ms() + SETTLE_MS; /* for what is made ahead, and what dies */
    while (now_ms() < until) {
        step(20);
    }
    (void)children((int)getpid(), &keeper);
    const struct {
        const char *name;
        long value;
    } held[] = {
        {"engine_kib", resident_kib((int)getpid())},
        {"engine_fds", descriptors((int)getpid())},
        {"keeper_kib", resident_kib(keeper)},
        {"keeper_fds", descriptors(keeper)},
        {"processes", children(keeper, &unused)},
        {"groups", control_groups()},
        {"mounts", mounts()},
    };
    const size_t count = sizeof(held) / sizeof(held[0]);
    if (soak.done == 0) {
        printf("%10s %8s", "runs", "seconds");
        for (size_t i = 0; i < count; i++) {
            printf(" %11s", held[i].name);
        }
        printf("\n");
    }
    printf("%10ld %8.0f", soak.done, (now_ms() - began) / 1e3);
    fprintf(json, "%s  {\"runs\": %ld, \"warm\": %ld, \"seconds\": %.1f",
            soak.done == 0 ? "[\n" : ",\n", soak.done, soak.warm, (now_ms() - began) / 1e3);
    for (size_t i = 0; i < count; i++) {
        printf(" %11ld", held[i].value);
        fprintf(json, ", \"%s\": %ld", held[i].name, held[i].value);
    }
    printf("\n");
    fprintf(json, "}");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct cella_error err;
    const long runs = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    FILE *json = runs > 0 ? fopen(argv[2], "w") : NULL;
    if (json == NULL) {
        die("usage", "soak RUNS JSON_FILE");
    }
    if (cella_engine_open(NULL, &soak.engine, &err) != 0) {
        die("engine", err.text);
    }
    soak.request = parse_case(of_load);
    const double began = now_ms();
    report(began, json);
    for (long part = 1; part <= STEPS; part++) {
        const long until = runs / STEPS * part;
        while (soak.done < until) {
            while (soak.begun < until && soak.begun - soak.done < CONCURRENT) {
                begin();
            }
            step(-1);
        }
        report(began, json);
    }
    printf("%ld of %ld were warm\n", soak.warm, soak.done);
    fprintf(json, "\n]\n");
    cella_request_destroy(soak.request);
    cella_engine_close(soak.engine);
    return fclose(json) != 0;
}
