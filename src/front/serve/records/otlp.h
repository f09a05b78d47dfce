/*
 * Traces, to whoever collects them: OTLP over HTTP, as JSON (opentelemetry-proto 1.x).
 *
 * Spans wait in a queue of bounded size, and go out in batches from the loop: nobody waits for it.
 * What does not fit, and a batch that is not taken however often it is sent, is dropped and
 * counted.
 *
 * It speaks HTTP, or HTTPS, to one address that is looked up at the start, by the loop's own
 * sockets.  (libcurl would want descriptors watched for writing, threads to look names up, and a
 * second TLS.)  The server may not connect to anything (confine.h); the spawner does it, to that
 * address alone.  What a collector sends is read here, as TLS too: the spawner is not confined, and
 * reads nothing from outside.
 */
#ifndef SERVE_OTLP_H
#define SERVE_OTLP_H

#include "front/serve/host/loop.h"
#include "front/serve/host/spawner.h"
#include "front/serve/http/trace.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define OTLP_HOST_MAX    256U
#define OTLP_PATH_MAX    512U
#define OTLP_HEADERS_MAX 4096U
#define OTLP_SPANS_MAX   4096U             /* that wait */
#define OTLP_BYTES_MAX   ((size_t)4 << 20) /* of them */
#define OTLP_BATCH_MS    1000U             /* from a batch's first span until it is sent */
#define OTLP_BATCH_MAX   512U              /* spans with which it is sent at once */
#define OTLP_TIME_MS     10000U            /* for an answer */
#define OTLP_ATTEMPTS    4U                /* of one batch */
#define OTLP_PAUSE_MS    1000U             /* before the second; doubled with each */
#define OTLP_VALUE_MAX   256U              /* bytes of an attribute */
#define OTLP_ATTRIBUTES  12U

/* Where they go. */
struct otlp_address {
    struct sockaddr_storage address;
    socklen_t size;           /* 0: nowhere */
    bool is_secure;           /* by TLS */
    char name[OTLP_HOST_MAX]; /* of the host */
    char host[OTLP_HOST_MAX]; /* with its port, as requests name it */
    char path[OTLP_PATH_MAX];
    char headers[OTLP_HEADERS_MAX]; /* further ones, each with its line's end */
};
/* Of "http://127.0.0.1:4318" or "https://NAME", to which "/v1/traces" is added, with the headers
 * that OTEL_EXPORTER_OTLP_HEADERS names.  Looks the name up, which may take its time. */
int otlp_find(const char *endpoint, struct otlp_address *ret_address, struct cella_error *err)
    __attribute__((warn_unused_result));

struct otlp;

/* As the protocol numbers them. */
enum otlp_kind { OTLP_INTERNAL = 1, OTLP_SERVER = 2 };

struct otlp_attribute {
    const char *key;
    const char *text; /* NULL: the number; "": left out */
    int64_t number;
};

struct otlp_span {
    const struct trace *trace; /* that it belongs to, and whose span is above it */
    const char *span;          /* its own id; NULL: it is the trace's own, below the client's */
    const char *name;
    enum otlp_kind kind;
    int64_t from_us, to_us; /* Unix time */
    bool failed;
    struct otlp_attribute attributes[OTLP_ATTRIBUTES]; /* up to the first without a key */
};

/* The spawner, which must stay, knows the address.  By TLS those authorities are believed that the
 * variable OTEL_EXPORTER_OTLP_CERTIFICATE names, else the system's. */
int otlp_open(struct loop *loop, const struct otlp_address *address, const struct spawner *spawner,
              struct otlp **ret_otlp, struct cella_error *err) __attribute__((warn_unused_result));
/* What still waits is sent once, if that takes no more than a moment.  NULL is fine, here and
 * below. */
void otlp_close(struct otlp *otlp);

void otlp_add(struct otlp *otlp, const struct otlp_span *span);

struct otlp_counts {
    uint64_t sent, dropped;
};
struct otlp_counts otlp_counted(const struct otlp *otlp);

#endif
