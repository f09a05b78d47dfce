/*
 * The kinds that a setting of the server can have (front/settings.h), and what reads the text of
 * one: pure.  What is wrong comes as the end of a sentence, "is not a size such as 64k, 256m or
 * 1.5g", before which the caller says where the text stands.
 */
#ifndef SERVE_VALUES_H
#define SERVE_VALUES_H

#include "base/units.h"

#include <cella/cella.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUES_ADDRESSES_MAX 16U
#define VALUES_ADDRESS_SIZE  (INET6_ADDRSTRLEN + sizeof("[]:65535"))

struct values_address {
    char text[VALUES_ADDRESS_SIZE]; /* as it was given */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size;
    bool is_remote; /* others than this host's own programs can reach it */
};

struct values_addresses {
    struct values_address items[VALUES_ADDRESSES_MAX];
    size_t count;
};

/* Whether only programs of this host can reach it. */
bool values_is_loopback(const struct sockaddr *address);

/* Of each kind: the type of its field, how it may stand in a file, and its reader. */
#define VALUES_TYPE_LISTEN struct values_addresses
#define VALUES_TYPE_PATH   const char *
#define VALUES_TYPE_SIZE   uint64_t
#define VALUES_TYPE_TIME   uint64_t
#define VALUES_TYPE_COUNT  uint64_t
#define VALUES_TYPE_WORD   unsigned

enum values_form {
    VALUES_FORM_LISTEN, /* a string, or a list of them; a later one is added to those before */
    VALUES_FORM_PATH,   /* a string */
    VALUES_FORM_SIZE,   /* a string with a unit, or a number without */
    VALUES_FORM_TIME = VALUES_FORM_SIZE,
    VALUES_FORM_COUNT, /* a number */
    VALUES_FORM_WORD   /* a string */
};

/* What it may be. */
struct values_rule {
    uint64_t min, max; /* both allowed */
    const char *words; /* of WORD: "text|json" */
};

#define VALUES_READER(kind)                                                                        \
    int values_read_##kind(const char *text, const struct values_rule *rule, void *ret_value,      \
                           struct cella_error *err) __attribute__((warn_unused_result))
VALUES_READER(LISTEN); /* adds to *ret_value; several with commas between */
VALUES_READER(PATH);   /* the text itself, which must stay */
VALUES_READER(SIZE);
VALUES_READER(TIME);
VALUES_READER(COUNT);
VALUES_READER(WORD);
#undef VALUES_READER

#endif
