/* What becomes of a control group at the end of its run. */
#include "isolate/native/cgroup.h"
#include "isolate/native/sys.h"

#include <cella/error.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* needs the headers above */

static void spin(int signal)
{
    for (volatile int turns = signal; turns > 0;) {
    }
}

/* Waits in the group until it is killed. */
static pid_t start_inside(const struct cgroup *group)
{
    int entered[2];
    char byte = 0;
    assert_int_equal(pipe(entered), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct cella_error err;
        (void)sigaction(SIGUSR1, &(struct sigaction){.sa_handler = spin}, NULL);
        if (cgroup_clone_fd(group) >= 0
                ? sys_write_file(cgroup_clone_fd(group), "cgroup.procs", "0") == 0
                : cgroup_enter(group, &err) == 0) {
            (void)!write(entered[1], &byte, 1);
        }
        for (;;) {
            (void)pause();
        }
    }
    assert_true(pid > 0);
    (void)close(entered[1]);
    assert_int_equal(read(entered[0], &byte, 1), 1);
    (void)close(entered[0]);
    return pid;
}

static void end_inside(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool exists(const struct cgroup_host *host, uint64_t number)
{
    char name[CGROUP_NAME_MAX];
    cgroup_name(host, number, name);
    return faccessat(host->parents[0], name, F_OK, 0) == 0;
}

static bool open_host(struct cgroup_host *host)
{
    cgroup_host_open(host);
    if (host->mechanism == KEEPER_BY_SUPERVISION) {
        cgroup_host_close(host);
        return false;
    }
    return true;
}

static void test_one_that_is_inhabited_is_removed_later(void **state)
{
    (void)state;
    struct cgroup_host host;
    struct cgroup group;
    struct cella_error err;
    if (!open_host(&host)) {
        skip(); /* nobody may make control groups here */
    }
    assert_int_equal(cgroup_create(&host, 7, false, &group, &err), 0);
    const pid_t pid = start_inside(&group);

    cgroup_remove(&group);
    assert_true(exists(&host, 7));
    assert_false(cgroup_host_remove_dying(&host));
    assert_true(exists(&host, 7));

    end_inside(pid);
    assert_true(cgroup_host_remove_dying(&host));
    assert_false(exists(&host, 7));
    cgroup_host_close(&host);
}

/* More than are kept in mind: room is waited for, and those in mind are not lost. */
static void test_the_end_waits_for_those_that_are_left(void **state)
{
    (void)state;
    struct cgroup_host host;
    struct cgroup group;
    struct cella_error err;
    pid_t pids[CGROUP_DYING_MAX];
    if (!open_host(&host)) {
        skip(); /* nobody may make control groups here */
    }
    for (uint64_t i = 0; i < CGROUP_DYING_MAX; i++) {
        assert_int_equal(cgroup_create(&host, i, false, &group, &err), 0);
        pids[i] = start_inside(&group);
        cgroup_remove(&group);
    }
    assert_int_equal(host.dying_count, CGROUP_DYING_MAX);
    end_inside(pids[3]);
    assert_int_equal(cgroup_create(&host, 1000, false, &group, &err), 0);
    const pid_t last = start_inside(&group);
    cgroup_remove(&group);
    assert_false(exists(&host, 3));
    assert_int_equal(host.dying_count, CGROUP_DYING_MAX);

    struct cgroup_host look = host; /* after the end */
    look.parents[0] = dup(host.parents[0]);
    for (size_t i = 0; i < CGROUP_DYING_MAX; i++) {
        if (i != 3) {
            end_inside(pids[i]);
        }
    }
    end_inside(last);
    cgroup_host_close(&host);
    for (uint64_t i = 0; i < CGROUP_DYING_MAX; i++) {
        assert_false(exists(&look, i));
    }
    assert_false(exists(&look, 1000));
    (void)close(look.parents[0]);
}

static int cpu_directory(const struct cgroup *group)
{
    const int own = group->dirs[CGROUP_CPU];
    return cgroup_clone_fd(group) >= 0 ? group->dirs[0]
           : own >= 0                  ? own
                                       : group->dirs[CGROUP_CPUACCT];
}

static bool is_idle(int dir)
{
    return sys_read_number(dir, "cpu.idle", NULL) == 1;
}

/* In a group that is idle as a whole, so that it needs not be; and it is found again there. */
static void test_those_that_stand_back_are_idle_together(void **state)
{
    (void)state;
    struct cgroup_host host;
    struct cgroup group;
    struct cella_error err;
    if (!open_host(&host)) {
        skip(); /* nobody may make control groups here */
    }
    const bool has_back = cgroup_host_has_back(&host);
    assert_int_equal(cgroup_create(&host, 5, true, &group, &err), 0);
    assert_int_equal(group.stands_back, has_back);
    if (has_back) {
        const int above = openat(cpu_directory(&group), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(is_idle(above));
        assert_false(is_idle(cpu_directory(&group)));
        (void)close(above);
    }
    const pid_t pid = start_inside(&group);
    cgroup_remove(&group);
    assert_int_equal(host.dying_count, 1);
    end_inside(pid);
    assert_true(cgroup_host_remove_dying(&host));
    assert_int_equal(cgroup_create(&host, 5, true, &group, &err), 0); /* nothing of it is left */
    cgroup_remove(&group);

    assert_int_equal(cgroup_create(&host, 6, false, &group, &err), 0);
    assert_false(group.stands_back);
    cgroup_remove(&group);
    cgroup_host_close(&host);
}

/* A later keeper finds what a killed one left, there too. */
static void test_what_stands_back_is_swept(void **state)
{
    (void)state;
    struct cgroup_host host;
    struct cgroup group;
    struct cella_error err;
    if (!open_host(&host)) {
        skip(); /* nobody may make control groups here */
    }
    char prefix[sizeof(host.prefix)];
    memcpy(prefix, host.prefix, sizeof(prefix));
    (void)snprintf(host.prefix, sizeof(host.prefix), "cella-1-999999999999-"); /* none */
    assert_int_equal(cgroup_create(&host, 5, true, &group, &err), 0);
    struct cgroup_host other = host;
    memcpy(other.prefix, prefix, sizeof(prefix));
    cgroup_sweep(&other);
    cgroup_remove(&group); /* closes what is open */
    assert_int_equal(host.dying_count, 0);
    assert_int_equal(cgroup_create(&host, 5, true, &group, &err), 0);
    cgroup_remove(&group);
    cgroup_host_close(&host);
}

/* Whether the group's limit on processors holds. */
static bool is_limited(const struct cgroup *group)
{
    const bool version_2 = cgroup_clone_fd(group) >= 0;
    char text[64] = "";
    const int file = openat(cpu_directory(group), version_2 ? "cpu.max" : "cpu.cfs_quota_us",
                            O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_true(read(file, text, sizeof(text) - 1) > 0);
    (void)close(file);
    return strncmp(text, version_2 ? "max" : "-1", version_2 ? 3 : 2) != 0;
}

/* A process that wants more of a processor than it may have, until the kernel has held it up. */
static void use_up(const struct cgroup *group)
{
    const pid_t pid = start_inside(group);
    assert_int_equal(kill(pid, SIGUSR1), 0); /* spins from now on */
    for (int i = 0; i < 300; i++) {
        const uint64_t held_up = sys_read_number(cpu_directory(group), "cpu.stat", "nr_throttled");
        if (held_up > 0 && held_up != UINT64_MAX) {
            break;
        }
        (void)poll(NULL, 0, 100);
    }
    end_inside(pid);
}

static void test_a_limit_on_processors_is_lifted_where_it_held_anybody_up(void **state)
{
    (void)state;
    struct limits limits = {0};
    struct cgroup_host host = {.without_cpu = false};
    struct cella_error err;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || !open_host(&host)) {
        skip(); /* nobody may make control groups here, or there is no processor to limit */
    }
    for (uint64_t i = 0; !host.without_cpu && i < 3; i++) {
        const bool is_little = i == 1, is_used_up = i == 2;
        struct cgroup group;
        limits.value[LIMIT_MEMORY] = 64 << 20;
        limits.value[LIMIT_PROCESSES] = 16;
        limits.value[LIMIT_CPUS] = is_little ? 500 : is_used_up ? 100 : 1000;
        assert_int_equal(cgroup_create(&host, i, false, &group, &err), 0);
        assert_int_equal(cgroup_limit(&group, &limits, 0, &err), 0);
        assert_true(is_limited(&group));
        if (is_used_up) {
            use_up(&group);
            limits.value[LIMIT_CPUS] =
                1000; /* as if that had been it: a busy host has no more for us */
        }
        cgroup_free_cpu(&group, &limits);
        assert_int_equal(is_limited(&group), !is_little && !is_used_up);
        cgroup_remove(&group);
    }
    cgroup_host_close(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_is_inhabited_is_removed_later),
        cmocka_unit_test(test_the_end_waits_for_those_that_are_left),
        cmocka_unit_test(test_those_that_stand_back_are_idle_together),
        cmocka_unit_test(test_what_stands_back_is_swept),
        cmocka_unit_test(test_a_limit_on_processors_is_lifted_where_it_held_anybody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
