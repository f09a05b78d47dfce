/*
 * Times whole processes: `measure ROUNDS JSON_FILE < commands`.
 *
 * Each line of standard input is `case TAB contestant TAB word TAB word …`.  The contestants of a
 * case are run in turn, round after round, so that a machine whose speed drifts treats all alike;
 * what counts is the ratio of their medians.  Output goes to a pipe that is read to its end.
 * Prints a table, and writes the same as JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX       64
#define CONTESTANTS_MAX 64
#define LINE_MAX_SIZE   65536
#define WARM_UP         3

struct contestant {
    char *line;
    const char *of_case;
    const char *name;
    char *words[WORDS_MAX];
    double *times_ms;
    int failures;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Milliseconds from the start of the process until it is reaped and its output has been read. */
static double time_once(struct contestant *contestant)
{
    static char *environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", NULL};
    char data[65536];
    int ends[2], status = 0;
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("pipe");
        exit(1);
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    const double start = now_ms();
    const int error =
        posix_spawn(&pid, contestant->words[0], &actions, NULL, contestant->words, environment);
    close(ends[1]);
    while (error == 0 && (read(ends[0], data, sizeof(data)) > 0 || errno == EINTR)) {
        errno = 0;
    }
    if (error != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        contestant->failures++;
    }
    const double end = now_ms();
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    return end - start;
}

static int compare(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

static int parse(char *line, struct contestant *contestant)
{
    int count = 0;
    char *rest = NULL;
    contestant->line = line;
    contestant->of_case = strtok_r(line, "\t\n", &rest);
    contestant->name = strtok_r(NULL, "\t\n", &rest);
    char *word = strtok_r(NULL, "\t\n", &rest);
    while (word != NULL && count < WORDS_MAX - 1) {
        contestant->words[count++] = word;
        word = strtok_r(NULL, "\t\n", &rest);
    }
    return contestant->name != NULL && count > 0 ? 0 : -1;
}

static void report(const struct contestant *contestants, int count, int rounds, FILE *json)
{
    double baseline = 0;
    fprintf(json, "[\n");
    printf("%-14s %-14s %9s %9s %9s %7s %9s\n", "case", "contestant", "min ms", "median ms",
           "p99 ms", "ratio", "- bare ms");
    for (int i = 0; i < count; i++) {
        const struct contestant *one = &contestants[i];
        if (i == 0 || strcmp(one->of_case, contestants[i - 1].of_case) != 0) {
            baseline = one->times_ms[rounds / 2];
        }
        const double median = one->times_ms[rounds / 2], p99 = one->times_ms[rounds * 99 / 100];
        printf("%-14s %-14s %9.2f %9.2f %9.2f %7.2f %9.2f%s\n", one->of_case, one->name,
               one->times_ms[0], median, p99, median / baseline, median - baseline,
               one->failures > 0 ? "  FAILED" : "");
        fprintf(json,
                "  {\"case\": \"%s\", \"contestant\": \"%s\", \"rounds\": %d, \"failures\": %d, "
                "\"min_ms\": %.3f, \"median_ms\": %.3f, \"p99_ms\": %.3f, \"ratio\": %.3f}%s\n",
                one->of_case, one->name, rounds, one->failures, one->times_ms[0], median, p99,
                median / baseline, i + 1 < count ? "," : "");
    }
    fprintf(json, "]\n");
}

int main(int argc, char **argv)
{
    static struct contestant contestants[CONTESTANTS_MAX];
    int count = 0;
    const int rounds = argc == 3 ? (int)strtol(argv[1], NULL, 10) : 0;
    FILE *json = rounds > 0 ? fopen(argv[2], "w") : NULL;

    if (json == NULL) {
        fprintf(stderr, "usage: measure ROUNDS JSON_FILE < commands\n");
        return 2;
    }
    for (;;) {
        char *line = malloc(LINE_MAX_SIZE);
        if (count == CONTESTANTS_MAX || line == NULL || fgets(line, LINE_MAX_SIZE, stdin) == NULL ||
            parse(line, &contestants[count]) != 0) {
            free(line);
            break;
        }
        contestants[count++].times_ms = calloc((size_t)rounds, sizeof(double));
    }
    for (int round = -WARM_UP; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            const double time = time_once(&contestants[i]);
            if (round >= 0) {
                contestants[i].times_ms[round] = time;
            }
        }
    }
    int failures = 0;
    for (int i = 0; i < count; i++) {
        qsort(contestants[i].times_ms, (size_t)rounds, sizeof(double), compare);
        failures += contestants[i].failures;
    }
    report(contestants, count, rounds, json);
    for (int i = 0; i < count; i++) {
        free(contestants[i].times_ms);
        free(contestants[i].line);
    }
    return fclose(json) != 0 || failures > 0;
}
