/*
 * What the service offers by HTTP: one table of routes, from which a request finds who handles it
 * (routes.c), and the OpenAPI document is made (openapi.c), and of that docs/api.md.  The routes of
 * contracts are such tables of their own (contracts/contract.h).
 *
 * A row of the table points to parts that several rows share: parameters, bodies, answers.  Schemas
 * are named as in the document's components; those that no other table gives are in schemas.json.
 */
#ifndef SERVE_API_H
#define SERVE_API_H

#include <cella/error.h>
#include <stdbool.h>
#include <stddef.h>

struct exchange;

#define API_PARAMETERS_MAX 12U
#define API_ANSWERS_MAX    12U
#define API_HEADERS_MAX    3U

enum api_place { API_PATH, API_QUERY, API_HEADER };
enum api_type { API_TEXT, API_MOMENT, API_COUNT, API_VERDICT };

struct api_parameter { /* of a request; or, a header, of an answer */
    const char *name;
    enum api_place place;
    enum api_type type;
    const char *meaning;
    unsigned max;     /* letters of a text, or the largest number; 0: not said */
    unsigned without; /* the number that stands for none; 0: there is none */
};

struct api_body {
    const char *type;   /* of media */
    const char *schema; /* its name */
};

struct api_answer {
    int status;                 /* 0: that of `kind` */
    enum cella_error_kind kind; /* NONE: no error */
    struct api_body body;       /* type NULL: it has none */
    const char *meaning;
    const struct api_parameter *headers[API_HEADERS_MAX + 1]; /* NULL behind the last */
};

/* What belongs together, for a reader. */
struct api_group {
    const char *name;
    const char *meaning;
};

/* Who may ask, where keys are demanded. */
enum api_access {
    API_KEY,      /* whoever has one */
    API_OPERATOR, /* and of those with a key who may know of everybody's runs */
    API_ANYBODY,  /* those without one too */
};

struct api_route {
    const char *method; /* GET stands for HEAD too */
    const char *path;   /* "{name}" stands for one part of a path that is not empty */
    const char *name;   /* of what it does, unique */
    void (*handle)(struct exchange *exchange);
    int (*check)(struct exchange *exchange); /* with the head alone; NULL: nothing to check */
    enum api_access access;
    const char *group; /* its name */
    const char *summary;
    const struct api_parameter *parameters[API_PARAMETERS_MAX + 1]; /* NULL behind the last */
    const struct api_body *body;                                    /* NULL: it takes none */
    const struct api_answer *answers[API_ANSWERS_MAX + 1];          /* NULL behind the last */
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;
extern const struct api_group api_groups[];
extern const size_t api_group_count;

/* What every route may answer besides, NULL behind the last; those that take a body; and those
 * that are not for API_ANYBODY.  On the paths of a contract errors have another body, its own. */
extern const struct api_answer *const api_common_answers[];
extern const struct api_answer *const api_body_answers[];
extern const struct api_answer *const api_key_answers[];
/* And what those may that need JSON, runs to be taken, or a WebSocket. */
extern const struct api_answer api_wrong_type, api_not_ready, api_switched, api_no_websocket;

/* The body that tells of an error, but for contracts. */
#define API_PROBLEM "Problem"

#endif
