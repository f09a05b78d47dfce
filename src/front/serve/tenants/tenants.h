/*
 * Tenants: whose keys there are (front/keys.h), and what each of them has used of his bounds.
 *
 * A change of the keys is seen with the next request, whose connection may be an old one: the
 * kernel tells of it.  The runs of a key that is revoked end.  What there is of a tenant stays here
 * until the server ends, for runs and log lines have his name.
 *
 * Processor seconds are those of runs that have ended on this day, UTC, while the key had a bound
 * for them: what was on its way when they were used up goes on.  They are on the disk too
 * (records/usage.h), with the runs that have begun: so the next server knows of both.
 */
#ifndef SERVE_TENANTS_H
#define SERVE_TENANTS_H

#include "front/keys.h"
#include "front/serve/host/loop.h"
#include "front/serve/tenants/bucket.h"
#include "front/serve/tenants/pace.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct server;
struct exchange;

struct tenant {
    TAILQ_ENTRY(tenant) link;
    struct key key;  /* as it is, or was */
    bool is_revoked; /* there is no such key any more; who has a new one is another tenant here */
    struct bucket bucket;
    unsigned runs;        /* on their way; of a batch, as many as it may have at one time */
    unsigned jobs;        /* likewise, and those that have ended whose output waits to be taken */
    struct pace pace;     /* of those of them that have room */
    size_t waiting_bytes; /* of requests whose runs have not begun */
    size_t body_bytes;    /* of requests that are on their way, counted in the server's */
    size_t answer_bytes;  /* of answers that wait to be taken, likewise */
    unsigned exports;
    unsigned searches; /* of the history, that take more than a turn */
    unsigned batches;
    size_t batch_bytes;
    uint64_t cpu_us; /* on that day */
    int64_t cpu_day; /* since 1970; -1: not yet known */
};
TAILQ_HEAD(tenant_list, tenant);

struct usage;

struct tenants {
    struct keys keys;
    struct usage *usage;
    bool demanded;            /* of who comes by TCP */
    struct loop_watch *watch; /* of the state directory */
    struct tenant_list list;
};

/* `remote`: an address by which others than this host's own programs can connect, or NULL.  Fails
 * when there are no keys then, and when those that there are cannot be read. */
int tenants_open(struct server *server, const char *remote, struct cella_error *err)
    __attribute__((warn_unused_result));
void tenants_close(struct server *server);
/* Of an address like that: -1 when there are no keys. */
int tenants_check_keys(const struct keys *keys, const char *remote, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Tells the log who gets in, when it has told where the server listens. */
void tenants_tell(const struct server *server, const char *remote);

/* Whether who comes by TCP must bring a key. */
bool tenants_are_demanded(struct server *server);
/* Whose key this is the text of, or NULL. */
struct tenant *tenants_find(struct server *server, const char *text);

/* ---- bounds; NULL is whoever has none ---- */

/* Of what there is for all one tenant has at most as much as is left, and the first of his takes
 * what it finds.  Whether `more` may come to his `own`, with `used` of `max` taken by anybody. */
static inline bool tenant_has_share(size_t own, size_t more, size_t used, size_t max)
{
    const size_t left = used < max ? max - used : 0;
    return more <= left && (own == 0 || own + more <= left);
}

/* Why the exchange is refused, its retry_seconds set.  -1 with CELLA_ERROR_BUSY. */
int tenant_check_rate(struct exchange *exchange, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Whether a tenant, NULL for nobody in particular, has processor time left for one run more of what
 * it has begun. */
int tenant_check_cpu(struct server *server, struct tenant *tenant, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Whether one more run is taken; with the head alone, too. */
int tenant_check_run(struct exchange *exchange, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Whether a tenant, NULL for nobody in particular, may use the policy; NULL: his first.  -1 with
 * CELLA_ERROR_POLICY when not, or when his key was revoked meanwhile. */
int tenant_check_policy(struct server *server, const struct tenant *tenant, const char *policy,
                        struct cella_error *err) __attribute__((warn_unused_result));
/* Makes the request the tenant's, with his first policy when it names none.  -1 with
 * CELLA_ERROR_POLICY when it names one that is not his, or his key was revoked meanwhile. */
int tenant_take_request(struct server *server, const struct tenant *tenant,
                        struct cella_request *request, struct cella_error *err)
    __attribute__((warn_unused_result));
/* The engine has refused a request that was taken so: of a policy that the server does not have,
 * and which only the operator can have given to the key, that is told in the place of its error. */
void tenant_explain(const struct tenant *tenant, const struct cella_request *request,
                    struct cella_error *err);

/* There is room for a run, and no more need of it, with the result, or NULL where it has none. */
void tenant_begin_run(struct server *server, struct tenant *tenant, const struct cella_run *run);
void tenant_end_run(struct server *server, struct tenant *tenant, const char *id,
                    const struct cella_result *result);

/* Whether more answers wait to be taken than the `most` that may: then nothing more is run that
 * will have one. */
bool tenant_answers_wait(const struct server *server, const struct tenant *tenant, size_t most);
/* There is always room for such a one. */
#define TENANT_ANSWER_SMALL ((size_t)1 << 20)

#define TENANT_FIELDS_MAX 320U
/* RateLimit-Policy and RateLimit, each with its line's end; or "". */
void tenant_fields(const struct tenant *tenant, char ret_fields[TENANT_FIELDS_MAX]);

#endif
