/*
 * What ended a stage: see supervise.h.
 *
 * Divisions: the table of states and events; from a cause to a status and its limit; the rules that
 * turn the figures of the end into one outcome; the sentence for a person.
 */
#include "supervise/supervise.h"

#include "request/limit_value.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define EVENT_COUNT (SUPERVISE_KEEPER_LOST + 1)
#define STATE_COUNT (SUPERVISE_DONE + 1)

/* ---- state × event ---- */

enum action {
    IGNORE_IT,   /* has no meaning here any more */
    MOVE,        /* the state changes, nothing else */
    NOTE_CAUSE,  /* the keeper stops it: remember why */
    NOTE_OUTPUT, /* more output than kept: the end only where the plan wants that */
    STOP_IT,     /* the first cause, and ours: the keeper must be told */
    END_IT,      /* nothing was run, or it was lost */
};

struct transition {
    enum supervise_state next; /* NOTE_OUTPUT moves only when it is a cause */
    enum action action;
};

/* A started program may be heard of by its output or its end before STARTED is read: they come by
 * other descriptors.  So everything that may come in RUNNING may come in CREATING. */
static const struct transition table[STATE_COUNT][EVENT_COUNT] =
    {
        [SUPERVISE_CREATING] =
            {
                [SUPERVISE_STARTED] = {SUPERVISE_RUNNING, MOVE},
                [SUPERVISE_NOTICE] = {SUPERVISE_STOPPING, NOTE_CAUSE},
                [SUPERVISE_STDOUT_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_STDERR_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_CANCEL] = {SUPERVISE_STOPPING, STOP_IT},
                [SUPERVISE_FAILED] = {SUPERVISE_STOPPING, STOP_IT},
                [SUPERVISE_ENDED] = {SUPERVISE_DONE, MOVE},
                [SUPERVISE_REFUSED] = {SUPERVISE_DONE, END_IT},
                [SUPERVISE_KEEPER_LOST] = {SUPERVISE_DONE, END_IT},
            },
        [SUPERVISE_RUNNING] =
            {
                [SUPERVISE_STARTED] = {SUPERVISE_RUNNING, IGNORE_IT},
                [SUPERVISE_NOTICE] = {SUPERVISE_STOPPING, NOTE_CAUSE},
                [SUPERVISE_STDOUT_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_STDERR_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_CANCEL] = {SUPERVISE_STOPPING, STOP_IT},
                [SUPERVISE_FAILED] = {SUPERVISE_STOPPING, STOP_IT},
                [SUPERVISE_ENDED] = {SUPERVISE_DONE, MOVE},
                [SUPERVISE_REFUSED] = {SUPERVISE_DONE, END_IT},
                [SUPERVISE_KEEPER_LOST] = {SUPERVISE_DONE, END_IT},
            },
        [SUPERVISE_STOPPING] =
            {
                [SUPERVISE_STARTED] = {SUPERVISE_STOPPING, IGNORE_IT},
                [SUPERVISE_NOTICE] = {SUPERVISE_STOPPING, NOTE_CAUSE},
                [SUPERVISE_STDOUT_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_STDERR_LIMIT] = {SUPERVISE_STOPPING, NOTE_OUTPUT},
                [SUPERVISE_CANCEL] = {SUPERVISE_STOPPING, IGNORE_IT},
                [SUPERVISE_FAILED] = {SUPERVISE_STOPPING, IGNORE_IT},
                [SUPERVISE_ENDED] = {SUPERVISE_DONE, MOVE},
                [SUPERVISE_REFUSED] = {SUPERVISE_DONE, MOVE},
                [SUPERVISE_KEEPER_LOST] = {SUPERVISE_DONE, END_IT},
            },
        [SUPERVISE_DONE] =
            {
                [SUPERVISE_STARTED] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_NOTICE] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_STDOUT_LIMIT] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_STDERR_LIMIT] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_CANCEL] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_FAILED] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_ENDED] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_REFUSED] = {SUPERVISE_DONE, IGNORE_IT},
                [SUPERVISE_KEEPER_LOST] = {SUPERVISE_DONE, IGNORE_IT},
            },
};

/* What each cause that the keeper sees means.  The order is that of precedence when several were
 * survived and the program then ended badly: the nearer to a kill, the earlier. */
static const struct {
    uint32_t bit; /* enum keeper_cause */
    enum status status;
    enum limit limit;
} causes[] = {
    {KEEPER_CAUSE_MEMORY, STATUS_MEMORY, LIMIT_MEMORY},
    {KEEPER_CAUSE_WALL, STATUS_WALL_TIME, LIMIT_WALL},
    {KEEPER_CAUSE_CPU, STATUS_CPU_TIME, LIMIT_CPU},
    {KEEPER_CAUSE_PROCESSES, STATUS_PROCESSES, LIMIT_PROCESSES},
    {KEEPER_CAUSE_FILE, STATUS_FILE_SIZE, LIMIT_FILE},
    {KEEPER_CAUSE_DISK, STATUS_DISK, LIMIT_DISK},
    {KEEPER_CAUSE_INODES, STATUS_DISK, LIMIT_INODES},
};

/* The first row of `causes` with a bit in the set, or ARRAY_LENGTH(causes). */
static size_t first_cause(uint32_t set)
{
    size_t row = 0;
    while (row < ARRAY_LENGTH(causes) && (set & causes[row].bit) == 0) {
        row++;
    }
    return row;
}

static void set_cause(struct supervise *supervise, enum status cause, enum limit limit)
{
    if (supervise->cause == STATUS_COUNT) {
        supervise->cause = cause;
        supervise->cause_limit = limit;
    }
}

static void note_notice(struct supervise *supervise, uint32_t cause)
{
    size_t row = first_cause(cause);
    if (row == ARRAY_LENGTH(causes)) { /* a keeper that stops a run must say why */
        set_cause(supervise, STATUS_INTERNAL, LIMIT_COUNT);
        return;
    }
    supervise->limits_hit |= status_hit_bit(causes[row].status);
    set_cause(supervise, causes[row].status, causes[row].limit);
}

static bool note_output(struct supervise *supervise, enum limit limit)
{
    supervise->limits_hit |= status_hit_bit(STATUS_OUTPUT);
    if (!supervise->stop_on_output || supervise->cause != STATUS_COUNT) {
        return false;
    }
    set_cause(supervise, STATUS_OUTPUT, limit);
    return true;
}

/* The status of a run that we ended, or that never was: by who must act. */
static enum status status_of(enum supervise_event event, uint32_t detail)
{
    if (event == SUPERVISE_CANCEL) {
        return STATUS_CANCELLED;
    }
    bool refused = event != SUPERVISE_KEEPER_LOST && detail != CELLA_ERROR_NONE &&
                   detail != CELLA_ERROR_HOST && detail != CELLA_ERROR_BUG;
    return refused ? STATUS_REFUSED : STATUS_INTERNAL;
}

void supervise_init(struct supervise *supervise, bool stop_on_output)
{
    *supervise = (struct supervise){
        .state = SUPERVISE_CREATING,
        .cause = STATUS_COUNT,
        .cause_limit = LIMIT_COUNT,
        .stop_on_output = stop_on_output,
    };
}

bool supervise_event(struct supervise *supervise, enum supervise_event event, uint32_t detail)
{
    assert((unsigned)event < EVENT_COUNT);
    const struct transition *transition = &table[supervise->state][event];
    bool stop = false;
    switch (transition->action) {
    case IGNORE_IT:
        return false;
    case MOVE:
        break;
    case NOTE_CAUSE:
        note_notice(supervise, detail);
        break;
    case NOTE_OUTPUT:
        stop =
            note_output(supervise, event == SUPERVISE_STDOUT_LIMIT ? LIMIT_STDOUT : LIMIT_STDERR);
        if (!stop) {
            return false;
        }
        break;
    case STOP_IT:
        set_cause(supervise, status_of(event, detail), LIMIT_COUNT);
        stop = true;
        break;
    case END_IT:
        /* Whatever came first, nobody can say any more that it is what ended the run. */
        supervise->cause = status_of(event, detail);
        supervise->cause_limit = LIMIT_COUNT;
        break;
    }
    supervise->state = transition->next;
    return stop;
}

/* ---- the outcome ---- */

static bool ended_badly(const struct keeper_ended *ended)
{
    return ended->status != 0;
}

static bool ended_by(const struct keeper_ended *ended, int number)
{
    return ended->status >= 0 && WIFSIGNALED(ended->status) && WTERMSIG(ended->status) == number;
}

/* Whether more processor time was used than that. */
static bool used_cpu(const struct keeper_ended *ended, uint64_t least_us)
{
    uint64_t used;
    if (ended->user_us == RESULT_UNKNOWN || ended->system_us == RESULT_UNKNOWN) {
        return false;
    }
    return __builtin_add_overflow(ended->user_us, ended->system_us, &used) || used > least_us;
}

static bool over_cpu_limit(const struct keeper_ended *ended, const struct limits *limits)
{
    return used_cpu(ended, limits->value[LIMIT_CPU]);
}

/* Where the limit of processor time follows from that of the clock, a program that only computes
 * reaches both at once: within so small a share it is processor time that it ran out of. */
#define TIE_SHARE 20

static bool ties_with_cpu(const struct keeper_ended *ended, const struct limits *limits)
{
    const uint64_t limit = limits->value[LIMIT_CPU];
    uint64_t both;
    return !__builtin_mul_overflow(limits->value[LIMIT_WALL], limits->value[LIMIT_CPUS], &both) &&
           limit == both / LIMIT_ONE_CPU && used_cpu(ended, limit - limit / TIE_SHARE);
}

static void set_ending(struct result_stage *stage, enum status status, enum limit limit)
{
    stage->status = status;
    stage->limit = limit;
}

/* The program ended by itself: which limit, survived until then, explains its end, if any. */
static void explain_end(const struct keeper_ended *ended, const struct limits *limits,
                        struct result_stage *stage)
{
    size_t row = first_cause(ended->causes);
    if (ended->memory_killed_main != 0) {
        set_ending(stage, STATUS_MEMORY, LIMIT_MEMORY);
    } else if (over_cpu_limit(ended, limits)) {
        set_ending(stage, STATUS_CPU_TIME, LIMIT_CPU);
    } else if (ended_by(ended, SIGXFSZ)) {
        set_ending(stage, STATUS_FILE_SIZE, LIMIT_FILE);
    } else if (row < ARRAY_LENGTH(causes) && ended_badly(ended)) {
        set_ending(stage, causes[row].status, causes[row].limit);
    } else if (ended->status < 0) { /* not by itself, and by nothing that we know of */
        set_ending(stage, STATUS_INTERNAL, LIMIT_COUNT);
    } else if (WIFSIGNALED(ended->status)) {
        set_ending(stage, STATUS_SIGNAL, LIMIT_COUNT);
    } else {
        set_ending(stage, ended_badly(ended) ? STATUS_EXIT : STATUS_OK, LIMIT_COUNT);
    }
}

static void decide(const struct supervise *supervise, const struct keeper_ended *ended,
                   const struct limits *limits, struct result_stage *stage)
{
    enum status cause = supervise->cause;
    if (cause == STATUS_WALL_TIME &&
        (over_cpu_limit(ended, limits) || ties_with_cpu(ended, limits))) {
        /* Processor time is looked at now and then only, the clock all the time: this limit was
         * reached first and seen later. */
        set_ending(stage, STATUS_CPU_TIME, LIMIT_CPU);
    } else if (cause != STATUS_COUNT) {
        set_ending(stage, cause, supervise->cause_limit);
    } else if (ended->init_lost != 0 && (ended->causes & KEEPER_CAUSE_MEMORY) != 0) {
        set_ending(stage, STATUS_MEMORY, LIMIT_MEMORY);
    } else if (ended->init_lost != 0) {
        set_ending(stage, STATUS_INTERNAL, LIMIT_COUNT);
    } else {
        explain_end(ended, limits, stage);
    }
}

static void copy_figures(const struct keeper_ended *ended, struct result_stage *stage)
{
    if (ended->status >= 0 && WIFEXITED(ended->status)) {
        stage->exit_code = WEXITSTATUS(ended->status);
    } else if (ended->status >= 0 && WIFSIGNALED(ended->status)) {
        stage->signal = WTERMSIG(ended->status);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(causes); i++) {
        if ((ended->causes & causes[i].bit) != 0) {
            stage->limits_hit |= status_hit_bit(causes[i].status);
        }
    }
    if ((ended->causes & KEEPER_CAUSE_STACK) != 0) {
        stage->limits_hit |= status_hit_bit(STATUS_HIT_STACK);
    }
    stage->usage = (struct result_usage){
        .wall_us = ended->wall_us,
        .user_us = ended->user_us,
        .system_us = ended->system_us,
        .memory_peak_bytes = ended->memory_peak_bytes,
        .processes_peak = ended->processes_peak,
        .written_bytes = ended->written_bytes,
        .voluntary_switches = ended->voluntary_switches,
        .involuntary_switches = ended->involuntary_switches,
    };
}

/* ---- the sentence ---- */

static const char *limit_noun(enum limit limit)
{
    switch (limit) {
    case LIMIT_WALL:
        return "wall time";
    case LIMIT_CPU:
        return "processor time";
    case LIMIT_MEMORY:
        return "memory";
    case LIMIT_PROCESSES:
        return "process";
    case LIMIT_STDOUT:
        return "standard output";
    case LIMIT_STDERR:
        return "standard error";
    case LIMIT_FILE:
        return "file size";
    case LIMIT_DISK:
        return "disk";
    case LIMIT_INODES:
        return "inode";
    default: /* the others end no run */
        return limit_table[limit].name;
    }
}

static void say_signal(struct result_stage *stage, const char *when)
{
    const bool stack = (stage->limits_hit & status_hit_bit(STATUS_HIT_STACK)) != 0;
    const char *name = sigabbrev_np(stage->signal);
    if (name != NULL) {
        (void)snprintf(stage->message, sizeof(stage->message), "ended by signal SIG%s (%s)%s", name,
                       stack ? "stack overflow" : sigdescr_np(stage->signal), when);
    } else { /* the real-time signals have no names */
        (void)snprintf(stage->message, sizeof(stage->message), "ended by signal %d%s",
                       stage->signal, when);
    }
}

/* Every text here is far shorter than the message's room. */
static void say(struct result_stage *stage, bool ended)
{
    char *message = stage->message;
    size_t size = sizeof(stage->message);
    char after[UNITS_TEXT_SIZE], value[UNITS_TEXT_SIZE], when[UNITS_TEXT_SIZE + 8] = "";
    if (ended) {
        units_format_time(stage->usage.wall_us, after);
        (void)snprintf(when, sizeof(when), " after %s", after);
    }
    if (stage->limit != LIMIT_COUNT) {
        limit_value_format(stage->limit, stage->limit_value, value);
        (void)snprintf(message, size, "%s limit of %s hit%s", limit_noun(stage->limit), value,
                       when);
        return;
    }
    switch (stage->status) {
    case STATUS_OK:
    case STATUS_EXIT:
        (void)snprintf(message, size, "exited with code %d%s", stage->exit_code, when);
        break;
    case STATUS_SIGNAL:
        say_signal(stage, when);
        break;
    case STATUS_CANCELLED:
        (void)snprintf(message, size, "cancelled%s", ended ? when : " before it started");
        break;
    case STATUS_INTERNAL:
        (void)snprintf(message, size, "the end of the program was not seen%s", when);
        break;
    default: /* the others are limits, or come without a run and with a sentence of their own */
        (void)snprintf(message, size, "%s%s", status_table[stage->status].meaning, when);
        break;
    }
}

/* What follows from the limit that ended it, if one did. */
static void set_limit(struct result_stage *stage, const struct limits *limits)
{
    if (stage->limit != LIMIT_COUNT) {
        stage->limit_value = limits->value[stage->limit];
        stage->limits_hit |= status_hit_bit(stage->status);
    }
}

void supervise_outcome(const struct supervise *supervise, const struct keeper_ended *ended,
                       const struct limits *limits, struct result_stage *stage)
{
    assert(supervise->state == SUPERVISE_DONE);
    assert(ended != NULL || supervise->cause != STATUS_COUNT);
    stage->exit_code = -1;
    stage->signal = 0;
    stage->limits_hit = supervise->limits_hit;
    if (ended != NULL) {
        copy_figures(ended, stage);
        decide(supervise, ended, limits, stage);
    } else {
        set_ending(stage, supervise->cause, supervise->cause_limit);
    }
    set_limit(stage, limits);
    say(stage, ended != NULL);
}

void supervise_told(struct result_stage *stage, const struct limits *limits, enum limit limit)
{
    size_t row = 0;
    while (row < ARRAY_LENGTH(causes) && causes[row].limit != limit) {
        row++;
    }
    assert(row < ARRAY_LENGTH(causes)); /* a limit that can end a run */
    set_ending(stage, causes[row].status, limit);
    set_limit(stage, limits);
    say(stage, true);
}
