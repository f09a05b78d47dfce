/*
 * How a program that is there before its run waits for it: it says that it is parked, and is let go
 * with the pack of the run (isolate/zygote.h).
 */
#ifndef GUEST_PARK_H
#define GUEST_PARK_H

#include "isolate/pack.h"
#include "isolate/zygote.h"

/* Of the run, once it has been let go. */
struct park_words {
    char *path;
    int argc;
    char *argv[PACK_ARGS_MAX + 1];
    char *envp[PACK_ENV_MAX + 1];
};
extern struct park_words park_words;

/* Where the socket that a program is let go by is out of the way, so that the interpreter's own
 * descriptors have the numbers that they always have. */
#define PARK_QUIET_FD 60

/* Says how far it is, with a descriptor or -1.  When that cannot be said, or what is said is that
 * it has failed, it ends. */
void park_tell(int socket, const struct zygote_parked *parked, int descriptor);

/* Says that it is parked and waits.  Then its words are there and its environment is the run's. */
void park_wait(int socket, struct zygote_parked *parked);
/* In a child of which no run comes: all that park_wait() does, with these words and the environment
 * that is there. */
void park_rehearse(char *const *argv);

/* Which of the run's words that is, or names it as @FILE; a recipe of ours has it. */
int park_script(const char *word);

#endif
