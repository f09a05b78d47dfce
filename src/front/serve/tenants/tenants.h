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
    bool is_revoked; /* there is no such key any more */
    struct bucket bucket;
    unsigned runs;        /* on their way */
    struct pace pace;     /* of those of them that have room */
    size_t waiting_bytes; /* of requests whose runs have not begun */
    uint64_t cpu_us;      /* on that day */
    int64_t cpu_day;      /* since 1970; -1: not yet known */
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

/* Whether who comes by TCP must bring a key. */
bool tenants_are_demanded(struct server *server);
/* Whose key this is the text of, or NULL. */
struct tenant *tenants_find(struct server *server, const char *text);
/* Who has that name and has come with a key, or NULL. */
struct tenant *tenants_find_name(struct server *server, const char *name);

/* ---- bounds; NULL is whoever has none ---- */

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
/* Makes the request the tenant's, with his first policy when it names none.  -1 with
 * CELLA_ERROR_POLICY when it names one that is not his, or his key was revoked meanwhile. */
int tenant_take_request(struct server *server, const struct tenant *tenant,
                        struct cella_request *request, struct cella_error *err)
    __attribute__((warn_unused_result));

/* There is room for a run, and no more need of it, with the result, or NULL where it has none. */
void tenant_begin_run(struct server *server, struct tenant *tenant, const struct cella_run *run);
void tenant_end_run(struct server *server, struct tenant *tenant, const char *id,
                    const struct cella_result *result);

#define TENANT_FIELDS_MAX 320U
/* RateLimit-Policy and RateLimit, each with its line's end; or "". */
void tenant_fields(const struct tenant *tenant, char ret_fields[TENANT_FIELDS_MAX]);

#endif
