/* See park.h. */
#include "park.h"

#include "guest.h"
#include "isolate/native/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct park_words park_words; /* too large for comfort on a stack */

/* They stay where they are: in a private copy of the pack. */
static void read_pack(int pack)
{
    struct stat file;
    struct pack_record record;
    size_t offset = 0, variables = 0;
    if (fstat(pack, &file) != 0) {
        _exit(1);
    }
    const size_t size = (size_t)file.st_size;
    unsigned char *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, pack, 0);
    if (mapped == MAP_FAILED) {
        _exit(1);
    }
    while (pack_next(mapped, size, &offset, &record) > 0) {
        const char *text = pack_word(&record);
        if (record.header.type == PACK_PROGRAM && text != NULL) {
            park_words.path = strdup(text);
        } else if (record.header.type == PACK_ARG && text != NULL &&
                   park_words.argc < PACK_ARGS_MAX) {
            park_words.argv[park_words.argc++] = strdup(text);
        } else if (record.header.type == PACK_ENV && text != NULL && variables < PACK_ENV_MAX) {
            park_words.envp[variables++] = strdup(text);
        }
    }
    IGNORE(munmap(mapped, size) != 0); /* valid arguments */
    (void)close(pack);
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void fill_usage(struct zygote_parked *parked)
{
    struct rusage used = {0};
    IGNORE(getrusage(RUSAGE_SELF, &used) != 0); /* cannot fail with these arguments */
    parked->user_us = microseconds(used.ru_utime);
    parked->system_us = microseconds(used.ru_stime);
    parked->minor_faults = (uint64_t)used.ru_minflt;
    parked->voluntary_switches = (uint64_t)used.ru_nvcsw;
    parked->involuntary_switches = (uint64_t)used.ru_nivcsw;
}

void park_tell(int socket, const struct zygote_parked *parked, int descriptor)
{
    if (sys_send(socket, parked, sizeof(*parked), &descriptor, descriptor >= 0 ? 1 : 0) != 0 ||
        parked->pid == 0) {
        _exit(1);
    }
}

void park_wait(int socket, struct zygote_parked *parked)
{
    struct zygote_go go;
    int pack = -1;
    fill_usage(parked);
    parked->parked = 1;
    park_tell(socket, parked, -1);
    if (sys_receive(socket, &go, sizeof(go), &pack, 1) != (ssize_t)sizeof(go) || pack < 0) {
        _exit(0); /* nobody has a use for us */
    }
    (void)close(socket); /* nothing more is said */
    read_pack(pack);
    environ = park_words.envp;
}

void guest_start_anew(void)
{
    if (park_words.path != NULL) {
        /* Returns on failure alone. */
        IGNORE(execve(park_words.path, park_words.argv, park_words.envp));
    }
    (void)fprintf(stderr, "%s: %s\n", park_words.argv[0], strerror(errno));
    _exit(127);
}

int park_script(const char *word)
{
    for (int i = 1; i < park_words.argc; i++) {
        const char *given = park_words.argv[i];
        if (strcmp(given[0] == '@' ? given + 1 : given, word) == 0) {
            return i;
        }
    }
    _exit(2); /* no recipe of ours */
}
