/* See settings.h. */
#include "front/serve/settings.h"

#include "front/serve/fail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int bad_address(const char *text, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER, "--listen %s is not an address and a port", text);
    return serve_hint(err, "give it as 127.0.0.1:8420 or [::1]:8420, or 'none'");
}

/* Without keys whoever can connect can run programs: so only this host's own may. */
static int not_loopback(const char *text, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER,
                     "--listen %s: others than this host could connect, and there are no keys yet",
                     text);
    return serve_hint(err, "listen on 127.0.0.1 or [::1]");
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
static int read_address(const char *text, struct settings_address *ret_address,
                        struct cella_error *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    in_port_t port;
    if (size == 0 || size >= sizeof(host) || !read_port(colon + 1, &port)) {
        return bad_address(text, err);
    }
    memcpy(host, text, size);
    host[size] = '\0';
    struct settings_address address = {.text = text};
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        address.address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        address.size = sizeof(address.address.v6);
        if (inet_pton(AF_INET6, host + 1, &address.address.v6.sin6_addr) != 1) {
            return bad_address(text, err);
        }
        if (!IN6_IS_ADDR_LOOPBACK(&address.address.v6.sin6_addr)) {
            return not_loopback(text, err);
        }
    } else {
        address.address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        address.size = sizeof(address.address.v4);
        if (strcmp(host, "localhost") == 0) {
            address.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        } else if (inet_pton(AF_INET, host, &address.address.v4.sin_addr) != 1) {
            return bad_address(text, err);
        }
        if (ntohl(address.address.v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) {
            return not_loopback(text, err);
        }
    }
    *ret_address = address;
    return 0;
}

static int add_listen(struct settings *settings, const char *text, struct cella_error *err)
{
    if (strcmp(text, "none") == 0) {
        return 0;
    }
    if (settings->listen_count == SETTINGS_LISTEN_MAX) {
        return serve_fail(err, CELLA_ERROR_CALLER, "--listen is given more than %u times",
                          SETTINGS_LISTEN_MAX);
    }
    if (read_address(text, &settings->listen[settings->listen_count], err) < 0) {
        return -1;
    }
    settings->listen_count++;
    return 0;
}

/* "512m", "1g", bytes; 0: `none`. */
static int read_size(const char *name, const char *text, uint64_t none, uint64_t *ret_bytes,
                     struct cella_error *err)
{
    static const char units[] = "kmg";
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    unsigned shift = unit != NULL ? 10U * (unsigned)(unit - units + 1) : 0U;
    bool whole = *end == '\0' || (unit != NULL && end[1] == '\0');
    if (text[0] < '0' || text[0] > '9' || !whole || errno != 0 ||
        number > (UINT64_MAX >> 1) >> shift) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "--%s %s is not a size", name, text);
        return serve_hint(err, "give it as 512m or 1g; 0 for none");
    }
    *ret_bytes = number == 0 ? none : (uint64_t)number << shift;
    return 0;
}

static int read_days(const char *text, unsigned *ret_days, struct cella_error *err)
{
    char *end = NULL;
    const unsigned long days = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || days > SETTINGS_DAYS_MAX) {
        return serve_fail(err, CELLA_ERROR_CALLER, "--history-days %s is no number from 1 to %u",
                          text, SETTINGS_DAYS_MAX);
    }
    *ret_days = (unsigned)days;
    return 0;
}

int settings_read(char *const *words, struct settings *ret_settings, struct cella_error *err)
{
    struct settings settings = {.history_bytes = SETTINGS_HISTORY_BYTES,
                                .history_days = SETTINGS_HISTORY_DAYS};
    for (; *words != NULL; words++) {
        const char *value = strchr(*words, '=');
        size_t size = value != NULL ? (size_t)(value - *words) : 0;
        value = value != NULL ? value + 1 : "";
        if (size == 6 && strncmp(*words, "listen", size) == 0) {
            if (add_listen(&settings, value, err) < 0) {
                return -1;
            }
        } else if (size == 6 && strncmp(*words, "socket", size) == 0) {
            settings.socket = value;
        } else if (size == 5 && strncmp(*words, "state", size) == 0) {
            settings.state = value;
        } else if (size == 11 && strncmp(*words, "pool-memory", size) == 0) {
            if (read_size("pool-memory", value, CELLA_NO_POOLS, &settings.pool_memory_bytes, err) <
                0) {
                return -1;
            }
        } else if (size == 13 && strncmp(*words, "compile-cache", size) == 0) {
            if (read_size("compile-cache", value, CELLA_NO_COMPILE_CACHE,
                          &settings.compile_cache_bytes, err) < 0) {
                return -1;
            }
        } else if (size == 7 && strncmp(*words, "history", size) == 0) {
            if (read_size("history", value, 0, &settings.history_bytes, err) < 0) {
                return -1;
            }
        } else if (size == 12 && strncmp(*words, "history-days", size) == 0) {
            if (read_days(value, &settings.history_days, err) < 0) {
                return -1;
            }
        } else if (size == 3 && strncmp(*words, "log", size) == 0) {
            settings.log = value;
        } else {
            (void)serve_fail(err, CELLA_ERROR_CALLER, "'%s' says nothing to this program", *words);
            return serve_hint(err, "the server is started by 'cella serve'");
        }
    }
    if (settings.socket == NULL || settings.state == NULL) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "socket and state directory are missing");
        return serve_hint(err, "the server is started by 'cella serve'");
    }
    *ret_settings = settings;
    return 0;
}
