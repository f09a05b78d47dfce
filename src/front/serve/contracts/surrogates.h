/*
 * Halves of UTF-16 characters that stand alone in JSON, "\ud83d" without its "\ude00".  Other
 * servers' clients send them: a model's text that was cut in the middle of a character is written
 * so by many languages.  They are no characters, so no JSON reader that promises UTF-8 takes them.
 */
#ifndef SERVE_SURROGATES_H
#define SERVE_SURROGATES_H

#include <stddef.h>

/* Writes \ufffd in the place of each, which is what becomes of them in other servers too. */
void surrogates_mend(char *json, size_t size);

#endif
