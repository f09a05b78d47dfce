/*
 * A keeper that was started before the C library: by entry.c, where the build has it.
 */
#ifndef CLI_EARLY_H
#define CLI_EARLY_H

#include <cella/cella.h>

struct early {
    int socket;
    pid_t pid; /* 0: none */
};
extern struct early early __attribute__((visibility("hidden")));

/* Hands it over, into the fields of *options that name a keeper; nothing when there is none. */
void early_take(struct cella_options *options);
/* Ends one that nobody took, and waits for it. */
void early_done(void);

#endif
