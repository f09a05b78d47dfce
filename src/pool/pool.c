/* See pool.h. */
#include "pool/pool.h"

#include <string.h>

/* A kind gets a pool when it is wanted for the second time: one run alone is made no quicker. */
#define WANTED_MIN 2

/* Beyond what was wanted at one time: whoever comes while the next is being made finds one. */
#define HEADROOM 1

void pool_init(struct pool_kinds *kinds, uint64_t memory_max_bytes)
{
    memset(kinds, 0, sizeof(*kinds));
    kinds->memory_max_bytes = memory_max_bytes;
}

static struct pool_kind *find(struct pool_kinds *kinds, const unsigned char *key)
{
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        struct pool_kind *kind = &kinds->kinds[i];
        if (kind->wanted > 0 && memcmp(kind->key, key, POOL_KEY_SIZE) == 0) {
            return kind;
        }
    }
    return NULL;
}

/* A free place, or that of the kind wanted longest ago which has no pool and which nobody holds. */
static struct pool_kind *find_place(struct pool_kinds *kinds)
{
    struct pool_kind *oldest = NULL;
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        struct pool_kind *kind = &kinds->kinds[i];
        if (kind->wanted == 0) {
            return kind;
        }
        if (kind->id == 0 && kind->held == 0 &&
            (oldest == NULL || kind->wanted_us < oldest->wanted_us)) {
            oldest = kind;
        }
    }
    return oldest;
}

struct pool_kind *pool_want(struct pool_kinds *kinds, const unsigned char key[POOL_KEY_SIZE],
                            uint64_t now_us)
{
    if (kinds->memory_max_bytes == 0) {
        return NULL;
    }
    struct pool_kind *kind = find(kinds, key);
    if (kind == NULL) {
        kind = find_place(kinds);
        if (kind == NULL) {
            return NULL;
        }
        *kind = (struct pool_kind){.window_us = now_us};
        memcpy(kind->key, key, POOL_KEY_SIZE);
    }
    kind->wanted++;
    kind->wanted_us = now_us;
    pool_hold(kind);
    return kind;
}

void pool_hold(struct pool_kind *kind)
{
    kind->held++;
}

void pool_release(struct pool_kind *kind)
{
    kind->held--;
}

struct pool_kind *pool_find(struct pool_kinds *kinds, uint64_t id)
{
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        if (kinds->kinds[i].id == id) {
            return &kinds->kinds[i];
        }
    }
    return NULL;
}

void pool_began(struct pool_kind *kind)
{
    kind->active++;
    kind->peak = kind->active > kind->peak ? kind->active : kind->peak;
}

void pool_ended(struct pool_kind *kind)
{
    kind->active--;
}

/* ---- sizes ---- */

static uint32_t wish(struct pool_kind *kind, uint64_t now_us)
{
    if (now_us - kind->window_us >= POOL_WINDOW_US) {
        /* After a longer pause nothing was wanted in the window before either. */
        kind->peak_before = now_us - kind->window_us < 2 * POOL_WINDOW_US ? kind->peak : 0;
        kind->peak = kind->active;
        kind->window_us = now_us;
    }
    if (kind->wanted < WANTED_MIN ||
        (now_us - kind->wanted_us >= POOL_IDLE_US && kind->active == 0)) {
        return 0;
    }
    const uint32_t peak = kind->peak > kind->peak_before ? kind->peak : kind->peak_before;
    const uint32_t size = peak + HEADROOM;
    return size < POOL_READY_MAX ? size : POOL_READY_MAX;
}

static uint64_t cost(const struct pool_kind *kind, uint32_t size)
{
    const uint64_t each = kind->each_bytes > 0 ? kind->each_bytes : POOL_SANDBOX_BYTES;
    return size == 0 ? 0 : kind->held_bytes + size * each;
}

/* The kind with a pool, beside `kept`, that was wanted longest ago. */
static struct pool_kind *find_oldest(struct pool_kinds *kinds, const struct pool_kind *kept,
                                     const uint32_t *wishes)
{
    struct pool_kind *oldest = NULL;
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        struct pool_kind *kind = &kinds->kinds[i];
        if (wishes[i] > 0 && kind != kept &&
            (oldest == NULL || kind->wanted_us < oldest->wanted_us)) {
            oldest = kind;
        }
    }
    return oldest;
}

static void fit_into_memory(struct pool_kinds *kinds, uint32_t *wishes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        sum += cost(&kinds->kinds[i], wishes[i]);
    }
    struct pool_kind *oldest = NULL;
    while (sum > kinds->memory_max_bytes && (oldest = find_oldest(kinds, NULL, wishes)) != NULL) {
        uint32_t *size = &wishes[oldest - kinds->kinds];
        const uint64_t before = cost(oldest, *size);
        *size -= 1;
        sum -= before - cost(oldest, *size);
    }
}

uint64_t pool_step(struct pool_kinds *kinds, uint64_t now_us,
                   void (*set)(void *context, const struct pool_kind *kind), void *context)
{
    uint32_t wishes[POOL_KINDS_MAX];
    bool any = false;
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        wishes[i] = kinds->kinds[i].wanted > 0 ? wish(&kinds->kinds[i], now_us) : 0;
    }
    fit_into_memory(kinds, wishes);
    for (size_t i = 0; i < POOL_KINDS_MAX; i++) {
        struct pool_kind *kind = &kinds->kinds[i];
        any = any || wishes[i] > 0;
        if (wishes[i] == kind->target) {
            continue;
        }
        if (kind->id == 0) {
            kind->id = ++kinds->last_id;
        }
        kind->target = wishes[i];
        set(context, kind);
        if (kind->target == 0) {
            kind->id = 0;
            kind->held_bytes = 0;
        }
    }
    return any ? now_us + POOL_WINDOW_US : UINT64_MAX;
}
