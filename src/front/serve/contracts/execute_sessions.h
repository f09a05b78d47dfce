/*
 * Sessions of /execute: interpreters that stay from call to call, each a run of its own.
 *
 * A session is a tenant's, by the id that he gives it.  It carries out one call after the other, in
 * the order in which they came.  It ends when it was idle for long, at the end of its run's time,
 * when a call cannot be interrupted, when it is deleted, and when idle ones are in the way: of
 * another session, or of a run that waits for room.  What its program tells, nobody believes but
 * about itself: the worst that it can do by that is to give its own client wrong answers.
 */
#ifndef SERVE_EXECUTE_SESSIONS_H
#define SERVE_EXECUTE_SESSIONS_H

#include "base/buffer.h"
#include "front/serve/contracts/execute.h"

#include <stdbool.h>

struct execute_sessions;
struct exchange;
struct server;

#define EXECUTE_SESSION_ID_MAX 128U

/* Whether the exchange's tenant has a session of that id. */
bool execute_sessions_has(const struct exchange *exchange, const char *id);
/* Carries a call out in it, or in a new one, and answers it then.  Takes the texts out of `texts`;
 * `policy_name` must stay. */
void execute_sessions_call(struct exchange *exchange, const char *id,
                           const struct execute_call *call, struct execute_texts *texts,
                           const char *policy_name, const struct execute_session_limits *limits);

/* Those of the exchange's tenant, as JSON.  -1 when memory is short. */
int execute_sessions_write(const struct exchange *exchange, struct buffer *ret_json)
    __attribute__((warn_unused_result));
/* Ends that one, also while it works.  -1 when there is none. */
int execute_sessions_delete(const struct exchange *exchange, const char *id)
    __attribute__((warn_unused_result));

/* The engine has worked: looks at all of them. */
void execute_sessions_go_on(struct server *server);
/* Something else is new: does that soon. */
void execute_sessions_wake(struct server *server);
/* When no job is left.  NULL is fine. */
void execute_sessions_destroy(struct execute_sessions *sessions);

#endif
