/* See descriptors.h. */
#include "front/serve/host/descriptors.h"

#include <sys/resource.h>

void descriptors_raise(unsigned *ret_connections, unsigned *ret_tcp)
{
    struct rlimit limit;
    rlim_t room = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer some are asked to come again */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        const rlim_t half = limit.rlim_cur / 2;
        room = limit.rlim_cur - (half < DESCRIPTORS_KEPT ? half : DESCRIPTORS_KEPT);
    }
    const unsigned max = room < CONNECTIONS_MAX ? (unsigned)room : CONNECTIONS_MAX;
    *ret_connections = max;
    *ret_tcp = max - (max / 10 < CONNECTIONS_KEPT ? max / 10 : CONNECTIONS_KEPT);
}
