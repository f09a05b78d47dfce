/*
 * Any bytes as /etc/cella/ceiling.conf: it widens nothing and says why, or no more than its lines
 * say, and nothing that no file can.
 */
#include "isolate/places.h"
#include "isolate/widening.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort(); /* what the fuzzer looks for */
    }
}

static bool has(const uint8_t *data, size_t size, const char *word)
{
    return size > 0 && memmem(data, size, word, strlen(word)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const never[] = {"/",        "/proc", "/proc/1",     "/etc/shadow",
                                        "/dev/sda", "/run",  "/etc/passwd", "/sys/kernel"};
    struct widening widening;
    widening_parse((const char *)data, size, &widening);
    require(widening.exists);
    if (widening.problem[0] != '\0') {
        require(!widening.network_host && widening.mount_count == 0);
    }
    require(!widening.network_host || (has(data, size, "network") && has(data, size, "host")));
    require(widening.mount_count <= WIDENING_MOUNTS_MAX);
    for (size_t i = 0; i < widening.mount_count; i++) {
        require(has(data, size, widening.mounts[i].path));
        require(has(data, size, widening.mounts[i].writable ? "writable" : "read_only"));
        require(places_source_problem(widening.mounts[i].path, widening.mounts[i].writable) ==
                NULL);
    }
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        require(!widening_allows_mount(&widening, never[i], false));
        require(!widening_allows_mount(&widening, never[i], true));
    }
    require(!widening_allows_mount(&widening, "/usr/share", true));
    return 0;
}
