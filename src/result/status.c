/* The statuses as an array: see status.h. */
#include "result/status.h"

#include <string.h>

#define STATUS_ROW(id, word, exit_code, meaning) {word, exit_code, meaning},
const struct status_info status_table[STATUS_COUNT] = {STATUSES(STATUS_ROW)};

enum status status_by_word(const char *word)
{
    enum status status = 0;
    while (status < STATUS_COUNT && strcmp(status_table[status].word, word) != 0) {
        status++;
    }
    return status;
}
