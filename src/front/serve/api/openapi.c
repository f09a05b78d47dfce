/* See openapi.h.  Divisions: parameters; answers; routes. */
#include "front/serve/api/openapi.h"

#include "front/serve/api/api.h"
#include "front/serve/api/document.h"
#include "front/serve/contracts/contract.h"

#include <cella/host.h>
#include <cella/wire.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static json_t *make_groups(struct document *document);
static json_t *make_paths(struct document *document);

int openapi_json(char **ret_json, size_t *ret_size, struct cella_error *err)
{
    struct document document = {.root = json_object()};
    json_t *root = document.root;
    json_t *info = document_info(
        "Runs code nobody vouches for, and says exactly what it did. GET stands for HEAD too.");
    document_set(&document, info, "license",
                 json_pack("{s:s, s:s}", "name", "Apache License 2.0", "identifier", "Apache-2.0"));
    document_set(&document, root, "openapi", json_string("3.1.0"));
    document_set(&document, root, "info", info);
    document_set(&document, root, "servers", json_pack("[{s:s}]", "url", "/"));
    document_set(&document, root, "security", json_pack("[{s:[]}, {}]", "key"));
    document_set(&document, root, "tags", make_groups(&document));
    document_set(&document, root, "paths", make_paths(&document));
    document_set(&document, root, "components",
                 json_pack("{s:o, s:{s:{s:s, s:s, s:s}}}", "schemas", document_schemas(&document),
                           "securitySchemes", "key", "type", "http", "scheme", "bearer",
                           "description",
                           "Of `cella key create`. By the Unix socket, and where the server has no "
                           "keys, none is sent."));
    return document_end(&document, ret_json, ret_size, err);
}

/* ---- parameters ---- */

static json_t *make_type(struct document *document, const struct api_parameter *parameter)
{
    json_t *schema = json_object();
    document_set(document, schema, "type",
                 json_string(parameter->type == API_COUNT ? "integer" : "string"));
    if (parameter->type == API_MOMENT) {
        document_set(document, schema, "pattern", json_string("^[0-9]{4}-[0-9]{2}-[0-9]{2}"));
    }
    if (parameter->type == API_COUNT) {
        document_set(document, schema, "minimum", json_integer(1));
    }
    if (parameter->type == API_VERDICT) {
        json_t *words = json_array();
        for (size_t i = 0; cella_status_name(i) != NULL; i++) {
            document_append(document, words, json_string(cella_status_name(i)));
        }
        document_set(document, schema, "enum", words);
    }
    if (parameter->max > 0) {
        document_set(document, schema, parameter->type == API_COUNT ? "maximum" : "maxLength",
                     json_integer(parameter->max));
    }
    if (parameter->without > 0) {
        document_set(document, schema, "default", json_integer(parameter->without));
    }
    return schema;
}

static json_t *make_parameters(struct document *document, const struct api_route *route)
{
    static const char *const places[] = {
        [API_PATH] = "path", [API_QUERY] = "query", [API_HEADER] = "header"};
    json_t *list = json_array();
    for (size_t i = 0; route->parameters[i] != NULL; i++) {
        const struct api_parameter *parameter = route->parameters[i];
        document_append(document, list,
                        json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", parameter->name, "in",
                                  places[parameter->place], "required",
                                  parameter->place == API_PATH, "description", parameter->meaning,
                                  "schema", make_type(document, parameter)));
    }
    return list;
}

/* ---- answers ---- */

static void set_media(struct document *document, json_t *content, const struct api_body *body)
{
    document_set(document, content, body->type,
                 json_pack("{s:o}", "schema", document_reference(body->schema)));
}

static int status_of(const struct api_answer *answer, bool of_contract)
{
    if (answer->status != 0) {
        return answer->status;
    }
    return of_contract && answer->kind == CELLA_ERROR_POLICY
               ? CONTRACT_FORBIDDEN
               : cella_error_http_status(answer->kind);
}

/* Two of the same status are one with two meanings.  `problem`: what errors are told by; NULL: as
 * the answer says. */
static void add_answer(struct document *document, json_t *responses,
                       const struct api_answer *answer, const struct api_body *problem)
{
    const struct api_body *body = &answer->body;
    if (problem != NULL && body->type != NULL && strcmp(body->schema, API_PROBLEM) == 0) {
        body = problem;
    }
    char status[8];
    (void)snprintf(status, sizeof(status), "%d", status_of(answer, problem != NULL));
    json_t *response = document_object(document, responses, status);
    const char *before = json_string_value(json_object_get(response, "description"));
    document_set(document, response, "description",
                 before != NULL ? json_sprintf("%s; %s", before, answer->meaning)
                                : json_string(answer->meaning));
    if (body->type != NULL) {
        set_media(document, document_object(document, response, "content"), body);
    }
    for (size_t i = 0; answer->headers[i] != NULL; i++) {
        document_set(document, document_object(document, response, "headers"),
                     answer->headers[i]->name,
                     json_pack("{s:s, s:o}", "description", answer->headers[i]->meaning, "schema",
                               make_type(document, answer->headers[i])));
    }
}

static void add_answers(struct document *document, json_t *responses,
                        const struct api_answer *const *answers, const struct api_body *problem)
{
    for (size_t i = 0; answers[i] != NULL; i++) {
        add_answer(document, responses, answers[i], problem);
    }
}

/* ---- routes ---- */

static json_t *make_operation(struct document *document, const struct api_route *route,
                              const struct api_body *problem)
{
    json_t *responses = json_object();
    json_t *operation =
        json_pack("{s:s, s:[s], s:s, s:o}", "operationId", route->name, "tags", route->group,
                  "summary", route->summary, "parameters", make_parameters(document, route));
    if (route->body != NULL) {
        json_t *body = json_pack("{s:b, s:{}}", "required", 1, "content");
        set_media(document, json_object_get(body, "content"), route->body);
        document_set(document, operation, "requestBody", body);
        add_answers(document, responses, api_body_answers, problem);
    }
    add_answers(document, responses, route->answers, problem);
    add_answers(document, responses, api_common_answers, problem);
    if (route->access == API_ANYBODY) {
        document_set(document, operation, "security", json_array());
    } else {
        add_answers(document, responses, api_key_answers, problem);
    }
    document_set(document, operation, "responses", responses);
    return operation;
}

static void add_paths(struct document *document, json_t *paths, const struct api_route *routes,
                      size_t count, const struct api_body *problem)
{
    for (size_t i = 0; i < count; i++) {
        const struct api_route *route = &routes[i];
        char method[16] = "";
        for (size_t k = 0; k + 1 < sizeof(method) && route->method[k] != '\0'; k++) {
            method[k] = (char)tolower((unsigned char)route->method[k]);
        }
        document_set(document, document_object(document, paths, route->path), method,
                     make_operation(document, route, problem));
    }
}

static json_t *make_paths(struct document *document)
{
    json_t *paths = json_object();
    add_paths(document, paths, api_routes, api_route_count, NULL);
    for (size_t i = 0; contracts[i] != NULL; i++) {
        add_paths(document, paths, contracts[i]->routes, contracts[i]->route_count,
                  &contracts[i]->problem);
    }
    return paths;
}

static json_t *make_groups(struct document *document)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < api_group_count; i++) {
        document_append(document, groups,
                        json_pack("{s:s, s:s}", "name", api_groups[i].name, "description",
                                  api_groups[i].meaning));
    }
    return groups;
}
