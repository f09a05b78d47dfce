/*
 * API keys: who may use a server by TCP, and within which bounds.  One file, keys.json in the
 * server's state directory, which `cella key` writes and the server reads.
 *
 * Of a key only its SHA-256 is kept.  A slow hash, as for passwords, would win nothing: a key is
 * 256 random bits, of which nobody tries a noticeable part, however fast.
 *
 * That the file is there, even without a key in it, means that keys are demanded: revoking the last
 * one lets nobody in.
 */
#ifndef FRONT_KEYS_H
#define FRONT_KEYS_H

#include "base/attributes.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KEYS_FILE     "keys.json"
#define KEYS_MAX      1000U
#define KEYS_FILE_MAX ((size_t)4 << 20)
#define KEY_NAME_SIZE 65U /* with its NUL, as of a policy */
#define KEY_NAME_TEXT                                                                              \
    "a name has up to 64 of a-z, 0-9, '-', '_', '+', '.', and begins with a-z or 0-9"
/* Who comes by the Unix socket is this tenant. */
#define KEY_NAME_RESERVED "local"
#define KEY_POLICY_MAX    16U
#define KEY_DIGEST_SIZE   32U
#define KEY_TIME_SIZE     24U
/* What a key begins with, and all of it: with 64 digits and the NUL. */
#define KEY_PREFIX    "cella_"
#define KEY_TEXT_SIZE (sizeof(KEY_PREFIX) + 64U)

/* X(id, name in the file, max, what it is, of a key); 0: not limited */
#define KEY_BOUNDS(X)                                                                              \
    X(RATE, "rate", 1000000, "requests in rate_seconds")                                           \
    X(RATE_SECONDS, "rate_seconds", 3600, "1, 60 or 3600")                                         \
    X(CONCURRENCY, "concurrency", 100000, "runs at one time, those that wait included")            \
    X(CPU_SECONDS, "cpu_seconds_per_day", 100000000, "processor seconds in a day, UTC")

#define KEY_BOUND_ENUM(id, ...) KEY_##id,
enum key_bound { KEY_BOUNDS(KEY_BOUND_ENUM) KEY_BOUND_COUNT };
#undef KEY_BOUND_ENUM

struct key {
    char name[KEY_NAME_SIZE]; /* whose it is: the tenant */
    uint8_t digest[KEY_DIGEST_SIZE];
    char policies[KEY_POLICY_MAX][KEY_NAME_SIZE]; /* that it may use, the first by default */
    size_t policy_count;                          /* at least 1 */
    uint64_t bounds[KEY_BOUND_COUNT];             /* by enum key_bound */
    bool metrics;                                 /* it may read the server's own figures */
    char created_at[KEY_TIME_SIZE];               /* RFC 3339, UTC */
};

struct keys {
    struct key *items;
    size_t count;
    bool demanded; /* the file is there */
};

/* All of them.  CELLA_ERROR_HOST when the file is not as it should be. */
int keys_read(int directory, struct keys *ret_keys, struct cella_error *err) MUST_CHECK;
void keys_done(struct keys *keys);

/* The key that this is the text of, or NULL.  The time it takes does not tell how near it was. */
const struct key *keys_find(const struct keys *keys, const char *text);
const struct key *keys_find_name(const struct keys *keys, const char *name);

/* ---- changing them ---- */

/* From before they are read until they are written nobody else changes them.  To be closed. */
int keys_lock(int directory, int *ret_fd, struct cella_error *err) MUST_CHECK;
/* A new key at the end, and its text. */
int keys_add(struct keys *keys, const struct key *key, char ret_text[KEY_TEXT_SIZE],
             struct cella_error *err) MUST_CHECK;
int keys_remove(struct keys *keys, const char *name, struct cella_error *err) MUST_CHECK;
/* Beside the file, and then in its place; when this returns 0 the disk has it. */
int keys_write(int directory, const struct keys *keys, struct cella_error *err) MUST_CHECK;

bool key_name_is_good(const char *name);

/* As the file has them, without digests. */
int keys_print(const struct keys *keys, FILE *out) MUST_CHECK;

#endif
