/*
 * cella: the command line.  A thin client of libcella: it includes nothing of the library but
 * <cella/...>.  The way of a command: options.c takes it apart by the tables in options.h, the
 * function of the command carries it out, its return value is the exit code.
 */
#include "front/cli/early.h"
#include "front/cli/options.h"
#include "front/cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define EXIT_FAILED 125

/* A standard stream that the caller closed would let the next file that is opened take its number
 * and be taken for it. */
static int fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) {
            return -1;
        }
    }
    return 0;
}

static int flush_output(struct cella_error *err)
{
    static const char problem[] = "cannot write to standard output";
    if (fflush(stdout) == EOF) {
        return cli_fail_errno(err, CELLA_ERROR_HOST, problem);
    }
    /* What did not fit into stdio's buffer has failed earlier, by whatever errno. */
    return ferror(stdout) ? cli_fail(err, CELLA_ERROR_HOST, NULL, problem) : 0;
}

int main(int argc, char **argv)
{
    struct invocation invocation;
    struct cella_error err;
    if (fill_standard_streams() < 0) {
        return EXIT_FAILED;
    }
    if (invocation_parse(argc, argv, &invocation, &err) < 0) {
        early_done();
        return report_error(&err);
    }
    int code = invocation_has(&invocation, OPTION_HELP)
                   ? command_help(&invocation)
                   : command_table[invocation.command].carry_out(&invocation);
    invocation_done(&invocation);
    early_done();
    if (code == 0 && flush_output(&err) < 0) {
        code = report_error(&err);
    }
    return code;
}
