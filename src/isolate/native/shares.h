/*
 * Places of the host that a sandbox shows: opening them, and giving a writable one to a run.
 *
 * With a uid of its own a run could not write to anybody's directory, and what it wrote would
 * belong to a uid that somebody else gets next.  So the keeper maps the mount: who owns the
 * directory appears inside as the run itself, and the files that the run makes belong to that owner
 * on the host.  As an ordinary user the two are the same anyway.
 */
#ifndef ISOLATE_NATIVE_SHARES_H
#define ISOLATE_NATIVE_SHARES_H

#include "base/attributes.h"
#include "policy/plan.h"

#include <cella/error.h>
#include <stdbool.h>
#include <sys/types.h>

#define SHARE_MISSING (-2) /* a source that may be missing, and is */

/* Which directory it is that a writable mount shows, and whose.  All zero: none. */
struct share_sign {
    dev_t device;
    ino_t inode;
    uid_t uid;
    gid_t gid;
    bool read_only;
};

/* Of the plan's writable mounts, in their order, as they are now; behind them none. */
void shares_look(const struct plan *plan, struct share_sign ret_signs[PLAN_WRITABLE_MAX]);
/* Whether they are as they were. */
bool shares_are_same(const struct plan *plan, const struct share_sign signs[PLAN_WRITABLE_MAX]);

/* A copy of what is mounted at a bind's source, attached nowhere.  CELLA_ERROR_HOST when a part of
 * the path is a link, it is one of the kernel's file systems, or others are mounted below it and
 * would have to come along; for a writable one also when it is no directory, root's, or can be
 * written by nobody. */
int share_open(const struct plan_mount *mount, struct cella_error *err) MUST_CHECK;

/* The trees of the plan's writable mounts, in their order, with the owner of each mapped to
 * `run_uid` as uid and gid.  Those behind the last are -1.  On failure all of them are. */
int shares_open(const struct plan *plan, uid_t run_uid, int ret_trees[PLAN_WRITABLE_MAX],
                struct cella_error *err) MUST_CHECK;

#endif
