/*
 * The request's own files, asked about by what a report says of them.  For src/diagnose alone.
 */
#ifndef DIAGNOSE_SOURCES_H
#define DIAGNOSE_SOURCES_H

#include "base/pattern.h"
#include "diagnose/diagnose.h"

#include <stdbool.h>

/* A file as a report names it. */
struct source_place {
    struct pattern_piece name; /* relative to the workspace when it lies there */
    bool in_workspace;
    const struct diagnose_file *file; /* of the request; NULL: it is none of its */
};
struct source_place source_find(const struct diagnose_sources *sources, struct pattern_piece name);

/* A line, from 1, without its newline; no data when the file has no such line, or is not kept. */
struct pattern_piece source_line(const struct diagnose_file *file, uint32_t line);

/* The identifier of the request's files, or word of `names`, that was probably meant by `word`.
 * Empty when none is near. */
#define SOURCE_NAME_SIZE 64
void source_closest(const struct diagnose_sources *sources, const char *const *names,
                    size_t names_count, struct pattern_piece word, char ret_name[SOURCE_NAME_SIZE]);

#endif
