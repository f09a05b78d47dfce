/*
 * JSON that is given part by part, for texts of a hundred megabytes that somebody takes slowly.
 *
 * A json_writer with `parts` writes what is short as always.  Of long texts that json_write_text()
 * or json_write_base64() is given it notes where they lie: they are escaped, or made base64, when
 * their turn comes.  They must stay there until then.
 */
#ifndef BASE_JSON_PARTS_H
#define BASE_JSON_PARTS_H

#include "base/buffer.h"

#include <stdbool.h>

/* From so many bytes on a text is long. */
#define JSON_LONG_MIN 1024U
/* Bytes of one that are in a part, before they are escaped; a multiple of 3, for base64. */
#define JSON_PART_SIZE 49152U

struct json_long {
    size_t at; /* in `text` */
    const char *data;
    size_t size;
    bool base64;
};

struct json_parts {
    struct buffer text; /* all but the long ones */
    struct json_long *longs;
    size_t long_count;
    size_t given;      /* of `text` */
    size_t next_long;  /* that comes behind it */
    size_t long_given; /* of that */
};

void json_parts_init(struct json_parts *parts);
void json_parts_done(struct json_parts *parts);

/* A long text, behind what `text` has now. */
int json_parts_add(struct json_parts *parts, const char *data, size_t size, bool base64) MUST_CHECK;

/* Appends the next part to `out`: 1; 0 behind the last; -1 when memory is short. */
int json_parts_next(struct json_parts *parts, struct buffer *out) MUST_CHECK;

#endif
