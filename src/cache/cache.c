/*
 * Compiled programs in files: see cache.h.
 *
 * An entry is a struct entry, then its bytes; its name is the key in hexadecimal.  A name that
 * begins with a dot is an entry that is being written, or was when its writer was killed.
 */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "compiled"

/* A name in the directory: the key, or a dot and less. */
#define NAME_SIZE (2 * CACHE_KEY_SIZE + 1)

/* Seconds after which what was being written never will be. */
#define WRITING_MAX_S 600

static const unsigned char magic[8] = {'c', 'e', 'l', 'l', 'a', 0, 0, 1};

struct entry {
    unsigned char magic[8];
    unsigned char key[CACHE_KEY_SIZE];
    unsigned char checksum[SHA256_DIGEST_LENGTH]; /* of the key and the bytes */
    uint64_t size;                                /* of the bytes */
};

static int open_directory(bool create)
{
    AUTO_CLOSE int parent = paths_open_cache(create);
    return parent < 0 ? -1 : paths_open_own(parent, DIRECTORY, create);
}

static void make_checksum(const unsigned char key[CACHE_KEY_SIZE], const void *data, size_t size,
                          unsigned char ret_checksum[SHA256_DIGEST_LENGTH])
{
    SHA2_CTX digest;
    SHA256Init(&digest);
    SHA256Update(&digest, key, CACHE_KEY_SIZE);
    SHA256Update(&digest, data, size);
    SHA256Final(ret_checksum, &digest);
}

/* ---- reading ---- */

/* Whether nobody but us can have written the file, and how many bytes stand behind its entry. */
static bool is_ours(int fd, size_t *ret_size)
{
    struct stat found;
    if (fstat(fd, &found) < 0 || !S_ISREG(found.st_mode) || found.st_uid != geteuid() ||
        (found.st_mode & (S_IRWXG | S_IRWXO)) != 0 || found.st_nlink != 1 ||
        found.st_size < (off_t)sizeof(struct entry) ||
        found.st_size > (off_t)(sizeof(struct entry) + CACHE_ENTRY_MAX)) {
        return false;
    }
    *ret_size = (size_t)found.st_size - sizeof(struct entry);
    return true;
}

static bool read_entry(int fd, const unsigned char key[CACHE_KEY_SIZE], struct buffer *bytes)
{
    struct entry entry;
    unsigned char checksum[SHA256_DIGEST_LENGTH];
    size_t size;
    if (!is_ours(fd, &size) || fd_read_full(fd, &entry, sizeof(entry)) != (ssize_t)sizeof(entry) ||
        memcmp(entry.magic, magic, sizeof(magic)) != 0 ||
        memcmp(entry.key, key, CACHE_KEY_SIZE) != 0 || entry.size != size) {
        return false;
    }
    char *room = buffer_reserve(bytes, size);
    if (room == NULL || fd_read_full(fd, room, size) != (ssize_t)size) {
        return false;
    }
    make_checksum(key, room, size, checksum);
    if (memcmp(checksum, entry.checksum, sizeof(checksum)) != 0) {
        return false;
    }
    buffer_commit(bytes, size);
    return true;
}

bool cache_get(const unsigned char key[CACHE_KEY_SIZE], struct buffer *ret_bytes)
{
    char name[NAME_SIZE];
    AUTO_CLOSE int directory = open_directory(false);
    if (directory < 0) {
        return false;
    }
    hex_write(key, CACHE_KEY_SIZE, name);
    AUTO_CLOSE int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ELOOP) {
        return false; /* there is none, or we lack what it takes to look */
    }
    if (fd < 0 || !read_entry(fd, key, ret_bytes)) {
        (void)unlinkat(directory, name, 0); /* if this fails it stays no entry */
        return false;
    }
    (void)futimens(fd, NULL); /* if this fails it goes sooner */
    return true;
}

/* ---- making room ---- */

struct kept {
    char name[NAME_SIZE];
    uint64_t size;
    int64_t used_ns;
};

struct listing {
    struct kept *items;
    size_t count;
    uint64_t bytes; /* of all */
};

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* One name of the directory: counted, or removed when it never will be an entry. */
static void add_name(struct listing *listing, int directory, const char *name, time_t now)
{
    struct stat found;
    struct kept *kept = &listing->items[listing->count];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0) {
        return;
    }
    size_t size = strnlen(name, NAME_SIZE);
    if (name[0] != '.' && size == NAME_SIZE - 1 && S_ISREG(found.st_mode) &&
        listing->count < CACHE_ENTRIES_MAX) {
        memcpy(kept->name, name, NAME_SIZE);
        kept->size = (uint64_t)found.st_size;
        kept->used_ns = nanoseconds(&found.st_mtim);
        listing->bytes += kept->size;
        listing->count++;
    } else if (name[0] != '.' || now - found.st_mtime > WRITING_MAX_S) {
        (void)unlinkat(directory, name, 0); /* a directory stays, and harms nothing */
    }
}

static bool list(int directory, struct listing *listing)
{
    AUTO_CLOSE int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    listing->items = calloc(CACHE_ENTRIES_MAX + 1, sizeof(*listing->items));
    DIR *names = fd < 0 || listing->items == NULL ? NULL : fdopendir(fd);
    if (names == NULL) {
        return false;
    }
    (void)take_fd(&fd); /* it belongs to `names` now */
    const time_t now = (time_t)(clock_realtime_ms() / 1000);
    const struct dirent *name;
    while ((name = readdir(names)) != NULL) {
        add_name(listing, directory, name->d_name, now);
    }
    (void)closedir(names);
    return true;
}

static int by_use(const void *left, const void *right)
{
    const struct kept *one = left;
    const struct kept *other = right;
    return (one->used_ns > other->used_ns) - (one->used_ns < other->used_ns);
}

/* False when there is no saying whether there is room. */
static bool make_room(int directory, uint64_t size, uint64_t bytes_max)
{
    struct listing listing = {0};
    bool known = list(directory, &listing);
    if (known) {
        qsort(listing.items, listing.count, sizeof(*listing.items), by_use);
    }
    size_t gone = 0;
    while (known && gone < listing.count &&
           (listing.bytes + size > bytes_max || listing.count - gone >= CACHE_ENTRIES_MAX)) {
        const struct kept *oldest = &listing.items[gone++];
        known = unlinkat(directory, oldest->name, 0) == 0 || errno == ENOENT;
        listing.bytes -= oldest->size;
    }
    free(listing.items);
    return known;
}

/* ---- writing ---- */

void cache_put(const unsigned char key[CACHE_KEY_SIZE], const struct buffer *bytes,
               uint64_t bytes_max)
{
    char name[NAME_SIZE];
    char temporary[NAME_SIZE];
    struct entry entry = {.size = bytes->size};
    if (bytes->size > CACHE_ENTRY_MAX || bytes->size + sizeof(entry) > bytes_max) {
        return;
    }
    AUTO_CLOSE int directory = open_directory(true);
    if (directory < 0 || !make_room(directory, bytes->size + sizeof(entry), bytes_max)) {
        return;
    }
    memcpy(entry.magic, magic, sizeof(magic));
    memcpy(entry.key, key, CACHE_KEY_SIZE);
    make_checksum(key, bytes->data, bytes->size, entry.checksum);
    hex_write(key, CACHE_KEY_SIZE, name);
    (void)snprintf(temporary, sizeof(temporary), ".%.8s-%ld", name, (long)getpid()); /* fits */
    AUTO_CLOSE int fd =
        openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (fd < 0) {
        return; /* another thread of ours is about to keep the same */
    }
    if (fd_write_full(fd, &entry, sizeof(entry)) < 0 ||
        fd_write_full(fd, bytes->data, bytes->size) < 0 ||
        renameat(directory, temporary, directory, name) < 0) {
        (void)unlinkat(directory, temporary, 0);
    }
}
