/* See contract.h. */
#include "front/serve/contracts/contract.h"

#include "base/clock.h"
#include "front/serve/contracts/surrogates.h"
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job.h"

#include <assert.h>
#include <cella/policy.h>
#include <stdlib.h>
#include <string.h>

/* Of a result that is read again: its streams, escaped, are less than that by their caps. */
#define RESULT_MAX ((size_t)2 << 30)
/* Pieces of output, with what is said of each. */
#define RESULT_VALUES_MAX ((size_t)64 << 20)
/* Of which something is asked. */
#define POLICIES_MAX 8U
/* As fresh as those that runs get. */
#define FRESH_MS 1000U

const struct contract *const contracts[] = {&contract_execute, &contract_piston, NULL};

int contract_read(struct exchange *exchange, json_t **ret_body, struct cella_error *err)
{
    if (exchange->body_size == 0) {
        return serve_fail(err, CELLA_ERROR_CALLER, "the request has no body");
    }
    surrogates_mend(exchange->body, exchange->body_size);
    return json_text_parse(exchange->body, exchange->body_size, EXCHANGE_BODY_MAX, ret_body, err);
}

int contract_read_result(const struct cella_result *result, json_t **ret_result,
                         struct cella_error *err)
{
    char *json = NULL;
    size_t size = 0;
    if (cella_result_json(result, &json, &size, err) < 0) {
        return -1;
    }
    const int read = contract_read_own(json, size, ret_result, err);
    free(json);
    return read;
}

int contract_read_own(const char *json, size_t size, json_t **ret_value, struct cella_error *err)
{
    return json_text_parse_values(json, size, RESULT_MAX, RESULT_VALUES_MAX, ret_value, err);
}

/* ---- policies ---- */

struct contract_policies {
    struct {
        const char *name; /* static */
        json_t *policy;
        uint64_t read_ms;
    } items[POLICIES_MAX];
};

static int read_policy(const struct server *server, const char *name, json_t **ret_policy,
                       struct cella_error *err)
{
    const struct cella_options options = {.size = sizeof(options),
                                          .policies_dir = server->policies_dir};
    char *json = NULL;
    if (cella_policy_show(&options, name, CELLA_POLICY_JSON, &json, err) < 0) {
        return -1;
    }
    const size_t size = strlen(json);
    const int read = json_text_parse(json, size, size, ret_policy, err);
    free(json);
    return read;
}

int contract_read_policy(struct server *server, const char *name, const json_t **ret_policy,
                         struct cella_error *err)
{
    json_t *policy = NULL;
    const uint64_t now_ms = clock_monotonic_ms();
    size_t i = 0;
    if (server->contract_policies == NULL) {
        server->contract_policies = calloc(1, sizeof(*server->contract_policies));
        if (server->contract_policies == NULL) {
            return serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        }
    }
    struct contract_policies *policies = server->contract_policies;
    while (policies->items[i].name != NULL && strcmp(policies->items[i].name, name) != 0) {
        i++;
        assert(i < POLICIES_MAX); /* as many as there are contracts */
    }
    if (policies->items[i].policy == NULL || now_ms - policies->items[i].read_ms >= FRESH_MS) {
        if (read_policy(server, name, &policy, err) < 0) {
            return -1;
        }
        json_decref(policies->items[i].policy);
        policies->items[i].name = name;
        policies->items[i].policy = policy;
        policies->items[i].read_ms = now_ms;
    }
    *ret_policy = policies->items[i].policy;
    return 0;
}

void contract_policies_destroy(struct contract_policies *policies)
{
    for (size_t i = 0; policies != NULL && i < POLICIES_MAX; i++) {
        json_decref(policies->items[i].policy);
    }
    free(policies);
}

bool contract_cap(const json_t *policy, enum contract_stage stage, const char *limit,
                  double *ret_cap)
{
    const json_t *of = stage == CONTRACT_COMPILE ? json_object_get(policy, "compile") : policy;
    const json_t *row = json_object_get(json_object_get(of, "limits"), limit);
    const json_t *cap = json_object_get(row, "cap");
    if (!json_is_number(cap)) {
        return false;
    }
    *ret_cap = json_number_value(cap);
    return true;
}

bool contract_allows(const json_t *policy, const char *language)
{
    const json_t *languages = json_object_get(policy, "languages");
    for (size_t i = 0; i < json_array_size(languages); i++) {
        const char *allowed = json_string_value(json_array_get(languages, i));
        if (allowed != NULL && strcmp(allowed, language) == 0) {
            return true;
        }
    }
    return json_is_string(languages); /* "all" */
}

void contract_start(struct exchange *exchange, const struct buffer *request,
                    void (*answer)(struct exchange *exchange, const struct cella_result *result,
                                   const void *context),
                    const void *context, size_t context_size)
{
    struct job_form form = {.answer = answer, .context = malloc(context_size)};
    struct cella_error err;
    const char *id = NULL;
    if (form.context == NULL) {
        (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
        answer_problem(exchange, 0, &err);
        return;
    }
    memcpy(form.context, context, context_size);
    if (job_start(exchange, request->data, request->size, JOB_ANSWERS, &form, &id, &err) < 0) {
        answer_problem(exchange, 0, &err);
    }
}

void contract_answer(struct exchange *exchange, int status, struct buffer *body, bool failed)
{
    struct cella_error err;
    if (failed) {
        (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
    }
    if (failed || job_check_room(exchange, body->size, &err) < 0) {
        buffer_done(body);
        answer_problem(exchange, 0, &err);
        return;
    }
    answer_json(exchange, status, body->data, body->size); /* takes it */
    buffer_init(body, 0);
}
