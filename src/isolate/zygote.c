/* See zygote.h.  Shared by the keeper and the guest side. */
#include "isolate/zygote.h"

#include "base/attributes.h"

#include <sched.h>
#include <stddef.h>

#define NEW_TIME 0x80 /* CLONE_NEWTIME, which not every header has */

int zygote_namespaces(uint64_t protections)
{
    static const struct {
        enum protection protection;
        int flag;
    } optional[] = {
        {PROTECTION_IPC_NS, CLONE_NEWIPC}, {PROTECTION_UTS_NS, CLONE_NEWUTS},
        {PROTECTION_NET_NS, CLONE_NEWNET}, {PROTECTION_CGROUP_NS, CLONE_NEWCGROUP},
        {PROTECTION_TIME_NS, NEW_TIME},
    };
    int flags = CLONE_NEWUSER | CLONE_NEWNS;
    for (size_t i = 0; i < ARRAY_LENGTH(optional); i++) {
        if ((protections & protection_bit(optional[i].protection)) != 0) {
            flags |= optional[i].flag;
        }
    }
    return flags;
}
