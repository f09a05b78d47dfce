/*
 * The digests of the plans that runs went by last.  A plan is thirteen kilobytes, which takes 60
 * microseconds to digest, and mostly that of a run before.
 */
#ifndef ENGINE_DIGESTS_H
#define ENGINE_DIGESTS_H

#include "policy/plan.h"
#include "policy/policy.h"

#include <sha2.h>
#include <stdint.h>

#define DIGESTS_MAX 8U

struct digests {
    struct {
        struct plan plan;
        SHA2_CTX digest;
        uint64_t used; /* when, by the clock below; 0: there is none */
    } entries[DIGESTS_MAX];
    uint64_t clock;
};

/* That has taken all of the plan in, for who wants to add to it.  Valid until the next call. */
const SHA2_CTX *digests_of(struct digests *digests, const struct plan *plan);
/* The same as plan_digest(). */
void digests_text(struct digests *digests, const struct plan *plan,
                  char ret_digest[POLICY_DIGEST_SIZE]);

#endif
