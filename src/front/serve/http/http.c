/* See http.h. */
#include "front/serve/http/http.h"

#include "base/hex.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {202, "Accepted"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < LENGTH(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

static int refuse(struct http_refusal *ret_refusal, int status, const char *text)
{
    *ret_refusal = (struct http_refusal){status, text};
    return -1;
}

/* ---- the head ---- */

size_t http_head_size(const char *data, size_t size, size_t seen)
{
    static const char end[] = "\r\n\r\n";
    size_t from = seen > sizeof(end) ? seen - sizeof(end) : 0;
    const char *found = memmem(data + from, size - from, end, sizeof(end) - 1);
    return found != NULL ? (size_t)(found - data) + sizeof(end) - 1 : 0;
}

static bool is_token_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(const char *text)
{
    size_t size = 0;
    while (is_token_character(text[size])) {
        size++;
    }
    return size > 0 && text[size] == '\0';
}

/* Cuts the line that *at begins with off and moves *at behind it.  NULL for one with a control
 * character in it, a lone CR or LF too. */
static char *take_line(char **at)
{
    char *line = *at;
    char *end = line;
    while ((unsigned char)*end >= ' ' || *end == '\t') {
        end++;
    }
    if (end[0] != '\r' || end[1] != '\n') {
        return NULL;
    }
    *end = '\0';
    *at = end + 2;
    return line;
}

/* "POST /v1/runs?x HTTP/1.1" */
static int parse_request_line(char *line, struct http_head *head, struct http_refusal *ret_refusal)
{
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
    if (version == NULL || strchr(version + 1, ' ') != NULL || strchr(line, '\t') != NULL) {
        return refuse(ret_refusal, 400, "the request line is not 'METHOD PATH HTTP/1.1'");
    }
    *target++ = '\0';
    *version++ = '\0';
    if (!is_token(line)) {
        return refuse(ret_refusal, 400, "the method is no word");
    }
    if (strncmp(version, "HTTP/", 5) != 0) {
        return refuse(ret_refusal, 400, "the request line is not 'METHOD PATH HTTP/1.1'");
    }
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        return refuse(ret_refusal, 505, "this server speaks HTTP/1.1 and HTTP/1.0");
    }
    if (target[0] != '/') {
        return refuse(ret_refusal, 400, "the path does not begin with a slash");
    }
    for (const char *at = target; *at != '\0'; at++) {
        if ((unsigned char)*at >= 127) {
            return refuse(ret_refusal, 400, "the path is not ASCII");
        }
    }
    char *query = strchr(target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    head->method = line;
    head->path = target;
    head->query = query != NULL ? query : "";
    head->is_1_0 = version[7] == '0';
    return 0;
}

/* "Name: value" */
static int parse_header(char *line, struct http_head *head, struct http_refusal *ret_refusal)
{
    char *colon = strchr(line, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    if (colon == NULL || !is_token(line)) {
        return refuse(ret_refusal, 400, "a header is not 'Name: value'");
    }
    if (head->header_count == HTTP_HEADERS_MAX) {
        return refuse(ret_refusal, 431, "the request has more than 64 headers");
    }
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t size = strlen(value);
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t')) {
        size--;
    }
    value[size] = '\0';
    head->headers[head->header_count++] = (struct http_header){line, value};
    return 0;
}

_Static_assert(HTTP_HEADERS_MAX == 64, "the text above says 64");

size_t http_header_count(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        count += strcasecmp(head->headers[i].name, name) == 0;
    }
    return count;
}

const char *http_header(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, name) == 0) {
            return head->headers[i].value;
        }
    }
    return NULL;
}

const char *http_header_once(const struct http_head *head, const char *name)
{
    return http_header_count(head, name) == 1 ? http_header(head, name) : NULL;
}

static bool list_has(const char *list, const char *word)
{
    const size_t word_size = strlen(word);
    assert(list != NULL);
    while (*list != '\0') {
        list += strspn(list, " \t,");
        size_t size = strcspn(list, " \t,;");
        if (size == word_size && strncasecmp(list, word, size) == 0) {
            return true;
        }
        list += strcspn(list, ",");
    }
    return false;
}

bool http_header_has(const struct http_head *head, const char *name, const char *word)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (strcasecmp(head->headers[i].name, name) == 0 &&
            list_has(head->headers[i].value, word)) {
            return true;
        }
    }
    return false;
}

/* The digits behind "wait=" in a list; NULL: it has none. */
static const char *find_wait(const char *list)
{
    static const char name[] = "wait=";
    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (strncasecmp(list, name, sizeof(name) - 1) == 0) {
            list += sizeof(name) - 1;
            return list + (*list == '"');
        }
        list += strcspn(list, ",");
    }
    return NULL;
}

uint64_t http_preferred_wait(const struct http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        const char *digits = strcasecmp(head->headers[i].name, "Prefer") == 0
                                 ? find_wait(head->headers[i].value)
                                 : NULL;
        if (digits != NULL && *digits >= '0' && *digits <= '9') {
            errno = 0;
            const unsigned long long seconds = strtoull(digits, NULL, 10);
            return errno == 0 ? seconds : UINT64_MAX;
        }
    }
    return UINT64_MAX;
}

static int parse_length(const char *text, uint64_t *ret_length)
{
    uint64_t length = 0;
    size_t size = strspn(text, "0123456789");
    if (size == 0 || text[size] != '\0') {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        if (__builtin_mul_overflow(length, 10U, &length) ||
            __builtin_add_overflow(length, (uint64_t)(text[i] - '0'), &length)) {
            return -1;
        }
    }
    *ret_length = length;
    return 0;
}

/* How the body, if there is one, is to be read. */
static int parse_body(struct http_head *head, struct http_refusal *ret_refusal)
{
    const char *length = http_header(head, "Content-Length");
    const char *coding = http_header(head, "Transfer-Encoding");
    if (length != NULL && coding != NULL) {
        return refuse(ret_refusal, 400,
                      "the request has both Content-Length and "
                      "Transfer-Encoding");
    }
    if (http_header_count(head, "Content-Length") > 1 ||
        http_header_count(head, "Transfer-Encoding") > 1) {
        return refuse(ret_refusal, 400, "the length of the body is said more than once");
    }
    if (length != NULL && parse_length(length, &head->content_length) < 0) {
        return refuse(ret_refusal, 400, "Content-Length is no number");
    }
    if (coding != NULL && head->is_1_0) {
        return refuse(ret_refusal, 400, "HTTP/1.0 has no Transfer-Encoding");
    }
    if (coding != NULL && strcasecmp(coding, "chunked") != 0) {
        return refuse(ret_refusal, 501, "of transfer codings this server knows 'chunked' alone");
    }
    head->is_chunked = coding != NULL;
    head->has_body = coding != NULL || head->content_length > 0;
    return 0;
}

static int parse_meaning(struct http_head *head, struct http_refusal *ret_refusal)
{
    const char *expectation = http_header(head, "Expect");
    size_t hosts = http_header_count(head, "Host");
    if (hosts > 1 || (hosts == 0 && !head->is_1_0)) {
        return refuse(ret_refusal, 400, "the request must have one Host header");
    }
    if (expectation != NULL && strcasecmp(expectation, "100-continue") != 0) {
        return refuse(ret_refusal, 417, "of expectations this server knows '100-continue' alone");
    }
    head->expects_continue = expectation != NULL && !head->is_1_0;
    head->keep_alive = head->is_1_0 ? http_header_has(head, "Connection", "keep-alive")
                                    : !http_header_has(head, "Connection", "close");
    return parse_body(head, ret_refusal);
}

int http_parse_head(char *data, size_t size, struct http_head *ret_head,
                    struct http_refusal *ret_refusal)
{
    struct http_head head = {.method = ""};
    char *at = data;
    char *line = take_line(&at);
    if (line == NULL) {
        return refuse(ret_refusal, 400, "the request line has a control character in it");
    }
    if (parse_request_line(line, &head, ret_refusal) < 0) {
        return -1;
    }
    while (at < data + size - 2) { /* the empty line is the last */
        line = take_line(&at);
        if (line == NULL) {
            return refuse(ret_refusal, 400, "a header has a control character in it");
        }
        if (parse_header(line, &head, ret_refusal) < 0) {
            return -1;
        }
    }
    if (parse_meaning(&head, ret_refusal) < 0) {
        return -1;
    }
    *ret_head = head;
    return 0;
}

/* ---- chunks ---- */

#define SIZE_DIGITS_MAX 15U /* of a chunk's size: fits into 64 bits */

/* A byte of the line with a chunk's size. */
static int take_size_byte(struct http_chunks *chunks, char c)
{
    int value = hex_value(c);
    if (chunks->state == CHUNK_SIZE && value >= 0) {
        chunks->remaining = chunks->remaining * 16 + (uint64_t)value;
        return ++chunks->digits <= SIZE_DIGITS_MAX ? 0 : -1;
    }
    if (chunks->digits == 0) {
        return -1;
    }
    if (chunks->state == CHUNK_SIZE_LF) {
        chunks->state = chunks->remaining > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        chunks->digits = 0;
        chunks->line_size = 0;
        return c == '\n' ? 0 : -1;
    }
    if (c == '\r') {
        chunks->state = CHUNK_SIZE_LF;
        return 0;
    }
    if (chunks->state == CHUNK_SIZE && c != ';') {
        return -1;
    }
    chunks->state = CHUNK_EXTENSION;
    return (unsigned char)c >= ' ' && ++chunks->line_size <= HTTP_LINE_MAX ? 0 : -1;
}

/* A byte of the lines behind the last chunk, of which the last is empty. */
static int take_trailer_byte(struct http_chunks *chunks, char c)
{
    if (chunks->state == CHUNK_TRAILER_LF) {
        chunks->state = chunks->line_size == 0 ? CHUNK_DONE : CHUNK_TRAILER;
        chunks->line_size = 0;
        return c == '\n' && ++chunks->trailers <= HTTP_TRAILER_MAX ? 0 : -1;
    }
    if (c == '\r') {
        chunks->state = CHUNK_TRAILER_LF;
        return 0;
    }
    return ((unsigned char)c >= ' ' || c == '\t') && ++chunks->line_size <= HTTP_LINE_MAX ? 0 : -1;
}

static int take_byte(struct http_chunks *chunks, char c)
{
    switch (chunks->state) {
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
    case CHUNK_SIZE_LF:
        return take_size_byte(chunks, c);
    case CHUNK_DATA_CR:
        chunks->state = CHUNK_DATA_LF;
        return c == '\r' ? 0 : -1;
    case CHUNK_DATA_LF:
        chunks->state = CHUNK_SIZE;
        return c == '\n' ? 0 : -1;
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_LF:
        return take_trailer_byte(chunks, c);
    case CHUNK_DATA:
    case CHUNK_DONE:
        break;
    }
    return -1;
}

int http_take_chunks(struct http_chunks *chunks, char *data, size_t size, size_t *ret_taken,
                     size_t *ret_size, struct http_refusal *ret_refusal)
{
    size_t taken = 0, kept = 0;
    while (taken < size && chunks->state != CHUNK_DONE) {
        if (chunks->state != CHUNK_DATA) {
            if (take_byte(chunks, data[taken++]) < 0) {
                return refuse(ret_refusal, 400, "the chunks of the body are malformed");
            }
            continue;
        }
        size_t part = size - taken < chunks->remaining ? size - taken : (size_t)chunks->remaining;
        memmove(data + kept, data + taken, part);
        kept += part;
        taken += part;
        chunks->remaining -= part;
        if (chunks->remaining == 0) {
            chunks->state = CHUNK_DATA_CR;
        }
    }
    *ret_taken = taken;
    *ret_size = kept;
    return 0;
}
