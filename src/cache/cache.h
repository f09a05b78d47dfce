/*
 * What compiling made, kept in files from one engine to the next: bytes by the digest of everything
 * that they depend on.
 *
 * The directory is cella/compiled in the user's cache (base/paths.h), and everything in it is
 * judged as if anybody might have put it there: an entry must be a file of ours that nobody else
 * can read or write, have one name, say itself which key it is for, and have the checksum that it
 * says.  What is not so is no entry, and is removed.  Entries are written beside and renamed, so a
 * reader sees a whole one or none; several processes may use the directory at one time.
 *
 * No function fails: what cannot be read was not there, what cannot be kept is made again.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/attributes.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

#define CACHE_KEY_SIZE    32
#define CACHE_ENTRIES_MAX 4096U
#define CACHE_ENTRY_MAX   ((size_t)64 * 1024 * 1024) /* bytes of one */

/* Adds the entry's bytes to an empty buffer, and makes it the one used last. */
bool cache_get(const unsigned char key[CACHE_KEY_SIZE], struct buffer *ret_bytes) MUST_CHECK;

/* Keeps the bytes, after the entries used longest ago have made room: all together have at most
 * `bytes_max`. */
void cache_put(const unsigned char key[CACHE_KEY_SIZE], const struct buffer *bytes,
               uint64_t bytes_max);

#endif
