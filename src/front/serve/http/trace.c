/* See trace.h.  Divisions: reading; making. */
#include "front/serve/http/trace.h"

#include "base/hex.h"
#include "front/serve/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:@"
#define HEX_DIGITS "0123456789abcdef"
/* Of a member of a tracestate. */
#define STATE_KEY_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
#define STATE_KEY_MAX     256U
#define STATE_VALUE_MAX   256U
#define STATE_SPACE       " \t"

/* ---- reading ---- */

bool trace_is_request_id(const char *text)
{
    const size_t size = strspn(text, ID_LETTERS);
    return size > 0 && size <= TRACE_REQUEST_ID_MAX && text[size] == '\0';
}

/* So many lower-case digits, and not all of them 0 where that means none. */
static bool read_hex(const char *text, size_t digits, bool may_be_zero, char *ret_text)
{
    if (strspn(text, HEX_DIGITS) < digits || (!may_be_zero && strspn(text, "0") >= digits)) {
        return false;
    }
    memcpy(ret_text, text, digits);
    ret_text[digits] = '\0';
    return true;
}

/* "00-TRACE-SPAN-FLAGS".  A later version begins in the same way, and more may follow; ff is none.
 * Bits of the flags that are not known are not handed on. */
bool trace_read_parent(const char *text, struct trace *trace)
{
    enum { VERSION, ID = 3, SPAN = ID + TRACE_ID_DIGITS + 1, FLAGS = SPAN + TRACE_SPAN_DIGITS + 1 };
    const size_t whole = FLAGS + 2;
    char version[3], flags[3], id[TRACE_ID_DIGITS + 1], span[TRACE_SPAN_DIGITS + 1];
    if (strnlen(text, whole) < whole || !read_hex(text, 2, true, version) ||
        !read_hex(text + ID, TRACE_ID_DIGITS, false, id) ||
        !read_hex(text + SPAN, TRACE_SPAN_DIGITS, false, span) ||
        !read_hex(text + FLAGS, 2, true, flags) || text[ID - 1] != '-' || text[SPAN - 1] != '-' ||
        text[FLAGS - 1] != '-' || strcmp(version, "ff") == 0) {
        return false;
    }
    const char next = text[whole];
    if (next != '\0' && (next != '-' || strcmp(version, "00") == 0)) {
        return false;
    }
    memcpy(trace->id, id, sizeof(id));
    memcpy(trace->parent, span, sizeof(span));
    trace->flags = (unsigned)strtoul(flags, NULL, 16) & TRACE_SAMPLED;
    return true;
}

/* A key: a name, or tenant@name. */
static bool is_state_key(const char *text, size_t size)
{
    const char *at = memchr(text, '@', size);
    size_t letters = strspn(text, STATE_KEY_LETTERS);
    if (size == 0 || size > STATE_KEY_MAX || strchr("_-*/", text[0]) != NULL) {
        return false;
    }
    if (at == NULL) {
        return letters >= size && (text[0] < '0' || text[0] > '9');
    }
    const size_t before = (size_t)(at - text), behind = size - before - 1;
    return letters == before && before >= 1 && before <= 241 && behind >= 1 && behind <= 14 &&
           at[1] >= 'a' && at[1] <= 'z' && strspn(at + 1, STATE_KEY_LETTERS) >= behind;
}

/* Printable, without ',' and '=', and not ending in a space. */
static bool is_state_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == ',' || text[i] == '=') {
            return false;
        }
    }
    return size > 0 && size <= STATE_VALUE_MAX && text[size - 1] != ' ';
}

bool trace_is_state(const char *text)
{
    size_t members = 0;
    if (strnlen(text, TRACE_STATE_MAX + 1) > TRACE_STATE_MAX) {
        return false;
    }
    for (;;) {
        text += strspn(text, STATE_SPACE);
        size_t size = strcspn(text, ",");
        const char *next = text + size;
        while (size > 0 && strchr(STATE_SPACE, text[size - 1]) != NULL) {
            size--;
        }
        if (size > 0) { /* a member may be empty */
            const char *equals = memchr(text, '=', size);
            if (equals == NULL || ++members > TRACE_STATE_MEMBERS ||
                !is_state_key(text, (size_t)(equals - text)) ||
                !is_state_value(equals + 1, size - (size_t)(equals - text) - 1)) {
                return false;
            }
        }
        if (*next == '\0') {
            return members > 0;
        }
        text = next + 1;
    }
}

/* Several headers of the name are one list. */
static void read_state(const struct http_head *head, struct trace *trace)
{
    char state[TRACE_STATE_MAX + 2] = "";
    size_t size = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, "tracestate") != 0) {
            continue;
        }
        const int more = snprintf(state + size, sizeof(state) - size, "%s%s", size > 0 ? "," : "",
                                  head->headers[i].value);
        if (more < 0 || (size_t)more >= sizeof(state) - size) {
            return;
        }
        size += (size_t)more;
    }
    if (trace_is_state(state)) {
        memcpy(trace->state, state, size + 1);
    }
}

/* ---- making ---- */

/* Never all zeros, which would mean none: also where the kernel has no chance to give, which is so
 * while the host starts. */
static void make_hex(char *ret_text, size_t digits)
{
    unsigned char bytes[TRACE_ID_DIGITS / 2] = {0};
    if (getrandom(bytes, digits / 2, GRND_NONBLOCK) < 0) {
        bytes[0] = 1;
    }
    hex_write(bytes, digits / 2, ret_text);
}

void trace_make_span(char ret_span[TRACE_SPAN_DIGITS + 1])
{
    make_hex(ret_span, TRACE_SPAN_DIGITS);
}

void trace_begin(struct trace *trace, const struct http_head *head, unsigned flags)
{
    const char *id = head != NULL ? http_header_once(head, "X-Request-Id") : NULL;
    const char *parent = head != NULL ? http_header_once(head, "traceparent") : NULL;
    *trace = (struct trace){.flags = flags};
    make_hex(trace->span, TRACE_SPAN_DIGITS);
    if (parent != NULL && trace_read_parent(parent, trace)) {
        read_state(head, trace);
    } else {
        make_hex(trace->id, TRACE_ID_DIGITS);
    }
    if (id != NULL && trace_is_request_id(id)) {
        (void)snprintf(trace->request_id, sizeof(trace->request_id), "%s", id);
    } else {
        make_hex(trace->request_id, TRACE_ID_DIGITS);
    }
}

void trace_parent(const struct trace *trace, char ret_text[TRACE_PARENT_SIZE])
{
    (void)snprintf(ret_text, TRACE_PARENT_SIZE, "00-%s-%s-%02x", trace->id, trace->span,
                   trace->flags & 0xffU);
}
