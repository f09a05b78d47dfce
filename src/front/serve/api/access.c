/*
 * See access.h.  Divisions: without keys; with keys; which of them.
 */
#include "front/serve/api/access.h"

#include "front/serve/api/api.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/http/http.h"
#include "front/serve/records/metrics.h"
#include "front/serve/server.h"
#include "front/serve/tenants/tenants.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- without keys ---- */

/* Whether a "host" or "host:port" is this host by a name or number that means it everywhere.  A
 * page from elsewhere can have its own name point here, but not one of these. */
static bool is_loopback(const char *authority)
{
    char host[INET6_ADDRSTRLEN + 2];
    struct in_addr address;
    const char *colon = authority[0] == '[' ? strchr(authority, ']') : authority;
    colon = colon != NULL ? strchr(colon, ':') : NULL;
    size_t size = colon != NULL ? (size_t)(colon - authority) : strlen(authority);
    if (size >= sizeof(host) ||
        (colon != NULL && strspn(colon + 1, "0123456789") != strlen(colon + 1))) {
        return false;
    }
    memcpy(host, authority, size);
    host[size] = '\0';
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &address) == 1 &&
            ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* Whether a page from there is one of our own. */
static bool is_own_origin(const char *origin, const char *host, bool tls)
{
    const char *scheme = tls ? "https://" : "http://";
    return strncmp(origin, scheme, strlen(scheme)) == 0 &&
           strcasecmp(origin + strlen(scheme), host) == 0;
}

/* A page from elsewhere that a browser of this host shows could ask with its user's right to
 * connect; a key it would not have. */
static int check_page(struct exchange *exchange)
{
    const char *host = http_header(&exchange->head, "Host");
    const char *origin = http_header(&exchange->head, "Origin");
    struct cella_error error;
    host = host != NULL ? host : "";
    if (!is_loopback(host)) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the Host '%.100s' is not this host", host);
        (void)serve_hint(&error, "ask for localhost, 127.0.0.1 or [::1]");
    } else if (origin != NULL && !is_own_origin(origin, host, exchange->connection->tls != NULL)) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "pages of '%.100s' may not use this server",
                         origin);
    } else {
        return 0;
    }
    answer_problem(exchange, 403, &error);
    return -1;
}

/* ---- with keys ---- */

/* What stands behind "Bearer" (RFC 6750, 2.1), or NULL. */
static const char *token_of(const struct http_head *head)
{
    static const char scheme[] = "Bearer";
    const char *value = http_header_once(head, "Authorization");
    const size_t size = sizeof(scheme) - 1;
    if (value == NULL || strncasecmp(value, scheme, size) != 0 || value[size] != ' ') {
        return NULL;
    }
    return value + size + strspn(value + size, " ");
}

/* RFC 6750, 3: who brings none is told no error, only what is asked for. */
static int demand_key(struct exchange *exchange, bool has_brought_one)
{
    struct cella_error error;
    metrics_count_refusal(&exchange->server->metrics, REFUSAL_KEY);
    if (has_brought_one) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "the key is not, or no longer, one of ours");
        (void)serve_hint(&error, "ask the operator of this server for another");
        answer_unauthorized(exchange, &error,
                            "Bearer realm=\"cella\", error=\"invalid_token\", "
                            "error_description=\"the key is not, or no longer, one of ours\"");
    } else {
        (void)serve_fail(&error, CELLA_ERROR_CALLER, "this server demands a key");
        (void)serve_hint(&error, "send it as 'Authorization: Bearer KEY'");
        answer_unauthorized(exchange, &error, "Bearer realm=\"cella\"");
    }
    return -1;
}

static int check_key(struct exchange *exchange)
{
    struct cella_error error;
    const char *token = token_of(&exchange->head);
    struct tenant *tenant = token != NULL ? tenants_find(exchange->server, token) : NULL;
    if (tenant == NULL) {
        return demand_key(exchange, token != NULL);
    }
    exchange->tenant = tenant;
    if (tenant_check_rate(exchange, &error) < 0) {
        answer_problem(exchange, 0, &error);
        return -1;
    }
    if (exchange->route != NULL && exchange->route->access == API_OPERATOR &&
        !tenant->key.metrics) {
        (void)serve_fail(&error, CELLA_ERROR_POLICY, "%s tells of everybody's runs",
                         exchange->head.path);
        (void)serve_hint(&error, "ask with a key that was made with --metrics, or by the Unix "
                                 "socket");
        answer_problem(exchange, 0, &error);
        return -1;
    }
    return 0;
}

/* ---- which of them ---- */

int access_check(struct exchange *exchange)
{
    struct cella_error error;
    if (exchange->connection->is_stranger) {
        (void)serve_fail(&error, CELLA_ERROR_CALLER,
                         "this server is for the user that it runs as, and root");
        answer_problem(exchange, 403, &error);
        return -1;
    }
    if (exchange->connection->is_local) {
        return 0;
    }
    if (!tenants_are_demanded(exchange->server)) {
        return check_page(exchange);
    }
    const bool is_open = exchange->route != NULL && exchange->route->access == API_ANYBODY;
    return is_open ? 0 : check_key(exchange);
}
