/* Texts that both --help and the manual print. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stddef.h>

struct manual_row {
    const char *term;
    const char *text;
};
/* The exit codes of `cella run`; `*ret_count` rows. */
const struct manual_row *manual_exit_codes(size_t *ret_count);

#endif
