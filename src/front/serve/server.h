/*
 * The server: one engine, the connections, and the jobs (runs of theirs) between them.
 *
 * It is STARTING until a program has run in its engine, also again after it has lost its keeper;
 * then READY; and DRAINING from the first signal on, until nothing runs any more.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "front/serve/host/activation.h"
#include "front/serve/host/confine.h"
#include "front/serve/host/loop.h"
#include "front/serve/host/notify.h"
#include "front/serve/host/spawner.h"
#include "front/serve/records/audit.h"
#include "front/serve/records/checkpoints.h"
#include "front/serve/records/metrics.h"
#include "front/serve/records/otlp.h"
#include "front/serve/records/report.h"
#include "front/serve/settings/settings.h"
#include "front/serve/tenants/pace.h"
#include "front/serve/tenants/queue.h"
#include "front/serve/tenants/tenants.h"

#include <cella/cella.h>
#include <stdint.h>
#include <sys/queue.h>

/* What there is for all; so much of it is for the Unix socket (..._LOCAL): whatever comes by TCP,
 * whoever looks after the server gets in there, and finds room for a run. */

/* Requests that are on their way or answered, at one time. */
#define SERVER_EXCHANGES_MAX   4096U
#define SERVER_EXCHANGES_LOCAL 256U
/* Runs at one time, those that wait for room on the host included; more are refused as busy. */
#define SERVER_JOBS_MAX   1024U
#define SERVER_JOBS_LOCAL 64U
/* Requests whose runs wait for room, together; one may always wait. */
#define SERVER_QUEUE_BYTES_MAX   ((size_t)256 << 20)
#define SERVER_QUEUE_BYTES_LOCAL ((size_t)64 << 20)
/* Bodies that are on their way or being read, together. */
#define SERVER_BODIES_MAX   ((size_t)256 << 20)
#define SERVER_BODIES_LOCAL ((size_t)64 << 20)
/* Exports of the history at one time, each of which holds a piece of it. */
#define SERVER_EXPORTS_MAX 16U
/* Lists and counts of it that take more than a turn, likewise. */
#define SERVER_SEARCHES_MAX 64U
/* Answers that wait to be taken, together: over that nothing more is run. */
#define SERVER_ANSWERS_MAX   ((size_t)512 << 20)
#define SERVER_ANSWERS_LOCAL ((size_t)64 << 20)
/* Keepers that are started one after the other while none of them runs anything. */
#define SERVER_KEEPERS_MAX 3U
/* How long runs may take to end after the second signal. */
#define SERVER_CANCEL_MS 5000U
/* How long a caller is asked to wait where it does not depend on runs, in seconds. */
#define SERVER_RETRY_SECONDS 1U

/* What describes the service. */
enum server_document { SERVER_OPENAPI, SERVER_ASYNCAPI, SERVER_DOCUMENTS };

enum server_state { SERVER_STARTING, SERVER_READY, SERVER_DRAINING };

struct connection;
struct batch;
struct history;
struct languages;
struct tls_host;
struct job;
struct contract_policies;
struct execute_sessions;
struct piston_names;
TAILQ_HEAD(connection_list, connection);
TAILQ_HEAD(job_list, job);
TAILQ_HEAD(batch_list, batch);

struct listener {
    struct server *server;
    struct loop_watch *watch;
    bool is_local; /* a Unix socket */
    bool is_ours;  /* it was not passed to us: its file is ours to remove */
};

struct server {
    struct settings *settings;
    enum server_state state;
    int state_fd; /* the state directory, held */
    struct loop *loop;
    struct loop_watch *signals;
    struct spawner spawner;
    struct checkpoints checkpoints; /* of the history and of what tenants use */
    bool confined[CONFINE_COUNT];   /* which layers hold */
    struct notify notify;
    struct loop_watch *life; /* the timer of its signs; NULL: nobody wants any */
    struct listener listeners[VALUES_ADDRESSES_MAX + ACTIVATION_SOCKETS_MAX + 1];
    size_t listener_count;
    struct history *history; /* NULL: none is kept */
    struct metrics metrics;
    struct audit audit;
    struct otlp *otlp;                 /* NULL: nobody wants traces */
    struct report_policies policies;   /* that the audit log knows */
    char *documents[SERVER_DOCUMENTS]; /* each made once */
    char *policies_dir;                /* searched before the standard places; NULL: none */
    struct contract_policies *contract_policies; /* of contracts, as they were read; or NULL */
    struct execute_sessions *execute_sessions;   /* NULL: nobody has begun one yet */
    struct languages *languages; /* that are being looked for; NULL: nobody has asked yet */
    struct piston_names *piston; /* by other names; likewise */
    struct cella_engine *engine;
    struct loop_watch *engine_watch;
    bool is_processing;      /* the engine calls back, and cannot be closed */
    struct cella_run *trial; /* shows that the engine can work; NULL: none is on its way */
    bool trial_done;
    unsigned keepers_left;       /* that may be lost before one has run something; then it ends */
    struct tls_host *tls;        /* of TCP; NULL: it is spoken in clear */
    struct connection_list idle; /* those that wait for a request, the longest-waiting first */
    struct connection_list busy;
    unsigned connections_max;
    unsigned tcp_max;
    unsigned connection_count;
    unsigned tcp_count; /* of them */
    unsigned exchange_count;
    struct job_list jobs;
    struct batch_list batches;
    unsigned batch_count;
    size_t batch_bytes; /* of their JSON */
    unsigned job_count;
    struct pace pace;         /* of those of them that have room */
    unsigned waiting_count;   /* of them, those whose run was lost and that wait for another */
    struct loop_watch *again; /* has their timer; NULL: there was none yet */
    struct queue queue;       /* those of them that have not begun */
    struct tenants tenants;
    size_t body_bytes;
    size_t answer_bytes;
    unsigned export_count;      /* of the history, on their way */
    unsigned search_count;      /* likewise, of lists and counts */
    struct cella_error failure; /* why it ended by itself; kind CELLA_ERROR_NONE: it did not */
    int ended_by;               /* the second signal; 0: none */
    bool cancels;               /* runs that were still going on have been told to end */
};

/* What a start would refuse of settings that are good each by itself: addresses for which keys are
 * missing, a certificate that cannot be used. */
int server_check(const struct settings *settings, struct cella_error *err)
    __attribute__((warn_unused_result));
/* As it is before it is opened. */
void server_init(struct settings *settings, struct server *server);
/* Holds the state directory, opens the engine and the sockets. */
int server_open(struct settings *settings, struct server *server, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Until it was told to end, and has. */
int server_run(struct server *server, struct cella_error *err) __attribute__((warn_unused_result));
/* Ends what is left; half-opened ones too. */
void server_close(struct server *server);

/* Also tells whoever watches over it, and has what waited for READY go on. */
void server_set_state(struct server *server, enum server_state state, const char *status);
/* It cannot go on, for the first error that there was. */
void server_fail(struct server *server, const struct cella_error *error);

/* -1 with CELLA_ERROR_BUSY when no runs are taken. */
int server_check_ready(const struct server *server, struct cella_error *err)
    __attribute__((warn_unused_result));
/* A job or connection has ended: with the last of them a server that drains ends. */
void server_settle(struct server *server);

#endif
