/*
 * A document that describes the service, while it is made: parts of JSON, and the schemas that all
 * documents share (schema/, schemas.json), which are in this program.
 *
 * Nothing here fails but for memory: that is noted, and told once at the end.
 */
#ifndef SERVE_DOCUMENT_H
#define SERVE_DOCUMENT_H

#include "base/json.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

struct document {
    json_t *root; /* an object */
    bool failed;
};

/* Each takes `value`; NULL is memory that was short. */
void document_set(struct document *document, json_t *object, const char *name, json_t *value);
void document_append(struct document *document, json_t *array, json_t *value);
/* The object of that name, which is made when it is not there. */
json_t *document_object(struct document *document, json_t *object, const char *name);

/* What is said of Cella itself. */
json_t *document_info(const char *description);
/* All schemas by their names, of which document_end() keeps those that are referred to. */
json_t *document_schemas(struct document *document);
/* A reference to one of them. */
json_t *document_reference(const char *schema);

/* The text, malloc'ed, with a NUL behind its size.  Frees what was made. */
int document_end(struct document *document, char **ret_json, size_t *ret_size,
                 struct cella_error *err) __attribute__((warn_unused_result));

#endif
