/*
 * "Did you mean …?": the known name closest to a word that is none.
 *
 *   struct names_guess guess;
 *   names_guess_init(&guess, word);
 *   for each known name: names_guess_offer(&guess, name);
 *   guess.best is the closest, or NULL when none is so close that it was probably meant;
 *   return names_guess_hint(&guess, err);
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <cella/error.h>
#include <stddef.h>

#define NAMES_LENGTH_MAX 63 /* longer words and names are never close to anything */

struct names_guess {
    const char *word;
    const char *best;
    size_t distance; /* of `best`; while there is none: one more than would be close enough */
};

void names_guess_init(struct names_guess *guess, const char *word);
void names_guess_offer(struct names_guess *guess, const char *name);
/* Likewise; besides, where nothing is closer, three letters and more that the name begins with are
 * enough: 'memory' is then memory_bytes.  For names that people shorten, not for a program's. */
void names_guess_offer_shortened(struct names_guess *guess, const char *name);
/* Adds the closest as the hint, if there is one.  Returns -1. */
int names_guess_hint(const struct names_guess *guess, struct cella_error *err);

#endif
