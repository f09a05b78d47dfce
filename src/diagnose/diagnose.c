/*
 * The diagnosis: see diagnose.h.
 *
 * How it works.  The rules of the runtime's file are tried in their order, and then those of the
 * runtime that it is like; the first that finds a report in the output decides.  A program that a
 * signal ended without a word is explained by the signal.
 */
#include "diagnose/diagnose.h"

#include "diagnose/hints.h"
#include "diagnose/report.h"
#include "diagnose/signals.h"
#include "diagnose/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char unnamed_class[] = "error";

/* Whether the program's own words, or its signal, say why it ended: not when it ended well, and not
 * when it was ended from outside, before it could say anything. */
static bool is_explained(const struct result_stage *stage)
{
    switch (stage->status) {
    case STATUS_EXIT:
    case STATUS_SIGNAL:
        return true;
    case STATUS_MEMORY:
    case STATUS_PROCESSES:
    case STATUS_FILE_SIZE:
    case STATUS_DISK:
        return stage->exit_code > 0 || (stage->signal != 0 && stage->signal != SIGKILL);
    default:
        return false;
    }
}

static bool find_in(const struct diagnose_case *it, const struct errors *errors,
                    struct report_text *text, const struct pattern_budget *budget,
                    struct report *ret_report)
{
    for (size_t i = 0; errors != NULL && i < errors->rule_count; i++) {
        if (report_find(it, &errors->rules[i], text, budget, ret_report)) {
            return true;
        }
    }
    return false;
}

/* ---- class and message ---- */

/* The group, else the rule's own text, else nothing. */
static int set_part(char **ret_text, struct pattern_piece piece, const char *text,
                    const struct text_values *values, size_t max)
{
    CLEANUP(buffer_done) struct buffer filled;
    buffer_init(&filled, 0);
    piece = text_trim(piece);
    if (piece.size == 0 && text != NULL) {
        if (text_fill(&filled, text, values) < 0) {
            return -1;
        }
        piece = text_trim((struct pattern_piece){filled.data, filled.size});
    }
    *ret_text = piece.size == 0 ? NULL : text_copy(piece, max);
    return piece.size > 0 && *ret_text == NULL ? -1 : 0;
}

static int set_words(const struct diagnose_case *it, const struct report *report,
                     struct result_diagnosis *diagnosis)
{
    char signal[RESULT_SIGNAL_SIZE] = "";
    if (it->stage->signal != 0) {
        result_signal_name(it->stage->signal, signal);
    }
    const struct text_values values = {
        .pattern = report->rule->match,
        .entry = it->sources->entry,
        .signal = signal,
    };
    if (set_part(&diagnosis->class, report->parts[ERRORS_GROUP_CLASS], report->rule->class, &values,
                 DIAGNOSE_CLASS_MAX) < 0 ||
        set_part(&diagnosis->message, report->parts[ERRORS_GROUP_MESSAGE], report->rule->message,
                 &values, DIAGNOSE_MESSAGE_MAX) < 0) {
        return -1;
    }
    if (diagnosis->class == NULL) {
        diagnosis->class = strdup(signal[0] != '\0' ? signal : unnamed_class);
    }
    if (diagnosis->message == NULL) {
        diagnosis->message = strdup("");
    }
    return diagnosis->class == NULL || diagnosis->message == NULL ? -1 : 0;
}

static int set_signal(const struct diagnose_case *it, struct result_diagnosis *diagnosis)
{
    char name[RESULT_SIGNAL_SIZE];
    result_signal_name(it->stage->signal, name);
    diagnosis->class = strdup(name);
    diagnosis->message = strdup(signal_meaning(it->stage->signal));
    return diagnosis->class == NULL || diagnosis->message == NULL ? -1 : 0;
}

/* ---- the whole ---- */

static int fill(const struct diagnose_case *it, const struct report *report,
                const struct pattern_budget *budget, struct result_diagnosis *diagnosis,
                enum errors_limit *ret_limit)
{
    if (report == NULL ? set_signal(it, diagnosis) < 0
                       : set_words(it, report, diagnosis) < 0 ||
                             report_place(it, report, budget, diagnosis) < 0) {
        return -1;
    }
    return hints_apply(it, report, budget, diagnosis, ret_limit);
}

struct result_diagnosis *diagnose(const struct diagnose_case *it, enum errors_limit *ret_limit)
{
    struct pattern_budget budget;
    struct report report;
    enum errors_limit limit = ERRORS_NO_LIMIT;
    CLEANUP(report_text_done) struct report_text text;
    report_text_init(&text);
    *ret_limit = ERRORS_NO_LIMIT;
    if (!is_explained(it->stage)) {
        return NULL;
    }
    pattern_budget_start(&budget);
    bool found =
        it->errors != NULL && (find_in(it, it->errors, &text, &budget, &report) ||
                               find_in(it, it->errors->like_errors, &text, &budget, &report));
    if (!found && (it->stage->status != STATUS_SIGNAL || it->which != ERRORS_IN_RUN)) {
        return NULL; /* and a signal that ended a compiler says nothing of the program */
    }
    struct result_diagnosis *diagnosis = calloc(1, sizeof(*diagnosis));
    if (diagnosis == NULL || fill(it, found ? &report : NULL, &budget, diagnosis, &limit) < 0) {
        result_diagnosis_destroy(diagnosis); /* memory is short: the result matters more */
        return NULL;
    }
    *ret_limit = limit;
    return diagnosis;
}
