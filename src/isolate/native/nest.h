/*
 * A nest, seen from the keeper: the namespaces in which a zygote lives, and in which the sandboxes
 * of its runs are made, so that its children can enter them (isolate/zygote.h says how it goes).
 *
 * A nest is one plan's.  Its first process is made like a sandbox's, builds the plan's root, and
 * stays: it makes the first processes of the sandboxes (builder.c).  With that process everything
 * in the nest ends.
 *
 *   nest.c      the nest, and the sandboxes in it, from outside
 *   builder.c   its first process, from inside
 *   zygote.c    the interpreter in it
 */
#ifndef ISOLATE_NATIVE_NEST_H
#define ISOLATE_NATIVE_NEST_H

#include "base/attributes.h"
#include "isolate/native/sandbox.h"
#include "isolate/zygote.h"

#include <cella/error.h>
#include <stdbool.h>
#include <stdint.h>

struct zygote {
    pid_t pid; /* -1: none */
    int pidfd;
    int control;         /* struct zygote_fork goes, struct zygote_message comes; never blocks */
    bool ready;          /* it has said so */
    uint64_t held_bytes; /* of memory, what its children begin with */
    uint64_t own_bytes;  /* of memory, what it had itself then */
};

struct nest {
    struct sandbox_host *host;
    struct sandbox base; /* of the first process */
    bool ready;          /* it waits for orders */
    bool retired;
    struct plan plan;
    struct zygote zygote;
    bool used[NEST_SANDBOXES_MAX]; /* places, and the uids that go with them */
};

/* The ends that the zygote's child of a sandbox gets. */
struct nest_program {
    int streams[3];
    int park;
};

/* Begins to make one, which the events of its `base.control` tell the rest of.  `nest` must stay
 * where it is.  On failure nothing is left. */
int nest_open(struct sandbox_host *host, const struct plan *plan, struct nest *nest,
              enum step *ret_step, struct cella_error *err) MUST_CHECK;
/* Lets go of one from calloc(): it ends, and is freed, with the last sandbox in it. */
void nest_retire(struct nest *nest);

/* Begins to make a sandbox in it, whose pidfd nest_next() brings with that number.
 * CELLA_ERROR_BUSY when it is full. */
int nest_build(struct nest *nest, uint64_t number, struct sandbox *ret_sandbox,
               struct nest_program *ret_program, enum step *ret_step,
               struct cella_error *err) MUST_CHECK;
void nest_program_done(struct nest_program *program);
/* What the first process has said; false when there is nothing now, *ret_closed then says whether
 * there can come any more.  READY: the nest is.  BUILT: the sandbox of that number;
 * *ret_pidfd is the caller's, -1 when there is none. */
enum nest_event { NEST_READY, NEST_BUILT, NEST_FAILED };
bool nest_next(struct nest *nest, enum nest_event *ret_event, uint64_t *ret_number, int *ret_pidfd,
               struct cella_error *ret_error, bool *ret_closed);
/* Whether it has a place for one more. */
bool nest_is_full(const struct nest *nest);
/* Its place is free again: called by sandbox_end(). */
void nest_release(struct nest *nest, uint32_t slot);

/* Starts the interpreter that `pack` (argv and environment) says; it stays the caller's. */
int zygote_start(struct nest *nest, int pack, struct cella_error *err) MUST_CHECK;
void zygote_end(struct zygote *zygote);
/* How much more memory it has than when it was ready. */
uint64_t zygote_growth(const struct zygote *zygote);
/* Asks for a child in that sandbox, whose init waits for it and has those protections. */
int zygote_fork(struct nest *nest, uint64_t number, uint64_t protections, struct sandbox *sandbox,
                const struct nest_program *program, struct cella_error *err) MUST_CHECK;
/* As nest_next(); with FORKED *ret_pidfd is the child's, and the caller's. */
bool zygote_next(struct nest *nest, struct zygote_message *ret_message, int *ret_pidfd,
                 bool *ret_closed);

#endif
