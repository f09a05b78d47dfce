/* The protections and the set-up steps as arrays. */
#include "isolate/protections.h"
#include "isolate/steps.h"

#include <string.h>

#define PROTECTION_ROW(id, name, need, what) {name, PROTECTION_##need, what},
const struct protection_info protection_table[PROTECTION_COUNT] = {PROTECTIONS(PROTECTION_ROW)};

#define STEP_ROW(id, name, place, what) {name, STEP_PLACE_##place, what},
const struct step_info step_table[STEP_COUNT] = {STEPS(STEP_ROW)};

enum protection protection_by_name(const char *name)
{
    enum protection protection = 0;
    while (protection < PROTECTION_COUNT && strcmp(protection_table[protection].name, name) != 0) {
        protection++;
    }
    return protection;
}
