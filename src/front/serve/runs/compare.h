/*
 * Whether what a program wrote is what was expected of it, and if not, where it first differs.
 *
 * Pure: two texts and a rule in, a verdict out, in time that grows with the texts alone.  Texts may
 * hold any bytes.  White space is what isspace() calls so in the C locale: a line that ends in CR
 * and LF has white space at its end.
 */
#ifndef SERVE_COMPARE_H
#define SERVE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum compare_mode {
    COMPARE_EXACT,      /* byte for byte */
    COMPARE_WHITESPACE, /* but for white space at the ends of lines, and empty lines at the end */
    COMPARE_TOKENS,     /* words, whatever white space is between them */
    COMPARE_NUMERIC,    /* likewise, and words that are numbers may differ a little */
    COMPARE_MODES
};

/* Without being asked. */
#define COMPARE_TOLERANCE 1e-6
/* A longer word is no number. */
#define COMPARE_NUMBER_MAX 512U
/* Bytes of a text that are shown of it where it differs. */
#define COMPARE_EXCERPT_MAX 120U

struct compare_rule {
    enum compare_mode mode;
    /* A number is near enough when either holds: |got - expected| <= absolute, or
     * <= relative x |expected|. */
    double absolute;
    double relative;
};

struct compare_text {
    const char *data;
    size_t size;
};

/* Where it is, in what the program wrote; both from 1, columns in characters. */
struct compare_difference {
    uint64_t line;
    uint64_t column;
    struct compare_text expected; /* parts of the texts, around there; empty at their end */
    struct compare_text got;
};

/* Sets *ret_difference when they differ. */
bool compare_equal(const struct compare_rule *rule, struct compare_text expected,
                   struct compare_text got, struct compare_difference *ret_difference);

#endif
