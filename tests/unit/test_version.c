/*
 * Versions of interpreters: what is taken for one, how long and how much it may say, and what is
 * remembered, whatever happened to the file.
 */
#include "base/clock.h"
#include "runtime/runtime.h"
#include "runtime/version_cache.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static int set_up(void **state)
{
    (void)state;
    scratch_make(scratch);
    return setenv("HOME", scratch, 1) | unsetenv("XDG_CACHE_HOME");
}

/* ---- asking ---- */

/* What the process remembers, in the tests of that. */
static struct runtime_version_memo *memo;

static void ask_version(const char *path, char *ret_version, size_t version_size)
{
    const char *const words[] = {"{path}", "--version"};
    char entry[] = "x";
    CLEANUP(spec_strings_done) struct spec_strings argv = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        assert_int_equal(spec_strings_add(&argv, words[i]), 0);
    }
    const struct runtime runtime = {.entry = entry, .version = argv, .version_memo = memo};
    runtime_version(&runtime, path, ret_version, version_size);
}

/* Of an interpreter that is a script of ours. */
static void version_is(const char *script, const char *version)
{
    char path[SCRATCH_PATH_SIZE];
    char found_version[VERSION_SIZE_MAX] = "?";
    scratch_write(scratch, "interpreter", script, 0755);
    scratch_path(scratch, "interpreter", path);
    ask_version(path, found_version, sizeof(found_version));
    assert_string_equal(found_version, version);
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("HOME"), 0); /* nothing is remembered */
    version_is("#!/bin/sh\necho Python 3.11.2\n", "3.11.2");
    version_is("#!/bin/sh\necho v20.20.2\n", "20.20.2");
    version_is("#!/bin/sh\necho 'GNU bash, version 5.2.15(1)-release (x86)'\n", "5.2.15");
    version_is("#!/bin/sh\necho 'ruby 3.1.2p20 (2022-04-12)' >&2\n", "3.1.2p20");
    version_is("#!/bin/sh\necho 12\n", "");
    version_is("#!/bin/sh\necho no version\n", "");
    version_is("#!/bin/sh\necho 1.2.3; exit 1\n", "");
    version_is("#!/bin/sh\nkill -9 $$\n", "");
    version_is("#!/nonexistent\n", "");
    version_is("#!/bin/sh\necho \"1.$(env | wc -l)\"\n", "1.1"); /* PWD, which sh sets itself */
    version_is("#!/bin/sh\ncat; echo 1.2\n", "1.2");             /* standard input is empty */
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("HOME"), 0);
    /* A flood: what came first counts, if the program then ends well; it does not. */
    version_is("#!/bin/sh\necho 1.2.3; exec yes\n", "");
    char text[128];
    (void)snprintf(text, sizeof(text), "#!/bin/sh\necho 1.%0*d\n", VERSION_SIZE_MAX - 3, 0);
    char expected[VERSION_SIZE_MAX];
    (void)snprintf(expected, sizeof(expected), "1.%0*d", VERSION_SIZE_MAX - 3, 0);
    version_is(text, expected);
    (void)snprintf(text, sizeof(text), "#!/bin/sh\necho 1.%0*d\n", VERSION_SIZE_MAX - 2, 0);
    version_is(text, "");
}

/* Whatever descriptors the calling program has open, the interpreter has none of them. */
static void test_descriptors(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("HOME"), 0);
    assert_int_equal(dup2(2, 77), 77);
    version_is("#!/bin/sh\n[ -e /proc/$$/fd/77 ] && echo 1.1 || echo 1.2\n", "1.2");
    assert_int_equal(close(77), 0);
}

/* It neither waits for a program that does not end, nor leaves one behind that it started. */
static void test_time(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("HOME"), 0);
    uint64_t before = clock_monotonic_us();
    char script[SCRATCH_PATH_SIZE + 128];
    (void)snprintf(script, sizeof(script), "#!/bin/sh\n(sleep 5; echo >%s/late) &\nsleep 60\n",
                   scratch);
    version_is(script, "");
    uint64_t took = clock_monotonic_us() - before;
    assert_in_range(took, 1900000, 4000000);
    char late[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "late", late);
    const struct timespec until_late = {.tv_sec = 4};
    assert_int_equal(nanosleep(&until_late, NULL), 0);
    assert_int_equal(access(late, F_OK), -1);
}

/* ---- remembering ---- */

static void test_remembered(void **state)
{
    (void)state;
    char mark[SCRATCH_PATH_SIZE];
    char script[SCRATCH_PATH_SIZE + 64];
    scratch_path(scratch, "asked", mark);
    (void)snprintf(script, sizeof(script), "#!/bin/sh\necho 1.2.3\n: >%s\n", mark);
    version_is(script, "1.2.3");
    assert_int_equal(unlink(mark), 0);

    char path[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "interpreter", path);
    char version[VERSION_SIZE_MAX];
    ask_version(path, version, sizeof(version));
    assert_string_equal(version, "1.2.3");
    assert_int_equal(access(mark, F_OK), -1); /* not asked again */
    char small[4];
    ask_version(path, small, sizeof(small));
    assert_string_equal(small, "1.2");

    version_is("#!/bin/sh\necho 1.2.4 # another program\n", "1.2.4");
    scratch_path(scratch, ".cache/cella/versions", path);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

/* Who ends well and says none is asked once, who fails each time. */
static void test_silence_is_remembered(void **state)
{
    (void)state;
    char mark[SCRATCH_PATH_SIZE];
    char path[SCRATCH_PATH_SIZE];
    char script[SCRATCH_PATH_SIZE + 64];
    char version[VERSION_SIZE_MAX];
    scratch_path(scratch, "asked", mark);
    scratch_path(scratch, "interpreter", path);
    (void)snprintf(script, sizeof(script), "#!/bin/sh\n: >%s\n", mark);
    version_is(script, "");
    assert_int_equal(unlink(mark), 0);
    ask_version(path, version, sizeof(version));
    assert_string_equal(version, "");
    assert_int_equal(access(mark, F_OK), -1);

    (void)snprintf(script, sizeof(script), "#!/bin/sh\n: >%s; exit 1\n", mark);
    version_is(script, "");
    assert_int_equal(unlink(mark), 0);
    ask_version(path, version, sizeof(version));
    assert_int_equal(access(mark, F_OK), 0);
}

/* A process remembers also where there is no cache directory. */
static void test_remembered_in_the_process(void **state)
{
    (void)state;
    char mark[SCRATCH_PATH_SIZE];
    char path[SCRATCH_PATH_SIZE];
    char script[SCRATCH_PATH_SIZE + 64];
    char version[VERSION_SIZE_MAX];
    struct runtime_version_memo its = {.path = NULL};
    assert_int_equal(unsetenv("HOME"), 0);
    scratch_path(scratch, "asked", mark);
    scratch_path(scratch, "interpreter", path);
    (void)snprintf(script, sizeof(script), "#!/bin/sh\necho 1.2.3\n: >%s\n", mark);
    scratch_write(scratch, "interpreter", script, 0755);
    memo = &its;
    ask_version(path, version, sizeof(version));
    assert_string_equal(version, "1.2.3");
    assert_int_equal(unlink(mark), 0);
    ask_version(path, version, sizeof(version));
    assert_string_equal(version, "1.2.3");
    assert_int_equal(access(mark, F_OK), -1);
    scratch_write(scratch, "interpreter", "#!/bin/sh\necho 1.2.4\n", 0755);
    ask_version(path, version, sizeof(version));
    assert_string_equal(version, "1.2.4");
    memo = NULL;
}

static void remembered(const char *text, const struct version_key *key, const char *version)
{
    char got[VERSION_SIZE_MAX] = "";
    scratch_write(scratch, ".cache/cella/versions", text, 0600);
    bool there = version_cache_get(key, got);
    assert_int_equal(there, version != NULL);
    if (version != NULL) {
        assert_string_equal(got, version);
    }
}

static void test_cache_hostile(void **state)
{
    (void)state;
    const struct version_key key = {"/bin/x", 10, 20};
    char got[VERSION_SIZE_MAX];
    assert_false(version_cache_get(&key, got));
    version_cache_put(&key, "1.0");
    assert_true(version_cache_get(&key, got));
    assert_string_equal(got, "1.0");

    remembered("10 20 1.5 /bin/x\n", &key, "1.5");
    remembered("junk\n\n10 20 1.5 /bin/x\n", &key, "1.5");
    remembered("10 20 1.5 /bin/x", &key, "1.5");
    remembered("10 21 1.5 /bin/x\n", &key, NULL);
    remembered("11 20 1.5 /bin/x\n", &key, NULL);
    remembered("10 20 1.5 /bin/xy\n", &key, NULL);
    remembered("10 20 1.5\n/bin/x\n", &key, NULL);
    remembered("10 20  /bin/x\n", &key, NULL);
    remembered("10 20 \x1b[1m /bin/x\n", &key, NULL);
    remembered("18446744073709551626 20 1.5 /bin/x\n", &key, NULL); /* 10 + 2^64 */
    remembered("-10 20 1.5 /bin/x\n", &key, NULL);
    char text[128];
    char longest[VERSION_SIZE_MAX];
    (void)snprintf(longest, sizeof(longest), "%0*d", VERSION_SIZE_MAX - 1, 1);
    (void)snprintf(text, sizeof(text), "10 20 %s /bin/x\n", longest);
    remembered(text, &key, longest);
    (void)snprintf(text, sizeof(text), "10 20 0%s /bin/x\n", longest);
    remembered(text, &key, NULL);
    remembered("", &key, NULL);
}

static void test_cache_files(void **state)
{
    (void)state;
    const struct version_key key = {"/bin/x", 10, 20};
    char got[VERSION_SIZE_MAX];
    char path[SCRATCH_PATH_SIZE];
    char victim[SCRATCH_PATH_SIZE];
    version_cache_put(&key, "1.0");
    scratch_path(scratch, ".cache/cella/versions", path);

    /* A link is neither read nor written through. */
    scratch_write(scratch, "victim", "10 20 6.6 /bin/x\n", 0600);
    scratch_path(scratch, "victim", victim);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(victim, path), 0);
    assert_false(version_cache_get(&key, got));
    version_cache_put(&key, "1.1");
    assert_true(version_cache_get(&key, got));
    assert_string_equal(got, "1.1");
    struct stat file;
    assert_int_equal(lstat(path, &file), 0);
    assert_true(S_ISREG(file.st_mode));
    assert_int_equal(stat(victim, &file), 0);
    assert_int_equal(file.st_size, 17);

    /* A directory that others can write is not used. */
    scratch_path(scratch, ".cache/cella", path);
    assert_int_equal(chmod(path, 0777), 0);
    assert_false(version_cache_get(&key, got));
    assert_int_equal(chmod(path, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 4711, 4711), 0);
        assert_false(version_cache_get(&key, got));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_true(version_cache_get(&key, got));
}

static void test_cache_bounded(void **state)
{
    (void)state;
    char path[64];
    char got[VERSION_SIZE_MAX];
    struct stat file;
    char cache[SCRATCH_PATH_SIZE];
    scratch_path(scratch, ".cache/cella/versions", cache);
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(path, sizeof(path), "/usr/bin/interpreter-%u", i);
        const struct version_key key = {path, i, i};
        version_cache_put(&key, "1.0");
        assert_int_equal(stat(cache, &file), 0);
        assert_true(file.st_size <= 16384);
        assert_true(version_cache_get(&key, got));
    }
    const struct version_key bad = {"/bin/x", 1, 1};
    version_cache_put(&bad, "1.0\n1 1 6.6 /bin/y");
    version_cache_put(&bad, "");
    version_cache_put(&bad, "1 0");
    assert_false(version_cache_get(&bad, got));
    const struct version_key newline = {"/bin/x\n1 1 6.6 /bin/y", 1, 1};
    version_cache_put(&newline, "1.0");
    const struct version_key planted = {"/bin/y", 1, 1};
    assert_false(version_cache_get(&planted, got));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_words),
        TEST(test_bounds),
        TEST(test_descriptors),
        TEST(test_time),
        TEST(test_remembered),
        TEST(test_cache_hostile),
        TEST(test_cache_files),
        TEST(test_cache_bounded),
        TEST(test_silence_is_remembered),
        TEST(test_remembered_in_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
