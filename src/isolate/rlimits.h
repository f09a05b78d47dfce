/*
 * The resource limits of a program, set by the process that becomes it.  Shared by init and the
 * guest side of zygotes.
 */
#ifndef ISOLATE_RLIMITS_H
#define ISOLATE_RLIMITS_H

#include "base/attributes.h"
#include "request/limits.h"

/* Of the calling process.  -1 with errno when the kernel refuses one. */
int rlimits_set(const struct limits *limits) MUST_CHECK;

#endif
