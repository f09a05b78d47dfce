/* What a request is known by: ids and W3C trace contexts, right and wrong. */
#include "front/serve/http/http.h"
#include "front/serve/http/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID   "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static void test_request_ids(void **state)
{
    (void)state;
    char longest[TRACE_REQUEST_ID_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[TRACE_REQUEST_ID_MAX] = '\0';
    static const char *const good[] = {"a", "1-67891233-abcdef012345678912345678",
                                       "a.b_c~d+e/f=g:h@i"};
    static const char *const bad[] = {"", "a b", "a\"b", "a,b", "a\\", "\xc3\xa4", "a%20", "{a}"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(trace_is_request_id(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(trace_is_request_id(bad[i]));
    }
    assert_true(trace_is_request_id(longest));
    longest[TRACE_REQUEST_ID_MAX] = 'x';
    longest[TRACE_REQUEST_ID_MAX + 1] = '\0';
    assert_false(trace_is_request_id(longest));
}

static void test_parents(void **state)
{
    (void)state;
    static const char *const good[] = {
        "00-" ID "-" SPAN "-01", "00-" ID "-" SPAN "-00",      "00-" ID "-" SPAN "-ff",
        "cc-" ID "-" SPAN "-01", "cc-" ID "-" SPAN "-01-more",
    };
    static const char *const bad[] = {
        "",
        "00",
        "00-" ID "-" SPAN,
        "00-" ID "-" SPAN "-",
        "00-" ID "-" SPAN "-1",
        "00-" ID "-" SPAN "-0x",
        "00-" ID "-" SPAN "-01-",
        "00-" ID "-" SPAN "-01-more",
        "cc-" ID "-" SPAN "-01.more",
        "ff-" ID "-" SPAN "-01",
        "0-" ID "-" SPAN "-01",
        "00_" ID "-" SPAN "-01",
        "00-" ID "_" SPAN "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" ID "-0000000000000000-01",
        "00-" ID "-b7ad6b716920333g-01",
        " 00-" ID "-" SPAN "-01",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct trace trace = {.flags = 0};
        assert_true(trace_read_parent(good[i], &trace));
        assert_string_equal(trace.id, ID);
        assert_string_equal(trace.parent, SPAN);
        assert_int_equal(trace.flags, i == 1 ? 0 : TRACE_SAMPLED);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct trace trace = {.flags = 7};
        assert_false(trace_read_parent(bad[i], &trace));
        assert_string_equal(trace.id, "");
        assert_int_equal(trace.flags, 7);
    }
}

static void test_states(void **state)
{
    (void)state;
    static const char *const good[] = {"a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
                                       "a=1 , ,\tb=2,", "fw529a3039@dt=x", "a=!\"#$%&'()*+;<>?@[]"};
    static const char *const bad[] = {"",
                                      " ",
                                      ",",
                                      "a",
                                      "=1",
                                      "A=1",
                                      "a=",
                                      "1=1",
                                      "a==",
                                      "a=b=c",
                                      "a=\x7f",
                                      "a b=1",
                                      "a@=1",
                                      "@b=1",
                                      "a@B=1",
                                      "a@0=1",
                                      "a@bbbbbbbbbbbbbbb=1",
                                      "a=1;,b"};
    char text[TRACE_STATE_MAX + 8] = "";
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(trace_is_state(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(trace_is_state(bad[i]));
    }
    for (unsigned i = 0; i <= TRACE_STATE_MEMBERS; i++) {
        assert_true(i == 0 || trace_is_state(text));
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sa%u=1", i ? "," : "",
                       i);
    }
    assert_false(trace_is_state(text)); /* one more than there may be */
    memset(text, 'x', sizeof(text));
    memcpy(text, "a=1,b=", 6);
    text[6 + 256] = '\0';
    assert_true(trace_is_state(text));
    text[6 + 256] = 'x';
    text[6 + 257] = '\0';
    assert_false(trace_is_state(text)); /* the value is too long */
}

static struct http_head head_of(const char *const lines[][2], size_t count)
{
    struct http_head head = {.header_count = count};
    for (size_t i = 0; i < count; i++) {
        head.headers[i] = (struct http_header){lines[i][0], lines[i][1]};
    }
    return head;
}

static void test_a_request(void **state)
{
    (void)state;
    static const char *const lines[][2] = {{"x-request-id", "mine"},
                                           {"Traceparent", "00-" ID "-" SPAN "-01"},
                                           {"tracestate", "a=1"},
                                           {"tracestate", "b=2"}};
    struct http_head head = head_of(lines, 4);
    struct trace trace;
    char parent[TRACE_PARENT_SIZE];
    trace_begin(&trace, &head, 0);
    assert_string_equal(trace.request_id, "mine");
    assert_string_equal(trace.id, ID);
    assert_string_equal(trace.parent, SPAN);
    assert_string_not_equal(trace.span, SPAN);
    assert_string_equal(trace.state, "a=1,b=2");
    trace_parent(&trace, parent);
    assert_memory_equal(parent, "00-" ID "-", 36);
    assert_memory_equal(parent + 36, trace.span, TRACE_SPAN_DIGITS);
    assert_string_equal(parent + 52, "-01");
    struct trace child;
    assert_true(trace_read_parent(parent, &child));
}

/* What is said twice, or not said rightly, was not said. */
static void test_a_request_of_its_own(void **state)
{
    (void)state;
    static const char *const lines[][2] = {{"X-Request-Id", "a"},
                                           {"X-Request-Id", "b"},
                                           {"traceparent", "00-" ID "-" SPAN "-01"},
                                           {"traceparent", "00-" ID "-" SPAN "-01"},
                                           {"tracestate", "a=1"}};
    struct http_head head = head_of(lines, 5);
    struct trace first, second;
    trace_begin(&first, &head, TRACE_SAMPLED);
    trace_begin(&second, NULL, 0);
    assert_int_equal(strlen(first.request_id), 32);
    assert_int_equal(strspn(first.id, "0123456789abcdef"), 32);
    assert_string_equal(first.parent, "");
    assert_string_equal(first.state, "");
    assert_int_equal(first.flags, TRACE_SAMPLED);
    assert_int_equal(second.flags, 0);
    assert_string_not_equal(first.id, second.id);
    assert_string_not_equal(first.request_id, second.request_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_parents),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_a_request),
        cmocka_unit_test(test_a_request_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
