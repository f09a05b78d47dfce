/*
 * Any bytes as a pack: every record lies inside, the walk ends, and each glob in it is tried with
 * each path in it.
 */
#include "base/glob.h"
#include "isolate/pack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GLOB_MAX 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

/* Reads each byte, so that the sanitizer sees one that is not there. */
static void touch(const struct pack_record *record)
{
    volatile unsigned char seen;
    for (size_t i = 0; i < record->header.size; i++) {
        seen = record->payload[i];
    }
    (void)seen;
}

/* The record's glob in `ret_pattern`, if it has a good one. */
static bool take_glob(const struct pack_record *record, char ret_pattern[GLOB_MAX + 1])
{
    const char *payload = (const char *)record->payload;
    if (record->header.type != PACK_COLLECT || record->header.size > GLOB_MAX ||
        glob_problem(payload, record->header.size) != NULL) {
        return false;
    }
    memcpy(ret_pattern, payload, record->header.size);
    ret_pattern[record->header.size] = '\0';
    return true;
}

static void check_path(const struct pack_record *record, const char *pattern)
{
    char path[PACK_PATH_MAX];
    size_t size = record->header.path_size;
    require(size > 0 && size < sizeof(path) && size <= record->header.size);
    memcpy(path, record->payload, size);
    path[size] = '\0';
    if (pack_path_problem(path, size) == NULL) {
        require(strlen(path) == size && path[0] != '/' && strstr(path, "//") == NULL);
        (void)glob_match(pattern, path); /* either answer is fine, as long as it comes */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char pattern[GLOB_MAX + 1] = "**/[a-z]?*";
    size_t offset = 0;
    struct pack_record record;
    while (size > 0 && pack_next(data, size, &offset, &record) == 1) {
        require(offset <= size && record.payload >= data);
        require(record.header.size <= (size_t)(data + size - record.payload));
        touch(&record);
        if (record.header.type == PACK_FILE || record.header.type == PACK_SKIPPED) {
            check_path(&record, pattern);
        }
        (void)take_glob(&record, pattern); /* false: the pattern before stays */
    }
    return 0;
}
