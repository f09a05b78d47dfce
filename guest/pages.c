/* See pages.h.  The kernel tells by /proc/self/pagemap (admin-guide/mm/pagemap). */
#include "pages.h"

#include "base/attributes.h"
#include "base/fd.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRESENT   (UINT64_C(1) << 63)
#define OF_FILE   (UINT64_C(1) << 61)
#define EXCLUSIVE (UINT64_C(1) << 56) /* mapped by this process alone */

#define PAGES_AT_ONCE 512
#define RANGES_MAX    4096

/* Of Linux 5.14; older headers do not have them. */
#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define FAULT_AROUND (UINT64_C(64) * 1024)

struct range {
    uintptr_t start;
    size_t size;
    int advice;
};

static struct range ranges[RANGES_MAX];
static size_t range_count;
static size_t seen_count; /* of these, by an earlier look */
static size_t page_size;
static bool looked_later;

/* What the child tells before the ranges. */
static struct {
    size_t note;
    size_t later_bytes;
} told;

static bool is_known(uintptr_t address)
{
    for (size_t i = 0; i < seen_count; i++) {
        if (address - ranges[i].start < ranges[i].size) {
            return true;
        }
    }
    return false;
}

static void add_page(uintptr_t address, int advice)
{
    struct range *last = range_count > seen_count ? &ranges[range_count - 1] : NULL;
    if (is_known(address)) {
        return;
    }
    if (last != NULL && last->advice == advice && address == last->start + last->size) {
        last->size += page_size;
    } else if (range_count < RANGES_MAX) {
        ranges[range_count++] = (struct range){address, page_size, advice};
    }
}

/* A fault on a page of a file maps those around it too, as far as they are in memory: of each such
 * piece one page is enough (fault_around_bytes, mm/memory.c). */
static bool comes_with_last(uintptr_t address, uintptr_t last)
{
    return last != 0 && address / FAULT_AROUND == last / FAULT_AROUND;
}

/* One mapping. */
static void add_mapping(int pagemap, uintptr_t start, uintptr_t end)
{
    uint64_t entries[PAGES_AT_ONCE];
    uintptr_t last = 0; /* page of a file that was added */
    for (uintptr_t at = start; at < end;) {
        const size_t pages = (end - at) / page_size;
        const size_t count = pages < PAGES_AT_ONCE ? pages : PAGES_AT_ONCE;
        const ssize_t got = pread(pagemap, entries, count * sizeof(entries[0]),
                                  (off_t)(at / page_size * sizeof(entries[0])));
        if (got != (ssize_t)(count * sizeof(entries[0]))) {
            return; /* not a mapping of pages */
        }
        for (size_t i = 0; i < count; i++) {
            const uint64_t entry = entries[i];
            const uintptr_t page = at + i * page_size;
            if ((entry & (PRESENT | OF_FILE)) == (PRESENT | OF_FILE)) {
                if (!comes_with_last(page, last)) {
                    add_page(page, POPULATE_READ);
                    last = page;
                }
            } else if ((entry & (PRESENT | EXCLUSIVE)) == (PRESENT | EXCLUSIVE)) {
                add_page(page, POPULATE_WRITE);
            }
        }
        at += count * page_size;
    }
}

/* Everything that it has made its own. */
void pages_look(void)
{
    char line[512];
    seen_count = range_count;
    /* Its own files there are closed to a process that is not dumpable. */
    IGNORE(sys_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0);
    const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    while (pagemap >= 0 && maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        unsigned long start = 0, end = 0;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && rights[0] == 'r') {
            add_mapping(pagemap, start, end);
        }
    }
    if (pagemap >= 0) {
        (void)close(pagemap); /* read */
    }
    if (maps != NULL) {
        (void)fclose(maps); /* read */
    }
}

/* Of the ranges from that one on. */
static size_t copied_bytes(size_t first)
{
    size_t sum = 0;
    for (size_t i = first; i < range_count; i++) {
        sum += ranges[i].advice == POPULATE_WRITE ? ranges[i].size : 0;
    }
    return sum;
}

static int listener = -1; /* of the child that tells: where the zygote listens */

static void begin_rehearsal(int pipe)
{
    /* It must not outlive the zygote, which waits for it. */
    IGNORE(sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0); /* a valid number */
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= 2 && null >= 0; i++) {
        IGNORE(dup2(null, i) < 0); /* what is said is for nobody */
    }
    if (null > 2) {
        (void)close(null); /* its duplicates stay */
    }
    listener = pipe;
}

void pages_look_later(void)
{
    const size_t ready = range_count;
    pages_look();
    told.later_bytes = copied_bytes(ready);
    range_count = ready;
    looked_later = true;
}

void pages_tell(size_t number)
{
    told.note = number;
    if (!looked_later) {
        pages_look();
    }
    /* What does not arrive is not known. */
    IGNORE(fd_write_full(listener, &told, sizeof(told)) < 0 ||
           fd_write_full(listener, ranges, range_count * sizeof(ranges[0])) < 0);
    _exit(0);
}

size_t pages_note(void)
{
    return told.note;
}

bool pages_learn(void)
{
    int pair[2];
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return false;
    }
    const pid_t pid = _Fork();
    if (pid == 0) {
        (void)close(pair[0]);
        begin_rehearsal(pair[1]);
        return true;
    }
    (void)close(pair[1]);
    size_t size = 0;
    ssize_t got = read(pair[0], &told, sizeof(told));
    while (pid > 0 && got > 0 && size < sizeof(ranges)) {
        got = read(pair[0], (char *)ranges + size, sizeof(ranges) - size);
        size += got > 0 ? (size_t)got : 0;
    }
    (void)close(pair[0]); /* a pipe */
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    range_count = size / sizeof(ranges[0]);
    return false;
}

unsigned long pages_copied_bytes(void)
{
    return copied_bytes(0) + told.later_bytes;
}

void pages_make_ready(void)
{
    for (size_t i = 0; i < range_count; i++) {
        const struct range *range = &ranges[i];
        /* What is not there any more, or cannot be made ready, comes by a fault. */
        IGNORE(madvise((void *)range->start, range->size, range->advice) != 0);
    }
}
