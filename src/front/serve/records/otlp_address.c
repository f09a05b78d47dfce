/* Where traces go, and what is said there (otlp.h).  Divisions: the address; headers; all of it. */
#include "base/attributes.h"
#include "base/hex.h"
#include "front/serve/fail.h"
#include "front/serve/records/otlp.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACES_PATH  "/v1/traces"
#define DEFAULT_PORT "4318"
#define SECURE_PORT  "443"

/* ---- the address ---- */

static int bad_endpoint(const char *endpoint, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER, "--otlp-endpoint %.100s is no address of a collector",
                     endpoint);
    return serve_hint(err, "give it as http://127.0.0.1:4318, or https://NAME");
}

/* "HOST[:PORT]" or "[HOST][:PORT]".  Looks the host up. */
static int look_up(const char *authority, const char *endpoint, struct otlp_address *address,
                   struct cella_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[OTLP_HOST_MAX];
    (void)snprintf(host, sizeof(host), "%s", authority); /* fits */
    char *name = host;
    char *port = strrchr(host, ':');
    if (host[0] == '[') {
        char *end = strchr(host, ']');
        if (end == NULL) {
            return bad_endpoint(endpoint, err);
        }
        *end = '\0';
        name = host + 1;
        port = end[1] == ':' ? end + 1 : NULL;
    }
    if (port != NULL) {
        *port++ = '\0';
    }
    (void)snprintf(address->name, sizeof(address->name), "%s", name); /* fits */
    const int failed = getaddrinfo(name,
                                   port != NULL         ? port
                                   : address->is_secure ? SECURE_PORT
                                                        : DEFAULT_PORT,
                                   &hints, &found);
    if (failed != 0) {
        (void)serve_fail(err, CELLA_ERROR_CALLER, "--otlp-endpoint %.100s: %s", endpoint,
                         gai_strerror(failed));
        return serve_hint(err, "give it as http://127.0.0.1:4318, or https://NAME");
    }
    memcpy(&address->address, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

/* ---- headers ---- */

/* Which may be a secret, and so is not repeated. */
static int bad_headers(const char *what, struct cella_error *err)
{
    (void)serve_fail(err, CELLA_ERROR_CALLER, "OTEL_EXPORTER_OTLP_HEADERS has %s", what);
    return serve_hint(err, "give it as NAME=VALUE,NAME=VALUE with percent-encoded values");
}

/* What would change where the request ends, or how it is read. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {"host", "content-type", "content-length", "connection",
                                       "transfer-encoding"};
    size_t i = 0;
    while (i < ARRAY_LENGTH(ours) && strcasecmp(ours[i], name) != 0) {
        i++;
    }
    return i < ARRAY_LENGTH(ours);
}

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t';
}

/* Without the blanks around it, moved to its beginning. */
static void trim(char *text)
{
    size_t before = strspn(text, " \t"), size = strlen(text);
    while (size > before && is_blank(text[size - 1])) {
        size--;
    }
    memmove(text, text + before, size - before);
    text[size - before] = '\0';
}

/* In its place.  False for what is no text of a header. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        char byte = *at;
        if (byte == '%') {
            const int high = hex_value(at[1]), low = high >= 0 ? hex_value(at[2]) : -1;
            if (low < 0) {
                return false;
            }
            byte = (char)(high * 16 + low);
            at += 2;
        }
        if ((unsigned char)byte < ' ' || byte == 127) {
            return false;
        }
        *to++ = byte;
    }
    *to = '\0';
    return true;
}

/* "NAME=VALUE", as a line of the head. */
static int add_header(char *member, char headers[OTLP_HEADERS_MAX], struct cella_error *err)
{
    static const char letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; /* of a name: RFC 9110, 5.6.2 */
    char *value = strchr(member, '=');
    const size_t size = strlen(headers), room = OTLP_HEADERS_MAX - size;
    if (value == NULL) {
        return bad_headers("something without '='", err);
    }
    *value++ = '\0';
    trim(member);
    trim(value);
    if (member[0] == '\0' || strspn(member, letters) != strlen(member) || is_ours(member)) {
        return bad_headers("a name that no header of ours can have", err);
    }
    if (!decode(value)) {
        return bad_headers("a value that is not percent-encoded text", err);
    }
    return (size_t)snprintf(headers + size, room, "%s: %s\r\n", member, value) < room
               ? 0
               : bad_headers("more than there is room for", err);
}

/* As the OpenTelemetry specification has that variable: a list like that of W3C's baggage. */
static int read_headers(const char *text, char ret_headers[OTLP_HEADERS_MAX],
                        struct cella_error *err)
{
    char member[OTLP_HEADERS_MAX];
    ret_headers[0] = '\0';
    while (text != NULL && *text != '\0') {
        const size_t size = strcspn(text, ",");
        if (size >= sizeof(member)) {
            return bad_headers("more than there is room for", err);
        }
        memcpy(member, text, size);
        member[size] = '\0';
        if (strspn(member, " \t") < size && add_header(member, ret_headers, err) < 0) {
            return -1;
        }
        text += size + (text[size] == ',');
    }
    return 0;
}

/* ---- all of it ---- */

int otlp_find(const char *endpoint, struct otlp_address *ret_address, struct cella_error *err)
{
    static const char scheme[] = "http://", secure[] = "https://";
    struct otlp_address address = {.is_secure = strncmp(endpoint, secure, strlen(secure)) == 0};
    if (!address.is_secure && strncmp(endpoint, scheme, strlen(scheme)) != 0) {
        return bad_endpoint(endpoint, err);
    }
    const char *authority = endpoint + strlen(address.is_secure ? secure : scheme);
    const size_t size = strcspn(authority, "/");
    const char *path = authority + size;
    size_t path_size = strlen(path);
    while (path_size > 0 && path[path_size - 1] == '/') {
        path_size--;
    }
    if (size == 0 || size >= sizeof(address.host) || strpbrk(authority, "?#@ \r\n") != NULL ||
        path_size + sizeof(TRACES_PATH) > sizeof(address.path)) {
        return bad_endpoint(endpoint, err);
    }
    (void)snprintf(address.host, sizeof(address.host), "%.*s", (int)size, authority);
    (void)snprintf(address.path, sizeof(address.path), "%.*s" TRACES_PATH, (int)path_size, path);
    if (read_headers(getenv("OTEL_EXPORTER_OTLP_HEADERS"), address.headers, err) < 0 ||
        look_up(address.host, endpoint, &address, err) < 0) {
        return -1;
    }
    *ret_address = address;
    return 0;
}
