/* What the files of batch.h know of each other. */
#ifndef SERVE_BATCH_INSIDE_H
#define SERVE_BATCH_INSIDE_H

#include "front/serve/runs/batch.h"

#define BATCH_SKIPPED_TEXT "a test before it was not accepted"

/* ---- batch.c ---- */

/* Begins what may be begun, and ends the batch, which is gone then, when there is nothing more.
 * Does nothing while is_pumping. */
void batch_pump(struct batch *batch);

/* ---- batch_run.c ---- */

/* For the next test; there must be a free one. */
struct batch_slot *batch_take_slot(struct batch *batch);
void batch_leave_slot(struct batch_slot *slot);
int batch_begin_test(struct batch_slot *slot, struct cella_error *err)
    __attribute__((warn_unused_result));
/* Its outcome is known. */
void batch_end_test(struct batch_slot *slot);
/* Whatever goes on is told to end; what becomes of its test is known already. */
void batch_leave_all(struct batch *batch, enum batch_verdict verdict, const char *text);
void batch_note_end(struct batch *batch, size_t index);

struct batch_outcome *batch_outcome_of(const struct batch_slot *slot);
void batch_say(struct batch_outcome *outcome, enum batch_verdict verdict, const char *text);
/* Whose fault it is that one could not be begun. */
enum batch_verdict batch_verdict_of_error(const struct cella_error *error);
/* What was compiled is not to be had any more. */
void batch_forget(struct batch_source *source);

#endif
