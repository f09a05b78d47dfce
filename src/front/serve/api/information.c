/* See information.h. */
#include "front/serve/api/information.h"

#include "base/buffer.h"
#include "base/json_write.h"
#include "front/serve/api/languages.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/server.h"

#include <cella/host.h>
#include <cella/policy.h>
#include <cella/wire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer_word(struct exchange *exchange, const char *name, const char *value)
{
    char *json = NULL;
    int size = asprintf(&json, "{\"%s\": \"%s\"}\n", name, value);
    answer_json(exchange, 200, size > 0 ? json : NULL, size > 0 ? (size_t)size : 0);
}

void information_health(struct exchange *exchange)
{
    answer_word(exchange, "status", "ok");
}

void information_readiness(struct exchange *exchange)
{
    struct cella_error error;
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return;
    }
    answer_word(exchange, "status", "ready");
}

void information_version(struct exchange *exchange)
{
    const bool *confined = exchange->server->confined;
    struct buffer text;
    struct json_writer writer;
    buffer_init(&text, 0);
    json_write_init(&writer, &text);
    json_write_open(&writer, '{');
    json_write_member(&writer, "version", cella_version());
    json_write_key(&writer, "confinement");
    json_write_open(&writer, '[');
    for (enum confine_layer i = 0; i < CONFINE_COUNT; i++) {
        if (confined[i]) {
            json_write_string(&writer, confine_name(i));
        }
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    if (buffer_add_string(&text, "\n") < 0 || writer.failed) {
        buffer_done(&text); /* then it has no text */
    }
    answer_json(exchange, 200, text.data, text.size);
}

void information_metrics(struct exchange *exchange)
{
    struct cella_error error;
    char *text = NULL;
    size_t size = 0;
    const bool is_open = http_header_has(&exchange->head, "Accept", "application/openmetrics-text");
    if (metrics_text(exchange->server, is_open ? METRICS_OPEN : METRICS_TEXT, &text, &size,
                     &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_text(exchange,
                is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                        : "text/plain; version=0.0.4; charset=utf-8",
                text, size);
}

void information_pools(struct exchange *exchange)
{
    struct cella_error error;
    char *json = NULL;
    size_t size = 0;
    if (server_check_ready(exchange->server, &error) < 0) {
        answer_problem(exchange, 503, &error);
        return;
    }
    if (cella_pools_json(exchange->server->engine, &json, &size, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, size);
}

void information_languages(struct exchange *exchange)
{
    const char *list = languages_list(exchange->server);
    if (list == NULL) {
        languages_wait(exchange);
        return;
    }
    char *json = strdup(list);
    answer_json(exchange, 200, json, json != NULL ? strlen(json) : 0);
}

void information_policies(struct exchange *exchange)
{
    const struct cella_options options = {.size = sizeof(options),
                                          .policies_dir = exchange->server->policies_dir};
    struct cella_error error;
    char *json = NULL;
    if (cella_policies_json(&options, &json, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return;
    }
    answer_json(exchange, 200, json, strlen(json));
}

static void answer_document(struct exchange *exchange, enum server_document which)
{
    const struct server *server = exchange->server;
    char *json = strdup(server->documents[which]);
    answer_json(exchange, 200, json, json != NULL ? strlen(json) : 0);
}

void information_openapi(struct exchange *exchange)
{
    answer_document(exchange, SERVER_OPENAPI);
}

void information_asyncapi(struct exchange *exchange)
{
    answer_document(exchange, SERVER_ASYNCAPI);
}
