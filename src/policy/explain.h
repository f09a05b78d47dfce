/* A plan as text for a person: what would run, within what, held by what, set up how. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "policy/policy.h"

/* Adds the text to `out`.  `runtime` is NULL for a bare command, `compile_or_null` when nothing is
 * compiled; `program` is what runtime_locate() found, NULL for a command. */
int explain_text(const struct policy *policy, const struct spec *spec,
                 const struct runtime *runtime, const struct plan *compile_or_null,
                 const struct plan *run, const char *program, struct buffer *out,
                 struct cella_error *err) MUST_CHECK;

#endif
