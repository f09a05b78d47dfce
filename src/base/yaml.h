/*
 * YAML from operators (runtimes, policies) as a JSON tree, so that one set of strict readers serves
 * both (base/json.h), and errors that say file, line and column.
 *
 * A subset that means the same to every reader: one document, whose root is a mapping; keys are
 * words, none twice in a mapping; no anchors, aliases, merges or tags.  Plain scalars have the
 * types of YAML 1.2's core schema (so `no` is a string, and `1:30` too); quoted ones are strings.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/attributes.h"
#include "base/json.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>

#define YAML_TEXT_SIZE_MAX  65536U /* bytes of a file */
#define YAML_TEXT_DEPTH_MAX 8      /* mappings and sequences within each other */
#define YAML_TEXT_NODES_MAX 4096U  /* values in a file, members and elements counted alike */
#define YAML_TEXT_KEY_MAX   63     /* bytes of a key: letters, digits, '_', '-' */

struct yaml_text; /* a tree, and where in the text its parts lie */

/* `file` is the name for errors and is copied.  CELLA_ERROR_HOST, because the file is the
 * operator's: "FILE:LINE:COLUMN: what is wrong". */
int yaml_text_parse(const char *file, const char *text, size_t size, struct yaml_text **ret_yaml,
                    struct cella_error *err) MUST_CHECK;
void yaml_text_destroy(struct yaml_text *yaml);

/* The tree: an object.  It belongs to `yaml`. */
json_t *yaml_text_root(const struct yaml_text *yaml);

/* Where the value of that path ("limits.wall_ms", "run[2]") is said, from 1; for a member, where
 * its key is.  False when the text has no such value. */
bool yaml_text_find(const struct yaml_text *yaml, const char *path, size_t *ret_line,
                    size_t *ret_column);

/* Turns an error that a reader of base/json.h gave for this tree into one of the file, with the
 * place its field has there.  Kinds other than CELLA_ERROR_CALLER stay as they are.  Returns -1. */
int yaml_text_place(const struct yaml_text *yaml, struct cella_error *err);

#endif
