/* Admission: the order, the budget, who may pass whom, and that nothing waits for ever.  How
 * room is shared among tenants is in test_sched_tenants.c. */
#include "sched/sched.h"

#include "base/attributes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BUDGET 100U

/* Whose places they are where it does not matter. */
static struct sched_tenant anybody;

static struct sched_amounts memory(uint64_t amount)
{
    return (struct sched_amounts){.of = {[SCHED_MEMORY] = amount}};
}

/* A budget of BUDGET of memory and nothing else. */
static void init_line(struct sched *sched)
{
    const struct sched_amounts budget = memory(BUDGET);
    sched_init(sched, &budget);
    sched_add_tenant(sched, &anybody);
}

static void enter(struct sched *sched, struct sched_place *place, uint64_t amount)
{
    const struct sched_amounts amounts = memory(amount);
    sched_enter(sched, place, &anybody, sched_new_turn(sched), &amounts);
}

static void all_that_fit_start(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[4] = {0};
    init_line(&sched);
    assert_true(sched_is_idle(&sched));
    assert_null(sched_next(&sched));
    for (size_t i = 0; i < 4; i++) {
        enter(&sched, &places[i], 40);
        assert_int_equal(places[i].state, SCHED_WAITING);
    }
    assert_ptr_equal(sched_next(&sched), &places[0]);
    assert_ptr_equal(sched_next(&sched), &places[1]);
    assert_null(sched_next(&sched));
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 80);
    assert_int_equal(places[0].state, SCHED_STARTED);
    assert_int_equal(places[2].state, SCHED_WAITING);
    assert_false(sched_is_idle(&sched));
}

static void room_goes_to_the_first_in_line(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[5] = {0};
    init_line(&sched);
    for (size_t i = 0; i < 5; i++) {
        enter(&sched, &places[i], 60);
    }
    for (size_t i = 0; i < 5; i++) { /* whoever leaves, one by one in the order of coming */
        assert_ptr_equal(sched_next(&sched), &places[i]);
        assert_null(sched_next(&sched));
        sched_leave(&sched, &places[i]);
    }
    assert_null(sched_next(&sched));
    assert_true(sched_is_idle(&sched));
}

static void the_budget_can_be_met_exactly(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[4] = {0};
    init_line(&sched);
    enter(&sched, &places[0], 60);
    enter(&sched, &places[1], 40);
    enter(&sched, &places[2], 1);
    assert_ptr_equal(sched_next(&sched), &places[0]);
    assert_ptr_equal(sched_next(&sched), &places[1]);
    assert_null(sched_next(&sched));
    assert_int_equal(sched.taken.of[SCHED_MEMORY], BUDGET);
    sched_leave(&sched, &places[1]);
    assert_ptr_equal(sched_next(&sched), &places[2]);
    enter(&sched, &places[3], 40); /* one too many */
    assert_null(sched_next(&sched));
}

static void what_is_over_the_budget_is_alone(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place small[2] = {0}, huge = {0}, whole = {0};
    init_line(&sched);
    enter(&sched, &small[0], 1);
    assert_ptr_equal(sched_next(&sched), &small[0]);
    enter(&sched, &huge, UINT64_MAX);
    enter(&sched, &whole, BUDGET);
    assert_null(sched_next(&sched));
    sched_leave(&sched, &small[0]);
    assert_ptr_equal(sched_next(&sched), &huge);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], BUDGET);
    enter(&sched, &small[1], 1);
    assert_null(sched_next(&sched));
    sched_leave(&sched, &huge);
    assert_ptr_equal(sched_next(&sched), &whole);
    assert_null(sched_next(&sched));
    sched_leave(&sched, &whole);
    assert_ptr_equal(sched_next(&sched), &small[1]);
}

static void every_resource_counts(void **state)
{
    (void)state;
    for (size_t scarce = 0; scarce < SCHED_RESOURCES; scarce++) {
        struct sched sched;
        struct sched_place places[3] = {0};
        struct sched_amounts budget, need;
        for (size_t i = 0; i < SCHED_RESOURCES; i++) {
            budget.of[i] = i == scarce ? 5 : 1000;
            need.of[i] = 2;
        }
        sched_init(&sched, &budget);
        sched_add_tenant(&sched, &anybody);
        for (size_t i = 0; i < 3; i++) {
            sched_enter(&sched, &places[i], &anybody, sched_new_turn(&sched), &need);
        }
        assert_ptr_equal(sched_next(&sched), &places[0]);
        assert_ptr_equal(sched_next(&sched), &places[1]);
        assert_null(sched_next(&sched));
    }
}

/* A host without swap: a plan that would allow some is held up by nothing. */
static void what_there_is_none_of_is_not_taken(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[2] = {0};
    const struct sched_amounts need = {.of = {[SCHED_MEMORY] = 50, [SCHED_SWAP] = 1000}};
    init_line(&sched);
    for (size_t i = 0; i < 2; i++) {
        sched_enter(&sched, &places[i], &anybody, sched_new_turn(&sched), &need);
        assert_ptr_equal(sched_next(&sched), &places[i]);
    }
    assert_int_equal(sched.taken.of[SCHED_SWAP], 0);
}

static void small_ones_pass_a_large_one_and_then_wait_for_it(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place small[2] = {0}, large = {0}, passing = {0};
    init_line(&sched);
    enter(&sched, &small[0], 40);
    enter(&sched, &small[1], 40);
    enter(&sched, &large, 70);
    assert_ptr_equal(sched_next(&sched), &small[0]);
    assert_ptr_equal(sched_next(&sched), &small[1]);
    for (unsigned i = 0; i < SCHED_PASSES_MAX; i++) {
        enter(&sched, &passing, 20);
        assert_ptr_equal(sched_next(&sched), &passing);
        sched_leave(&sched, &passing);
    }
    assert_int_equal(large.passed, SCHED_PASSES_MAX);
    enter(&sched, &passing, 20);
    assert_null(sched_next(&sched)); /* it would fit */
    sched_leave(&sched, &small[0]);
    assert_null(sched_next(&sched)); /* still: the room is being left to grow */
    sched_leave(&sched, &small[1]);
    assert_ptr_equal(sched_next(&sched), &large);
    assert_ptr_equal(sched_next(&sched), &passing);
    assert_null(sched_next(&sched));
}

/* Whoever has been passed often enough and gives up holds up nobody any more. */
static void a_large_one_that_leaves_the_line_frees_it(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place base = {0}, large = {0}, passing = {0}, behind = {0};
    init_line(&sched);
    enter(&sched, &base, 40);
    enter(&sched, &large, 70);
    assert_ptr_equal(sched_next(&sched), &base);
    for (unsigned i = 0; i < SCHED_PASSES_MAX; i++) {
        enter(&sched, &passing, 20);
        assert_ptr_equal(sched_next(&sched), &passing);
        sched_leave(&sched, &passing);
    }
    enter(&sched, &behind, 60);
    assert_null(sched_next(&sched));
    sched_leave(&sched, &large);
    sched_leave(&sched, &large); /* twice is once */
    assert_int_equal(large.state, SCHED_OUTSIDE);
    assert_ptr_equal(sched_next(&sched), &behind);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 100);
}

static void leaving_the_line_keeps_the_order_of_the_rest(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[5] = {0};
    init_line(&sched);
    for (size_t i = 0; i < 5; i++) {
        enter(&sched, &places[i], BUDGET);
    }
    assert_ptr_equal(sched_next(&sched), &places[0]);
    sched_leave(&sched, &places[2]);
    sched_leave(&sched, &places[4]);
    sched_leave(&sched, &places[0]);
    assert_ptr_equal(sched_next(&sched), &places[1]);
    sched_leave(&sched, &places[1]);
    assert_ptr_equal(sched_next(&sched), &places[3]);
    sched_leave(&sched, &places[3]);
    assert_true(sched_is_idle(&sched));
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 0);
}

static void a_second_stage_keeps_its_turn(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place first = {0}, others[2] = {0}, second = {0};
    const struct sched_amounts need = memory(BUDGET);
    init_line(&sched);
    uint64_t turn = sched_new_turn(&sched);
    sched_enter(&sched, &first, &anybody, turn, &need);
    enter(&sched, &others[0], BUDGET);
    enter(&sched, &others[1], BUDGET);
    assert_ptr_equal(sched_next(&sched), &first);
    sched_leave(&sched, &first);
    sched_enter(&sched, &second, &anybody, turn, &need); /* before anybody is asked for */
    assert_ptr_equal(sched_next(&sched), &second);
    sched_leave(&sched, &second);
    assert_ptr_equal(sched_next(&sched), &others[0]);
    struct sched_place between = {0};
    sched_enter(&sched, &between, &anybody, others[0].turn, &need);
    sched_leave(&sched, &others[0]);
    assert_ptr_equal(sched_next(&sched), &between);
}

static void a_budget_may_shrink_and_grow(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place places[4] = {0};
    struct sched_amounts budget = memory(30);
    init_line(&sched);
    enter(&sched, &places[0], 40);
    enter(&sched, &places[1], 40);
    enter(&sched, &places[2], 20);
    enter(&sched, &places[3], 20);
    assert_ptr_equal(sched_next(&sched), &places[0]);
    assert_ptr_equal(sched_next(&sched), &places[1]);
    sched_set_budget(&sched, &budget);
    sched_leave(&sched, &places[0]);
    assert_null(sched_next(&sched)); /* 40 are taken, of 30 */
    sched_leave(&sched, &places[1]);
    assert_int_equal(sched.taken.of[SCHED_MEMORY], 0);
    assert_ptr_equal(sched_next(&sched), &places[2]);
    assert_null(sched_next(&sched));
    budget = memory(40);
    sched_set_budget(&sched, &budget);
    assert_ptr_equal(sched_next(&sched), &places[3]);
}

/* ---- whatever happens ---- */

#define PLACES  48
#define TENANTS 5
#define STEPS   200
#define ROUNDS  200

struct world {
    struct sched sched;
    struct sched_tenant tenants[TENANTS];
    size_t tenant_count;
    struct sched_place places[PLACES];
    uint64_t asked[PLACES][SCHED_RESOURCES];
    unsigned later_starts[PLACES]; /* of its tenant's with a later turn, since it waits */
};

static uint64_t below(uint64_t end)
{
    return end == 0 ? 0 : (uint64_t)rand() % end; // NOLINT: for a test
}

static uint64_t common_part(const struct world *world, size_t r)
{
    const uint64_t all = world->sched.budget.of[r];
    return world->tenant_count > 1 ? all - all / SCHED_RESERVE_PART : all;
}

static void check_sums(const struct world *world)
{
    uint64_t sum[SCHED_RESOURCES] = {0};
    size_t started = 0;
    for (size_t i = 0; i < PLACES; i++) {
        if (world->places[i].state == SCHED_STARTED) {
            started++;
            for (size_t r = 0; r < SCHED_RESOURCES; r++) {
                const uint64_t most = common_part(world, r);
                sum[r] += world->asked[i][r] < most ? world->asked[i][r] : most;
            }
        }
    }
    assert_int_equal(started, world->sched.started);
    for (size_t r = 0; r < SCHED_RESOURCES; r++) {
        assert_int_equal(world->sched.taken.of[r], sum[r]);
        assert_true(sum[r] <= world->sched.budget.of[r]);
    }
}

static void start_all(struct world *world)
{
    struct sched_place *started;
    while ((started = sched_next(&world->sched)) != NULL) {
        assert_int_equal(started->state, SCHED_STARTED);
        for (size_t i = 0; i < PLACES; i++) {
            const struct sched_place *place = &world->places[i];
            if (place->state == SCHED_WAITING && place->tenant == started->tenant &&
                place->turn < started->turn) {
                assert_true(++world->later_starts[i] <= SCHED_PASSES_MAX);
            }
            assert_true(place->passed <= SCHED_LIGHT_PASSES_MAX);
        }
        for (size_t r = 0; r < SCHED_RESOURCES; r++) {
            assert_true(started->tenant->started == 1 || started->amounts.of[r] == 0 ||
                        world->sched.taken.of[r] <= common_part(world, r));
        }
        check_sums(world);
    }
}

static void enter_any(struct world *world, size_t i)
{
    struct sched_amounts amounts;
    for (size_t r = 0; r < SCHED_RESOURCES; r++) {
        /* Mostly small, now and then over everything there is. */
        const uint64_t all = world->sched.budget.of[r];
        amounts.of[r] = below(10) == 0 ? below(2 * all + 2) : below(all / 4 + 2);
        world->asked[i][r] = amounts.of[r];
    }
    world->later_starts[i] = 0;
    sched_enter(&world->sched, &world->places[i], &world->tenants[below(world->tenant_count)],
                sched_new_turn(&world->sched), &amounts);
}

/* From any state, once nobody comes any more, everybody gets a turn. */
static void drain(struct world *world)
{
    for (size_t left = PLACES; left > 0; left--) {
        start_all(world);
        size_t started = 0;
        while (started < PLACES && world->places[started].state != SCHED_STARTED) {
            started++;
        }
        if (started == PLACES) {
            break;
        }
        sched_leave(&world->sched, &world->places[started]);
    }
    assert_true(sched_is_idle(&world->sched));
    for (size_t r = 0; r < SCHED_RESOURCES; r++) {
        assert_int_equal(world->sched.taken.of[r], 0);
    }
}

static void random_sequences(void **state)
{
    (void)state;
    const char *given = getenv("CELLA_SEED");
    const unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("CELLA_SEED=%u\n", seed);
    srand(seed); // NOLINT: for a test
    static struct world world;
    for (int round = 0; round < ROUNDS; round++) {
        struct sched_amounts budget;
        for (size_t r = 0; r < SCHED_RESOURCES; r++) {
            budget.of[r] = r == SCHED_SWAP ? below(20) : 1 + below(1000);
        }
        memset(&world, 0, sizeof(world));
        sched_init(&world.sched, &budget);
        world.tenant_count = 1 + (size_t)round % TENANTS;
        for (size_t i = 0; i < world.tenant_count; i++) {
            sched_add_tenant(&world.sched, &world.tenants[i]);
        }
        for (int step = 0; step < STEPS; step++) {
            const size_t i = below(PLACES);
            if (world.places[i].state == SCHED_OUTSIDE) {
                enter_any(&world, i);
            } else { /* it has ended, or is cancelled while it waits */
                sched_leave(&world.sched, &world.places[i]);
            }
            start_all(&world);
            check_sums(&world);
        }
        drain(&world);
        for (size_t i = 0; i < world.tenant_count; i++) {
            sched_remove_tenant(&world.sched, &world.tenants[i]);
        }
        assert_int_equal(world.sched.tenants, 0);
    }
}

/* Small ones come for ever, each as soon as another has left: the large one starts all the same,
 * and they go on behind it. */
static void nothing_starves(void **state)
{
    (void)state;
    struct sched sched;
    struct sched_place small[8] = {0}, large = {0};
    init_line(&sched);
    for (size_t i = 0; i < 8; i++) {
        enter(&sched, &small[i], 25);
        (void)sched_next(&sched);
    }
    enter(&sched, &large, 10 * BUDGET);
    unsigned turns = 0, small_after = 0;
    while (large.state != SCHED_STARTED && turns < 1000) {
        const size_t i = turns++ % 8;
        if (small[i].state == SCHED_STARTED) {
            sched_leave(&sched, &small[i]);
            enter(&sched, &small[i], 25);
        }
        while (sched_next(&sched) != NULL) {
        }
    }
    assert_int_equal(large.state, SCHED_STARTED);
    sched_leave(&sched, &large);
    while (sched_next(&sched) != NULL) {
        small_after++;
    }
    assert_int_equal(small_after, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_fit_start),
        cmocka_unit_test(room_goes_to_the_first_in_line),
        cmocka_unit_test(the_budget_can_be_met_exactly),
        cmocka_unit_test(what_is_over_the_budget_is_alone),
        cmocka_unit_test(every_resource_counts),
        cmocka_unit_test(what_there_is_none_of_is_not_taken),
        cmocka_unit_test(small_ones_pass_a_large_one_and_then_wait_for_it),
        cmocka_unit_test(a_large_one_that_leaves_the_line_frees_it),
        cmocka_unit_test(leaving_the_line_keeps_the_order_of_the_rest),
        cmocka_unit_test(a_second_stage_keeps_its_turn),
        cmocka_unit_test(a_budget_may_shrink_and_grow),
        cmocka_unit_test(random_sequences),
        cmocka_unit_test(nothing_starves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
