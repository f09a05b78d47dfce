/* See contract.h. */
#include "front/serve/contract.h"

#include "front/serve/answer.h"
#include "front/serve/exchange.h"
#include "front/serve/fail.h"
#include "front/serve/job.h"
#include "front/serve/surrogates.h"

#include <cella/policy.h>
#include <stdlib.h>
#include <string.h>

/* Of a result that is read again: its streams, escaped, are less than that by their caps. */
#define RESULT_MAX ((size_t)2 << 30)
/* Pieces of output, with what is said of each. */
#define RESULT_VALUES_MAX ((size_t)64 << 20)

const struct contract *const contracts[] = {&contract_piston, NULL};

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
    const int read =
        json_text_parse_values(json, size, RESULT_MAX, RESULT_VALUES_MAX, ret_result, err);
    free(json);
    return read;
}

int contract_read_policy(const char *name, json_t **ret_policy, struct cella_error *err)
{
    char *json = NULL;
    if (cella_policy_show(NULL, name, CELLA_POLICY_JSON, &json, err) < 0) {
        return -1;
    }
    const size_t size = strlen(json);
    const int read = json_text_parse(json, size, size, ret_policy, err);
    free(json);
    return read;
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

void contract_answer(struct exchange *exchange, int status, struct buffer *body, bool failed)
{
    struct cella_error err;
    if (failed) {
        (void)serve_fail(&err, CELLA_ERROR_HOST, "memory is short");
    }
    if (failed || job_check_room(exchange->server, body->size, &err) < 0) {
        buffer_done(body);
        answer_problem(exchange, 0, &err);
        return;
    }
    answer_json(exchange, status, body->data, body->size); /* takes it */
    buffer_init(body, 0);
}
