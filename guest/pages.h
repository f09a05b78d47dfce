/*
 * The pages that a child will touch, made ready for it at once.
 *
 * A page that a forked process writes to, or that lies in a file, costs it a fault; on virtual
 * machines some microseconds each, several hundred times in a run that does next to nothing.  Which
 * pages those are is much the same from run to run.  So a first child, of which no run comes, does
 * what runs do and tells which pages it has made its own; the others let the kernel prepare these
 * in few calls, before anybody waits for them.
 */
#ifndef GUEST_PAGES_H
#define GUEST_PAGES_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stddef.h>

/* In the zygote: forks that child, and remembers what it tells.  True in the child, which is to do
 * what runs do and then to tell.  Without it, or where the kernel cannot tell, nothing is known and
 * nothing made ready. */
bool pages_learn(void);
/* In that child: looks at what it has touched, before it gives some of that back. */
void pages_look(void);
/* Likewise at last, when it has done what larger programs do besides: those pages are not made
 * ready, but what copies of them take counts. */
void pages_look_later(void);
/* Tells, with a number of the language's own. */
NORETURN void pages_tell(size_t note);
/* In the zygote and its children: that number; 0: none was told. */
size_t pages_note(void);
/* How many bytes a program takes for copies of what the zygote has. */
unsigned long pages_copied_bytes(void);
/* In a child, when it is in the control group that is to be charged for them. */
void pages_make_ready(void);

#endif
