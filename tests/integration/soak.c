/*
 * Many runs through one engine: `soak GUEST RUNS`.
 *
 * A quarter of the runs hit a limit, four are on their way at any time.  Every result must be the
 * one that its program has to get, and afterwards this process and its keeper must hold as many
 * descriptors as before; their memory must not have grown with the number of runs.
 */
#include <cella/cella.h>
#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONCURRENT 4
#define WARM_UP    200

/* In the keeper, for some sandboxes that are made ahead: how many are, follows from what was
 * wanted of late.  What each run left would be thousands. */
#define AHEAD_DESCRIPTORS 128

/* A sanitizer keeps what was freed, to find uses of it: there the figure says nothing. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MAX_KIB (1L << 30)
#else
#define GROWTH_MAX_KIB 1024
#endif

static const struct kind {
    const char *argument;
    const char *limit; /* "name=value", or NULL */
    const char *status;
    bool stop_on_output;
    bool collect;
} kinds[] = {
    {"hello", NULL, "ok", false, false},
    {"exit", NULL, "exit", false, false},
    {"hello", NULL, "ok", false, false},
    {"sleep", "limits.wall_ms=30ms", "wall_time", false, false},
    {"crash", NULL, "signal", false, false},
    {"orphan", NULL, "ok", false, false},
    {"file", NULL, "ok", false, true},
    {"allocate", "limits.memory_bytes=8m", "memory", false, false},
    {"hello", NULL, "ok", false, false},
    {"exit", NULL, "exit", false, false},
    {"file", NULL, "ok", false, true},
    {"spin", "limits.cpu_ms=20ms", "cpu_time", false, false},
    {"hello", NULL, "ok", false, false},
    {"exit", NULL, "exit", false, false},
    {"hello", NULL, "ok", false, false},
    {"flood", "limits.stdout_bytes=64k", "output", true, false},
    {"hello", NULL, "ok", false, false},
    {"crash", NULL, "signal", false, false},
    {"hello", NULL, "ok", false, false},
    {"fork", "limits.processes=8", "processes", false, false},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct soak {
    struct cella_engine *engine;
    unsigned char *guest;
    size_t guest_size;
    int started, done, wrong;
};

/* One of CONCURRENT places for a run. */
struct slot {
    struct soak *soak;
    const struct kind *kind;
    struct cella_run *run;
    bool finished;
};

static void die(const char *what, const struct cella_error *err)
{
    fprintf(stderr, "soak: %s: %s %s\n", what, err->text, err->hint);
    exit(1);
}

static void note_done(void *context, struct cella_run *run)
{
    struct slot *slot = context;
    const struct cella_result *result = cella_run_result(run);
    struct cella_file file;
    const bool collected = !slot->kind->collect || (cella_result_file(result, 0, &file) &&
                                                    file.size == strlen("collected\n"));
    if (strcmp(cella_result_status(result), slot->kind->status) != 0 || !collected) {
        fprintf(stderr, "soak: run %d (%s) is %s, not %s: %s\n", slot->soak->done,
                slot->kind->argument, cella_result_status(result), slot->kind->status,
                cella_result_message(result));
        slot->soak->wrong++;
    }
    slot->soak->done++;
    slot->finished = true;
}

static void set(struct cella_request *request, const char *field, const char *value)
{
    struct cella_error err;
    if (cella_request_set(request, field, value, &err) != 0) {
        die(field, &err);
    }
}

static void start(struct slot *slot)
{
    struct soak *soak = slot->soak;
    struct cella_error err;
    struct cella_request *request = NULL;
    struct cella_callbacks callbacks = {
        .size = sizeof(callbacks), .context = slot, .done = note_done};

    slot->kind = &kinds[(size_t)soak->started++ % KINDS];
    slot->finished = false;
    if (cella_request_create(&request, &err) != 0 ||
        cella_request_add(request, "command", "/workspace/guest", &err) != 0 ||
        cella_request_add(request, "command", slot->kind->argument, &err) != 0 ||
        cella_request_add_file(request, "guest", soak->guest, soak->guest_size,
                               CELLA_FILE_EXECUTABLE, &err) != 0) {
        die("request", &err);
    }
    if (slot->kind->limit != NULL) {
        char name[64];
        const char *equals = strchr(slot->kind->limit, '=');
        snprintf(name, sizeof(name), "%.*s", (int)(equals - slot->kind->limit), slot->kind->limit);
        set(request, name, equals + 1);
    }
    if (slot->kind->stop_on_output) {
        set(request, "on_output_limit", "stop");
    }
    if (slot->kind->collect && cella_request_add(request, "collect", "*.txt", &err) != 0) {
        die("collect", &err);
    }
    if (cella_run_start(soak->engine, request, 0, &callbacks, &slot->run, &err) != 0) {
        die("start", &err);
    }
    cella_request_destroy(request);
}

/* What is made ahead is there again, and what is let go has gone, when nothing is heard of it. */
static void settle(struct soak *soak)
{
    struct cella_error err;
    struct pollfd wait = {.fd = cella_engine_fd(soak->engine), .events = POLLIN};
    while (poll(&wait, 1, 1000) > 0 && cella_engine_process(soak->engine, &err) == 0) {
    }
}

static void run_all(struct soak *soak, int runs)
{
    struct slot slots[CONCURRENT] = {0};
    struct cella_error err;
    const int target = soak->done + runs;

    while (soak->done < target) {
        for (size_t i = 0; i < CONCURRENT; i++) {
            slots[i].soak = soak;
            if (slots[i].finished) {
                cella_run_free(slots[i].run);
                slots[i].run = NULL;
            }
            if (slots[i].run == NULL && soak->started < target) {
                start(&slots[i]);
            }
        }
        struct pollfd wait = {.fd = cella_engine_fd(soak->engine), .events = POLLIN};
        poll(&wait, 1, -1);
        if (cella_engine_process(soak->engine, &err) != 0) {
            die("engine", &err);
        }
    }
    for (size_t i = 0; i < CONCURRENT; i++) {
        cella_run_free(slots[i].run);
    }
    settle(soak);
}

static int count_descriptors(const char *pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static long resident_kib(const char *pid)
{
    char path[64], line[256];
    long kib = 0;
    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        sscanf(line, "VmRSS: %ld", &kib);
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

/* The keeper is this process's only child. */
static void find_keeper(char *pid, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(pid, (int)size, file) == NULL) {
        snprintf(pid, size, "0");
    }
    pid[strcspn(pid, " \n")] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

static void read_guest(struct soak *soak, const char *path)
{
    FILE *file = fopen(path, "rb");
    soak->guest = malloc(1 << 22);
    soak->guest_size = file != NULL ? fread(soak->guest, 1, 1 << 22, file) : 0;
    if (soak->guest_size == 0) {
        fprintf(stderr, "soak: cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
}

int main(int count, char **words)
{
    struct soak soak = {0};
    struct cella_error err;
    char keeper[32];

    if (count != 3) {
        fprintf(stderr, "usage: soak GUEST RUNS\n");
        return 2;
    }
    read_guest(&soak, words[1]);
    if (cella_engine_open(NULL, &soak.engine, &err) != 0) {
        die("open", &err);
    }
    run_all(&soak, WARM_UP);
    find_keeper(keeper, sizeof(keeper));
    const int own_before = count_descriptors("self"), keeper_before = count_descriptors(keeper);
    const long own_kib = resident_kib("self"), keeper_kib = resident_kib(keeper);
    run_all(&soak, (int)strtol(words[2], NULL, 10));
    const int own_after = count_descriptors("self"), keeper_after = count_descriptors(keeper);
    const long own_growth = resident_kib("self") - own_kib;
    const long keeper_growth = resident_kib(keeper) - keeper_kib;
    cella_engine_close(soak.engine);
    free(soak.guest);
    printf("%d runs, %d wrong; descriptors %d -> %d, keeper %d -> %d; memory +%ld KiB, keeper "
           "+%ld KiB\n",
           soak.done, soak.wrong, own_before, own_after, keeper_before, keeper_after, own_growth,
           keeper_growth);
    return soak.wrong != 0 || own_after != own_before ||
           keeper_after > keeper_before + AHEAD_DESCRIPTORS || own_growth > GROWTH_MAX_KIB ||
           keeper_growth > GROWTH_MAX_KIB;
}
