/*
 * The compile cache: see compiled.h.
 *
 * An entry is a struct said, what the compiler wrote to its two streams, then the files that it
 * made as the records of a pack without an end.
 */
#include "engine/compiled.h"

#include "base/error.h"
#include "engine/engine.h"
#include "isolate/places.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BYTES_DEFAULT (UINT64_C(256) * 1024 * 1024)

/* Whatever changes the meaning of an entry or of its key. */
#define FORMAT "cella " CELLA_VERSION " compiled 1"

/* What changes when programs and libraries of the host are installed, upgraded or removed. */
static const char *const signs[] = {
    "/etc/ld.so.cache",      "/etc/machine-id",    "/lib/apk/db/installed", "/usr/lib",
    "/usr/local/bin",        "/usr/local/include", "/usr/local/lib",        "/var/lib/dpkg/status",
    "/var/lib/pacman/local", "/var/lib/rpm",
};

struct said {
    uint64_t sizes[2]; /* by enum result_stream */
};

uint64_t compiled_bytes_max(const struct cella_options *options)
{
    const uint64_t given = options->compile_cache_bytes;
    return given == CELLA_NO_COMPILE_CACHE ? 0 : given == 0 ? BYTES_DEFAULT : given;
}

/* ---- which it is ---- */

static bool holds(const struct spec_bytes *bytes, const char *word)
{
    return bytes->data != NULL && memmem(bytes->data, bytes->size, word, strlen(word)) != NULL;
}

/* Whether what is made of the sources depends on more than the key can say. */
static bool depends_on_more(const struct recipe *recipe)
{
    const struct spec *spec = recipe->spec;
    const struct spec_strings *words = &recipe->runtime->uncached;
    for (size_t i = 0; i < words->count; i++) {
        if (holds(&spec->code, words->items[i])) {
            return true;
        }
        for (size_t f = 0; f < spec->file_count; f++) {
            if (holds(&spec->files[f].content, words->items[i])) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the compiler sees places of the host whose files change without a sign. */
static bool sees_data(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if (plan->mounts[i].kind == PLAN_MOUNT_BIND &&
            !places_is_for_programs(plan->mounts[i].source)) {
            return true;
        }
    }
    return plan_writable_count(plan) > 0 || plan->network != PLAN_NETWORK_NONE;
}

static void add_text(SHA2_CTX *digest, const char *text)
{
    SHA256Update(digest, (const uint8_t *)text, strlen(text) + 1);
}

static void add_sign(SHA2_CTX *digest, const char *path)
{
    struct stat found;
    uint64_t sign[6] = {0};
    if (stat(path, &found) == 0) {
        sign[0] = found.st_ino;
        sign[1] = (uint64_t)found.st_size;
        sign[2] = (uint64_t)found.st_mtim.tv_sec;
        sign[3] = (uint64_t)found.st_mtim.tv_nsec;
        sign[4] = (uint64_t)found.st_ctim.tv_sec;
        sign[5] = (uint64_t)found.st_ctim.tv_nsec;
    }
    add_text(digest, path);
    SHA256Update(digest, (const uint8_t *)sign, sizeof(sign));
}

/* What is compiled, by what and for whom. */
static int make_work(const struct stage *stage, const struct recipe *recipe,
                     unsigned char ret_work[CACHE_KEY_SIZE], struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer pack;
    const struct plan *plan = stage->plan;
    const bool shared = recipe->policy->compile_cache == POLICY_CACHE_SHARED;
    buffer_init(&pack, 0);
    if (pack_writer_copy(&stage->pack, &pack, err) < 0) {
        return -1;
    }
    SHA2_CTX digest;
    SHA256Init(&digest);
    add_text(&digest, FORMAT);
    add_text(&digest, recipe->path);
    add_text(&digest, shared || recipe->spec->tenant == NULL ? "" : recipe->spec->tenant);
    add_text(&digest, shared ? "shared" : "own");
    SHA256Update(&digest, (const uint8_t *)plan, sizeof(*plan));
    SHA256Update(&digest, (const uint8_t *)pack.data, pack.size);
    SHA256Final(ret_work, &digest);
    return 0;
}

/* And with what the host has. */
static void make_key(const struct stage *stage, const struct recipe *recipe,
                     const unsigned char work[CACHE_KEY_SIZE],
                     unsigned char ret_key[CACHE_KEY_SIZE])
{
    const struct plan *plan = stage->plan;
    SHA2_CTX digest;
    SHA256Init(&digest);
    SHA256Update(&digest, work, CACHE_KEY_SIZE);
    add_sign(&digest, recipe->path);
    for (size_t i = 0; i < ARRAY_LENGTH(signs); i++) {
        add_sign(&digest, signs[i]);
    }
    for (uint32_t i = 0; i < plan->mount_count; i++) {
        if (plan->mounts[i].kind == PLAN_MOUNT_BIND) {
            add_sign(&digest, plan->mounts[i].source);
        }
    }
    SHA256Final(ret_key, &digest);
}

/* ---- taking ---- */

/* The parts of an entry, in the buffer that it was read into. */
struct parts {
    const char *streams[2];
    struct said said;
    const unsigned char *files;
    size_t files_size;
};

/* Entries have a checksum, so what is malformed was written by another Cella, or by nobody good. */
static bool find_parts(const struct buffer *entry, struct parts *ret_parts)
{
    struct parts parts;
    struct pack_record record;
    if (entry->size < sizeof(parts.said)) {
        return false;
    }
    memcpy(&parts.said, entry->data, sizeof(parts.said));
    size_t at = sizeof(parts.said);
    for (size_t i = 0; i < ARRAY_LENGTH(parts.streams); i++) {
        if (parts.said.sizes[i] > entry->size - at) {
            return false;
        }
        parts.streams[i] = entry->data + at;
        at += (size_t)parts.said.sizes[i];
    }
    parts.files = (const unsigned char *)entry->data + at;
    parts.files_size = entry->size - at;
    size_t offset = 0;
    while (offset < parts.files_size) {
        if (pack_next(parts.files, parts.files_size, &offset, &record) != 1 ||
            record.header.type != PACK_FILE ||
            pack_path_problem((const char *)record.payload, record.header.path_size) != NULL) {
            return false;
        }
    }
    *ret_parts = parts;
    return offset > 0;
}

static int take_files(struct pack_writer *pack, const struct parts *parts, struct cella_error *err)
{
    struct pack_record record;
    size_t offset = 0;
    while (pack_next(parts->files, parts->files_size, &offset, &record) == 1) {
        char path[PACK_PATH_MAX];
        const size_t path_size = record.header.path_size;
        memcpy(path, record.payload, path_size);
        path[path_size] = '\0';
        if (pack_writer_add_file(pack, path, record.payload + path_size,
                                 (size_t)record.header.size - path_size, record.header.mode & 0777,
                                 err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* As the compile stage would have ended, had it used nothing. */
static int take_outcome(struct result_stage *outcome, const struct limits *limits,
                        const struct parts *parts, struct cella_error *err)
{
    const enum limit stream_limits[] = {LIMIT_STDOUT, LIMIT_STDERR};
    for (size_t i = 0; i < ARRAY_LENGTH(stream_limits); i++) {
        struct result_stream_data *stream = &outcome->streams[i];
        buffer_init(&stream->kept, limits->value[stream_limits[i]]);
        if (buffer_add(&stream->kept, parts->streams[i], (size_t)parts->said.sizes[i]) < 0) {
            return error_set_memory(err);
        }
        stream->total_bytes = parts->said.sizes[i];
    }
    outcome->status = STATUS_OK;
    outcome->exit_code = 0;
    outcome->usage = (struct result_usage){.wall_us = 0};
    (void)snprintf(outcome->message, sizeof(outcome->message), "compiled before"); /* fits */
    return 0;
}

/* Returns 1. */
static int take(struct cella_run *run, const struct parts *parts, struct cella_error *err)
{
    return take_files(&run->run.pack, parts, err) < 0 ||
                   take_outcome(run->compile.outcome, &run->compile.plan->limits, parts, err) < 0
               ? -1
               : 1;
}

static int find_cached(struct cella_run *run, struct cella_error *err)
{
    CLEANUP(buffer_done) struct buffer entry;
    struct compiled *compiled = &run->compiled;
    struct parts parts;
    buffer_init(&entry, CACHE_ENTRY_MAX);
    compiled->to_cache = true;
    if (!cache_get(compiled->key, &entry) || !find_parts(&entry, &parts)) {
        return 0;
    }
    compiled->to_cache = false;
    const int taken = take(run, &parts, err);
    if (taken > 0 && compiled->to_share) {
        compiled->shared = entry;
        compiled->has_shared = true;
        buffer_init(&entry, 0);
    }
    return taken;
}

/* What another run has just made of the same is what is asked for, also where nothing may be kept
 * for later, or where the host has changed meanwhile. */
static int find_shared(struct cella_run *run, const struct cella_run *first,
                       struct cella_error *err)
{
    struct parts parts;
    return first->compiled.has_shared &&
                   memcmp(first->compiled.work, run->compiled.work, CACHE_KEY_SIZE) == 0 &&
                   find_parts(&first->compiled.shared, &parts)
               ? take(run, &parts, err)
               : 0;
}

int compiled_find(struct cella_run *run, const struct recipe *recipe, const struct cella_run *first,
                  struct cella_error *err)
{
    struct compiled *compiled = &run->compiled;
    const bool may_cache = run->engine->compile_cache_bytes > 0 &&
                           recipe->policy->compile_cache != POLICY_CACHE_NONE &&
                           !depends_on_more(recipe) && !sees_data(run->compile.plan);
    compiled->to_share = run->callbacks.compiled != NULL;
    if (!may_cache && !compiled->to_share && first == NULL) {
        return 0;
    }
    if (make_work(&run->compile, recipe, compiled->work, err) < 0) {
        return -1;
    }
    int found = first != NULL ? find_shared(run, first, err) : 0;
    if (found == 0 && may_cache) {
        make_key(&run->compile, recipe, compiled->work, compiled->key);
        found = find_cached(run, err);
    }
    return found;
}

/* ---- keeping ---- */

/* Whether all that the compiler made and said is there. */
static bool is_whole(const struct stage *stage)
{
    const struct result_stage *outcome = stage->outcome;
    for (size_t i = 0; i < stage->collect.file_count; i++) {
        if (stage->collect.files[i].skipped != NULL) {
            return false;
        }
    }
    return outcome->status == STATUS_OK && outcome->limits_hit == 0 &&
           stage->collect.file_count > 0 && !outcome->streams[RESULT_STDOUT].truncated &&
           !outcome->streams[RESULT_STDERR].truncated;
}

static int write_entry(const struct stage *stage, struct buffer *entry, struct cella_error *err)
{
    CLEANUP(pack_writer_done) struct pack_writer files;
    const struct buffer *streams[] = {&stage->outcome->streams[RESULT_STDOUT].kept,
                                      &stage->outcome->streams[RESULT_STDERR].kept};
    const struct said said = {{streams[0]->size, streams[1]->size}};
    pack_writer_init(&files);
    if (buffer_add(entry, &said, sizeof(said)) < 0 ||
        buffer_add(entry, streams[0]->data, streams[0]->size) < 0 ||
        buffer_add(entry, streams[1]->data, streams[1]->size) < 0) {
        return error_set_memory(err);
    }
    for (size_t i = 0; i < stage->collect.file_count; i++) {
        const struct result_file *file = &stage->collect.files[i];
        if (file->skipped == NULL &&
            pack_writer_add_file(&files, file->path, file->content.data, file->content.size,
                                 file->mode, err) < 0) {
            return -1;
        }
    }
    return pack_writer_copy(&files, entry, err);
}

void compiled_keep(struct cella_run *run)
{
    struct compiled *compiled = &run->compiled;
    struct buffer *entry = &compiled->shared;
    struct cella_error error; /* it is compiled again the next time */
    const bool to_cache = compiled->to_cache && is_whole(&run->compile);
    if ((!to_cache && !compiled->to_share) || write_entry(&run->compile, entry, &error) < 0) {
        buffer_done(entry);
        return;
    }
    if (to_cache && entry->size <= CACHE_ENTRY_MAX) {
        cache_put(compiled->key, entry, run->engine->compile_cache_bytes);
    }
    compiled->has_shared = compiled->to_share;
    if (!compiled->to_share) {
        buffer_done(entry);
    }
}

void compiled_done(struct compiled *compiled)
{
    buffer_done(&compiled->shared);
}
