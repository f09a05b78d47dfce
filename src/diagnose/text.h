/*
 * Pieces of text on their way into a diagnosis.  For src/diagnose alone.
 */
#ifndef DIAGNOSE_TEXT_H
#define DIAGNOSE_TEXT_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds the bytes as valid UTF-8 without control characters but tab and newline: U+FFFD stands for
 * every other, and each end of a line is a newline. */
int text_add_clean(struct buffer *out, const char *data, size_t size) MUST_CHECK;

/* Whether that would change nothing. */
bool text_is_clean(const char *data, size_t size);

/* Without white space at its ends. */
struct pattern_piece text_trim(struct pattern_piece piece);
/* A copy of at most `max` bytes, cut between characters; NULL without a piece, or memory. */
char *text_copy(struct pattern_piece piece, size_t max);

bool text_is(struct pattern_piece piece, const char *word);
bool text_begins(struct pattern_piece piece, const char *start);

/* A line or column: 0 for what is none, or too large to be one. */
uint32_t text_number(struct pattern_piece piece);

size_t text_characters(const char *data, size_t size);

/* What stands for a name in braces; a piece without data is nothing. */
struct text_values {
    const struct pattern *pattern; /* its groups; NULL: none */
    const char *closest, *package; /* NULL: not looked up */
    const char *entry, *signal;    /* NULL: there is none */
};

/* Whether each of the names stands for something. */
bool text_can_fill(const char *text, const struct text_values *values);

/* Adds a text of a rule or hint with its names in braces replaced. */
int text_fill(struct buffer *out, const char *text, const struct text_values *values) MUST_CHECK;

#endif
