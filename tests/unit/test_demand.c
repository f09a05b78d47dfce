/* Pools: who gets one, how large, and what is given back. */
#include "demand/demand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB    (UINT64_C(1024) * 1024)
#define SECOND UINT64_C(1000000)
#define MEMORY (256 * MIB)

struct told {
    uint64_t id;
    uint32_t target;
    unsigned times;
};

static void tell(void *context, const struct demand_kind *kind)
{
    struct told *told = context;
    told->id = kind->id;
    told->target = kind->target;
    told->times++;
}

static struct demand_kind *want(struct demand *demand, unsigned char name, uint64_t now)
{
    const unsigned char key[DEMAND_KEY_SIZE] = {name};
    return demand_want(demand, key, now);
}

static void one_run_gets_no_pool(void **state)
{
    (void)state;
    static struct demand demand;
    struct told told = {0};
    demand_init(&demand, MEMORY);
    struct demand_kind *kind = want(&demand, 1, SECOND);
    demand_began(kind);
    demand_ended(kind);
    assert_true(demand_step(&demand, SECOND, tell, &told) == UINT64_MAX);
    assert_int_equal(told.times, 0);
    assert_ptr_equal(want(&demand, 1, SECOND), kind);
    assert_true(demand_step(&demand, SECOND, tell, &told) > SECOND);
    assert_int_equal(told.times, 1);
    assert_true(told.id != 0 && told.target > 0);
    assert_ptr_equal(demand_find(&demand, told.id), kind);
}

static void without_memory_there_are_none(void **state)
{
    (void)state;
    static struct demand demand;
    demand_init(&demand, 0);
    assert_null(want(&demand, 1, SECOND));
}

static void it_has_what_was_wanted_at_one_time(void **state)
{
    (void)state;
    static struct demand demand;
    struct told told = {0};
    uint64_t now = SECOND;
    demand_init(&demand, MEMORY);
    struct demand_kind *kind = NULL;
    for (int i = 0; i < 5; i++) {
        kind = want(&demand, 1, now);
        demand_began(kind);
    }
    (void)demand_step(&demand, now, tell, &told);
    assert_int_equal(told.target, 6);
    for (int i = 0; i < 5; i++) {
        demand_ended(kind);
    }
    /* That is remembered for the next window, and no longer. */
    now += DEMAND_WINDOW_US;
    (void)demand_step(&demand, now, tell, &told);
    assert_int_equal(kind->target, 6);
    now += DEMAND_WINDOW_US;
    (void)demand_step(&demand, now, tell, &told);
    assert_int_equal(kind->target, 1);
    /* And what nobody wants goes, its number with it. */
    const uint64_t id = kind->id;
    now += DEMAND_IDLE_US;
    assert_true(demand_step(&demand, now, tell, &told) == UINT64_MAX);
    assert_int_equal(told.id, id);
    assert_int_equal(told.target, 0);
    assert_null(demand_find(&demand, id));
    (void)want(&demand, 1, now);
    (void)demand_step(&demand, now, tell, &told);
    assert_true(told.id > id);
}

static void the_one_wanted_longest_ago_makes_room(void **state)
{
    (void)state;
    static struct demand demand;
    struct told told = {0};
    demand_init(&demand, 20 * MIB);
    struct demand_kind *first = want(&demand, 1, SECOND);
    struct demand_kind *second = want(&demand, 2, 2 * SECOND);
    (void)want(&demand, 1, SECOND);
    (void)want(&demand, 2, 2 * SECOND);
    (void)demand_step(&demand, 2 * SECOND, tell, &told);
    assert_true(first->target > 0 && second->target > 0);
    first->held_bytes = second->held_bytes = 12 * MIB; /* as the keeper tells */
    (void)demand_step(&demand, 2 * SECOND, tell, &told);
    assert_int_equal(first->target, 0);
    assert_true(second->target > 0);
    assert_int_equal(first->id, 0);
}

static void what_each_one_costs_counts(void **state)
{
    (void)state;
    static struct demand demand;
    struct told told = {0};
    demand_init(&demand, MEMORY);
    struct demand_kind *kind = want(&demand, 1, SECOND);
    kind->each_bytes = 100 * MIB;
    for (int i = 0; i < 10; i++) {
        demand_began(kind);
    }
    (void)want(&demand, 1, SECOND);
    (void)demand_step(&demand, SECOND, tell, &told);
    assert_int_equal(told.target, 2);
    kind->each_bytes = 0;
    (void)demand_step(&demand, SECOND, tell, &told);
    assert_true(told.target > 10);
}

static void the_oldest_kind_is_forgotten_but_none_in_use(void **state)
{
    (void)state;
    static struct demand demand;
    demand_init(&demand, MEMORY);
    for (unsigned char i = 0; i < DEMAND_KINDS_MAX; i++) {
        struct demand_kind *kind = want(&demand, i, SECOND + i);
        if (i >= 2) {
            demand_release(kind);
        }
    }
    struct demand_kind *kind = want(&demand, 200, 100 * SECOND);
    assert_non_null(kind);
    assert_int_equal(kind - demand.kinds, 2);
    assert_int_equal(kind->wanted, 1);
    for (size_t i = 0; i < DEMAND_KINDS_MAX; i++) {
        demand.kinds[i].held = 1;
    }
    assert_null(want(&demand, 201, 100 * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_run_gets_no_pool),
        cmocka_unit_test(without_memory_there_are_none),
        cmocka_unit_test(it_has_what_was_wanted_at_one_time),
        cmocka_unit_test(what_each_one_costs_counts),
        cmocka_unit_test(the_one_wanted_longest_ago_makes_room),
        cmocka_unit_test(the_oldest_kind_is_forgotten_but_none_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
