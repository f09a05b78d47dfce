/*
 * Places of the host that may be shown, and places in a sandbox.
 */
#include "isolate/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KERNEL   "leads into the kernel"
#define ACCOUNTS "tells of the host's accounts"
#define PROGRAMS "is where the host's own programs"
#define PLAIN    "must be an absolute path"
#define ITSELF   "makes for itself"
#define EVERY    "every sandbox has"

static void says(const char *path, const char *problem, const char *part)
{
    if (part == NULL ? problem != NULL : problem == NULL || strstr(problem, part) == NULL) {
        fail_msg("%s: '%s' and not '%s'", path, problem == NULL ? "good" : problem,
                 part == NULL ? "good" : part);
    }
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *path, *read_only, *writable;
    } rows[] = {
        {"/srv/data", NULL, NULL},
        {"/home/me/x", NULL, NULL},
        {"/usr/share", NULL, PROGRAMS},
        {"/usr", NULL, PROGRAMS},
        {"/usrs", NULL, NULL},
        {"/etc/app", NULL, PROGRAMS},
        {"/boot/x", NULL, PROGRAMS},
        {"/opt/x", NULL, NULL},
        {"/", PLAIN, PLAIN},
        {"", PLAIN, PLAIN},
        {"srv", PLAIN, PLAIN},
        {"/srv/", PLAIN, PLAIN},
        {"/srv//x", PLAIN, PLAIN},
        {"/srv/../etc", PLAIN, PLAIN},
        {"/srv/.", PLAIN, PLAIN},
        {"/srv/..x", NULL, NULL},
        {"/proc", KERNEL, KERNEL},
        {"/proc/1/root", KERNEL, KERNEL},
        {"/sys/fs/cgroup", KERNEL, KERNEL},
        {"/dev/sda", KERNEL, KERNEL},
        {"/run/docker.sock", KERNEL, KERNEL},
        {"/var/run/x", KERNEL, KERNEL},
        {"/etc", ACCOUNTS, ACCOUNTS},
        {"/etc/shadow", ACCOUNTS, ACCOUNTS},
        {"/etc/ssh/key", ACCOUNTS, ACCOUNTS},
        {"/etc/ssl", ACCOUNTS, ACCOUNTS},
        {"/etc/cella/policies.d", ACCOUNTS, ACCOUNTS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        says(rows[i].path, places_source_problem(rows[i].path, false), rows[i].read_only);
        says(rows[i].path, places_source_problem(rows[i].path, true), rows[i].writable);
    }
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *path, *problem;
    } rows[] = {
        {"/data", NULL},
        {"/srv/data", NULL},
        {"/usr/share/doc", NULL},
        {"/etc/app", NULL},
        {"/usr", EVERY},
        {"/lib", EVERY},
        {"/run", ITSELF},
        {"/run/x", NULL},
        {"/etc", ITSELF},
        {"/etc/passwd", ITSELF},
        {"/etc/hosts/x", ITSELF},
        {"/workspace", ITSELF},
        {"/workspace/x", ITSELF},
        {"/program", ITSELF},
        {"/program/x", ITSELF},
        {"/tmp/x", ITSELF},
        {"/proc/self", ITSELF},
        {"/dev/sda", ITSELF},
        {"/", PLAIN},
        {"/data/../usr", PLAIN},
        {"data", PLAIN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        says(rows[i].path, places_target_problem(rows[i].path, false), rows[i].problem);
        const bool is_workspace = strcmp(rows[i].path, "/workspace") == 0;
        says(rows[i].path, places_target_problem(rows[i].path, true),
             is_workspace ? NULL : rows[i].problem);
    }
}

static void test_programs(void **state)
{
    (void)state;
    static const char *const good[] = {"/usr", "/usr/bin/x", "/lib64", "/opt/x", "/etc/fonts"};
    static const char *const bad[] = {"/",         "/etc",        "/etc/shadow", "/home/x",
                                      "/etc/ssl",  "/var/lib/x",  "/usrx",       "/etc/passwd-",
                                      "/srv/data", "/etc/sudoers"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(places_is_for_programs(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(places_is_for_programs(bad[i]));
    }
    assert_true(places_is_base("/usr/lib"));
    assert_false(places_is_base("/opt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources),
                                       cmocka_unit_test(test_targets),
                                       cmocka_unit_test(test_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
