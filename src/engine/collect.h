/*
 * Reads the pack that comes out of a sandbox, piece by piece as its pipe gives it, into collected
 * files.  What comes is hostile until checked: nothing is believed but what fits the limits.
 */
#ifndef ENGINE_COLLECT_H
#define ENGINE_COLLECT_H

#include "base/attributes.h"
#include "isolate/pack.h"
#include "result/result.h"

#include <cella/error.h>
#include <stdbool.h>

enum collect_state {
    COLLECT_HEADER,
    COLLECT_PATH,
    COLLECT_CONTENT,
    COLLECT_PADDING,
    COLLECT_COMPLETE, /* the end record came */
};

struct collect {
    enum collect_state state;
    size_t filled; /* bytes of the current part that are there */
    struct pack_header header;
    char path[PACK_PATH_MAX];
    char *content;   /* of the current file */
    uint64_t room;   /* bytes of content that may still come */
    size_t came_max; /* files with content at most */
    size_t came;     /* of them so far */
    struct result_file *files;
    size_t file_count;
    bool cut_short; /* by collect_files, or by how many that are left behind are named */
};

void collect_init(struct collect *collect, uint64_t bytes_max, uint64_t files_max);
void collect_done(struct collect *collect);

/* CELLA_ERROR_BUG when the pack is malformed or passes a limit: init would have kept to it. */
int collect_add(struct collect *collect, const void *data, size_t size,
                struct cella_error *err) MUST_CHECK;

/* Leaves of the globs those that no file matched.  None, when that is not known: the search was cut
 * short, or finding out would take too long. */
void collect_keep_unmatched(const struct collect *collect, struct spec_strings *globs);

/* Hands over the files that came whole. */
void collect_take_files(struct collect *collect, struct result_file **ret_files, size_t *ret_count);

#endif
