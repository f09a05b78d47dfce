/*
 * `cella serve`: becomes the program cella-serve, which needs more than this one should have to
 * load for every run.  It is told the options as words NAME=VALUE; variables, the configuration
 * file and defaults are its own business, for it reads them again while it runs.
 */
#include "front/cli/options.h"
#include "front/cli/places.h"
#include "front/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* After the first word, which is the program's name. */
static int add_options(const struct invocation *invocation, char **words)
{
    for (size_t i = 0; i < invocation->given_count; i++) {
        const struct given_option *given = &invocation->given[i];
        struct option option;
        if (!option_at(given->id, &option) ||
            asprintf(&words[i + 1], "%s=%s", option.name,
                     given->value != NULL ? given->value : "") < 0) {
            words[i + 1] = NULL;
            return -1;
        }
    }
    return 0;
}

int command_serve(const struct invocation *invocation)
{
    static char name[] = "cella-serve";
    char program[PATH_MAX];
    struct cella_error err;
    if (!place_of_program(name, program)) {
        (void)cli_fail(&err, CELLA_ERROR_HOST, "install Cella",
                       "cella-serve was found neither beside this program nor in %s",
                       CELLA_LIBEXEC_DIR);
        return report_error(&err);
    }
    char **words = calloc(invocation->given_count + 2, sizeof(*words));
    if (words != NULL && add_options(invocation, words) == 0) {
        words[0] = name;
        (void)execv(program, words);
        (void)cli_fail_errno(&err, CELLA_ERROR_HOST, "cannot execute %s", program);
    } else {
        (void)cli_fail(&err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    for (size_t i = 0; words != NULL && i < invocation->given_count; i++) {
        free(words[i + 1]);
    }
    free(words);
    return report_error(&err);
}
