/* A runtime from its file. */
#ifndef RUNTIME_READ_H
#define RUNTIME_READ_H

#include "runtime/definition.h"
#include "runtime/runtime.h"

/* CELLA_ERROR_HOST with file, line and column when the file does not describe a runtime. */
int runtime_read(const char *name, const struct definition *definition,
                 struct runtime **ret_runtime, struct cella_error *err) MUST_CHECK;
void runtime_destroy(struct runtime *runtime);

#endif
