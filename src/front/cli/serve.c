/*
 * `cella serve`: becomes the program cella-serve, which needs more than this one should have to
 * load for every run.  It is told the options as words NAME=VALUE; variables, the configuration
 * file and defaults are its own business, for it reads them again while it runs.  So whoever wants
 * to know one of its settings asks it.
 */
#include "front/cli/options.h"
#include "front/cli/places.h"
#include "front/cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char program_name[] = "cella-serve";

static int find_program(char ret_path[PATH_MAX], struct cella_error *err)
{
    if (!place_of_program(program_name, ret_path)) {
        return cli_fail(err, CELLA_ERROR_HOST, "install Cella",
                        "cella-serve was found neither beside this program nor in %s",
                        CELLA_LIBEXEC_DIR);
    }
    return 0;
}

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
    char program[PATH_MAX];
    struct cella_error err;
    if (find_program(program, &err) < 0) {
        return report_error(&err);
    }
    char **words = calloc(invocation->given_count + 2, sizeof(*words));
    if (words != NULL && add_options(invocation, words) == 0) {
        words[0] = program_name;
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

/* ---- a setting of it ---- */

/* Its standard output is the pipe.  Returns 0 or an errno. */
static int spawn(const char *program, char *const *words, const int ends[2], pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int number = posix_spawn_file_actions_init(&actions);
    if (number != 0) {
        return number;
    }
    number = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (number == 0) {
        report_begin(); /* it may have something to say */
        number = posix_spawn(ret_pid, program, &actions, NULL, words, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return number;
}

/* All that it prints, until it has ended: as much as is read of a path.  Its exit code, or -1. */
static int take_answer(int fd, pid_t pid, char ret_text[PATH_MAX])
{
    size_t size = 0;
    ssize_t got = 0;
    int status = -1;
    do {
        got = read(fd, ret_text + size, PATH_MAX - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && size < PATH_MAX - 1) || (got < 0 && errno == EINTR));
    ret_text[size] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && (WEXITSTATUS(status) != 0 || size > 0) ? WEXITSTATUS(status) : -1;
}

int place_of_server_state(const char *config, char ret_path[PATH_MAX], struct cella_error *err)
{
    static char tell[] = "tell-state=";
    char program[PATH_MAX];
    char *option = NULL;
    int ends[2];
    pid_t pid = 0;
    if (find_program(program, err) < 0) {
        return -1;
    }
    if (asprintf(&option, "config=%s", config != NULL ? config : "") < 0) {
        return cli_fail(err, CELLA_ERROR_HOST, NULL, "out of memory");
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        free(option);
        return cli_fail_errno(err, CELLA_ERROR_HOST, "cannot make a pipe");
    }
    char *const words[] = {program_name, tell, option, NULL};
    errno = spawn(program, words, ends, &pid);
    int code = errno == 0 ? 0 : cli_fail_errno(err, CELLA_ERROR_HOST, "cannot execute %s", program);
    (void)close(ends[1]);
    if (code == 0) {
        code = take_answer(ends[0], pid, ret_path);
        code = code >= 0 ? code
                         : cli_fail(err, CELLA_ERROR_HOST, "give --state DIR",
                                    "cella-serve does not say where its state is");
    }
    (void)close(ends[0]);
    free(option);
    return code;
}
