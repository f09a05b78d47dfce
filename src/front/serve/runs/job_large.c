/*
 * The part of job.h that answers with a large result: its JSON is made part by part, as the client
 * takes it, so that it is neither held as a whole nor holds up others.
 *
 * The result is taken from its run: a client may need hours for it, for which no engine waits.
 */
#include "front/serve/fail.h"
#include "front/serve/http/answer.h"
#include "front/serve/http/exchange.h"
#include "front/serve/runs/job_inside.h"

#include <stdlib.h>

struct large {
    struct cella_result *result;
    struct cella_result_parts *parts;
};

static int next_part(void *context, char **ret_text, size_t *ret_size)
{
    const struct large *large = context;
    struct cella_error unused; /* memory is short: the client sees that the end is missing */
    return cella_result_parts_next(large->parts, ret_text, ret_size, &unused);
}

static void leave(void *context)
{
    struct large *large = context;
    cella_result_parts_close(large->parts);
    cella_result_destroy(large->result);
    free(large);
}

/* The run's result, with which it is told; NULL: it cannot be. */
static struct large *take(struct job *job, struct cella_error *err)
{
    struct large *large = calloc(1, sizeof(*large));
    if (large == NULL) {
        (void)serve_fail(err, CELLA_ERROR_HOST, "memory is short");
        return NULL;
    }
    if (cella_run_take_result(job->run, &large->result, err) < 0 ||
        cella_result_parts_open(large->result, &large->parts, err) < 0) {
        leave(large);
        return NULL;
    }
    return large;
}

void job_answer_large(struct job *job)
{
    struct exchange *exchange = job->exchange;
    const size_t size = cella_result_bytes(job->result);
    struct cella_error err;
    struct large *large = job_check_room(exchange, size, &err) == 0 ? take(job, &err) : NULL;
    if (large == NULL) {
        answer_problem(exchange, 0, &err);
        return;
    }
    job->exchange = NULL; /* it has another source now */
    const struct source source = {
        .next = next_part, .leave = leave, .context = large, .held = size};
    answer_pieces(exchange, "application/json", &source);
}
