/* HTTP as it comes in: heads and chunks, whole and in every possible piece. */
#include "front/serve/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* `data` stays as it is: the head's texts lie in `copy`. */
static int parse(const char *data, char copy[HTTP_HEAD_MAX], struct http_head *ret_head,
                 struct http_refusal *ret_refusal)
{
    size_t size = strlen(data);
    assert_int_equal(http_head_size(data, size, 0), size);
    memcpy(copy, data, size);
    return http_parse_head(copy, size, ret_head, ret_refusal);
}

static void test_a_head(void **state)
{
    (void)state;
    char copy[HTTP_HEAD_MAX];
    struct http_head head;
    struct http_refusal refusal;
    assert_int_equal(parse("POST /v1/runs?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n"
                           "accept:  text/html, Text/Event-Stream;q=1 \r\nX:\r\n\r\n",
                           copy, &head, &refusal),
                     0);
    assert_string_equal(head.method, "POST");
    assert_string_equal(head.path, "/v1/runs");
    assert_string_equal(head.query, "a=b");
    assert_true(head.keep_alive && head.has_body && !head.is_chunked && !head.is_1_0);
    assert_int_equal(head.content_length, 12);
    assert_string_equal(http_header(&head, "HOST"), "localhost");
    assert_string_equal(http_header(&head, "x"), "");
    assert_null(http_header(&head, "y"));
    assert_true(http_header_has(&head, "Accept", "text/event-stream"));
    assert_true(http_header_has(&head, "Accept", "text/html"));
    assert_false(http_header_has(&head, "Accept", "text"));
}

static void test_for_how_long_to_wait(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        uint64_t seconds;
    } cases[] = {
        {"", UINT64_MAX},
        {"Prefer: wait=10\r\n", 10},
        {"prefer: respond-async, WAIT=0\r\n", 0},
        {"Prefer: respond-async\r\nPrefer: wait=5, wait=6\r\nPrefer: wait=7\r\n", 5},
        {"Prefer: wait=\"12\"; x=y\r\n", 12},
        {"Prefer: wait\r\n", UINT64_MAX},
        {"Prefer: wait=-1\r\n", UINT64_MAX},
        {"Prefer: wait=\r\n", UINT64_MAX},
        {"Prefer: awaits=1\r\n", UINT64_MAX},
        {"Prefer: wait=18446744073709551616\r\n", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char copy[HTTP_HEAD_MAX], data[256];
        struct http_head head;
        struct http_refusal refusal;
        (void)snprintf(data, sizeof(data), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].fields);
        assert_int_equal(parse(data, copy, &head, &refusal), 0);
        assert_true(http_preferred_wait(&head) == cases[i].seconds);
    }
}

static void test_what_ends_a_connection(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: te, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char copy[HTTP_HEAD_MAX];
        struct http_head head;
        struct http_refusal refusal;
        assert_int_equal(parse(cases[i].head, copy, &head, &refusal), 0);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
        assert_false(head.has_body);
    }
}

/* Where it ends does not depend on how it came. */
static void test_the_end_of_a_head(void **state)
{
    (void)state;
    static const char data[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /";
    const size_t end = sizeof(data) - 1 - strlen("GET /");
    size_t seen = 0;
    for (size_t size = 1; size < sizeof(data); size++) {
        assert_int_equal(http_head_size(data, size, seen), size < end ? 0 : end);
        seen = size < end ? size : seen;
        assert_int_equal(http_head_size(data, size, 0), size < end ? 0 : end);
    }
}

static void test_headers_at_and_over_their_number(void **state)
{
    (void)state;
    for (unsigned count = HTTP_HEADERS_MAX; count <= HTTP_HEADERS_MAX + 1; count++) {
        char data[HTTP_HEAD_MAX] = "GET / HTTP/1.0\r\n", copy[HTTP_HEAD_MAX];
        struct http_head head;
        struct http_refusal refusal;
        for (unsigned i = 0; i < count; i++) {
            (void)snprintf(data + strlen(data), sizeof(data) - strlen(data), "a: b\r\n");
        }
        (void)snprintf(data + strlen(data), sizeof(data) - strlen(data), "\r\n");
        int result = parse(data, copy, &head, &refusal);
        assert_int_equal(result, count == HTTP_HEADERS_MAX ? 0 : -1);
        if (result < 0) {
            assert_int_equal(refusal.status, 431);
            assert_string_equal(refusal.text, "the request has more than 64 headers");
        }
    }
}

/* ---- chunks ---- */

/* Reads a body that comes `step` bytes at a time; the body, or NULL when it is refused. */
static const char *read_chunks(const char *data, size_t step, char body[256], size_t *ret_taken)
{
    struct http_chunks chunks = {.state = CHUNK_SIZE};
    size_t size = strlen(data), at = 0, body_size = 0;
    while (at < size && chunks.state != CHUNK_DONE) {
        size_t part = size - at < step ? size - at : step, taken, kept;
        struct http_refusal refusal;
        memcpy(body + body_size, data + at, part);
        if (http_take_chunks(&chunks, body + body_size, part, &taken, &kept, &refusal) < 0) {
            assert_int_equal(refusal.status, 400);
            assert_string_equal(refusal.text, "the chunks of the body are malformed");
            return NULL;
        }
        at += taken;
        body_size += kept;
    }
    body[body_size] = '\0';
    *ret_taken = at;
    return chunks.state == CHUNK_DONE ? body : "(not all)";
}

static void test_chunks_in_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        const char *body; /* NULL: refused */
        size_t more;      /* bytes behind it */
    } cases[] = {
        {"0\r\n\r\n", "", 0},
        {"5\r\nhello\r\n0\r\n\r\nGET /", "hello", 5},
        {"5\r\nhello\r\nA\r\n0123456789\r\n00\r\n\r\n", "hello0123456789", 0},
        {"a;x=\"y\"\r\n0123456789\r\n0;z\r\nTrailer: 1\r\nOther: 2\r\n\r\n", "0123456789", 0},
        {"5\r\nhell", "(not all)", 0},
        {"\r\n", NULL, 0},
        {"x\r\n", NULL, 0},
        {"-1\r\n", NULL, 0},
        {"0x1\r\n", NULL, 0},
        {"5 \r\nhello\r\n0\r\n\r\n", NULL, 0},
        {"5\nhello\r\n", NULL, 0},
        {"5\rhello\r\n", NULL, 0},
        {"5\r\nhello0\r\n\r\n", NULL, 0},
        {"5\r\nhello\n0\r\n\r\n", NULL, 0},
        {"0\r\nTrailer\n\r\n", NULL, 0},
        {"1111111111111111\r\n", NULL, 0},
        {"0\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:\r\n13:"
         "\r\n14:\r\n"
         "15:\r\n16:\r\n\r\n",
         NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step <= 64; step++) {
            char body[256];
            size_t taken = 0;
            const char *got = read_chunks(cases[i].data, step, body, &taken);
            if (cases[i].body == NULL) {
                assert_null(got);
                continue;
            }
            assert_non_null(got);
            assert_string_equal(got, cases[i].body);
            assert_int_equal(taken, strlen(cases[i].data) - cases[i].more);
        }
    }
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(http_reason(404), "Not Found");
    assert_string_equal(http_reason(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head),
        cmocka_unit_test(test_for_how_long_to_wait),
        cmocka_unit_test(test_what_ends_a_connection),
        cmocka_unit_test(test_the_end_of_a_head),
        cmocka_unit_test(test_headers_at_and_over_their_number),
        cmocka_unit_test(test_chunks_in_pieces),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
