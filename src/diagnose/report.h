/*
 * A report of an error: where it stands in a program's output, and its parts.  For src/diagnose
 * alone.
 */
#ifndef DIAGNOSE_REPORT_H
#define DIAGNOSE_REPORT_H

#include "base/buffer.h"
#include "diagnose/diagnose.h"

#include <stdbool.h>

/* What of a stage's output is looked at, clean as text.h has it. */
struct report_text {
    struct buffer streams[2]; /* by enum result_stream; filled when a rule wants one */
    bool read[2];
};

struct report {
    const struct errors_rule *rule;
    struct pattern_piece parts[ERRORS_GROUP_COUNT]; /* of the text */
};

void report_text_init(struct report_text *text);
void report_text_done(struct report_text *text);

/* The report that a rule finds. */
bool report_find(const struct diagnose_case *it, const struct errors_rule *rule,
                 struct report_text *text, const struct pattern_budget *budget,
                 struct report *ret_report);

/* Sets file, line, column and frames of a diagnosis.  -1 when memory is short. */
int report_place(const struct diagnose_case *it, const struct report *report,
                 const struct pattern_budget *budget,
                 struct result_diagnosis *diagnosis) MUST_CHECK;

#endif
