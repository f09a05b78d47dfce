/*
 * From a command line to a request.
 */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "front/cli/options.h"

/* Whether our standard input is the program's, and not the source of its code or request. */
bool cli_passes_stdin(const struct invocation *invocation);

/* `engine` knows the languages, for a file whose language is not given. */
int cli_request_make(const struct invocation *invocation, struct cella_engine *engine,
                     struct cella_request **ret_request, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
