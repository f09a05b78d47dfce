/*
 * Fault injection: in a test build (CELLA_TESTING) the environment variable CELLA_FAULT of the
 * keeper names a set-up step that shall fail.  In any other build this is nothing.
 */
#ifndef ISOLATE_NATIVE_FAULT_H
#define ISOLATE_NATIVE_FAULT_H

#include "isolate/steps.h"

#ifdef CELLA_TESTING
#include <stdlib.h>
#include <string.h>

static inline enum step fault_step(void)
{
    const char *name = getenv("CELLA_FAULT");
    enum step step = 0;
    while (step < STEP_COUNT && (name == NULL || strcmp(step_table[step].name, name) != 0)) {
        step++;
    }
    return step;
}
#else
static inline enum step fault_step(void)
{
    return STEP_COUNT;
}
#endif

#endif
