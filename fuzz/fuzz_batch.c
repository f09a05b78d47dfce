/*
 * Any bytes as a batch: refused with a field and a reason, or with every promise of
 * batch_request.h, and a request for each of its tests, or a reason why not.
 */
#include "front/serve/runs/batch_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

/* A batch may change what a program has in such a way that the two do not fit: that is told when
 * the test is begun. */
static void check_test(const struct batch_request *request, size_t index)
{
    const struct compare_text output = {"out\n", 4};
    struct cella_request *made = NULL;
    struct cella_error err = {.text = ""};
    if (batch_request_of_test(request, index, &made, &err) < 0) {
        require(err.text[0] != '\0');
        require(batch_request_fail(request, index, &err) == -1 && err.field[0] != '\0');
    }
    cella_request_destroy(made);
    made = NULL;
    if (request->checker != NULL &&
        batch_request_of_checker(request, index, output, &made, &err) < 0) {
        require(err.text[0] != '\0');
    }
    cella_request_destroy(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch_request *request = NULL;
    struct cella_error err = {.text = ""};
    if (batch_request_parse((const char *)data, size, &request, &err) < 0) {
        require(err.kind != CELLA_ERROR_NONE && err.text[0] != '\0');
        return 0;
    }
    require(request->test_count >= 1 && request->test_count <= BATCH_TESTS_MAX);
    require(request->parallel <= BATCH_PARALLEL_MAX && request->program != NULL);
    require(request->rule.absolute >= 0 && request->rule.relative >= 0);
    for (size_t i = 0; i < request->test_count; i++) {
        check_test(request, i);
    }
    batch_request_destroy(request);
    return 0;
}
