/*
 * See openapi.h.  Divisions: parts of JSON; parameters; answers; routes; the document.
 *
 * Nothing here fails but for memory: that is noted in the maker, and told once at the end.
 */
#include "front/serve/openapi.h"

#include "base/json.h"
#include "front/serve/api.h"
#include "front/serve/fail.h"

#include <cella/wire.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* From documents.S. */
extern const char serve_request_text[];
extern const char serve_result_text[];
extern const char serve_summary_text[];
extern const char serve_problem_text[];
extern const char serve_schemas_text[];

#define SCHEMAS "#/components/schemas/"

struct maker {
    bool failed;
};

static json_t *make_components(struct maker *maker);
static json_t *make_groups(struct maker *maker);
static json_t *make_paths(struct maker *maker);

int openapi_json(char **ret_json, size_t *ret_size, struct cella_error *err)
{
    struct maker maker = {.failed = false};
    AUTO_JSON json_t *document = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[]}", "openapi", "3.1.0", "info",
        "title", "Cella", "version", cella_version(), "description",
        "Runs code nobody vouches for, and says exactly what it did. GET stands for HEAD too.",
        "license", "name", "Apache License 2.0", "identifier", "Apache-2.0", "servers", "url", "/",
        "security");
    json_t *groups = make_groups(&maker);
    json_t *paths = make_paths(&maker);
    json_t *components = make_components(&maker);
    if (json_object_set_new(document, "tags", groups) < 0 ||
        json_object_set_new(document, "paths", paths) < 0 ||
        json_object_set_new(document, "components", components) < 0) {
        maker.failed = true;
    }
    char *json = maker.failed ? NULL : json_dumps(document, JSON_INDENT(2));
    if (json == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_json = json;
    *ret_size = strlen(json);
    return 0;
}

/* ---- parts of JSON ---- */

static void set(struct maker *maker, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) < 0) {
        maker->failed = true;
    }
}

static void append(struct maker *maker, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0) {
        maker->failed = true;
    }
}

/* The object of that name, which is made when it is not there. */
static json_t *object_at(struct maker *maker, json_t *object, const char *name)
{
    if (json_object_get(object, name) == NULL) {
        set(maker, object, name, json_object());
    }
    return json_object_get(object, name);
}

/* ---- parameters ---- */

static json_t *make_type(struct maker *maker, const struct api_parameter *parameter)
{
    json_t *schema = json_object();
    set(maker, schema, "type", json_string(parameter->type == API_COUNT ? "integer" : "string"));
    if (parameter->type == API_MOMENT) {
        set(maker, schema, "pattern", json_string("^[0-9]{4}-[0-9]{2}-[0-9]{2}"));
    }
    if (parameter->type == API_COUNT) {
        set(maker, schema, "minimum", json_integer(1));
    }
    if (parameter->max > 0) {
        set(maker, schema, parameter->type == API_COUNT ? "maximum" : "maxLength",
            json_integer(parameter->max));
    }
    if (parameter->without > 0) {
        set(maker, schema, "default", json_integer(parameter->without));
    }
    return schema;
}

static json_t *make_parameters(struct maker *maker, const struct api_route *route)
{
    static const char *const places[] = {
        [API_PATH] = "path", [API_QUERY] = "query", [API_HEADER] = "header"};
    json_t *list = json_array();
    for (size_t i = 0; route->parameters[i] != NULL; i++) {
        const struct api_parameter *parameter = route->parameters[i];
        append(maker, list,
               json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", parameter->name, "in",
                         places[parameter->place], "required", parameter->place == API_PATH,
                         "description", parameter->meaning, "schema", make_type(maker, parameter)));
    }
    return list;
}

/* ---- answers ---- */

static json_t *make_reference(const char *schema)
{
    return json_pack("{s:o}", "$ref", json_sprintf(SCHEMAS "%s", schema));
}

static void set_media(struct maker *maker, json_t *content, const struct api_body *body)
{
    set(maker, content, body->type, json_pack("{s:o}", "schema", make_reference(body->schema)));
}

/* Two of the same status are one with two meanings. */
static void add_answer(struct maker *maker, json_t *responses, const struct api_answer *answer)
{
    char status[8];
    (void)snprintf(status, sizeof(status), "%d",
                   answer->status != 0 ? answer->status : cella_error_http_status(answer->kind));
    json_t *response = object_at(maker, responses, status);
    const char *before = json_string_value(json_object_get(response, "description"));
    set(maker, response, "description",
        before != NULL ? json_sprintf("%s; %s", before, answer->meaning)
                       : json_string(answer->meaning));
    if (answer->body.type != NULL) {
        set_media(maker, object_at(maker, response, "content"), &answer->body);
    }
    for (size_t i = 0; answer->headers[i] != NULL; i++) {
        set(maker, object_at(maker, response, "headers"), answer->headers[i]->name,
            json_pack("{s:s, s:o}", "description", answer->headers[i]->meaning, "schema",
                      make_type(maker, answer->headers[i])));
    }
}

static void add_answers(struct maker *maker, json_t *responses,
                        const struct api_answer *const *answers)
{
    for (size_t i = 0; answers[i] != NULL; i++) {
        add_answer(maker, responses, answers[i]);
    }
}

/* ---- routes ---- */

static json_t *make_operation(struct maker *maker, const struct api_route *route)
{
    json_t *responses = json_object();
    json_t *operation =
        json_pack("{s:s, s:[s], s:s, s:o}", "operationId", route->name, "tags", route->group,
                  "summary", route->summary, "parameters", make_parameters(maker, route));
    if (route->body != NULL) {
        json_t *body = json_pack("{s:b, s:{}}", "required", 1, "content");
        set_media(maker, json_object_get(body, "content"), route->body);
        set(maker, operation, "requestBody", body);
        add_answers(maker, responses, api_body_answers);
    }
    add_answers(maker, responses, route->answers);
    add_answers(maker, responses, api_common_answers);
    set(maker, operation, "responses", responses);
    return operation;
}

static json_t *make_paths(struct maker *maker)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < api_route_count; i++) {
        const struct api_route *route = &api_routes[i];
        char method[16] = "";
        for (size_t k = 0; k + 1 < sizeof(method) && route->method[k] != '\0'; k++) {
            method[k] = (char)tolower((unsigned char)route->method[k]);
        }
        set(maker, object_at(maker, paths, route->path), method, make_operation(maker, route));
    }
    return paths;
}

static json_t *make_groups(struct maker *maker)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < api_group_count; i++) {
        append(maker, groups,
               json_pack("{s:s, s:s}", "name", api_groups[i].name, "description",
                         api_groups[i].meaning));
    }
    return groups;
}

/* ---- schemas ---- */

static void add_schema(struct maker *maker, json_t *schemas, const char *name, const char *text)
{
    json_t *schema = json_loads(text, 0, NULL);
    (void)json_object_del(schema, "$schema"); /* the document's own */
    set(maker, schemas, name, schema);
}

static json_t *make_components(struct maker *maker)
{
    json_t *schemas = json_loads(serve_schemas_text, 0, NULL);
    add_schema(maker, schemas, "Request", serve_request_text);
    add_schema(maker, schemas, "Result", serve_result_text);
    add_schema(maker, schemas, "Summary", serve_summary_text);
    add_schema(maker, schemas, "Problem", serve_problem_text);
    return json_pack("{s:o}", "schemas", schemas);
}
