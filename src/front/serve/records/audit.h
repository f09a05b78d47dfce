/*
 * The audit log: who did what, one JSON object on a line, in a file that is only ever appended to
 * (docs/records.md).
 *
 * A line is written before what it tells of goes on, by one write(), so the kernel has it; that the
 * host loses its power may cost the last seconds.  It has only ASCII: every other letter of what
 * others have said is escaped, and what is long is cut, so that nobody writes lines of his own.
 */
#ifndef SERVE_AUDIT_H
#define SERVE_AUDIT_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stdint.h>

/* X(id, name, meaning) */
#define AUDIT_EVENTS(X)                                                                            \
    X(SERVER_STARTED, "server.started", "runs are taken from now on; `detail`: the version")       \
    X(SERVER_ENDED, "server.ended", "the last line of a server that was not killed")               \
    X(SETTINGS_READ, "settings.read", "the configuration was read again")                          \
    X(RUN_CREATED, "run.created", "a run was begun")                                               \
    X(RUN_CANCELLED, "run.cancelled",                                                              \
      "somebody asked for the end of a run, or of a batch, whose id is `run` then")                \
    X(RUN_ENDED, "run.ended", "a run has ended, with that verdict")                                \
    X(LIMIT_HIT, "run.limit_hit", "it touched the limit `detail`, which it may have survived")     \
    X(CALLS_REFUSED, "run.calls_refused", "system calls that its filter refused, and how often")   \
    X(REQUEST_DENIED, "request.denied", "answered 401, 403 or 429; `detail` says why")             \
    X(HISTORY_READ, "history.exported", "the history was exported")                                \
    X(POLICY_USED, "policy.used", "a run went by a policy, for the first time since the start")    \
    X(POLICY_CHANGED, "policy.changed", "the same, and it was not what it was before: `detail`")   \
    X(KEY_CREATED, "key.created", "there is a new key, of `tenant`")                               \
    X(KEY_REVOKED, "key.revoked", "a key of `tenant` is no longer taken")

#define AUDIT_ENUM(id, ...) AUDIT_##id,
enum audit_event { AUDIT_EVENTS(AUDIT_ENUM) AUDIT_EVENT_COUNT };
#undef AUDIT_ENUM

/* X(field, meaning): texts that may stand in a line. */
#define AUDIT_FIELDS(X)                                                                            \
    X(tenant, "whose it is")                                                                       \
    X(key, "the name of the key that was used, or that it is about")                               \
    X(client, "who asked: an address and port, or a user of the Unix socket")                      \
    X(request_id, "`X-Request-Id`")                                                                \
    X(trace_id, "that the request belongs to")                                                     \
    X(request, "its method and path")                                                              \
    X(run, "the id of the run")                                                                    \
    X(language, "of the run; absent for a command")                                                \
    X(policy, "that it went by")                                                                   \
    X(policy_digest, "SHA-256 of what that policy says")                                           \
    X(plan_digest, "SHA-256 of the run's plan")                                                    \
    X(request_digest, "SHA-256 of the request's JSON")                                             \
    X(status, "the verdict")                                                                       \
    X(detail, "a sentence or a list")

#define AUDIT_VALUE_MAX 512U /* bytes of one text; what is longer is cut */
#define AUDIT_DENIALS   100U /* in a second; of the rest it is only told how many */

/* What a line says; NULL and "": nothing. */
struct audit_record {
#define AUDIT_FIELD(field, ...) const char *field;
    AUDIT_FIELDS(AUDIT_FIELD)
#undef AUDIT_FIELD
    int code; /* of an answer; 0: none */
};

struct audit {
    int fd;             /* -1: there is none */
    uint64_t sequence;  /* of the last line, since the server's start */
    uint64_t failures;  /* lines that could not be written */
    bool is_failing;    /* the last one was one of them */
    bool is_torn;       /* it was written in part */
    int64_t second;     /* in which denials are counted */
    unsigned denials;   /* in it */
    unsigned unwritten; /* denials that were too many, not yet told */
};

/* Appends to `path`, a regular file, which is made with mode 0600 when it is not there.  Again: in
 * the place of the one before, which stays when it fails. */
int audit_open(struct audit *audit, const char *path, struct cella_error *err)
    __attribute__((warn_unused_result));
void audit_init(struct audit *audit);
void audit_close(struct audit *audit);

/* -1 with the reason when there is such a log and it was not written, which is counted, and told in
 * the server's log. */
int audit_write(struct audit *audit, enum audit_event event, const struct audit_record *record,
                struct cella_error *err);

#endif
