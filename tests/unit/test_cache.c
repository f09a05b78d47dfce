/* What is kept in files: it comes back as it was, or not at all, and never takes too much. */
#include "cache/cache.h"
#include "scratch.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM         ((uint64_t)1024 * 1024)
#define ENTRY_HEADER 80U /* bytes of an entry before those that are kept */
#define KEY_AT       8
#define CHECKSUM_AT  40
#define SIZE_AT      72

static int set_up(void **state)
{
    (void)state;
    char cache[SCRATCH_PATH_SIZE];
    scratch_make(scratch);
    scratch_path(scratch, "cache", cache);
    return setenv("XDG_CACHE_HOME", cache, 1);
}

static void make_key(unsigned number, unsigned char ret_key[CACHE_KEY_SIZE])
{
    memset(ret_key, 0, CACHE_KEY_SIZE);
    ret_key[0] = (unsigned char)number;
    ret_key[1] = (unsigned char)(number >> 8);
    ret_key[CACHE_KEY_SIZE - 1] = 0xa5;
}

static void path_of(unsigned number, char ret_path[SCRATCH_PATH_SIZE])
{
    unsigned char key[CACHE_KEY_SIZE];
    make_key(number, key);
    scratch_path(scratch, "cache/cella/compiled/", ret_path);
    for (size_t i = 0; i < CACHE_KEY_SIZE; i++) {
        (void)snprintf(ret_path + strlen(ret_path), 3, "%02x", key[i]);
    }
}

static void put(unsigned number, const void *data, size_t size, uint64_t bytes_max)
{
    unsigned char key[CACHE_KEY_SIZE];
    struct buffer bytes;
    make_key(number, key);
    buffer_init(&bytes, 0);
    assert_int_equal(buffer_add(&bytes, data, size), 0);
    cache_put(key, &bytes, bytes_max);
    buffer_done(&bytes);
}

static bool get(unsigned number, struct buffer *ret_bytes)
{
    unsigned char key[CACHE_KEY_SIZE];
    make_key(number, key);
    buffer_init(ret_bytes, CACHE_ENTRY_MAX);
    return cache_get(key, ret_bytes);
}

static bool is_there(unsigned number)
{
    struct buffer bytes;
    bool got = get(number, &bytes);
    buffer_done(&bytes);
    return got;
}

static void has(unsigned number, const void *data, size_t size)
{
    struct buffer bytes;
    assert_true(get(number, &bytes));
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, data, size);
    buffer_done(&bytes);
}

/* Of the directory, those that are no entries too. */
static unsigned count_names(void)
{
    char path[SCRATCH_PATH_SIZE];
    unsigned count = 0;
    scratch_path(scratch, "cache/cella/compiled", path);
    DIR *names = opendir(path);
    assert_non_null(names);
    for (const struct dirent *name = readdir(names); name != NULL; name = readdir(names)) {
        count += strcmp(name->d_name, ".") != 0 && strcmp(name->d_name, "..") != 0;
    }
    closedir(names);
    return count;
}

static void set_used(unsigned number, time_t when)
{
    char path[SCRATCH_PATH_SIZE];
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    path_of(number, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_it_comes_back(void **state)
{
    (void)state;
    struct stat found;
    char path[SCRATCH_PATH_SIZE];
    assert_false(is_there(1)); /* and nothing is made by asking */
    scratch_path(scratch, "cache", path);
    assert_int_equal(stat(path, &found), -1);
    put(1, "a\0b", 3, ROOM);
    put(2, "", 0, ROOM);
    has(1, "a\0b", 3);
    has(2, "", 0);
    assert_false(is_there(3));
    put(1, "other", 5, ROOM);
    has(1, "other", 5);
    assert_int_equal(count_names(), 2);
    path_of(1, path);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0400);
    assert_int_equal(found.st_size, ENTRY_HEADER + 5);
}

/* Writes other bytes over those at `offset` of entry 1. */
static void change(off_t offset, const void *bytes, size_t size)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(1, path);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    assert_int_equal(close(fd) | chmod(path, 0400), 0);
}

static void is_removed(void)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(1, path);
    assert_false(is_there(1));
    assert_int_equal(access(path, F_OK), -1);
}

static void test_damage(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    path_of(1, path);
    const off_t places[] = {0, 7, KEY_AT, CHECKSUM_AT, SIZE_AT, ENTRY_HEADER, ENTRY_HEADER + 4};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        put(1, "bytes", 5, ROOM);
        has(1, "bytes", 5);
        change(places[i], "~", 1);
        is_removed();
    }
    const off_t sizes[] = {
        0, 1, ENTRY_HEADER - 1, ENTRY_HEADER, ENTRY_HEADER + 4, ENTRY_HEADER + 6};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        put(1, "bytes", 5, ROOM);
        assert_int_equal(chmod(path, 0600) | truncate(path, sizes[i]) | chmod(path, 0400), 0);
        is_removed();
    }
}

/* A whole and good one in the place of another. */
static void test_other_key(void **state)
{
    (void)state;
    char from[SCRATCH_PATH_SIZE];
    char to[SCRATCH_PATH_SIZE];
    put(1, "one", 3, ROOM);
    put(2, "two", 3, ROOM);
    path_of(2, from);
    path_of(1, to);
    assert_int_equal(rename(from, to), 0);
    is_removed();
}

static void test_not_ours(void **state)
{
    (void)state;
    char path[SCRATCH_PATH_SIZE];
    char other[SCRATCH_PATH_SIZE];
    path_of(1, path);
    scratch_path(scratch, "other", other);
    const mode_t modes[] = {0440, 0404, 0420, 0402};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        put(1, "bytes", 5, ROOM);
        assert_int_equal(chmod(path, modes[i]), 0);
        is_removed();
    }
    put(1, "bytes", 5, ROOM);
    assert_int_equal(link(path, other), 0); /* it can be written by another name */
    is_removed();
    assert_int_equal(symlink(other, path), 0);
    is_removed();
    assert_int_equal(mkfifo(path, 0600), 0); /* and nobody waits for a writer */
    is_removed();
    if (geteuid() == 0) {
        put(1, "bytes", 5, ROOM);
        assert_int_equal(chown(path, 12345, 12345), 0);
        is_removed();
    }
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(is_there(1));
    put(1, "bytes", 5, ROOM); /* fails, and harms nothing */
    assert_false(is_there(1));
    put(2, "bytes", 5, ROOM);
    has(2, "bytes", 5);
    assert_int_equal(count_names(), 2);
}

static void test_room(void **state)
{
    (void)state;
    char bytes[1000] = {0};
    const uint64_t room = 4 * (sizeof(bytes) + ENTRY_HEADER);
    for (unsigned i = 1; i <= 4; i++) {
        put(i, bytes, sizeof(bytes), room);
        set_used(i, (time_t)1000000 + i);
    }
    assert_int_equal(count_names(), 4);
    has(1, bytes, sizeof(bytes)); /* used now, so 2 and 3 have been used longest ago */
    put(5, bytes, sizeof(bytes), room);
    assert_false(is_there(2));
    put(6, bytes, 1, room);
    assert_false(is_there(3));
    assert_true(is_there(1) && is_there(4) && is_there(5) && is_there(6));
    put(7, bytes, sizeof(bytes), 10); /* larger than the room: nothing goes for it */
    assert_false(is_there(7));
    assert_int_equal(count_names(), 4);
    put(8, bytes, 1, 2 * ENTRY_HEADER + 1); /* there is less room now */
    assert_int_equal(count_names(), 1);
    has(8, bytes, 1);
}

static void test_strangers(void **state)
{
    (void)state;
    put(1, "bytes", 5, ROOM);
    scratch_write(scratch, "cache/cella/compiled/.left-behind", "", 0600);
    scratch_write(scratch, "cache/cella/compiled/.being-written", "", 0600);
    scratch_write(scratch, "cache/cella/compiled/stranger", "", 0600);
    scratch_mkdir(scratch, "cache/cella/compiled/directory");
    const struct timespec long_ago[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(scratch, "cache/cella/compiled/.left-behind", path);
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    put(2, "bytes", 5, ROOM);
    has(1, "bytes", 5);
    has(2, "bytes", 5);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_names(), 4); /* with .being-written and the directory */
}

static void test_count(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= CACHE_ENTRIES_MAX; i++) {
        if (i < 2 || i >= CACHE_ENTRIES_MAX - 1) {
            put(i, "x", 1, ROOM * 16);
            set_used(i, (time_t)1000000 + i);
        } else {
            char path[SCRATCH_PATH_SIZE];
            path_of(i, path);
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
            assert_true(fd >= 0);
            assert_int_equal(close(fd), 0);
            set_used(i, (time_t)1000000 + i);
        }
    }
    assert_int_equal(count_names(), CACHE_ENTRIES_MAX);
    assert_false(is_there(0));
    assert_true(is_there(1) && is_there(CACHE_ENTRIES_MAX));
}

static void test_nowhere(void **state)
{
    (void)state;
    assert_int_equal(setenv("XDG_CACHE_HOME", "/proc/nowhere", 1), 0);
    put(1, "bytes", 5, ROOM);
    assert_false(is_there(1));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_comes_back), TEST(test_damage),    TEST(test_other_key), TEST(test_not_ours),
        TEST(test_room),          TEST(test_strangers), TEST(test_count),     TEST(test_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
