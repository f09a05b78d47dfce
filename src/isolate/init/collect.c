/*
 * Collecting: the files that match the request's globs, from the workspace to a pipe, as a pack.
 *
 * Every process of the guest is dead, so nothing changes underneath; what is left are names and
 * file types chosen by the guest.  Opening goes below the workspace only, through no link, with the
 * guest's own rights, and takes regular files alone; reading stops at the limits.
 */
#include "base/glob.h"
#include "isolate/init/init.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_SIZE 65536

/* Many files, long names and many patterns with many stars make much work.  The keeper waits longer
 * than this, and for each byte that may be collected. */
#define SEARCH_MAX_US (UINT64_C(3) * 1000000)

struct collection {
    const struct init *init;
    uint64_t bytes_left;
    uint64_t files_left;
    uint64_t skipped_left;
    uint64_t search_until_us;
    bool broken; /* the reader is gone */
};

static void put(struct collection *collection, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0 && !collection->broken) {
        const ssize_t written = write(INIT_FD_COLLECTED, at, size);
        if (written > 0) {
            at += written;
            size -= (size_t)written;
        } else if (written < 0 && errno != EINTR) {
            collection->broken = true; /* as PID 1 we do not die of SIGPIPE */
        }
    }
}

static void put_padding(struct collection *collection, uint64_t payload)
{
    static const char zeros[8];
    put(collection, zeros, (size_t)(-payload & 7));
}

static void put_skipped(struct collection *collection, const char *path, enum pack_skip reason,
                        uint64_t file_size)
{
    const size_t size = strlen(path);
    const struct pack_header header = {.type = PACK_SKIPPED,
                                       .mode = (uint32_t)reason,
                                       .path_size = (uint32_t)size,
                                       .size = size,
                                       .file_size = file_size};
    if (collection->skipped_left > 0) {
        collection->skipped_left--;
        put(collection, &header, sizeof(header));
        put(collection, path, size);
        put_padding(collection, size);
    }
}

/* The record promises `size` bytes; a file that gives fewer is filled up with zeros, which cannot
 * happen on a tmpfs that nobody else holds open. */
static void put_content(struct collection *collection, int fd, uint64_t size)
{
    static char data[COPY_SIZE];
    ssize_t got = 1;
    while (size > 0 && !collection->broken) {
        const size_t want = size < sizeof(data) ? (size_t)size : sizeof(data);
        got = got > 0 ? read(fd, data, want) : 0;
        if (got <= 0) {
            memset(data, 0, want);
        }
        const size_t have = got > 0 ? (size_t)got : want;
        put(collection, data, have);
        size -= have;
    }
}

static void put_file(struct collection *collection, int fd, const char *path,
                     const struct stat *file)
{
    const size_t path_size = strlen(path);
    const uint64_t size = (uint64_t)file->st_size;
    const struct pack_header header = {.type = PACK_FILE,
                                       .mode = file->st_mode & 0777,
                                       .path_size = (uint32_t)path_size,
                                       .size = path_size + size};
    put(collection, &header, sizeof(header));
    put(collection, path, path_size);
    put_content(collection, fd, size);
    put_padding(collection, header.size);
    collection->files_left--;
    collection->bytes_left -= size;
}

static bool matches(const struct init *init, const char *path)
{
    struct pack_record record;
    size_t offset = 0;
    while (pack_next(init->pack, init->pack_size, &offset, &record) > 0) {
        if (record.header.type == PACK_COLLECT && glob_match((const char *)record.payload, path)) {
            return true;
        }
    }
    return false;
}

static bool collect_one(void *context, const struct init_visit *visit)
{
    struct collection *collection = context;
    struct stat file;
    if (init_clock_us() > collection->search_until_us) {
        put_skipped(collection, visit->path, PACK_SKIP_TOO_MANY, 0); /* and all behind it */
        return false;
    }
    if (!matches(collection->init, visit->path)) {
        return !collection->broken;
    }
    if (pack_path_problem(visit->path, strlen(visit->path)) != NULL) {
        put_skipped(collection, visit->path, PACK_SKIP_BAD_NAME, 0);
    } else if (fstatat(visit->dir, visit->name, &file, AT_SYMLINK_NOFOLLOW) != 0) {
        put_skipped(collection, visit->path, PACK_SKIP_UNREADABLE, 0);
    } else if (!S_ISREG(file.st_mode)) {
        put_skipped(collection, visit->path, PACK_SKIP_NOT_REGULAR, 0);
    } else if (collection->files_left == 0) {
        put_skipped(collection, visit->path, PACK_SKIP_TOO_MANY, (uint64_t)file.st_size);
    } else if ((uint64_t)file.st_size > collection->bytes_left) {
        put_skipped(collection, visit->path, PACK_SKIP_TOO_LARGE, (uint64_t)file.st_size);
    } else {
        int fd = sys_open_beneath(visit->dir, visit->name, O_RDONLY | O_NONBLOCK, 0);
        if (fd < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) ||
            (uint64_t)file.st_size > collection->bytes_left) {
            put_skipped(collection, visit->path, PACK_SKIP_UNREADABLE, 0);
        } else {
            const uint64_t begun = init_clock_us();
            put_file(collection, fd, visit->path, &file);
            collection->search_until_us += init_clock_us() - begun; /* this is not searching */
        }
        if (fd >= 0) {
            (void)close(fd); /* opened for reading */
        }
    }
    return !collection->broken;
}

static bool has_globs(const struct init *init)
{
    struct pack_record record;
    size_t offset = 0;
    while (pack_next(init->pack, init->pack_size, &offset, &record) > 0) {
        if (record.header.type == PACK_COLLECT) {
            return true;
        }
    }
    return false;
}

void init_collect(struct init *init)
{
    struct collection collection = {
        .init = init,
        .bytes_left = init->start.limits.value[LIMIT_COLLECT_BYTES],
        .files_left = init->start.limits.value[LIMIT_COLLECT_FILES],
        .skipped_left = PACK_SKIPPED_MAX,
        .search_until_us = init_clock_us() + SEARCH_MAX_US,
    };
    const struct pack_header end = {.type = PACK_END};
    if (has_globs(init)) {
        init_walk(INIT_WORKSPACE, collect_one, &collection);
    }
    put(&collection, &end, sizeof(end));
    (void)close(INIT_FD_COLLECTED); /* a pipe: the writes said all */
}
