/* See express.h. */
#include "keeper/express.h"

#include "base/clock.h"

/* Where it cannot be, nothing is lost but time. */
static void set_idle(struct run *run, bool idle)
{
    if (run->sandbox.cgroup.host != NULL && cgroup_set_idle(&run->sandbox.cgroup, idle) == 0) {
        run->is_idle = idle;
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

/* What it has used of processors; where that is not known, as if it had used one all the time. */
static uint64_t used_us(const struct express *express, struct run *const *runs, size_t count,
                        uint64_t now)
{
    for (size_t i = 0; i < count; i++) {
        const struct run *run = runs[i];
        if (run->id == express->run && run->started_us != 0 && run->sandbox.cgroup.host != NULL) {
            const uint64_t used = cgroup_cpu_us(&run->sandbox.cgroup);
            return used > run->cpu_at_start_us ? used - run->cpu_at_start_us : 0;
        }
    }
    return now - express->began_us;
}

static void stop(struct express *express, struct run *const *runs, size_t count)
{
    const uint64_t now = clock_monotonic_us(), used = used_us(express, runs, count, now);
    for (size_t i = 0; i < count; i++) {
        if (runs[i]->is_idle) {
            set_idle(runs[i], false);
        }
    }
    express->run = 0;
    save(express, now);
    express->saved_us -= used < express->saved_us ? used : express->saved_us;
}

void express_begin(struct express *express, uint64_t id, struct run *const *runs, size_t count)
{
    const uint64_t now = clock_monotonic_us();
    if (express->run != 0) {
        return; /* it is nobody's in whose way the others would be */
    }
    save(express, now);
    if (express->saved_us < EXPRESS_US) {
        return; /* it might use so much */
    }
    express->run = id;
    express->began_us = now;
    for (size_t i = 0; i < count && i < EXPRESS_OTHERS_MAX; i++) {
        express_join(express, runs[i]);
    }
}

void express_join(struct express *express, struct run *run)
{
    if (express->run != 0 && run->id != express->run && !run->concluded) {
        set_idle(run, true);
    }
}

void express_leave(struct express *express, uint64_t id, struct run *const *runs, size_t count)
{
    if (express->run != 0 && express->run == id) {
        stop(express, runs, count);
    }
}

void express_look(struct express *express, struct run *const *runs, size_t count)
{
    if (express->run != 0 && clock_monotonic_us() - express->began_us >= EXPRESS_US) {
        stop(express, runs, count);
    }
}

int express_wait_ms(const struct express *express)
{
    if (express->run == 0) {
        return -1;
    }
    const uint64_t gone = clock_monotonic_us() - express->began_us;
    return gone < EXPRESS_US ? (int)((EXPRESS_US - gone + 999) / 1000) : 0;
}
