/* A runtime from its file. */
#ifndef RUNTIME_READ_H
#define RUNTIME_READ_H

#include "runtime/definition.h"
#include "runtime/runtime.h"

/* CELLA_ERROR_HOST with file, line and column when the file does not describe a runtime. */
int runtime_read(const char *name, const struct definition *definition,
                 struct runtime **ret_runtime, struct cella_error *err) MUST_CHECK;
/* The same from the tree alone: CELLA_ERROR_CALLER with the field that is wrong. */
int runtime_read_tree(const char *name, const char *file, json_t *root,
                      struct runtime **ret_runtime, struct cella_error *err) MUST_CHECK;

#endif
