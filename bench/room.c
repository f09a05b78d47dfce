/*
 * The part of service.c that is about room: what becomes of a latency when other sandboxes are
 * there, how fast much output comes, what a program that waits in a pool has for itself.
 */
#include "service.h"
#include "ways.h"

#include <cella/cella.h>
#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP       5
#define RESIDENT_MAX  1000
#define OUTPUT_BYTES  "100000000"
#define OUTPUT_ROUNDS 7

/* ---- beside others ---- */

static struct cella_run *start(struct cella_engine *engine, const char *json)
{
    struct cella_request *request = NULL;
    struct cella_run *run = NULL;
    struct cella_error err;
    if (cella_request_parse(json, strlen(json), &request, &err) != 0 ||
        cella_run_start(engine, request, 0, NULL, &run, &err) != 0) {
        die("a sandbox that stays", err.text);
    }
    cella_request_destroy(request);
    return run;
}

/* Until so many milliseconds have passed in which it has nothing to do. */
static void settle(struct cella_engine *engine, int quiet_ms)
{
    struct cella_error err;
    struct pollfd wait = {.fd = cella_engine_fd(engine), .events = POLLIN};
    while (poll(&wait, 1, quiet_ms) > 0) {
        if (cella_engine_process(engine, &err) != 0) {
            die("engine", err.text);
        }
    }
}

static int count_processes(const char *name, long *ret_least_kib);

/* All of them, or what is measured beside them is not what is said. */
static void expect_running(struct cella_run *const *runs, int count)
{
    for (int i = 0; i < count; i++) {
        if (cella_run_result(runs[i]) != NULL) {
            die("a sandbox that stays", "has ended");
        }
    }
    if (count_processes("sleep", NULL) < count) {
        die("sandboxes that stay", "not all have begun");
    }
}

static double median_of_warm(int rounds)
{
    double times[ROUNDS_MAX];
    for (int round = -WARM_UP; round < rounds; round++) {
        const double began = now_ms();
        if (!run_warm_line()) {
            die("python", "not the output of the program");
        }
        if (round >= 0) {
            times[round] = now_ms() - began;
        }
        rest();
    }
    qsort(times, (size_t)rounds, sizeof(double), compare);
    return times[rounds / 2];
}

static void measure_resident(int rounds, FILE *json)
{
    static const char sleeps[] = "{\"command\": [\"/bin/sleep\", \"1000\"], "
                                 "\"limits\": {\"wall_ms\": 290000, \"memory_bytes\": 4194304}}";
    static struct cella_run *others[RESIDENT_MAX];
    int count = 0;
    double first = 0;
    printf("\nthe Python line by the library, warm, beside other sandboxes\n%8s %10s %10s\n",
           "others", "median ms", "ratio");
    for (int wanted = 1; wanted <= RESIDENT_MAX; wanted *= 10) {
        while (count < wanted) {
            others[count++] = start(engine_of(WARM), sleeps);
            settle(engine_of(WARM), 0);
        }
        settle(engine_of(WARM), 500);
        expect_running(others, count);
        const double median = median_of_warm(rounds);
        expect_running(others, count);
        first = wanted == 1 ? median : first;
        printf("%8d %10.2f %10.2f\n", wanted, median, median / first);
        fprintf(json, "  {\"case\": \"resident\", \"others\": %d, \"median_ms\": %.3f},\n", wanted,
                median);
    }
    while (count > 0) {
        cella_run_free(others[--count]);
        settle(engine_of(WARM), 0);
    }
    settle(engine_of(WARM), 1000);
}

/* ---- output ---- */

static double bare_output_ms(void)
{
    static char *words[] = {"/usr/bin/head", "-c", OUTPUT_BYTES, "/dev/zero", NULL};
    const size_t size = strtoul(OUTPUT_BYTES, NULL, 10);
    char *kept = malloc(size); /* as the library keeps it */
    int output = -1;
    const double began = now_ms();
    const pid_t pid = start_bare(words, &output);
    size_t got = 0;
    for (ssize_t more = 1; kept != NULL && more > 0; got += more > 0 ? (size_t)more : 0) {
        more = read(output, kept + got, size - got < 65536 ? size - got : 65536);
    }
    close(output);
    if (waitpid(pid, NULL, 0) != pid || got != size) {
        die("output", "it is not all there");
    }
    const double took = now_ms() - began;
    free(kept);
    return took;
}

static double library_output_ms(void)
{
    static const char request_text[] =
        "{\"command\": [\"/usr/bin/head\", \"-c\", \"" OUTPUT_BYTES
        "\", \"/dev/zero\"], \"limits\": {\"stdout_bytes\": " OUTPUT_BYTES "}}";
    struct cella_request *request = NULL;
    struct cella_result *result = NULL;
    struct cella_error err;
    size_t size = 0;
    if (cella_request_parse(request_text, strlen(request_text), &request, &err) != 0) {
        die("output", err.text);
    }
    const double began = now_ms();
    if (cella_run(engine_of(WARM), request, &result, &err) != 0) {
        die("output", err.text);
    }
    const double took = now_ms() - began;
    (void)cella_result_stdout(result, &size);
    if (size != strtoul(OUTPUT_BYTES, NULL, 10)) {
        die("output", cella_result_message(result));
    }
    cella_result_destroy(result);
    cella_request_destroy(request);
    return took;
}

static void measure_output(FILE *json)
{
    double bare[OUTPUT_ROUNDS], ours[OUTPUT_ROUNDS];
    for (int i = 0; i < OUTPUT_ROUNDS; i++) {
        bare[i] = bare_output_ms();
        ours[i] = library_output_ms();
        rest();
    }
    qsort(bare, OUTPUT_ROUNDS, sizeof(double), compare);
    qsort(ours, OUTPUT_ROUNDS, sizeof(double), compare);
    const double rate = bare[OUTPUT_ROUNDS / 2] / ours[OUTPUT_ROUNDS / 2];
    printf("\n%s bytes of output: bare %.0f ms, library %.0f ms: %.2f of the bare rate\n",
           OUTPUT_BYTES, bare[OUTPUT_ROUNDS / 2], ours[OUTPUT_ROUNDS / 2], rate);
    fprintf(json, "  {\"case\": \"output\", \"bare_ms\": %.3f, \"library_ms\": %.3f},\n",
            bare[OUTPUT_ROUNDS / 2], ours[OUTPUT_ROUNDS / 2]);
}

/* ---- memory ---- */

/* The sum of a process's private pages; -1 when it is gone or not ours to see. */
static long private_kib(const char *pid)
{
    char path[300], line[256];
    long sum = 0, value = 0;
    snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -1;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Private_Clean: %ld", &value) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &value) == 1) {
            sum += value;
        }
    }
    fclose(file);
    return sum;
}

static bool is_named(const char *pid, const char *name)
{
    char path[300], found[64] = "";
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool read = fgets(found, sizeof(found), file) != NULL;
    fclose(file);
    found[strcspn(found, "\n")] = '\0';
    return read && strcmp(found, name) == 0;
}

/* Of all processes of this host with that name, the least: one of a program that waits.  The zygote
 * has what it does not share with its children, and a program that runs has more. */
/* Processes of the host with that name; *ret_least_kib, unless it is NULL, is what the smallest has
 * for itself. */
static int count_processes(const char *name, long *ret_least_kib)
{
    int count = 0;
    long least = -1;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !is_named(entry->d_name, name)) {
            continue;
        }
        count++;
        const long kib = ret_least_kib != NULL ? private_kib(entry->d_name) : -1;
        least = kib > 0 && (least < 0 || kib < least) ? kib : least;
    }
    closedir(processes);
    if (ret_least_kib != NULL) {
        *ret_least_kib = least;
    }
    return count;
}

static void measure_memory(FILE *json)
{
    for (int i = 0; i < WARM_UP; i++) {
        (void)run_warm_line();
        rest();
    }
    settle(engine_of(WARM), 300);
    long program = -1, init = -1;
    (void)count_processes("python3", &program);
    (void)count_processes("memfd:cella-ini", &init);
    printf("\nfor itself a Python program that waits has %ld KiB, its init %ld KiB\n", program,
           init);
    fprintf(json, "  {\"case\": \"waiting\", \"program_kib\": %ld, \"init_kib\": %ld},\n", program,
            init);
}

void measure_room(int rounds, FILE *json)
{
    measure_output(json);
    measure_memory(json);
    measure_resident(rounds, json);
}
