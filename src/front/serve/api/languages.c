/* See languages.h. */
#include "front/serve/api/languages.h"

#include "base/buffer.h"
#include "base/fd.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/server.h"

#include <cella/host.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_BYTES_MAX ((size_t)4 << 20)
#define OUT_FD         3 /* of the process apart */

struct languages {
    struct server *server;
    struct exchange_list waiting;
    struct loop_watch *watch; /* where the list comes from; NULL: nobody is asking */
    pid_t pid;
    struct buffer text;
    bool is_there; /* all of it, and those who have waited are handled */
};

/* ---- the process apart ---- */

/* It has none of the server's descriptors, so that nothing stays open by it, and its confinement.
 * Nobody ends it before it has asked: it would leave behind the interpreter that it asks, for whose
 * time it alone sees to. */
static void ask(const char *policies_dir, int out)
{
    const struct cella_options options = {.size = sizeof(options), .policies_dir = policies_dir};
    struct cella_error err;
    char *json = NULL;
    (void)prctl(PR_SET_NAME, "cella-languages");
    if (dup2(out, OUT_FD) != OUT_FD || close_range(OUT_FD + 1, ~0U, 0) < 0) {
        _exit(1);
    }
    /* What went wrong is told as it is: a reason begins with no brace. */
    const bool listed = cella_languages_json(&options, &json, &err) == 0;
    const char *text = listed ? json : err.text;
    _exit(fd_write_full(OUT_FD, text, strlen(text)) < 0);
}

static void reap(struct languages *languages)
{
    while (languages->pid > 0 && waitpid(languages->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    languages->pid = 0;
}

/* ---- those who wait ---- */

/* Each as it is there, or told that there is none. */
static void serve_waiting(struct languages *languages, const struct cella_error *error)
{
    while (!TAILQ_EMPTY(&languages->waiting)) {
        struct exchange *exchange = TAILQ_FIRST(&languages->waiting);
        TAILQ_REMOVE(&languages->waiting, exchange, waiting);
        exchange->put_off = NULL;
        if (error == NULL) {
            exchange_handle(exchange);
        } else {
            answer_problem(exchange, 0, error);
            exchange_drop_body(exchange);
        }
    }
}

static void finish(struct languages *languages, bool is_whole)
{
    struct buffer *text = &languages->text;
    struct cella_error error;
    const bool is_good =
        is_whole && text->size > 0 && text->data[0] == '{' && buffer_add(text, "", 1) == 0;
    loop_close(languages->watch);
    languages->watch = NULL;
    reap(languages);
    if (!is_good) {
        const char *why = "the process that asks for them has failed";
        (void)serve_fail(&error, CELLA_ERROR_HOST, "the languages cannot be listed: %.*s",
                         text->size > 0 ? (int)text->size : (int)strlen(why),
                         text->size > 0 ? text->data : why);
    }
    languages->is_there = is_good;
    serve_waiting(languages, is_good ? NULL : &error);
    languages->is_there = false;
    buffer_done(text);
}

static void on_text(void *context)
{
    struct languages *languages = context;
    char data[4096];
    const ssize_t size = read(loop_socket(languages->watch), data, sizeof(data));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0 || buffer_add(&languages->text, data, (size_t)size) < 0) {
        if (size > 0) {
            (void)kill(languages->pid, SIGKILL); /* it has asked, and nobody reads the rest */
        }
        finish(languages, size == 0);
    }
}

static int begin(struct languages *languages, struct cella_error *err)
{
    static const struct loop_events events = {.readable = on_text};
    struct server *server = languages->server;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot make a pipe");
    }
    languages->pid = fork();
    if (languages->pid == 0) {
        ask(server->policies_dir, ends[1]);
    }
    (void)close(ends[1]);
    if (languages->pid < 0) {
        (void)close(ends[0]);
        return serve_fail_errno(err, CELLA_ERROR_HOST, "cannot start a process");
    }
    buffer_init(&languages->text, LIST_BYTES_MAX);
    languages->watch = loop_add_descriptor(server->loop, ends[0], &events, languages);
    if (languages->watch == NULL) {
        (void)kill(languages->pid, SIGKILL); /* nobody would read what it says */
        reap(languages);
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    return 0;
}

/* ---- for handlers ---- */

const char *languages_list(const struct server *server)
{
    const struct languages *languages = server->languages;
    return languages != NULL && languages->is_there ? languages->text.data : NULL;
}

void languages_wait(struct exchange *exchange)
{
    struct server *server = exchange->server;
    struct cella_error err;
    if (server->languages == NULL) {
        server->languages = calloc(1, sizeof(*server->languages));
        if (server->languages == NULL) {
            (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
            answer_problem(exchange, 0, &err);
            return;
        }
        server->languages->server = server;
        TAILQ_INIT(&server->languages->waiting);
    }
    if (server->languages->watch == NULL && begin(server->languages, &err) < 0) {
        answer_problem(exchange, 0, &err);
        return;
    }
    TAILQ_INSERT_TAIL(&server->languages->waiting, exchange, waiting);
    exchange->put_off = &server->languages->waiting;
}

void languages_destroy(struct languages *languages)
{
    if (languages == NULL) {
        return;
    }
    if (languages->watch != NULL) {
        loop_close(languages->watch); /* that it is not wanted it will find out by itself */
    }
    buffer_done(&languages->text);
    free(languages);
}
