/* Admission of stages: see sched.h. */
#include "sched/sched.h"

#include <assert.h>

void sched_init(struct sched *sched, const struct sched_amounts *budget)
{
    *sched = (struct sched){.budget = *budget};
    TAILQ_INIT(&sched->waiting);
}

/* ---- tenants, in the order of rule 5 ---- */

void sched_add_tenant(struct sched *sched, struct sched_tenant *tenant)
{
    *tenant = (struct sched_tenant){.served = sched->starts}; /* behind those who wait already */
    TAILQ_INIT(&tenant->waiting);
    sched->tenants++;
}

void sched_remove_tenant(struct sched *sched, struct sched_tenant *tenant)
{
    assert(tenant->started == 0 && TAILQ_EMPTY(&tenant->waiting) && sched->tenants > 0);
    sched->tenants--;
}

static double part_of(const struct sched *sched, const struct sched_tenant *tenant)
{
    double largest = 0;
    for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
        const uint64_t taken = tenant->taken.of[resource], all = sched->budget.of[resource];
        const double part = taken == 0 ? 0 : (double)taken / (double)(all > 0 ? all : 1);
        largest = part > largest ? part : largest;
    }
    return largest;
}

static bool is_before(const struct sched_tenant *one, const struct sched_tenant *other)
{
    return one->part < other->part || (one->part <= other->part && one->served < other->served);
}

/* Of whom something waits. */
static void put_in_order(struct sched *sched, struct sched_tenant *tenant)
{
    struct sched_tenant *next = TAILQ_FIRST(&sched->waiting);
    while (next != NULL && !is_before(tenant, next)) {
        next = TAILQ_NEXT(next, link);
    }
    if (next != NULL) {
        TAILQ_INSERT_BEFORE(next, tenant, link);
    } else {
        TAILQ_INSERT_TAIL(&sched->waiting, tenant, link);
    }
}

/* What he holds has changed. */
static void put_anew(struct sched *sched, struct sched_tenant *tenant)
{
    tenant->part = part_of(sched, tenant);
    if (!TAILQ_EMPTY(&tenant->waiting)) {
        TAILQ_REMOVE(&sched->waiting, tenant, link);
        put_in_order(sched, tenant);
    }
}

void sched_set_budget(struct sched *sched, const struct sched_amounts *budget)
{
    struct sched_tenants before = TAILQ_HEAD_INITIALIZER(before);
    struct sched_tenant *tenant;
    sched->budget = *budget;
    TAILQ_CONCAT(&before, &sched->waiting, link);
    while ((tenant = TAILQ_FIRST(&before)) != NULL) {
        TAILQ_REMOVE(&before, tenant, link);
        tenant->part = part_of(sched, tenant);
        put_in_order(sched, tenant);
    }
}

/* ---- places ---- */

uint64_t sched_new_turn(struct sched *sched)
{
    return ++sched->last_turn;
}

void sched_enter(struct sched *sched, struct sched_place *place, struct sched_tenant *tenant,
                 uint64_t turn, const struct sched_amounts *amounts)
{
    assert(place->state == SCHED_OUTSIDE && turn <= sched->last_turn);
    place->state = SCHED_WAITING;
    place->tenant = tenant;
    place->turn = turn;
    place->passed = 0;
    place->amounts = *amounts;
    if (TAILQ_EMPTY(&tenant->waiting)) {
        tenant->part = part_of(sched, tenant); /* the budget may have changed meanwhile */
        put_in_order(sched, tenant);
    }
    struct sched_place *before = TAILQ_LAST(&tenant->waiting, sched_line);
    while (before != NULL && before->turn > turn) {
        before = TAILQ_PREV(before, sched_line, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&tenant->waiting, place, link);
    } else {
        TAILQ_INSERT_AFTER(&tenant->waiting, before, place, link);
    }
}

static void leave_line(struct sched *sched, struct sched_place *place)
{
    struct sched_tenant *tenant = place->tenant;
    TAILQ_REMOVE(&tenant->waiting, place, link);
    if (TAILQ_EMPTY(&tenant->waiting)) {
        TAILQ_REMOVE(&sched->waiting, tenant, link);
    }
}

/* Of a resource: what is there for those who hold something already. */
static uint64_t common_part(const struct sched *sched, enum sched_resource resource)
{
    const uint64_t all = sched->budget.of[resource];
    return sched->tenants > 1 ? all - all / SCHED_RESERVE_PART : all;
}

/* What the place would take of a resource. */
static uint64_t share_of(const struct sched *sched, const struct sched_place *place,
                         enum sched_resource resource)
{
    const uint64_t asked = place->amounts.of[resource], most = common_part(sched, resource);
    return asked < most ? asked : most;
}

static bool fits(const struct sched *sched, const struct sched_place *place)
{
    for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
        const uint64_t share = share_of(sched, place, resource);
        const uint64_t room =
            place->tenant->started > 0 ? common_part(sched, resource) : sched->budget.of[resource];
        const uint64_t taken = sched->taken.of[resource];
        if (share > 0 && (taken > room || share > room - taken)) {
            return false;
        }
    }
    return true;
}

/* Those that were looked at before it, in vain. */
static void count_passes(struct sched *sched, const struct sched_place *started)
{
    for (struct sched_tenant *tenant = TAILQ_FIRST(&sched->waiting); tenant != NULL;
         tenant = TAILQ_NEXT(tenant, link)) {
        for (struct sched_place *place = TAILQ_FIRST(&tenant->waiting); place != NULL;
             place = TAILQ_NEXT(place, link)) {
            if (place == started) {
                return;
            }
            place->passed++;
        }
    }
}

static void start(struct sched *sched, struct sched_place *place)
{
    struct sched_tenant *tenant = place->tenant;
    count_passes(sched, place);
    leave_line(sched, place);
    place->state = SCHED_STARTED;
    sched->started++;
    tenant->started++;
    tenant->served = ++sched->starts;
    for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
        const uint64_t share = share_of(sched, place, resource);
        place->amounts.of[resource] = share;
        sched->taken.of[resource] += share;
        tenant->taken.of[resource] += share;
    }
    put_anew(sched, tenant);
}

/* The first of a tenant's that fits.  NULL: none, and *ret_passed is how often one was passed that
 * nothing behind it may pass any more, or 0. */
static struct sched_place *first_that_fits(const struct sched *sched,
                                           const struct sched_tenant *tenant, unsigned *ret_passed)
{
    struct sched_place *place = TAILQ_FIRST(&tenant->waiting);
    *ret_passed = 0;
    for (; place != NULL; place = TAILQ_NEXT(place, link)) {
        if (fits(sched, place)) {
            return place;
        }
        if (place->passed >= SCHED_PASSES_MAX) {
            *ret_passed = place->passed;
            return NULL;
        }
    }
    return NULL;
}

struct sched_place *sched_next(struct sched *sched)
{
    unsigned passed = 0, most = 0; /* how often those were that are waited for */
    for (struct sched_tenant *tenant = TAILQ_FIRST(&sched->waiting); tenant != NULL;
         tenant = TAILQ_NEXT(tenant, link)) {
        if (most >= (tenant->started > 0 ? SCHED_PASSES_MAX : SCHED_LIGHT_PASSES_MAX)) {
            continue;
        }
        struct sched_place *place = first_that_fits(sched, tenant, &passed);
        if (place != NULL) {
            start(sched, place);
            return place;
        }
        most = passed > most ? passed : most;
    }
    return NULL;
}

void sched_leave(struct sched *sched, struct sched_place *place)
{
    struct sched_tenant *tenant = place->tenant;
    switch (place->state) {
    case SCHED_OUTSIDE:
        return;
    case SCHED_WAITING:
        leave_line(sched, place);
        break;
    case SCHED_STARTED:
        sched->started--;
        tenant->started--;
        for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
            sched->taken.of[resource] -= place->amounts.of[resource];
            tenant->taken.of[resource] -= place->amounts.of[resource];
        }
        put_anew(sched, tenant);
        break;
    }
    place->state = SCHED_OUTSIDE;
}

bool sched_is_idle(const struct sched *sched)
{
    return sched->started == 0 && TAILQ_EMPTY(&sched->waiting);
}
