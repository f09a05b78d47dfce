/* Lines of the audit log: what is escaped and cut, and one that was written in part. */
#include "base/json.h"
#include "front/serve/records/audit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_file(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof(path), "/tmp/test_audit.%d", (int)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* All that is in the file. */
static size_t contents(char *ret_text, size_t capacity)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t size = fread(ret_text, 1, capacity - 1, file);
    ret_text[size] = '\0';
    (void)fclose(file);
    return size;
}

static void write_detail(struct audit *audit, const char *detail)
{
    struct cella_error err;
    const struct audit_record record = {.detail = detail};
    assert_int_equal(audit_write(audit, AUDIT_REQUEST_DENIED, &record, &err), 0);
}

static void test_every_letter(void **state)
{
    (void)state;
    static const struct {
        const char *detail;
        const char *written;
    } rows[] = {
        {"plain", "\"plain\""},
        {"\"\\\n\t\x01\x1b", "\"\\\"\\\\\\n\\t\\u0001\\u001b\""},
        {"\x7f", "\"\\u007f\""},
        {"\xc2\x85\xc3\xa4", "\"\\u0085\\u00e4\""},
        {"\xe2\x80\xae\xef\xbb\xbf", "\"\\u202e\\ufeff\""},
        {"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", "\"\\ud83d\\ude00\\udbff\\udfff\""},
        {"a\xff\xc3", "\"a\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", NULL}, /* half a surrogate: however many U+FFFD */
    };
    char text[4096];
    struct audit audit;
    struct cella_error err;
    audit_init(&audit);
    assert_int_equal(audit_open(&audit, path, &err), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(truncate(path, 0), 0);
        write_detail(&audit, rows[i].detail);
        const size_t size = contents(text, sizeof(text));
        for (size_t j = 0; j + 1 < size; j++) {
            assert_in_range(text[j], ' ', '~');
        }
        assert_int_equal(text[size - 1], '\n');
        if (rows[i].written != NULL) {
            assert_non_null(strstr(text, rows[i].written));
        }
        json_t *value = json_loads(text, 0, NULL);
        assert_non_null(value);
        json_decref(value);
    }
    audit_close(&audit);
}

static void test_long_ones_are_cut(void **state)
{
    (void)state;
    char detail[AUDIT_VALUE_MAX + 2], text[16384];
    struct audit audit;
    struct cella_error err;
    audit_init(&audit);
    assert_int_equal(audit_open(&audit, path, &err), 0);
    for (size_t size = AUDIT_VALUE_MAX - 1; size <= AUDIT_VALUE_MAX + 1; size++) {
        memset(detail, '\x01', size);
        detail[size] = '\0';
        assert_int_equal(truncate(path, 0), 0);
        write_detail(&audit, detail);
        (void)contents(text, sizeof(text));
        json_t *value = json_loads(text, 0, NULL);
        const size_t kept = size < AUDIT_VALUE_MAX ? size : AUDIT_VALUE_MAX;
        assert_int_equal(json_string_length(json_object_get(value, "detail")), kept);
        json_decref(value);
    }
    audit_close(&audit);
}

/* The disk is full in the middle of a line: that line alone is lost. */
static void test_a_torn_line(void **state)
{
    (void)state;
    char text[4096];
    struct audit audit;
    struct cella_error err;
    struct rlimit before, limit;
    const struct audit_record record = {.detail = "a line that is too long for the rest"};
    audit_init(&audit);
    assert_int_equal(audit_open(&audit, path, &err), 0);
    assert_int_equal(truncate(path, 0), 0);
    write_detail(&audit, "first");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = contents(text, sizeof(text)) + 10;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGXFSZ, &ignore, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(audit_write(&audit, AUDIT_RUN_ENDED, &record, &err), -1); /* in part */
    assert_int_equal(audit_write(&audit, AUDIT_RUN_ENDED, &record, &err), -1); /* not at all */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    write_detail(&audit, "fourth");
    assert_int_equal(audit.failures, 2);
    (void)contents(text, sizeof(text));
    char *lines[4] = {strtok_r(text, "\n", &lines[3])};
    lines[1] = strtok_r(NULL, "\n", &lines[3]);
    lines[2] = strtok_r(NULL, "\n", &lines[3]);
    assert_non_null(strstr(lines[0], "\"first\"}"));
    assert_int_equal(strlen(lines[1]), 10);
    assert_non_null(strstr(lines[2], "\"sequence\":4"));
    assert_non_null(strstr(lines[2], "\"fourth\"}"));
    assert_null(strtok_r(NULL, "\n", &lines[3]));
    audit_close(&audit);
}

static void test_none(void **state)
{
    (void)state;
    struct audit audit;
    audit_init(&audit);
    write_detail(&audit, "to nobody");
    assert_int_equal(audit.sequence, 0);
    audit_close(&audit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_letter),
        cmocka_unit_test(test_long_ones_are_cut),
        cmocka_unit_test(test_a_torn_line),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
