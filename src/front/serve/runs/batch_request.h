/*
 * A batch as it was asked for: JSON (schema/batch.schema.json), read strictly, and the request of
 * each of its runs made from it.
 */
#ifndef SERVE_BATCH_REQUEST_H
#define SERVE_BATCH_REQUEST_H

#include "base/json.h"
#include "front/serve/runs/batch_fields.h"
#include "front/serve/runs/compare.h"

#include <cella/cella.h>
#include <stdbool.h>
#include <stddef.h>

#define BATCH_JSON_VALUES_MAX 262144U /* values in the JSON of a batch: 1000 tests have many */

struct batch_bytes {
    const char *data; /* NULL: not given */
    size_t size;
    char *owned; /* decoded; NULL: it lies in the JSON */
};

/* Reads them in their place; those before are given up.  They may lie in the JSON. */
int batch_bytes_read(struct batch_bytes *bytes, json_t *value, const struct json_where *where,
                     struct cella_error *err) __attribute__((warn_unused_result));

struct batch_test {
    char name[BATCH_NAME_MAX + 1];
    struct batch_bytes input;
    struct batch_bytes expected;
    json_t *changes; /* in the JSON: what it has besides, or NULL */
};

struct batch_request {
    json_t *json;
    json_t *program; /* without its code, contents of files, and stdin, which are in */
    struct cella_request *program_whole;
    struct batch_bytes input;
    json_t *checker; /* likewise; its args name the files that it gets; NULL: none */
    struct cella_request *checker_whole;
    struct batch_test *tests;
    size_t test_count;
    struct compare_rule rule;
    unsigned parallel; /* 0: not said */
    bool stop_on_failure;
};

/* CELLA_ERROR_CALLER with the field, "tests[3].stdin". */
int batch_request_parse(const char *json, size_t size, struct batch_request **ret_request,
                        struct cella_error *err) __attribute__((warn_unused_result));
void batch_request_destroy(struct batch_request *request);

/* Whether the policy gives the tests what they ask for of their own, as far as one can tell before:
 * of as many as there is time for. */
int batch_request_check(const struct batch_request *request, struct cella_engine *engine,
                        struct cella_error *err) __attribute__((warn_unused_result));
/* An error about the request of a test is one about a field of the batch.  Returns -1. */
int batch_request_fail(const struct batch_request *request, size_t index, struct cella_error *err);

/* Of the run of a test. */
int batch_request_of_test(const struct batch_request *request, size_t index,
                          struct cella_request **ret_request, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Of its checker, for what the program wrote. */
int batch_request_of_checker(const struct batch_request *request, size_t index,
                             struct compare_text output, struct cella_request **ret_request,
                             struct cella_error *err) __attribute__((warn_unused_result));

#endif
