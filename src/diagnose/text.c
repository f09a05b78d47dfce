/* Pieces of text: see text.h. */
#include "diagnose/text.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "runtime/errors.h"

#include <string.h>

#define NUMBER_MAX 999999999U

/* Bytes at the start that need no change. */
static size_t clean_prefix(const char *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        unsigned char byte = (unsigned char)data[at];
        uint32_t code = byte;
        size_t length = 1;
        if (byte >= 0x80) {
            length = utf8_decode(data + at, size - at, &code);
        }
        if (length == 0 || (utf8_is_control(code) && code != '\n' && code != '\t')) {
            break;
        }
        at += length;
    }
    return at;
}

bool text_is_clean(const char *data, size_t size)
{
    return clean_prefix(data, size) == size;
}

int text_add_clean(struct buffer *out, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t good = clean_prefix(data + at, size - at);
        if (buffer_add(out, data + at, good) < 0) {
            return -1;
        }
        at += good;
        if (at == size) {
            break;
        }
        bool returns = data[at] == '\r';
        bool line_ends = returns && at + 1 < size && data[at + 1] == '\n';
        uint32_t code;
        size_t length = utf8_decode(data + at, size - at, &code); /* a control character, or none */
        if (!line_ends && buffer_add_string(out, returns ? "\n" : UTF8_REPLACEMENT) < 0) {
            return -1;
        }
        at += length > 0 ? length : utf8_bad_length(data + at, size - at);
    }
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

struct pattern_piece text_trim(struct pattern_piece piece)
{
    while (piece.size > 0 && is_space(piece.data[piece.size - 1])) {
        piece.size--;
    }
    while (piece.size > 0 && is_space(piece.data[0])) {
        piece.data++;
        piece.size--;
    }
    return piece;
}

char *text_copy(struct pattern_piece piece, size_t max)
{
    if (piece.data == NULL) {
        return NULL;
    }
    size_t size = piece.size < max ? piece.size : max;
    return alloc_copy(piece.data, utf8_cut(piece.data, size));
}

bool text_is(struct pattern_piece piece, const char *word)
{
    return piece.data != NULL && piece.size == strlen(word) &&
           memcmp(piece.data, word, piece.size) == 0;
}

bool text_begins(struct pattern_piece piece, const char *start)
{
    size_t size = strlen(start);
    return piece.data != NULL && piece.size >= size && memcmp(piece.data, start, size) == 0;
}

uint32_t text_number(struct pattern_piece piece)
{
    uint32_t number = 0;
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.data[i] < '0' || piece.data[i] > '9' || number > NUMBER_MAX / 10) {
            return 0;
        }
        number = number * 10 + (uint32_t)(piece.data[i] - '0');
    }
    return number;
}

size_t text_characters(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)data[i] & 0xC0) != 0x80;
    }
    return count;
}

/* ---- names in braces ---- */

static struct pattern_piece whole(const char *text)
{
    return (struct pattern_piece){text, text == NULL ? 0 : strlen(text)};
}

static struct pattern_piece value_of(struct pattern_piece name, const struct text_values *values)
{
    if (text_is(name, "closest")) {
        return whole(values->closest);
    }
    if (text_is(name, "package")) {
        return whole(values->package);
    }
    if (values->pattern != NULL && pattern_has_group(values->pattern, name.data, name.size)) {
        return text_trim(pattern_group(values->pattern, name.data, name.size));
    }
    return whole(text_is(name, "entry") ? values->entry : values->signal);
}

bool text_can_fill(const char *text, const struct text_values *values)
{
    for (; *text != '\0'; text++) {
        size_t size = errors_placeholder(text);
        if (size > 0 && value_of((struct pattern_piece){text + 1, size - 2}, values).size == 0) {
            return false;
        }
    }
    return true;
}

int text_fill(struct buffer *out, const char *text, const struct text_values *values)
{
    while (*text != '\0') {
        size_t size = errors_placeholder(text);
        struct pattern_piece piece = {text, 1};
        if (size > 0) {
            piece = value_of((struct pattern_piece){text + 1, size - 2}, values);
        }
        if (piece.size > 0 && buffer_add(out, piece.data, piece.size) < 0) {
            return -1;
        }
        text += size > 0 ? size : 1;
    }
    return 0;
}
