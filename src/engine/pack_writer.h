/*
 * Writes a pack (isolate/pack.h) into a memfd that is sealed at the end, so that what the sandbox
 * reads is what was checked.  A small pack is made into one only then: thousands may wait for room,
 * and should not each hold a descriptor.
 */
#ifndef ENGINE_PACK_WRITER_H
#define ENGINE_PACK_WRITER_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "isolate/pack.h"

#include <cella/error.h>

struct pack_writer {
    int fd;              /* -1 when there is none, or none yet */
    struct buffer batch; /* what is not yet written: small records go together */
};

void pack_writer_init(struct pack_writer *writer);
void pack_writer_done(struct pack_writer *writer);

/* One word of the kinds that are a word: program, argument, variable, glob. */
int pack_writer_add_word(struct pack_writer *writer, enum pack_type type, const char *word,
                         struct cella_error *err) MUST_CHECK;
int pack_writer_add_file(struct pack_writer *writer, const char *path, const void *data,
                         size_t size, unsigned mode, struct cella_error *err) MUST_CHECK;

/* Adds what is written so far to `out`: a pack without its end. */
int pack_writer_copy(const struct pack_writer *writer, struct buffer *out,
                     struct cella_error *err) MUST_CHECK;

/* Ends the pack.  The descriptor is the caller's, and nothing can be added any more. */
int pack_writer_seal(struct pack_writer *writer, int *ret_fd, struct cella_error *err) MUST_CHECK;

#endif
