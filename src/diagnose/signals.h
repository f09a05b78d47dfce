/* What it means when a signal ended a program.  For src/diagnose alone. */
#ifndef DIAGNOSE_SIGNALS_H
#define DIAGNOSE_SIGNALS_H

/* A sentence; NULL for a signal that says nothing of the program. */
const char *signal_meaning(int number);

#endif
