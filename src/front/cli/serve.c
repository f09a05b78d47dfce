/*
 * `cella serve`: becomes the program cella-serve, which needs more than this one should have to
 * load for every run.  What it is told, by options, variables or defaults, is decided here.
 */
#include "front/cli/options.h"
#include "front/cli/places.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "127.0.0.1:8420"
#define WORDS_MAX      64U /* more addresses than the server takes */

/* The server's name and "NAME=VALUE" for it, each of these malloc'ed. */
struct words {
    char *items[WORDS_MAX + 1];
    size_t count;
};

static void words_done(struct words *words)
{
    for (size_t i = 1; i < words->count; i++) {
        free(words->items[i]);
    }
}
#define AUTO_WORDS __attribute__((cleanup(words_done)))

static int add(struct words *words, const char *name, const char *value, size_t size,
               struct cella_error *err)
{
    if (words->count == WORDS_MAX) {
        return cli_fail(err, CELLA_ERROR_CALLER, NULL, "too many addresses to listen on");
    }
    if (asprintf(&words->items[words->count], "%s=%.*s", name, (int)size, value) < 0) {
        return cli_fail(err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    words->count++;
    return 0;
}

/* A list with commas between. */
static int add_listed(struct words *words, const char *list, struct cella_error *err)
{
    for (;;) {
        size_t size = strcspn(list, ",");
        if (add(words, "listen", list, size, err) < 0) {
            return -1;
        }
        if (list[size] == '\0') {
            return 0;
        }
        list += size + 1;
    }
}

static int add_listens(struct words *words, const struct invocation *invocation,
                       struct cella_error *err)
{
    if (!invocation_has(invocation, OPTION_LISTEN)) {
        const char *listed = invocation_setting(invocation, OPTION_LISTEN);
        return add_listed(words, listed != NULL ? listed : DEFAULT_LISTEN, err);
    }
    for (size_t i = 0; i < invocation->given_count; i++) {
        const struct given_option *given = &invocation->given[i];
        if (given->id == OPTION_LISTEN &&
            add(words, "listen", given->value, strlen(given->value), err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* One with a place of its own when nobody says. */
static int add_place(struct words *words, const struct invocation *invocation, enum option_id id,
                     const char *name, bool (*place)(char ret_path[PATH_MAX]),
                     struct cella_error *err)
{
    char path[PATH_MAX];
    const char *value = invocation_setting(invocation, id);
    if (value == NULL) {
        if (!place(path)) {
            return cli_fail(err, CELLA_ERROR_CALLER, NULL,
                            "the environment does not say where the server's %s is to be: "
                            "give --%s",
                            name, name);
        }
        value = path;
    }
    return add(words, name, value, strlen(value), err);
}

/* What the server has defaults for. */
static int add_given(struct words *words, const struct invocation *invocation,
                     struct cella_error *err)
{
    static const struct {
        enum option_id id;
        const char *name;
    } options[] = {
        {OPTION_POOL_MEMORY, "pool-memory"},
        {OPTION_COMPILE_CACHE, "compile-cache"},
        {OPTION_HISTORY, "history"},
        {OPTION_HISTORY_DAYS, "history-days"},
        {OPTION_LOG, "log"},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *value = invocation_setting(invocation, options[i].id);
        if (value != NULL && add(words, options[i].name, value, strlen(value), err) < 0) {
            return -1;
        }
    }
    return 0;
}

int command_serve(const struct invocation *invocation)
{
    static char name[] = "cella-serve";
    AUTO_WORDS struct words words = {.items = {name}, .count = 1};
    char program[PATH_MAX];
    struct cella_error err;
    if (!place_of_program("cella-serve", program)) {
        (void)cli_fail(&err, CELLA_ERROR_HOST, "install Cella",
                       "cella-serve was found neither beside this program nor in %s",
                       CELLA_LIBEXEC_DIR);
        return report_error(&err);
    }
    if (add_listens(&words, invocation, &err) < 0 ||
        add_place(&words, invocation, OPTION_SOCKET, "socket", place_of_socket, &err) < 0 ||
        add_place(&words, invocation, OPTION_STATE, "state", place_of_state, &err) < 0 ||
        add_given(&words, invocation, &err) < 0) {
        return report_error(&err);
    }
    (void)execv(program, words.items);
    (void)cli_fail_errno(&err, CELLA_ERROR_HOST, "cannot execute %s", program);
    return report_error(&err);
}
