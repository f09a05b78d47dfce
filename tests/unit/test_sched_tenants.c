/* Admission: how room is shared among tenants. */
#include "sched/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BUDGET 100U

static struct sched_amounts memory(uint64_t amount)
{
    return (struct sched_amounts){.of = {[SCHED_MEMORY] = amount}};
}

static void enter_of(struct sched *sched, struct sched_place *place, struct sched_tenant *tenant,
                     uint64_t amount)
{
    const struct sched_amounts amounts = memory(amount);
    sched_enter(sched, place, tenant, sched_new_turn(sched), &amounts);
}

/* The next, of that tenant. */
static void assert_next(struct sched *sched, const struct sched_tenant *tenant)
{
    const struct sched_place *place = sched_next(sched);
    assert_non_null(place);
    assert_ptr_equal(place->tenant, tenant);
}

/* Many places of one tenant. */
#define FLOOD 40
struct flood {
    struct sched_tenant tenant;
    struct sched_place places[FLOOD];
};

static void flood_line(struct sched *sched, struct flood *flood, uint64_t amount)
{
    sched_add_tenant(sched, &flood->tenant);
    for (size_t i = 0; i < FLOOD; i++) {
        flood->places[i] = (struct sched_place){.state = SCHED_OUTSIDE};
        enter_of(sched, &flood->places[i], &flood->tenant, amount);
    }
}

static void one_tenant_has_it_all(void **state)
{
    (void)state;
    struct sched sched;
    static struct flood flood;
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(&sched, &budget);
    flood_line(&sched, &flood, 10);
    for (size_t i = 0; i < BUDGET / 10; i++) {
        assert_next(&sched, &flood.tenant);
    }
    assert_null(sched_next(&sched));
}

static void a_quarter_is_for_those_who_hold_nothing(void **state)
{
    (void)state;
    struct sched sched;
    static struct flood flood;
    struct sched_tenant light;
    struct sched_place small[3] = {0};
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(&sched, &budget);
    flood_line(&sched, &flood, 25);
    sched_add_tenant(&sched, &light);
    while (sched_next(&sched) != NULL) {
    }
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 75);
    enter_of(&sched, &small[0], &light, 26); /* there are 25 */
    assert_null(sched_next(&sched));
    sched_leave(&sched, &small[0]);
    enter_of(&sched, &small[1], &light, 24);
    assert_next(&sched, &light);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 99);
    enter_of(&sched, &small[2], &light, 2); /* he holds something now */
    assert_null(sched_next(&sched));
    sched_leave(&sched, &flood.places[0]);
    assert_null(sched_next(&sched)); /* 74 are taken */
    sched_leave(&sched, &flood.places[1]);
    assert_next(&sched, &light); /* who holds less */
}

/* Where all that there is fits one, they take turns, however many of one wait. */
static void equals_take_turns(void **state)
{
    (void)state;
    struct sched sched;
    static struct flood one, two;
    struct sched_place single = {0};
    struct sched_tenant third;
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(&sched, &budget);
    flood_line(&sched, &one, BUDGET);
    flood_line(&sched, &two, BUDGET);
    sched_add_tenant(&sched, &third);
    for (size_t i = 0; i < 3; i++) {
        assert_next(&sched, &one.tenant);
        assert_null(sched_next(&sched));
        sched_leave(&sched, &one.places[i]);
        assert_next(&sched, &two.tenant);
        sched_leave(&sched, &two.places[i]);
    }
    enter_of(&sched, &single, &third, BUDGET); /* who came last, before anybody has two more */
    assert_next(&sched, &third);
}

static void who_holds_less_comes_first(void **state)
{
    (void)state;
    struct sched sched;
    static struct flood one, two;
    const struct sched_amounts budget = memory(1000);
    unsigned of_two = 0;
    sched_init(&sched, &budget);
    flood_line(&sched, &one, 20);
    flood_line(&sched, &two, 60);
    while (sched_next(&sched) != NULL) {
    }
    for (size_t i = 0; i < FLOOD; i++) {
        of_two += two.places[i].state == SCHED_STARTED;
    }
    assert_int_equal(of_two, 6); /* 360 beside 380: no difference larger than one of them */
    assert_int_equal(one.tenant.taken.of[SCHED_MEMORY], 380);
}

/* By whatever it holds most of. */
static void every_resource_makes_a_part(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_tenant one, two;
    struct sched_place places[4] = {0};
    const struct sched_amounts budget = {.of = {[SCHED_MEMORY] = 1000, [SCHED_CPUS] = 1000}};
    const struct sched_amounts computes = {.of = {[SCHED_MEMORY] = 1, [SCHED_CPUS] = 500}};
    const struct sched_amounts keeps = {.of = {[SCHED_MEMORY] = 200, [SCHED_CPUS] = 1}};
    sched_init(&sched, &budget);
    sched_add_tenant(&sched, &one);
    sched_add_tenant(&sched, &two);
    sched_enter(&sched, &places[0], &one, sched_new_turn(&sched), &computes);
    sched_enter(&sched, &places[1], &two, sched_new_turn(&sched), &keeps);
    assert_next(&sched, &one);
    assert_next(&sched, &two);
    sched_enter(&sched, &places[2], &one, sched_new_turn(&sched), &keeps);
    sched_enter(&sched, &places[3], &two, sched_new_turn(&sched), &keeps);
    assert_next(&sched, &two); /* 20 % of the memory, not 50 % of the processors */
    assert_next(&sched, &one);
}

/* The largest stage of one is in the way of nobody else's small one. */
static void the_largest_leaves_room(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_tenant heavy, light;
    struct sched_place huge = {0}, small = {0};
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(&sched, &budget);
    sched_add_tenant(&sched, &heavy);
    sched_add_tenant(&sched, &light);
    enter_of(&sched, &huge, &heavy, UINT64_MAX);
    assert_next(&sched, &heavy);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 75);
    for (size_t i = 0; i < 10; i++) {
        enter_of(&sched, &small, &light, 25);
        assert_next(&sched, &light);
        sched_leave(&sched, &small);
    }
    sched_remove_tenant(&sched, &light);
    sched_leave(&sched, &huge);
    enter_of(&sched, &huge, &heavy, UINT64_MAX);
    assert_next(&sched, &heavy);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], BUDGET); /* he is alone again */
}

/* Who waits for much room is passed by those who hold nothing, but not for ever. */
static void light_ones_pass_longer(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_tenant first, light, heavy;
    struct sched_place base[2] = {0}, large = {0}, small = {0}, more = {0};
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(&sched, &budget);
    sched_add_tenant(&sched, &first);
    sched_add_tenant(&sched, &light);
    sched_add_tenant(&sched, &heavy);
    enter_of(&sched, &base[0], &heavy, 30);
    assert_next(&sched, &heavy);
    enter_of(&sched, &large, &first, 75);
    for (unsigned i = 0; i < SCHED_LIGHT_PASSES_MAX; i++) {
        if (i < SCHED_PASSES_MAX) { /* who holds something passes so often */
            enter_of(&sched, &more, &heavy, 10);
            assert_next(&sched, &heavy);
            sched_leave(&sched, &more);
        } else {
            enter_of(&sched, &more, &heavy, 10);
            assert_null(sched_next(&sched));
            sched_leave(&sched, &more);
            enter_of(&sched, &small, &light, 10);
            assert_next(&sched, &light);
            sched_leave(&sched, &small);
        }
    }
    assert_int_equal(large.passed, SCHED_LIGHT_PASSES_MAX);
    enter_of(&sched, &small, &light, 10);
    assert_null(sched_next(&sched));
    sched_leave(&sched, &base[0]);
    assert_next(&sched, &first);
    assert_next(&sched, &light);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tenant_has_it_all),
        cmocka_unit_test(a_quarter_is_for_those_who_hold_nothing),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(who_holds_less_comes_first),
        cmocka_unit_test(every_resource_makes_a_part),
        cmocka_unit_test(the_largest_leaves_room),
        cmocka_unit_test(light_ones_pass_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
