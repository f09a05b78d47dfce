/*
 * What is told of a run, and of a request, to those who look after the server: the audit log, the
 * metrics, traces.  One place, so that none of them is forgotten.
 */
#ifndef SERVE_REPORT_H
#define SERVE_REPORT_H

#include "front/serve/records/audit.h"
#include "front/serve/records/record.h"

#include <cella/cella.h>
#include <stdint.h>

struct exchange;
struct server;

/* What becomes of runs when the audit log cannot be written, as --audit-failure says it. */
enum report_failure { REPORT_CONTINUE, REPORT_REFUSE };

#define REPORT_POLICIES_MAX 32U
#define REPORT_NAME_SIZE    64U

/* What runs went by so far. */
struct report_policies {
    struct {
        char name[REPORT_NAME_SIZE];
        char digest[RECORD_DIGEST_SIZE];
    } items[REPORT_POLICIES_MAX];
    size_t count;
    size_t next; /* to be replaced, when there are too many */
};

/* What is about nobody in particular. */
void report_server(struct server *server, enum audit_event event, const char *detail);
/* A run was begun.  -1 when that cannot be written down, and the operator wants no such run.
 * `exchange` is NULL for one of many that a request has asked for: then `record` has its client. */
int report_created(struct server *server, const struct exchange *exchange,
                   const struct record *record, const struct cella_run *run,
                   struct cella_error *err) __attribute__((warn_unused_result));
/* `run` is NULL for one that was lost before it could be begun again. */
void report_ended(struct server *server, const struct record *record, const char *id,
                  const struct cella_run *run, const struct cella_result *result);
/* Somebody asks for the end of a run, or of a batch. */
void report_cancelled(struct exchange *exchange, const char *id);
/* The history was exported. */
void report_exported(struct exchange *exchange);
/* A request is over, also one that nobody has waited for to its end. */
void report_answered(const struct exchange *exchange);
/* An answer says no, or that it is too much. */
void report_denied(struct exchange *exchange, int status, const struct cella_error *error);

#endif
