/*
 * A system call filter against files with a set-uid or set-gid bit.  Shared by init and the guest
 * side of zygotes.
 */
#ifndef ISOLATE_MODES_H
#define ISOLATE_MODES_H

#include "base/attributes.h"

/* For the calling process and its children; no other filter can follow.  -1 with errno. */
int modes_guard(void) MUST_CHECK;

#endif
