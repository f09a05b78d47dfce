/*
 * A pack: the one format in which a program's parts go into a sandbox (argv, environment, files,
 * globs) and its files come out again.  A sequence of records, each a fixed header, then `size`
 * bytes of payload, then zeros up to the next multiple of eight; the last record is PACK_END.
 *
 * Inwards it is a sealed memfd that init maps; outwards a pipe that init writes.  Both readers
 * treat it as hostile: every size is checked against what is there and against a named limit.
 *
 * Shared by glibc and musl code, allocates nothing.
 */
#ifndef ISOLATE_PACK_H
#define ISOLATE_PACK_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_ARGS_MAX    4096
#define PACK_ENV_MAX     4096
#define PACK_PATH_MAX    1024 /* of one file, with its NUL */
#define PACK_SKIPPED_MAX 1000 /* files left behind that are named; beyond that nobody reads on */

enum pack_type {
    PACK_END = 0,
    /* inwards; the payload of these is one string with its NUL, which `size` counts */
    PACK_PROGRAM, /* what to execute: a path with a slash, or a bare word to look for in PATH */
    PACK_ARG,     /* one word of argv, in order */
    PACK_ENV,     /* NAME=value */
    PACK_COLLECT, /* one glob: files to bring back */
    /* both ways: path, directly followed by contents */
    PACK_FILE,
    /* outwards */
    PACK_SKIPPED, /* a file that matched but does not come: reason, path */
};

struct pack_header {
    uint32_t type;      /* enum pack_type */
    uint32_t mode;      /* PACK_FILE: permission bits.  PACK_SKIPPED: enum pack_skip.  Else 0 */
    uint32_t path_size; /* PACK_FILE, PACK_SKIPPED: bytes of path at the payload's start, no NUL */
    uint32_t reserved;
    uint64_t size;      /* payload in all, path included */
    uint64_t file_size; /* PACK_SKIPPED: size of the file left behind.  Else 0 */
};

/* Why a file that matched was left behind. */
enum pack_skip {
    PACK_SKIP_NOT_REGULAR = 1, /* link, FIFO, socket, device */
    PACK_SKIP_TOO_LARGE,       /* over collect_bytes */
    PACK_SKIP_TOO_MANY,        /* over collect_files */
    PACK_SKIP_UNREADABLE,      /* opening or reading failed */
    PACK_SKIP_BAD_NAME,        /* name not UTF-8, with control characters, or too long */
};
const char *pack_skip_text(enum pack_skip reason);

/* Bytes of a record with that payload, header and padding included. */
static inline uint64_t pack_record_size(uint64_t payload)
{
    return sizeof(struct pack_header) + ((payload + 7) & ~UINT64_C(7));
}

/* One record of a pack in memory. */
struct pack_record {
    struct pack_header header;
    const unsigned char *payload;
};

/* Walks a pack held in memory.  `*offset` starts at 0.
 * Returns 1 with *ret_record filled, 0 at PACK_END, -1 when the pack is malformed. */
int pack_next(const unsigned char *data, size_t size, size_t *offset,
              struct pack_record *ret_record) MUST_CHECK;

/* Takes the pack of a sealed memfd into memory: one up to PACK_SMALL_SIZE is read into `small`,
 * which has so much room and is aligned to 8, because to map it, and to take the fault on it, costs
 * more.  Returns where it is, private; NULL with errno.  pack_drop() for one that is not kept. */
#define PACK_SMALL_SIZE (16 * 1024)
unsigned char *pack_take(int fd, size_t size, unsigned char *small) MUST_CHECK;
void pack_drop(unsigned char *pack, size_t size, const unsigned char *small);

/* The word of a record that is one, with its NUL; NULL when it is none. */
char *pack_word(const struct pack_record *record);

/* Whether a relative path is one that may exist in a workspace: no empty part, ".", "..",
 * leading or trailing slash, NUL or control character; valid UTF-8; at most PACK_PATH_MAX - 1
 * bytes, parts at most 255.  Returns NULL when good, else what is wrong with it. */
const char *pack_path_problem(const char *path, size_t size);

#endif
