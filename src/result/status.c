/* The statuses as an array: see status.h. */
#include "result/status.h"

#include <stddef.h>

#define STATUS_ROW(id, word, exit_code, meaning) {word, exit_code, meaning},
const struct status_info status_table[STATUS_COUNT] = {STATUSES(STATUS_ROW)};

const char *status_hit_word(unsigned hit)
{
    if (hit == STATUS_HIT_STACK) {
        return "stack";
    }
    return hit >= STATUS_WALL_TIME && hit <= STATUS_DISK ? status_table[hit].word : NULL;
}
