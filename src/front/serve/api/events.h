/*
 * What a run tells on its way: server-sent events of POST /v1/runs, whose data is JSON, and
 * messages of /v1/runs/interactive, objects with the event's name as their "type"; and what a batch
 * tells, server-sent events of POST /v1/batches.  job_events.c and batch.c make them, asyncapi.c
 * describes them.
 */
#ifndef SERVE_EVENTS_H
#define SERVE_EVENTS_H

/* X(id, name, schema, form, meaning): of a message the schema says what its MEMBERS are, besides
 * its type, or what one MEMBER of its name is. */
#define EVENTS(X)                                                                                  \
    X(STARTED, "started", "Accepted", MEMBERS, "the run was begun")                                \
    X(STDOUT, "stdout", "Output", MEMBERS, "the program wrote to its standard output")             \
    X(STDERR, "stderr", "Output", MEMBERS, "the program wrote to its standard error")              \
    X(RESULT, "result", "Result", MEMBER, "the run has ended; nothing follows")

/* X(id, name, schema, meaning) */
#define BATCH_EVENTS(X)                                                                            \
    X(STARTED, "started", "BatchAccepted", "the first tests were begun")                           \
    X(TEST, "test", "BatchResult/properties/tests/items", "a test has ended; in any order")        \
    X(RESULT, "result", "BatchResult", "the batch has ended; nothing follows")

/* How one is written as a server-sent event: before its name, behind it, and behind its JSON, which
 * has no line breaks. */
#define EVENT_SSE_NAME "event: "
#define EVENT_SSE_DATA "\ndata: "
#define EVENT_SSE_END  "\n\n"

#define EVENT_ENUM(id, ...) EVENT_##id,
enum event { EVENTS(EVENT_ENUM) EVENT_COUNT };
#undef EVENT_ENUM

#define BATCH_EVENT_ENUM(id, ...) BATCH_EVENT_##id,
enum batch_event { BATCH_EVENTS(BATCH_EVENT_ENUM) BATCH_EVENT_COUNT };
#undef BATCH_EVENT_ENUM

#endif
