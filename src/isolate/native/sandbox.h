/*
 * The native backend, seen from the keeper: start a sandbox for a plan, and clean up after it.
 *
 * A sandbox comes about in two parts.  What depends on no plan (uid, pipes, control group,
 * namespaces, the root's frame, /dev and /proc) is prepared, ahead of need if there is time; then a
 * plan makes it the sandbox of one run.  No sandbox is ever used twice.
 *
 *   host.c      what all sandboxes of a keeper share
 *   prepare.c   the part that depends on no plan, from outside
 *   sandbox.c   the part that does, and the end
 *   shares.c    places of the host that it shows
 *   child.c     both parts from inside: the first process, whose steps are in network.c, root.c,
 *               binds.c, lockdown.c and seccomp.c
 */
#ifndef ISOLATE_NATIVE_SANDBOX_H
#define ISOLATE_NATIVE_SANDBOX_H

#include "base/attributes.h"
#include "isolate/init/protocol.h"
#include "isolate/native/cgroup.h"
#include "isolate/native/lease.h"
#include "isolate/steps.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The ends of the pipes that are the engine's. */
struct sandbox_streams {
    int stdin_write, stdout_read, stderr_read, collected_read;
};

struct sandbox {
    pid_t pid; /* of init, as the keeper sees it; -1: none */
    int pidfd;
    int control;     /* struct init_report comes, struct init_order goes; never blocks */
    uint64_t waived; /* what it was prepared without */
    uint64_t held;   /* protections that the host's side gave */
    struct lease lease;
    struct cgroup cgroup; /* .host NULL: none */
    struct sandbox_streams streams;
};

/* What all sandboxes of a keeper share. */
struct sandbox_host {
    bool privileged;  /* root: a uid of its own for each run */
    int init_program; /* sealed memfd */
    enum step fault;  /* test builds: the step to fail; else STEP_COUNT */
    struct cgroup_host cgroups;
    uint64_t prepared;    /* how many were, for names */
    int processor_last;   /* that a run was put on; -1: none yet */
    struct sandbox spare; /* prepared ahead; .pid -1: none */
};

/* Fills `host`.  As an ordinary user this enters a user namespace of the keeper's own. */
int sandbox_host_open(struct sandbox_host *host, struct cella_error *err) MUST_CHECK;
void sandbox_host_close(struct sandbox_host *host);
/* Prepares the next sandbox while there is nothing else to do.  A failure shows when that sandbox
 * is needed. */
void sandbox_host_make_ahead(struct sandbox_host *host);

/* The part that depends on no plan; `waived` are the protections to leave out of it.  On failure
 * nothing is left and *ret_step says where it failed. */
int sandbox_prepare(struct sandbox_host *host, uint64_t waived, struct sandbox *ret_sandbox,
                    enum step *ret_step, struct cella_error *err) MUST_CHECK;

/* Makes a prepared sandbox, or a new one, that of a plan.  What its first process then does is
 * reported on `control`; the streams are the caller's.  `pack` stays the caller's.  On failure
 * nothing is left and *ret_step says where it failed. */
int sandbox_start(struct sandbox_host *host, const struct plan *plan, int pack,
                  struct sandbox *ret_sandbox, enum step *ret_step,
                  struct cella_error *err) MUST_CHECK;

/* The next report of the first process, later init.  False when none is there now; *ret_closed then
 * says whether none can come any more. */
bool sandbox_next_report(const struct sandbox *sandbox, struct init_report *ret_report,
                         bool *ret_closed);

/* Kills what is there, waits for it, and removes everything but the figures of the control group,
 * which go to *ret_usage; *ret_rusage is that of init and all it has waited for. */
void sandbox_end(struct sandbox *sandbox, struct cgroup_usage *ret_usage,
                 struct rusage *ret_rusage);
/* Likewise, with the streams, when nobody wants the figures. */
void sandbox_discard(struct sandbox *sandbox);

#endif
