/*
 * cella-serve: the server, started by `cella serve`.  It runs programs for whoever asks over HTTP,
 * by one engine, in one loop, without threads.
 *
 *   server.c    who connects, how it ends
 *   keepers.c   the engine and its keeper, or the next one
 *   settings/   what it is told: options, variables, a configuration file; read again at SIGHUP
 *   host/       the loop, the sockets it listens on, systemd; how it confines itself
 *   http/       a socket, what is spoken on it, one request and its answer (exchange.h)
 *   api/        what there is: one table of routes, of which the descriptions are made; who may ask
 *   tenants/    whose keys there are, what each may, and whose turn it is
 *   runs/       a run (job.h) and its events; the routes of runs; batches
 *   contracts/  what clients of other servers send and expect: /execute, Piston
 *   records/    what is written down: history, what tenants use, audit log, metrics, traces
 *
 * A request comes by http/, finds its row in api/, is let in by tenants/, is a job of runs/, and is
 * told of by records/.
 *
 * It is a client of libcella like any other and includes nothing of it but <cella/...>, and base/.
 */
#include "front/serve/api/asyncapi.h"
#include "front/serve/api/openapi.h"
#include "front/serve/log.h"
#include "front/serve/server.h"
#include "front/serve/settings/settings.h"

#include <cella/host.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_SIGNAL 128 /* and its number, as a shell has it */

static int report(const struct cella_error *err)
{
    (void)fprintf(stderr, "cella: %s\n", err->text);
    if (err->hint[0] != '\0') {
        (void)fprintf(stderr, "  hint: %s\n", err->hint);
    }
    return cella_error_exit_code(err->kind);
}

/* `cella-serve openapi`: what GET /openapi.json gives, without a server; and asyncapi likewise. */
static const struct document {
    const char *name;
    int (*make)(char **ret_json, size_t *ret_size, struct cella_error *err);
} documents[] = {{"openapi", openapi_json}, {"asyncapi", asyncapi_json}};

static int print_document(const struct document *document)
{
    struct cella_error err;
    char *json = NULL;
    size_t size = 0;
    if (document->make(&json, &size, &err) < 0) {
        return report(&err);
    }
    const bool good =
        fwrite(json, 1, size, stdout) == size && putchar('\n') == '\n' && fflush(stdout) == 0;
    free(json);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check(const struct settings *settings)
{
    struct cella_error err;
    if (server_check(settings, &err) < 0) {
        return report(&err);
    }
    return settings_print(settings, stdout) < 0 ? EXIT_FAILURE : 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(documents) / sizeof(documents[0]); i++) {
        if (strcmp(argv[1], documents[i].name) == 0) {
            return print_document(&documents[i]);
        }
    }
    struct settings settings;
    struct server server;
    struct cella_error err;
    if (settings_read(argv + (argc > 0), &settings, &err) < 0) {
        return report(&err);
    }
    if (settings.check) {
        const int code = check(&settings);
        settings_done(&settings);
        return code;
    }
    if (settings.tell_state) {
        const bool told = fputs(settings.state, stdout) >= 0 && fflush(stdout) == 0;
        settings_done(&settings);
        return told ? 0 : EXIT_FAILURE;
    }
    if (settings.log != NULL && log_open(settings.log, &err) < 0) {
        settings_done(&settings);
        return report(&err);
    }
    log_set_format((enum log_format)settings.log_format);
    int code = 0;
    if (server_open(&settings, &server, &err) < 0 || server_run(&server, &err) < 0) {
        code = report(&err);
    } else if (server.ended_by != 0) {
        code = EXIT_SIGNAL + server.ended_by;
    }
    server_close(&server);
    log_line("ended");
    log_close();
    settings_done(&settings);
    return code;
}
