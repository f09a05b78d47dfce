/*
 * What the server remembers of its runs: one SQLite file in the state directory.
 *
 * A run that somebody waits for is added when it has ended.  One that was accepted for later is
 * there before its acceptance is told, so that it cannot get lost: what the last server has left
 * without a result is told as lost when the file is opened.
 *
 * What is remembered goes again, the oldest first, when it is too old, or too much together.
 */
#ifndef SERVE_HISTORY_H
#define SERVE_HISTORY_H

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct checkpoints;
struct history;

/* Runs in one list, at most and when nobody says. */
#define HISTORY_LIST_MAX     1000U
#define HISTORY_LIST_DEFAULT 50U

/* `max_bytes` of requests and results together; 0 for no history at all: *ret_history is NULL. */
int history_open(const char *directory, const struct checkpoints *checkpoints, uint64_t max_bytes,
                 unsigned max_days, struct history **ret_history, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Holds from the next run on.  NULL is fine, here and below: nothing is remembered then, and
 * nothing found. */
void history_set_bounds(struct history *history, uint64_t max_bytes, unsigned max_days);
void history_close(struct history *history);

/* For how long a key finds its run, and how many keys of one tenant do: after that the same request
 * is run again. */
#define HISTORY_KEY_SECONDS 86400
#define HISTORY_KEYS_MAX    10000

#define HISTORY_ID_SIZE 64U /* with its NUL */

struct history_key {
    const char *name;
    const char *digest; /* of the request that it stands for */
};

struct history_run {
    const char *id;
    const char *tenant; /* whose it is, and who alone finds it */
    /* Who asked for it and what for, as a JSON object: "tenant", "request_id", ... */
    const char *record;
    unsigned keeps;      /* CELLA_KEEP_..., of its policy: what is not to be kept never gets here */
    bool is_accepted;    /* history_accept() has had it; then the rest is there already: */
    const char *request; /* JSON; NULL: not to be kept */
    size_t request_size; /* that is kept */
    const struct history_key *key; /* by which it is found, of its tenant; NULL: none */
};

/* One that has just begun.  When this returns 0 the kernel has it. */
int history_accept(struct history *history, const struct history_run *run, struct cella_error *err)
    __attribute__((warn_unused_result));
/* One that has ended. */
int history_add(struct history *history, const struct history_run *run,
                const struct cella_result *result, struct cella_error *err)
    __attribute__((warn_unused_result));

enum history_found {
    HISTORY_NONE,
    HISTORY_PENDING,   /* it is still on its way */
    HISTORY_TOO_LARGE, /* its result was not kept for that: one that is fetched later is cut */
    HISTORY_NOT_KEPT,  /* or because its policy wants none kept */
    HISTORY_RESULT,
};
/* The result of a run, malloc'ed where there is one.  `tenant` NULL: of all. */
int history_find(struct history *history, const char *id, const char *tenant,
                 enum history_found *ret_found, char **ret_json, size_t *ret_size,
                 struct cella_error *err) __attribute__((warn_unused_result));

enum history_key_found {
    HISTORY_KEY_NONE,
    HISTORY_KEY_OTHER, /* it stands for another request */
    HISTORY_KEY_SAME,
};
int history_find_key(struct history *history, const char *tenant, const struct history_key *key,
                     enum history_key_found *ret_found, char ret_id[HISTORY_ID_SIZE],
                     struct cella_error *err) __attribute__((warn_unused_result));

/* NULL: any. */
struct history_query {
    const char *tenant;
    const char *status;
    const char *language;
    const char *policy;
    const char *tag;
    const char *since; /* RFC 3339, UTC: asked for then or later */
    const char *until; /* before that */
    const char *text;  /* words that stand one after the other in code or output */
    const char *after; /* the id of the last one that was told before */
    unsigned count;    /* of a list, at most */
};

enum history_form {
    /* {"runs": [summaries, the newest first], "next": an id for `after`, or null} */
    HISTORY_LIST,
    /* Each on a line as JSON: what a list says of it, "request" and "result", which are null where
     * they were not kept. */
    HISTORY_LINES,
    /* {"runs", "statuses": {WORD: how many}, "status_rates": {WORD: which part}, "rates":
     * {"success", "failure", "timeout", "internal", "recovery"}, "wall_ms": {"average", "p50",
     * "p90", "p99"}} */
    HISTORY_COUNTS,
};

/* The runs that a query is about, searched a part at a time: next() does one, whose text is
 * malloc'ed, and may be empty.  1; 0 behind the last; -1 when it cannot be read. */
struct history_search;
int history_search_open(struct history *history, enum history_form form,
                        const struct history_query *query, struct history_search **ret_search,
                        struct cella_error *err) __attribute__((warn_unused_result));
int history_search_next(struct history_search *search, char **ret_text, size_t *ret_size,
                        struct cella_error *err) __attribute__((warn_unused_result));
void history_search_close(struct history_search *search);

/* What runs of the same code took, of those whose limit of time follows that. */
#define HISTORY_TIMES_OF_CODE 50U /* the last ones */
struct history_code {
    const char *tenant;
    const char *digest;
};
int history_find_times(struct history *history, const struct history_code *code,
                       double ret_wall_ms[HISTORY_TIMES_OF_CODE], size_t *ret_count,
                       struct cella_error *err) __attribute__((warn_unused_result));
int history_add_time(struct history *history, const struct history_code *code, double wall_ms,
                     struct cella_error *err) __attribute__((warn_unused_result));

/* Batches that are found later: one that has just begun, what became of it, and whether there is
 * such a one, with *ret_json NULL when it has not ended.  `key` finds it; NULL: none.  A quarter of
 * the room for runs is theirs besides. */
int history_accept_batch(struct history *history, const char *id, const char *tenant,
                         const struct history_key *key, struct cella_error *err)
    __attribute__((warn_unused_result));
int history_finish_batch(struct history *history, const char *id, const char *json, size_t size,
                         struct cella_error *err) __attribute__((warn_unused_result));
int history_find_batch(struct history *history, const char *id, const char *tenant, bool *ret_found,
                       char **ret_json, size_t *ret_size, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
