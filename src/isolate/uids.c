/* The uids of runs: see uids.h. */
#include "isolate/uids.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What follows the next ':' of the line, or NULL. */
static const char *next_field(const char *field)
{
    const char *end = field != NULL ? field + strcspn(field, ":\n") : NULL;
    return end != NULL && *end == ':' ? end + 1 : NULL;
}

bool uids_claimed(const char *line, enum uids_file file)
{
    const char *second = next_field(line);
    const char *third = next_field(second);
    if (third == NULL) {
        return false;
    }
    const uint64_t first = strtoull(file == UIDS_SUBUID ? second : third, NULL, 10);
    const uint64_t count = file == UIDS_SUBUID ? strtoull(third, NULL, 10) : 1;
    return first <= UIDS_LAST && count > 0 && (first >= UIDS_FIRST || count > UIDS_FIRST - first);
}
