/* See document.h. */
#include "front/serve/api/document.h"

#include "front/serve/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMAS "#/components/schemas/"

/* From documents.S. */
extern const char serve_request_text[];
extern const char serve_result_text[];
extern const char serve_summary_text[];
extern const char serve_problem_text[];
extern const char serve_batch_text[];
extern const char serve_batch_result_text[];
extern const char serve_schemas_text[];

void document_set(struct document *document, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) < 0) {
        document->failed = true;
    }
}

void document_append(struct document *document, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0) {
        document->failed = true;
    }
}

json_t *document_object(struct document *document, json_t *object, const char *name)
{
    if (json_object_get(object, name) == NULL) {
        document_set(document, object, name, json_object());
    }
    return json_object_get(object, name);
}

json_t *document_info(const char *description)
{
    return json_pack("{s:s, s:s, s:s}", "title", "Cella", "version", cella_version(), "description",
                     description);
}

static void add_schema(struct document *document, json_t *schemas, const char *name,
                       const char *text)
{
    json_t *schema = json_loads(text, 0, NULL);
    (void)json_object_del(schema, "$schema"); /* the document's own */
    document_set(document, schemas, name, schema);
}

json_t *document_schemas(struct document *document)
{
    json_t *schemas = json_loads(serve_schemas_text, 0, NULL);
    add_schema(document, schemas, "Request", serve_request_text);
    add_schema(document, schemas, "Result", serve_result_text);
    add_schema(document, schemas, "Summary", serve_summary_text);
    add_schema(document, schemas, "Problem", serve_problem_text);
    add_schema(document, schemas, "Batch", serve_batch_text);
    add_schema(document, schemas, "BatchResult", serve_batch_result_text);
    return schemas;
}

json_t *document_reference(const char *schema)
{
    return json_pack("{s:o}", "$ref", json_sprintf(SCHEMAS "%s", schema));
}

/* Schemas that nothing refers to, until none is left of them: one may refer to another. */
static void drop_unused(struct document *document)
{
    json_t *schemas = json_object_get(json_object_get(document->root, "components"), "schemas");
    size_t before = 0;
    while (before != json_object_size(schemas)) {
        before = json_object_size(schemas);
        const char *name;
        json_t *schema;
        void *next;
        char *text = json_dumps(document->root, JSON_COMPACT);
        json_object_foreach_safe(schemas, next, name, schema)
        {
            char reference[128];
            (void)snprintf(reference, sizeof(reference), "\"" SCHEMAS "%s\"", name);
            if (text != NULL && strstr(text, reference) == NULL) {
                (void)json_object_del(schemas, name);
            }
        }
        document->failed |= text == NULL;
        free(text);
    }
}

int document_end(struct document *document, char **ret_json, size_t *ret_size,
                 struct cella_error *err)
{
    drop_unused(document);
    char *json = document->failed ? NULL : json_dumps(document->root, JSON_INDENT(2));
    json_decref(document->root);
    if (json == NULL) {
        return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
    }
    *ret_json = json;
    *ret_size = strlen(json);
    return 0;
}
