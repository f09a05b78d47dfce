/* See values.h. */
#include "front/serve/settings/values.h"

#include "front/serve/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

static int bad_address(struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER, "is not an address and a port");
    return serve_hint(err, "give it as 127.0.0.1:8420 or [::1]:8420, or 'none'");
}

bool values_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    struct sockaddr_in v4;
    memcpy(&v4, address, sizeof(v4));
    return address->sa_family == AF_INET && ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool read_port(const char *text, in_port_t *ret_port)
{
    char *end = NULL;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    *ret_port = htons((in_port_t)port);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && port <= 65535;
}

/* "127.0.0.1:8420", "[::1]:8420"; port 0: any that is free. */
static int read_address(const char *text, struct values_address *ret_address,
                        struct cella_error *err)
{
    struct values_address address = {.size = 0};
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    in_port_t port;
    if (size == 0 || size >= sizeof(host) || strlen(text) >= sizeof(address.text) ||
        !read_port(colon + 1, &port)) {
        return bad_address(err);
    }
    memcpy(address.text, text, strlen(text) + 1);
    memcpy(host, text, size);
    host[size] = '\0';
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        address.address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        address.size = sizeof(address.address.v6);
        if (inet_pton(AF_INET6, host + 1, &address.address.v6.sin6_addr) != 1) {
            return bad_address(err);
        }
    } else {
        address.address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        address.size = sizeof(address.address.v4);
        if (strcmp(host, "localhost") == 0) {
            address.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        } else if (inet_pton(AF_INET, host, &address.address.v4.sin_addr) != 1) {
            return bad_address(err);
        }
    }
    address.is_remote = !values_is_loopback(&address.address.any);
    *ret_address = address;
    return 0;
}

int values_read_LISTEN(const char *text, const struct values_rule *rule, void *ret_value,
                       struct cella_error *err)
{
    (void)rule;
    struct values_addresses *addresses = ret_value;
    for (;;) {
        char one[VALUES_ADDRESS_SIZE];
        size_t size = strcspn(text, ",");
        if (size >= sizeof(one)) {
            return bad_address(err);
        }
        memcpy(one, text, size);
        one[size] = '\0';
        if (strcmp(one, "none") != 0) {
            if (addresses->count == VALUES_ADDRESSES_MAX) {
                return serve_fail(err, CELLA_ERROR_CALLER,
                                  "is one more than the %u that there may be",
                                  VALUES_ADDRESSES_MAX);
            }
            if (read_address(one, &addresses->items[addresses->count], err) < 0) {
                return -1;
            }
            addresses->count++;
        }
        if (text[size] == '\0') {
            return 0;
        }
        text += size + 1;
    }
}

/* ---- the others ---- */

int values_read_PATH(const char *text, const struct values_rule *rule, void *ret_value,
                     struct cella_error *err)
{
    (void)rule;
    if (text[0] == '\0') {
        return serve_fail(err, CELLA_ERROR_CALLER, "must not be empty");
    }
    *(const char **)ret_value = text;
    return 0;
}

int values_read_SIZE(const char *text, const struct values_rule *rule, void *ret_value,
                     struct cella_error *err)
{
    uint64_t bytes;
    const char *problem = units_parse_size(text, &bytes);
    if (problem != NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "%s", problem);
    }
    if (bytes < rule->min || bytes > rule->max) {
        char min[UNITS_TEXT_SIZE];
        char max[UNITS_TEXT_SIZE];
        units_format_size(rule->min, min);
        units_format_size(rule->max, max);
        return serve_fail(err, CELLA_ERROR_CALLER, "must be from %s to %s", min, max);
    }
    *(uint64_t *)ret_value = bytes;
    return 0;
}

int values_read_TIME(const char *text, const struct values_rule *rule, void *ret_value,
                     struct cella_error *err)
{
    uint64_t us;
    const char *problem = units_parse_time(text, &us);
    if (problem != NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "%s", problem);
    }
    if (us < rule->min * 1000 || us > rule->max * 1000) {
        char min[UNITS_TEXT_SIZE];
        char max[UNITS_TEXT_SIZE];
        units_format_time(rule->min * 1000, min);
        units_format_time(rule->max * 1000, max);
        return serve_fail(err, CELLA_ERROR_CALLER, "must be from %s to %s", min, max);
    }
    *(uint64_t *)ret_value = us / 1000;
    return 0;
}

int values_read_COUNT(const char *text, const struct values_rule *rule, void *ret_value,
                      struct cella_error *err)
{
    uint64_t count;
    const char *problem = units_parse_count(text, &count);
    if (problem != NULL) {
        return serve_fail(err, CELLA_ERROR_CALLER, "%s", problem);
    }
    if (count < rule->min || count > rule->max) {
        return serve_fail(err, CELLA_ERROR_CALLER, "must be from %" PRIu64 " to %" PRIu64,
                          rule->min, rule->max);
    }
    *(uint64_t *)ret_value = count;
    return 0;
}

int values_read_WORD(const char *text, const struct values_rule *rule, void *ret_value,
                     struct cella_error *err)
{
    const char *word = rule->words;
    for (unsigned i = 0; *word != '\0'; i++) {
        const size_t size = strcspn(word, "|");
        if (strlen(text) == size && strncmp(text, word, size) == 0) {
            *(unsigned *)ret_value = i;
            return 0;
        }
        word += size + (word[size] == '|');
    }
    return serve_fail(err, CELLA_ERROR_CALLER, "is none of %s", rule->words);
}
