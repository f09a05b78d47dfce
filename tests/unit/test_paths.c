/* Where things are looked for: the order, and what the environment may and may not do. */
#include "base/paths.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    (void)state;
    scratch_make(scratch);
    scratch_mkdir(scratch, "home");
    scratch_mkdir(scratch, "home/.config");
    scratch_mkdir(scratch, "home/.config/cella");
    scratch_mkdir(scratch, "home/.config/cella/policies");
    scratch_mkdir(scratch, "tree");
    scratch_mkdir(scratch, "tree/share");
    scratch_mkdir(scratch, "tree/share/policies");
    scratch_write(scratch, "tree/cella-keeper", "", 0755);
    scratch_write(scratch, "tree/not-a-program", "", 0644);
    char home[SCRATCH_PATH_SIZE];
    char keeper[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "home", home);
    scratch_path(scratch, "tree/cella-keeper", keeper);
    return setenv("HOME", home, 1) | setenv("CELLA_KEEPER", keeper, 1) |
           unsetenv("XDG_CONFIG_HOME") | unsetenv("XDG_CACHE_HOME");
}

static void is_scratch(const char *path, const char *name)
{
    char expected[SCRATCH_PATH_SIZE];
    scratch_path(scratch, name, expected);
    assert_string_equal(path, expected);
}

static void search(const char *extra, struct paths_dirs *ret_dirs)
{
    struct cella_error err;
    assert_int_equal(paths_search(PATHS_POLICIES, extra, ret_dirs, &err), 0);
}

static void test_order(void **state)
{
    (void)state;
    struct paths_dirs dirs;
    search("/extra", &dirs);
    assert_int_equal(dirs.count, 4);
    assert_string_equal(dirs.items[0], "/extra");
    assert_string_equal(dirs.items[1], "/etc/cella/policies.d");
    is_scratch(dirs.items[2], "home/.config/cella/policies");
    is_scratch(dirs.items[3], "tree/share/policies");
}

static void test_without(void **state)
{
    (void)state;
    struct paths_dirs dirs;
    assert_int_equal(unsetenv("HOME"), 0);
    search(NULL, &dirs);
    assert_int_equal(dirs.count, 2);
    assert_string_equal(dirs.items[0], "/etc/cella/policies.d");
    is_scratch(dirs.items[1], "tree/share/policies");

    /* No share/runtimes beside that keeper: the installed data. */
    struct cella_error err;
    assert_int_equal(paths_search(PATHS_RUNTIMES, NULL, &dirs, &err), 0);
    assert_int_equal(dirs.count, 2);
    assert_string_equal(dirs.items[0], "/etc/cella/runtimes.d");
    assert_non_null(strstr(dirs.items[1], "/share/cella/runtimes"));
}

static void test_xdg(void **state)
{
    (void)state;
    struct paths_dirs dirs;
    char config[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "home/.config", config);
    assert_int_equal(setenv("HOME", "/nonexistent", 1) | setenv("XDG_CONFIG_HOME", config, 1), 0);
    search(NULL, &dirs);
    assert_int_equal(dirs.count, 3);
    is_scratch(dirs.items[1], "home/.config/cella/policies");

    /* Relative ones do not count. */
    assert_int_equal(setenv("XDG_CONFIG_HOME", "home/.config", 1), 0);
    search(NULL, &dirs);
    assert_int_equal(dirs.count, 2);
}

/* As under sudo with the caller's HOME: its files must not decide what root runs. */
static void test_foreign_config(void **state)
{
    (void)state;
    struct paths_dirs dirs;
    char config[SCRATCH_PATH_SIZE];
    if (geteuid() != 0) {
        skip();
    }
    scratch_path(scratch, "home/.config/cella/policies", config);
    assert_int_equal(chown(config, 4711, 4711), 0);
    search(NULL, &dirs);
    assert_int_equal(dirs.count, 2);
}

static void test_long(void **state)
{
    (void)state;
    struct paths_dirs dirs;
    struct cella_error err;
    char path[PATHS_SIZE + 1];
    memset(path, 'a', PATHS_SIZE);
    path[0] = '/';
    path[PATHS_SIZE] = '\0';
    assert_int_equal(paths_search(PATHS_POLICIES, path, &dirs, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    assert_non_null(strstr(err.text, "the directory of policies is too long"));
    path[PATHS_SIZE - 1] = '\0';
    search(path, &dirs);
    assert_string_equal(dirs.items[0], path);
}

static void keeper_refused(const char *option, const char *message)
{
    char path[PATHS_SIZE] = "untouched";
    struct cella_error err;
    assert_int_equal(paths_keeper(option, path, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_HOST);
    if (strstr(err.text, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, err.text);
    }
    assert_string_equal(path, "untouched");
}

static void test_keeper(void **state)
{
    (void)state;
    char path[PATHS_SIZE];
    char other[SCRATCH_PATH_SIZE];
    struct cella_error err;
    assert_int_equal(paths_keeper(NULL, path, &err), 0);
    is_scratch(path, "tree/cella-keeper");
    scratch_write(scratch, "tree/other", "", 0755);
    scratch_path(scratch, "tree/other", other);
    assert_int_equal(paths_keeper(other, path, &err), 0);
    assert_string_equal(path, other);
}

static void test_keeper_refused(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    keeper_refused("cella-keeper", "the keeper's path: cella-keeper is not a program");
    keeper_refused("/nonexistent/keeper", "/nonexistent/keeper is not a program");
    scratch_path(scratch, "tree", path);
    keeper_refused(path, "is not a program");
    scratch_path(scratch, "tree/not-a-program", path);
    keeper_refused(path, "is not a program");
    /* A wrong one in the environment is an error too, not passed over. */
    assert_int_equal(setenv("CELLA_KEEPER", path, 1), 0);
    keeper_refused(NULL, "CELLA_KEEPER: ");
}

/* Whether it is that directory which is opened. */
static void is_cache(bool create, const char *name)
{
    char expected[SCRATCH_PATH_SIZE];
    struct stat wanted, got;
    int fd = paths_open_cache(create);
    scratch_path(scratch, name, expected);
    assert_true(fd >= 0);
    assert_int_equal(stat(expected, &wanted) | fstat(fd, &got), 0);
    assert_true(wanted.st_ino == got.st_ino && wanted.st_dev == got.st_dev);
    assert_int_equal(got.st_mode & 0777, 0700);
    assert_int_equal(close(fd), 0);
}

static void test_cache(void **state)
{
    (void)state;
    char elsewhere[SCRATCH_PATH_SIZE];
    assert_int_equal(paths_open_cache(false), -1); /* not yet there */
    is_cache(true, "home/.cache/cella");
    is_cache(false, "home/.cache/cella");
    scratch_path(scratch, "elsewhere", elsewhere);
    assert_int_equal(setenv("XDG_CACHE_HOME", elsewhere, 1), 0);
    is_cache(true, "elsewhere/cella");
    assert_int_equal(unsetenv("XDG_CACHE_HOME") | unsetenv("HOME"), 0);
    assert_int_equal(paths_open_cache(true), -1);
    assert_int_equal(setenv("HOME", "relative", 1), 0);
    assert_int_equal(paths_open_cache(true), -1);
}

static void test_cache_of_others(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    is_cache(true, "home/.cache/cella");
    scratch_path(scratch, "home/.cache/cella", path);
    assert_int_equal(chmod(path, 0770), 0); /* they could put something there */
    assert_int_equal(paths_open_cache(true), -1);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(paths_open_cache(true), -1);
    assert_int_equal(unlink(path), 0);
    if (geteuid() == 0) {
        is_cache(true, "home/.cache/cella");
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_int_equal(paths_open_cache(true), -1);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),          TEST(test_without), TEST(test_xdg),
        TEST(test_foreign_config), TEST(test_long),    TEST(test_keeper),
        TEST(test_keeper_refused), TEST(test_cache),   TEST(test_cache_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
