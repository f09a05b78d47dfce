/* See demand.h. */
#include "demand/demand.h"

#include <string.h>

/* A kind gets a pool when it is wanted for the second time: one run alone is made no quicker. */
#define WANTED_MIN 2

/* Beyond what was wanted at one time: whoever comes while the next is being made finds one. */
#define HEADROOM 1

void demand_init(struct demand *demand, uint64_t memory_max_bytes)
{
    memset(demand, 0, sizeof(*demand));
    demand->memory_max_bytes = memory_max_bytes;
}

static struct demand_kind *find(struct demand *demand, const unsigned char *key)
{
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        struct demand_kind *kind = &demand->kinds[i];
        if (kind->wanted > 0 && memcmp(kind->key, key, DEMAND_KEY_SIZE) == 0) {
            return kind;
        }
    }
    return NULL;
}

/* A free place, or that of the kind wanted longest ago which has no pool and which nobody holds. */
static struct demand_kind *find_place(struct demand *demand)
{
    struct demand_kind *oldest = NULL;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        struct demand_kind *kind = &demand->kinds[i];
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

struct demand_kind *demand_want(struct demand *demand, const unsigned char key[DEMAND_KEY_SIZE],
                                uint64_t now_us)
{
    if (demand->memory_max_bytes == 0) {
        return NULL;
    }
    struct demand_kind *kind = find(demand, key);
    if (kind == NULL) {
        kind = find_place(demand);
        if (kind == NULL) {
            return NULL;
        }
        *kind = (struct demand_kind){.window_us = now_us};
        memcpy(kind->key, key, DEMAND_KEY_SIZE);
    }
    kind->wanted++;
    kind->wanted_us = now_us;
    demand_hold(kind);
    return kind;
}

void demand_hold(struct demand_kind *kind)
{
    kind->held++;
}

void demand_release(struct demand_kind *kind)
{
    kind->held--;
}

struct demand_kind *demand_find(struct demand *demand, uint64_t id)
{
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        if (demand->kinds[i].id == id) {
            return &demand->kinds[i];
        }
    }
    return NULL;
}

void demand_began(struct demand_kind *kind)
{
    kind->active++;
    kind->peak = kind->active > kind->peak ? kind->active : kind->peak;
}

void demand_ended(struct demand_kind *kind)
{
    kind->active--;
}

/* ---- sizes ---- */

static uint32_t wish(struct demand_kind *kind, uint64_t now_us)
{
    if (now_us - kind->window_us >= DEMAND_WINDOW_US) {
        /* After a longer pause nothing was wanted in the window before either. */
        kind->peak_before = now_us - kind->window_us < 2 * DEMAND_WINDOW_US ? kind->peak : 0;
        kind->peak = kind->active;
        kind->window_us = now_us;
    }
    if (kind->wanted < WANTED_MIN ||
        (now_us - kind->wanted_us >= DEMAND_IDLE_US && kind->active == 0)) {
        return 0;
    }
    const uint32_t peak = kind->peak > kind->peak_before ? kind->peak : kind->peak_before;
    const uint32_t size = peak + HEADROOM;
    return size < DEMAND_READY_MAX ? size : DEMAND_READY_MAX;
}

static uint64_t cost(const struct demand_kind *kind, uint32_t size)
{
    const uint64_t each = kind->each_bytes > 0 ? kind->each_bytes : DEMAND_SANDBOX_BYTES;
    return size == 0 ? 0 : kind->held_bytes + size * each;
}

/* The kind with a pool, beside `kept`, that was wanted longest ago. */
static struct demand_kind *find_oldest(struct demand *demand, const struct demand_kind *kept,
                                       const uint32_t *wishes)
{
    struct demand_kind *oldest = NULL;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        struct demand_kind *kind = &demand->kinds[i];
        if (wishes[i] > 0 && kind != kept &&
            (oldest == NULL || kind->wanted_us < oldest->wanted_us)) {
            oldest = kind;
        }
    }
    return oldest;
}

static void fit_into_memory(struct demand *demand, uint32_t *wishes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        sum += cost(&demand->kinds[i], wishes[i]);
    }
    struct demand_kind *oldest = NULL;
    while (sum > demand->memory_max_bytes && (oldest = find_oldest(demand, NULL, wishes)) != NULL) {
        uint32_t *size = &wishes[oldest - demand->kinds];
        const uint64_t before = cost(oldest, *size);
        *size -= 1;
        sum -= before - cost(oldest, *size);
    }
}

uint64_t demand_step(struct demand *demand, uint64_t now_us,
                     void (*set)(void *context, const struct demand_kind *kind), void *context)
{
    uint32_t wishes[DEMAND_KINDS_MAX];
    bool any = false;
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        wishes[i] = demand->kinds[i].wanted > 0 ? wish(&demand->kinds[i], now_us) : 0;
    }
    fit_into_memory(demand, wishes);
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        struct demand_kind *kind = &demand->kinds[i];
        any = any || wishes[i] > 0;
        if (wishes[i] == kind->target) {
            continue;
        }
        if (kind->id == 0) {
            kind->id = ++demand->last_id;
        }
        kind->target = wishes[i];
        set(context, kind);
        if (kind->target == 0) {
            kind->id = 0;
            kind->held_bytes = 0;
        }
    }
    return any ? now_us + DEMAND_WINDOW_US : UINT64_MAX;
}
