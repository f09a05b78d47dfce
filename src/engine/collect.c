/*
 * Reading collected files: see collect.h.
 *
 * How it works: a record is a header, a path, contents, padding, and each has a size that is known
 * when it begins.  Each step takes bytes until its part is full, then says which part comes next.
 */
#include "engine/collect.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/glob.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Steps of matching that a note is worth: some tens of milliseconds, of names chosen by a guest. */
#define UNMATCHED_WORK_MAX ((size_t)16 * 1024 * 1024)

static int malformed(struct cella_error *err, const char *what)
{
    return error_set(err, CELLA_ERROR_BUG, 0, "malformed pack of collected files: %s", what);
}

void collect_init(struct collect *collect, uint64_t bytes_max, uint64_t files_max)
{
    *collect = (struct collect){.room = bytes_max, .came_max = files_max};
}

void collect_done(struct collect *collect)
{
    result_free_files(collect->files, collect->file_count);
    free(collect->content);
    *collect = (struct collect){0};
}

void collect_take_files(struct collect *collect, struct result_file **ret_files, size_t *ret_count)
{
    *ret_files = collect->files;
    *ret_count = collect->file_count;
    collect->files = NULL;
    collect->file_count = 0;
}

/* ---- the parts of a record ---- */

static size_t content_size(const struct collect *collect)
{
    return (size_t)(collect->header.size - collect->header.path_size);
}

static size_t part_size(const struct collect *collect)
{
    switch (collect->state) {
    case COLLECT_HEADER:
        return sizeof(collect->header);
    case COLLECT_PATH:
        return collect->header.path_size;
    case COLLECT_CONTENT:
        return content_size(collect);
    case COLLECT_PADDING:
        return (size_t)(pack_record_size(collect->header.size) - sizeof(collect->header) -
                        collect->header.size);
    case COLLECT_COMPLETE:
        break;
    }
    return 0;
}

/* Where bytes of the current part go; NULL for those that only have to be there. */
static char *part_room(struct collect *collect)
{
    switch (collect->state) {
    case COLLECT_HEADER:
        return (char *)&collect->header;
    case COLLECT_PATH:
        return collect->path;
    case COLLECT_CONTENT:
        return collect->content;
    case COLLECT_PADDING:
    case COLLECT_COMPLETE:
        break;
    }
    return NULL;
}

static int check_header(const struct collect *collect, struct cella_error *err)
{
    const struct pack_header *header = &collect->header;
    if (header->type != PACK_FILE && header->type != PACK_SKIPPED && header->type != PACK_END) {
        return malformed(err, "an unknown record");
    }
    if (header->reserved != 0) {
        return malformed(err, "a header with more in it than there is");
    }
    if (header->type == PACK_END) {
        return header->size != 0 ? malformed(err, "an end that goes on") : 0;
    }
    if (header->path_size == 0 || header->path_size >= PACK_PATH_MAX ||
        header->path_size > header->size) {
        return malformed(err, "a path of a wrong size");
    }
    if (header->type == PACK_SKIPPED) {
        if (header->size != header->path_size) {
            return malformed(err, "contents of a file that was left behind");
        }
        return collect->file_count - collect->came >= PACK_SKIPPED_MAX
                   ? malformed(err, "too many files left behind")
                   : 0;
    }
    if (collect->came >= collect->came_max) {
        return malformed(err, "more than collect_files");
    }
    return header->size - header->path_size > collect->room
               ? malformed(err, "more than collect_bytes")
               : 0;
}

static bool bad_name(const struct collect *collect)
{
    return collect->header.type == PACK_SKIPPED && collect->header.mode == PACK_SKIP_BAD_NAME;
}

/* A name that nobody may use still has to be shown: everything doubtful in it becomes U+FFFD. */
static char *show_bad_name(const char *path, size_t size)
{
    char *shown = malloc(size * (sizeof(UTF8_REPLACEMENT) - 1) + 1);
    if (shown == NULL) {
        return NULL;
    }
    size_t used = 0;
    for (size_t at = 0; at < size;) { /* ends: each turn passes at least one byte */
        uint32_t code = 0;
        size_t length = utf8_decode(path + at, size - at, &code);
        bool good = length > 0 && !utf8_is_control(code);
        size_t passed = length > 0 ? length : utf8_bad_length(path + at, size - at);
        const char *text = good ? path + at : UTF8_REPLACEMENT;
        size_t text_size = good ? length : sizeof(UTF8_REPLACEMENT) - 1;
        memcpy(shown + used, text, text_size);
        used += text_size;
        at += passed;
    }
    shown[used] = '\0';
    return shown;
}

static int start_content(struct collect *collect, struct cella_error *err)
{
    if (!bad_name(collect) && pack_path_problem(collect->path, collect->header.path_size) != NULL) {
        return malformed(err, "a path that is none of a workspace");
    }
    if (collect->header.type == PACK_FILE) {
        size_t size = content_size(collect); /* within the limit, so one more fits as well */
        collect->content = malloc(size + 1);
        if (collect->content == NULL) {
            return error_set_memory(err);
        }
        collect->content[size] = '\0';
    }
    return 0;
}

static int keep_file(struct collect *collect, struct cella_error *err)
{
    const struct pack_header *header = &collect->header;
    struct result_file *files =
        alloc_grow(collect->files, collect->file_count, sizeof(*collect->files));
    if (files == NULL) {
        return error_set_memory(err);
    }
    collect->files = files;
    char *path = bad_name(collect) ? show_bad_name(collect->path, header->path_size)
                                   : alloc_copy(collect->path, header->path_size);
    if (path == NULL) {
        return error_set_memory(err);
    }
    struct result_file file = {.path = path};
    if (header->type == PACK_FILE) {
        file.size = content_size(collect);
        file.mode = header->mode & 0777;
        file.content = (struct spec_bytes){collect->content, content_size(collect)};
        collect->content = NULL;
        collect->room -= file.size;
        collect->came++;
    } else {
        collect->cut_short |= header->mode == PACK_SKIP_TOO_MANY ||
                              collect->file_count - collect->came + 1 >= PACK_SKIPPED_MAX;
        file.size = header->file_size;
        file.skipped = pack_skip_text((enum pack_skip)header->mode);
    }
    collect->files[collect->file_count++] = file;
    return 0;
}

/* The current part is full. */
static int next_part(struct collect *collect, struct cella_error *err)
{
    collect->filled = 0;
    switch (collect->state) {
    case COLLECT_HEADER:
        if (check_header(collect, err) < 0) {
            return -1;
        }
        collect->state = collect->header.type == PACK_END ? COLLECT_COMPLETE : COLLECT_PATH;
        return 0;
    case COLLECT_PATH:
        collect->state = COLLECT_CONTENT;
        return start_content(collect, err);
    case COLLECT_CONTENT:
        collect->state = COLLECT_PADDING;
        return keep_file(collect, err);
    case COLLECT_PADDING:
        collect->state = COLLECT_HEADER;
        return 0;
    case COLLECT_COMPLETE:
        break;
    }
    return malformed(err, "bytes after its end");
}

int collect_add(struct collect *collect, const void *data, size_t size, struct cella_error *err)
{
    const char *bytes = data;
    size_t used = 0;
    while (used < size || (collect->state != COLLECT_COMPLETE && part_size(collect) == 0)) {
        size_t missing = part_size(collect) - collect->filled;
        size_t piece = size - used < missing ? size - used : missing;
        char *room = part_room(collect);
        if (room != NULL && piece > 0) {
            memcpy(room + collect->filled, bytes + used, piece);
        }
        collect->filled += piece;
        used += piece;
        if (piece == missing && next_part(collect, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Steps that matching one with the other takes at most. */
static size_t work_of(const char *glob, const char *path)
{
    size_t stars = 1;
    for (const char *at = glob; *at != '\0'; at++) {
        stars += *at == '*';
    }
    return (strlen(glob) + 1) * (strlen(path) + 1) * stars; /* each of them is short */
}

void collect_keep_unmatched(const struct collect *collect, struct spec_strings *globs)
{
    size_t kept = 0, work = 0;
    bool known = collect->state == COLLECT_COMPLETE && !collect->cut_short;
    for (size_t i = 0; i < globs->count; i++) {
        bool matched = false;
        for (size_t f = 0; f < collect->file_count && !matched && known; f++) {
            work += work_of(globs->items[i], collect->files[f].path);
            known = work <= UNMATCHED_WORK_MAX;
            matched = known && glob_match(globs->items[i], collect->files[f].path);
        }
        if (known && !matched) {
            char *glob = globs->items[kept];
            globs->items[kept++] = globs->items[i];
            globs->items[i] = glob;
        }
    }
    kept = known ? kept : 0;
    while (globs->count > kept) {
        free(globs->items[--globs->count]);
    }
}
