/* What the files of execute_sessions.h know of a session. */
#ifndef SERVE_EXECUTE_SESSIONS_INSIDE_H
#define SERVE_EXECUTE_SESSIONS_INSIDE_H

#include "base/buffer.h"
#include "front/serve/contracts/execute_sessions.h"
#include "front/serve/records/record.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>

#define EXECUTE_WORD_DIGITS 32U
/* That a cell has to end in when it was interrupted. */
#define EXECUTE_GRACE_MS 500U

enum session_state { SESSION_WAITING, SESSION_STARTING, SESSION_READY, SESSION_ENDING };

struct execute_cell {
    STAILQ_ENTRY(execute_cell) link;
    struct session *session;
    struct exchange *exchange; /* NULL: its client has gone */
    struct execute_call call;
    struct execute_texts texts;
    size_t bytes;        /* of them */
    bool is_sent;        /* the session has it, or gets it now: */
    struct buffer frame; /* what it gets */
    size_t fed;          /* of that */
};
STAILQ_HEAD(cell_list, execute_cell);

struct stream {
    size_t from;    /* where the output of this cell begins */
    size_t scanned; /* no mark begins before */
    size_t mark;    /* SIZE_MAX: it has not come */
};

struct session {
    TAILQ_ENTRY(session) link;
    struct server *server;
    char id[EXECUTE_SESSION_ID_MAX + 1];
    struct record record; /* has the tenant's name */
    const struct tenant
        *tenant; /* a new key of that name is another's; NULL: nobody's in particular */
    const char *policy_name;
    struct execute_session_limits limits;
    enum session_state state;
    struct job *job; /* NULL while it is WAITING */
    struct cell_list cells;
    unsigned cell_count;
    char word[EXECUTE_WORD_DIGITS + 1]; /* that a mark has to have now */
    struct stream streams[2];           /* by enum cella_stream */
    unsigned interrupts;                /* signals that were sent */
    bool has_begun;                     /* there was room for it */
    bool is_interrupted;                /* its cell was told to end */
    bool is_late;                       /* and has not */
    const char *why;                    /* it is told to end; NULL: its run's result says it */
    struct cella_error failure;         /* likewise, of ours or for want of room */
    uint64_t deadline_ms;               /* of what it is about */
    uint64_t end_ms;                    /* of its run */
    uint64_t used_ms;
    int64_t created_unix_ms, used_unix_ms;
};
TAILQ_HEAD(session_list, session);

struct execute_sessions {
    struct session_list list;
    struct loop_watch *watch; /* the timer for all of them */
    size_t bytes;             /* of their cells */
    uint64_t waits_ms;        /* since when something waits for room; 0: nothing does */
    bool is_busy;             /* they are being looked at: nothing of them may go */
};

static inline bool session_is_idle(const struct session *session)
{
    return session->state == SESSION_READY && STAILQ_EMPTY(&session->cells);
}
static inline bool session_is_of(const struct session *session, const char *tenant)
{
    return strcmp(session->record.tenant, tenant) == 0;
}

/* ---- execute_sessions.c ---- */

/* The one that has been idle for longest, of that tenant unless it is NULL. */
struct session *sessions_find_idle(const struct execute_sessions *all, const char *tenant);
bool sessions_any_ending(const struct execute_sessions *all);
/* Whether there are as many as there may be: of the tenant's, or of all. */
bool sessions_are_full(const struct session *asker, const struct exchange *exchange, bool *ret_own);

/* ---- execute_session.c ---- */

/* Looks what there is to be done for it; then it may be gone. */
void session_go_on(struct session *session);
/* Tells its run to end, with which it goes; its calls are told why.  `why` must stay. */
void session_end(struct session *session, const char *why);
void session_destroy_cell(struct execute_cell *cell);

#endif
