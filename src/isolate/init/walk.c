/* See init_walk() in init.h.  The tree is a dead guest's: it may be deep, wide and oddly named. */
#include "isolate/init/init.h"
#include "isolate/native/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel fills it in (getdents64(2)). */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

struct walk {
    bool (*visit)(void *context, const struct init_visit *visit);
    void *context;
    char path[PACK_PATH_MAX];
};

static bool walk_directory(struct walk *walk, int dir, size_t path_size, int depth);

void init_walk(const char *directory, bool (*visit)(void *context, const struct init_visit *visit),
               void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir >= 0) {
        IGNORE(walk_directory(&walk, dir, 0, 0)); /* false: the visitor has had enough */
        (void)close(dir);                         /* a directory */
    }
}

static bool walk_entry(struct walk *walk, int dir, const struct directory_entry *entry,
                       size_t path_size, int depth)
{
    const size_t name_size = strlen(entry->name);
    const size_t start = path_size == 0 ? 0 : path_size + 1;
    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0 ||
        start + name_size >= sizeof(walk->path)) {
        return true; /* a path that long could not be asked for either */
    }
    if (path_size > 0) {
        walk->path[path_size] = '/';
    }
    memcpy(walk->path + start, entry->name, name_size + 1);
    if (entry->type != DT_DIR) {
        const struct init_visit visit = {dir, entry->name, walk->path};
        return walk->visit(walk->context, &visit);
    }
    bool go_on = true;
    int below = depth < INIT_WALK_DEPTH_MAX
                    ? sys_open_beneath(dir, entry->name, O_RDONLY | O_DIRECTORY, 0)
                    : -1;
    if (below >= 0) {
        go_on = walk_directory(walk, below, start + name_size, depth + 1);
        (void)close(below); /* a directory */
    }
    return go_on;
}

static bool walk_directory(struct walk *walk, int dir, size_t path_size, int depth)
{
    union {
        char bytes[2048]; /* one for each level of depth is on the stack */
        struct directory_entry align;
    } buffer;
    long got = 0;
    while ((got = syscall(SYS_getdents64, dir, buffer.bytes, sizeof(buffer.bytes))) > 0) {
        for (long at = 0; at < got;) {
            const struct directory_entry *entry = (const void *)(buffer.bytes + at);
            if (!walk_entry(walk, dir, entry, path_size, depth)) {
                return false;
            }
            at += entry->size;
        }
    }
    return true;
}
