/* JSON that is given part by part: see json_parts.h. */
#include "base/json_parts.h"

#include "base/alloc.h"
#include "base/json_write.h"
#include "base/utf8.h"

#include <stdlib.h>

_Static_assert(JSON_PART_SIZE % 3 == 0, "parts of base64 come one behind the other");

void json_parts_init(struct json_parts *parts)
{
    *parts = (struct json_parts){.longs = NULL};
    buffer_init(&parts->text, 0);
}

void json_parts_done(struct json_parts *parts)
{
    buffer_done(&parts->text);
    free(parts->longs);
    parts->longs = NULL;
}

int json_parts_add(struct json_parts *parts, const char *data, size_t size, bool base64)
{
    struct json_long *longs = alloc_grow(parts->longs, parts->long_count, sizeof(*longs));
    if (longs == NULL) {
        return -1;
    }
    parts->longs = longs;
    longs[parts->long_count++] = (struct json_long){parts->text.size, data, size, base64};
    return 0;
}

/* What of the text comes before the next long one. */
static int give_text(struct json_parts *parts, size_t end, struct buffer *out)
{
    const size_t left = end - parts->given;
    const size_t size = left < JSON_PART_SIZE ? left : JSON_PART_SIZE;
    if (buffer_add(out, parts->text.data + parts->given, size) < 0) {
        return -1;
    }
    parts->given += size;
    return 1;
}

/* Cut where no character is: what is none by itself is the same in two parts as in one. */
static int give_long(struct json_parts *parts, const struct json_long *text, struct buffer *out)
{
    const char *data = text->data + parts->long_given;
    const size_t left = text->size - parts->long_given;
    size_t size = left;
    if (left > JSON_PART_SIZE) {
        size = text->base64 ? JSON_PART_SIZE : utf8_cut(data, JSON_PART_SIZE);
    }
    if ((text->base64 ? json_add_base64(out, data, size) : json_add_text(out, data, size)) < 0) {
        return -1;
    }
    parts->long_given += size;
    if (parts->long_given == text->size) {
        parts->next_long++;
        parts->long_given = 0;
    }
    return 1;
}

int json_parts_next(struct json_parts *parts, struct buffer *out)
{
    const struct json_long *next =
        parts->next_long < parts->long_count ? &parts->longs[parts->next_long] : NULL;
    const size_t end = next != NULL ? next->at : parts->text.size;
    if (parts->given < end) {
        return give_text(parts, end, out);
    }
    return next != NULL ? give_long(parts, next, out) : 0;
}
