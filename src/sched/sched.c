/* Admission of stages: see sched.h. */
#include "sched/sched.h"

#include <assert.h>

void sched_init(struct sched *sched, const struct sched_amounts *budget)
{
    *sched = (struct sched){.budget = *budget};
    TAILQ_INIT(&sched->waiting);
}

void sched_set_budget(struct sched *sched, const struct sched_amounts *budget)
{
    sched->budget = *budget;
}

uint64_t sched_new_turn(struct sched *sched)
{
    return ++sched->last_turn;
}

void sched_enter(struct sched *sched, struct sched_place *place, uint64_t turn,
                 const struct sched_amounts *amounts)
{
    assert(place->state == SCHED_OUTSIDE && turn <= sched->last_turn);
    place->state = SCHED_WAITING;
    place->turn = turn;
    place->passed = 0;
    place->amounts = *amounts;
    struct sched_place *before = TAILQ_LAST(&sched->waiting, sched_line);
    while (before != NULL && before->turn > turn) {
        before = TAILQ_PREV(before, sched_line, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&sched->waiting, place, link);
    } else {
        TAILQ_INSERT_AFTER(&sched->waiting, before, place, link);
    }
}

/* What the place would take of a resource. */
static uint64_t share_of(const struct sched *sched, const struct sched_place *place,
                         enum sched_resource resource)
{
    uint64_t asked = place->amounts.of[resource], all = sched->budget.of[resource];
    return asked < all ? asked : all;
}

static bool fits(const struct sched *sched, const struct sched_place *place)
{
    for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
        uint64_t share = share_of(sched, place, resource);
        uint64_t all = sched->budget.of[resource], taken = sched->taken.of[resource];
        if (share > 0 && (taken > all || share > all - taken)) {
            return false;
        }
    }
    return true;
}

static void start(struct sched *sched, struct sched_place *place)
{
    struct sched_place *earlier = place;
    while ((earlier = TAILQ_PREV(earlier, sched_line, link)) != NULL) {
        earlier->passed++;
    }
    TAILQ_REMOVE(&sched->waiting, place, link);
    place->state = SCHED_STARTED;
    sched->started++;
    for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
        place->amounts.of[resource] = share_of(sched, place, resource);
        sched->taken.of[resource] += place->amounts.of[resource];
    }
}

struct sched_place *sched_next(struct sched *sched)
{
    struct sched_place *place = TAILQ_FIRST(&sched->waiting);
    for (; place != NULL; place = TAILQ_NEXT(place, link)) {
        if (fits(sched, place)) {
            start(sched, place);
            return place;
        }
        if (place->passed >= SCHED_PASSES_MAX) {
            return NULL;
        }
    }
    return NULL;
}

void sched_leave(struct sched *sched, struct sched_place *place)
{
    switch (place->state) {
    case SCHED_OUTSIDE:
        return;
    case SCHED_WAITING:
        TAILQ_REMOVE(&sched->waiting, place, link);
        break;
    case SCHED_STARTED:
        sched->started--;
        for (enum sched_resource resource = 0; resource < SCHED_RESOURCES; resource++) {
            sched->taken.of[resource] -= place->amounts.of[resource];
        }
        break;
    }
    place->state = SCHED_OUTSIDE;
}

bool sched_is_idle(const struct sched *sched)
{
    return sched->started == 0 && TAILQ_EMPTY(&sched->waiting);
}
