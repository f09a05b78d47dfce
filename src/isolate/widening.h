/*
 * /etc/cella/ceiling.conf: by how much the administrator of a host widens the keeper's ceiling.
 *
 * The keeper does little by itself, whatever a policy says: no file outside the places of programs
 * is shown to a run, nothing of the host can be written, no run gets the host's network.  Who owns
 * the host may say otherwise in this file, a few fixed words a line:
 *
 *     # comment
 *     mount read_only /srv/data    runs may see it, and what is below it
 *     mount writable /srv/out      and write to it
 *     mount writable_of_root /out  likewise, and it may be root's own: so will be what they write
 *     network host                 runs may use the host's network
 *
 * It must be root's, like the directory that it is in, and nobody else may write to either.  No
 * file: nothing is widened.  A bad file widens nothing, and says why to whoever would need it.
 */
#ifndef ISOLATE_WIDENING_H
#define ISOLATE_WIDENING_H

#include <stdbool.h>
#include <stddef.h>

#define WIDENING_DIRECTORY  "/etc/cella"
#define WIDENING_FILE       "/etc/cella/ceiling.conf"
#define WIDENING_SIZE_MAX   16384 /* bytes of the file */
#define WIDENING_MOUNTS_MAX 64
#define WIDENING_PATH_MAX   192 /* with its NUL */

struct widening {
    bool exists; /* the file does, good or bad */
    bool network_host;
    size_t mount_count;
    struct {
        bool writable;
        bool of_root; /* although it, and what is written, is root's */
        char path[WIDENING_PATH_MAX];
    } mounts[WIDENING_MOUNTS_MAX];
    char problem[256]; /* why the file counts for nothing; empty: it counts */
};

/* Reads the file.  Never fails: a bad file widens nothing and leaves its problem. */
void widening_read(struct widening *ret_widening);

/* The same from a text; `size` bytes, without a NUL. */
void widening_parse(const char *text, size_t size, struct widening *ret_widening);

/* Whether a plain path lies in a mount of the file. */
bool widening_allows_mount(const struct widening *widening, const char *path, bool writable);
/* Whether it may be written to although it is root's own. */
bool widening_allows_root(const struct widening *widening, const char *path);

#endif
