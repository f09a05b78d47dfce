/*
 * What the server was told: by `cella serve`, which knows its options, their variables and their
 * defaults, as words NAME=VALUE.  (This program is not for people to start.)
 */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include <cella/cella.h>
#include <netinet/in.h>
#include <stddef.h>

#define SETTINGS_LISTEN_MAX 16U

#define SETTINGS_HISTORY_BYTES ((uint64_t)256 << 20)
#define SETTINGS_HISTORY_DAYS  30U
#define SETTINGS_DAYS_MAX      36500U

struct settings_address {
    const char *text; /* as it was given */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size;
};

struct settings {
    const char *socket; /* of the Unix socket */
    const char *state;  /* the directory in which the server keeps what it must not forget */
    const char *log;    /* NULL: standard error */
    uint64_t pool_memory_bytes;   /* as in struct cella_options */
    uint64_t compile_cache_bytes; /* likewise */
    uint64_t history_bytes;       /* 0: none is kept */
    unsigned history_days;
    struct settings_address listen[SETTINGS_LISTEN_MAX];
    size_t listen_count;
};

/* `words` must outlive the settings.  CELLA_ERROR_CALLER for a word that makes no sense, and for an
 * address that others than this host's own programs could reach. */
int settings_read(char *const *words, struct settings *ret_settings, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
