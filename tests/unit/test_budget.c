/* What the host has to give: from files as hosts of each kind have them. */
#include "engine/budget.h"

#include "base/cpus.h"
#include "scratch.h"

#include <sys/resource.h>

#define MIB UINT64_C(1048576)

#define MEMINFO                                                                                    \
    "MemTotal:        8388608 kB\nMemFree:          102400 kB\nMemAvailable:    4194304 kB\n"      \
    "SwapCached:            0 kB\nSwapTotal:       2097152 kB\nSwapFree:        1048576 kB\n"

static void put(const char *name, const char *text)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(scratch, name, path);
    for (char *slash = strchr(path + strlen(scratch) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755); /* it may be there */
        *slash = '/';
    }
    scratch_write(scratch, name, text, 0644);
}

static int host(void **state)
{
    (void)state;
    scratch_make(scratch);
    put("proc/meminfo", MEMINFO);
    return 0;
}

static struct sched_amounts look(void)
{
    const struct sched_amounts nothing = {.of = {0}};
    struct sched_amounts budget;
    budget_of_host(scratch, &nothing, &budget);
    return budget;
}

#define V2 "sys/fs/cgroup/"
#define V1 "sys/fs/cgroup/memory/"

static void without_control_groups(void **state)
{
    (void)state;
    struct rlimit files;
    struct sched_amounts budget = look();
    assert_int_equal(budget.of[SCHED_MEMORY], 3072 * MIB);
    assert_int_equal(budget.of[SCHED_SWAP], 768 * MIB);
    assert_int_equal(budget.of[SCHED_CPUS], cpus_usable() * 1000);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(budget.of[SCHED_DESCRIPTORS], files.rlim_cur / 4 * 3);
}

static void without_anything(void **state)
{
    (void)state;
    const struct sched_amounts nothing = {.of = {0}};
    struct sched_amounts budget;
    budget_of_host("/nonexistent", &nothing, &budget); /* then the kernel is asked */
    assert_true(budget.of[SCHED_MEMORY] > MIB);
    put("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 0 kB\n");
    budget = look();
    assert_int_equal(budget.of[SCHED_MEMORY], 1);
    assert_int_equal(budget.of[SCHED_SWAP], 0);
    put("proc/meminfo", "MemAvailable: lots\nMemAvailable2: 4\nSwapFree:");
    budget = look();
    assert_int_equal(budget.of[SCHED_MEMORY], 1);
    assert_int_equal(budget.of[SCHED_SWAP], 0);
}

static void what_is_given_stands(void **state)
{
    (void)state;
    struct sched_amounts given = {.of = {[SCHED_MEMORY] = 5}}, budget;
    budget_of_host(scratch, &given, &budget);
    assert_int_equal(budget.of[SCHED_MEMORY], 5);
    assert_int_equal(budget.of[SCHED_SWAP], 768 * MIB);
    assert_int_equal(budget.of[SCHED_CPUS], cpus_usable() * 1000);
    given.of[SCHED_CPUS] = 6;
    budget_of_host(scratch, &given, &budget);
    assert_int_equal(budget.of[SCHED_MEMORY], 5);
    assert_true(budget.of[SCHED_SWAP] == UINT64_MAX);
    assert_int_equal(budget.of[SCHED_CPUS], 6);
    assert_true(budget.of[SCHED_DESCRIPTORS] > 1);
    given.of[SCHED_MEMORY] = 0;
    budget_of_host(scratch, &given, &budget);
    assert_int_equal(budget.of[SCHED_MEMORY], 3072 * MIB);
    assert_int_equal(budget.of[SCHED_CPUS], 6);
}

static void the_own_group_of_version_2(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/system.slice/cella.service\n");
    put(V2 "system.slice/cella.service/memory.max", "2147483648\n");
    put(V2 "system.slice/cella.service/memory.current", "1073741824\n");
    assert_int_equal(look().of[SCHED_MEMORY], 768 * MIB);
    put(V2 "system.slice/cella.service/memory.stat",
        "anon 5\nfile 99\nactive_inactive_file 7\ninactive_file 536870912\n");
    assert_int_equal(look().of[SCHED_MEMORY], 1152 * MIB);
    put(V2 "system.slice/cella.service/memory.current", "536870911\n"); /* less than reclaimable */
    assert_int_equal(look().of[SCHED_MEMORY], 1536 * MIB);
    put(V2 "system.slice/cella.service/memory.current", "4147483648\n");
    put(V2 "system.slice/cella.service/memory.stat", "");
    assert_int_equal(look().of[SCHED_MEMORY], 1);
    put(V2 "system.slice/cella.service/memory.max", "max\n");
    assert_int_equal(look().of[SCHED_MEMORY], 3072 * MIB);
    put(V2 "system.slice/cella.service/memory.swap.max", "0\n");
    put(V2 "system.slice/cella.service/memory.swap.current", "0\n");
    assert_int_equal(look().of[SCHED_SWAP], 0);
}

static void groups_above_count_too(void **state)
{
    (void)state;
    put("proc/self/cgroup", "12:pids:/other\n0::/a/b/c\n");
    put(V2 "a/b/c/memory.max", "3221225472\n");
    put(V2 "a/b/c/memory.current", "0\n");
    put(V2 "a/memory.max", "1073741824\n");
    put(V2 "a/memory.current", "536870912\n");
    assert_int_equal(look().of[SCHED_MEMORY], 384 * MIB);
    put(V2 "memory.max", "268435456\n"); /* of a container, whose own path is not to be seen */
    put(V2 "memory.current", "0\n");
    assert_int_equal(look().of[SCHED_MEMORY], 192 * MIB);
    put("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    assert_int_equal(look().of[SCHED_MEMORY], 192 * MIB);
    put("proc/self/cgroup", "0::/\n");
    assert_int_equal(look().of[SCHED_MEMORY], 192 * MIB);
}

static void the_own_group_of_version_1(void **state)
{
    (void)state;
    put("proc/self/cgroup",
        "9:name=systemd:/x\n4:cpu,cpuacct:/y\n3:memory_not:/z\n2:memory:/m\n0::/\n");
    put(V1 "memory.limit_in_bytes", "9223372036854771712\n");
    put(V1 "memory.usage_in_bytes", "9000000000\n");
    assert_int_equal(look().of[SCHED_MEMORY], 3072 * MIB);
    put(V1 "m/memory.limit_in_bytes", "1073741824\n");
    put(V1 "m/memory.usage_in_bytes", "805306368\n");
    put(V1 "m/memory.stat", "inactive_file 5\ntotal_inactive_file 268435456\n");
    assert_int_equal(look().of[SCHED_MEMORY], 384 * MIB);
    put(V1 "m/memory.memsw.limit_in_bytes", "1073741824\n");
    put(V1 "m/memory.memsw.usage_in_bytes", "805306368\n");
    assert_int_equal(look().of[SCHED_SWAP], 192 * MIB);
}

static void quotas_of_processors(void **state)
{
    (void)state;
    put("proc/self/cgroup", "4:cpuacct,cpu:/y\n0::/g\n");
    put(V2 "g/cpu.max", "max 100000\n");
    assert_int_equal(look().of[SCHED_CPUS], cpus_usable() * 1000);
    put(V2 "g/cpu.max", "50000 100000\n");
    assert_int_equal(look().of[SCHED_CPUS], 500);
    put(V2 "g/cpu.max", "50000\n"); /* not how the kernel writes it */
    assert_int_equal(look().of[SCHED_CPUS], cpus_usable() * 1000);
    put("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000\n");
    assert_int_equal(look().of[SCHED_CPUS], cpus_usable() * 1000);
    put("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "25000\n");
    assert_int_equal(look().of[SCHED_CPUS], 250);
    put("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "1\n");
    assert_int_equal(look().of[SCHED_CPUS], 1);
    put("sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "0\n");
    assert_int_equal(look().of[SCHED_CPUS], cpus_usable() * 1000);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, host, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_control_groups), TEST(without_anything),
        TEST(what_is_given_stands),   TEST(the_own_group_of_version_2),
        TEST(groups_above_count_too), TEST(the_own_group_of_version_1),
        TEST(quotas_of_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
