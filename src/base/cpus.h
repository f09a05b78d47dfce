/* The processors that this process may use. */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

/* How many, at least 1. */
unsigned cpus_usable(void);

#endif
