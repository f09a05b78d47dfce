/*
 * The part of job.h that begins runs again which Cella has lost: its keeper has died, say.
 *
 * One that failed by itself never is, nor one whose request was large, that may have left something
 * behind, of whose output something was told, or that nobody waits for any more.  With the keeper
 * gone the next attempt waits until another is ready; in any case for a while, longer each time.
 */
#include "base/clock.h"
#include "front/serve/host/loop.h"
#include "front/serve/http/exchange.h"
#include "front/serve/log.h"
#include "front/serve/runs/job_inside.h"

#include <cella/wire.h>
#include <stdlib.h>
#include <string.h>

/* Attempts besides the first. */
#define AGAIN_MAX 3U
/* Before the second attempt; four times as long before each further one. */
#define AGAIN_FIRST_MS 100U
#define AGAIN_FACTOR   4U

static void on_time(void *context)
{
    job_begin_again_all(context);
}

/* One timer for all of them. */
static bool has_timer(struct server *server)
{
    static const struct loop_events events = {.timeout = on_time};
    if (server->again == NULL) {
        server->again = loop_add_timer(server->loop, &events, server);
    }
    return server->again != NULL;
}

static bool has_told(const struct job_output *output)
{
    return output->told[CELLA_STDOUT] + output->told[CELLA_STDERR] > 0;
}

static bool may_begin_again(const struct job *job, const struct cella_result *result)
{
    const enum cella_error_kind kind = cella_result_error(result)->kind;
    return (kind == CELLA_ERROR_HOST || kind == CELLA_ERROR_BUG) &&
           strcmp(cella_result_status(result), "internal") == 0 && job->again != NULL &&
           job->attempts <= AGAIN_MAX && !job->is_cancelled && !has_told(&job->compiler) &&
           !has_told(&job->program) && job->server->state != SERVER_DRAINING;
}

/* A copy that does not need the run. */
static int keep_lost(struct job *job, const struct cella_result *result)
{
    struct cella_error unused;
    struct cella_result *copy = NULL;
    char *json = NULL;
    size_t size;
    if (cella_result_json(result, &json, &size, &unused) == 0 &&
        cella_result_parse(json, size, &copy, &unused) == 0) {
        cella_result_destroy(job->lost);
        job->lost = copy;
    }
    free(json);
    return copy != NULL ? 0 : -1;
}

/* The timer is for the first of those that wait. */
static void set_timer(struct server *server)
{
    const uint64_t now = clock_monotonic_ms();
    uint64_t first = UINT64_MAX;
    struct job *job = NULL;
    TAILQ_FOREACH(job, &server->jobs, link)
    {
        if (job->run == NULL && !job->is_done && job->again_ms < first) {
            first = job->again_ms;
        }
    }
    if (first != UINT64_MAX) {
        loop_set_timer(server->again, first > now ? (unsigned)(first - now) : 1);
    }
}

bool job_is_lost(struct job *job, const struct cella_result *result)
{
    struct server *server = job->server;
    unsigned wait_ms = AGAIN_FIRST_MS;
    if (!may_begin_again(job, result) || !has_timer(server) || keep_lost(job, result) < 0) {
        return false;
    }
    for (unsigned i = 1; i < job->attempts; i++) {
        wait_ms *= AGAIN_FACTOR;
    }
    log_line("%s is begun again in %u ms: %s", job->id, wait_ms, cella_result_error(result)->text);
    job_leave_room(job, NULL);
    cella_run_free(job->run);
    job->run = NULL;
    job->compiler = job->program = (struct job_output){.told = {0}};
    job->again_ms = clock_monotonic_ms() + wait_ms;
    server->waiting_count++;
    set_timer(server);
    return true;
}

static void begin_again(struct job *job)
{
    struct cella_error err;
    if (cella_request_set_attempt(job->again, job->id, job->attempts + 1, &err) < 0 ||
        job_begin(job, job->again, NULL, &err) < 0) {
        log_line("%s cannot be begun again: %s", job->id, err.text);
        job_give_up(job);
        return;
    }
    job->server->waiting_count--;
}

/* One whose time has come. */
static struct job *find_due(struct server *server)
{
    const uint64_t now = clock_monotonic_ms();
    struct job *job = NULL;
    TAILQ_FOREACH(job, &server->jobs, link)
    {
        if (job->run == NULL && !job->is_done && job->again_ms <= now) {
            return job;
        }
    }
    return NULL;
}

void job_begin_again_all(struct server *server)
{
    if (server->waiting_count == 0 || server->state == SERVER_STARTING) {
        return; /* it comes back to them when it is ready */
    }
    for (struct job *job = find_due(server); job != NULL; job = find_due(server)) {
        begin_again(job);
    }
    set_timer(server);
}

void job_give_up(struct job *job)
{
    job->server->waiting_count--;
    job_finish(job, job->lost);
}

void job_give_up_all(struct server *server)
{
    while (server->waiting_count > 0) {
        struct job *job = TAILQ_FIRST(&server->jobs);
        while (job->run != NULL || job->is_done) {
            job = TAILQ_NEXT(job, link);
        }
        job_give_up(job);
    }
}
