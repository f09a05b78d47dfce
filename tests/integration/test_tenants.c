/*
 * Tenants of one engine: what is made ahead and what was compiled before belongs to one of them.
 */
#include "library.h"

#include <ftw.h>
#include <sys/stat.h>

#define HELLO "#include <stdio.h>\nint main(void) { puts(\"hello\"); }"

static char cache[] = "/tmp/cella-tenants-XXXXXX";

static int open_with_cache(void **state)
{
    assert_non_null(mkdtemp(cache));
    assert_int_equal(setenv("XDG_CACHE_HOME", cache, 1), 0);
    return open_engine(state);
}

static int remove_one(const char *path, const struct stat *found, int flag, struct FTW *where)
{
    (void)found;
    (void)flag;
    (void)where;
    return remove(path);
}

static int close_with_cache(void **state)
{
    close_engine(state);
    return nftw(cache, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct cella_request *of_tenant(struct cella_request *request, const char *tenant)
{
    struct cella_error err;
    if (tenant != NULL) {
        assert_int_equal(cella_request_set_tenant(request, tenant, &err), 0);
    }
    return request;
}

static bool compiled_before(struct cella_engine *engine, const char *tenant)
{
    struct cella_result *result = run(engine, of_tenant(c_program(HELLO), tenant));
    assert_status(result, "ok");
    assert_stdout(result, "hello\n");
    bool cached = json_has(result, "\"cached\":true");
    assert_true(cached || json_has(result, "\"cached\":false"));
    cella_result_destroy(result);
    return cached;
}

static void compilations_are_a_tenants(void **state)
{
    assert_false(compiled_before(*state, "one"));
    assert_false(compiled_before(*state, "two"));
    assert_false(compiled_before(*state, NULL));
    assert_true(compiled_before(*state, "one"));
    assert_true(compiled_before(*state, "two"));
    assert_true(compiled_before(*state, NULL));
}

static void count_pool(void *context, const struct cella_pool *pool)
{
    (void)pool;
    ++*(unsigned *)context;
}

static unsigned pools_after(struct cella_engine *engine, const char *tenant)
{
    unsigned count = 0;
    for (int i = 0; i < 3; i++) {
        struct cella_request *request = of_tenant(shell("true"), tenant);
        set(request, "limits.wall_ms", "7s"); /* no other test has that plan */
        cella_result_destroy(run(engine, request));
    }
    cella_engine_pools(engine, count_pool, &count);
    return count;
}

static void pools_are_a_tenants(void **state)
{
    unsigned before = pools_after(*state, "one");
    assert_int_equal(pools_after(*state, "one"), before);
    assert_int_equal(pools_after(*state, "two"), before + 1);
    assert_int_equal(pools_after(*state, NULL), before + 2);
    assert_int_equal(pools_after(*state, "two"), before + 2);
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a\nb", "\xff"};
    struct cella_request *request = shell("true");
    struct cella_error err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(cella_request_set_tenant(request, bad[i], &err), -1);
        assert_int_equal(err.kind, CELLA_ERROR_CALLER);
        assert_string_equal(err.field, "tenant");
    }
    cella_request_destroy(request);
    /* Nobody says it of himself. */
    static const char json[] = "{\"command\": [\"true\"], \"tenant\": \"one\"}";
    assert_int_equal(cella_request_parse(json, sizeof(json) - 1, &request, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_CALLER);
}

static void a_cache_that_is_not_wanted(void **state)
{
    (void)state;
    const struct cella_options options = {.size = sizeof(options),
                                          .compile_cache_bytes = CELLA_NO_COMPILE_CACHE};
    struct cella_engine *engine = NULL;
    struct cella_error err;
    assert_int_equal(cella_engine_open(&options, &engine, &err), 0);
    assert_false(compiled_before(engine, "one"));
    assert_false(compiled_before(engine, "one"));
    cella_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compilations_are_a_tenants),
        cmocka_unit_test(pools_are_a_tenants),
        cmocka_unit_test(names),
        cmocka_unit_test(a_cache_that_is_not_wanted),
    };
    return cmocka_run_group_tests(tests, open_with_cache, close_with_cache);
}
