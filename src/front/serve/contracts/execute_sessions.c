/* See execute_sessions.h: all of them.  execute_session.c is about each. */
#include "base/clock.h"
#include "base/json_write.h"
#include "front/serve/contracts/execute_sessions_inside.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job.h"
#include "front/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX           128U
#define SESSIONS_OF_TENANT_MAX 64U
/* Calls of one session, that is carried out and those that wait. */
#define CELLS_MAX 16U
/* Of all sessions' calls, together. */
#define CELLS_BYTES_MAX ((size_t)64 << 20)
/* For so long an idle session does not give way to a run that waits. */
#define KEPT_MS 5000U
/* Nor to one that has just come: where there is room, it begins in a moment. */
#define PATIENCE_MS 100U

/* ---- finding them ---- */

static struct session *find(const struct exchange *exchange, const char *id)
{
    const struct execute_sessions *all = exchange->server->execute_sessions;
    struct session *session = all != NULL ? TAILQ_FIRST(&all->list) : NULL;
    while (session != NULL && (session->state == SESSION_ENDING || strcmp(session->id, id) != 0 ||
                               session->tenant != exchange->tenant ||
                               !session_is_of(session, exchange_tenant(exchange)))) {
        session = TAILQ_NEXT(session, link);
    }
    return session;
}

bool execute_sessions_has(const struct exchange *exchange, const char *id)
{
    return find(exchange, id) != NULL;
}

struct session *sessions_find_idle(const struct execute_sessions *all, const char *tenant)
{
    struct session *found = NULL;
    struct session *session = NULL;
    TAILQ_FOREACH(session, &all->list, link)
    {
        if (session_is_idle(session) && (tenant == NULL || session_is_of(session, tenant)) &&
            (found == NULL || session->used_ms < found->used_ms)) {
            found = session;
        }
    }
    return found;
}

bool sessions_any_ending(const struct execute_sessions *all)
{
    const struct session *session = TAILQ_FIRST(&all->list);
    while (session != NULL && session->state != SESSION_ENDING) {
        session = TAILQ_NEXT(session, link);
    }
    return session != NULL;
}

bool sessions_are_full(const struct session *asker, const struct exchange *exchange, bool *ret_own)
{
    const struct tenant *tenant = exchange->tenant;
    const uint64_t runs = tenant != NULL ? tenant->key.bounds[KEY_CONCURRENCY] : 0;
    unsigned all = 0, own = 0;
    const struct session *session = NULL;
    TAILQ_FOREACH(session, &asker->server->execute_sessions->list, link)
    {
        all += session->job != NULL;
        own += session->job != NULL && session_is_of(session, asker->record.tenant);
    }
    *ret_own = own >= SESSIONS_OF_TENANT_MAX || (runs > 0 && tenant->runs >= runs);
    return *ret_own || all >= SESSIONS_MAX;
}

/* ---- going on ---- */

/* While something waits for room, idle ones end, one after the other.  When the next one may. */
static uint64_t make_room(const struct server *server)
{
    struct execute_sessions *all = server->execute_sessions;
    bool waits = server->queue.count > 0;
    const struct session *session = NULL;
    TAILQ_FOREACH(session, &all->list, link)
    {
        waits = waits || (session->state == SESSION_STARTING && !session->has_begun);
    }
    const uint64_t now = clock_monotonic_ms();
    all->waits_ms = !waits ? 0 : all->waits_ms == 0 ? now : all->waits_ms;
    struct session *idle =
        waits && !sessions_any_ending(all) ? sessions_find_idle(all, NULL) : NULL;
    if (idle == NULL) {
        return UINT64_MAX;
    }
    const uint64_t kept = idle->used_ms + KEPT_MS, patience = all->waits_ms + PATIENCE_MS;
    const uint64_t at = kept > patience ? kept : patience;
    if (now < at) {
        return at;
    }
    session_end(idle, "its room is needed");
    return UINT64_MAX;
}

void execute_sessions_go_on(struct server *server)
{
    struct execute_sessions *all = server->execute_sessions;
    if (all == NULL || all->is_busy) {
        execute_sessions_wake(server);
        return;
    }
    struct session *next;
    all->is_busy = true;
    for (struct session *session = TAILQ_FIRST(&all->list); session != NULL; session = next) {
        next = TAILQ_NEXT(session, link);
        session_go_on(session);
    }
    uint64_t first = make_room(server);
    const struct session *session = NULL;
    TAILQ_FOREACH(session, &all->list, link)
    {
        if (session->state != SESSION_ENDING && session->deadline_ms < first) {
            first = session->deadline_ms;
        }
    }
    all->is_busy = false;
    const uint64_t now = clock_monotonic_ms();
    if (first != UINT64_MAX) {
        loop_set_timer(all->watch, first > now ? (unsigned)(first - now) : 1);
    }
}

void execute_sessions_wake(struct server *server)
{
    struct execute_sessions *all = server->execute_sessions;
    if (all != NULL && !TAILQ_EMPTY(&all->list)) {
        loop_set_timer(all->watch, 1);
    }
}

static void on_time(void *context)
{
    execute_sessions_go_on(context);
}

/* ---- calls ---- */

static struct execute_sessions *sessions_of(struct server *server)
{
    static const struct loop_events events = {.timeout = on_time};
    struct execute_sessions *all = server->execute_sessions;
    if (all != NULL || (all = calloc(1, sizeof(*all))) == NULL) {
        return all;
    }
    all->watch = loop_add_timer(server->loop, &events, server);
    if (all->watch == NULL) {
        free(all);
        return NULL;
    }
    TAILQ_INIT(&all->list);
    server->execute_sessions = all;
    return all;
}

/* Whether an idle one has too little time left for the call.  That of a call may be all that there
 * is: so half of it is enough. */
static bool is_old(const struct session *session, const struct execute_call *call)
{
    const double half = session->limits.wall_ms / 2, call_ms = call->wall_ms + EXECUTE_GRACE_MS;
    const double left = (double)session->end_ms - (double)clock_monotonic_ms();
    return session_is_idle(session) && left < (call_ms < half ? call_ms : half);
}

static struct session *create(struct exchange *exchange, const char *id)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return NULL;
    }
    *session = (struct session){
        .server = exchange->server,
        .record.tenant = exchange_tenant(exchange),
        .tenant = exchange->tenant,
        .streams = {{.mark = SIZE_MAX}, {.mark = SIZE_MAX}},
        .deadline_ms = clock_monotonic_ms() + exchange->server->settings->queue_ms,
        .created_unix_ms = clock_realtime_ms(),
    };
    session->used_unix_ms = session->created_unix_ms;
    (void)snprintf(session->id, sizeof(session->id), "%s", id); /* fits */
    STAILQ_INIT(&session->cells);
    TAILQ_INSERT_TAIL(&exchange->server->execute_sessions->list, session, link);
    return session;
}

static int check_call(struct exchange *exchange, const struct session *session, size_t bytes,
                      struct cella_error *err)
{
    const size_t used = exchange->server->execute_sessions->bytes;
    if (tenant_check_cpu(exchange->server, exchange->tenant, err) < 0 ||
        (session != NULL &&
         tenant_check_policy(exchange->server, exchange->tenant, session->policy_name, err) < 0)) {
        return -1;
    }
    if (bytes > CELLS_BYTES_MAX - used) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "too many large calls of sessions at one time");
    } else if (session != NULL && session->cell_count >= CELLS_MAX) {
        (void)serve_fail(err, CELLA_ERROR_BUSY, "%u calls of this session wait", CELLS_MAX);
    } else if (job_check_room(exchange, SIZE_MAX, err) == 0) {
        return 0;
    }
    return serve_hint(err, "come again when some have ended");
}

/* Nobody waits for it any more.  It is not begun, or goes on, for what comes behind it. */
static void leave_cell(void *context)
{
    struct execute_cell *cell = context;
    struct server *server = cell->session->server;
    cell->exchange = NULL;
    if (!cell->is_sent) {
        STAILQ_REMOVE(&cell->session->cells, cell, execute_cell, link);
        cell->session->cell_count--;
        server->execute_sessions->bytes -= cell->bytes;
        session_destroy_cell(cell);
        execute_sessions_wake(server);
    }
}

static int add_cell(struct exchange *exchange, struct session *session,
                    const struct execute_call *call, struct execute_texts *texts)
{
    struct execute_cell *cell = calloc(1, sizeof(*cell));
    if (cell == NULL) {
        return -1;
    }
    cell->session = session;
    cell->exchange = exchange;
    cell->call = *call;
    cell->call.is_new = session->state == SESSION_WAITING && STAILQ_EMPTY(&session->cells);
    cell->texts = *texts;
    cell->bytes = texts->code.size + texts->input.size;
    *texts = (struct execute_texts){.code = {.size = 0}};
    buffer_init(&cell->frame, 0);
    STAILQ_INSERT_TAIL(&session->cells, cell, link);
    session->cell_count++;
    exchange->server->execute_sessions->bytes += cell->bytes;
    exchange->source = (struct source){.leave = leave_cell, .context = cell};
    return 0;
}

void execute_sessions_call(struct exchange *exchange, const char *id,
                           const struct execute_call *call, struct execute_texts *texts,
                           const char *policy_name, const struct execute_session_limits *limits)
{
    struct session *session = find(exchange, id);
    struct cella_error err;
    int result = -1;
    if (sessions_of(exchange->server) == NULL) {
        (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
    } else {
        result = check_call(exchange, session, texts->code.size + texts->input.size, &err);
    }
    if (result == 0 && session != NULL && is_old(session, call)) {
        session_end(session, "its time is nearly over");
        session = NULL;
    }
    if (result == 0 && session == NULL) {
        session = create(exchange, id);
        if (session != NULL) {
            session->policy_name = policy_name;
            session->limits = *limits;
        }
    }
    if (result < 0 || session == NULL || add_cell(exchange, session, call, texts) < 0) {
        if (result == 0) {
            (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
        }
        answer_problem(exchange, 0, &err);
        return;
    }
    execute_sessions_go_on(exchange->server);
}

/* ---- what is told of them ---- */

static void write_session(struct json_writer *json, const struct session *session)
{
    json_write_key(json, session->id);
    json_write_open(json, '{');
    json_write_member(json, "backend", "ipython");
    json_write_key(json, "created"); /* in seconds */
    json_write_thousandths(json, (uint64_t)session->created_unix_ms);
    json_write_key(json, "last_used");
    json_write_thousandths(json, (uint64_t)session->used_unix_ms);
    json_write_key(json, "alive");
    json_write_bool(json, true);
    json_write_close(json, '}');
}

int execute_sessions_write(const struct exchange *exchange, struct buffer *ret_json)
{
    const struct execute_sessions *all = exchange->server->execute_sessions;
    const struct session *session = all != NULL ? TAILQ_FIRST(&all->list) : NULL;
    struct json_writer json;
    buffer_init(ret_json, 0);
    json_write_init(&json, ret_json);
    json_write_open(&json, '{');
    json_write_key(&json, "sessions");
    json_write_open(&json, '{');
    for (; session != NULL; session = TAILQ_NEXT(session, link)) {
        if (session->state != SESSION_ENDING && session->tenant == exchange->tenant &&
            session_is_of(session, exchange_tenant(exchange))) {
            write_session(&json, session);
        }
    }
    json_write_close(&json, '}');
    json_write_member(&json, "backend", "ipython");
    json_write_close(&json, '}');
    return json.failed ? -1 : 0;
}

int execute_sessions_delete(const struct exchange *exchange, const char *id)
{
    struct session *session = find(exchange, id);
    if (session == NULL) {
        return -1;
    }
    session_end(session, "it was deleted");
    return 0;
}

void execute_sessions_destroy(struct execute_sessions *sessions)
{
    struct session *session;
    struct execute_cell *cell;
    while (sessions != NULL && (session = TAILQ_FIRST(&sessions->list)) != NULL) {
        while ((cell = STAILQ_FIRST(&session->cells)) != NULL) {
            STAILQ_REMOVE_HEAD(&session->cells, link);
            session_destroy_cell(cell);
        }
        TAILQ_REMOVE(&sessions->list, session, link);
        free(session);
    }
    if (sessions != NULL) {
        loop_close(sessions->watch);
    }
    free(sessions);
}
