/* Reading a pack and judging its paths: see pack.h.  Shared by glibc and musl code. */
#include "isolate/pack.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PART_MAX 255 /* NAME_MAX of Linux file systems */

const char *pack_skip_text(enum pack_skip reason)
{
    switch (reason) {
    case PACK_SKIP_NOT_REGULAR:
        return "not a regular file";
    case PACK_SKIP_TOO_LARGE:
        return "over the limit collect_bytes";
    case PACK_SKIP_TOO_MANY:
        return "over the limit collect_files";
    case PACK_SKIP_UNREADABLE:
        return "could not be read";
    case PACK_SKIP_BAD_NAME:
        return "its name is not UTF-8, has control characters or is too long";
    }
    return "unknown reason"; /* the number came from a pack */
}

static bool has_path(uint32_t type)
{
    return type == PACK_FILE || type == PACK_SKIPPED;
}

/* Whether the header says nothing that its type cannot have. */
static bool header_is_sound(const struct pack_header *header)
{
    if (header->type > PACK_SKIPPED || header->reserved != 0) {
        return false;
    }
    if (header->type == PACK_END && header->size != 0) {
        return false;
    }
    if (header->type != PACK_SKIPPED && header->file_size != 0) {
        return false;
    }
    if (!has_path(header->type)) {
        return header->mode == 0 && header->path_size == 0;
    }
    if (header->path_size == 0 || header->path_size >= PACK_PATH_MAX ||
        header->path_size > header->size) {
        return false;
    }
    return header->type == PACK_FILE || header->path_size == header->size;
}

unsigned char *pack_take(int fd, size_t size, unsigned char *small)
{
    if (size <= PACK_SMALL_SIZE) {
        return pread(fd, small, size, 0) == (ssize_t)size ? small : NULL;
    }
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

void pack_drop(unsigned char *pack, size_t size, const unsigned char *small)
{
    if (pack != small) {
        IGNORE(munmap(pack, size) != 0); /* valid arguments */
    }
}

int pack_next(const unsigned char *data, size_t size, size_t *offset,
              struct pack_record *ret_record)
{
    struct pack_record record;
    if (*offset > size || size - *offset < sizeof(record.header)) {
        return -1;
    }
    memcpy(&record.header, data + *offset, sizeof(record.header));
    size_t left = size - *offset - sizeof(record.header);
    /* A payload larger than what is left is refused before its padding is added: no overflow. */
    if (!header_is_sound(&record.header) || record.header.size > left ||
        pack_record_size(record.header.size) - sizeof(record.header) > left) {
        return -1;
    }
    if (record.header.type == PACK_END) {
        return 0;
    }
    record.payload = data + *offset + sizeof(record.header);
    *offset += (size_t)pack_record_size(record.header.size);
    *ret_record = record;
    return 1;
}

static const char *part_problem(const char *part, size_t size)
{
    if (size == 0) {
        return "has an empty part, or begins or ends with a slash";
    }
    if (size > PART_MAX) {
        return "has a part of more than 255 bytes";
    }
    if (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.'))) {
        return "has a part that is '.' or '..'";
    }
    return NULL;
}

_Static_assert(PACK_PATH_MAX - 1 == 1023, "the text below says 1023");

const char *pack_path_problem(const char *path, size_t size)
{
    if (size == 0) {
        return "is empty";
    }
    if (size >= PACK_PATH_MAX) {
        return "is longer than 1023 bytes";
    }
    size_t part = 0; /* where the current part begins */
    for (size_t offset = 0; offset <= size;) {
        if (offset == size || path[offset] == '/') {
            const char *problem = part_problem(path + part, offset - part);
            if (problem != NULL) {
                return problem;
            }
            part = ++offset;
            continue;
        }
        uint32_t code = 0;
        size_t length = utf8_decode(path + offset, size - offset, &code);
        if (length == 0) {
            return "is not valid UTF-8";
        }
        if (utf8_is_control(code)) {
            return "contains a control character";
        }
        offset += length;
    }
    return NULL;
}

/* The bytes after it are its padding or the next header, whose first byte may not be zero, so the
 * pack's writer adds a NUL to each word and counts it. */
char *pack_word(const struct pack_record *record)
{
    const enum pack_type type = (enum pack_type)record->header.type;
    const size_t size = (size_t)record->header.size;
    const bool is_word =
        type == PACK_PROGRAM || type == PACK_ARG || type == PACK_ENV || type == PACK_COLLECT;
    const bool whole =
        size > 0 && memchr(record->payload, '\0', size) == record->payload + size - 1;
    return is_word && whole ? (char *)(uintptr_t)record->payload : NULL;
}
