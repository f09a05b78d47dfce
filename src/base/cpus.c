/* Counting processors: see cpus.h. */
#include "base/cpus.h"

#include <sched.h>
#include <unistd.h>

unsigned cpus_usable(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more of them than the set has room for */
    return online > 0 ? (unsigned)online : 1;
}
