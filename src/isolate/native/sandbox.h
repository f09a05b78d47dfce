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
#include "isolate/native/child.h"
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
    pid_t pid; /* of init, as the keeper sees it; -1: none, or a nest waits for it */
    int pidfd;
    int control;     /* struct init_report comes, struct init_order goes; never blocks */
    uint64_t waived; /* what it was prepared without */
    uint64_t held;   /* protections that the host's side gave */
    struct lease lease;
    struct cgroup cgroup; /* .host NULL: none */
    struct sandbox_streams streams;
    struct nest *nest; /* that it lies in; NULL: none */
    uint32_t slot;     /* its place there */
    int processor;     /* that it is kept on; -1: any */
    int program;       /* pidfd of a parked program, the keeper's child; -1: none */
};

/* What all sandboxes of a keeper share. */
struct sandbox_host {
    bool privileged;   /* root: a uid of its own for each run */
    int init_program;  /* sealed memfd */
    int guest_library; /* likewise */
    int io_file;       /* /proc/self/io */
    enum step fault;   /* test builds: the step to fail; else STEP_COUNT */
    struct cgroup_host cgroups;
    uint64_t prepared;    /* how many were, for names */
    bool standing_back;   /* the control group of the next run is to be among those that do */
    int processor_last;   /* that a run was put on; -1: none yet */
    struct sandbox spare; /* prepared ahead; .pid -1: none */
};

/* Fills `host`.  As an ordinary user this enters a user namespace of the keeper's own. */
int sandbox_host_open(struct sandbox_host *host, struct cella_error *err) MUST_CHECK;
void sandbox_host_close(struct sandbox_host *host);
/* What nests need besides (nest.h); at the first call alone it does something. */
int sandbox_host_open_nests(struct sandbox_host *host, struct cella_error *err) MUST_CHECK;
/* Prepares the next sandbox while there is nothing else to do.  A failure shows when that sandbox
 * is needed. */
void sandbox_host_make_ahead(struct sandbox_host *host);
/* Removes what could not be removed yet, while there is nothing else to do.  False: try again. */
bool sandbox_host_tidy(struct sandbox_host *host) MUST_CHECK;

/* The part that depends on no plan; `waived` are the protections to leave out of it.  On failure
 * nothing is left and *ret_step says where it failed. */
int sandbox_prepare(struct sandbox_host *host, enum child_kind kind, uint64_t waived,
                    struct sandbox *ret_sandbox, enum step *ret_step,
                    struct cella_error *err) MUST_CHECK;
/* What of it others need: the pipes and the control socket, of which `ret_inside` gets the
 * sandbox's ends, and the control group. */
enum sandbox_inside { SANDBOX_STDIN, SANDBOX_STDOUT, SANDBOX_STDERR, SANDBOX_COLLECTED };
#define SANDBOX_INSIDE 4
void sandbox_blank(struct sandbox *ret_sandbox);
int sandbox_make_pipes(struct sandbox *sandbox, uid_t owner, int ret_inside[SANDBOX_INSIDE],
                       struct cella_error *err) MUST_CHECK;
int sandbox_make_control(struct sandbox *sandbox, int *ret_inside,
                         struct cella_error *err) MUST_CHECK;

/* Makes a prepared sandbox, or a new one, that of a plan.  What its first process then does is
 * reported on `control`; with `ahead` init says when it waits to be told what to run.  The streams
 * are the caller's.  On failure nothing is left and *ret_step says where it failed. */
int sandbox_start(struct sandbox_host *host, const struct plan *plan, bool ahead,
                  struct sandbox *ret_sandbox, enum step *ret_step,
                  struct cella_error *err) MUST_CHECK;
/* The parts of it that a nest does too. */
int sandbox_limit(const struct plan *plan, struct sandbox *sandbox, uint64_t memory_held,
                  struct cella_error *err) MUST_CHECK;
int sandbox_choose_processor(struct sandbox_host *host, const struct plan *plan,
                             struct sandbox *sandbox, struct cella_error *err) MUST_CHECK;
int sandbox_send_start(const struct sandbox_host *host, const struct plan *plan, bool ahead,
                       const struct sandbox *sandbox, struct cella_error *err) MUST_CHECK;
/* Tells init what to run: `pack`, which stays the caller's. */
int sandbox_run(const struct sandbox *sandbox, int pack, struct cella_error *err) MUST_CHECK;

/* Tells init, which waits, to start what `pack` says and to have it wait too. */
int sandbox_start_one_shot(const struct sandbox_host *host, const struct sandbox *sandbox, int pack,
                           struct cella_error *err) MUST_CHECK;

/* The next report of the first process, later init.  False when none is there now; *ret_closed then
 * says whether none can come any more. */
bool sandbox_next_report(const struct sandbox *sandbox, struct init_report *ret_report,
                         bool *ret_closed);
/* A first process that cannot be written to has died: gives what it said of that, if anything. */
void sandbox_tell_failure(const struct sandbox *sandbox, enum step *step, struct cella_error *err);

/* How a parked program ended, which is dead, what it used, and how many bytes it and all that it
 * had waited for wrote.  1 while another process of the sandbox traces it: only when that is dead
 * can it be waited for.  -1 when it is no child of ours. */
int sandbox_wait_program(struct sandbox *sandbox, int *ret_status, struct rusage *ret_usage,
                         uint64_t *ret_written) MUST_CHECK;

/* The figures of its control group, which are final when nothing runs in it any more. */
void sandbox_measure(const struct sandbox *sandbox, struct cgroup_usage *ret_usage);

/* Kills what is there, waits for it, and removes everything but the figures of the control group,
 * which go to *ret_usage, where not NULL; *ret_rusage is that of init and all it has waited for. */
void sandbox_end(struct sandbox *sandbox, struct cgroup_usage *ret_usage,
                 struct rusage *ret_rusage);
/* Likewise, with the streams, when nobody wants the figures. */
void sandbox_discard(struct sandbox *sandbox);

#endif
