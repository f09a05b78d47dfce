/* See express.h. */
#include "keeper/express.h"

#include "base/attributes.h"
#include "base/clock.h"
#include "keeper/run.h"

/* Where it cannot be, nothing is lost but time. */
static void set_idle(const struct run *run, bool idle)
{
    if (run->sandbox.cgroup.host != NULL) {
        IGNORE(cgroup_set_idle(&run->sandbox.cgroup, idle) != 0);
    }
}

void express_share(struct express *express, const struct cgroup_host *cgroups,
                   struct run *const *runs, size_t count)
{
    for (size_t i = 0; i < count && !express->shared; i++) {
        set_idle(runs[i], true);
    }
    express->shared = true;
    express->parted = cgroup_host_has_back(cgroups);
}

bool express_stands_back(const struct express *express, enum keeper_turn turn)
{
    return express->parted && turn == KEEPER_TURN_COMMON;
}

void express_make(const struct express *express, const struct run *run, enum keeper_turn turn)
{
    if (express->shared && turn != KEEPER_TURN_FIRST && !run->sandbox.cgroup.stands_back) {
        set_idle(run, true);
    }
}

/* Half of the time since it was looked at. */
static void save(struct express *express, uint64_t now)
{
    const uint64_t saved = express->saved_us + (now - express->looked_us) / 2;
    express->saved_us =
        express->looked_us == 0 || saved > EXPRESS_SAVED_US ? EXPRESS_SAVED_US : saved;
    express->looked_us = now;
}

static bool may_go_first(struct express *express, uint64_t id)
{
    const uint64_t now = clock_monotonic_us();
    save(express, now);
    if (express->count == EXPRESS_MAX || express->saved_us < EXPRESS_US) {
        return false;
    }
    express->saved_us -= EXPRESS_US; /* what it does not use is given back */
    express->first[express->count++] = (struct express_place){id, now};
    return true;
}

void express_begin(struct express *express, const struct run *run, enum keeper_turn turn)
{
    if (express->shared && !run->sandbox.cgroup.stands_back) {
        set_idle(run, !(turn == KEEPER_TURN_FIRST && may_go_first(express, run->id)));
    }
}

static const struct run *find(uint64_t id, struct run *const *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (runs[i]->id == id) {
            return runs[i];
        }
    }
    return NULL;
}

/* What it has used of processors; where that is not known, as if it had used one all the time. */
static uint64_t used_us(const struct express_place *place, const struct run *run, uint64_t now)
{
    if (run == NULL || run->started_us == 0 || run->sandbox.cgroup.host == NULL) {
        return now - place->began_us;
    }
    const uint64_t used = cgroup_cpu_us(&run->sandbox.cgroup);
    return used > run->cpu_at_start_us ? used - run->cpu_at_start_us : 0;
}

static void end(struct express *express, struct express_place *place, const struct run *run)
{
    const uint64_t now = clock_monotonic_us(), used = used_us(place, run, now);
    save(express, now);
    express->saved_us += EXPRESS_US;
    express->saved_us -= used < express->saved_us ? used : express->saved_us;
    *place = express->first[--express->count];
}

void express_leave(struct express *express, uint64_t id, struct run *const *runs, size_t count)
{
    for (size_t i = 0; i < express->count; i++) {
        if (express->first[i].run == id) {
            end(express, &express->first[i], find(id, runs, count));
            return;
        }
    }
}

int express_look(struct express *express, struct run *const *runs, size_t count)
{
    const uint64_t now = express->count > 0 ? clock_monotonic_us() : 0;
    uint64_t soonest = EXPRESS_US;
    for (size_t i = express->count; i-- > 0;) {
        struct express_place *place = &express->first[i];
        const uint64_t gone = now - place->began_us;
        const struct run *run = gone >= EXPRESS_US ? find(place->run, runs, count) : NULL;
        if (run != NULL) {
            set_idle(run, true);
        }
        if (gone >= EXPRESS_US) {
            end(express, place, run);
        } else {
            soonest = EXPRESS_US - gone < soonest ? EXPRESS_US - gone : soonest;
        }
    }
    return express->count == 0 ? -1 : (int)((soonest + 999) / 1000);
}
