/* Reading collected files: whole packs, packs cut anywhere, and packs that lie. */
#include "engine/collect.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX 16U
#define FILES_MAX 3U

/* ---- making packs ---- */

static void add(struct buffer *pack, const void *data, size_t size)
{
    assert_int_equal(buffer_add(pack, data, size), 0);
}

static void add_header(struct buffer *pack, struct pack_header header)
{
    add(pack, &header, sizeof(header));
}

static void add_padding(struct buffer *pack)
{
    while (pack->size % 8 != 0) {
        add(pack, "", 1);
    }
}

static void add_file(struct buffer *pack, const char *path, const char *content)
{
    size_t path_size = strlen(path), size = strlen(content);
    add_header(pack, (struct pack_header){.type = PACK_FILE,
                                          .mode = 0100644,
                                          .path_size = (uint32_t)path_size,
                                          .size = path_size + size});
    add(pack, path, path_size);
    add(pack, content, size);
    add_padding(pack);
}

static void add_skipped(struct buffer *pack, const char *path, enum pack_skip reason)
{
    size_t path_size = strlen(path);
    add_header(pack, (struct pack_header){.type = PACK_SKIPPED,
                                          .mode = reason,
                                          .path_size = (uint32_t)path_size,
                                          .size = path_size,
                                          .file_size = 77});
    add(pack, path, path_size);
    add_padding(pack);
}

static void add_end(struct buffer *pack)
{
    add_header(pack, (struct pack_header){.type = PACK_END});
}

/* ---- whole packs ---- */

static void make_good_pack(struct buffer *pack)
{
    buffer_init(pack, 0);
    add_file(pack, "a.txt", "12345678");
    add_file(pack, "dir/empty", "");
    add_skipped(pack, "link", PACK_SKIP_NOT_REGULAR);
    add_skipped(pack, "bad\nname\xff\xc3\xa4", PACK_SKIP_BAD_NAME);
    add_file(pack, "b", "abcdefgh"); /* now both limits are reached */
    add_end(pack);
}

static void assert_good_files(struct collect *collect)
{
    struct result_file *files;
    size_t count;
    assert_int_equal(collect->state, COLLECT_COMPLETE);
    collect_take_files(collect, &files, &count);
    assert_int_equal(count, 5);
    assert_string_equal(files[0].path, "a.txt");
    assert_int_equal(files[0].size, 8);
    assert_int_equal(files[0].mode, 0644);
    assert_string_equal(files[0].content.data, "12345678");
    assert_null(files[0].skipped);
    assert_string_equal(files[1].path, "dir/empty");
    assert_int_equal(files[1].size, 0);
    assert_string_equal(files[1].content.data, "");
    assert_string_equal(files[2].path, "link");
    assert_int_equal(files[2].size, 77);
    assert_null(files[2].content.data);
    assert_string_equal(files[2].skipped, "not a regular file");
    assert_string_equal(files[3].path, "bad\xEF\xBF\xBDname\xEF\xBF\xBD\xc3\xa4");
    assert_string_equal(files[4].content.data, "abcdefgh");
    result_free_files(files, count);
}

static void a_pack_in_pieces_of_every_size(void **unused)
{
    (void)unused;
    CLEANUP(buffer_done) struct buffer pack;
    make_good_pack(&pack);
    for (size_t piece = 1; piece <= pack.size; piece++) {
        struct collect collect;
        struct cella_error err;
        collect_init(&collect, BYTES_MAX, FILES_MAX);
        for (size_t at = 0; at < pack.size; at += piece) {
            size_t size = pack.size - at < piece ? pack.size - at : piece;
            assert_int_equal(collect_add(&collect, pack.data + at, size, &err), 0);
        }
        assert_good_files(&collect);
        collect_done(&collect);
    }
}

static void a_pack_cut_anywhere_is_incomplete(void **unused)
{
    (void)unused;
    CLEANUP(buffer_done) struct buffer pack;
    make_good_pack(&pack);
    for (size_t size = 0; size < pack.size; size++) {
        struct collect collect;
        struct cella_error err;
        collect_init(&collect, BYTES_MAX, FILES_MAX);
        assert_int_equal(collect_add(&collect, pack.data, size, &err), 0);
        assert_int_not_equal(collect.state, COLLECT_COMPLETE);
        collect_done(&collect);
    }
}

/* ---- packs that lie ---- */

static void assert_malformed(struct buffer *pack, const char *what)
{
    struct collect collect;
    struct cella_error err;
    collect_init(&collect, BYTES_MAX, FILES_MAX);
    assert_int_equal(collect_add(&collect, pack->data, pack->size, &err), -1);
    assert_int_equal(err.kind, CELLA_ERROR_BUG);
    assert_non_null(strstr(err.text, "malformed pack of collected files: "));
    assert_string_equal(strchr(err.text, ':') + 2, what);
    collect_done(&collect);
    buffer_done(pack);
}

static void bad_headers(void **unused)
{
    (void)unused;
    static const struct {
        struct pack_header header;
        const char *what;
    } rows[] = {
        {{.type = PACK_ARG, .size = 4}, "an unknown record"},
        {{.type = 99, .size = 4}, "an unknown record"},
        {{.type = PACK_FILE, .path_size = 1, .size = 1, .reserved = 1},
         "a header with more in it than there is"},
        {{.type = PACK_END, .size = 1}, "an end that goes on"},
        {{.type = PACK_FILE, .path_size = 0, .size = 4}, "a path of a wrong size"},
        {{.type = PACK_FILE, .path_size = 5, .size = 4}, "a path of a wrong size"},
        {{.type = PACK_FILE, .path_size = PACK_PATH_MAX, .size = 4096}, "a path of a wrong size"},
        {{.type = PACK_SKIPPED, .path_size = 1, .size = 2},
         "contents of a file that was left behind"},
        {{.type = PACK_FILE, .path_size = 1, .size = 1 + BYTES_MAX + 1}, "more than collect_bytes"},
        {{.type = PACK_FILE, .path_size = 1, .size = UINT64_MAX}, "more than collect_bytes"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer pack;
        buffer_init(&pack, 0);
        add_header(&pack, rows[i].header);
        assert_malformed(&pack, rows[i].what);
    }
}

static void bad_paths(void **unused)
{
    (void)unused;
    static const char *const paths[] = {"/etc/passwd", "../up", "a/../b", "a//b",
                                        ".",           "a/",    "a\nb",   "a\xff"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct buffer pack;
        buffer_init(&pack, 0);
        add_file(&pack, paths[i], "x");
        assert_malformed(&pack, "a path that is none of a workspace");
        buffer_init(&pack, 0);
        add_skipped(&pack, paths[i], PACK_SKIP_TOO_LARGE);
        assert_malformed(&pack, "a path that is none of a workspace");
    }
}

static void more_than_the_limits(void **unused)
{
    (void)unused;
    struct buffer pack;
    buffer_init(&pack, 0);
    add_file(&pack, "a", "12345678");
    add_file(&pack, "b", "123456789");
    assert_malformed(&pack, "more than collect_bytes");

    buffer_init(&pack, 0);
    for (unsigned i = 0; i < FILES_MAX + 1; i++) {
        add_file(&pack, "a", "");
    }
    assert_malformed(&pack, "more than collect_files");

    buffer_init(&pack, 0);
    for (unsigned i = 0; i < PACK_SKIPPED_MAX + 1; i++) {
        add_skipped(&pack, "a", PACK_SKIP_TOO_MANY);
    }
    assert_malformed(&pack, "too many files left behind");

    buffer_init(&pack, 0);
    add_end(&pack);
    add(&pack, "", 1);
    assert_malformed(&pack, "bytes after its end");
}

/* Whatever the bytes are: no crash, and no file over the limits. */
static void bytes_of_chance(void **unused)
{
    (void)unused;
    CLEANUP(buffer_done) struct buffer pack;
    make_good_pack(&pack);
    unsigned seed = 20240601;
    for (int round = 0; round < 20000; round++) {
        struct collect collect;
        struct cella_error err;
        char bytes[512];
        memcpy(bytes, pack.data, pack.size < sizeof(bytes) ? pack.size : sizeof(bytes));
        for (int change = 0; change < 3; change++) {
            seed = seed * 1103515245U + 12345U;
            bytes[(seed >> 8) % (pack.size < sizeof(bytes) ? pack.size : sizeof(bytes))] =
                (char)(seed >> 24);
        }
        collect_init(&collect, BYTES_MAX, FILES_MAX);
        (void)(collect_add(&collect, bytes, pack.size, &err) == 0);
        assert_true(collect.came <= FILES_MAX && collect.room <= BYTES_MAX);
        collect_done(&collect);
    }
}

/* ---- patterns that no file matched ---- */

/* Those left of `globs`, which NULL ends, behind one another; of the pack so far. */
static const char *unmatched(const struct buffer *pack, const char *const *globs)
{
    static char left[256];
    struct collect collect;
    struct cella_error err;
    CLEANUP(spec_strings_done) struct spec_strings strings = {0};
    left[0] = '\0';
    for (; *globs != NULL; globs++) {
        assert_int_equal(spec_strings_add(&strings, *globs), 0);
    }
    collect_init(&collect, BYTES_MAX, FILES_MAX);
    assert_int_equal(collect_add(&collect, pack->data, pack->size, &err), 0);
    collect_keep_unmatched(&collect, &strings);
    for (size_t i = 0; i < strings.count; i++) {
        size_t used = strlen(left);
        (void)snprintf(left + used, sizeof(left) - used, "%s ", strings.items[i]);
    }
    collect_done(&collect);
    return left;
}

static void patterns_without_a_file(void **unused)
{
    (void)unused;
    static const char *const globs[] = {"*.png", "a.*", "**/empty", "x", "link", "b", "y", NULL};
    static const char *const none[] = {NULL};
    CLEANUP(buffer_done) struct buffer pack;
    make_good_pack(&pack);
    assert_string_equal(unmatched(&pack, globs), "*.png x y ");
    assert_string_equal(unmatched(&pack, none), "");
    pack.size -= sizeof(struct pack_header); /* its end has not come */
    assert_string_equal(unmatched(&pack, globs), "");
    buffer_done(&pack);
    buffer_init(&pack, 0);
    add_end(&pack);
    assert_string_equal(unmatched(&pack, globs), "*.png a.* **/empty x link b y ");
}

static void patterns_are_not_named_after_half_a_search(void **unused)
{
    (void)unused;
    static const char *const globs[] = {"*.png", NULL};
    CLEANUP(buffer_done) struct buffer pack;
    buffer_init(&pack, 0);
    add_skipped(&pack, "a", PACK_SKIP_TOO_MANY);
    add_end(&pack);
    assert_string_equal(unmatched(&pack, globs), "");
    buffer_done(&pack);
    buffer_init(&pack, 0);
    for (size_t i = 1; i < PACK_SKIPPED_MAX; i++) {
        add_skipped(&pack, "a", PACK_SKIP_TOO_LARGE);
    }
    const size_t before = pack.size;
    add_end(&pack);
    assert_string_equal(unmatched(&pack, globs), "*.png ");
    pack.size = before;
    add_skipped(&pack, "a", PACK_SKIP_TOO_LARGE);
    add_end(&pack);
    assert_string_equal(unmatched(&pack, globs), "");
}

/* Names and patterns that would take long to match are not looked at for a note. */
static void looking_for_patterns_is_bounded(void **unused)
{
    (void)unused;
    char path[1000], glob[1000];
    const char *const globs[] = {glob, NULL};
    CLEANUP(buffer_done) struct buffer pack;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    for (size_t i = 200; i < sizeof(path) - 1; i += 200) {
        path[i] = '/';
    }
    for (size_t i = 0; i < sizeof(glob) - 2; i += 2) {
        memcpy(glob + i, "*a", 3);
    }
    memcpy(glob + sizeof(glob) - 4, "*b", 3);
    buffer_init(&pack, 0);
    add_file(&pack, path, "");
    add_end(&pack);
    assert_string_equal(unmatched(&pack, globs), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pack_in_pieces_of_every_size),
        cmocka_unit_test(a_pack_cut_anywhere_is_incomplete),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(bad_paths),
        cmocka_unit_test(more_than_the_limits),
        cmocka_unit_test(bytes_of_chance),
        cmocka_unit_test(patterns_without_a_file),
        cmocka_unit_test(patterns_are_not_named_after_half_a_search),
        cmocka_unit_test(looking_for_patterns_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
