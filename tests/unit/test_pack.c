/* Packs: what is walked, what is malformed; paths: what may exist in a workspace. */
#include "isolate/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct pack {
    unsigned char data[8192];
    size_t size;
};

static void add(struct pack *pack, struct pack_header header, const void *payload)
{
    memcpy(pack->data + pack->size, &header, sizeof(header));
    if (header.size > 0) {
        memcpy(pack->data + pack->size + sizeof(header), payload, header.size);
    }
    pack->size += pack_record_size(header.size);
}

/* The result for a pack of this record and an end. */
static int walk_one(struct pack_header header, const void *payload)
{
    struct pack pack = {.size = 0};
    add(&pack, header, payload);
    add(&pack, (struct pack_header){.type = PACK_END}, "");
    size_t offset = 0;
    struct pack_record record;
    int result = pack_next(pack.data, pack.size, &offset, &record);
    if (result == 1) {
        assert_memory_equal(&record.header, &header, sizeof(header));
        assert_memory_equal(record.payload, payload, header.size);
        assert_int_equal(pack_next(pack.data, pack.size, &offset, &record), 0);
    } else {
        assert_int_equal(offset, 0);
    }
    return result;
}

static void test_walks(void **state)
{
    (void)state;
    for (uint64_t size = 0; size < 20; size++) {
        const char *payload = "0123456789abcdefghij";
        assert_int_equal(walk_one((struct pack_header){.type = PACK_ARG, .size = size}, payload),
                         1);
    }
    struct pack_header file = {.type = PACK_FILE, .mode = 0644, .path_size = 3, .size = 8};
    assert_int_equal(walk_one(file, "a/bhello"), 1);
    struct pack_header skipped = {.type = PACK_SKIPPED,
                                  .mode = PACK_SKIP_TOO_LARGE,
                                  .path_size = 3,
                                  .size = 3,
                                  .file_size = UINT64_MAX};
    assert_int_equal(walk_one(skipped, "a/b"), 1);
}

static void test_header_that_says_too_much(void **state)
{
    (void)state;
    const char *text = "abcdefgh";
    assert_int_equal(walk_one((struct pack_header){.type = PACK_SKIPPED + 1}, text), -1);
    assert_int_equal(walk_one((struct pack_header){.type = PACK_ARG, .reserved = 1}, text), -1);
    assert_int_equal(walk_one((struct pack_header){.type = PACK_ARG, .mode = 1}, text), -1);
    assert_int_equal(walk_one((struct pack_header){.type = PACK_ARG, .file_size = 1}, text), -1);
    assert_int_equal(
        walk_one((struct pack_header){.type = PACK_ARG, .path_size = 1, .size = 1}, text), -1);
    assert_int_equal(walk_one((struct pack_header){.type = PACK_FILE, .size = 1}, text), -1);
    assert_int_equal(
        walk_one((struct pack_header){.type = PACK_FILE, .path_size = 2, .size = 1}, text), -1);
    assert_int_equal(
        walk_one((struct pack_header){.type = PACK_SKIPPED, .path_size = 1, .size = 2}, text), -1);
    struct pack_header file = {.type = PACK_FILE, .path_size = 1, .size = 1, .file_size = 1};
    assert_int_equal(walk_one(file, text), -1);
    assert_int_equal(walk_one((struct pack_header){.type = PACK_END, .size = 1}, text), -1);
}

static void test_path_size_limit(void **state)
{
    (void)state;
    char path[PACK_PATH_MAX];
    memset(path, 'p', sizeof(path));
    struct pack_header file = {.type = PACK_FILE};
    file.path_size = PACK_PATH_MAX - 1;
    file.size = file.path_size;
    assert_int_equal(walk_one(file, path), 1);
    file.path_size = PACK_PATH_MAX;
    file.size = file.path_size;
    assert_int_equal(walk_one(file, path), -1);
}

/* Each pack stands at the end of its memory, so that a read beyond it is seen by the sanitizer. */
static void test_every_cut_is_malformed(void **state)
{
    (void)state;
    struct pack pack = {.size = 0};
    add(&pack, (struct pack_header){.type = PACK_ARG, .size = 5}, "hello");
    add(&pack, (struct pack_header){.type = PACK_FILE, .path_size = 1, .size = 9}, "fcontents");
    add(&pack, (struct pack_header){.type = PACK_END}, "");
    for (size_t size = 0; size < pack.size; size++) {
        unsigned char *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut + 1, pack.data, size);
        size_t offset = 0;
        struct pack_record record;
        int result;
        do {
            result = pack_next(cut + 1, size, &offset, &record);
        } while (result > 0);
        assert_int_equal(result, -1);
        free(cut);
    }
}

static void test_sizes_that_overflow(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 40, UINT64_C(1) << 63, 9, 16};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned char data[sizeof(struct pack_header) + 8] = {0};
        struct pack_header header = {.type = PACK_ARG, .size = sizes[i]};
        memcpy(data, &header, sizeof(header));
        size_t offset = 0;
        struct pack_record record;
        assert_int_equal(pack_next(data, sizeof(data), &offset, &record), -1);
    }
    size_t offset = SIZE_MAX;
    struct pack_record record;
    assert_int_equal(pack_next((const unsigned char *)"", 0, &offset, &record), -1);
}

static void bad(const char *path, size_t size, const char *expected)
{
    const char *problem = pack_path_problem(path, size);
    if (problem == NULL || strcmp(problem, expected) != 0) {
        fail_msg("'%s': '%s', not '%s'", path, problem == NULL ? "good" : problem, expected);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"a",   "main.py", "a/b/c",        ".hidden", "...",  "a b",
                                       "-rf", "..a",     "\xE2\x82\xAC", "$(id)",   "a\\b", "~"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(pack_path_problem(good[i], strlen(good[i])));
    }
    const char *empty = "has an empty part, or begins or ends with a slash";
    const char *dots = "has a part that is '.' or '..'";
    bad("", 0, "is empty");
    bad("/", 1, empty);
    bad("/etc", 4, empty);
    bad("a/", 2, empty);
    bad("a//b", 4, empty);
    bad(".", 1, dots);
    bad("..", 2, dots);
    bad("../a", 4, dots);
    bad("a/../b", 6, dots);
    bad("a/..", 4, dots);
    bad("a/./b", 5, dots);
    bad("a\0b", 3, "contains a control character");
    bad("a\nb", 3, "contains a control character");
    bad("a\x7f", 2, "contains a control character");
    bad("\xC2\x85", 2, "contains a control character");
    bad("\xFF", 1, "is not valid UTF-8");
    bad("\xC0\xAF", 2, "is not valid UTF-8"); /* a slash in disguise */
    bad("\xC0\xAE\xC0\xAE/a", 6, "is not valid UTF-8");
}

static void test_path_lengths(void **state)
{
    (void)state;
    char path[PACK_PATH_MAX + 1];
    memset(path, 'a', sizeof(path));
    assert_null(pack_path_problem(path, 255));
    bad(path, 256, "has a part of more than 255 bytes");
    for (size_t i = 200; i < sizeof(path); i += 201) {
        path[i] = '/';
    }
    assert_null(pack_path_problem(path, PACK_PATH_MAX - 1));
    bad(path, PACK_PATH_MAX, "is longer than 1023 bytes");
}

static void test_skip_texts(void **state)
{
    (void)state;
    assert_string_equal(pack_skip_text(PACK_SKIP_NOT_REGULAR), "not a regular file");
    assert_string_equal(pack_skip_text(PACK_SKIP_TOO_LARGE), "over the limit collect_bytes");
    assert_string_equal(pack_skip_text((enum pack_skip)77), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_header_that_says_too_much),
        cmocka_unit_test(test_path_size_limit),
        cmocka_unit_test(test_every_cut_is_malformed),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_path_lengths),
        cmocka_unit_test(test_skip_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
