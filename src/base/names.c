/* The closest known name: see names.h. */
#include "base/names.h"

#include "base/error.h"

#include <string.h>

#define SHORTENED_MIN 3U /* letters: fewer begin too many names */

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Without the locale: names are ASCII. */
static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* How many letters must be changed, added, left out or swapped with their neighbour (optimal string
 * alignment), upper and lower case being the same.  Both are at most NAMES_LENGTH_MAX long. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][NAMES_LENGTH_MAX + 1]; /* the last three rows of the matrix */
    size_t *two_up = rows[0];
    size_t *up = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        up[j] = j;
        two_up[j] = 0; /* not read before it is a real row */
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            char here_a = lower(a[i - 1]);
            char here_b = lower(b[j - 1]);
            row[j] = min_of(min_of(up[j], row[j - 1]) + 1, up[j - 1] + (here_a != here_b));
            if (i > 1 && j > 1 && here_a == lower(b[j - 2]) && lower(a[i - 2]) == here_b) {
                row[j] = min_of(row[j], two_up[j - 2] + 1);
            }
        }
        size_t *free_row = two_up;
        two_up = up;
        up = row;
        row = free_row;
    }
    return up[b_size];
}

void names_guess_init(struct names_guess *guess, const char *word)
{
    /* A third of the letters may be wrong, in a short word one, in a single letter its case. */
    size_t size = strlen(word);
    size_t close_enough = size < 2 ? 0 : size < 6 ? 1 : size / 3;
    *guess = (struct names_guess){.word = word, .best = NULL, .distance = close_enough + 1};
}

void names_guess_offer(struct names_guess *guess, const char *name)
{
    size_t word_size = strnlen(guess->word, NAMES_LENGTH_MAX + 1);
    size_t name_size = strnlen(name, NAMES_LENGTH_MAX + 1);
    if (word_size > NAMES_LENGTH_MAX || name_size > NAMES_LENGTH_MAX || word_size == 0) {
        return;
    }
    size_t found = distance(guess->word, word_size, name, name_size);
    if (found < guess->distance) {
        guess->distance = found;
        guess->best = name;
    }
}

void names_guess_offer_shortened(struct names_guess *guess, const char *name)
{
    size_t size = strlen(guess->word);
    names_guess_offer(guess, name);
    if (guess->best == NULL && size >= SHORTENED_MIN && strncmp(guess->word, name, size) == 0) {
        guess->best = name; /* the distance stays: whatever is close takes its place */
    }
}

int names_guess_hint(const struct names_guess *guess, struct cella_error *err)
{
    return guess->best != NULL ? error_set_hint(err, "did you mean '%s'?", guess->best) : -1;
}
