/*
 * Asking an interpreter for its version (see runtime.h).
 *
 * It is the host's own program and is run as it is, outside of any sandbox, with nothing of ours:
 * no environment, no descriptor but the pipe, no shell.  Its time and its words are bounded.  What
 * it says is searched for the first thing that looks like a version.
 */
#include "runtime/runtime.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "runtime/definition.h"
#include "runtime/expand.h"
#include "runtime/version_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_TIME_MAX_US 2000000U
#define PROBE_OUTPUT_MAX  4096U

/* ---- running it ---- */

static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
    if (posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_adddup2(actions, output, 1) != 0 ||
        posix_spawn_file_actions_adddup2(actions, output, 2) != 0 ||
        posix_spawn_file_actions_addclosefrom_np(actions, 3) != 0 ||
        posix_spawn_file_actions_addchdir_np(actions, "/") != 0) {
        return -1;
    }
    return 0;
}

/* A group of its own, so that it ends with what it started; no signal blocked or ignored. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none); /* these fail for bad numbers only */
    (void)sigfillset(&all);
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (posix_spawnattr_setflags(attributes, flags) != 0 ||
        posix_spawnattr_setpgroup(attributes, 0) != 0 ||
        posix_spawnattr_setsigmask(attributes, &none) != 0 ||
        posix_spawnattr_setsigdefault(attributes, &all) != 0) {
        return -1;
    }
    return 0;
}

/* Starts it with both output streams on `output`; -1 when it cannot be started. */
static pid_t start(const char *path, char *const *argv, int output)
{
    char *no_environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = -1;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -1;
    }
    if (posix_spawnattr_init(&attributes) == 0) {
        if (set_actions(&actions, output) < 0 || set_attributes(&attributes) < 0 ||
            posix_spawn(&pid, path, &actions, &attributes, argv, no_environment) != 0) {
            pid = -1;
        }
        (void)posix_spawnattr_destroy(&attributes); /* cannot fail */
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    return pid;
}

/* Waits until the descriptor has something; false when the time is over. */
static bool wait_for(int fd, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now = clock_monotonic_us();
        if (now >= deadline_us) {
            return false;
        }
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int ready = poll(&poll_fd, 1, (int)((deadline_us - now) / 1000) + 1);
        if (ready != 0 && !(ready < 0 && errno == EINTR)) {
            return ready > 0;
        }
    }
}

/* Reads to the end of its words, or of what we take of them. */
static bool read_words(int fd, uint64_t deadline_us, char ret_text[PROBE_OUTPUT_MAX + 1])
{
    size_t size = 0;
    ret_text[0] = '\0';
    while (size < PROBE_OUTPUT_MAX) {
        if (!wait_for(fd, deadline_us)) {
            return false;
        }
        ssize_t got = read(fd, ret_text + size, PROBE_OUTPUT_MAX - size);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got == 0) {
            break;
        }
        size += got > 0 ? (size_t)got : 0;
        ret_text[size] = '\0';
    }
    return true;
}

/* Whether it ended well, in time, with all that it said.  Nothing of it is left in any case. */
static bool probe(const char *path, char *const *argv, char ret_text[PROBE_OUTPUT_MAX + 1])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return false;
    }
    AUTO_CLOSE int from = ends[0];
    AUTO_CLOSE int to = ends[1];
    pid_t pid = start(path, argv, to);
    if (pid < 0) {
        return false;
    }
    fd_close(&to); /* else its words never end */
    uint64_t deadline_us = clock_monotonic_us() + PROBE_TIME_MAX_US;
    AUTO_CLOSE int ended = pidfd_open(pid, 0);
    bool done =
        ended >= 0 && read_words(from, deadline_us, ret_text) && wait_for(ended, deadline_us);
    (void)kill(-pid, SIGKILL); /* not reaped yet, so the number is still its own */
    int status = -1;
    pid_t reaped;
    do {
        reaped = waitpid(pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    return done && reaped == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what it says ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The first number with a point in it and what belongs to it: "3.11.2", "3.1.2p20". */
static bool find_version(const char *text, char ret_version[VERSION_SIZE_MAX])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.";
    for (const char *at = text; *at != '\0'; at++) {
        if (!is_digit(*at)) {
            continue;
        }
        size_t whole = strspn(at, "0123456789");
        if (at[whole] != '.' || !is_digit(at[whole + 1])) {
            at += whole - 1;
            continue;
        }
        size_t size = strspn(at, letters);
        if (size >= VERSION_SIZE_MAX) {
            return false;
        }
        (void)snprintf(ret_version, VERSION_SIZE_MAX, "%.*s", (int)size, at); /* fits */
        return true;
    }
    return false;
}

/* ---- the whole ---- */

/* False when it cannot be told; then it may be another time. */
static bool ask(const struct runtime *runtime, const char *path, char ret_version[VERSION_SIZE_MAX])
{
    struct limits limits;
    limits_init(&limits);
    struct expand_values values = {.runtime = runtime, .path = path, .limits = &limits};
    CLEANUP(spec_strings_done) struct spec_strings words = {0};
    struct cella_error ignored; /* without a version the result says so; nothing else needs it */
    char *argv[DEFINITION_WORDS_MAX + 1];
    char text[PROBE_OUTPUT_MAX + 1];
    if (expand_words(&runtime->version, &values, &words, &ignored) < 0 || words.count == 0 ||
        words.count >= ARRAY_LENGTH(argv)) {
        return false;
    }
    memcpy(argv, words.items, words.count * sizeof(argv[0]));
    argv[words.count] = NULL;
    if (!probe(argv[0], argv, text)) {
        return false;
    }
    if (!find_version(text, ret_version)) {
        (void)snprintf(ret_version, VERSION_SIZE_MAX, "%s", VERSION_NONE); /* fits */
    }
    return true;
}

/* What is remembered in the process comes before the file: a long-lived one whose user has no
 * cache directory would otherwise ask for each run. */
static bool find(const struct runtime *runtime, const struct version_key *key,
                 char ret_version[VERSION_SIZE_MAX])
{
    struct runtime_version_memo *memo = runtime->version_memo;
    if (memo != NULL && memo->path == key->path && memo->size == key->size &&
        memo->changed_ns == key->changed_ns) {
        memcpy(ret_version, memo->version, VERSION_SIZE_MAX);
        return true;
    }
    if (!version_cache_get(key, ret_version)) {
        if (!ask(runtime, key->path, ret_version)) {
            return false;
        }
        version_cache_put(key, ret_version);
    }
    if (memo != NULL) {
        *memo = (struct runtime_version_memo){
            .path = key->path, .size = key->size, .changed_ns = key->changed_ns};
        memcpy(memo->version, ret_version, VERSION_SIZE_MAX);
    }
    return true;
}

void runtime_version(const struct runtime *runtime, const char *path, char *ret_version,
                     size_t version_size)
{
    char version[VERSION_SIZE_MAX] = "";
    struct stat found;
    if (stat(path, &found) == 0) {
        struct version_key key = {
            .path = path,
            .size = (uint64_t)found.st_size,
            .changed_ns =
                (uint64_t)found.st_mtim.tv_sec * 1000000000U + (uint64_t)found.st_mtim.tv_nsec,
        };
        if (!find(runtime, &key, version) || strcmp(version, VERSION_NONE) == 0) {
            version[0] = '\0';
        }
    }
    (void)snprintf(ret_version, version_size, "%s", version); /* cut when the caller's is smaller */
}
