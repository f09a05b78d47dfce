/*
 * Times whole processes: `measure ROUNDS JSON_FILE < commands`.
 *
 * Each line of standard input is `case TAB contestant TAB word TAB word …`; the word `;` ends one
 * process and starts the next, all of them timed together as one run.  The contestants of a case
 * are run in turn, round after round, so that a machine whose speed drifts treats all alike; what
 * counts is the ratio of their medians.  Each round has an order of its own, and after each run
 * there is a pause: the kernel takes namespaces and control groups apart for some milliseconds
 * after the process has ended, and the next one would pay for it.  Output goes to a pipe that is
 * read to its end.
 * Prints a table, and writes the same as JSON.
 *
 * A run counts as failed when its exit code is not 0, or when its output lacks what the first
 * contestant of the case printed: what did not do the work must not look fast.  The first failure
 * of each contestant is told on standard error with what it said.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX       64
#define CONTESTANTS_MAX 64
#define LINE_MAX_SIZE   65536
#define OUTPUT_KEPT     512
#define WARM_UP         3
#define PAUSE_NS        20000000L

struct contestant {
    char *line;
    const char *of_case;
    const char *name;
    char *words[WORDS_MAX]; /* of one process after the other, a NULL after each, two at the end */
    double *times_ms;
    int failures;
    char output[OUTPUT_KEPT]; /* how that of the last run begins, of all its processes */
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void failed(struct contestant *contestant, const char *program, int error, int status)
{
    if (contestant->failures++ > 0) {
        return;
    }
    fprintf(stderr, "measure: %s, %s: ", contestant->of_case, contestant->name);
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", program, strerror(error));
    } else if (WIFSIGNALED(status)) {
        fprintf(stderr, "signal %d: %s\n", WTERMSIG(status), contestant->output);
    } else if (WEXITSTATUS(status) != 0) {
        fprintf(stderr, "exit code %d: %s\n", WEXITSTATUS(status), contestant->output);
    } else {
        fprintf(stderr, "not the output of the program: %s\n", contestant->output);
    }
}

/* Reads to the end, and appends what the output has room for. */
static void read_output(int fd, char *output)
{
    char data[65536];
    size_t kept = strlen(output);
    ssize_t got = 0;

    while ((got = read(fd, data, sizeof(data))) > 0 || (got < 0 && errno == EINTR)) {
        const size_t room = OUTPUT_KEPT - 1 - kept, size = got > 0 ? (size_t)got : 0;
        const size_t taken = size < room ? size : room;
        memcpy(output + kept, data, taken);
        kept += taken;
    }
    output[kept] = '\0';
}

/* Returns whether the process exited with 0. */
static bool run_process(struct contestant *contestant, char **words)
{
    static char *environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", NULL};
    int input[2], ends[2], status = 0;
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;

    /* No /dev/null: runsc gives its standard streams to the user of its program, whatever they
     * are. */
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        perror("pipe");
        exit(1);
    }
    close(input[1]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    const int error = posix_spawn(&pid, words[0], &actions, NULL, words, environment);
    close(input[0]);
    close(ends[1]);
    read_output(ends[0], contestant->output);
    const bool ended = error == 0 && waitpid(pid, &status, 0) == pid;
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    if (!ended || status != 0) {
        failed(contestant, words[0], error, status);
    }
    return ended && status == 0;
}

/* Milliseconds from the start of the first process until the last is reaped and its output read. */
static double time_once(struct contestant *contestant, const char *expected)
{
    char **words = contestant->words;
    bool well = true;

    contestant->output[0] = '\0';
    const double start = now_ms();
    while (well && *words != NULL) {
        well = run_process(contestant, words);
        while (*words++ != NULL) {
        }
    }
    const double end = now_ms();
    if (well && strstr(contestant->output, expected) == NULL) {
        failed(contestant, contestant->words[0], 0, 0);
    }
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
    while (word != NULL && count < WORDS_MAX - 2) {
        contestant->words[count++] = strcmp(word, ";") == 0 ? NULL : word;
        word = strtok_r(NULL, "\t\n", &rest);
    }
    return word == NULL && count > 0 && contestant->words[0] != NULL ? 0 : -1;
}

static void report(const struct contestant *contestants, int count, int rounds, FILE *json)
{
    double baseline = 0;
    char failures[32];
    fprintf(json, "[\n");
    printf("%-14s %-14s %9s %9s %9s %7s %9s\n", "case", "contestant", "min ms", "median ms",
           "p99 ms", "ratio", "- bare ms");
    for (int i = 0; i < count; i++) {
        const struct contestant *one = &contestants[i];
        if (i == 0 || strcmp(one->of_case, contestants[i - 1].of_case) != 0) {
            baseline = one->times_ms[rounds / 2];
        }
        const double median = one->times_ms[rounds / 2], p99 = one->times_ms[rounds * 99 / 100];
        snprintf(failures, sizeof(failures), "  FAILED %d times", one->failures);
        printf("%-14s %-14s %9.2f %9.2f %9.2f %7.2f %9.2f%s\n", one->of_case, one->name,
               one->times_ms[0], median, p99, median / baseline, median - baseline,
               one->failures > 0 ? failures : "");
        fprintf(json,
                "  {\"case\": \"%s\", \"contestant\": \"%s\", \"rounds\": %d, \"failures\": %d, "
                "\"min_ms\": %.3f, \"median_ms\": %.3f, \"p99_ms\": %.3f, \"ratio\": %.3f}%s\n",
                one->of_case, one->name, rounds, one->failures, one->times_ms[0], median, p99,
                median / baseline, i + 1 < count ? "," : "");
    }
    fprintf(json, "]\n");
}

/* The contestants' numbers in another order (Fisher and Yates); the same orders each time. */
static void shuffle(int *order, int count)
{
    static unsigned state = 2463534242U;
    for (int i = count - 1; i > 0; i--) {
        state ^= state << 13; /* xorshift32 of Marsaglia */
        state ^= state >> 17;
        state ^= state << 5;
        const int other = (int)(state % (unsigned)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* All rounds of one case: its contestants are `count` in a row, and what the first prints all must
 * print. */
static void run_case(struct contestant *contestants, int count, int rounds)
{
    int order[CONTESTANTS_MAX];
    for (int i = 0; i < count; i++) {
        order[i] = i;
    }
    for (int round = -WARM_UP; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            struct contestant *one = &contestants[order[i]];
            const double time = time_once(one, one == contestants ? "" : contestants[0].output);
            if (round >= 0) {
                one->times_ms[round] = time;
            }
            (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL); /* or shorter */
        }
        shuffle(order, count); /* the first round is in order: its output is known from then on */
    }
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
        if (line == NULL || fgets(line, LINE_MAX_SIZE, stdin) == NULL) {
            free(line);
            break;
        }
        if (count == CONTESTANTS_MAX || parse(line, &contestants[count]) != 0 ||
            (contestants[count].times_ms = calloc((size_t)rounds, sizeof(double))) == NULL) {
            fprintf(stderr, "measure: contestant %d: malformed, or one too many\n", count + 1);
            return 2;
        }
        count++;
    }
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1;
             end < count && strcmp(contestants[end].of_case, contestants[i].of_case) == 0;) {
            end++;
        }
        run_case(&contestants[i], end - i, rounds);
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
