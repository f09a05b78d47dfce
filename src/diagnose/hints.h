/* What to do about an error.  For src/diagnose alone. */
#ifndef DIAGNOSE_HINTS_H
#define DIAGNOSE_HINTS_H

#include "diagnose/diagnose.h"
#include "diagnose/report.h"

/* Sets the diagnosis's hint, when there is one, and *ret_limit, when the error says that a limit
 * was reached.  `report` is NULL when the program said nothing.  -1 when memory is short. */
int hints_apply(const struct diagnose_case *it, const struct report *report,
                const struct pattern_budget *budget, struct result_diagnosis *diagnosis,
                enum errors_limit *ret_limit) MUST_CHECK;

#endif
