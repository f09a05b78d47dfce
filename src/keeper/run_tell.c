/* What the engine is told of a run: see run.h. */
#include "base/error.h"
#include "isolate/protections.h"
#include "keeper/run_inside.h"

#include <stdio.h>

static struct keeper_frame_header header(enum keeper_frame_type type, uint64_t run)
{
    return (struct keeper_frame_header){(uint32_t)type, KEEPER_PROTOCOL_VERSION, run};
}

void run_tell_refused(struct common *common, uint64_t id, enum step step,
                      const struct cella_error *error)
{
    struct keeper_refused frame = {.header = header(KEEPER_REFUSED, id), .error = *error};
    const char *name = step < STEP_COUNT ? step_table[step].name : "";
    (void)snprintf(frame.step, sizeof(frame.step), "%s", name);
    wire_send(&common->wire, &frame, sizeof(frame), NULL, 0);
}

void run_tell_created(struct run *run)
{
    const struct sandbox_streams streams = run->sandbox.streams;
    const int ours[] = {streams.stdin_write, streams.stdout_read, streams.stderr_read,
                        streams.collected_read};
    const struct keeper_created created = {.header = header(KEEPER_CREATED, run->id)};
    run->sandbox.streams = (struct sandbox_streams){-1, -1, -1, -1}; /* wire_send() takes them */
    wire_send(&run->common->wire, &created, sizeof(created), ours, ARRAY_LENGTH(ours));
}

/* With what holds it. */
void run_tell_started(struct run *run)
{
    const uint64_t of_init =
        protection_bit(PROTECTION_INIT_HIDDEN) | protection_bit(PROTECTION_NO_TERMINAL) |
        protection_bit(PROTECTION_DESCRIPTORS) | protection_bit(PROTECTION_RLIMITS);
    const struct cgroup_host *host = run->sandbox.cgroup.host;
    const struct keeper_started started = {
        .header = header(KEEPER_STARTED, run->id),
        .protections = run->sandbox.held | run->protections | (of_init & ~run->waived),
        .mechanism = (uint32_t)(host != NULL ? host->mechanism : KEEPER_BY_SUPERVISION),
        .warm = run->warm,
    };
    wire_send(&run->common->wire, &started, sizeof(started), NULL, 0);
    run->announced = true;
}

void run_tell_notice(struct run *run, enum keeper_cause cause)
{
    const struct keeper_notice notice = {.header = header(KEEPER_NOTICE, run->id),
                                         .cause = (uint32_t)cause};
    run->causes |= (uint32_t)cause;
    wire_send(&run->common->wire, &notice, sizeof(notice), NULL, 0);
}

void run_tell_end(struct run *run, const struct cgroup_usage *group, const struct rusage *rusage)
{
    struct keeper_ended ended;
    struct init_report *report = &run->report;

    run->concluded = true;
    if (!run->failed && run->started_us > 0 && !run->announced) {
        run_tell_started(run); /* init died before it could say so */
    }
    if (!run->failed && !run->stopped && group->forks_refused != UINT64_MAX &&
        group->forks_refused >= INIT_REFUSED_FORKS_MAX) {
        /* It ended before this was seen, perhaps by what a fork bomb costs the kernel in memory. */
        run_tell_notice(run, KEEPER_CAUSE_PROCESSES);
    }
    run_fill_ended(run, group, rusage, &ended);
    const bool died_early =
        run->started_us == 0 && !run->stopped && (ended.causes & KEEPER_CAUSE_MEMORY) == 0;
    if (run->failed) {
        run_tell_refused(run->common, run->id, (enum step)report->step, &report->error);
    } else if (died_early) {
        error_set(&report->error, CELLA_ERROR_HOST, 0,
                  "the sandbox died while it was being set up");
        run_tell_refused(run->common, run->id, STEP_COUNT, &report->error);
    } else {
        wire_send(&run->common->wire, &ended, sizeof(ended), NULL, 0);
    }
}
