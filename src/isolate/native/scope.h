/*
 * Asks the user's own systemd for a control group: a transient scope with this process in it,
 * delegated to the user (org.freedesktop.systemd1.Manager.StartTransientUnit).
 *
 * For an ordinary user whose session has no group of its own to divide.  The scope goes away by
 * itself with its last process, and what is below it too, however the process ends.
 *
 * The manager is believed in nothing: it is the user's own, and may be stopped, or be anything.
 */
#ifndef ISOLATE_NATIVE_SCOPE_H
#define ISOLATE_NATIVE_SCOPE_H

#include "base/attributes.h"

#include <stdbool.h>

/* True when this process has been moved into a scope of its own, of that name (NAME.scope), by the
 * manager that listens at `socket_path`.  False when there is none, it refuses, or all of it takes
 * longer than `wait_ms`: a manager that is idle takes a few, a busy one many hundreds. */
bool scope_enter(const char *socket_path, const char *name, int wait_ms) MUST_CHECK;

#endif
