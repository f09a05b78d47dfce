/*
 * From a command line to a request.
 */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "front/cli/options.h"

struct cli_request {
    struct cella_request *request;
    bool passes_stdin; /* our standard input is the program's, not the source of its code */
};

/* `engine` knows the languages, for a file whose language is not given. */
int cli_request_make(const struct invocation *invocation, struct cella_engine *engine,
                     struct cli_request *ret_request, struct cella_error *err)
    __attribute__((warn_unused_result));

#endif
