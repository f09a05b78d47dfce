/*
 * What is written down of a run besides its result: whose it was, who asked for it, and what for.
 * The history has it as JSON beside each run, the audit log in its events.
 */
#ifndef SERVE_RECORD_H
#define SERVE_RECORD_H

#include "front/serve/http/trace.h"

#include <cella/cella.h>
#include <stddef.h>

#define RECORD_DIGEST_SIZE 65U /* hexadecimal SHA-256 and a NUL */
#define RECORD_CLIENT_SIZE 64U

struct record {
    const char *tenant;                      /* must stay */
    struct trace trace;                      /* of the request, which may be over before the run */
    char request_digest[RECORD_DIGEST_SIZE]; /* of its JSON, every byte */
    char client[RECORD_CLIENT_SIZE]; /* who asked, where the request does not tell; else "" */
};

/* Empty when memory is short. */
void record_digest(const char *data, size_t size, char ret_digest[RECORD_DIGEST_SIZE]);
/* Takes the digest of `json` in. */
void record_init(struct record *record, const char *tenant, const struct trace *trace,
                 const char *json, size_t size);
/* {"tenant", "request_id", "trace_id", "request_digest"}, malloc'ed.  NULL: memory is short. */
char *record_json(const struct record *record);

#endif
