/* See early.h. */
#include "front/cli/early.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

struct early early;

void early_take(struct cella_options *options)
{
    if (early.pid > 0) {
        options->keeper_socket = early.socket;
        options->keeper_pid = early.pid;
        early.pid = 0;
    }
}

void early_done(void)
{
    if (early.pid > 0) {
        (void)close(early.socket); /* by its end the keeper knows that nobody wants it */
        while (waitpid(early.pid, NULL, 0) < 0 && errno == EINTR) {
        }
        early.pid = 0;
    }
}
