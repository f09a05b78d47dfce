/* See digests.h. */
#include "engine/digests.h"

#include <stddef.h>
#include <string.h>

const SHA2_CTX *digests_of(struct digests *digests, const struct plan *plan)
{
    size_t oldest = 0;
    digests->clock++;
    for (size_t i = 0; i < DIGESTS_MAX; i++) {
        if (digests->entries[i].used > 0 &&
            memcmp(&digests->entries[i].plan, plan, sizeof(*plan)) == 0) {
            digests->entries[i].used = digests->clock;
            return &digests->entries[i].digest;
        }
        if (digests->entries[i].used < digests->entries[oldest].used) {
            oldest = i;
        }
    }
    digests->entries[oldest].plan = *plan;
    digests->entries[oldest].used = digests->clock;
    SHA256Init(&digests->entries[oldest].digest);
    SHA256Update(&digests->entries[oldest].digest, (const uint8_t *)plan, sizeof(*plan));
    return &digests->entries[oldest].digest;
}

void digests_text(struct digests *digests, const struct plan *plan,
                  char ret_digest[POLICY_DIGEST_SIZE])
{
    SHA2_CTX digest = *digests_of(digests, plan);
    (void)SHA256End(&digest, ret_digest); /* returns its argument */
}
