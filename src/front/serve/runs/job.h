/*
 * A job: the run that a request asked for, and what of it is told on the way.
 *
 * Its output is not held twice: events are made from what the run keeps, as the client takes them.
 */
#ifndef SERVE_JOB_H
#define SERVE_JOB_H

#include "front/serve/api/events.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;
struct http_head;
struct record;
struct server;
struct tenant;
struct job;

enum job_way {
    JOB_ANSWERS, /* its exchange gets the result when it has ended */
    JOB_STREAMS, /* its exchange gets one event after the other, as it takes them */
    JOB_TALKS,   /* likewise, as messages of a WebSocket, by which its input comes: job_write() */
    JOB_STAYS,   /* nobody waits: the result goes into the history */
    JOB_PART,    /* its owner is told: see job_start_part() */
};

/* By which of them the client of a request wants it: JOB_ANSWERS, JOB_STREAMS or JOB_STAYS. */
enum job_way job_way_of(const struct http_head *head);

/* What is told in another form than Cella's own: of JOB_ANSWERS the answer, of JOB_TALKS the
 * rest. */
struct job_form {
    /* Answers the exchange; the result may also be that of a failure of ours.  NULL: it is the
     * answer. */
    void (*answer)(struct exchange *exchange, const struct cella_result *result,
                   const void *context);
    /* The message for an event, malloc'ed, from its JSON.  -1 when memory is short. */
    int (*tell)(struct exchange *exchange, enum event event, const char *json, size_t size,
                void *context, char **ret_text, size_t *ret_size);
    /* Likewise the message that what was to be compiled is, behind what the compiler has written,
     * which with this is told too, as it comes and like the program's output.  NULL: neither. */
    int (*compiled)(struct exchange *exchange, void *context, char **ret_text, size_t *ret_size);
    void *context; /* malloc'ed: job_start() takes it, also when it fails */
};

/* Whether one more run is taken for the exchange, of a request with so many bytes; with the head
 * alone, too.  -1 with CELLA_ERROR_BUSY. */
int job_check(struct exchange *exchange, uint64_t bytes, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Starts a run that the exchange asks for; *ret_id belongs to it.  With JOB_STAYS it is in
 * the history when this returns 0.  `form` NULL: the result is the answer.
 *
 * Whether it is taken is looked at anew here: a body takes its time.  When it has not begun within
 * the time that there is for that, the exchange is told so (CELLA_ERROR_BUSY), and it is not run;
 * with JOB_STAYS it waits as long as it takes. */
int job_start(struct exchange *exchange, const char *json, size_t size, enum job_way way,
              const struct job_form *form, const char **ret_id, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Who has jobs for something larger, which no exchange waits for by itself. */
struct job_owner {
    struct tenant *tenant;           /* whose they are; NULL: nobody's with a key */
    void (*compiled)(void *context); /* that what was to be compiled is; NULL: no interest */
    /* That it has ended.  The job is the owner's to be destroyed, or taken apart, from there on. */
    void (*done)(void *context, const struct cella_result *result);
    void *context;
    bool writes; /* its standard input is given as it goes on: cella_run_write_stdin() */
};
/* Takes the request, on failure too.  `first`, perhaps NULL, has compiled the same. */
int job_start_part(struct server *server, const struct job_owner *owner,
                   const struct record *record, struct cella_request *request,
                   const struct cella_run *first, struct job **ret_job, struct cella_error *err)
    __attribute__((warn_unused_result));
struct cella_run *job_run(const struct job *job); /* NULL: it was lost, and is begun again soon */
/* Whether there was room for it. */
bool job_has_begun(const struct job *job);
/* The run of one that has ended, which is destroyed. */
struct cella_run *job_take_run(struct job *job) __attribute__((warn_unused_result));
/* Whether there is room now for an answer of that size.  -1 with CELLA_ERROR_BUSY. */
int job_check_room(const struct exchange *exchange, size_t size, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Ends its run, if it still goes on, without a word.  NULL is fine, here and below. */
void job_destroy(struct job *job);
/* Nobody waits for it any more: its run is told to end, unless a key finds it (idempotency.h), and
 * remembered when it has. */
void job_leave(struct job *job);
/* That the exchange waits for; NULL: it waits for none. */
struct job *job_of(const struct exchange *exchange);

/* Gives more standard input to a run of JOB_TALKS.  Its client is not read from while there is no
 * room for it. */
int job_write(struct job *job, const void *data, size_t size, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Behind what was written. */
void job_close_stdin(struct job *job);
/* To the program, now or when it runs. */
int job_signal(struct job *job, int signal, struct cella_error *err)
    __attribute__((warn_unused_result));
int job_resize(struct job *job, unsigned rows, unsigned columns, struct cella_error *err)
    __attribute__((warn_unused_result));
/* There may be room again. */
void job_feed_all(struct server *server);

/* Whether the run of that id has not ended. */
bool job_is_going(const struct server *server, const char *id);
/* Asks the run of that id, and that tenant unless it is NULL, to end.  -1 when there is none. */
int job_cancel(struct server *server, const char *id, const char *tenant)
    __attribute__((warn_unused_result));

/* Its run has waited for room for so many seconds, and that was long enough. */
void job_is_late(struct job *job, uint64_t seconds);

/* Asks every run of that tenant to end. */
void job_cancel_tenant(struct server *server, const char *tenant);
/* Asks every run to end. */
void job_cancel_all(struct server *server);

/* Begins again those that were lost and whose time has come. */
void job_begin_again_all(struct server *server);
/* None of them is: they are told as lost. */
void job_give_up_all(struct server *server);

#endif
