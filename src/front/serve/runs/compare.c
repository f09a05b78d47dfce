/* See compare.h.  Divisions: places in a text; lines; words and numbers. */
#include "front/serve/runs/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes before the difference that an excerpt of a long line or word begins with. */
#define BEFORE 40U
/* Bytes of a character in UTF-8. */
#define CHARACTER_MAX 4U

/* A part of a text, by its ends. */
struct span {
    size_t begin;
    size_t end;
};

static bool is_space(char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* ---- places in a text ---- */

static bool continues_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* What is shown of a span that differs at `at`, without half a character at either end. */
static struct compare_text excerpt(struct compare_text text, struct span span, size_t at)
{
    at = at < span.end ? at : span.end;
    size_t begin = at - span.begin > BEFORE ? at - BEFORE : span.begin;
    size_t end = span.end - begin > COMPARE_EXCERPT_MAX ? begin + COMPARE_EXCERPT_MAX : span.end;
    while (begin > span.begin && begin < at && continues_character(text.data[begin])) {
        begin++;
    }
    while (end < span.end && end > at + 1 && continues_character(text.data[end])) {
        end--;
    }
    return (struct compare_text){text.data + begin, end - begin};
}

/* Lines and columns are counted once, when the difference has been found. */
static void locate(struct compare_text got, size_t at, struct compare_difference *difference)
{
    difference->line = 1;
    difference->column = 1;
    for (size_t i = 0; i < at; i++) {
        if (got.data[i] == '\n') {
            difference->line++;
            difference->column = 1;
        } else if (!continues_character(got.data[i])) {
            difference->column++;
        }
    }
}

/* They differ `offset` bytes behind the beginnings of these spans.  Returns false. */
static bool differ(struct compare_text expected, struct span of_expected, struct compare_text got,
                   struct span of_got, size_t offset, struct compare_difference *ret_difference)
{
    struct compare_difference difference;
    locate(got, of_got.begin + offset, &difference);
    difference.expected = excerpt(expected, of_expected, of_expected.begin + offset);
    difference.got = excerpt(got, of_got, of_got.begin + offset);
    *ret_difference = difference;
    return false;
}

static bool continues_at(struct compare_text text, struct span span, size_t offset)
{
    return span.begin + offset < span.end && continues_character(text.data[span.begin + offset]);
}

/* How many bytes the spans have in common from their beginnings on. */
static size_t common(struct compare_text one, struct span of_one, struct compare_text other,
                     struct span of_other)
{
    const size_t size = least(of_one.end - of_one.begin, of_other.end - of_other.begin);
    size_t same = 0;
    while (same < size && one.data[of_one.begin + same] == other.data[of_other.begin + same]) {
        same++;
    }
    /* Where two characters begin alike they differ from their beginnings on. */
    for (size_t i = 1; i < CHARACTER_MAX && same > 0 &&
                       (continues_at(one, of_one, same) || continues_at(other, of_other, same));
         i++) {
        same--;
    }
    return same;
}

static bool is_same(struct compare_text one, struct span of_one, struct compare_text other,
                    struct span of_other)
{
    const size_t size = of_one.end - of_one.begin;
    return size == of_other.end - of_other.begin &&
           (size == 0 || memcmp(one.data + of_one.begin, other.data + of_other.begin, size) == 0);
}

/* ---- lines ---- */

/* The line that begins there, with its end of line. */
static struct span line_at(struct compare_text text, size_t begin)
{
    const char *newline =
        begin < text.size ? memchr(text.data + begin, '\n', text.size - begin) : NULL;
    return (struct span){begin, newline != NULL ? (size_t)(newline - text.data) + 1 : text.size};
}

static bool compare_exact(struct compare_text expected, struct compare_text got,
                          struct compare_difference *ret_difference)
{
    const struct span all_expected = {0, expected.size}, all_got = {0, got.size};
    if (is_same(expected, all_expected, got, all_got)) {
        return true;
    }
    /* The lines in which they differ begin at the same place. */
    const size_t same = common(expected, all_expected, got, all_got);
    size_t begin = same;
    while (begin > 0 && got.data[begin - 1] != '\n') {
        begin--;
    }
    return differ(expected, line_at(expected, begin), got, line_at(got, begin), same - begin,
                  ret_difference);
}

static struct span without_end(struct compare_text text, struct span line)
{
    while (line.end > line.begin && is_space(text.data[line.end - 1])) {
        line.end--;
    }
    return line;
}

/* A text at its end has empty lines behind it, as many as are wanted. */
static bool compare_lines(struct compare_text expected, struct compare_text got,
                          struct compare_difference *ret_difference)
{
    size_t at_expected = 0, at_got = 0;
    for (uint64_t line = 1; at_expected < expected.size || at_got < got.size; line++) {
        const struct span whole_expected = line_at(expected, at_expected);
        const struct span whole_got = line_at(got, at_got);
        const struct span of_expected = without_end(expected, whole_expected);
        const struct span of_got = without_end(got, whole_got);
        if (!is_same(expected, of_expected, got, of_got)) {
            (void)differ(expected, of_expected, got, of_got,
                         common(expected, of_expected, got, of_got), ret_difference);
            if (ret_difference->line < line) { /* it would be there */
                ret_difference->line = line;
                ret_difference->column = 1;
            }
            return false;
        }
        at_expected = whole_expected.end;
        at_got = whole_got.end;
    }
    return true;
}

/* ---- words and numbers ---- */

/* The first word behind `at`; an empty one at the end of the text. */
static struct span next_word(struct compare_text text, size_t at)
{
    while (at < text.size && is_space(text.data[at])) {
        at++;
    }
    struct span word = {at, at};
    while (word.end < text.size && !is_space(text.data[word.end])) {
        word.end++;
    }
    return word;
}

static bool is_named(const char *word)
{
    word += *word == '+' || *word == '-';
    return strcasecmp(word, "nan") == 0 || strcasecmp(word, "inf") == 0 ||
           strcasecmp(word, "infinity") == 0;
}

/* A decimal number as strtod() reads it, or one of the names for what is none.  Not what C writes
 * besides: hexadecimal, and nan with something in brackets. */
static bool read_number(struct compare_text text, struct span word, double *ret_number)
{
    char copy[COMPARE_NUMBER_MAX + 1];
    const size_t size = word.end - word.begin;
    if (size == 0 || size > COMPARE_NUMBER_MAX) {
        return false;
    }
    memcpy(copy, text.data + word.begin, size);
    copy[size] = '\0';
    const bool named = is_named(copy);
    if (strlen(copy) != size || (!named && strspn(copy, "0123456789+-.eE") != size)) {
        return false;
    }
    char *end;
    errno = 0;
    const double number = strtod(copy, &end);
    if (*end != '\0' || (isinf(number) && !named)) {
        return false; /* no number at all, or one that is beyond all that a double can hold */
    }
    *ret_number = number;
    return true;
}

static bool is_near(const struct compare_rule *rule, double expected, double got)
{
    if (isnan(expected) || isnan(got)) {
        return isnan(expected) && isnan(got);
    }
    if (isinf(expected) || isinf(got)) {
        return expected == got;
    }
    const double distance = fabs(got - expected); /* may be infinite: then it is not near */
    return distance <= rule->absolute || distance <= rule->relative * fabs(expected);
}

static bool is_near_word(const struct compare_rule *rule, struct compare_text expected,
                         struct span of_expected, struct compare_text got, struct span of_got)
{
    double wanted, found;
    return rule->mode == COMPARE_NUMERIC && read_number(expected, of_expected, &wanted) &&
           read_number(got, of_got, &found) && is_near(rule, wanted, found);
}

static bool compare_words(const struct compare_rule *rule, struct compare_text expected,
                          struct compare_text got, struct compare_difference *ret_difference)
{
    struct span of_expected = {0, 0}, of_got = {0, 0};
    do {
        of_expected = next_word(expected, of_expected.end);
        of_got = next_word(got, of_got.end);
        if (!is_same(expected, of_expected, got, of_got) &&
            !is_near_word(rule, expected, of_expected, got, of_got)) {
            return differ(
                expected, of_expected, got, of_got,
                rule->mode == COMPARE_NUMERIC ? 0 : common(expected, of_expected, got, of_got),
                ret_difference);
        }
    } while (of_expected.begin < of_expected.end); /* the other is as long, or a number too */
    return true;
}

bool compare_equal(const struct compare_rule *rule, struct compare_text expected,
                   struct compare_text got, struct compare_difference *ret_difference)
{
    switch (rule->mode) {
    case COMPARE_EXACT:
        return compare_exact(expected, got, ret_difference);
    case COMPARE_WHITESPACE:
        return compare_lines(expected, got, ret_difference);
    default:
        return compare_words(rule, expected, got, ret_difference);
    }
}
