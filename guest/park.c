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
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct park_words park_words; /* too large for comfort on a stack */

static const char *word_of(const struct pack_record *record)
{
    const uint32_t type = record->header.type;
    return type == PACK_PROGRAM || type == PACK_ARG || type == PACK_ENV ? pack_word(record) : NULL;
}

/* A copy at *end, which moves on. */
static char *put(char **end, const char *word)
{
    char *copy = *end;
    *end = stpcpy(copy, word) + 1;
    return copy;
}

/* They stay where they are: in one piece, which touches few pages. */
static void take_words(const unsigned char *pack, size_t size)
{
    struct pack_record record;
    size_t offset = 0, variables = 0, words = 0;
    while (pack_next(pack, size, &offset, &record) > 0) {
        words += word_of(&record) != NULL ? record.header.size : 0;
    }
    char *end = malloc(words + 1);
    if (end == NULL) {
        _exit(1);
    }
    offset = 0;
    while (pack_next(pack, size, &offset, &record) > 0) {
        const char *word = word_of(&record);
        if (word == NULL) {
            continue;
        }
        if (record.header.type == PACK_PROGRAM) {
            park_words.path = put(&end, word);
        } else if (record.header.type == PACK_ARG && park_words.argc < PACK_ARGS_MAX) {
            park_words.argv[park_words.argc++] = put(&end, word);
        } else if (record.header.type == PACK_ENV && variables < PACK_ENV_MAX) {
            park_words.envp[variables++] = put(&end, word);
        }
    }
}

static void read_pack(int file)
{
    static unsigned char small[PACK_SMALL_SIZE] __attribute__((aligned(8)));
    struct stat status;
    if (fstat(file, &status) != 0) {
        _exit(1);
    }
    const size_t size = (size_t)status.st_size;
    unsigned char *pack = pack_take(file, size, small);
    if (pack == NULL) {
        _exit(1);
    }
    take_words(pack, size);
    pack_drop(pack, size, small);
    (void)close(file);
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

static bool add_record(int pack, enum pack_type type, const char *word)
{
    static const char padding[8];
    const size_t size = word != NULL ? strlen(word) + 1 : 0;
    const size_t whole = (size_t)pack_record_size(size);
    const struct pack_header header = {.type = (uint32_t)type, .size = size};
    return write(pack, &header, sizeof(header)) == (ssize_t)sizeof(header) &&
           write(pack, word, size) == (ssize_t)size &&
           write(pack, padding, whole - sizeof(header) - size) ==
               (ssize_t)(whole - sizeof(header) - size);
}

static int make_pack(char *const *argv)
{
    const int pack = memfd_create("rehearsal", MFD_CLOEXEC);
    bool made = pack >= 0 && add_record(pack, PACK_PROGRAM, argv[0]);
    for (; made && *argv != NULL; argv++) {
        made = add_record(pack, PACK_ARG, *argv);
    }
    for (char **variable = environ; made && *variable != NULL; variable++) {
        made = add_record(pack, PACK_ENV, *variable);
    }
    return made && add_record(pack, PACK_END, NULL) ? pack : -1;
}

void park_rehearse(char *const *argv)
{
    const struct zygote_go go = {0};
    struct zygote_parked parked = {.pid = (int32_t)getpid()};
    int pair[2];
    const int pack = make_pack(argv);
    /* What cannot be rehearsed is not known. */
    if (pack >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
        sys_send(pair[1], &go, sizeof(go), &pack, 1) == 0) {
        park_wait(pair[0], &parked);
    }
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
