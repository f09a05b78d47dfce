/* The check of a whole spec: what no single field shows (see spec.h). */
#include "base/alloc.h"
#include "base/error.h"
#include "request/spec.h"

#include <stdlib.h>
#include <string.h>

static int refuse(struct cella_error *err, const char *field, const char *text, const char *hint)
{
    (void)error_set(err, CELLA_ERROR_CALLER, 0, "%s", text);
    (void)error_set_field(err, "%s", field);
    return error_set_hint(err, "%s", hint);
}

static int check_command(const struct spec *spec, struct cella_error *err)
{
    if (spec->code.data != NULL) {
        return refuse(err, "code", "code needs a language, and the request has a command",
                      "put the code into files and name it in the command");
    }
    if (spec->entry != NULL) {
        return refuse(err, "entry", "entry needs a language, and the request has a command",
                      "leave it out");
    }
    if (spec->args.count > 0) {
        return refuse(err, "args", "args need a language, and the request has a command",
                      "put them into the command");
    }
    return 0;
}

static int check_what_runs(const struct spec *spec, struct cella_error *err)
{
    bool has_command = spec->command.count > 0;
    if (has_command && spec->language != NULL) {
        return refuse(err, "command", "the request has both a language and a command",
                      "leave one of them out");
    }
    if (has_command) {
        return check_command(spec, err);
    }
    if (spec->language == NULL) {
        return refuse(err, "language", "the request says neither language nor command",
                      "set language to the name of a runtime, or command to an argv");
    }
    if (spec->code.data == NULL && spec->file_count == 0) {
        return refuse(err, "code", "the request has nothing to run",
                      "set code, or put the entry file into files");
    }
    return 0;
}

/* ---- files ---- */

/* By path, '/' before every other character, so that what is inside "a" follows "a" at once. */
static int compare_files(const void *left, const void *right)
{
    const struct spec_file *const *left_file = left;
    const struct spec_file *const *right_file = right;
    const unsigned char *a = (const unsigned char *)(*left_file)->path;
    const unsigned char *b = (const unsigned char *)(*right_file)->path;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int rank_a = *a == '/' ? 1 : *a; /* paths hold no control characters: 1 is free */
    int rank_b = *b == '/' ? 1 : *b;
    return rank_a - rank_b;
}

/* A file and the next in order: the same one, or one inside the other? */
static int check_pair(const struct spec *spec, const struct spec_file *file,
                      const struct spec_file *next, struct cella_error *err)
{
    size_t size = strlen(file->path);
    if (strncmp(file->path, next->path, size) != 0 ||
        (next->path[size] != '\0' && next->path[size] != '/')) {
        return 0;
    }
    bool same = next->path[size] == '\0';
    size_t later = (size_t)((file > next ? file : next) - spec->files);
    (void)error_set(err, CELLA_ERROR_CALLER, 0,
                    same ? "'%s' is given twice" : "'%s' is a file and a directory", file->path);
    return error_set_field(err, "files[%zu].path", later);
}

static int check_files(const struct spec *spec, struct cella_error *err)
{
    AUTO_FREE const struct spec_file **order =
        calloc(spec->file_count + 1, sizeof(struct spec_file *));
    if (order == NULL) {
        return error_set_memory(err);
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        order[i] = &spec->files[i];
    }
    qsort(order, spec->file_count, sizeof(struct spec_file *), compare_files);
    for (size_t i = 1; i < spec->file_count; i++) {
        if (check_pair(spec, order[i - 1], order[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* With code the entry is a file of its own; without, it is one of the files. */
static int check_entry(const struct spec *spec, struct cella_error *err)
{
    if (spec->entry == NULL) {
        return 0;
    }
    size_t entry_size = strlen(spec->entry);
    bool found = false;
    for (size_t i = 0; i < spec->file_count; i++) {
        const char *path = spec->files[i].path;
        size_t path_size = strlen(path);
        size_t common = path_size < entry_size ? path_size : entry_size;
        bool same = strcmp(path, spec->entry) == 0;
        found = found || same;
        bool inside = path_size != entry_size && strncmp(path, spec->entry, common) == 0 &&
                      (path[common] == '/' || spec->entry[common] == '/');
        if (spec->code.data != NULL && (same || inside)) {
            (void)error_set(err, CELLA_ERROR_CALLER, 0, "'%s' and the entry file '%s' collide",
                            path, spec->entry);
            return error_set_field(err, "files[%zu].path", i);
        }
    }
    if (spec->code.data == NULL && !found) {
        (void)error_set(err, CELLA_ERROR_CALLER, 0, "the entry file '%s' is not among files",
                        spec->entry);
        return error_set_field(err, "entry");
    }
    return 0;
}

int spec_check(const struct spec *spec, struct cella_error *err)
{
    if (check_what_runs(spec, err) < 0 || check_files(spec, err) < 0) {
        return -1;
    }
    return check_entry(spec, err);
}
