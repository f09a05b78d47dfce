/*
 * Children of ours that we have never heard of.
 *
 * A zygote's children are the keeper's.  One whose zygote was killed between making it and telling
 * of it is known to nobody; and a PID namespace does not end before each process in it has been
 * waited for.
 */
#ifndef ISOLATE_NATIVE_STRAYS_H
#define ISOLATE_NATIVE_STRAYS_H

/* Waits for those that are dead.  What we have a pidfd of is no stray. */
void strays_reap(void);

#endif
