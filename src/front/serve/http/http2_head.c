/* See http2_head.h. */
#include "front/serve/http/http2_head.h"

#include "base/attributes.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void http2_append(struct exchange *exchange, const void *text, size_t size)
{
    if (size > HTTP_HEAD_MAX - exchange->in_size) {
        exchange->in_size = HTTP_HEAD_MAX; /* full, which take_head() sees */
        return;
    }
    memcpy(exchange->in + exchange->in_size, text, size);
    exchange->in_size += size;
}

struct text {
    const char *data;
    size_t size;
};

/* The value in the line at `*at` if it has that name; then *at is behind the line. */
static bool take_line(const char **at, const char *end, const char *name, struct text *ret_value)
{
    const size_t size = strlen(name);
    if ((size_t)(end - *at) < size || memcmp(*at, name, size) != 0) {
        return false;
    }
    const char *value = *at + size;
    const char *stop = memchr(value, '\r', (size_t)(end - value));
    *ret_value = (struct text){value, (size_t)(stop - value)};
    *at = stop + 2;
    return true;
}

int http2_rewrite_head(struct exchange *exchange)
{
    struct text method = {"", 0}, path = {"", 0}, authority = {"", 0}, other;
    const char *at = exchange->in;
    const char *end = at + exchange->in_size;
    char *lines = exchange->in;
    while (take_line(&at, end, ":method: ", &method) || take_line(&at, end, ":path: ", &path) ||
           take_line(&at, end, ":authority: ", &authority) ||
           take_line(&at, end, ":scheme: ", &other)) {
    }
    exchange->in = malloc(HTTP_HEAD_MAX);
    if (exchange->in == NULL) {
        exchange->in = lines;
        return -1;
    }
    exchange->in_size = 0;
    http2_append(exchange, method.data, method.size);
    http2_append(exchange, " ", 1);
    http2_append(exchange, path.data, path.size);
    http2_append(exchange, " HTTP/1.1\r\n", 11);
    if (authority.size > 0) {
        http2_append(exchange, "host: ", 6);
        http2_append(exchange, authority.data, authority.size);
        http2_append(exchange, "\r\n", 2);
    }
    while (at < end) {
        const char *line = at;
        const bool is_host = take_line(&at, end, "host: ", &other);
        if (!is_host) {
            IGNORE(take_line(&at, end, "", &other));
        }
        if (!is_host || authority.size == 0) { /* both say the same, or the first holds */
            http2_append(exchange, line, (size_t)(at - line));
        }
    }
    http2_append(exchange, "\r\n", 2);
    free(lines);
    return 0;
}
