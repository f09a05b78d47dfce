/* The request's own files: see diagnose.h and sources.h. */
#include "diagnose/sources.h"

#include "base/error.h"
#include "base/names.h"
#include "diagnose/text.h"

#include <stdlib.h>
#include <string.h>

#define WORKSPACE "/workspace/"
#define PROGRAM   "/program/" /* where a policy has the request's files apart */

/* Names that are compared with a misspelt one: each costs about a microsecond. */
#define NAMES_COMPARED_MAX 4096U

/* In a shorter word only upper and lower case may be mistaken. */
#define SHORT_WORD 3

/* Bytes of source in which they are looked for. */
#define NAMES_LOOKED_AT_MAX ((size_t)128 << 10)

/* ---- keeping them ---- */

static bool is_kept(const struct spec_bytes *content, size_t room)
{
    return content->size <= room && memchr(content->data, '\0', content->size) == NULL;
}

/* Copies to *at and moves it; the sum of all sizes was taken before. */
static const char *keep(char **at, const void *data, size_t size)
{
    const char *copy = *at;
    if (size > 0) {
        memcpy(*at, data, size);
    }
    (*at)[size] = '\0';
    *at += size + 1;
    return copy;
}

struct keeping {
    size_t size; /* of what is kept, NULs included */
    size_t room; /* for contents */
};

static void measure(struct keeping *keeping, const char *path, const struct spec_bytes *content)
{
    keeping->size += strlen(path) + 1; /* a request is bounded: no overflow */
    if (is_kept(content, keeping->room)) {
        keeping->size += content->size + 1;
        keeping->room -= content->size;
    }
}

static void keep_file(struct diagnose_sources *sources, struct keeping *keeping, char **at,
                      const char *path, const struct spec_bytes *content)
{
    struct diagnose_file *file = &sources->files[sources->count++];
    *file = (struct diagnose_file){.path = keep(at, path, strlen(path))};
    if (is_kept(content, keeping->room)) {
        file->data = keep(at, content->data, content->size);
        file->size = content->size;
        keeping->room -= content->size;
    }
}

int diagnose_sources_init(struct diagnose_sources *sources, const struct spec *spec,
                          const char *entry, struct cella_error *err)
{
    const bool has_code = spec->code.data != NULL && entry != NULL;
    struct keeping keeping = {.room = DIAGNOSE_SOURCES_MAX, .size = 1};
    *sources = (struct diagnose_sources){0};
    if (has_code) {
        measure(&keeping, entry, &spec->code);
    } else if (entry != NULL) {
        keeping.size += strlen(entry) + 1;
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        measure(&keeping, spec->files[i].path, &spec->files[i].content);
    }
    sources->memory = malloc(keeping.size);
    sources->files = calloc(spec->file_count + 1, sizeof(*sources->files));
    if (sources->memory == NULL || sources->files == NULL) {
        diagnose_sources_done(sources);
        return error_set_memory(err);
    }
    char *at = sources->memory;
    keeping.room = DIAGNOSE_SOURCES_MAX;
    if (has_code) {
        keep_file(sources, &keeping, &at, entry, &spec->code);
        sources->entry = sources->files[0].path;
    } else if (entry != NULL) {
        sources->entry = keep(&at, entry, strlen(entry));
    }
    for (size_t i = 0; i < spec->file_count; i++) {
        keep_file(sources, &keeping, &at, spec->files[i].path, &spec->files[i].content);
    }
    return 0;
}

void diagnose_sources_done(struct diagnose_sources *sources)
{
    free(sources->memory);
    free(sources->files);
    *sources = (struct diagnose_sources){0};
}

/* ---- names of files ---- */

static struct pattern_piece without(struct pattern_piece piece, const char *start)
{
    if (text_begins(piece, start)) {
        piece.data += strlen(start);
        piece.size -= strlen(start);
    }
    return piece;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* Whether a file, without its directories and perhaps what follows the dot, is called so. */
static bool is_called(const struct diagnose_file *file, struct pattern_piece name)
{
    const char *base = base_name(file->path);
    const char *dot = strrchr(base, '.');
    return text_is(name, base) || (dot != NULL && name.size == (size_t)(dot - base) &&
                                   memcmp(base, name.data, name.size) == 0);
}

/* The file of that path; or the only one that is called so, for a language that names files without
 * their directories. */
static const struct diagnose_file *find_file(const struct diagnose_sources *sources,
                                             struct pattern_piece name)
{
    const struct diagnose_file *found = NULL;
    size_t found_count = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const struct diagnose_file *file = &sources->files[i];
        if (text_is(name, file->path)) {
            return file;
        }
        if (is_called(file, name)) {
            found = file;
            found_count++;
        }
    }
    return found_count == 1 ? found : NULL;
}

struct source_place source_find(const struct diagnose_sources *sources, struct pattern_piece name)
{
    struct source_place place = {.name = name};
    if (name.data == NULL || name.size == 0) {
        place.name = (struct pattern_piece){NULL, 0};
        return place;
    }
    place.name = without(name, "file://");
    /* A relative name with ".." in it is one of where a library was built. */
    place.in_workspace = text_begins(place.name, WORKSPACE) || text_begins(place.name, PROGRAM) ||
                         (text_begins(place.name, "./") &&
                          memmem(place.name.data, place.name.size, "/../", 4) == NULL);
    place.name = without(without(without(place.name, WORKSPACE), PROGRAM), "./");
    place.file = find_file(sources, place.name);
    if (place.file != NULL) {
        place.name = (struct pattern_piece){place.file->path, strlen(place.file->path)};
        place.in_workspace = true;
    }
    return place;
}

/* ---- lines ---- */

struct pattern_piece source_line(const struct diagnose_file *file, uint32_t line)
{
    struct pattern_piece none = {NULL, 0};
    if (file == NULL || file->data == NULL || line == 0) {
        return none;
    }
    const char *at = file->data;
    const char *end = file->data + file->size;
    for (uint32_t i = 1; i < line; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return none;
        }
        at = newline + 1;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    struct pattern_piece piece = {at, (size_t)((newline != NULL ? newline : end) - at)};
    if (piece.size > 0 && piece.data[piece.size - 1] == '\r') {
        piece.size--;
    }
    return piece;
}

/* ---- misspelt names ---- */

struct search {
    struct names_guess guess;
    size_t compared;
    char candidate[SOURCE_NAME_SIZE];
    char best[SOURCE_NAME_SIZE];
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((unsigned char)c & 0x80) != 0;
}

static void offer(struct search *search, const char *name, size_t size)
{
    size_t word_size = strlen(search->guess.word);
    size_t difference = size > word_size ? size - word_size : word_size - size;
    if (size == 0 || size >= SOURCE_NAME_SIZE || difference >= search->guess.distance ||
        (name[0] >= '0' && name[0] <= '9') || search->compared == NAMES_COMPARED_MAX ||
        (size == word_size && memcmp(name, search->guess.word, size) == 0) ||
        !text_is_clean(name, size)) {
        return;
    }
    search->compared++;
    memcpy(search->candidate, name, size);
    search->candidate[size] = '\0';
    search->guess.best = NULL;
    names_guess_offer(&search->guess, search->candidate);
    if (search->guess.best != NULL) {
        memcpy(search->best, search->candidate, sizeof(search->best));
    }
}

static void offer_all(struct search *search, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && is_letter(data[end])) {
            end++;
        }
        offer(search, data + at, end - at);
        at = end + 1;
    }
}

void source_closest(const struct diagnose_sources *sources, const char *const *names,
                    size_t names_count, struct pattern_piece word, char ret_name[SOURCE_NAME_SIZE])
{
    char wanted[SOURCE_NAME_SIZE];
    struct search search = {.best = ""};
    size_t room = NAMES_LOOKED_AT_MAX;
    ret_name[0] = '\0';
    if (word.size == 0 || word.size >= sizeof(wanted)) {
        return;
    }
    memcpy(wanted, word.data, word.size);
    wanted[word.size] = '\0';
    names_guess_init(&search.guess, wanted);
    if (word.size < SHORT_WORD) { /* one letter of two is half of it */
        search.guess.distance = 1;
    }
    for (size_t i = 0; i < sources->count; i++) {
        const struct diagnose_file *file = &sources->files[i];
        size_t size = file->data == NULL ? 0 : file->size < room ? file->size : room;
        offer_all(&search, file->data, size);
        room -= size;
    }
    for (size_t i = 0; i < names_count; i++) {
        offer_all(&search, names[i], strlen(names[i]));
    }
    memcpy(ret_name, search.best, SOURCE_NAME_SIZE);
}
