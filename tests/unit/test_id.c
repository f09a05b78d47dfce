/* Names for runs: form, order, uniqueness. */
#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 2000

static void test_form(void **state)
{
    (void)state;
    char id[ID_SIZE];
    struct cella_error err;
    assert_int_equal(id_make(1469918176385, id, &err), 0);
    assert_int_equal(strlen(id), ID_SIZE - 1);
    assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ID_SIZE - 1);
    assert_memory_equal(id, "01ARYZ6S41", 10); /* the example of the ULID specification */
}

static void test_its_time(void **state)
{
    (void)state;
    char id[ID_SIZE];
    struct cella_error err;
    int64_t time = 0;
    assert_int_equal(id_make(1469918176385, id, &err), 0);
    assert_int_equal(id_time(id, &time), 0);
    assert_int_equal(time, 1469918176385);
    assert_int_equal(id_time("", &time), -1);
    assert_int_equal(id_time("01ARYZ6S41", &time), -1);
    id[3] = 'I'; /* which is no digit there */
    assert_int_equal(id_time(id, &time), -1);
}

static void test_sorts_by_time(void **state)
{
    (void)state;
    char last[ID_SIZE] = "";
    for (int64_t time = 1; time < INT64_C(1) << 47; time = time * 3 + 1) {
        char id[ID_SIZE];
        struct cella_error err;
        assert_int_equal(id_make(time, id, &err), 0);
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof(last));
    }
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, ID_SIZE);
}

static void test_unique_within_a_millisecond(void **state)
{
    (void)state;
    static char ids[MANY][ID_SIZE];
    struct cella_error err;
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(id_make(1700000000000, ids[i], &err), 0);
    }
    qsort(ids, MANY, ID_SIZE, compare);
    for (size_t i = 1; i < MANY; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_its_time),
        cmocka_unit_test(test_sorts_by_time),
        cmocka_unit_test(test_unique_within_a_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
